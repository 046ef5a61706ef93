"""The follower: batches, rebuilding, and what happens when a fold fails or rows are of another log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app import follow
from deploytrail.app.follow import FOLLOWING, TABLES, Facts, Follower, Following, take_turns
from deploytrail.app.searching import Searching
from deploytrail.errors import Refused
from deploytrail.facts.entry import Entry
from deploytrail.projections import registry
from deploytrail.projections.trail import TRAIL
from deploytrail.store.derived_memory import MemoryDerived
from deploytrail.store.derived_sql import SqlDerived
from tests.app.small_house import SmallHouse
from tests.projections.telling import NOON


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    made = SmallHouse(tmp_path)
    yield made
    made.close()


def tell(house: SmallHouse, count: int) -> None:
    for n in range(count):
        house.deploy(str(n), NOON + n, version=str(n % 5), actor="ada")


def test_it_catches_up(house: SmallHouse) -> None:
    tell(house, 3)
    assert house.follower.catch_up() == 3
    tell(house, 2)
    assert (house.follower.catch_up(until=4), house.derived.cursor()) == (4, 4)
    assert house.follower.catch_up() == 5
    assert house.follower.state.size == 5
    assert house.ask.projected() == 5


def test_batches_and_progress(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BATCH", 2)
    told: list[int] = []
    house.follower.listeners.append(told.append)
    tell(house, 5)
    steps: list[tuple[int, int]] = []
    house.follower.catch_up(progress=lambda done, of: steps.append((done, of)))
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert told == [2, 4, 5]


def test_a_rebuild_gives_the_same_rows(tmp_path: Path) -> None:
    house = SmallHouse(tmp_path, SqlDerived(tmp_path / "derived.db", TABLES))
    for n in range(6):
        tell(house, 2)
        house.tell("reports.separated", deployment="0", index=n)
        house.follow()
    house.erase("ada")
    house.follow()
    live = house.derived.digest()
    house.follower.rebuild()
    assert house.derived.digest() == live
    assert house.derived.cursor() == house.log.head().size
    house.close()


class Stumbling:
    """A projection that cannot take one entry."""

    name, version, tables, kinds = "stumbling", 1, (), None

    def __init__(self, at: int) -> None:
        self.at = at

    def fold(self, index: int, entry: Entry, rows: Any) -> None:
        if index == self.at:
            raise KeyError("a field that was not there")


def test_a_fold_that_raises_stops_the_follower_and_nothing_else(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BATCH", 2)
    tell(house, 2)
    house.follow()
    monkeypatch.setattr(registry, "PROJECTIONS", (*registry.PROJECTIONS, Stumbling(5)))
    # Another set of projections makes the rows anew; that fails as well, and the old ones stay.
    tell(house, 4)
    assert [house.follower.turn() for _ in range(4)] == [True, True, False, False]
    state = house.follower.state
    assert "KeyError" in state.words
    assert "a field that was not there" in state.words
    assert state.since == NOON
    assert house.derived.cursor() == 2
    assert house.ask.log().followers == [("projections", 2, state.words)]
    # The log goes on.
    tell(house, 1)
    assert house.log.head().size == 7
    # A version that can take the entry goes on.
    monkeypatch.undo()
    assert house.follow() == 7
    assert house.follower.state.words == ""


def test_what_was_folded_before_the_stumble_stays(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PROJECTIONS", (*registry.PROJECTIONS, Stumbling(5)))
    monkeypatch.setattr(follow, "BATCH", 2)
    tell(house, 6)
    with pytest.raises(KeyError):
        house.follow()
    assert house.derived.cursor() == 4
    assert house.derived.get(TRAIL, 3) is not None
    assert house.derived.get(TRAIL, 4) is None


def test_another_set_of_projections_means_to_begin_anew(house: SmallHouse) -> None:
    tell(house, 3)
    house.follow()
    rows = house.derived.begin()
    rows.put(FOLLOWING, Following("versions", "older:1"))
    stray = house.derived.get(TRAIL, 0)
    assert stray is not None
    rows.put(TRAIL, msgspec.structs.replace(stray, index=99))
    house.derived.commit(rows, 3)
    assert house.follow() == 3
    assert house.derived.get(TRAIL, 99) is None


def test_rows_of_another_log_are_made_anew(tmp_path: Path) -> None:
    derived = MemoryDerived(TABLES)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = SmallHouse(tmp_path / "one", derived), SmallHouse(tmp_path / "two", derived)
    tell(one, 5)
    one.follow()
    # As after a restored older copy: shorter, or as long and different.
    tell(two, 3)
    assert two.follow() == 3
    assert derived.get(TRAIL, 4) is None
    before = derived.digest()
    assert two.follow() == 3
    assert derived.digest() == before
    one.close()
    two.close()


def test_a_log_that_lost_entries_is_named(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(house, 4)
    rows = house.log.entries(0, 4)
    monkeypatch.setattr(house.log, "entries", lambda start, stop: [rows[0], rows[2], rows[3]])
    with pytest.raises(Refused, match="lost entries between 0 and 4"):
        house.follow()


def test_followers_take_turns_until_there_is_nothing_new(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BATCH", 2)
    tell(house, 5)
    facts = Facts(house.log)
    one = Follower(house.log, house.derived, house.clock, facts)
    two = Searching(house.log, house.index, house.disclose, house.clock, facts)
    heard: list[tuple[str, int]] = []
    one.listeners.append(lambda size: heard.append(("one", size)))
    two.listeners.append(lambda size: heard.append(("two", size)))
    looks: list[float] = []

    def rest(seconds: float) -> bool:
        looks.append(seconds)
        if len(looks) == 5:
            tell(house, 1)
        return len(looks) < 7

    reads = counted(house, monkeypatch)
    take_turns([one, two], facts, rest)
    turns = [(name, size) for size in (2, 4, 5) for name in ("one", "two")]
    # The fourth look found nothing new.
    assert heard == [*turns, ("one", 5), ("two", 5), ("one", 6), ("two", 6), ("one", 6), ("two", 6)]
    assert [bool(seconds) for seconds in looks] == [False, False, False, True, True, True, True]
    # Each entry was read once for both.
    assert reads == [(0, 2), (2, 4), (4, 5), (5, 6)]


def counted(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is read from the log, from now on."""
    reads: list[tuple[int, int]] = []
    entries = house.log.entries

    def reading(start: int, stop: int) -> Any:
        reads.append((start, stop))
        return entries(start, stop)

    monkeypatch.setattr(house.log, "entries", reading)
    return reads


def test_what_is_made_anew_while_others_take_turns_replaces_what_stands_at_the_end(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BATCH", 2)
    tell(house, 5)
    house.follow()
    rows = house.derived.begin()
    rows.put(FOLLOWING, Following("versions", "older:1"))
    house.derived.commit(rows, 5)
    heard: list[int] = []
    one = Follower(house.log, house.derived, house.clock)
    one.listeners.append(heard.append)
    assert [one.turn(), one.turn()] == [True, True]
    # The old ones answer.
    assert (heard, house.derived.get(FOLLOWING, "versions")) == ([], Following("versions", "older:1"))
    with one.paused():
        pass
    # It begins again, since what it made may hold what is not to be known any more.
    assert [one.turn(), one.turn(), one.turn(), one.turn()] == [True, True, False, False]
    assert heard == [5, 5]
    assert house.derived.get(FOLLOWING, "versions") != Following("versions", "older:1")


def test_two_followers_never_fold_at_once(house: SmallHouse) -> None:
    tell(house, 30)
    other = Follower(house.log, house.derived, house.clock)
    assert other.state.size == 0
    threads = [threading.Thread(target=house.follower.catch_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = MemoryDerived(TABLES)
    Follower(house.log, fresh, house.clock).catch_up()
    assert fresh.digest() == house.derived.digest()
