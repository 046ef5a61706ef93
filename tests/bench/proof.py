"""Inclusion proofs from a log of a million entries in SQLite, each checked against the root.

The entries are as long as those of bench facts, since hashes of leaves lie beside them. Places are drawn
evenly over the whole log, so neighbours help nobody. pymerkle is measured in the same run if $PEERS names the
environment of the peers (peers/run.sh); otherwise it is the figure that was recorded before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from deploytrail.app.ports import Pending, Submission
from deploytrail.app.tiles import TileReader
from deploytrail.errors import Refused
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.proofs import inclusion_proof, verify_inclusion
from tests.bench.fact import told
from tests.bench.figure import READING, Benchmark, Figure, Sizes, Void
from tests.bench.house import Rooms, draft, rooms
from tests.bench.measure import percentile
from tests.bench.peers.merkle import pymerkle_p99

_MANY = 1_000_000
_PROOFS = 2_000
_BATCH = 5_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    size, times = sizes.of(_MANY), sizes.times(_PROOFS)
    with rooms() as house:
        _grow(house, size)
        ours = _proofs(house, size, times)
    p50, p99 = percentile(ours, 0.5), percentile(ours, 0.99)
    peer, how = pymerkle_p99()
    more = {"p99_ms": round(p99, 3), "size": size, "pymerkle_p99_ms": round(peer, 3), "pymerkle": how}
    held = {"proof.p50": p50, "proof.pymerkle": peer / p99}
    against = "pymerkle's p99 at 100,000, by p99"
    yield Figure("proof", p50, "ms p50", READING, peer / p99, against, more, held)


def _grow(house: Rooms, size: int) -> None:
    """Append `size` different entries of the usual length; nobody is told of them."""
    ends = [house.persons.seal(draft(line)).entry for line in told(1_000)]
    for at in range(0, size, _BATCH):
        some = range(at, min(at + _BATCH, size))
        pending = [Pending(b"%d" % n + ends[n % len(ends)], "bench", None, (), ()) for n in some]
        house.log.append([Submission(tuple(pending))])


def _proofs(house: Rooms, size: int, times: int) -> list[float]:
    """Milliseconds of each proof. Void if one does not lead to the root."""
    root, drawn, found = house.log.head().root, Random(1), []
    tiles = TileReader(house.log)
    for _ in range(times):
        index = drawn.randrange(size)
        start = time.perf_counter()
        proof = inclusion_proof(index, size, tiles)
        found.append((time.perf_counter() - start) * 1000)
        leaf = leaf_hash(house.log.entries(index, index + 1)[0].body)
        try:
            verify_inclusion(index, size, leaf, proof, root)
        except Refused as refusal:
            raise Void(refusal.words) from None
    return found


BENCHMARK = Benchmark("proof", "inclusion proofs from a log of a million entries", _run)
