"""Single posts that are acknowledged when they are durable, against a handler that only inserts one row.

Both are served by Starlette on uvicorn, one process each, on the same disk, and are told the same bench facts
by the same sender, a process of its own. The house signs and follows meanwhile, as it always does.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.bench.fact import told
from tests.bench.figure import FULL, Benchmark, Figure, Sizes, demand
from tests.bench.import_http import caught_up, started
from tests.bench.measure import share
from tests.bench.proc import cpu_s, pid_of
from tests.bench.whole import rows_of
from tests.crash.served import Served
from tests.main.running import free_port, short_folder, surroundings

CLIENTS: Final = (1, 32, 128)
# No server here answers more in a second.
_PER_SECOND: Final = 8_000
_START_S: Final = 20.0


def _run(sizes: Sizes) -> Iterator[Figure]:
    each = max(200, round(_PER_SECOND * sizes.seconds))
    with short_folder() as folder:
        lines = folder / "told.ndjson"
        with lines.open("wb") as file:
            file.writelines(line + b"\n" for line in told(each * sizes.runs * len(CLIENTS), "posts"))
        house, bare = Served(folder), _Bare(folder)
        try:
            started(house)
            bare.start()
            yield from _compared(house, bare, lines, each, sizes)
        finally:
            bare.stop()
            house.kill()


def _compared(house: Served, bare: _Bare, lines: Path, each: int, sizes: Sizes) -> Iterator[Figure]:
    before, first, answered, posted = caught_up(house), 0, 0, 0
    for clients in CLIENTS:
        ours: list[dict[str, Any]] = []
        theirs: list[dict[str, Any]] = []
        for _ in range(sizes.runs):
            which = (str(lines), str(first), str(each))
            theirs.append(_load(bare.port, bare.pid, clients, sizes.seconds, *which))
            ours.append(_load(house.port, pid_of(house), clients, sizes.seconds, *which, house.reporter))
            first += each
            # The followers go on while somebody posts, but must not lag into the other's turn.
            caught_up(house)
        answered += sum(run["answered"] for run in ours)
        posted += sum(run["answered"] for run in theirs)
        yield _figure(f"posts.bare.{clients}", theirs, None)
        yield _figure(f"posts.{clients}", ours, theirs)
    there = caught_up(house) - before
    demand(there == answered, f"{answered} posts were acknowledged, and {there} entries are there")
    rows = rows_of(bare.file, "bare")
    demand(rows == posted, f"{posted} bare posts were acknowledged, and {rows} rows are there")


def _figure(name: str, runs: list[dict[str, Any]], against: list[dict[str, Any]] | None) -> Figure:
    found = [run["answered"] / run["seconds"] for run in runs]
    more = {key: round(median(run[key] for run in runs), 3) for key in ("p50_ms", "p99_ms", "cpu_us")}
    more["runs"] = len(runs)
    if against is None:
        return Figure(name, median(found), "posts/s", FULL, more=more)
    part = share(found, [run["answered"] / run["seconds"] for run in against])
    bare = name.replace("posts", "posts.bare")
    return Figure(name, median(found), "posts/s", FULL, part, bare, more, {name: part})


def _load(port: int, pid: int, clients: int, seconds: float, *what: str) -> dict[str, Any]:
    """What one sender measured, and what a post cost the server. Void if anything was refused."""
    before = cpu_s(pid)
    asked = [str(port), str(clients), str(seconds), *what]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load", *asked], capture_output=True, text=True, check=False
    )
    demand(done.returncode == 0, f"the sender failed: {done.stderr[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    demand(not told["refused"], f"a post was refused: {told['refused']}")
    told["cpu_us"] = (cpu_s(pid) - before) * 1e6 / told["answered"]
    return told


class _Bare:
    """The bare handler in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.file, self.port = folder, folder / "bare.db", free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tests.bench.bare_app", str(self.port), str(self.file)]
        self._process = subprocess.Popen(command, env=surroundings(self._folder))
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        demand(False, "the bare handler does not start")

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


BENCHMARK = Benchmark(
    "posts", "single acknowledged posts, 1, 32 and 128 clients, against a bare handler", _run
)
