"""Other processes of this machine, for what reads the whole store again and needs more than one core."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Self

from deploytrail.app.ports import Given, Made
from deploytrail.errors import Refused

# Parts that wait, for each process: enough that none is ever idle, few enough to keep in memory.
_AHEAD: Final = 2
# Started anew instead of forked: a fork would share open files and locks.
_SPAWN: Final = multiprocessing.get_context("spawn")


# How much these processes give way (nice(2)).
_YIELDING: Final = 5
# Objects that may come and go before circles are looked for: jobs make none, and much that is alive.
_ALLOCATIONS: Final = 200_000


class Spawned:
    """Implements ports.Apart with `many` processes for parts, and one more for each stream."""

    def __init__(self, many: int) -> None:
        self._many = many
        self._parts: ProcessPoolExecutor | None = None
        self._streams: list[SpawnProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._streams:
            process.terminate()
            process.join()
        if self._parts is not None:
            self._parts.shutdown(cancel_futures=True)
            self._parts = None

    def each(self, job: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
        """What `job` makes of each part, in their order."""
        if self._parts is None:
            # What one process does alone takes longest: parts let it go before them.
            self._parts = ProcessPoolExecutor(
                self._many, mp_context=_SPAWN, initializer=_begin, initargs=(_YIELDING,)
            )
        waiting: deque[Future[Made]] = deque()
        try:
            for part in parts:
                waiting.append(self._parts.submit(job, part))
                if len(waiting) > _AHEAD * self._many:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise _gone() from None

    def stream(self, job: Callable[..., Iterator[Made]], *given: Any) -> Iterator[Made]:
        """Begin `job(*given)` at once."""
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_run, args=(theirs, job, given), daemon=True)
        process.start()
        # Else it would stay open when theirs ends.
        theirs.close()
        self._streams.append(process)
        return _heard(ours)


def _begin(yielding: int = 0) -> None:
    """In the other process, before its work."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    os.nice(yielding)


def _run(pipe: Connection, job: Callable[..., Iterator[Any]], given: tuple[Any, ...]) -> None:
    """In the other process: tell each thing that is made, then how it ended. Nobody may listen any more."""
    _begin()
    with suppress(BrokenPipeError):
        try:
            for made in job(*given):
                pipe.send((made, None))
        except Exception as error:
            pipe.send((None, error))
        else:
            pipe.send(None)


def _heard(pipe: Connection) -> Iterator[Any]:
    with pipe:
        while True:
            try:
                told = pipe.recv()
            except (EOFError, OSError):
                raise _gone() from None
            if told is None:
                return
            made, error = told
            if error is not None:
                raise error
            yield made


def _gone() -> Refused:
    return Refused(
        "unavailable", "A process that shared the work ended before it was done: perhaps memory ran out."
    )
