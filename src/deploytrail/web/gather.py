"""Facts that are told one by one, handed in together: whatever came while the ones before were sealed.

Going to a thread and back costs more than sealing a fact, so one way there and back is shared by all that
wait, without anybody being kept waiting for others to come.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from deploytrail.app.ports import Placed
from deploytrail.app.record import Recorder
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft

diagnostics = logging.getLogger("deploytrail.web")

# While one thread waits for the disk, the other seals what came meanwhile.
_THREADS: Final = 2
_TOGETHER: Final = 500


class _Waiting(NamedTuple):
    draft: Callable[[], Draft]
    answer: asyncio.Future[Placed]


class Gather:
    """Takes facts of one event loop to the recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._threads = 0

    async def tell(self, draft: Callable[[], Draft]) -> Placed:
        """Record what `draft` makes, in a thread; where it stands, once it is durable.

        Refused as `draft` refuses, and as `Recorder.record` does.
        """
        loop = asyncio.get_running_loop()
        one = _Waiting(draft, loop.create_future())
        with self._lock:
            self._waiting.append(one)
            idle = self._threads < _THREADS
            self._threads += idle
        if idle:
            loop.run_in_executor(None, self._work, loop)
        return await one.answer

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until nobody waits: record all who do, then answer them."""
        while some := self._take():
            told = self._recorded(some)
            try:
                loop.call_soon_threadsafe(_answer, some, told)
            except RuntimeError:
                # The server has ended, and with it whoever waited.
                diagnostics.warning("%d facts were recorded for senders who are gone", len(some))

    def _take(self) -> list[_Waiting]:
        with self._lock:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))]
            self._threads -= not some
            return some

    def _recorded(self, some: Sequence[_Waiting]) -> list[Placed | Refused]:
        try:
            read = [_read(one.draft) for one in some]
            recorded = self._recorder.record_each([one for one in read if isinstance(one, Draft)])
            answers = iter(recorded.result())
            return [one if isinstance(one, Refused) else next(answers) for one in read]
        except Exception as error:
            # Nobody may be left waiting, and nobody knows how far it came.
            diagnostics.exception("telling facts broke")
            words = f"Recording failed ({type(error).__name__}), and it is not known whether it was recorded."
            return [Refused("unavailable", f"{words} Send it again.")] * len(some)


def _read(draft: Callable[[], Draft]) -> Draft | Refused:
    try:
        return draft()
    except Refused as refusal:
        return refusal


def _answer(some: Sequence[_Waiting], told: Sequence[Placed | Refused]) -> None:
    for one, what in zip(some, told, strict=True):
        # Whoever hung up does not wait any more.
        if one.answer.done():
            continue
        if isinstance(what, Refused):
            one.answer.set_exception(Refused(what.code, what.words, after=what.after))
        else:
            one.answer.set_result(what)
