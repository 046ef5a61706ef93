"""Folding the log into derived rows, against bare inserts of the same entries in batches of a thousand."""

from __future__ import annotations

import time
from collections.abc import Iterator

from deploytrail.app.follow import TABLES, Follower
from deploytrail.store.derived_sql import SqlDerived
from tests.bench.append import bare_rows
from tests.bench.fact import told_or_read
from tests.bench.figure import NORMAL, Benchmark, Figure, Sizes
from tests.bench.house import rooms

_MANY = 20_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    with rooms() as house:
        house.fill(told_or_read(sizes.of(_MANY), sizes.facts))
        size = house.log.head().size
        bodies = [row.body for row in house.log.entries(0, 1000)]
        bare = bare_rows(house.folder / "bare.db", bodies, 1000, sizes.seconds)
        derived = SqlDerived(house.folder / "derived.db", TABLES)
        start = time.perf_counter()
        Follower(house.log, derived, house.clock).catch_up()
        took = time.perf_counter() - start
        derived.close()
        yield Figure(
            "fold",
            size / took,
            "entries/s",
            NORMAL,
            size / took / bare,
            "bare rows by 1000",
            {"entries": size},
        )


BENCHMARK = Benchmark("fold", "the follower into derived rows", _run)
