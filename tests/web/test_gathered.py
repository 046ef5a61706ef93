"""Single facts are handed in together, and each has an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from deploytrail.app.disclose import Disclose
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Placed
from deploytrail.app.record import Recorder
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.log_memory import MemoryLog
from deploytrail.web import gathered
from deploytrail.web.gathered import Gathered
from tests.app.small_house import Chance
from tests.projections.telling import NOON


class Counting(Recorder):
    """The real recorder; `handed` is how many facts came with each handing in."""

    def __init__(self) -> None:
        log, keyring = MemoryLog(), MemoryKeyring()
        vault = Vault(b"k" * 32, Chance())
        super().__init__(log, Persons(keyring, vault, Chance()), Disclose(log, keyring, log))
        self.handed: list[int] = []

    def record_each(self, drafts: list[Draft], *, size: int = 0) -> Future[list[Placed | Refused]]:  # type: ignore[override]
        self.handed.append(len(drafts))
        return super().record_each(drafts, size=size)


@pytest.fixture
def recorder() -> Iterator[Counting]:
    made = Counting()
    made.start()
    yield made
    made.stop()


def one(number: int, title: str = "same") -> Draft:
    line = b'{"kind":"x-post","id":"post-%d","title":"%s"}' % (number, title.encode())
    return told.parse(line, source="hub", received_at=NOON)


def test_what_comes_at_once_is_handed_in_once_and_answered_one_by_one(recorder: Counting) -> None:
    async def tell() -> list[Placed | BaseException]:
        at_hand = Gathered(recorder)
        facts = [one(1), one(2), one(1), one(2, "other"), one(3)]
        return await asyncio.gather(*(at_hand.record(each, 100) for each in facts), return_exceptions=True)

    answers = asyncio.run(tell())
    assert recorder.handed == [5]
    placed = [(each.index, each.repeat) for each in answers if isinstance(each, Placed)]
    assert placed == [(0, False), (1, False), (0, True), (2, False)]
    refused = answers[3]
    assert isinstance(refused, Refused)
    assert refused.code == "conflict"


def test_much_is_handed_in_at_once(recorder: Counting) -> None:
    async def tell() -> None:
        at_hand = Gathered(recorder)
        many = [at_hand.record(one(n), 100) for n in range(gathered._MOST + 1)]
        heavy = [at_hand.record(one(1_000 + n), gathered._WEIGHT) for n in range(2)]
        await asyncio.gather(*many, *heavy)

    asyncio.run(tell())
    assert recorder.handed == [gathered._MOST, 2, 1]


def test_each_round_has_a_handing_in_of_its_own(recorder: Counting) -> None:
    async def tell() -> list[int]:
        at_hand = Gathered(recorder)
        return [(await at_hand.record(one(n), 100)).index for n in range(3)]

    assert asyncio.run(tell()) == [0, 1, 2]
    assert recorder.handed == [1, 1, 1]


def test_whoever_stops_waiting_takes_nothing_back(recorder: Counting) -> None:
    async def tell() -> Placed:
        at_hand = Gathered(recorder)
        gone, stays = at_hand.record(one(1), 100), at_hand.record(one(2), 100)
        gone.cancel()
        return await stays

    assert asyncio.run(tell()).index == 1


def test_a_refusal_of_all_is_told_to_each(recorder: Counting) -> None:
    recorder.closed = "The disk failed."

    async def tell() -> list[Placed | BaseException]:
        at_hand = Gathered(recorder)
        return await asyncio.gather(*(at_hand.record(one(n), 9) for n in range(2)), return_exceptions=True)

    first, second = asyncio.run(tell())
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert (first.code, first.words, second.words) == ("unavailable", "The disk failed.", "The disk failed.")
    # Each is raised somewhere else.
    assert first is not second


def test_nobody_is_left_without_an_answer(recorder: Counting) -> None:
    def broken() -> None:
        raise OSError("no look at the disk")

    recorder.full = broken

    async def tell() -> Placed:
        asyncio.get_running_loop().set_exception_handler(lambda loop, said: None)
        return await asyncio.wait_for(Gathered(recorder).record(one(1), 9), timeout=20)

    with pytest.raises(OSError, match="no look"):
        asyncio.run(tell())


def test_an_answer_after_the_end_of_the_loop_harms_nobody(recorder: Counting) -> None:
    async def tell() -> None:
        Gathered(recorder).record(one(1), 9)
        await asyncio.sleep(0)

    # Nothing is appended before the loop is closed.
    with recorder._appending:
        asyncio.run(tell())
    assert recorder.handed == [1]
    assert recorder.record([one(2)]).result(timeout=20)[0].index == 1
