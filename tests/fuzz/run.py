"""Drawing inputs, holding each to its law under a limit of processor time, and keeping what failed."""

from __future__ import annotations

import hashlib
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from deploytrail.errors import Refused
from tests.fuzz.target import Target

# Seconds of processor time that one input (at most 400 KB) may take before it counts as hung.
LIMIT_S: Final = 5.0
# Altered inputs that were accepted are altered further; so many are remembered.
_REMEMBERED: Final = 200
# So many failures of one target say enough.
_ENOUGH: Final = 10


class TooSlow(BaseException):
    """One input took too long. Not an Exception, so that no code under test swallows it."""


@dataclass
class Outcome:
    """What came of one target."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """An input that broke its law, and how."""

    data: bytes
    words: str

    @property
    def where(self) -> str:
        """The line that raised: two failures from there are one finding."""
        return self.words.rpartition('File "')[2].partition("\n")[0]


def fuzz(target: Target, seed: int, going: Callable[[int], bool]) -> Outcome:
    """Try the seeds as they are, then altered inputs while `going(number of inputs)`."""
    outcome, known = Outcome(), set[str]()
    for data in inputs(target, seed, outcome):
        failure = tried(target, data, outcome)
        if failure is not None and failure.where not in known:
            known.add(failure.where)
            outcome.failures.append(failure)
        if len(outcome.failures) >= _ENOUGH or not going(outcome.inputs):
            return outcome
    return outcome


def inputs(target: Target, seed: int, outcome: Outcome) -> Iterator[bytes]:
    """Every seed, then alterations without end. The same seed gives the same inputs."""
    seeds = list(target.seeds())
    yield from seeds
    chance = Random(f"{seed}/{target.name}")
    pool = list(seeds)
    while True:
        data = target.alter(chance.choice(pool), chance, seeds)
        before = outcome.accepted
        yield data
        if outcome.accepted > before:
            # What was accepted though altered leads deeper.
            if len(pool) < len(seeds) + _REMEMBERED:
                pool.append(data)
            else:
                pool[chance.randrange(len(seeds), len(pool))] = data


def tried(target: Target, data: bytes, outcome: Outcome) -> Failure | None:
    """Hold one input to its law; what was wrong, if anything was."""
    outcome.inputs += 1
    start = time.process_time()
    try:
        with _limited():
            target.held(data)
        outcome.accepted += 1
    except Refused:
        outcome.refused += 1
    except (Exception, TooSlow):
        return Failure(data, traceback.format_exc(limit=-6))
    finally:
        outcome.slowest_s = max(outcome.slowest_s, time.process_time() - start)
    return None


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TooSlow in the middle of whatever runs after LIMIT_S of processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"one input took more than {LIMIT_S} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def keep(failure: Failure, target: Target, folder: Path) -> Path:
    """Write a failing input to a file of its own; where it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name}-{hashlib.sha256(failure.data).hexdigest()[:12]}"
    path.write_bytes(failure.data)
    return path
