"""Laws that hold for every text, time and address, not only for those we thought of."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from deploytrail.facts import times
from deploytrail.web import hostile, words
from deploytrail.web.facts import _Lines
from deploytrail.web.pages import own_path
from tests.web.cast import NOW
from tests.web.reading import Page

TEXTS = st.text(st.characters(), max_size=400)
TIMES = st.integers(times.MIN_MS, times.MAX_MS)
# Categories of signs that nobody sees: controls, formats, surrogates, line and paragraph separators.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Joiners and number signs of scripts that need them.
NEEDED = re.compile(
    "[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001345f]"
)


@given(TEXTS)
def test_shown_text_is_one_isolated_piece_without_unseen_signs(text: str) -> None:
    html = hostile.shown(text)
    page = Page(f"<p>{html}</p>")
    assert page.inline == []
    assert page.left_open == []
    assert {element.path for element in page.elements} <= {"p", "p/bdi", "p/bdi/span"}
    seen = "".join(page.text)
    odd = {sign for sign in seen if unicodedata.category(sign) in UNSEEN and not NEEDED.match(sign)}
    assert odd == set()
    assert len(seen) <= 12 * (hostile.LIMIT + 1)


@given(TEXTS)
def test_plain_text_has_no_control_or_bidi_sign(text: str) -> None:
    seen = hostile.plain(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", seen)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=150))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert "".join(Page(hostile.shown(text)).text) == text.strip()


@given(TIMES, TIMES)
def test_every_time_can_be_said(ms: int, now: int) -> None:
    assert words.exact(ms).endswith(" UTC")
    assert words.ago(ms, now)
    assert words.day(ms, now)
    assert words.short_date(ms, now)
    assert Page(words.when(ms, now)).inline == []


@given(TIMES)
def test_the_machine_s_time_is_the_time(ms: int) -> None:
    assert times.parse(words.machine(ms)) == ms // 1000 * 1000


@given(st.integers(0, 10**15))
def test_durations_have_at_most_two_units(ms: int) -> None:
    assert len(re.findall(r"[a-z]+", words.duration(ms))) <= 2


@given(st.lists(st.binary(max_size=30)), st.integers(1, 9))
def test_lines_do_not_depend_on_how_they_were_cut(parts: list[bytes], step: int) -> None:
    whole = b"\n".join(part.replace(b"\n", b"") for part in parts)
    lines = _Lines()
    found: list[bytes | None] = []
    for at in range(0, len(whole), step):
        found += lines.feed(whole[at : at + step])
    found += lines.end()
    expected = [line.removesuffix(b"\r") for line in whole.split(b"\n")]
    assert found == (expected[:-1] if not whole or whole.endswith(b"\n") else expected)


@given(st.one_of(st.text(max_size=60), st.none(), st.integers()))
def test_nobody_is_sent_elsewhere(given_: object) -> None:
    path = own_path(given_)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert not re.search(r"[\x00-\x1f]", path)


def test_now_is_now() -> None:
    assert words.ago(NOW, NOW) == "just now"
