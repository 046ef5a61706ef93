"""Hostile text in every field: it stays where it was put, and what it hides is seen."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from deploytrail.app.views import (
    AttentionView,
    CellView,
    CheckView,
    CommitView,
    EnvironmentView,
    ReportView,
    StepView,
    TrailRow,
    Who,
)
from deploytrail.facts.kinds import KINDS
from deploytrail.web import hostile
from tests.web import cast
from tests.web.conftest import Enter, tell
from tests.web.fakes import FakeHouse
from tests.web.reading import Page

OPENINGS = (
    "",
    '"',
    "'",
    ">",
    '">',
    "</bdi>",
    "</a></p></li>",
    "-->",
    "]]>",
    "{{",
    "\u202e",
    "\x1b[2J",
    "`",
    "=",
)
MIDDLES = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<style>*{display:none}</style>",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "<svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "cmd|' /C calc'!A0",
    "<plaintext>",
    "&lt;b&gt;&#x3c;",
)
ENDINGS = ("", "\u2066", "\u0000")
FORMS = ["".join(parts) for parts in itertools.product(OPENINGS, MIDDLES, ENDINGS)] + ["Z" + "\u0336" * 90]


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 300


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain words", "<bdi>plain words</bdi>"),
        ("<b>&\"'", "<bdi>&lt;b&gt;&amp;&#34;&#39;</bdi>"),
        ("a\u202eb", '<bdi>a<span class="sign">U+202E</span>b</bdi>'),
        ("\x1b[31m", '<bdi><span class="sign">U+001B</span>[31m</bdi>'),
        ("two\nlines", '<bdi>two<span class="sign">U+000A</span>lines</bdi>'),
        ("  trimmed\n", "<bdi>trimmed</bdi>"),
        ("ze\u200bro", '<bdi>ze<span class="sign">U+200B</span>ro</bdi>'),
        ("half \ud800", '<bdi>half <span class="sign">U+D800</span></bdi>'),
        ("e\u0301te\u0301", "<bdi>e\u0301te\u0301</bdi>"),
        ("Z" + "\u0336" * 40, '<bdi>Z<span class="sign">U+0336 ×40</span></bdi>'),
        ("\U0001f469\u200d\U0001f680", "<bdi>\U0001f469\u200d\U0001f680</bdi>"),
        ("x" * 300, "<bdi>" + "x" * 200 + "…</bdi>"),
    ],
)
def test_shown(given: str, shown: str) -> None:
    assert hostile.shown(given) == shown


def test_plain_has_no_markup_and_no_unseen_sign() -> None:
    assert hostile.plain("a\u202e<b>\n") == "a[U+202E]<b>"


def test_lines_keep_line_ends_only() -> None:
    assert hostile.lines("a\n\tb\x07") == 'a\n\tb<span class="sign">U+0007</span>'


@pytest.mark.parametrize(
    "sign", [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
def test_no_control_or_bidi_sign_gets_through(sign: int) -> None:
    assert chr(sign) not in hostile.shown(f"a{chr(sign)}b")
    assert chr(sign) not in hostile.plain(f"a{chr(sign)}b")


# Every text of every view replaced by a hostile one.


def spoiled(view: Any, text: str, keep: frozenset[str] = frozenset()) -> Any:
    """A view with `text` in every field that takes text, however deep."""
    if isinstance(view, msgspec.Struct):
        fields = {
            name: getattr(view, name) if name in keep else spoiled(getattr(view, name), text, keep)
            for name in view.__struct_fields__
        }
        return type(view)(**fields)
    if isinstance(view, str):
        return text
    if isinstance(view, list):
        return [spoiled(item, text, keep) for item in view]
    if isinstance(view, dict):
        return {name: spoiled(item, text, keep) for name, item in view.items()}
    return view


# What the house itself says, from closed lists.
OURS = frozenset({"kind", "mark", "proof", "attribution", "leaf", "checkpoint_root", "status", "word"})
WHO = Who(id="s_x", name="name", login="login")
PATHS = ("/", "/deployments/40", "/environments", "/attention")


# Clear texts of facts, by the names of their fields.
NAMES = (
    *("repository", "ref", "after", "before", "sha", "name", "app", "outcome", "verdict", "status", "action"),
    *("tag", "type", "digest", "artifact", "setting", "control", "incident", "cause", "run", "job", "event"),
    *("reason", "origin", "role", "method", "subject", "ground", "place", "service", "environment"),
)
COUNTS = {"number": 1, "commits": [{}], "index": 4, "entries": 2, "secrets": 1}


def every_row(text: str) -> list[TrailRow]:
    """One row of each kind with `text` wherever text may stand."""
    rows = []
    for index, kind in enumerate([*KINDS, "x-any"]):
        full = TrailRow(
            index=index,
            kind=kind,
            mark="note",
            source="source",
            received_at=cast.NOW,
            actor=WHO,
            attribution="asserted",
            service="service",
            environment="environment",
            version="version",
            deployment="deployment",
            replaced="replaced",
            fields=dict.fromkeys(NAMES, "text") | COUNTS,
            texts=dict.fromkeys(("title", "ref", "description", "commits.0.title", "url"), "text"),
            people=dict.fromkeys(("reviewer", "merged_by", "approver", "member", "person", "author"), WHO),
        )
        rows.append(spoiled(full, text, OURS))
    return rows


def fill(house: FakeHouse, text: str) -> None:
    """Put `text` wherever a source could have put it."""
    house.ask.rows = every_row(text)
    house.ask.actors = [spoiled(WHO, text)]
    full = cast.a_deployment(
        commits=[CommitView(sha="sha", title="title", author=WHO, change=1, reviewers=[WHO])],
        checks=[CheckView(name="name", kind="test.finished", outcome="outcome")],
        steps=[
            StepView(index=1, kind="deployment.step", at=cast.NOW, mark="note", source="source", name="name",
                     status="status", actor=WHO, description="text", url="https://example.org/x"),
        ],
        reports=[ReportView(source="source", name="name", index=3, because="because", separable=True)],
        labels={"name": "value"},
    )  # fmt: skip
    view = spoiled(full, text, OURS - {"status"} | {"type"})
    house.ask.deployments = {"40": msgspec.structs.replace(view, labels={text: text})}
    place = EnvironmentView(
        name="name",
        type="type",
        aliases=["alias"],
        services=1,
        cells=[
            CellView(service="service", environment="name", mark="succeeded", word="Running", version="v",
                     deployment="d", actor=WHO, since=cast.NOW),
        ],
    )  # fmt: skip
    house.ask.places = [spoiled(place, text, OURS)]
    aside = AttentionView(
        index=1, source="s", event="e", reason="r", size=1, received_at=cast.NOW, delivery_id="d"
    )
    house.ask.aside = [spoiled(aside, text)]


@pytest.mark.parametrize(
    "forms",
    [pytest.param(FORMS[::6], id="some"), pytest.param(FORMS, id="all", marks=pytest.mark.slow)],
)
def test_hostile_text_never_changes_what_a_page_is_made_of(
    house: FakeHouse, enter: Enter, forms: list[str]
) -> None:
    client = enter("administrator")
    fill(house, "harmless")
    calm = {path: Page(client.get(path).text) for path in PATHS}
    for text in forms:
        fill(house, text)
        for path in PATHS:
            page = Page(client.get(path).text)
            assert page.inline == [], (text, path)
            assert page.left_open == calm[path].left_open == []
            assert without_links(page) == without_links(calm[path]), (text, path)


def without_links(page: Page) -> list[str]:
    """The structure of a page, leaving out links to sources: a text that is no address stays text."""
    return [
        " ".join((element.path, *element.attributes))
        for element in page.structure()
        if "rel" not in element.attributes or "integrity" in element.attributes
    ]


@pytest.mark.parametrize("text", FORMS[::7])
def test_hostile_text_on_the_page_of_its_entry(house: FakeHouse, enter: Enter, text: str) -> None:
    tell(
        house,
        actor={"name": text, "login": text, "email": text},
        labels={"team": text},
        data={"any": text},
        version=text[:400] or "v",
        description=text,
        surprise=text,
    )
    index = len(house.log.bodies) - 1
    calm = Page(enter("administrator").get("/entries/3").text)
    page = Page(enter("administrator").get(f"/entries/{index}").text)
    assert page.inline == []
    assert page.left_open == calm.left_open == []
    told = "".join(page.text)
    assert "\u202e" not in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://a\u202eb/", "x"]
)
def test_only_http_addresses_become_links(house: FakeHouse, enter: Enter, text: str) -> None:
    house.ask.deployments = {"40": cast.a_deployment(url=text, steps=[])}
    page = Page(enter("viewer").get("/deployments/40").text)
    assert not [link for link in page.links if text in link]


def test_hostile_names_in_addresses_come_back_as_text(house: FakeHouse, enter: Enter) -> None:
    for text in FORMS[::5]:
        answer = enter("viewer").get(
            "/", params={"service": text, "environment": text, "actor": text, "kind": text}
        )
        page = Page(answer.text)
        assert page.inline == []
        assert page.left_open == []
