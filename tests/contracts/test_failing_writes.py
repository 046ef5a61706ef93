"""Every write of every store fails in two ways, *failed* and *failed but persisted*, and is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deploytrail.app.ports import Blob, Damaged, Signed, Unsure
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store.database import Database
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_memory import MemoryLog
from deploytrail.store.log_sql import SqlLog
from tests.app.small_house import Chance
from tests.contracts import databases
from tests.contracts.test_log import Store, bodies, one, raw, told, whole

HOWS = ["failed", "persisted"]
WRITES: dict[str, Callable[[Any], Any]] = {
    "append": lambda log: log.append([one(told("new", id="7", about=("x",)), delivery=raw(b"m7", b"i7"))]),
    "publish": lambda log: log.publish(Signed(2, b"r" * 32, b"note")),
    "redact": lambda log: log.redact(0, Blob("s_a", b"less")),
    "erase_disclosures": lambda log: log.erase_disclosures("s_b"),
    "forget_deliveries": lambda log: log.forget_deliveries([row for row, _, _ in log.deliveries()][:1]),
    "expire_deliveries": lambda log: log.expire_deliveries(60),
    "put": lambda log: log.put("link", "a", {"new": True}),
    "change": lambda log: log.change("link", "a", {"new": True}),
    "take": lambda log: log.take("link", "a"),
}


class Failing:
    """A database whose next commit fails as told: not made at all, or made and not heard of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.next: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction, which fails as told."""
        how, self.next = self.next, None
        with self._database.begin() as tx:
            yield tx
            if how == "failed":
                raise Refused("unavailable", "The commit failed; nothing was recorded.")
        if how == "persisted":
            raise Unsure("The connection broke while committing.")


def state(log: Store) -> Any:
    """All that a write may change."""
    whole(log)
    signed = log.checkpoint()
    return {
        "bodies": bodies(log),
        "published": signed and signed.size,
        "disclosures": log.disclosures(range(10)),
        "deliveries": [(index, kept.mac) for _, kept, index in log.deliveries()],
        "seen": [log.seen(mac) for mac in (b"m1", b"m2", b"m7")],
        "touched": log.touched("x"),
        "links": log.items("link"),
    }


def fill(log: Store) -> None:
    log.append([one(told("a", id="1", blobs=(Blob("s_a", b"long"),)), delivery=raw(b"m1", b"i1", at=50))])
    log.append([one(told("b", id="2", blobs=(Blob("s_b", b"b"),)), delivery=raw(b"m2", b"i2", at=70))])
    log.put("link", "a", {"new": False})


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("sort", ["sqlite", "postgresql"])
def test_a_write_that_failed_is_made_again(sort: str, write: str, how: str, tmp_path: Path) -> None:
    with databases.new(sort, tmp_path, "trail") as database:
        failing = Failing(database)
        log = SqlLog(failing)
        fill(log)
        before = state(log)
        failing.next = how
        if (write, how) == ("append", "persisted"):
            # The log itself looks whether it stands there, which no other write can.
            WRITES[write](log)
        else:
            with pytest.raises(Refused):
                WRITES[write](log)
        assert (state(log) == before) is (how == "failed")
        WRITES[write](log)
        after = state(log)
        assert after != before
        # And as often as anybody likes.
        WRITES[write](log)
        if write != "forget_deliveries":
            assert state(log) == after
        log.close()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("write", WRITES)
def test_the_memory_store_fails_alike(write: str, how: Any) -> None:
    log = MemoryLog()
    fill(log)
    before = state(log)
    log.fail(write, how)
    with pytest.raises(Damaged if how == "persisted" else Refused):
        WRITES[write](log)
    assert (state(log) == before) is (how == "failed")


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("sort", ["sqlite", "postgresql"])
def test_a_keyring_that_failed_learns_and_forgets_again(sort: str, how: str, tmp_path: Path) -> None:
    with databases.new(sort, tmp_path, "keys") as database:
        failing = Failing(database)
        keyring = SqlKeyring(failing, Vault(b"k" * 32, Chance()))
        failing.next = how
        with pytest.raises(Refused):
            keyring.learn([("s_a", b"a" * 32, [b"1"])])
        assert keyring.subjects() == (["s_a"] if how == "persisted" else [])
        keyring.learn([("s_a", b"a" * 32, [b"1"])])
        assert (keyring.subject([b"1"]), keyring.key("s_a")) == ("s_a", b"a" * 32)
        failing.next = how
        with pytest.raises(Refused):
            keyring.forget("s_a")
        assert keyring.subjects() == ([] if how == "persisted" else ["s_a"])
        keyring.forget("s_a")
        assert (keyring.subjects(), keyring.subject([b"1"])) == ([], None)
        keyring.close()


def test_what_became_of_an_append_may_stay_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploytrail.store.log_sql._RETURN_S", 0.0)
    with databases.new("sqlite", tmp_path, "trail") as database:
        failing = Failing(database)
        log = SqlLog(failing)
        opened = failing.begin

        @contextmanager
        def gone() -> Iterator[sa.Connection]:
            if failing.next is None:
                raise Refused("unavailable", "Out of reach.")
            with opened() as tx:
                yield tx

        failing.next = "persisted"
        failing.begin = gone
        with pytest.raises(Unsure, match="not known"):
            log.append([one(told("a", id="1"))])
        failing.begin = opened
        [answer] = log.append([one(told("a", id="1"))])
        assert [(place.index, place.repeat) for place in answer] == [(0, True)]
        log.close()
