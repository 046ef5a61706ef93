"""Memory of the real server: idle after its start, and on a house of a million facts after it took in some
more and eight readers at a time followed links from page to page.

Resident memory (RSS) counts, libraries that other processes share included, and what the followers'
process has besides; the proportional share (PSS) of both stands beside it. Pages of SQLite's files are in the
system's cache and not counted.
"""

from __future__ import annotations

import html
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.bench.fact import told
from tests.bench.figure import READING, Benchmark, Figure, Sizes, demand
from tests.bench.import_http import caught_up, send, started
from tests.bench.large import large, made_in
from tests.bench.proc import memory_mb, pid_of
from tests.bench.served import Measured
from tests.crash.served import Served
from tests.main.running import short_folder

# Seconds after which a house that started is idle.
_SETTLE_S: Final = 2.0
_PAGES: Final = 1_000
_READERS: Final = 8
# Facts that are told before the pages are looked at.
_FACTS: Final = 10_000
# Pages of this house. What is downloaded or signs somebody out is no page.
_LINK: Final = re.compile(rb'href="(/(?!static/|sign-|log/|/)[^"#]*)"')


def _run(sizes: Sizes) -> Iterator[Figure]:
    settle_s = min(_SETTLE_S, sizes.seconds)
    with short_folder() as folder:
        house = Measured(folder)
        try:
            started(house)
            yield _figure(house, settle_s, "memory.idle", caught_up(house), "memory.idle")
            _look(house, sizes.times(_PAGES))
            yield _figure(house, settle_s, "memory.idle.seen", caught_up(house))
        finally:
            house.kill()
    made = large(sizes)
    with short_folder() as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        house = Measured(folder)
        try:
            started(house)
            size = caught_up(house)
            demand(size >= made_in(made)["facts"], f"there are only {size} entries")
            yield _figure(house, settle_s, "memory.million.idle", size)
            _work(house, sizes.times(_FACTS))
            _look(house, sizes.times(_PAGES))
            yield _figure(house, settle_s, "memory.million", size, "memory.million")
        finally:
            house.kill()


def _work(house: Served, facts: int) -> None:
    """Tell it some more, so that what writes has filled its caches too."""
    lines = list(told(facts, "memory"))
    send(house, lines)
    caught_up(house)


def _look(house: Served, most: int) -> None:
    """Follow links from page to page, breadth first, eight readers at a time."""
    headers = {"authorization": f"Bearer {house.viewer}"}
    seen, waiting = {"/"}, ["/"]

    def asked(path: str) -> bytes:
        status, body = house.ask("GET", path, headers=headers)
        demand(status < 500, f"{path} answers {status}")
        return body

    with ThreadPoolExecutor(_READERS) as readers:
        while waiting and most > 0:
            now, waiting = waiting[:most], []
            most -= len(now)
            for body in readers.map(asked, now):
                links = {html.unescape(found.decode()) for found in _LINK.findall(body)} - seen
                seen |= links
                waiting += sorted(links)


def _figure(house: Served, settle_s: float, name: str, size: int, goal: str | None = None) -> Figure:
    time.sleep(settle_s)
    rss, pss = memory_mb(pid_of(house))
    more = {"pss_mb": round(pss, 1), "entries": size}
    return Figure(name, rss, "MB", READING, more=more, goals={goal: rss} if goal else {})


BENCHMARK = Benchmark("memory", "memory of the server, idle and with a million facts", _run)
