"""Request bodies, read with a limit: nobody fills our memory."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from deploytrail.errors import Refused

# A refused body is read on for this much, so that its sender hears the answer instead of a broken pipe.
_PATIENCE: Final = 32 * 2**20


async def read(request: Request, limit: int, what: str) -> bytes:
    """The whole body. Refused("too-large") above `limit` bytes, as early as that is known."""
    parts: list[bytes] = []
    size = 0
    too_large = declared(request) > limit
    async for chunk in request.stream():
        size += len(chunk)
        if too_large or size > limit:
            parts.clear()
            too_large = True
            if size > limit + _PATIENCE:
                break
        else:
            parts.append(chunk)
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
