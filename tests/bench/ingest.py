"""Bulk ingest: bench facts read, sealed, recorded durably, and every follower caught up, against bare rows.

The bare row is the same 1.5 KB of JSON in a table of two columns, a hundred to a transaction, with the same
settings on the same disk. Ours begins with the first line handed in and ends when the last follower has the
last entry and its checkpoint is signed and published. Each run has a new house and a new table.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.bench.append import bare_rows
from tests.bench.fact import told
from tests.bench.figure import FULL, Benchmark, Figure, Sizes, demand
from tests.bench.measure import alternated, share
from tests.bench.whole import BATCH, caught_up, hand_in, judge, rows_of, whole
from tests.main.running import short_folder

_MANY = 20_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    lines = list(told(sizes.of(_MANY)))
    recorded: list[float] = []
    bare, ours = alternated(sizes.runs, lambda: _bare(lines, sizes.seconds), lambda: _ours(lines, recorded))
    size = {"bytes": sum(map(len, lines)) // len(lines), "runs": sizes.runs}
    yield Figure(f"ingest.bare.{BATCH}", median(bare), "rows/s", FULL, more=size)
    against = f"ingest.bare.{BATCH}"
    yield Figure("ingest.recorded", median(recorded), "facts/s", FULL, share(recorded, bare), against)
    part = share(ours, bare)
    held = {"ingest.share": part, "ingest.rate": median(ours)}
    more = {"facts": len(lines), "runs": sizes.runs}
    yield Figure("ingest.caught_up", median(ours), "facts/s", FULL, part, against, more, held)


def _bare(lines: Sequence[bytes], seconds: float) -> float:
    with tempfile.TemporaryDirectory(prefix="deploytrail-bench-") as folder:
        return bare_rows(Path(folder) / "bare.db", lines[:2_000], BATCH, seconds)


def _ours(lines: Sequence[bytes], recorded: list[float]) -> float:
    """Facts per second until every follower has them; how fast they were durable goes to `recorded`."""
    with short_folder() as folder:
        with whole(folder) as house:
            before = caught_up(house)
            start = time.perf_counter()
            hand_in(house, lines)
            recorded.append(len(lines) / (time.perf_counter() - start))
            size = caught_up(house)
            took = time.perf_counter() - start
            # The sweeper and the like may record facts of the house's own; ours are all there.
            judge(house, before + len(lines))
        _judge_files(folder / "data", size, len(lines))
    return len(lines) / took


def _judge_files(data: Path, size: int, facts: int) -> None:
    """Void unless the files hold a row for each fact wherever there must be one."""
    rows: list[tuple[str, int, Callable[[int, int], bool]]] = [
        ("entries", rows_of(data / "trail.db", "entry"), int.__ge__),
        ("disclosures", rows_of(data / "trail.db", "disclosure"), int.__ge__),
        ("deployments", rows_of(data / "derived.db", "deployment"), int.__eq__),
    ]
    for what, count, fits in rows:
        demand(fits(count, facts), f"there are {count} {what} of {facts} facts")
    demand(rows_of(data / "trail.db", "entry") >= size, "entries went missing")


BENCHMARK = Benchmark("ingest", "bulk ingest, every follower caught up, against bare rows by a hundred", _run)
