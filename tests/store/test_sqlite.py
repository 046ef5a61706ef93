"""SQLite on a real disk: what it grants, what it forgets, and how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from deploytrail.app.ports import Blob, Damaged, Placed, RawDelivery, Signed, Submission
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store import schema, sqlite
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.sqlite import Writer, open_engine
from tests.app.small_house import Chance
from tests.contracts.test_log import add, bodies, one, told, whole
from tests.store import faults


def files(path: Path) -> bytes:
    return b"".join(
        Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if Path(f"{path}{end}").exists()
    )


# What it grants.


def test_the_writer_is_durable(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    with log._database._writing.begin() as tx:
        asked = {
            name: tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2}
    log.close()


def test_a_place_without_a_journal_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        Writer(Path(":memory:"))
    assert refusal.value.code == "unavailable"
    assert "local disk" in refusal.value.words


@pytest.mark.parametrize(
    ("pragma", "answer"),
    [("PRAGMA journal_mode=WAL", "delete"), ("PRAGMA synchronous", 1), ("PRAGMA secure_delete", 0)],
)
def test_what_is_not_granted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pragma: str, answer: Any
) -> None:
    faults.install(monkeypatch).pragmas[pragma] = answer
    for opening in (
        lambda: SqlLog(tmp_path / "log.db"),
        lambda: SqlKeyring(tmp_path / "keys.db", Vault(b"k" * 32, Chance())),
    ):
        with pytest.raises(Refused) as refusal:
            opening()
        assert refusal.value.code == "unavailable"


def test_readers_cannot_write(tmp_path: Path) -> None:
    SqlLog(tmp_path / "log.db").close()
    readers = open_engine(tmp_path / "log.db", synchronous="FULL", readonly=True)
    with pytest.raises(sa.exc.OperationalError, match="readonly"), readers.connect() as tx:
        tx.execute(schema.entry.insert().values(idx=0, leaf=b"", body=b""))
    readers.dispose()
    log = SqlLog(tmp_path / "log.db", write=False)
    for writing in (lambda: log.append([one(told("a"))]), lambda: log.put("link", "a", {}), log.scrub):
        with pytest.raises(Refused) as refusal:
            writing()
        assert refusal.value.code == "unavailable"
    assert log.head().size == 0
    log.close()


def test_there_must_be_something_to_read(tmp_path: Path) -> None:
    for opening in (
        lambda: SqlLog(tmp_path / "log.db", write=False),
        lambda: SqlKeyring(tmp_path / "keys.db", Vault(b"k" * 32, Chance()), write=False),
    ):
        with pytest.raises(Refused) as refusal:
            opening()
        assert refusal.value.code == "not-found"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(Refused, match="not a database"):
        SqlLog(tmp_path / "log.db")
    with pytest.raises(Refused, match="unable to open"):
        SqlLog(tmp_path / "no folder" / "log.db")


def test_the_defect_of_old_libraries_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "version", lambda: (3, 51, 3))
    assert sqlite.affected() is None
    monkeypatch.setattr(sqlite, "version", lambda: (3, 40, 1))
    assert "3.40.1" in (sqlite.affected() or "")


# What it forgets.


def test_erased_bytes_leave_every_file(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    secrets = {n: os.urandom(24) + b"SECRET" + os.urandom(200) for n in range(300)}
    for n, secret in secrets.items():
        raw = RawDelivery("hub", b"m%d" % n, None, n, "push", secret[:64], secret + os.urandom(9_000))
        blobs = (Blob("s_a", secret), Blob("s_b", b"kept"))
        add(log, told(f"entry {n}", blobs=blobs), delivery=raw)
    assert files(tmp_path / "log.db").count(b"SECRET") >= 600
    # Idle readers hold nothing back.
    log.disclosures(range(300))
    assert log.erase_disclosures("s_a") == 300
    log.forget_deliveries([row for row, _, index in log.deliveries() if index % 2])
    assert log.expire_deliveries(10**6) == 150
    log.scrub()
    left = files(tmp_path / "log.db")
    assert b"SECRET" not in left
    assert not any(secret[:24] in left for secret in secrets.values())
    assert (tmp_path / "log.db-wal").stat().st_size == 0
    whole(log)
    log.close()


def test_redacted_bytes_leave_every_file(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    long = b"SECRET" * 5_000
    add(log, told("a", blobs=(Blob("s_a", long),)), told("b", blobs=(Blob("s_a", b"SECRET short"),)))
    log.redact(0, Blob("s_a", b"less"))
    log.redact(1, Blob("s_a", b"le"))
    log.put("secret", "x", {"sealed": "SECRET"})
    log.take("secret", "x")
    log.scrub()
    assert b"SECRET" not in files(tmp_path / "log.db")
    log.close()


def test_forgotten_keys_leave_every_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    keyring = SqlKeyring(path, Vault(b"k" * 32, Chance()))
    macs = {f"s_{n}": os.urandom(32) for n in range(400)}
    keyring.learn([(subject, os.urandom(32), [mac]) for subject, mac in macs.items()])
    gone = [f"s_{n}" for n in range(0, 400, 40)]
    with keyring._database._writing.begin() as tx:
        wrapped = {row.subject: row.key for row in tx.execute(sa.select(schema.subject_key))}
    for subject in gone:
        assert macs[subject] in files(path)
        keyring.forget(subject)
    left = files(path)
    for subject in macs:
        assert (macs[subject] in left) == (wrapped[subject] in left) == (subject not in gone)
    keyring.close()


def test_a_reader_is_waited_for(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    add(
        log,
        *(told(str(n)) for n in range(1_500)),
        *(told("x", blobs=(Blob("s_a", b"SECRET"),)) for _ in range(9)),
    )
    reading = log._database._readers.connect()
    reading.execute(sa.select(schema.entry)).fetchmany(1)
    log.erase_disclosures("s_a")
    with pytest.raises(Refused) as refusal:
        log._database._writing.truncate_journal(patience=0.2)
    assert refusal.value.code == "busy"
    # The log goes on meanwhile.
    scrubbing = threading.Thread(target=log.scrub)
    scrubbing.start()
    assert add(log, told("meanwhile"))[0].index == 1_509
    reading.close()
    scrubbing.join(timeout=30)
    assert not scrubbing.is_alive()
    assert b"SECRET" not in files(tmp_path / "log.db")
    log.close()


# How it fails.


def fill(log: SqlLog) -> None:
    for n in range(1, 1_000):
        assert add(log, told(os.urandom(4_000), id=f"n{n}"))[0].index == n


def test_a_full_disk_records_nothing_and_heals(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    add(log, told("a", id="1"))
    faults.limit(log, 40)
    with pytest.raises(Refused) as refusal:
        fill(log)
    taken = log.head().size
    assert refusal.value.code == "unavailable"
    assert not isinstance(refusal.value, Damaged)
    assert "disk is full" in refusal.value.words
    assert taken > 10
    assert log.find("ci", f"n{taken - 1}") == taken - 1
    assert log.find("ci", f"n{taken}") is None
    whole(log)
    # As soon as there is room it goes on, without a restart.
    faults.limit(log, 10_000)
    assert add(log, told("again", id=f"n{taken}")) == [Placed(taken, False)]
    whole(log)
    log.close()
    log = SqlLog(tmp_path / "log.db")
    assert log.head().size == taken + 1
    whole(log)
    log.close()


def test_a_commit_that_finds_the_disk_full_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = faults.install(monkeypatch)
    log = SqlLog(tmp_path / "log.db")
    faulty.commits.append("full")
    with pytest.raises(Refused, match="disk is full"):
        add(log, told("a", id="1"))
    assert log.head().size == 0
    assert add(log, told("b", id="2")) == [Placed(0, False)]
    whole(log)
    log.close()


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_after_a_failed_flush_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    injected = faults.install(monkeypatch)
    log = SqlLog(tmp_path / "log.db")
    add(log, told("a"))
    injected.commits = [fault]
    with pytest.raises(Damaged):
        log.append([one(told("b", id="b"))])
    # A later flush that succeeds would not make up for the one that failed.
    for writing in (
        lambda: log.append([one(told("c"))]),
        lambda: log.publish(Signed(1, b"r", b"note")),
        lambda: log.put("link", "a", {}),
        lambda: log.take("link", "a"),
        lambda: log.erase_disclosures("s_a"),
    ):
        with pytest.raises(Damaged):
            writing()
    kept = fault == "kept"
    assert bodies(log) == ([b"a", b"b"] if kept else [b"a"])
    log.close()
    log = SqlLog(tmp_path / "log.db")
    whole(log)
    assert log.append([one(told("b", id="b"))]) == [[Placed(1, kept)]]
    whole(log)
    log.close()


@pytest.mark.parametrize("statement", ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"])
def test_after_a_failed_scrubbing_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    injected = faults.install(monkeypatch)
    log = SqlLog(tmp_path / "trail.db")
    injected.flushes.add(statement)
    with pytest.raises(Damaged):
        log.purge()
    injected.flushes.clear()
    for writing in (lambda: log.append([one(told("a"))]), log.scrub, log.purge):
        with pytest.raises(Damaged):
            writing()
    assert log.head().size == 0
    log.close()


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_a_keyring_that_failed_learns_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    injected = faults.install(monkeypatch)
    keyring = SqlKeyring(tmp_path / "keys.db", Vault(b"k" * 32, Chance()))
    injected.commits = [fault]
    for _ in range(2):
        with pytest.raises(Damaged):
            keyring.learn([("s_a", b"a" * 32, [b"1"])])
    keyring.close()
    keyring = SqlKeyring(tmp_path / "keys.db", Vault(b"k" * 32, Chance()))
    assert keyring.subjects() == (["s_a"] if fault == "kept" else [])
    keyring.close()


_CHILD = """
import os, resource, sys
from pathlib import Path
from deploytrail.app.ports import Pending, Submission
from deploytrail.errors import Refused
from deploytrail.store.log_sql import SqlLog
log = SqlLog(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))
for n in range(1_000):
    try:
        [answer] = log.append([Submission((Pending(os.urandom(3_000), "ci", str(n), (), ()),))])
    except Refused as refusal:
        print(n, refusal.code)
        break
    assert answer[0].index == n
"""


def test_a_file_that_may_not_grow_costs_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    ran = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    taken, code = ran.stdout.split()
    assert code == "unavailable"
    assert int(taken) > 10
    log = SqlLog(path)
    whole(log)
    assert log.head().size == int(taken)
    assert [log.find("ci", str(n)) for n in range(int(taken))] == list(range(int(taken)))
    assert log.append([Submission((told("on it goes"),))]) == [[Placed(int(taken), False)]]
    whole(log)
    log.close()


def test_two_writers_do_not_tear_the_log(tmp_path: Path) -> None:
    first, second = SqlLog(tmp_path / "log.db"), SqlLog(tmp_path / "log.db")

    def write(log: SqlLog, name: str) -> None:
        for n in range(30):
            log.append([one(told(f"{name} {n}", id=f"{name} {n}"))])

    threads = [
        threading.Thread(target=write, args=(log, name)) for log, name in ((first, "a"), (second, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert first.head() == second.head()
    assert first.head().size == 60
    whole(first)
    first.close()
    second.close()
