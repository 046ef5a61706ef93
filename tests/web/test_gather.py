"""Facts told one by one are handed in together, each gets its own answer, and nobody is left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from deploytrail.app.ports import Placed
from deploytrail.app.record import Recorder
from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.web.gather import Gather
from tests.app.real_house import RealHouse

Make = Callable[[], Draft]


def draft(id: str, kind: str = "x-told") -> Draft:
    return told.parse(
        b'{"kind": "%s", "id": "%s"}' % (kind.encode(), id.encode()), source="ci", received_at=1
    )


class Slow:
    """A recorder that lets nothing through before it may, and counts how often it is asked."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.may, self.asked = Event(), []

    def record_each(self, drafts: Sequence[Draft]) -> Future[list[Placed | Refused]]:
        self.asked.append(len(drafts))
        assert self.may.wait(10)
        return self._recorder.record_each(drafts)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    made = RealHouse(tmp_path)
    made.recorder.start()
    yield made
    made.recorder.stop()


def tell_all(gather: Gather, *makes: Make, then: Callable[[], None] = lambda: None) -> list[Any]:
    async def run() -> list[Any]:
        tasks = [asyncio.create_task(gather.tell(make)) for make in makes]
        await asyncio.sleep(0.05)
        then()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(run())


def test_each_hears_where_its_own_fact_stands(house: RealHouse) -> None:
    gather = Gather(house.recorder)
    first = house.log.head().size
    placed = tell_all(gather, *(lambda n=n: draft(f"a{n}") for n in range(200)))
    assert sorted(one.index for one in placed) == list(range(first, first + 200))
    for n, one in enumerate(placed):
        [row] = house.log.entries(one.index, one.index + 1)
        assert f'"id":"a{n}"'.encode() in row.body
        assert one.leaf == row.leaf == leaf_hash(row.body)
    [again] = tell_all(gather, lambda: draft("a7"))
    assert (again, again.leaf) == (Placed(placed[7].index, True), None)


def test_what_came_meanwhile_goes_together(house: RealHouse) -> None:
    slow = Slow(house.recorder)
    gather = Gather(cast(Recorder, slow))
    placed = tell_all(gather, *(lambda n=n: draft(f"b{n}") for n in range(40)), then=slow.may.set)
    assert all(isinstance(one, Placed) for one in placed)
    assert len(slow.asked) <= 4, "two threads, and what waited for them"
    assert sum(slow.asked) == 40


def test_one_that_is_refused_harms_no_other(house: RealHouse) -> None:
    def unreadable() -> Draft:
        raise Refused("bad-input", "That is no fact.")

    gather = Gather(house.recorder)
    other, bad, different = tell_all(
        gather, lambda: draft("c"), unreadable, lambda: draft("c", kind="x-other")
    )
    assert (bad.code, bad.words) == ("bad-input", "That is no fact.")
    answers = [one for one in (other, different) if isinstance(one, Placed)]
    assert len(answers) == 1, "one of the two came first"


def test_nobody_is_left_waiting_when_it_breaks(house: RealHouse) -> None:
    def broken() -> Draft:
        raise ZeroDivisionError

    gather = Gather(house.recorder)
    [one] = tell_all(gather, broken)
    assert (one.code, "not known" in one.words) == ("unavailable", True)
    [after] = tell_all(gather, lambda: draft("d"))
    assert isinstance(after, Placed)


def test_who_hangs_up_keeps_nobody_from_an_answer(house: RealHouse) -> None:
    slow = Slow(house.recorder)
    gather = Gather(cast(Recorder, slow))

    async def run() -> Placed:
        gone, stays = (asyncio.create_task(gather.tell(lambda n=n: draft(n))) for n in ("e", "f"))
        await asyncio.sleep(0.05)
        gone.cancel()
        slow.may.set()
        return await stays

    assert isinstance(asyncio.run(run()), Placed)
