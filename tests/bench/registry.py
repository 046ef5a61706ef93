"""Every benchmark there is, in one explicit list."""

from __future__ import annotations

from typing import Final

from tests.bench import (
    append,
    canonical,
    disk,
    fold,
    fsck,
    import_http,
    ingest,
    live,
    memory,
    pages,
    posts,
    proof,
    receive,
    seal,
    search,
    tiles,
    verify,
)
from tests.bench.figure import Benchmark

BENCHMARKS: Final[tuple[Benchmark, ...]] = (
    ingest.BENCHMARK,
    posts.BENCHMARK,
    import_http.BENCHMARK,
    pages.BENCHMARK,
    live.BENCHMARK,
    search.BENCHMARK,
    proof.BENCHMARK,
    memory.BENCHMARK,
    fsck.BENCHMARK,
    disk.BENCHMARK,
    canonical.BENCHMARK,
    append.BENCHMARK,
    receive.BENCHMARK,
    fold.BENCHMARK,
    tiles.BENCHMARK,
    verify.BENCHMARK,
    seal.BENCHMARK,
)
