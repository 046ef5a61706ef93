"""Limits at the door: what is refused before its body is read, who is slowed down, and who never is."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from deploytrail.app.capacity import Quotas
from deploytrail.app.limits import BURST_S, Rates
from deploytrail.web import body, facts, patient
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.sockets import Open, ended, heard, opened, status

GOOD = {"x-signature": "good"}
ONE = Rates(deliveries=1, facts=1, bytes=2**20, requests=1, attempts=1)
FACT = b'{"kind":"x-canary.moved"}'


@pytest.fixture
def door(house: FakeHouse) -> Iterator[Open]:
    """The house of the sketch at a real door; one sender may have 1 MiB under way, one address half of it."""
    settings = WebSettings(public_url="http://localhost", upload_room=4 * 2**20)
    with opened(site(house, settings)) as made:
        yield made


# Rates.


def test_a_source_that_sends_too_much_is_told_when_to_come_again(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    client = enter()
    answers = [client.post("/hooks/github-main", content=b"%d" % n, headers=GOOD) for n in range(BURST_S + 1)]
    assert [each.status_code for each in answers] == [202] * BURST_S + [429]
    late = answers[-1]
    assert late.headers["retry-after"] == "1"
    assert late.json()["code"] == "busy"
    assert "The source github-main sent more than 1 deliveries a second" in late.json()["detail"]
    house.clock.at += 1000
    again = client.post("/hooks/github-main", content=b"%d" % BURST_S, headers=GOOD)
    assert again.status_code == 202, "nothing is lost: it is sent again"


def test_what_nobody_signed_takes_nothing_from_the_source(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    client = enter()
    statuses = [client.post("/hooks/github-main", content=b"bad").status_code for _ in range(BURST_S + 5)]
    assert statuses == [401] * BURST_S + [429] * 5
    good = client.post("/hooks/github-main", content=b"good", headers=GOOD)
    assert good.status_code == 202, "not even from the same address"


def test_unknown_sources_bad_tokens_and_used_links_count_as_attempts(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    client = enter(token="nobody's")
    own = {"sec-fetch-site": "same-origin"}
    for _ in range(BURST_S // 4):
        assert client.post("/hooks/other", content=b"x").status_code == 404
        assert client.post("/api/v1/facts", content=FACT).status_code == 401
        assert client.get("/api/v1/environments").status_code == 401
        assert client.post("/sign-in", data={"link": "guess"}, headers=own).status_code == 401
    assert client.post("/hooks/other", content=b"x").status_code == 429
    assert client.post("/api/v1/facts", content=FACT).status_code == 429
    assert client.post("/sign-in", data={"link": "guess"}, headers=own).status_code == 429
    assert enter(token="reporter-token").post("/api/v1/facts", content=FACT).status_code == 201
    house.administer.links.add("good")
    assert client.post("/sign-in", data={"link": "good"}, headers=own).status_code == 303


def test_nobody_without_a_token_is_counted_for_looking(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    client = enter()
    statuses = {client.get("/api/v1/environments").status_code for _ in range(BURST_S + 5)}
    assert statuses == {401}


def test_a_token_that_tells_too_much(house: FakeHouse, enter: Enter) -> None:
    house.allow(Rates(facts=2))
    client = enter(token="reporter-token")
    lines = b"\n".join([FACT] * 41)
    many = {"content-type": "application/x-ndjson"}
    # A batch is taken whole, and paid for afterwards.
    assert client.post("/api/v1/facts", content=lines, headers=many).status_code == 200
    late = client.post("/api/v1/facts", content=FACT)
    assert late.status_code == 429
    assert "The token reporter-bot sent more than 2 facts a second" in late.json()["detail"]
    assert enter(token="administrator-token").post("/api/v1/facts", content=FACT).status_code == 201
    house.clock.at += int(late.headers["retry-after"]) * 1000
    assert client.post("/api/v1/facts", content=FACT).status_code == 201


def test_bytes_are_counted_too(house: FakeHouse, enter: Enter) -> None:
    house.allow(Rates(bytes=1000))
    client = enter(token="reporter-token")
    long = b'{"kind":"x-canary.moved","note":"' + b"x" * 21_000 + b'"}'
    assert client.post("/api/v1/facts", content=long).status_code == 201
    assert "bytes a second" in client.post("/api/v1/facts", content=FACT).json()["detail"]
    assert enter().post("/hooks/github-main", content=b"y" * 21_000, headers=GOOD).status_code == 202
    late = enter().post("/hooks/github-main", content=b"z", headers=GOOD)
    assert (late.status_code, late.headers["retry-after"]) == (429, "2")


def test_readers_have_a_limit_of_their_own(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    for client in (enter("viewer"), enter(token="viewer-token")):
        statuses = [client.get("/api/v1/environments").status_code for _ in range(BURST_S + 1)]
        assert statuses == [200] * BURST_S + [429]
        assert client.get("/healthz").status_code == 200
        assert client.get("/log/checkpoint").status_code == 200
    page = enter("viewer").get("/", headers={"accept": "text/html"})
    assert page.status_code == 429
    assert page.headers["retry-after"] == "1"
    assert "You sent more than 1 requests a second" in page.text


def test_a_full_disk_is_said_before_the_body_is_read(house: FakeHouse, enter: Enter) -> None:
    house.disk.left = 5
    house.allow(quotas=Quotas(reserve=1000))
    for answer in (
        enter().post("/hooks/github-main", content=b"{}", headers=GOOD),
        enter(token="reporter-token").post("/api/v1/facts", content=FACT),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert "disk-reserve" in answer.json()["detail"]
    assert "disk-reserve" in enter().get("/readyz").text
    assert enter("viewer").get("/").status_code == 200


# Bodies, over real connections.


def test_an_unknown_source_is_answered_before_its_body(door: Open) -> None:
    one = door.begin("/hooks/nowhere", "Content-Length: 26000000")
    assert status(one) == 404


def test_a_bad_token_is_answered_before_its_body(door: Open) -> None:
    for media in ("application/json", "application/x-ndjson"):
        one = door.begin(
            "/api/v1/facts",
            "Authorization: Bearer guess",
            f"Content-Type: {media}",
            "Transfer-Encoding: chunked",
        )
        assert status(one) == 401
    expecting = ("Expect: 100-continue", "Content-Length: 9")
    one = door.begin("/api/v1/facts", "Authorization: Bearer guess", *expecting)
    assert status(one) == 401, "nobody is asked to go on"


def test_one_address_cannot_use_up_what_a_source_may_have_on_its_way(door: Open, house: FakeHouse) -> None:
    half = 2**19
    held = door.begin("/hooks/github-main", "Content-Length: 600000", sender="192.0.2.7")
    held.sendall(b"x" * (half - 10))
    # The first has to have come in.
    for _ in range(200):
        one = door.begin("/hooks/github-main", "Content-Length: 100", sender="192.0.2.7")
        one.sendall(b"y" * 100)
        if status(one) == 429:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("one address may have all")
    real = door.begin("/hooks/github-main", "Content-Length: 100", "X-Signature: good", sender="192.0.2.8")
    real.sendall(b"z" * 100)
    assert status(real) == 202
    held.sendall(b"x" * (600_000 - half + 10))
    assert status(held) == 429
    again = door.begin("/hooks/github-main", "Content-Length: 100", "X-Signature: good", sender="192.0.2.7")
    again.sendall(b"w" * 100)
    assert status(again) == 202, "what was held is free again"


def test_a_slow_body_ends(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.3)
    one = door.begin("/hooks/github-main", "Content-Length: 100")
    one.sendall(b"x")
    assert status(one) == 400


def test_many_facts_whose_rest_does_not_come(
    door: Open, house: FakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.3)
    monkeypatch.setattr(facts, "_HELD", 2**16)
    before = len(house.log.bodies)
    one = door.begin(
        "/api/v1/facts",
        "Authorization: Bearer reporter-token",
        "Content-Type: application/x-ndjson",
        "Transfer-Encoding: chunked",
    )
    line = FACT + b"\n"
    one.sendall(b"%x\r\n%s\r\n" % (len(line), line))
    text = heard(one)
    assert " 400 " in text
    assert len(house.log.bodies) == before + 1, "what had come is recorded, and said to be"


def test_a_body_without_end_has_one(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "REST", 2**20)
    one = door.begin("/hooks/nowhere", "Transfer-Encoding: chunked")
    assert status(one) == 404
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with pytest.raises(ConnectionError):
        one.sendall(chunk * 10_000)


def test_a_body_that_drips_after_its_answer_ends(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "REST_S", 0.3)
    one = door.begin("/hooks/nowhere", "Content-Length: 1000000")
    assert status(one) == 404
    assert ended(one)


def test_who_says_nothing_is_not_waited_for(house: FakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "HEAD_S", 0.3)
    with opened(site(house, WebSettings(public_url="http://localhost"))) as door:
        silent = door.connect()
        slow = door.connect()
        slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        again = door.connect()
        again.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHo")
        assert status(again) == 200
        assert ended(silent)
        assert ended(slow)
        assert ended(again)


def test_an_honest_sender_of_too_much_hears_the_answer_and_may_send_more(door: Open) -> None:
    one = door.begin("/hooks/nowhere", "Content-Length: 3000000")
    one.sendall(b"x" * 3_000_000)
    assert status(one) == 404
    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status(one) == 200


def test_many_who_send_slowly_hold_up_nobody(door: Open) -> None:
    many = [
        door.begin("/hooks/github-main", "Content-Length: 1000", sender=f"192.0.2.{n}") for n in range(100)
    ]
    for one in many:
        one.sendall(b"x" * 500)
    real = door.begin("/hooks/github-main", "Content-Length: 100", "X-Signature: good")
    real.sendall(b"z" * 100)
    assert status(real) == 202
