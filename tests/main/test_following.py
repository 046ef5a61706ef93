"""The followers in their own process: they go on, begin again, erase, make anew, and end with the house."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploytrail import config, main
from deploytrail.app.views import Filter
from deploytrail.facts import told
from deploytrail.store.folder import Folder
from tests import postgres
from tests.main.running import short_folder

ORIGIN = "example.org/log"


def settings_in(folder: Path) -> config.Settings:
    data, url = folder / "data", postgres.url_of(folder / "data")
    given = {"data": str(data), "signer": str(folder / "signer"), "origin": ORIGIN, "database_url": url}
    return config.settings_of(given)


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
def rooms(folder: Path) -> Iterator[main.Rooms]:
    settings = settings_in(folder)
    data = Folder(settings.data)
    data.make()
    made = main.Rooms(data, settings, main.following(settings))
    try:
        made.start()
        yield made
    finally:
        made.close()


def tell(rooms: main.Rooms, deployment: str, name: str = "Ada") -> int:
    fact = {
        "kind": "deployment.finished",
        "deployment": deployment,
        "service": "checkout",
        "environment": "production",
        "outcome": "succeeded",
        "actor": {"login": name.lower(), "name": f"{name} Zebra"},
    }
    draft = told.parse(json.dumps(fact).encode(), source="ci", received_at=1)
    return rooms.house.recorder.record_now(draft).index


def soon(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


def caught_up(rooms: main.Rooms) -> None:
    size = rooms.house.log.head().size
    soon(lambda: all(at == size and not words for _, at, words in rooms.house.ask.log().followers))


def process(rooms: main.Rooms) -> int:
    assert rooms._following is not None
    pid = rooms._following._process.pid
    assert pid is not None
    return pid


@pytest.mark.both
def test_what_is_recorded_is_on_the_pages_and_found(rooms: main.Rooms) -> None:
    index = tell(rooms, "1")
    caught_up(rooms)
    assert rooms.house.ask.trail(Filter(service="checkout"), None, None, 9).rows[0].index == index
    assert [row.index for row in rooms.house.ask.search("zebra", None, 9).rows] == [index]
    assert process(rooms) != os.getpid()


@pytest.mark.both
def test_followers_that_are_killed_begin_again(rooms: main.Rooms) -> None:
    tell(rooms, "1")
    caught_up(rooms)
    first = process(rooms)
    os.kill(first, signal.SIGKILL)
    index = tell(rooms, "2")
    soon(lambda: process(rooms) != first)
    caught_up(rooms)
    assert rooms.house.ask.trail(Filter(), None, None, 9).rows[0].index == index


def test_signals_for_the_whole_group_leave_the_end_to_the_house(rooms: main.Rooms) -> None:
    first = process(rooms)
    tell(rooms, "1")
    caught_up(rooms)
    os.kill(first, signal.SIGTERM)
    os.kill(first, signal.SIGINT)
    tell(rooms, "2")
    caught_up(rooms)
    assert process(rooms) == first


def test_rows_and_index_are_made_anew_while_pages_are_read(rooms: main.Rooms) -> None:
    tell(rooms, "1")
    caught_up(rooms)
    before = [row.index for row in rooms.house.ask.trail(Filter(), None, None, 9).rows]
    assert rooms.house.operate.do("rebuild", b"{}", "ada") == {"entries": rooms.house.log.head().size}
    index = tell(rooms, "2")
    caught_up(rooms)
    assert [row.index for row in rooms.house.ask.trail(Filter(), index, None, 9).rows] == before
    assert rooms.house.ask.search("zebra", None, 9).rows[0].index == index


def test_a_person_is_erased_from_the_index_of_the_other_process(rooms: main.Rooms) -> None:
    # Three letters may stand in a random name by chance.
    tell(rooms, "1", "Adaqxjvkw")
    other = tell(rooms, "2", "Ben")
    caught_up(rooms)
    assert len(rooms.house.ask.search("zebra", None, 9).rows) == 2
    rooms.house.operate.do("erase", b'{"who":"told:adaqxjvkw"}', "ben")
    caught_up(rooms)
    assert [row.index for row in rooms.house.ask.search("zebra", None, 9).rows] == [other]
    assert rooms.house.ask.search("adaqxjvkw", None, 9).rows == []
    assert b"adaqxjvkw" not in (rooms.settings.data / "search.db").read_bytes()


def test_an_erasure_is_finished_where_the_followers_ended_in_the_middle(
    rooms: main.Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(rooms, "1")
    caught_up(rooms)
    first = process(rooms)
    purge = rooms.house.log.purge

    def killing() -> None:
        os.kill(first, signal.SIGKILL)
        purge()

    monkeypatch.setattr(rooms.house.log, "purge", killing)
    with pytest.raises(main.Refused, match="has ended"):
        rooms.house.operate.do("erase", b'{"who":"told:ada"}', "ben")
    monkeypatch.undo()
    soon(lambda: process(rooms) != first)
    caught_up(rooms)
    assert rooms.house.ask.search("zebra", None, 9).rows == []


def test_a_file_that_cannot_be_opened_is_said_by_the_one_who_serves(folder: Path) -> None:
    settings = settings_in(folder)
    data = Folder(settings.data)
    data.make()
    settings.data.joinpath("derived.db").mkdir()
    beside = main.following(settings)
    with pytest.raises(main.Refused):
        main.Rooms(data, settings, beside)
    beside.stop()
    assert not beside._process.is_alive()


def test_followers_that_were_never_started_end_too(folder: Path) -> None:
    beside = main.following(settings_in(folder))
    beside.stop()
    assert beside._process.exitcode == 0
