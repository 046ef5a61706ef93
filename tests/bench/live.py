"""A delivery on open pages: from its first byte sent to the event in the hands of each of 200 viewers.

The real server with 200 open feeds, as open pages hold them, and signed deliveries at intervals that follow
no rhythm, so that they meet the house's own pauses anywhere. Viewers and sender share one process here,
whose work is part of what is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, Final

import uvloop

from tests.bench.figure import FULL, Benchmark, Figure, Sizes, demand
from tests.bench.import_http import started
from tests.bench.measure import percentile
from tests.bench.proc import cpu_s, pid_of
from tests.bench.served import Measured
from tests.bench.wire import Replies
from tests.crash.items import SECRET, SOURCE
from tests.crash.served import Served
from tests.intake.deliveries import own_samples
from tests.main.running import delivery_headers, short_folder

VIEWERS: Final = 200
_DELIVERIES: Final = 100
# Seconds between two deliveries, drawn evenly.
_BETWEEN: Final = (0.02, 0.5)
_PATIENCE_S: Final = 20.0
_EVENT: Final = "deployment_status"
_ID: Final = re.compile(rb"(?:^|\n)id: (\d+)\n")


class Viewer(asyncio.Protocol):
    """One open feed: when each entry came, by its index. `ready` once it is open."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waits: tuple[int, asyncio.Future[None]] | None = None
        self.newest = -1

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.ready.done() and b"retry:" in data:
            self.ready.set_result(None)
        for found in _ID.findall(data):
            self.newest = int(found)
            self.came[self.newest] = now
        if self.waits is not None and self.newest >= self.waits[0] and not self.waits[1].done():
            self.waits[1].set_result(None)

    async def until(self, index: int) -> None:
        """Wait for the event of an entry."""
        if self.newest < index:
            self.waits = (index, asyncio.get_running_loop().create_future())
            await asyncio.wait_for(self.waits[1], _PATIENCE_S)


class Sender(Replies):
    """The connection that deliveries come over: one answer at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.next: asyncio.Future[tuple[bytes, bytes]]

    def answered(self, head: bytes, body: bytes) -> None:
        self.next.set_result((head, body))

    async def deliver(self, event: str, raw: bytes, number: int) -> int:
        """Send one signed delivery; the last entry it led to. Void if it is refused or leads to none."""
        id = f"{number:08x}-0000-4000-8000-000000000000"
        headers = delivery_headers(event, raw, id=id, secret=SECRET)
        lines = [f"POST /hooks/{SOURCE} HTTP/1.1", "Host: localhost", f"Content-Length: {len(raw)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.next = asyncio.get_running_loop().create_future()
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + raw)
        head, body = await asyncio.wait_for(self.next, _PATIENCE_S)
        told = json.loads(body)
        demand(head[9:12] == b"202" and told["status"] == "recorded", f"not recorded: {body[:300]!r}")
        return int(told["entries"][-1])


def _run(sizes: Sizes) -> Iterator[Figure]:
    viewers, times = min(VIEWERS, sizes.of(VIEWERS)), sizes.times(_DELIVERIES)
    with short_folder() as folder:
        house = Measured(folder)
        try:
            started(house)
            before = cpu_s(pid_of(house))
            took = uvloop.run(_watched(house, viewers, times * sizes.runs))
            cpu = (cpu_s(pid_of(house)) - before) * 1000 / (times * sizes.runs)
        finally:
            house.kill()
    p50, p95, worst = percentile(took, 0.5), percentile(took, 0.95), max(took)
    more = {
        "p50_ms": round(p50, 2),
        "worst_ms": round(worst, 2),
        "viewers": viewers,
        "deliveries": times * sizes.runs,
        "cpu_ms_per_delivery": round(cpu, 2),
    }
    yield Figure("live", p95, "ms p95", FULL, more=more, goals={"live.p95": p95})


async def _watched(house: Served, viewers: int, times: int) -> list[float]:
    """Milliseconds of each delivery to each viewer."""
    watching = await _open(house, viewers)
    _, sender = await asyncio.get_running_loop().create_connection(Sender, "127.0.0.1", house.port)
    found, drawn = [], Random(2)
    for number in range(times):
        await asyncio.sleep(drawn.uniform(*_BETWEEN))
        body = _body(number)
        start = time.perf_counter()
        index = await sender.deliver(_EVENT, body, number)
        await asyncio.gather(*(viewer.until(index) for viewer in watching))
        found += [(viewer.came[index] - start) * 1000 for viewer in watching]
    every = {index for viewer in watching for index in viewer.came}
    demand(all(set(viewer.came) == every for viewer in watching), "two viewers were told different entries")
    return found


@cache
def _sample() -> dict[str, Any]:
    return next(one for one in own_samples() if one.name == f"{_EVENT}.success").decoded()


def _body(number: int) -> bytes:
    """A status of a deployment that nobody heard of before."""
    told = _sample()
    told["deployment_status"]["id"], told["deployment"]["id"] = 900_000 + number, 500_000 + number
    return json.dumps(told).encode()


async def _open(house: Served, viewers: int) -> list[Viewer]:
    loop = asyncio.get_running_loop()
    request = (
        f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.viewer}\r\n\r\n"
    ).encode()
    watching = []
    for _ in range(viewers):
        transport, viewer = await loop.create_connection(Viewer, "127.0.0.1", house.port)
        transport.write(request)
        watching.append(viewer)
    await asyncio.wait_for(asyncio.gather(*(viewer.ready for viewer in watching)), _PATIENCE_S)
    return watching


BENCHMARK = Benchmark("live", "a signed delivery to 200 open pages", _run)
