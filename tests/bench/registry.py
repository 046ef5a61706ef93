"""Every benchmark there is, in one explicit list."""

from __future__ import annotations

from typing import Final

from tests.bench import append, canonical, fold, import_http, pages, receive, seal, tiles, verify
from tests.bench.figure import Benchmark

BENCHMARKS: Final[tuple[Benchmark, ...]] = (
    canonical.BENCHMARK,
    append.BENCHMARK,
    receive.BENCHMARK,
    fold.BENCHMARK,
    tiles.BENCHMARK,
    verify.BENCHMARK,
    seal.BENCHMARK,
    import_http.BENCHMARK,
    pages.BENCHMARK,
)
