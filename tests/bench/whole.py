"""A whole house in this process: all rooms and all followers, without doors. Fed, waited for, and judged."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from deploytrail import config, main
from deploytrail.app.house import House
from deploytrail.app.ports import Placed
from deploytrail.facts import told
from deploytrail.store.folder import Folder
from deploytrail.tlog.checkpoint import open_note
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.verifier import Verifier
from tests.bench.figure import demand

BATCH: Final = 100
# Batches handed in and not yet answered: as many as a few senders have under way.
_UNDER_WAY: Final = 10
_PATIENCE_S: Final = 900.0
ORIGIN: Final = "bench.example.org/log"


@contextmanager
def whole(folder: Path) -> Iterator[House]:
    """A house in FOLDER/data with its signer in FOLDER/signer, followers running, to the end of the block."""
    data = Folder(folder / "data")
    data.make()
    settings = config.settings_of(
        {"data": str(folder / "data"), "signer": str(folder / "signer"), "origin": ORIGIN}
    )
    rooms = main.Rooms(data, settings, main.following(settings))
    try:
        rooms.start()
        yield rooms.house
    finally:
        rooms.close()


def hand_in(house: House, lines: Iterable[bytes]) -> int:
    """Read, seal and record lines in batches of a hundred, each durable when this returns; how many."""
    under_way: deque[Future[Any]] = deque()
    rest, count = iter(lines), 0
    while some := list(islice(rest, BATCH)):
        now = house.clock.now()
        drafts = [told.parse(line, source="bench", received_at=now) for line in some]
        under_way.append(house.recorder.record_each(drafts, size=sum(map(len, some))))
        count += len(some)
        if len(under_way) > _UNDER_WAY:
            _settle(under_way.popleft())
    while under_way:
        _settle(under_way.popleft())
    return count


def _settle(batch: Future[Any]) -> None:
    for placed in batch.result():
        demand(isinstance(placed, Placed), f"a fact was refused: {placed}")
        demand(not placed.repeat, "a fact counted as a repeat")


def caught_up(house: House) -> int:
    """Wait until everything is signed, published and known to every follower; the size of the log."""
    end = time.monotonic() + _PATIENCE_S
    size = house.log.head().size
    while time.monotonic() < end:
        signed, view = house.log.checkpoint(), house.ask.log()
        words = [words for _, _, words in view.followers if words]
        demand(not words, f"a follower stopped: {words}")
        if signed is not None and signed.size >= size and all(at >= size for _, at, _ in view.followers):
            return size
        time.sleep(0.002)
    demand(False, f"the followers did not catch up within {_PATIENCE_S:.0f} s")
    return size


def judge(house: House, told_facts: int) -> None:
    """Void unless the log is dense, its root recomputed is the one that was signed, and no row is missing."""
    size, signed = house.log.head().size, house.log.checkpoint()
    frontier, at = Frontier.EMPTY, 0
    while rows := house.log.entries(at, at + 5_000):
        demand([row.index for row in rows] == list(range(at, at + len(rows))), f"there is a gap behind {at}")
        frontier, _ = frontier.extend(sha256(b"\0" + row.body).digest() for row in rows)
        at += len(rows)
    demand(at == size, f"{at} entries where the head says {size}")
    demand(signed is not None and signed.size == size, "the newest entries are not signed")
    assert signed is not None
    noted = open_note(signed.note, [Verifier.parse(house.vkey)])
    demand((noted.size, noted.root) == (size, frontier.root()), "the signed root is not that of the entries")
    demand(all(n == size for _, n, _ in house.ask.log().followers), "a follower is behind")
    demand(size >= told_facts, f"{told_facts} facts were told and there are {size} entries")


def rows_of(path: Path, table: str, where: str = "") -> int:
    """How many rows a table of a stopped or running house has."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0])


def bytes_of(folders: Sequence[Path]) -> int:
    """The bytes of all files below some folders."""
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
