"""Reading bodies: limits of size, of time, and of all senders together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request

from deploytrail.errors import Refused
from deploytrail.web import body
from deploytrail.web.body import Room


def request(chunks: Sequence[bytes], pause: float = 0.0) -> Request:
    """A request whose body comes in these chunks, each after a pause."""
    left = list(chunks)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause)
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    return Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)


def test_who_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.05)
    room = Room(100)
    with pytest.raises(Refused, match="must arrive within") as caught:
        asyncio.run(body.read(request([b"one"] * 50, pause=0.01), 1000, "A delivery", room))
    assert caught.value.code == "bad-input"
    assert room.take(100), "what was taken is free again"


def test_all_senders_together_have_so_much_room() -> None:
    room = Room(10)

    async def both() -> list[bytes | BaseException]:
        return await asyncio.gather(
            body.read(request([b"1234", b"5678"], pause=0.01), 100, "A delivery", room),
            body.read(request([b"abcd", b"efgh"], pause=0.05), 100, "A delivery", room),
            return_exceptions=True,
        )

    first, second = asyncio.run(both())
    assert first == b"12345678"
    # By then the first had come in whole, and its room was free again.
    assert second == b"abcdefgh"
    with pytest.raises(Refused, match="Send it again") as caught:
        asyncio.run(body.read(request([b"12345678", b"9abc"]), 100, "A delivery", room))
    assert caught.value.code == "busy"
    assert room.take(10), "what was taken is free again"


def test_what_is_too_large_takes_no_room() -> None:
    room = Room(10)
    with pytest.raises(Refused, match="may have 4 bytes"):
        asyncio.run(body.read(request([b"12", b"345678", b"9" * 100]), 4, "A delivery", room))
    assert room.take(10)
