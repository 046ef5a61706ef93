"""The house's own last judge, on a house of a million bench facts: the command as an operator types it.

Wall time; CPU of all its processes and the most memory of all of them together beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.bench.figure import READING, Benchmark, Figure, Sizes, demand
from tests.bench.large import MANY, large, made_in
from tests.bench.proc import memory_mb
from tests.main.running import surroundings

_LOOK_S = 0.2


class Run(NamedTuple):
    """How one command went: seconds, and the most memory (PSS) of its processes together."""

    took_s: float
    cpu_s: float
    memory_mb: float


def _run(sizes: Sizes) -> Iterator[Figure]:
    folder = large(sizes)
    facts = int(made_in(folder)["facts"])
    for name, flags in (("fsck", ()), ("fsck.all", ("--all",))):
        run = judged(folder, *flags)
        scaled = run.took_s * MANY / facts
        more = {
            "entries": facts,
            "cpu_s": round(run.cpu_s, 1),
            "memory_mb": round(run.memory_mb),
            "a_million_s": round(scaled, 1),
        }
        yield Figure(name, run.took_s, "s", READING, more=more, goals={name: scaled})


def judged(folder: Path, *flags: str) -> Run:
    """`deploytrail fsck` over the house in a folder. Void unless it finds everything in order."""
    where = ["--data", str(folder / "data"), "--signer", str(folder / "signer"), "--json"]
    before, start = os.times(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploytrail", "fsck", *flags, *where],
        stdout=subprocess.PIPE,
        env=surroundings(folder),
    )
    most, ended = [0.0], threading.Event()
    watch = threading.Thread(target=_watch, args=(process.pid, most, ended))
    watch.start()
    said = process.communicate()[0]
    took, after = time.perf_counter() - start, os.times()
    ended.set()
    watch.join()
    demand(process.returncode == 0 and json.loads(said)["ok"], f"fsck finds something wrong: {said[-500:]!r}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(took, used, most[0])


def _watch(pid: int, most: list[float], ended: threading.Event) -> None:
    while not ended.wait(_LOOK_S):
        now = 0.0
        # One of them may have ended in between.
        for each in _family(pid):
            with suppress(OSError, KeyError):
                now += memory_mb(each)[1]
        most[0] = max(most[0], now)


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started, and they."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from _family(int(child))


BENCHMARK = Benchmark("fsck", "the house's own judge over a house of a million, without and with --all", _run)
