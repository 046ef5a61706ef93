"""Request bodies, read within limits of size and time: nobody fills our memory, and nobody sits in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from starlette.requests import Request

from deploytrail.errors import Refused

# A refused body is read on for this much, so that its sender hears the answer instead of a broken pipe.
_PATIENCE: Final = 32 * 2**20
# GitHub waits ten seconds for an answer; who needs longer only to send holds a place without need.
SECONDS: Final = 60.0


class Share(NamedTuple):
    """What one sender may take of a room, in bytes."""

    sender: str
    most: int


class Room:
    """Bytes that bodies on their way in may take together, each sender no more than its shares. Lives in one
    event loop.
    """

    def __init__(self, size: int) -> None:
        self.size = self._free = size
        self._held: Counter[str] = Counter()

    def take(self, size: int, shares: Sequence[Share] = ()) -> bool:
        """Whether there is room for so many more bytes; then it is taken."""
        if size > self._free or any(self._held[share.sender] + size > share.most for share in shares):
            return False
        self._free -= size
        for share in shares:
            self._held[share.sender] += size
        return True

    def give(self, size: int, shares: Sequence[Share] = ()) -> None:
        """So many bytes are free again."""
        self._free += size
        for share in shares:
            self._held[share.sender] -= size
            if not self._held[share.sender]:
                del self._held[share.sender]


def no_room() -> Refused:
    """The refusal of a body that there is no room for now."""
    return Refused("busy", "Too much is being sent at once. Send it again in a second.")


async def read(
    request: Request, limit: int, what: str, room: Room | None = None, shares: Sequence[Share] = ()
) -> bytes:
    """The whole body. Refused("too-large") above `limit` bytes, as early as that is known; "busy" if there
    is no `room` for it, or no more of its sender's `shares`; "bad-input" if it takes too long.
    """
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request, limit, what, room, shares)
    except TimeoutError:
        raise Refused(
            "bad-input", f"{what} must arrive within {SECONDS:.0f} s. Nothing of this one was kept."
        ) from None


async def _read(request: Request, limit: int, what: str, room: Room | None, shares: Sequence[Share]) -> bytes:
    parts: list[bytes] = []
    size = taken = 0
    too_large = declared(request) > limit
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if too_large or size > limit:
                parts.clear()
                too_large = True
                if size > limit + _PATIENCE:
                    break
                continue
            if room is not None:
                if not room.take(len(chunk), shares):
                    raise no_room()
                taken += len(chunk)
            parts.append(chunk)
    finally:
        if room is not None:
            room.give(taken, shares)
    if too_large:
        raise refusal(limit, what)
    return b"".join(parts)


def declared(request: Request) -> int:
    """The length that the sender announced; 0 if none."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def refusal(limit: int, what: str) -> Refused:
    """The refusal of a body above the limit."""
    return Refused("too-large", f"{what} may have {limit:,} bytes. Nothing of this one was kept.")
