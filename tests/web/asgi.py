"""Speaking to the site as a server does: bodies in chunks, answers as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message


def scope(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """What a server says of a request."""
    address, _, query = path.partition("?")
    named = {"host": "localhost", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": address,
        "raw_path": address.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "state": {},
    }


async def send(
    app: ASGIApp, method: str, path: str, headers: dict[str, str], chunks: Iterable[bytes]
) -> tuple[int, bytes]:
    """Send a body chunk by chunk; status and body of the answer."""
    coming = iter(chunks)
    all_sent = False
    parts: list[bytes] = []
    status = 0

    async def receive() -> Message:
        nonlocal all_sent
        if all_sent:
            # The connection stays open until the answer is complete.
            await asyncio.Event().wait()
        chunk = next(coming, None)
        all_sent = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": not all_sent}

    async def answer(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    await app(scope(method, path, headers), receive, answer)
    return status, b"".join(parts)


class Stream:
    """A live answer that is read as it comes, by somebody who can leave."""

    def __init__(self, app: ASGIApp, path: str, headers: dict[str, str]) -> None:
        self._gone = asyncio.Event()
        self._asked = False
        self.text = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._run(app, scope("GET", path, headers)))

    async def _run(self, app: ASGIApp, asked: dict[str, Any]) -> None:
        try:
            await app(asked, self._receive, self._take)
        finally:
            self.ended.set()
            self._more.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        self.text += message.get("body", b"").decode()
        self._more.set()

    async def until(self, words: str, seconds: float = 5) -> None:
        """Read until `words` have come."""
        async with asyncio.timeout(seconds):
            while words not in self.text:
                assert not self.ended.is_set(), f"ended before {words!r} came: {self.text!r}"
                self._more.clear()
                await self._more.wait()

    @property
    def ids(self) -> list[int]:
        """The ids of the events so far."""
        return [int(line[4:]) for line in self.text.split("\n") if line.startswith("id: ")]

    async def leave(self) -> None:
        """Close the connection, and wait until the site has noticed."""
        self._gone.set()
        await asyncio.wait_for(self.ended.wait(), 5)
        await self.task
