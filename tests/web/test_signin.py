"""Signing in with a one-time link, what the cookie is like, and signing out."""

from __future__ import annotations

from threading import Timer

import pytest

from deploytrail.web import guard
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.reading import Page

OWN = {"sec-fetch-site": "same-origin"}


def test_looking_at_the_link_uses_nothing_up(house: FakeHouse, enter: Enter) -> None:
    house.administer.links.add("L")
    answer = enter().get("/sign-in?link=L")
    assert answer.status_code == 200
    assert "L" in Page(answer.text).values["value"]
    assert house.administer.links == {"L"}


def test_using_it_begins_a_session(house: FakeHouse, enter: Enter) -> None:
    house.administer.links.add("L")
    client = enter()
    answer = client.post("/sign-in", content=b"link=L&name=+ada+", headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    for part in ("deploytrail=fresh", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=3600"):
        assert part in cookie
    assert "Secure" not in cookie
    assert house.administer.sessions["fresh"].name == "ada"
    assert client.get("/").status_code == 200


def test_the_page_that_comes_next_knows_of_the_signing_in(
    house: FakeHouse, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.administer.links.add("L")
    client = enter()
    monkeypatch.setattr(guard, "_GLANCE", 60.0)
    follower = Timer(0.3, lambda: setattr(house.ask, "size", house.log.head().size))
    follower.start()
    client.post("/sign-in", content=b"link=L", headers=OWN)
    assert house.ask.projected() == house.log.head().size
    follower.join()


def test_views_that_stay_behind_keep_nobody_out(house: FakeHouse, enter: Enter) -> None:
    house.administer.links.add("L")
    assert enter().post("/sign-in", content=b"link=L", headers=OWN).status_code == 303
    assert house.ask.projected() < house.log.head().size


def test_over_https_the_cookie_is_bound_to_the_host(house: FakeHouse, enter: Enter) -> None:
    house.administer.links.add("L")
    client = enter(public_url="https://localhost")
    answer = client.post("/sign-in", content=b"link=L", headers=OWN)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-deploytrail=fresh")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert house.administer.sessions["fresh"].name is None


@pytest.mark.parametrize("link", ["", "used", "x" * 5000])
def test_a_link_that_is_over_says_how_to_get_another(enter: Enter, link: str) -> None:
    answer = enter().post("/sign-in", content=f"link={link}".encode(), headers={**OWN, "accept": "text/html"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This link was used before" in answer.text


def test_without_a_link_the_page_says_how_to_get_one(enter: Enter) -> None:
    answer = enter().get("/sign-in")
    assert "deploytrail admin link" in answer.text
    assert Page(answer.text).inline == []


def test_nobody_is_told_how_to_sign_in_and_sees_nothing_else(enter: Enter) -> None:
    answer = enter().get("/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "Nobody is signed in" in answer.text
    assert "checkout" not in answer.text
    assert "Log is whole" not in answer.text
    assert 'aria-label="Main"' not in answer.text


def test_signing_out_ends_it_here_and_there(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    answer = client.post("/sign-out", headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "viewer" not in house.administer.sessions
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    ("back", "goes"),
    [
        ("/log?x=1", "/log?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_the_theme_is_kept_and_nobody_is_sent_elsewhere(enter: Enter, back: str, goes: str) -> None:
    client = enter()
    answer = client.request("POST", "/theme", data={"theme": "dark", "back": back}, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, goes)
    assert "theme=dark" in answer.headers["set-cookie"]
    assert 'data-theme="dark"' in client.get("/sign-in").text
    client.request("POST", "/theme", data={"theme": "system"}, headers=OWN)
    assert "data-theme" not in client.get("/sign-in").text


def test_a_theme_that_does_not_exist_is_not_kept(enter: Enter) -> None:
    client = enter()
    answer = client.request("POST", "/theme", data={"theme": '"><script>'}, headers=OWN)
    assert "set-cookie" not in answer.headers
    client.cookies.set("theme", "sepia")
    assert "sepia" not in client.get("/sign-in").text
