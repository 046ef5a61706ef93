"""Signing and publishing a checkpoint after one more entry, on a log that is already large."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

import msgspec

from deploytrail.app.ports import Submission
from deploytrail.app.seal import Sealer
from deploytrail.notary.file_signer import FileSigner
from tests.bench.fact import told
from tests.bench.figure import FULL, Benchmark, Figure, Sizes
from tests.bench.house import Rooms, draft, rooms
from tests.bench.measure import percentile

_MANY = 60_000
_ORIGIN = "bench.example.org/log"


def _run(sizes: Sizes) -> Iterator[Figure]:
    times = sizes.times(200)
    with rooms() as house:
        signer = FileSigner.create(house.folder / "signer", _ORIGIN, house.chance)
        sealer = Sealer(house.log, signer, house.clock)
        small = _sealed(house, sealer, "s", times)
        house.fill(list(told(sizes.of(_MANY))))
        sealer.seal()
        size = house.log.head().size
        large = _sealed(house, sealer, "l", times)
    p50, p99 = percentile(large, 0.5), percentile(large, 0.99)
    more = {"size": size, "p99_ms": round(p99, 3)}
    ratio = p50 / percentile(small, 0.5)
    yield Figure("seal", p50, "ms p50 per checkpoint", FULL, ratio, "the same on an empty log", more)


def _sealed(house: Rooms, sealer: Sealer, prefix: str, times: int) -> list[float]:
    """Milliseconds of each of so many checkpoints, one entry after the last."""
    line, found, numbers = next(told(1)), [], count()
    for _ in range(times):
        one = msgspec.structs.replace(draft(line), id=f"{prefix}/{next(numbers)}")
        house.log.append([Submission((house.persons.seal(one),))])
        start = time.perf_counter()
        sealer.seal()
        found.append((time.perf_counter() - start) * 1000)
    return found


BENCHMARK = Benchmark("seal", "signing and publishing one checkpoint", _run)
