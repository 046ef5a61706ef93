"""Pages of the real server on a large house, against the same pages on a small one; one reader at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from tests.bench.fact import read_or
from tests.bench.facts_told import told
from tests.bench.figure import READING, Benchmark, Figure, Sizes
from tests.bench.house import Rooms
from tests.bench.import_http import caught_up, send, started
from tests.bench.measure import percentile
from tests.crash.served import Served
from tests.main.running import short_folder

_MANY = 60_000
_FEW = 500
_ASKED = 40
_PAGES = ("/", "/environments", "/deployments/KEY", "/log", "/attention")


def _run(sizes: Sizes) -> Iterator[Figure]:
    many = sizes.of(_MANY)
    lines = read_or(told(many), many, sizes.facts)
    with short_folder() as folder:
        house = Served(folder)
        try:
            started(house)
            send(house, list(told(_FEW, "small")))
            caught_up(house)
            small = _read(house, sizes.times(_ASKED))
            house.stop()
            _fill(house, lines)
            house.start()
            if not house.ready():
                raise RuntimeError(f"the server does not start: {house.said()}")
            size = caught_up(house)
            large = _read(house, sizes.times(_ASKED))
        finally:
            house.kill()
    for page in _PAGES:
        p50, p99 = percentile(large[page], 0.5), percentile(large[page], 0.99)
        before = percentile(small[page], 0.5)
        more = {"p99_ms": round(p99, 2), "entries": size, "small_entries": _FEW}
        yield Figure(
            f"pages {page}", p50, "ms p50", READING, p50 / before, "the same page on a small house", more
        )


def _fill(house: Served, lines: Sequence[bytes]) -> None:
    """Append to the files of a stopped house what it would take longer to tell it."""
    rooms = Rooms(house.data, (house.data / "house.key").read_bytes())
    try:
        rooms.fill(lines)
    finally:
        rooms.close()


def _read(house: Served, times: int) -> dict[str, list[float]]:
    """Milliseconds of each page, the first answer of each left out."""
    key = _newest_deployment(house)
    return {
        page: [_answered(house, page.replace("KEY", key)) for _ in range(times + 1)][1:] for page in _PAGES
    }


def _answered(house: Served, path: str) -> float:
    start = time.perf_counter()
    status, body = house.ask("GET", path, headers={"authorization": f"Bearer {house.viewer}"})
    took = (time.perf_counter() - start) * 1000
    if status != 200 or b"</html>" not in body:
        raise RuntimeError(f"{path} answers {status}")
    return took


def _newest_deployment(house: Served) -> str:
    body = house.ask("GET", "/", headers={"authorization": f"Bearer {house.viewer}"})[1]
    found = re.search(rb'href="/deployments/([^"?#]+)"', body)
    if found is None:
        raise RuntimeError("the trail names no deployment")
    return found[1].decode()


BENCHMARK = Benchmark("pages", "the pages of a house of 60,000 entries", _run)
