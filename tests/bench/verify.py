"""Verifying a whole log offline, every tile and every entry, against bare SHA-256 of the same entries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256

from deploytrail.errors import Refused
from deploytrail.evidence.verify_log import verify_log
from deploytrail.facts import entry
from tests.bench.fact import told
from tests.bench.figure import MEMORY, Benchmark, Figure, Sizes
from tests.bench.house import draft, rooms
from tests.tlog.trees import KEY, Tree

_MANY = 20_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    with rooms() as house:
        bodies = [house.persons.seal(draft(line)).entry for line in told(sizes.of(_MANY))]
    files = Tree(bodies).files()

    def fetch(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise Refused("not-found", f"There is no {path}.") from None

    start = time.perf_counter()
    for body in bodies:
        sha256(body).digest()
    bare = len(bodies) / (time.perf_counter() - start)
    more = {"entries": len(bodies), "bytes": sum(map(len, bodies)) // len(bodies)}
    for name, decode in (("verify.hashes", None), ("verify.entries", entry.check)):
        start = time.perf_counter()
        checks = list(verify_log(fetch, [KEY.verifier], decode=decode))
        took = time.perf_counter() - start
        if not all(check.ok for check in checks):
            raise RuntimeError(f"the log of this benchmark does not verify: {checks}")
        found = len(bodies) / took
        yield Figure(name, found, "entries/s", MEMORY, found / bare, "bare SHA-256", more)


BENCHMARK = Benchmark("verify", "evidence.verify_log, without and with reading every entry", _run)
