"""Canonical bytes by msgspec, against the reference implementation of RFC 8785 in Python."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import rfc8785

from deploytrail.facts import canonical
from tests.bench.fact import told
from tests.bench.figure import MEMORY, Benchmark, Figure, Sizes
from tests.bench.measure import rate


def _run(sizes: Sizes) -> Iterator[Figure]:
    values = [msgspec.json.decode(line) for line in told(200)]
    written = [canonical.encode(value) for value in values]

    def encode() -> int:
        for value in values:
            canonical.encode(value)
        return len(values)

    def reference() -> int:
        for value in values:
            rfc8785.dumps(value)
        return len(values)

    def decode() -> int:
        for data in written:
            canonical.decode(data)
        return len(written)

    slow, fast = rate(reference, sizes.seconds), rate(encode, sizes.seconds)
    mean = sum(map(len, written)) // len(written)
    yield Figure("canonical.encode", fast, "facts/s", MEMORY, fast / slow, "rfc8785.dumps", {"bytes": mean})
    checked = rate(decode, sizes.seconds)
    yield Figure("canonical.decode", checked, "facts/s", MEMORY, checked / fast, "canonical.encode")


BENCHMARK = Benchmark("canonical", "canonical.encode against rfc8785", _run)
