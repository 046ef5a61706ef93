"""The one way in: Recorder with group commit on SqlLog, against bare commits of the same bytes.

The bare commit is one row (number, body) in a table of its own, with the same settings on the same disk: the
most that a program can do which keeps each fact by itself and proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import msgspec

from deploytrail.store.sqlite import open_engine
from tests.bench.fact import told
from tests.bench.figure import FULL, Benchmark, Figure, Sizes
from tests.bench.house import Rooms, draft, rooms
from tests.bench.measure import crowd, percentile, rate

SENDERS = (1, 8, 64)
_MANY = 4_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    lines = list(told(sizes.of(_MANY)))
    with rooms() as house:
        bodies = lines[:1000]
        mean = sum(map(len, bodies)) // len(bodies)
        bare = bare_rows(house.folder / "bare.db", bodies, 1, sizes.seconds)
        yield Figure("append.bare.1", bare, "rows/s", FULL, None, None, {"bytes": mean})
        house.recorder.start()
        yield from _crowds(house, lines, bare, sizes.seconds)


def _crowds(house: Rooms, lines: Sequence[bytes], bare: float, seconds: float) -> Iterator[Figure]:
    """Concurrent senders, each waiting for its acknowledgement before it sends the next."""
    numbers, drafts = count(), [draft(line) for line in lines]

    def send(sender: int, nth: int) -> None:
        number = next(numbers)
        # Another id each time, so that nothing is a repeat.
        one = msgspec.structs.replace(drafts[number % len(drafts)], id=f"a/{number}")
        house.recorder.record([one]).result()

    for senders in SENDERS:
        found, times = crowd(senders, seconds, send)
        more = {"p50_ms": round(percentile(times, 0.5), 3), "p99_ms": round(percentile(times, 0.99), 3)}
        yield Figure(f"append.{senders}", found, "facts/s", FULL, found / bare, "append.bare.1", more)


def bare_rows(path: Path, bodies: Sequence[bytes], rows: int, seconds: float) -> float:
    """Rows per second into a table without any index, `rows` to a transaction.

    The better half of the time counts: a neighbour of the disk must not flatter what is related to it.
    """
    numbers = count()
    engine = open_engine(path, synchronous="FULL")
    with engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE bare (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    connection = engine.raw_connection()
    cursor = connection.cursor()

    def once() -> int:
        some = [(number, bodies[number % len(bodies)]) for number in (next(numbers) for _ in range(rows))]
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany("INSERT INTO bare VALUES (?, ?)", some)
        cursor.execute("COMMIT")
        return rows

    try:
        return max(rate(once, seconds / 2), rate(once, seconds / 2))
    finally:
        connection.close()
        engine.dispose()


BENCHMARK = Benchmark("append", "recorder with group commit, 1, 8 and 64 senders, against bare commits", _run)
