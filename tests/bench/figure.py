"""A figure with what belongs beside it: its unit, what it was related to, and what "acknowledged" meant."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from deploytrail.store import sqlite

# How durable what was measured is.
FULL: Final = "SQLite WAL, synchronous=FULL: flushed before the acknowledgement"
NORMAL: Final = "SQLite WAL, synchronous=NORMAL: derived rows, rebuilt after a loss"
MEMORY: Final = "no disk"
READING: Final = "reading only"


@dataclass(frozen=True)
class Figure:
    """One measured figure. `ratio` relates it to `against`, measured in the same run on the same machine."""

    name: str
    figure: float
    unit: str
    durability: str
    ratio: float | None = None
    against: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    # What of it is held against a goal, by the goal's name.
    goals: dict[str, float] = field(default_factory=dict)


class Void(Exception):
    """What was measured did not do what it should, so no figure of the run counts. Says what was wrong."""


def demand(true: bool, words: str) -> None:
    """Void with these words unless it is true."""
    if not true:
        raise Void(words)


@dataclass(frozen=True)
class Sizes:
    """What the flags say. `entries` None: each benchmark's own. `seconds`: the length of one measurement.

    `runs`: how often a comparison is alternated; medians are told. `house`: where the house of a million
    facts is kept from one call to the next, instead of being made anew.
    """

    entries: int | None = None
    seconds: float = 2.0
    facts: str | None = None
    runs: int = 1
    house: str | None = None

    def of(self, default: int) -> int:
        """How many entries to measure on."""
        return default if self.entries is None else self.entries

    def times(self, default: int) -> int:
        """How often to do what is counted instead of timed: `default` times, or fewer in a short run."""
        return max(5, round(default * min(1.0, self.seconds / 2.0)))


@dataclass(frozen=True)
class Benchmark:
    """A name, words, and a function that measures."""

    name: str
    words: str
    run: Callable[[Sizes], Iterator[Figure]]


def machine() -> dict[str, Any]:
    """What of this machine a figure depends on. No names of hosts or people."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "sqlite": ".".join(map(str, sqlite.version())),
        "system": f"{platform.system()} {platform.machine()}",
    }
