"""Deliveries in: raw bytes, sizes, and what each outcome is answered with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploytrail.errors import Refused
from deploytrail.web import body, hooks
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse

GOOD = {"x-signature": "good"}
PATH = "/hooks/github-main"


def test_the_raw_bytes_and_lower_case_headers_are_handed_on(house: FakeHouse, enter: Enter) -> None:
    raw = b'\xef\xbb\xbf{"a": 1 }\r\n\xff'
    answer = enter().post(PATH, content=raw, headers={**GOOD, "X-GitHub-Event": "push"})
    assert answer.status_code == 202
    assert answer.json() == {"status": "recorded", "entries": [1]}
    assert house.receiver.bodies == [raw]
    assert house.receiver.headers["x-github-event"] == "push"


def test_set_aside_is_accepted_and_a_repeat_is_200(enter: Enter) -> None:
    client = enter()
    first = client.post(PATH, content=b"odd", headers=GOOD)
    assert (first.status_code, first.json()["status"]) == (202, "set_aside")
    again = client.post(PATH, content=b"odd", headers=GOOD)
    assert (again.status_code, again.json()["status"]) == (200, "repeat")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (PATH, {}, 401, "unauthenticated"),
        (PATH, {"x-signature": "bad"}, 401, "unauthenticated"),
        ("/hooks/nobody", GOOD, 404, "not-found"),
    ],
)
def test_what_is_not_authentic_is_not_kept(
    house: FakeHouse, enter: Enter, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = enter().post(path, content=b"{}", headers=headers)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert house.receiver.bodies == []


def test_a_full_house_tells_when_to_come_again(house: FakeHouse, enter: Enter) -> None:
    def busy(*_: object) -> None:
        raise Refused("busy", "Come again.")

    house.receiver.receive = busy  # type: ignore[assignment,method-assign]
    answer = enter().post(PATH, content=b"{}", headers=GOOD)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"


def test_25_mib_are_taken_and_one_byte_more_is_not(house: FakeHouse, enter: Enter) -> None:
    client = enter()
    assert client.post(PATH, content=b"x" * hooks.LIMIT, headers=GOOD).status_code == 202
    answer = client.post(PATH, content=b"x" * (hooks.LIMIT + 1), headers=GOOD)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"
    assert len(house.receiver.bodies) == 1


def test_26_mib_without_an_announced_length(house: FakeHouse, enter: Enter) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(26):
            yield b"x" * 2**20

    answer = enter().post(PATH, content=chunks(), headers=GOOD)
    assert answer.status_code == 413
    assert house.receiver.bodies == []


def test_an_endless_body_is_left_alone_after_a_while(monkeypatch: pytest.MonkeyPatch, enter: Enter) -> None:
    monkeypatch.setattr(body, "_PATIENCE", 2**20)
    sent = []

    def chunks() -> Iterator[bytes]:
        for n in range(64):
            sent.append(n)
            yield b"x" * 2**20

    assert enter().post(PATH, content=chunks(), headers=GOOD).status_code == 413


def test_an_announced_length_that_lies_is_found_out(house: FakeHouse, enter: Enter) -> None:
    answer = enter().post(PATH, content=b"{}", headers={**GOOD, "content-length": str(26 * 2**20)})
    assert answer.status_code == 413
    assert house.receiver.bodies == []
