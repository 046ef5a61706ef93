"""The follower: batches, rebuilding, and what happens when a fold fails or rows are of another log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app import follow
from deploytrail.app.follow import FOLLOWING, TABLES, Follower, Following
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


def test_batches_grow_when_far_behind(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "BATCH", 1)
    monkeypatch.setattr(follow, "_FAR", 5)
    monkeypatch.setattr(follow, "_LARGE", 4)
    tell(house, 7)
    steps: list[int] = []
    house.follower.catch_up(progress=lambda done, _: steps.append(done))
    assert steps == [4, 5, 6, 7]


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

    name, version, tables = "stumbling", 1, ()

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
    house.follower.run(threading.Event(), threading.Event())
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


def test_it_runs_until_it_is_stopped(house: SmallHouse) -> None:
    stop, wake, reached = threading.Event(), threading.Event(), threading.Event()
    tell(house, 2)
    sizes: list[int] = []

    def heard(size: int) -> None:
        sizes.append(size)
        if size == 5:
            reached.set()

    house.follower.listeners.append(heard)
    thread = threading.Thread(target=house.follower.run, args=(stop, wake))
    thread.start()
    tell(house, 3)
    wake.set()
    assert reached.wait(timeout=20)
    stop.set()
    wake.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
    # Who listens hears at once where we stand, then every step.
    assert sizes[0] == 0
    assert sizes == sorted(sizes)


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


def test_it_ends_in_the_middle_of_much_and_goes_on_from_there(house: SmallHouse) -> None:
    tell(house, 30)
    stop, wake = threading.Event(), threading.Event()
    house.follower.listeners.append(lambda size: stop.set() if size else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "BATCH", 10)
        house.follower.run(stop, wake)
        assert house.derived.cursor() == 10
        assert house.follower.state.words == ""
        assert house.follow() == 30
