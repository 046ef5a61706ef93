"""The search box and its page: what is found, what is named, what is said when nothing is."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deploytrail.app import keyset
from deploytrail.app.views import Named, SearchPage
from tests.web.cast import ADA, DIGEST, SHA, deployed
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.reading import Page
from tests.web.test_pages import text

HOSTILE = "\u202e<script>alert(1)</script>\x07\u200b"


def found(**more: Any) -> SearchPage:
    """A page on which one deployment was found."""
    return SearchPage(**{"question": "checkout", "rows": [deployed()], "up_to": 60, "size": 60, **more})


@pytest.mark.parametrize("path", ["/", "/environments", "/log", "/attention", "/entries/3", "/search"])
def test_the_box_stands_on_every_page_of_those_who_may_see(enter: Enter, path: str) -> None:
    html = enter("viewer").get(path, headers={"accept": "text/html"}).text
    assert html.count('role="search"') == 1
    assert 'action="/search"' in html
    assert '<label class="vh" for="q">' in html
    assert 'role="search"' not in enter().get(path, headers={"accept": "text/html"}).text


def test_an_empty_question_says_what_can_be_asked(enter: Enter, house: FakeHouse) -> None:
    house.ask.found = SearchPage(question="", up_to=60, size=60)
    html = enter("viewer").get("/search").text
    assert "What can be asked" in text(html)
    assert any(link.startswith("/search?q=service%3Acheckout") for link in Page(html).links)


def test_what_is_found_stands_as_on_the_trail(enter: Enter, house: FakeHouse) -> None:
    house.ask.found = found(older=47)
    html = enter("viewer").get("/search", params={"q": "checkout ada"}).text
    assert "ada deployed checkout 1.42.0 to production-eu" in text(html)
    assert 'value="checkout ada"' in html
    assert "<title>checkout ada · Search · Deploytrail</title>" in html
    [older] = [link for link in Page(html).links if "below=" in link]
    assert parse_qs(urlsplit(older).query) == {"q": ["checkout ada"], "below": ["47"]}
    assert enter("viewer").get(older).status_code == 200


def test_what_words_name_leads_to_it(enter: Enter, house: FakeHouse) -> None:
    house.ask.found = found(
        answers=[
            Named(sort="service", key="check out", index=1),
            Named(sort="environment", key="production-eu", index=1),
            Named(sort="deployment", key="40", name="checkout", place="production-eu", index=1),
            Named(sort="change", key="github.com/shop/till", number=12, index=1),
            Named(sort="artifact", key=DIGEST, index=1),
            Named(sort="commit", key=SHA, index=1),
            Named(sort="person", key="s_ada", who=ADA),
        ]
    )
    client = enter("viewer")
    html = client.get("/search?q=x").text
    said = text(html)
    for one in ("check out", "checkout to production-eu", "github.com/shop/till #12", SHA[:7], "ada"):
        assert one in said
    part = html.partition('id="named"')[2].partition("</section>")[0]
    links = Page(f"<ul>{part.partition('<ul')[2].partition('>')[2]}").links
    assert len(links) == 7
    house.ask.found = None
    for link in links:
        assert client.get(link).status_code == 200, link


def test_when_nothing_is_found_it_says_what_to_do(enter: Enter, house: FakeHouse) -> None:
    said = text(enter("viewer").get("/search?q=zebra").text)
    assert "Nothing matches" in said
    assert f"We looked at {house.ask.projected()} entries" in said
    house.ask.found = SearchPage(question="a b", older=30, up_to=60, size=60)
    html = enter("viewer").get("/search?q=a+b").text
    assert "We have not looked at all entries" in text(html)
    assert "/search?q=a+b&below=30" in Page(html).links


def test_what_was_not_looked_at_is_said(enter: Enter, house: FakeHouse) -> None:
    house.ask.found = found(size=99, cut=["pre", "che"], left_out=["nine", "ten"])
    said = text(enter("viewer").get("/search?q=checkout").text)
    assert "Search has taken in 60 of 99 entries" in said
    assert "More begins with pre, che than is looked at here" in said
    assert "Not asked for: nine, ten." in said


def test_a_hostile_question_is_only_text(enter: Enter, house: FakeHouse) -> None:
    house.ask.found = found(
        question=HOSTILE, cut=[HOSTILE], left_out=[HOSTILE], answers=[Named(sort="service", key=HOSTILE)]
    )
    page = enter("viewer").get("/search", params={"q": HOSTILE, "below": "5 OR 1"})
    assert page.status_code == 200
    assert Page(page.text).inline == []
    assert "<script>alert" not in page.text
    assert "U+202E" in page.text
    assert page.text.count("\u202e") == page.text.count('value="\u202e')


def test_only_those_who_may_see_may_search(enter: Enter) -> None:
    assert enter().get("/search?q=x", headers={"accept": "text/html"}).status_code in (303, 401)
    assert enter(token="reporter-token").get("/api/v1/search?q=x").status_code == 403
    assert enter().get("/api/v1/search?q=x").status_code == 401
    assert enter(token="viewer-token").get("/api/v1/search?q=checkout").status_code == 200


def test_the_api_answers_in_pages(enter: Enter, house: FakeHouse) -> None:
    client = enter(token="viewer-token")
    house.ask.found = found(older=47, answers=[Named(sort="commit", key=SHA, index=3)])
    first = client.get("/api/v1/search", params={"q": "checkout", "limit": 1}).json()
    assert [row["index"] for row in first["rows"]] == [deployed().index]
    assert first["answers"] == [{"sort": "commit", "key": SHA, "index": 3}]
    assert first["next"] == keyset.written(47)
    house.ask.found = found()
    last = client.get("/api/v1/search", params={"q": "checkout", "cursor": first["next"]}).json()
    assert "next" not in last


@pytest.mark.parametrize(
    "asked", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"cursor": "x"}, {"q": "x" * 501}]
)
def test_the_api_refuses_what_it_cannot_read(enter: Enter, asked: dict[str, str]) -> None:
    answer = enter(token="viewer-token").get("/api/v1/search", params=asked)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
