"""Facts that come one by one at about the same time are handed in together, and answered together.

Whoever hands in wakes the thread that records, and that thread wakes the event loop again; both have to wait
for each other then. One waking for all that came in meanwhile leaves the time to the recording itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Final

from deploytrail.app.ports import Placed
from deploytrail.app.record import Recorder
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft

# Handed in at once from so many facts, or so many bytes, on.
_MOST: Final = 100
_WEIGHT: Final = 2**20

_Told = asyncio.Future[Placed]


class Gathered:
    """What one round of the event loop brings. Lives in one event loop."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._drafts: list[Draft] = []
        self._told: list[_Told] = []
        self._size = 0

    def record(self, draft: Draft, size: int) -> _Told:
        """Record a fact that stands alone, told in so many bytes. Refused as `Recorder.record`.

        Whoever stops waiting does not take back what was said.
        """
        loop = asyncio.get_running_loop()
        if not self._drafts:
            # After everything that is ready now.
            loop.call_soon(self._hand_in, loop)
        told: _Told = loop.create_future()
        self._drafts.append(draft)
        self._told.append(told)
        self._size += size
        if len(self._drafts) >= _MOST or self._size >= _WEIGHT:
            self._hand_in(loop)
        return told

    def _hand_in(self, loop: asyncio.AbstractEventLoop) -> None:
        drafts, told, size = self._drafts, self._told, self._size
        if not drafts:
            return
        self._drafts, self._told, self._size = [], [], 0
        try:
            recorded = self._recorder.record_each(drafts, size=size)
        except Exception as error:
            for one in told:
                _settle(one, error)
            raise
        recorded.add_done_callback(partial(_answered, loop, told))


def _answered(
    loop: asyncio.AbstractEventLoop, told: Sequence[_Told], recorded: Future[list[Placed | Refused]]
) -> None:
    """In the thread that records. A loop that has ended has nobody left who waits."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle_all, told, recorded.result())


def _settle_all(told: Sequence[_Told], answers: Sequence[Placed | Refused]) -> None:
    for one, answer in zip(told, answers, strict=True):
        _settle(one, answer)


def _settle(one: _Told, answer: Placed | Exception) -> None:
    if one.done():
        # Whoever waited has gone.
        return
    if isinstance(answer, Placed):
        one.set_result(answer)
    elif isinstance(answer, Refused):
        # A new one for each, since whoever raises it adds a trace of its own.
        one.set_exception(Refused(answer.code, answer.words, after=answer.after))
    else:
        one.set_exception(answer)
