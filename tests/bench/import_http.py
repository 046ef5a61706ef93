"""NDJSON to the real server over HTTP, as `import jsonl` sends it, until the last line is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tests.bench.append import bare_rows
from tests.bench.fact import told_or_read
from tests.bench.figure import FULL, Benchmark, Figure, Sizes
from tests.crash.served import Served
from tests.main.running import short_folder

_MANY = 20_000
_LINES = 5_000


def _run(sizes: Sizes) -> Iterator[Figure]:
    lines = told_or_read(sizes.of(_MANY), sizes.facts)
    with short_folder() as folder:
        house = Served(folder)
        try:
            bare = bare_rows(folder / "bare.db", lines[:1000], 100, sizes.seconds)
            started(house)
            start = time.perf_counter()
            send(house, lines)
            took = time.perf_counter() - start
            caught_up(house)
            seen = time.perf_counter() - start
        finally:
            house.kill()
    found = len(lines) / took
    more = {"facts": len(lines), "seconds": round(took, 2), "seconds_until_on_pages": round(seen, 2)}
    yield Figure("import", found, "facts/s", FULL, found / bare, "bare rows by 100", more)


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
