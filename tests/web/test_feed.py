"""The trail as an Atom feed: whole XML, stable ids, hostile texts, who may read it, and what is unchanged."""

from __future__ import annotations

from base64 import b64encode
from xml.etree import ElementTree

import pytest

from tests.web import cast
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse

ATOM = "{http://www.w3.org/2005/Atom}"


def feed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def test_the_feed_has_the_lines_of_the_trail(house: FakeHouse, enter: Enter) -> None:
    answer = enter("viewer").get("/trail.atom?service=checkout")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    root = feed(answer.text)
    assert root.find(f"{ATOM}updated") is not None
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {
        "self": "http://localhost/trail.atom?service=checkout",
        "alternate": "http://localhost/?service=checkout",
    }
    entries = root.findall(f"{ATOM}entry")
    expected = [row for row in house.ask.rows if row.service == "checkout"]
    assert len(entries) == len(expected) > 1
    titles = [entry.findtext(f"{ATOM}title", "") for entry in entries]
    assert any(title.replace("⁨", "").replace("⁩", "").startswith("ada deployed") for title in titles)
    for entry in entries:
        assert entry.findtext(f"{ATOM}updated", "").endswith("Z")
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert (link.get("href") or "").startswith("http://localhost/entries/")


def test_ids_are_the_same_for_ever_and_differ(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    ids = [e.text for e in feed(client.get("/trail.atom").text).iter(f"{ATOM}id")]
    assert len(ids) == len(set(ids)) > 5
    assert all((one or "").startswith("urn:uuid:") for one in ids)
    # Written down: nobody may change how they are made.
    house.ask.rows = [cast.deployed(47)]
    again = [e.text for e in feed(client.get("/trail.atom").text).iter(f"{ATOM}id")]
    assert again[1] in ids
    filtered = [e.text for e in feed(client.get("/trail.atom?service=checkout").text).iter(f"{ATOM}id")]
    assert filtered[0] != again[0]
    assert filtered[1] == again[1]


def test_hostile_texts_stay_texts(house: FakeHouse, enter: Enter) -> None:
    evil = "</title><script>alert(1)</script>\u202e\x00]]>&"
    house.ask.rows = [cast.deployed(47, service=evil, version=evil, environment=evil)]
    text = enter("viewer").get("/trail.atom").text
    titles = [e.findtext(f"{ATOM}title", "") for e in feed(text).findall(f"{ATOM}entry")]
    assert "<script>" not in text
    assert "\u202e" not in text
    assert "U+202E" in titles[0]
    assert titles[0].count("⁨") == titles[0].count("⁩") > 0


def test_who_has_it_hears_only_that(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    tag = client.get("/trail.atom").headers["etag"]
    same = client.get("/trail.atom", headers={"if-none-match": f'"other", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    house.ask.rows = [*house.ask.rows, cast.deployed(58)]
    assert client.get("/trail.atom", headers={"if-none-match": tag}).status_code == 200


def test_it_is_bounded(house: FakeHouse, enter: Enter) -> None:
    house.ask.rows = [cast.deployed(n) for n in range(300)]
    assert len(feed(enter("viewer").get("/trail.atom").text).findall(f"{ATOM}entry")) == 50


def test_an_empty_feed_is_one(house: FakeHouse, enter: Enter) -> None:
    house.ask.rows = []
    assert feed(enter("viewer").get("/trail.atom").text).findtext(f"{ATOM}updated") == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic("feed", "viewer-token"), 200),
        (basic("", "viewer-token"), 200),
        (basic("viewer-token", ""), 401),
        (basic("feed", "reporter-token"), 403),
        ({"authorization": "Basic %%%"}, 401),
        ({"authorization": "Basic /w=="}, 401),
        ({"authorization": "Bearer viewer-token"}, 200),
    ],
)
def test_who_may_read_it(enter: Enter, headers: dict[str, str], status: int) -> None:
    answer = enter().get("/trail.atom", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == 'Basic realm="deploytrail"'


def test_no_other_door_takes_a_password(enter: Enter) -> None:
    for path in ("/", "/api/v1/environments", "/people"):
        answer = enter().get(path, headers=basic("feed", "viewer-token"))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="deploytrail"')


def test_the_trail_says_where_its_feed_is(enter: Enter) -> None:
    html = enter("viewer").get("/?service=checkout").text
    assert (
        'type="application/atom+xml" title="This trail as a feed" href="/trail.atom?service=checkout"' in html
    )
