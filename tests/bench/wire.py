"""HTTP as far as it must be spoken to measure: short answers that have a length, one after another."""

from __future__ import annotations

import asyncio
from typing import cast


class Replies(asyncio.Protocol):
    """One keep-alive connection. `answered` is called with head and body of each answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._seen = b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports write, but are no asyncio.Transport.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._seen = b""
            self.answered(head, body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def answered(self, head: bytes, body: bytes) -> None:
        """One answer is complete."""
        raise NotImplementedError
