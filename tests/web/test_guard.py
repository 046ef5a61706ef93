"""Hosts, origins, headers, and what happens when something breaks."""

from __future__ import annotations

import re

import pytest

from deploytrail.errors import CODES, Refused
from deploytrail.web.guard import HEADERS
from tests.web import cast
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.reading import Page

PAGES = (
    "/",
    "/?service=none",
    "/environments",
    "/log",
    "/attention",
    "/entries/3",
    "/deployments/40",
    "/sign-in",
)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8420", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8420", 200),
        ("[::1]:8420", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost:8420.evil.example", 421),
        ("evil.example:80", 421),
        ("", 400),
        ("local host", 400),
        ("localhost/x", 400),
        ("user@localhost", 400),
    ],
)
def test_the_host_header(enter: Enter, host: str, status: int) -> None:
    assert enter().get("/healthz", headers={"host": host}).status_code == status


def test_only_the_ports_that_are_named(enter: Enter) -> None:
    client = enter(allowed_hosts=frozenset({"trail.example.org:8443"}))
    assert client.get("/healthz", headers={"host": "trail.example.org:8443"}).status_code == 200
    assert client.get("/healthz", headers={"host": "trail.example.org"}).status_code == 421


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/environments", "/healthz", "/nothing", "/log/checkpoint"])
def test_every_answer_has_the_headers(enter: Enter, path: str) -> None:
    for client in (enter("viewer"), enter()):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_anything_inline(house: FakeHouse, enter: Enter, path: str) -> None:
    house.demo = True
    house.readonly = "the disk is full"
    page = Page(enter("administrator").get(path, headers={"accept": "text/html"}).text)
    assert page.inline == []
    assert page.left_open == []
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({"origin": "http://localhost"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "https://localhost"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_forms_are_taken_from_our_own_pages_only(
    house: FakeHouse, enter: Enter, headers: dict[str, str], status: int
) -> None:
    client = enter("administrator")
    for path in ("/deployments/40/separate", "/theme", "/sign-out"):
        answer = client.post(path, content=b"index=46&theme=dark", headers=headers)
        assert answer.status_code == status
    assert bool(house.administer.done) == (status == 303)
    assert ("administrator" in house.administer.sessions) == (status == 403)


def test_a_token_needs_no_page(house: FakeHouse, enter: Enter) -> None:
    answer = enter(token="administrator-token").post("/deployments/40/separate", content=b"index=46")
    assert answer.status_code == 303
    assert house.administer.done == [("separate", house.administer.tokens["administrator-token"], "40", 46)]


def test_signing_in_from_elsewhere_is_refused_too(house: FakeHouse, enter: Enter) -> None:
    house.administer.links.add("L")
    answer = enter().post("/sign-in", content=b"link=L", headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert house.administer.links == {"L"}


def test_the_api_with_a_cookie_needs_our_own_page_but_a_token_does_not(enter: Enter) -> None:
    body = b'{"kind": "x-test"}'
    assert enter("administrator").post("/api/v1/facts", content=body).status_code == 403
    assert enter(token="reporter-token").post("/api/v1/facts", content=body).status_code == 201


@pytest.mark.parametrize("code", CODES)
def test_every_refusal_has_an_answer_for_machines_and_for_people(
    house: FakeHouse, enter: Enter, code: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Refused(code, "Because <b>the test</b> says so.")

    house.ask.environments = refuse  # type: ignore[assignment]
    house.ask.trail = refuse  # type: ignore[assignment]
    client = enter("viewer")
    answer = client.get("/api/v1/trail")
    assert answer.status_code == CODES[code].http
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"/api/docs#{code}",
        "title": CODES[code].title,
        "status": CODES[code].http,
        "code": code,
        "detail": "Because <b>the test</b> says so.",
    }
    assert ("retry-after" in answer.headers) == (code in ("busy", "unavailable"))
    page = client.get("/environments", headers={"accept": "text/html"})
    assert page.status_code == CODES[code].http
    assert "Because &lt;b&gt;the test&lt;/b&gt; says so." in page.text
    assert f"<h1>{CODES[code].title}</h1>" in page.text


def test_what_breaks_is_a_calm_answer_without_details(
    house: FakeHouse, enter: Enter, caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> None:
        raise RuntimeError("secret detail")

    house.ask.environments = crash  # type: ignore[assignment]
    answer = enter("viewer").get("/environments")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert "GET /environments broke" in caplog.text


def test_a_broken_state_of_the_log_does_not_take_the_page_with_it(house: FakeHouse, enter: Enter) -> None:
    def refuse() -> None:
        raise Refused("unavailable", "the database is away")

    house.ask.log = refuse  # type: ignore[assignment]
    answer = enter("viewer").get("/environments")
    assert answer.status_code == 200
    assert "Log is whole" not in answer.text


def test_api_answers_say_up_to_which_entry_they_know(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    assert client.get("/api/v1/environments").headers["Deploytrail-Index"] == "47"
    assert client.get("/api/v1/deployments/none").headers["Deploytrail-Index"] == "47"
    assert client.get("/api/v1/nothing").headers["Deploytrail-Index"] == "47"
    house.ask.rows.append(cast.row(48, "log.opened"))
    assert client.get("/api/v1/environments?at_least=48").headers["Deploytrail-Index"] == "48"
    assert client.get("/api/v1/environments?at_least=x").status_code == 400


def test_waiting_for_an_entry_ends(house: FakeHouse, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploytrail.web.guard.PATIENCE", 0.05)
    client = enter("viewer")
    answer = client.get("/api/v1/environments?at_least=55")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "the newest they know is 47" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/search", "/api/v1/search"])
def test_a_search_waits_for_its_own_index_too(
    house: FakeHouse, enter: Enter, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("deploytrail.web.guard.PATIENCE", 0.05)
    client = enter("viewer")
    house.ask.can_find = 40
    assert client.get(f"{path}?q=till&at_least=39").status_code == 200
    answer = client.get(f"{path}?q=till&at_least=40")
    assert answer.status_code == 503
    assert "the newest they know is 39" in answer.text
    # Whoever asks for something else need not wait.
    assert client.get("/api/v1/environments?at_least=40").status_code == 200
    assert client.get("/api/v1/search?q=till").headers["Deploytrail-Index"] == "39"

    looks = iter((40, 40, 41))
    monkeypatch.setattr("deploytrail.web.guard.PATIENCE", 10.0)
    monkeypatch.setattr(house.ask, "searched", lambda: next(looks))
    assert client.get(f"{path}?q=till&at_least=40").status_code == 200


def test_an_entry_that_there_is_not_is_not_waited_for(enter: Enter) -> None:
    answer = enter("viewer").get("/api/v1/environments?at_least=60")
    assert answer.status_code == 404
    assert "no entry 60 yet; its newest is 59" in answer.json()["detail"]


def test_forms_are_bounded(enter: Enter) -> None:
    client = enter()
    own = {"sec-fetch-site": "same-origin"}
    assert client.post("/theme", content=b"x" * 70_000, headers=own).status_code == 413
    assert client.post("/theme", content=b"&".join([b"a=1"] * 60), headers=own).status_code == 400
    assert client.post("/theme", content=b"\xff=\xff", headers=own).status_code == 400


def test_metrics_count_answers_by_pattern_never_by_address(enter: Enter) -> None:
    client = enter("viewer")
    client.get("/entries/3")
    client.get("/some/secret-looking-path")
    text = client.get("/metrics").text
    assert 'deploytrail_http_answers_total{method="GET",path="/entries/{index}",status="200"} 1' in text
    assert 'path="(none)",status="404"' in text
    assert "secret-looking" not in text
    assert "deploytrail_log_entries 60" in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \S+ .+|\w+(\{[^}]*\})? -?\d+|\w+\{.*\} -?\d+", line), line


def test_readiness_says_why_not(house: FakeHouse, enter: Enter) -> None:
    assert enter().get("/readyz").status_code == 200
    house.recorder.closed = "the disk failed"
    answer = enter().get("/readyz")
    assert answer.status_code == 503
    assert "the disk failed" in answer.text
    assert enter().get("/healthz").status_code == 200
