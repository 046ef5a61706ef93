"""Times, durations, figures and names in words."""

from __future__ import annotations

import pytest

from deploytrail.app.views import Who
from deploytrail.web import words
from tests.web.cast import ADA, BEN, CLEO, DINA, ELI, GONE, NOW


@pytest.mark.parametrize(
    ("back", "said"),
    [
        (0, "just now"),
        (999, "just now"),
        (4_000, "4 s ago"),
        (59_999, "59 s ago"),
        (4 * words.MINUTE, "4 min ago"),
        (2 * words.HOUR + 59 * words.MINUTE, "2 h ago"),
        (words.DAY, "1 day ago"),
        (6 * words.DAY, "6 days ago"),
        (7 * words.DAY, "10 Mar 2026"),
        (-30_000, "just now"),
        (-5 * words.MINUTE, "in 5 min"),
        (-9 * words.DAY, "26 Mar 2026"),
    ],
)
def test_ago(back: int, said: str) -> None:
    assert words.ago(NOW - back, NOW) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "under 1 s"),
        (350, "350 ms"),
        (-5, "under 1 s"),
        (48_000, "48 s"),
        (112_000, "1 min 52 s"),
        (60_000, "1 min"),
        (2 * words.HOUR + 5 * words.MINUTE + 7_000, "2 h 5 min"),
        (words.HOUR + 7_000, "1 h"),
        (3 * words.DAY + 4 * words.HOUR, "3 days 4 h"),
        (words.DAY, "1 day"),
        (2000 * words.DAY, "2,000 days"),
    ],
)
def test_duration(ms: int, said: str) -> None:
    assert words.duration(ms) == said


def test_exact_time_names_its_zone() -> None:
    assert words.exact(NOW) == "17 Mar 2026, 14:36:00 UTC"
    assert words.machine(NOW) == "2026-03-17T14:36:00Z"
    assert words.clock(NOW) == "14:36:00"


def test_relative_and_exact_time_stand_together() -> None:
    assert "4 min ago</span> (17 Mar 2026, 14:32:00 UTC)" in words.when(NOW - 4 * words.MINUTE, NOW)
    assert words.when(NOW - 8 * words.DAY, NOW).endswith(">9 Mar 2026, 14:36:00 UTC</time>")


def test_days_are_said_as_people_say_them() -> None:
    assert words.day(NOW, NOW) == "Today, Tuesday 17 March 2026"
    assert words.day(NOW - words.DAY, NOW) == "Yesterday, Monday 16 March 2026"
    assert words.day(NOW - 2 * words.DAY, NOW) == "Sunday 15 March 2026"


def test_a_date_in_place_of_a_time_is_short() -> None:
    assert words.short_date(NOW - words.DAY, NOW) == "16 Mar"
    assert words.short_date(NOW - 400 * words.DAY, NOW) == "Feb 2025"


@pytest.mark.parametrize("ms", [-62_135_596_800_000, 253_402_300_799_999])
def test_the_first_and_the_last_time_there_is(ms: int) -> None:
    assert words.exact(ms).endswith("UTC")
    assert words.ago(ms, NOW) == words.date(ms)


def test_identifiers_are_cut_to_what_tells_them_apart() -> None:
    assert words.sha("4f2c81e09b7d3a55") == "4f2c81e"
    assert words.digest("sha256:9d1f4ac25be07c1d9f32e07b") == "9d1f4ac2…e07b"
    assert words.digest("sha256:abcd") == "abcd"
    assert words.version("1.42.0") == "1.42.0"
    assert words.version("12e7b41e8fd5392d00ab29943335030fb90d1799") == "12e7b41"
    assert words.version("sha256:" + "9d1f4ac2" * 8) == "9d1f4ac2…4ac2"
    assert words.root("P5mS0hV7q7m3nJ1kq0m5Q2o0y1t4c9d0oBxk3m29fQA=") == "P5mS0h…fQA="


def test_numbers() -> None:
    assert words.number(48207) == "48,207"
    assert words.plural(1, "commit", "commits") == "1 commit"
    assert words.plural(1200, "commit", "commits") == "1,200 commits"
    assert [words.size(n) for n in (1, 512, 9_120, 1_400_000)] == ["1 byte", "512 bytes", "9 KB", "1.4 MB"]


def test_persons() -> None:
    assert words.named(ADA) == "<bdi>ada</bdi>"
    assert words.named(BEN) == "<bdi>ben</bdi>"
    assert words.named(GONE) == "an erased person"
    assert words.named(Who(id="s_q2hk4w7xyz22aaaa")) == "person <bdi>s_q2hk4w7x</bdi>"


def test_a_person_is_a_link_to_their_page() -> None:
    assert words.person(ADA) == '<a class="who" href="/people/s_ada"><bdi>ada</bdi></a>'
    assert words.person(Who(id='s_"/..')).count('href="/people/s_%22%2F.."') == 1


def test_persons_in_a_row() -> None:
    assert words.people([]) == ""
    assert words.people([ADA]) == words.person(ADA)
    assert words.people([ADA, BEN]).striptags() == "ada and ben"
    assert words.people([ADA, BEN, CLEO]).striptags() == "ada, ben and cleo"
    assert words.people([ADA, BEN, CLEO, DINA, ELI]).striptags() == "ada, ben, cleo and 2 others"
