"""One connection, with an end to patience: for a request that does not come whole, and for a body that goes
on after it was answered. What a route reads itself has limits of its own (`body`).
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds for the first line and the headers of a request, from its first byte or from connecting.
HEAD_S: Final = 30.0
# A body that was answered before it was read is read on for so long, and for so many bytes, that its sender
# hears the answer instead of a broken pipe.
REST_S: Final = 60.0
REST: Final = 32 * 2**20


class Patient(HttpToolsProtocol):
    """Closes connections of those who hold them without saying anything."""

    _timer: TimerHandle | None = None
    _rest = 0
    # A request of which some bytes are there, and not yet its headers.
    _begun = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._wait(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request: its headers must follow."""
        super().on_message_begin()
        self._rest = 0
        self._begun = True

    def data_received(self, data: bytes) -> None:
        """Bytes of some request. Most come with all of their headers, and are not waited for."""
        super().data_received(data)
        if self._begun:
            self._begun = False
            self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """The headers are there; from here on the route has patience of its own."""
        self._begun = False
        self._wait(None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body, which nobody reads any more once the answer is sent."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._rest += len(body)
            if self._timer is None:
                self._wait(REST_S)
            if self._rest > REST:
                self._give_up()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._wait(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is sent; the rest of a body that is still coming has an end."""
        super().on_response_complete()
        if self.cycle.more_body and not self.transport.is_closing():
            self._wait(REST_S)

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()
