"""Memory of the real server: idle after its start, and on a house of a million facts after its pages were
looked at: links are followed from page to page.

Resident memory (RSS) counts, libraries that other processes share included; the proportional share (PSS)
stands beside it. Pages of SQLite's files are in the system's cache and not counted.
"""

from __future__ import annotations

import html
import re
import shutil
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from tests.bench.figure import READING, Benchmark, Figure, Sizes, demand
from tests.bench.import_http import caught_up, started
from tests.bench.large import large, made_in
from tests.bench.proc import memory_mb, pid_of
from tests.crash.served import Served
from tests.main.running import short_folder

# Seconds after which a house that started is idle.
_SETTLE_S: Final = 2.0
_PAGES: Final = 1_000
# Pages of this house. What is downloaded or signs somebody out is no page.
_LINK: Final = re.compile(rb'href="(/(?!static/|sign-|log/|/)[^"#]*)"')


def _run(sizes: Sizes) -> Iterator[Figure]:
    settle_s = min(_SETTLE_S, sizes.seconds)
    with short_folder() as folder:
        house = Served(folder)
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
        house = Served(folder)
        try:
            started(house)
            size = caught_up(house)
            demand(size >= made_in(made)["facts"], f"there are only {size} entries")
            yield _figure(house, settle_s, "memory.million.idle", size)
            _look(house, sizes.times(_PAGES))
            yield _figure(house, settle_s, "memory.million", size, "memory.million")
        finally:
            house.kill()


def _look(house: Served, most: int) -> None:
    """Follow links from page to page, breadth first."""
    headers = {"authorization": f"Bearer {house.viewer}"}
    seen, waiting = {"/"}, deque(["/"])
    for _ in range(most):
        if not waiting:
            return
        path = waiting.popleft()
        status, body = house.ask("GET", path, headers=headers)
        demand(status < 500, f"{path} answers {status}")
        for found in _LINK.findall(body):
            link = html.unescape(found.decode())
            if link not in seen:
                seen.add(link)
                waiting.append(link)


def _figure(house: Served, settle_s: float, name: str, size: int, goal: str | None = None) -> Figure:
    time.sleep(settle_s)
    rss, pss = memory_mb(pid_of(house))
    more = {"pss_mb": round(pss, 1), "entries": size}
    return Figure(name, rss, "MB", READING, more=more, goals={goal: rss} if goal else {})


BENCHMARK = Benchmark("memory", "memory of the server, idle and with a million facts", _run)
