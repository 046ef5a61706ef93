"""NDJSON to the real server over HTTP, as `import jsonl` sends it, until the last line is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from tests.bench.append import bare_rows
from tests.bench.fact import told_or_read
from tests.bench.figure import FULL, Benchmark, Figure, Sizes, demand
from tests.bench.measure import alternated, share
from tests.bench.served import Measured
from tests.crash.served import Served
from tests.main.running import short_folder

# As many as the ledger of deployments has that the promise is about.
LEDGER: Final = 59_183
_LINES: Final = 5_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    lines = told_or_read(sizes.of(LEDGER), sizes.facts)
    seen: list[float] = []
    bare, took = alternated(sizes.runs, lambda: _bare(lines, sizes.seconds), lambda: _told(lines, seen))
    rates = [len(lines) / seconds for seconds in took]
    more = {
        "facts": len(lines),
        "seconds": round(median(took), 2),
        "seconds_until_on_pages": round(median(seen), 2),
        "of": "bench facts" if sizes.facts is None else "the file given",
        "runs": sizes.runs,
    }
    # The promise is about a ledger of so many.
    held = {"import.seconds": median(took)} if len(lines) >= LEDGER else {}
    part = share(rates, bare)
    yield Figure("import", median(rates), "facts/s", FULL, part, "bare rows by 100", more, held)


def _bare(lines: Sequence[bytes], seconds: float) -> float:
    with short_folder() as folder:
        return bare_rows(folder / "bare.db", lines[:1000], 100, seconds)


def _told(lines: Sequence[bytes], seen: list[float]) -> float:
    """Seconds until the last line is acknowledged; those until all are on the pages go to `seen`."""
    with short_folder() as folder:
        house = Measured(folder)
        try:
            started(house)
            before = caught_up(house)
            start = time.perf_counter()
            send(house, lines)
            took = time.perf_counter() - start
            there = caught_up(house) - before
            seen.append(time.perf_counter() - start)
            demand(
                there == len(lines), f"{len(lines)} lines were acknowledged, and {there} entries are there"
            )
        finally:
            house.kill()
    return took


def started(house: Served) -> None:
    """Start a new house and give it its tokens."""
    house.start()
    if not house.ready():
        raise RuntimeError(f"the server does not start: {house.said()}")
    house.prepare()


def send(house: Served, lines: Sequence[bytes]) -> None:
    """Tell all lines, in requests of 5,000; RuntimeError if one of them is not recorded."""
    headers = {"authorization": f"Bearer {house.reporter}", "content-type": "application/x-ndjson"}
    for at in range(0, len(lines), _LINES):
        some = lines[at : at + _LINES]
        status, answer = house.ask("POST", "/api/v1/facts", b"\n".join(some) + b"\n", headers)
        if status != 200 or answer.count(b'"index"') != len(some):
            raise RuntimeError(f"not everything was recorded ({status}): {answer[:300]!r}")


def caught_up(house: Served, within_s: float = 300.0) -> int:
    """Wait until the pages know every entry; how many there are."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        figures = dict(
            line.rsplit(b" ", 1) for line in house.ask("GET", "/metrics")[1].splitlines() if line[:1] != b"#"
        )
        size = int(figures[b"deploytrail_log_entries"])
        if figures[b"deploytrail_projected_entries"] == figures[b"deploytrail_log_entries"]:
            return size
        time.sleep(0.05)
    raise RuntimeError(f"the pages did not catch up within {within_s:.0f} s")


BENCHMARK = Benchmark("import", "NDJSON to the real server over HTTP", _run)
