"""Capacity: what the disk still takes, how long that lasts, and who may still record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploytrail.app.access import HOUSE
from deploytrail.app.capacity import AREA, Capacity, Quotas
from deploytrail.errors import Refused
from deploytrail.store.folder import Folder
from tests.app.real_house import RealHouse
from tests.app.small_house import draft

HOUR = 3_600_000
DAY = 24 * HOUR
MB = 1_000_000


class Disk:
    """A disk that says what it is told to."""

    def __init__(self) -> None:
        self.parts, self.left = {"trail": 100 * MB, "derived": 50 * MB}, 1000 * MB

    def sizes(self) -> dict[str, int]:
        return self.parts

    def free(self) -> int | None:
        return self.left


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RealHouse]:
    made = RealHouse(tmp_path)
    yield made
    made.close()


def capacity(house: RealHouse, disk: Disk, **quotas: int) -> Capacity:
    made = Capacity(disk, house.log, house.log, house.clock, Quotas(**{"reserve": 100 * MB, **quotas}))
    house.recorder.full = made.full
    return made


def test_a_disk_that_runs_full_takes_nothing_from_outside_but_what_the_house_records(
    house: RealHouse, disk: Disk
) -> None:
    asked = capacity(house, disk)
    house.tell("deployment.started", deployment="1", service="s", environment="e")
    disk.left = 99 * MB
    house.clock.at += 1000
    with pytest.raises(Refused, match=r"Only 99\.0 MB are free") as caught:
        house.tell("deployment.started", deployment="2", service="s", environment="e")
    assert (caught.value.code, caught.value.after) == ("unavailable", 60)
    with pytest.raises(Refused, match="disk-reserve"):
        house.deliver("ping", {"zen": "one", "hook_id": 1}).result(10)
    drafts = [draft("test.finished", repository="r", sha="a" * 40, name="n")]
    [refused] = house.recorder.record_each(drafts).result(10)
    assert isinstance(refused, Refused)
    assert "disk-reserve" in refused.words
    size = house.log.head().size
    opened = draft("log.opened", origin="example.org/log", vkey="v")
    house.recorder.record_now(msgspec.structs.replace(opened, source=HOUSE))
    house.settle()
    signed = house.log.checkpoint()
    assert signed is not None
    assert signed.size == size + 1
    disk.left = 100 * MB
    house.clock.at += 1000
    house.tell("deployment.started", deployment="2", service="s", environment="e")
    assert asked.view().words == ""


def test_the_disk_is_looked_at_once_a_second(house: RealHouse, disk: Disk) -> None:
    asked = capacity(house, disk)
    assert not asked.fresh
    assert asked.full() is None
    assert asked.fresh
    disk.left = 0
    assert asked.full() is None
    house.clock.at += 1000
    assert not asked.fresh
    assert asked.full() is not None


def test_without_a_reserve_or_without_knowing_nothing_is_refused(house: RealHouse, disk: Disk) -> None:
    disk.left = 0
    assert capacity(house, disk, reserve=0).full() is None
    disk.left = None  # type: ignore[assignment]
    asked = capacity(house, disk)
    assert asked.full() is None
    assert asked.view().free is None


def test_the_quota_of_bytes(house: RealHouse, disk: Disk) -> None:
    assert capacity(house, disk, bytes=151 * MB).full() is None
    full = capacity(house, disk, bytes=150 * MB).full()
    assert full is not None
    assert full.code == "unavailable"
    assert "150.0 MB" in full.words
    assert "quota-bytes" in full.words


def test_the_quota_of_a_day_ends_at_midnight(house: RealHouse, disk: Disk) -> None:
    house.clock.at = house.clock.at // DAY * DAY + 23 * HOUR
    asked = capacity(house, disk, entries=2)
    for name in "ab":
        house.clock.at += 1000
        house.tell("deployment.started", deployment=name, service="s", environment="e")
    house.clock.at += 1000
    with pytest.raises(Refused, match="2 entries today") as caught:
        house.tell("deployment.started", deployment="c", service="s", environment="e")
    assert (caught.value.code, caught.value.after) == ("busy", 3598)
    assert asked.view().today == 2
    house.clock.at += HOUR
    house.tell("deployment.started", deployment="c", service="s", environment="e")
    assert asked.view().today == 1


def test_a_restart_knows_how_large_the_log_was_this_morning(house: RealHouse, disk: Disk) -> None:
    house.clock.at = house.clock.at // DAY * DAY
    capacity(house, disk).sample()
    house.tell("deployment.started", deployment="1", service="s", environment="e")
    house.clock.at += 5 * HOUR
    asked = capacity(house, disk)
    assert asked.view().today == 1
    asked.sample()
    assert capacity(house, disk).view().today == 1


def test_one_sample_an_hour_for_eight_days(house: RealHouse, disk: Disk) -> None:
    asked = capacity(house, disk)
    for _ in range(10 * 24 * 2):
        asked.sample()
        house.clock.at += HOUR // 2
    kept = [row["at"] for _, row in house.log.items(AREA)]
    assert len(kept) == 8 * 24
    assert kept == sorted(kept)
    assert kept[-1] - kept[0] == (8 * 24 - 1) * HOUR


def test_a_forecast_needs_some_hours_and_growth(house: RealHouse, disk: Disk) -> None:
    asked = capacity(house, disk)
    asked.sample()
    disk.parts["trail"] += 60 * MB
    house.clock.at += 6 * HOUR - 1
    assert (asked.view().full_in_ms, asked.view().grown) == (None, None)
    house.clock.at += 1
    # 900 MB until the reserve, 60 MB in six hours.
    assert asked.view().full_in_ms == 15 * 6 * HOUR
    assert (asked.view().grown, asked.view().over_ms) == (60 * MB, 6 * HOUR)
    disk.parts["trail"] -= 60 * MB
    assert (asked.view().full_in_ms, asked.view().grown) == (None, 0)


def test_the_forecast_is_for_what_is_full_first(house: RealHouse, disk: Disk) -> None:
    asked = capacity(house, disk, bytes=270 * MB)
    asked.sample()
    disk.parts["trail"] += 60 * MB
    house.clock.at += DAY
    assert asked.view().full_in_ms == DAY
    disk.left = 50 * MB
    assert asked.view().full_in_ms == 0


@pytest.mark.sqlite
def test_the_folder_knows_its_files_with_their_journals(house: RealHouse) -> None:
    house.tell("deployment.started", deployment="1", service="s", environment="e")
    folder = Folder(house.data)
    sizes = folder.sizes()
    assert set(sizes) == {"trail", "keys", "derived", "search"}
    journal = (house.data / "trail.db-wal").stat().st_blocks * 512
    assert sizes["trail"] > journal > 0
    free = folder.free()
    assert free is not None
    assert free > 0
    assert Folder(house.data / "nowhere").free() is None
