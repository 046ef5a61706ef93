"""Pages of two real servers: a house of 60,000 facts, and one of the same shape with twenty times as many.

Both are asked in turn, one reader at a time. The larger house has the same services and people with twenty
times their history: more entries, deployments and commits to leaf through, which no list may feel.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from tests.bench.fact import read_or
from tests.bench.facts_told import told
from tests.bench.figure import READING, Benchmark, Figure, Sizes
from tests.bench.house import Rooms
from tests.bench.import_http import caught_up, started
from tests.bench.measure import percentile
from tests.crash.served import Served
from tests.main.running import short_folder

_MANY: Final = 60_000
_TIMES: Final = 20
_ASKED: Final = 40
# What twenty times as much may take to be projected.
_PATIENCE_S: Final = 3600.0
# So much earlier each further telling of the same history happened.
_EARLIER: Final = timedelta(days=730)
# Leafing: what must take as long in a large house as in a small one.
_LISTS: Final = (
    "/",
    "/?below=BELOW",
    "/?service=SERVICE",
    "/?actor=PERSON",
    "/trail.atom",
    "/services",
    "/services/SERVICE",
    "/changes",
    "/people",
    "/people/PERSON",
    "/attention",
)
_OTHERS: Final = ("/environments", "/deployments/KEY", "/changes/CHANGE", "/artifacts/DIGEST", "/log")


def _run(sizes: Sizes) -> Iterator[Figure]:
    many = sizes.of(_MANY)
    lines = read_or(told(many), many, sizes.facts)
    with short_folder() as one, short_folder() as other:
        small, large = Served(one), Served(other)
        try:
            _made(small, lines, 1)
            _made(large, lines, _TIMES)
            entries = {"large_entries": caught_up(large, _PATIENCE_S)}
            # Its connection was idle for too long meanwhile.
            small.ready()
            entries["entries"] = caught_up(small)
            pages = _pages(small)
            took = _read((small, large), pages, sizes.times(_ASKED))
        finally:
            small.kill()
            large.kill()
    growth = {page: percentile(took[page][1], 0.5) / percentile(took[page][0], 0.5) for page in took}
    slowest = max(percentile(took[page][0], 0.95) for page in took)
    worst = max(growth[page] for page in _LISTS if page in growth)
    for page, (here, there) in took.items():
        last = page == next(reversed(took))
        yield Figure(
            f"pages {page}",
            percentile(here, 0.5),
            "ms p50",
            READING,
            growth[page],
            "the same page of a house with 20 times the history, to this one",
            {
                "p95_ms": round(percentile(here, 0.95), 2),
                "large_ms": round(percentile(there, 0.5), 2),
                **entries,
            },
            {"pages.p95": slowest, "pages.growth": worst} if last else {},
        )


def _made(house: Served, lines: Sequence[bytes], times: int) -> None:
    """A served house that has been told these facts, so many times over."""
    started(house)
    house.stop()
    rooms = Rooms(house.data, (house.data / "house.key").read_bytes())
    try:
        for copy in reversed(range(times)):
            rooms.fill(lines if copy == 0 else [_earlier(line, copy) for line in lines])
    finally:
        rooms.close()
    house.start()
    if not house.ready():
        raise RuntimeError(f"the server does not start: {house.said()}")


def _earlier(line: bytes, copy: int) -> bytes:
    """A fact as it would have been told of an earlier round of the same history."""
    fact = json.loads(line)
    fact["id"] = f"{fact['id']}/{copy}"
    for name in ("deployment", "incident"):
        if name in fact:
            fact[name] = f"{fact[name]}/{copy}"
    if type(fact.get("number")) is int:
        fact["number"] += 1_000_000 * copy
    if "occurred_at" in fact:
        at = datetime.fromisoformat(fact["occurred_at"]) - copy * _EARLIER
        fact["occurred_at"] = at.isoformat().replace("+00:00", "Z")
    return json.dumps(fact).encode()


def _pages(house: Served) -> dict[str, str]:
    """The address of each page, with what this house and the larger one both have; others are left out."""
    trail = _answer(house, "/")
    words = {
        "BELOW": _found(r"below=(\d+)", trail),
        "SERVICE": _found(r'href="/services/([^"?#]+)"', _answer(house, "/services")),
        "PERSON": _busy(house, trail),
        "KEY": _found(r'href="/deployments/([^"?#]+)"', trail),
        "CHANGE": _found(r'href="/changes/([^"?#]+/\d+)"', _answer(house, "/changes")),
        "DIGEST": _found(r'href="/artifacts/([^"?#]+)"', _answer(house, "/?kind=artifact.published")),
    }
    found = {}
    for page in (*_LISTS, *_OTHERS):
        word = next((word for word in words if page.endswith(word)), None)
        if word is None:
            found[page] = page
        elif (value := words[word]) is not None:
            found[page] = page.replace(word, quote(value, safe="/%:"))
    return found


def _busy(house: Served, trail: str) -> str | None:
    """A person who did more than fits on their page, so that both houses have as much to show."""
    people = dict.fromkeys(re.findall(r'href="/people/(s_[^"?#]+)"', trail))
    full = (one for one in people if "Older entries" in _answer(house, f"/people/{one}"))
    return next(full, next(iter(people), None))


def _found(pattern: str, html: str) -> str | None:
    found = re.search(pattern, html)
    return found[1] if found else None


def _read(
    houses: tuple[Served, Served], pages: dict[str, str], times: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds of each page in both houses, in turn, the first answer of each left out."""
    took: dict[str, tuple[list[float], list[float]]] = {page: ([], []) for page in pages}
    own = [_own(house, pages) for house in houses]
    for turn in range(times + 1):
        for page in pages:
            for house, there, addresses in zip(houses, took[page], own, strict=True):
                start = time.perf_counter()
                _answer(house, addresses[page])
                if turn:
                    there.append((time.perf_counter() - start) * 1000)
    return took


def _own(house: Served, pages: dict[str, str]) -> dict[str, str]:
    """Persons and deployments have other ids in each house; services and repositories the same names."""
    own = _pages(house)
    return {page: own[page] for page in pages}


def _answer(house: Served, path: str) -> str:
    status, body = house.ask("GET", path, headers={"authorization": f"Bearer {house.viewer}"})
    if status != 200 or not body.rstrip().endswith((b"</html>", b"</feed>")):
        raise RuntimeError(f"{path} answers {status}")
    return body.decode()


BENCHMARK = Benchmark("pages", "the pages of a house of 60,000 facts, and of one with 20 times as many", _run)
