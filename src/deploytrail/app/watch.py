"""Watching the projections grow, for the live feed: many waiters, few ticks.

The follower's thread says how far it is; in each event loop one future is shared by all who wait there, and
is resolved at most ten times a second, whatever the rate of entries.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

# Seconds between two ticks at least.
PAUSE: Final = 0.1


class Watch:
    """Tells waiters how many entries the projections have seen."""

    def __init__(self, size: int = 0) -> None:
        self._lock = threading.Lock()
        self._size = size
        self._loops: dict[asyncio.AbstractEventLoop, _Ticker] = {}

    def advanced(self, size: int) -> None:
        """The projections have seen `size` entries. For any thread; returns at once."""
        with self._lock:
            self._size = size
            tickers = list(self._loops.items())
        for loop, ticker in tickers:
            self._nudge(loop, ticker)

    async def wait(self, after: int, timeout: float) -> int:
        """The newest size as soon as it is more than `after`, else the size after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        ticker = self._ticker(loop)
        deadline = loop.time() + timeout
        while ticker.size <= after and (left := deadline - loop.time()) > 0:
            # The future is everybody's: whoever stops waiting must not cancel it.
            await asyncio.wait([ticker.next()], timeout=left)
        return ticker.size

    def _ticker(self, loop: asyncio.AbstractEventLoop) -> _Ticker:
        with self._lock:
            if loop not in self._loops:
                self._loops[loop] = _Ticker(loop, self._size)
            return self._loops[loop]

    def _nudge(self, loop: asyncio.AbstractEventLoop, ticker: _Ticker) -> None:
        with self._lock:
            if ticker.nudged:
                return
            ticker.nudged = True
        try:
            loop.call_soon_threadsafe(self._look, ticker)
        except RuntimeError:
            # That loop is closed; nobody waits there any more.
            with self._lock:
                self._loops.pop(loop, None)

    def _look(self, ticker: _Ticker) -> None:
        """In the loop: tick now, or when the last tick is long enough ago."""
        wait = ticker.ticked_at + PAUSE - ticker.loop.time()
        if wait > 0:
            ticker.loop.call_later(wait, self._tick, ticker)
        else:
            self._tick(ticker)

    def _tick(self, ticker: _Ticker) -> None:
        with self._lock:
            ticker.nudged = False
            size = self._size
        ticker.tick(size)


class _Ticker:
    """One event loop's view: the size as of the last tick, and the future of the next. Lives in the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        self.loop, self.size = loop, size
        self.ticked_at = loop.time() - PAUSE
        self.nudged = False
        self._next: asyncio.Future[None] | None = None

    def next(self) -> asyncio.Future[None]:
        if self._next is None or self._next.done():
            self._next = self.loop.create_future()
        return self._next

    def tick(self, size: int) -> None:
        self.ticked_at, self.size = self.loop.time(), size
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
