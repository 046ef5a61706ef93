"""Facts told one by one are handed in together, each gets its own answer, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from deploytrail.app.ports import Placed, Submission
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.web.gather import Gather
from tests.app.real_house import RealHouse


def draft(id: str, kind: str = "x-told") -> Draft:
    return told.parse(
        b'{"kind": "%s", "id": "%s"}' % (kind.encode(), id.encode()), source="ci", received_at=1
    )


@pytest.fixture
def house(tmp_path: Path) -> Any:
    made = RealHouse(tmp_path)
    made.recorder.start()
    yield made
    made.recorder.stop()


def tell_all(gather: Gather, *drafts: Draft) -> list[Any]:
    async def run() -> list[Any]:
        tasks = [asyncio.create_task(gather.tell(draft)) for draft in drafts]
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(run())


def test_each_hears_where_its_own_fact_stands(house: RealHouse) -> None:
    gather = Gather(house.recorder)
    first = house.log.head().size
    placed = tell_all(gather, *(draft(f"a{n}") for n in range(200)))
    assert sorted(one.index for one in placed) == list(range(first, first + 200))
    for n, one in enumerate(placed):
        [row] = house.log.entries(one.index, one.index + 1)
        assert f'"id":"a{n}"'.encode() in row.body
        assert one.leaf == row.leaf == leaf_hash(row.body)
    [again] = tell_all(gather, draft("a7"))
    assert (again, again.leaf) == (Placed(placed[7].index, True), None)


def test_what_came_meanwhile_goes_together(house: RealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    append = house.log.append

    def counted(batch: Sequence[Submission], differs: Any = None) -> Any:
        asked.append(len(batch))
        time.sleep(0.05)
        return append(batch, differs)

    monkeypatch.setattr(house.log, "append", counted)
    placed = tell_all(Gather(house.recorder), *(draft(f"b{n}") for n in range(40)))
    assert all(isinstance(one, Placed) for one in placed)
    assert sum(asked) == 40
    assert len(asked) < 10


def test_one_that_is_refused_harms_no_other(house: RealHouse) -> None:
    gather = Gather(house.recorder)
    bad = msgspec.structs.replace(draft("bad"), received_at=10**18)
    other, refused, different = tell_all(gather, draft("c"), bad, draft("c", kind="x-other"))
    assert isinstance(other, Placed)
    assert [refused.code, different.code] == ["bad-input", "conflict"]
    [after] = tell_all(gather, draft("d"))
    assert isinstance(after, Placed)


def test_who_hangs_up_keeps_nobody_from_an_answer(house: RealHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    may, append = Event(), house.log.append

    def waiting(batch: Sequence[Submission], differs: Any = None) -> Any:
        assert may.wait(10)
        return append(batch, differs)

    monkeypatch.setattr(house.log, "append", waiting)
    gather = Gather(house.recorder)

    async def run() -> Placed:
        gone, stays = (asyncio.create_task(gather.tell(draft(n))) for n in ("e", "f"))
        await asyncio.sleep(0.05)
        gone.cancel()
        may.set()
        return await stays

    assert isinstance(asyncio.run(run()), Placed)
