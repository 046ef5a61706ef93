"""Facts that are told one by one, from the event loop to the recorder and back, without a thread for each.

The recorder takes whatever came while it was busy and answers it together; here the answers of one batch
share one way back into the loop, since waking it costs as much as sealing a fact.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from typing import Any

from deploytrail.app.ports import Placed
from deploytrail.app.record import Recorder
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft

diagnostics = logging.getLogger("deploytrail.web")


class Gather:
    """Takes facts of one event loop to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._answered: list[tuple[asyncio.Future[Any], Any]] = []

    async def tell(self, draft: Draft) -> Placed:
        """Record a fact; where it stands, once it is durable. Refused as `Recorder.record` refuses."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Any] = loop.create_future()

        def answered(done: Future[list[Placed | Refused]]) -> None:
            self._pass_on(loop, waiting, done.result()[0])

        self._recorder.record_each([draft]).add_done_callback(answered)
        told = await waiting
        if isinstance(told, Refused):
            raise Refused(told.code, told.words, after=told.after)
        placed: Placed = told
        return placed

    def _pass_on(self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[Any], told: Any) -> None:
        """From the recorder's thread: the first answer wakes the loop, the next ones go with it."""
        with self._lock:
            self._answered.append((waiting, told))
            if len(self._answered) > 1:
                return
        try:
            loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            # The server has ended, and with it whoever waited.
            with self._lock:
                gone, self._answered = len(self._answered), []
            diagnostics.warning("%d facts were recorded for senders who are gone", gone)

    def _answer(self) -> None:
        """In the loop."""
        with self._lock:
            answered, self._answered = self._answered, []
        for waiting, told in answered:
            # Whoever hung up does not wait any more.
            if not waiting.done():
                waiting.set_result(told)
