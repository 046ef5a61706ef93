"""Sealing: signed and published in that order, again after every interruption, and never a second history."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app import seal as sealing
from deploytrail.app.ports import Head, Signed
from deploytrail.app.seal import Sealer
from deploytrail.errors import Refused
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store.log_memory import MemoryLog
from deploytrail.tlog import checkpoint
from deploytrail.tlog.note import Verifier
from tests.app.small_house import ORIGIN, Chance, Clock
from tests.notary.test_file_signer import grow, refused

WAIT = 20


class Watched(FileSigner):
    """The real signer, which counts and can be told to fail."""

    signed = 0
    failing: Exception | None = None

    def sign(self, bodies: Any, head: Head) -> Signed:
        if self.failing is not None:
            raise self.failing
        self.signed += 1
        return super().sign(bodies, head)


class House:
    """A sealer over a memory log and a real signer's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "signer"
        self.log, self.clock = MemoryLog(), Clock()
        FileSigner.create(self.folder, ORIGIN, Chance())
        grow(self.log, "a", "b", "c")
        self.made: list[Sealer] = []
        self.open()

    def open(self) -> Sealer:
        self.signer = Watched(self.folder, ORIGIN)
        self.sealer = Sealer(self.log, self.signer, self.clock)
        self.told: list[str] = []
        self.sealer.on_refusal = self.told.append
        self.made.append(self.sealer)
        return self.sealer

    def published(self) -> int:
        signed = self.log.checkpoint()
        return -1 if signed is None else signed.size


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(sealing, "PAUSE", 0.01)
    made = House(tmp_path)
    yield made
    for sealer in made.made:
        sealer.stop()


def test_the_newest_head_is_signed_and_published(house: House) -> None:
    sizes: list[int] = []
    house.sealer.listeners.append(sizes.append)
    signed = house.sealer.seal()
    assert signed == house.log.checkpoint()
    assert signed is not None
    opened = checkpoint.open_note(signed.note, [Verifier.parse(house.sealer.vkey)])
    assert (opened.size, opened.root) == (3, house.log.head().root)
    assert (house.sealer.state, house.sealer.words, house.sealer.signed_at) == ("signed", "", house.clock.at)
    assert sizes == [3]


def test_nothing_new_is_neither_signed_nor_told(house: House) -> None:
    sizes: list[int] = []
    house.sealer.listeners.append(sizes.append)
    first = house.sealer.seal()
    at = house.clock.at
    house.clock.at += 5_000
    assert house.sealer.seal() == first
    assert house.signer.signed == 1
    assert sizes == [3]
    # The time is that of the signature, not of the last look.
    assert house.sealer.signed_at == at
    grow(house.log, "d")
    house.sealer.seal()
    assert sizes == [3, 4]
    assert house.sealer.signed_at == house.clock.at


def test_an_empty_log_is_sealed(tmp_path: Path) -> None:
    log = MemoryLog()
    sealer = Sealer(log, FileSigner.create(tmp_path / "signer", ORIGIN, Chance()), Clock())
    sealer.check()
    sealer.seal()
    assert log.checkpoint() is not None
    grow(log, "a")
    sealer.seal()
    assert [signed.size for signed in log.checkpoints()] == [0, 1]


def test_a_listener_cannot_harm_the_sealing(house: House) -> None:
    sizes: list[int] = []

    def broken(size: int) -> None:
        raise RuntimeError("a broken listener")

    house.sealer.listeners += [broken, sizes.append]
    house.sealer.start()
    for size in (3, 4, 5):
        assert house.sealer.wait(size, WAIT)
        grow(house.log, str(size))
    assert house.sealer.wait(6, WAIT)
    house.sealer.stop()
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 6


# In the background.


class Patient(threading.Event):
    """Waits for being set alone, and never looks by itself."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait()


def test_waiting_for_what_is_there_returns_at_once(house: House) -> None:
    house.sealer.seal()
    # Nobody seals, and nothing is new.
    assert house.sealer.wait(3, 0)
    assert house.sealer.wait(0, 0)
    assert not house.sealer.wait(4, 0.05)


def test_waiting_wakes_the_sealer(house: House) -> None:
    house.sealer._wake = Patient()
    house.sealer.start()
    assert house.sealer.wait(3, WAIT)
    grow(house.log, "d")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(house.sealer.wait, 4, WAIT) for _ in range(4)]
    assert [each.result() for each in waiting] == [True] * 4
    assert house.published() == 4


def test_stopping_seals_a_last_time(house: House) -> None:
    house.sealer._wake = Patient()
    house.sealer.start()
    assert house.sealer.wait(3, WAIT)
    grow(house.log, "d")
    house.sealer.stop()
    assert house.published() == 4


@pytest.mark.parametrize(
    "error",
    [Refused("unavailable", "The disk is full."), Refused("busy", "b"), OSError(5, "no"), KeyError("x")],
)
def test_trouble_that_may_pass_is_tried_again(house: House, error: Exception) -> None:
    house.signer.failing = error
    house.sealer.start()
    assert not house.sealer.wait(3, 0.1)
    assert house.sealer.state == "behind"
    assert house.sealer.words
    assert house.told == []
    house.signer.failing = None
    assert house.sealer.wait(3, WAIT)
    house.sealer.stop()
    assert (house.sealer.state, house.sealer.words) == ("signed", "")


@pytest.mark.parametrize("how", ["failed", "persisted"])
def test_a_failing_publication_is_made_up_for(house: House, how: Any) -> None:
    house.log.fail("publish", how)
    assert refused(house.sealer.seal).code == "unavailable"
    assert house.published() == (3 if how == "persisted" else -1)
    house.log.reopen()
    house.sealer.seal()
    assert house.published() == 3
    assert house.signer.signed == 1
    assert house.told == []


# After a restart.


def stopped_between_signing_and_publishing(house: House) -> None:
    house.log.fail("publish", "failed")
    refused(house.sealer.seal)
    house.open()


def test_what_was_signed_and_not_published_is_published(house: House) -> None:
    stopped_between_signing_and_publishing(house)
    house.sealer.check()
    assert house.published() == 3
    assert house.signer.signed == 0


def test_a_log_that_grew_meanwhile_is_sealed_further(house: House) -> None:
    stopped_between_signing_and_publishing(house)
    grow(house.log, "d")
    house.sealer.check()
    assert house.published() == 3
    house.sealer.seal()
    assert [signed.size for signed in house.log.checkpoints()] == [3, 4]


def test_sealing_alone_makes_up_for_it_too(house: House) -> None:
    stopped_between_signing_and_publishing(house)
    house.sealer.seal()
    assert house.published() == 3
    assert house.signer.signed == 0


def rewritten(house: House) -> None:
    house.log = MemoryLog()
    grow(house.log, "a", "B", "c", "d")


def rolled_back(house: House) -> None:
    house.log = MemoryLog()
    grow(house.log, "a", "b")


def emptied(house: House) -> None:
    house.log = MemoryLog()


def without_record(house: House) -> None:
    (house.folder / "record").unlink()


def with_an_older_record(house: House) -> None:
    shutil.copy(house.folder / "record", house.folder / "kept")
    grow(house.log, "d")
    house.sealer.seal()
    shutil.copy(house.folder / "kept", house.folder / "record")


def with_another_published_root(house: House) -> None:
    signed = house.log.checkpoint()
    assert signed is not None
    house.log._checkpoints[signed.size] = signed._replace(root=bytes(32))


def without_part_of_the_tree(house: House) -> None:
    house.log._entries.pop(1)


@pytest.mark.parametrize(
    "change",
    [
        rewritten,
        rolled_back,
        emptied,
        without_record,
        with_an_older_record,
        with_another_published_root,
        without_part_of_the_tree,
    ],
)
def test_another_history_is_refused_for_good(house: House, change: Callable[[House], None]) -> None:
    house.sealer.check()
    house.sealer.seal()
    change(house)
    house.open()
    refusal = refused(house.sealer.check)
    assert refusal.code == "untrue"
    assert house.sealer.state == "refused"
    assert house.told == [refusal.words]
    before = house.published()
    grow(house.log, *(f"more {n}" for n in range(9)))
    assert refused(house.sealer.seal).words == refusal.words
    house.sealer.start()
    assert not house.sealer.wait(house.log.head().size, WAIT)
    house.sealer.stop()
    assert house.published() == before
    assert house.signer.signed == 0
    assert len(house.told) == 1


def test_a_history_rewritten_while_it_runs_is_refused(house: House) -> None:
    house.sealer.seal()
    grow(house.log, "d")
    # An entry that was not signed yet is changed behind the sealer's back.
    house.log._entries[3] = house.log._entries[3]._replace(body=b"D")
    assert refused(house.sealer.seal).code == "untrue"
    assert house.sealer.state == "refused"
    assert house.told == [house.sealer.words]
    assert house.published() == 3
    assert not house.sealer.wait(4, WAIT)


def test_two_sealers_of_one_signer_never_sign_two_histories(house: House) -> None:
    other = House.__new__(House)
    other.folder, other.log, other.clock, other.made = house.folder, MemoryLog(), Clock(), []
    grow(other.log, "x", "y")
    twin = other.open()
    house.sealer.seal()
    assert refused(twin.seal).code == "untrue"
    assert twin.state == "refused"
    assert other.log.checkpoint() is None
    house.sealer.seal()
    assert house.published() == 3


def test_a_broken_alarm_changes_nothing(house: House) -> None:
    def broken(words: str) -> None:
        raise RuntimeError("a broken alarm")

    house.sealer.seal()
    rolled_back(house)
    house.open().on_refusal = broken
    assert refused(house.sealer.check).code == "untrue"
    assert house.sealer.state == "refused"
