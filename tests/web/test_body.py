"""Reading bodies: limits of size, of time, and of all senders together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request

from deploytrail.errors import Refused
from deploytrail.web import body
from deploytrail.web.body import Room


def request(chunks: Sequence[bytes], pause: float = 0.0, gate: asyncio.Event | None = None) -> Request:
    """A request whose body comes in these chunks, each after a pause; the last once `gate` is open."""
    left = list(chunks)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(pause)
        if gate is not None and len(left) == 1:
            await gate.wait()
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

    async def story() -> None:
        gate = asyncio.Event()
        first = asyncio.create_task(
            body.read(request([b"12345678", b"9"], gate=gate), 100, "A delivery", room)
        )
        async with asyncio.timeout(30):
            while room.take(3):
                room.give(3)
                await asyncio.sleep(0)
        with pytest.raises(Refused, match="Send it again") as caught:
            await body.read(request([b"ab", b"cd"]), 100, "A delivery", room)
        assert caught.value.code == "busy"
        gate.set()
        assert await first == b"123456789"
        # The first has come in whole, and its room is free again.
        assert await body.read(request([b"abcd", b"efgh"]), 100, "A delivery", room) == b"abcdefgh"

    asyncio.run(story())
    with pytest.raises(Refused, match="Send it again") as caught:
        asyncio.run(body.read(request([b"12345678", b"9abc"]), 100, "A delivery", room))
    assert caught.value.code == "busy"
    assert room.take(10), "what was taken is free again"


def test_what_is_too_large_takes_no_room() -> None:
    room = Room(10)
    with pytest.raises(Refused, match="may have 4 bytes"):
        asyncio.run(body.read(request([b"12", b"345678", b"9" * 100]), 4, "A delivery", room))
    assert room.take(10)
