"""Facts in: one, many, bad ones among good ones, scopes, and how far to wait."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.facts.kinds import KINDS, from_outside
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.web import facts
from deploytrail.web.numbers import base64
from tests.web import asgi
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse, Grant

PATH = "/api/v1/facts"
FACT = {"kind": "deployment.started", "deployment": "d", "service": "checkout", "environment": "staging"}
NDJSON = {"content-type": "application/x-ndjson"}


def line(**fields: Any) -> bytes:
    return msgspec.json.encode({**FACT, **fields})


def lines(answer: Any) -> list[dict[str, Any]]:
    """The answers of a request of many."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(each) for each in answer.text.splitlines()]


# One fact.


def test_one_fact_is_created_at_its_index(house: FakeHouse, enter: Enter) -> None:
    answer = enter(token="reporter-token").post(PATH, content=line())
    assert answer.status_code == 201
    assert answer.json() == {"index": 60, "leaf": base64(leaf_hash(house.log.bodies[60]))}
    assert answer.headers["Deploytrail-Index"] == "60"
    assert house.recorder.drafts[-1].source == "reporter-bot"
    assert house.recorder.drafts[-1].attribution == "unknown"


def test_a_repeat_is_200_and_another_content_is_a_conflict(enter: Enter) -> None:
    client = enter(token="reporter-token")
    first = client.post(PATH, content=line(id="a"))
    again = client.post(PATH, content=line(id="a"))
    other = client.post(PATH, content=line(id="a", version="2"))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json() == {**first.json(), "repeat": True}
    assert other.json()["code"] == "conflict"


def test_an_idempotency_key_is_the_id_of_a_fact_without_one(house: FakeHouse, enter: Enter) -> None:
    client = enter(token="reporter-token")
    key = {"idempotency-key": "run-7"}
    assert client.post(PATH, content=line(), headers=key).status_code == 201
    assert client.post(PATH, content=line(), headers=key).status_code == 200
    assert client.post(PATH, content=line(id="own"), headers=key).status_code == 201
    assert [draft.id for draft in house.recorder.drafts[-2:]] == ["run-7", "own"]
    assert client.post(PATH, content=line(), headers={"idempotency-key": "with space"}).status_code == 400


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not from_outside(kind)])
def test_the_houses_own_kinds_are_forbidden(house: FakeHouse, enter: Enter, kind: str) -> None:
    answer = enter(token="administrator-token").post(PATH, content=msgspec.json.encode({"kind": kind}))
    assert answer.status_code == 403
    assert len(house.log.bodies) == 60


BAD = [
    (b"", "bad-input"),
    (b"   ", "bad-input"),
    (b"null", "bad-input"),
    (b"[]", "bad-input"),
    (b'"text"', "bad-input"),
    (b"{", "bad-input"),
    (b'{"kind": "deployment.started"', "bad-input"),
    (b'{"kind": "deployment.started"}', "bad-input"),
    (b'{"kind": 1}', "bad-input"),
    (b'{"kind": "No Kind"}', "bad-input"),
    (b'{"kind": "x-a", "id": ""}', "bad-input"),
    (b'{"kind": "x-a", "occurred_at": "yesterday"}', "bad-input"),
    (b'{"kind": "x-a", "labels": []}', "bad-input"),
    (b'{"kind": "x-a", "actor": {"id": "s_ada"}}', "bad-input"),
    (b'{"kind": "x-a", "data": "\xff"}', "bad-input"),
    (b'{"kind": "x-a", "data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "bad-input"),
    (b'\xef\xbb\xbf{"kind": "x-a"}', "bad-input"),
    (b"\x00" * 20, "bad-input"),
    (b'{"kind": "session.started"}', "forbidden"),
    (b'{"kind": "later.kind"}', "forbidden"),
    (b'{"kind": "x-a", "data": "' + b"x" * told.MAX_TOLD + b'"}', "too-large"),
]


@pytest.mark.parametrize(("bad", "code"), BAD)
def test_a_bad_fact_is_refused_with_words(house: FakeHouse, enter: Enter, bad: bytes, code: str) -> None:
    answer = enter(token="reporter-token").post(PATH, content=bad)
    assert answer.json()["code"] == code
    assert len(answer.json()["detail"]) > 20
    assert len(house.log.bodies) == 60


def test_100000_keys_in_one_fact(enter: Enter) -> None:
    many = msgspec.json.encode({**FACT, **{f"k{n}": 1 for n in range(100_000)}})
    assert enter(token="reporter-token").post(PATH, content=many).json()["code"] == "too-large"
    some = msgspec.json.encode({**FACT, **{f"k{n}": 1 for n in range(20_000)}})
    assert enter(token="reporter-token").post(PATH, content=some).status_code == 201


# How far to wait.


@pytest.mark.parametrize("wait", ["durable", "signed", "projected"])
def test_waiting(house: FakeHouse, enter: Enter, wait: str) -> None:
    house.ask.size = 61
    answer = enter(token="reporter-token").post(f"{PATH}?wait={wait}", content=line())
    assert answer.status_code == 201
    assert answer.json().get("reached") == (None if wait == "durable" else wait)


def test_waiting_in_vain_says_how_far_it_came(
    house: FakeHouse, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "PATIENCE", 0.05)
    answer = enter(token="reporter-token").post(f"{PATH}?wait=projected", content=line())
    assert answer.status_code == 201
    assert answer.json()["reached"] == "durable"


def test_witnesses_are_not_promised(house: FakeHouse, enter: Enter) -> None:
    answer = enter(token="reporter-token").post(f"{PATH}?wait=witnessed", content=line())
    assert answer.status_code == 400
    assert "No witness is configured" in answer.json()["detail"]
    assert enter(token="reporter-token").post(f"{PATH}?wait=forever", content=line()).status_code == 400
    assert len(house.log.bodies) == 60


# Scopes.


def scoped(house: FakeHouse, **scope: list[str]) -> None:
    house.administer.tokens["scoped"] = Grant(id="9", role="reporter", name="scoped-bot", **scope)


@pytest.mark.parametrize(
    ("scope", "fact", "status"),
    [
        ({"kinds": ["deployment.started"]}, line(), 201),
        ({"kinds": ["deployment.finished"]}, line(), 403),
        ({"services": ["checkout"]}, line(), 201),
        ({"services": ["ledger-api"]}, line(), 403),
        ({"services": ["checkout"]}, b'{"kind": "x-a"}', 403),
        ({"services": ["checkout"]}, b'{"kind": "x-a", "service": "checkout"}', 201),
        ({"environments": ["staging"]}, line(), 201),
        ({"environments": ["production-eu"]}, line(), 403),
        ({"environments": ["staging"], "services": ["ledger-api"]}, line(), 403),
        (
            {"services": ["checkout"]},
            b'{"kind": "environment.snapshot", "environment": "staging", '
            b'"running": [{"service": "checkout"}, {"service": "ledger-api"}]}',
            403,
        ),
        (
            {"services": ["checkout"]},
            b'{"kind": "environment.snapshot", "environment": "staging", '
            b'"running": [{"service": "checkout"}]}',
            201,
        ),
    ],
)
def test_a_token_reaches_as_far_as_its_scope(
    house: FakeHouse, enter: Enter, scope: dict[str, list[str]], fact: bytes, status: int
) -> None:
    scoped(house, **scope)
    answer = enter(token="scoped").post(PATH, content=fact)
    assert answer.status_code == status
    assert len(house.log.bodies) == 60 + (status == 201)


def test_a_scope_holds_for_each_line(house: FakeHouse, enter: Enter) -> None:
    scoped(house, services=["checkout"])
    body = b"\n".join([line(), line(service="ledger-api"), line()])
    found = lines(enter(token="scoped").post(PATH, content=body, headers=NDJSON))
    assert [each.get("code") for each in found] == [None, "forbidden", None]


# Many facts.


def test_each_line_is_answered_in_order(house: FakeHouse, enter: Enter) -> None:
    body = b"".join(line(deployment=f"d{n}") + b"\n" for n in range(1234))
    found = lines(enter(token="reporter-token").post(PATH, content=body, headers=NDJSON))
    assert [each["index"] for each in found] == list(range(60, 60 + 1234))
    assert [each["leaf"] for each in found] == [base64(leaf_hash(b)) for b in house.log.bodies[60:]]


def test_bad_lines_harm_no_other(house: FakeHouse, enter: Enter) -> None:
    body = b"\n".join(each for bad, _ in BAD if b"\n" not in bad for each in (bad, line()))
    found = lines(enter(token="reporter-token").post(PATH, content=body, headers=NDJSON))
    assert [each.get("code") for each in found] == [each for _, code in BAD for each in (code, None)]
    assert [each["line"] for each in found if "code" in each] == list(range(1, 2 * len(BAD), 2))
    assert len(house.log.bodies) == 60 + len(BAD)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_line_ends(enter: Enter, ending: bytes) -> None:
    middle = ending or b"\n"
    body = line() + middle + line() + ending
    found = lines(enter(token="reporter-token").post(PATH, content=body, headers=NDJSON))
    assert [each["index"] for each in found] == [60, 61]


def test_nothing_at_all(enter: Enter) -> None:
    assert lines(enter(token="reporter-token").post(PATH, content=b"", headers=NDJSON)) == []


def test_repeats_and_conflicts_among_lines(enter: Enter) -> None:
    body = b"\n".join([line(id="a"), line(id="a"), line(id="a", version="2"), line(id="b")])
    found = lines(enter(token="reporter-token").post(PATH, content=body, headers=NDJSON))
    assert found[1] == {**found[0], "repeat": True}
    assert found[2]["code"] == "conflict"
    assert found[3]["index"] == 61


def test_the_same_request_again_with_an_idempotency_key(house: FakeHouse, enter: Enter) -> None:
    client = enter(token="reporter-token")
    body = b"\n".join([line(), b"bad", line(id="own")])
    headers = {**NDJSON, "idempotency-key": "batch-1"}
    first = lines(client.post(PATH, content=body, headers=headers))
    again = lines(client.post(PATH, content=body, headers=headers))
    assert len(house.log.bodies) == 62
    assert [each.get("index") for each in first] == [each.get("index") for each in again] == [60, None, 61]


def test_lines_cut_across_chunks(enter: Enter) -> None:
    body = b"\n".join(line(deployment=f"d{n}") for n in range(40))

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    assert len(lines(enter(token="reporter-token").post(PATH, content=chunks(), headers=NDJSON))) == 40


def test_an_endless_line_costs_one_answer(enter: Enter) -> None:
    def chunks() -> Iterator[bytes]:
        yield line() + b"\n"
        for _ in range(64):
            yield b"x" * 65_536
        yield b"\n" + line()

    found = lines(enter(token="reporter-token").post(PATH, content=chunks(), headers=NDJSON))
    assert [each.get("code") for each in found] == [None, "too-large", None]


def test_100000_lines_are_taken_and_the_next_is_not(house: FakeHouse, enter: Enter) -> None:
    client = enter(token="reporter-token")
    few = b"x\n"
    found = lines(client.post(PATH, content=few * facts.MAX_LINES, headers=NDJSON))
    assert len(found) == facts.MAX_LINES
    assert found[-1]["line"] == facts.MAX_LINES
    body = few * (facts.MAX_LINES - 1) + line() + b"\n" + line()
    answer = client.post(PATH, content=body, headers=NDJSON)
    assert answer.status_code == 413
    assert "The first 100,000 lines were taken in" in answer.json()["detail"]
    assert len(house.log.bodies) == 61


def test_64_mib_and_no_more(house: FakeHouse, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_BYTES", 2**20)
    client = enter(token="reporter-token")
    answer = client.post(PATH, content=b" " * (2**20 + 1), headers=NDJSON)
    assert answer.status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield line() + b"\n" + b" " * 65_536 + b"\n"

    answer = client.post(PATH, content=chunks(), headers=NDJSON)
    assert answer.status_code == 413
    assert 60 < len(house.log.bodies) < 100


def test_memory_stays_bounded(enter: Enter) -> None:
    """32 MiB of long lines go by without ever being held together."""
    app = enter().app
    headers = {**NDJSON, "authorization": "Bearer reporter-token"}
    long_line = b'"' + b"x" * 200_000 + b'"\n'

    def chunks() -> Iterator[bytes]:
        for _ in range(32 * 2**20 // len(long_line)):
            yield long_line

    tracemalloc.start()
    _, answer = asyncio.run(asgi.send(app, "POST", PATH, headers, chunks()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {json.loads(each)["code"] for each in answer.splitlines()} == {"bad-input"}
    assert peak < 12 * 2**20


def test_a_house_that_cannot_record_answers_each_line(house: FakeHouse, enter: Enter) -> None:
    house.recorder.failing = Refused("unavailable", "The disk is full. Nothing was recorded.")
    found = lines(enter(token="reporter-token").post(PATH, content=line() + b"\n" + line(), headers=NDJSON))
    assert [each["status"] for each in found] == [503, 503]
    answer = enter(token="reporter-token").post(PATH, content=line())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
