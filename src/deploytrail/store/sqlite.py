"""Opening SQLite so that "committed" means "on the disk", and refusing what cannot promise that.

SQLite 3.7.0 to 3.51.2 can damage a WAL database when two connections write or checkpoint at once (fixed in
3.51.3). Three guards: pysqlite3's own newer library where it has a wheel; one writer connection, which
also does all checkpoints, while readers are query-only; and `affected()` for the status page.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool, StaticPool

from deploytrail.app.ports import Damaged
from deploytrail.errors import Refused
from deploytrail.store import migrations
from deploytrail.store.database import Database

try:
    import pysqlite3.dbapi2 as _newer

    _driver: ModuleType = _newer
except ImportError:
    _driver = sqlite3

FIXED_IN: Final = (3, 51, 3)
PAGE: Final = 8192
# SQLite's own numbers for PRAGMA synchronous.
_SYNCHRONOUS: Final = {"OFF": 0, "NORMAL": 1, "FULL": 2}
# SQLITE_FULL, and SQLITE_BUSY and SQLITE_LOCKED.
_FULL: Final = 13
_BUSY: Final = (5, 6)
# Seconds that a statement waits for another process.
_WAIT_S: Final = 10


def version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return tuple(int(part) for part in str(_driver.sqlite_version).split("."))


def affected() -> str | None:
    """Words about the WAL-reset defect, if this library has it."""
    if version() >= FIXED_IN:
        return None
    found = ".".join(map(str, version()))
    return (
        f"SQLite {found} can damage a database that two connections checkpoint at once (fixed in 3.51.3). "
        "This house writes and checkpoints over one connection only, which avoids it."
    )


def open_engine(path: Path, *, synchronous: str, readonly: bool = False) -> sa.Engine:
    """An engine on one database file: a single writer connection, or a pool of query-only readers.

    The writer's settings are read back; Refused("unavailable") if the file system does not grant them.
    """
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        module=_driver,
        creator=lambda: _connect(path, synchronous, readonly),
        poolclass=QueuePool if readonly else StaticPool,
        **({"pool_size": 8, "max_overflow": 16} if readonly else {}),
    )
    event.listen(engine, "begin", _begin_read if readonly else _begin_write)
    return engine


def open_reader(path: Path) -> Any:
    """A query-only connection of the driver's own, for whoever reads too often to go through an engine."""
    return _connect(path, "NORMAL", readonly=True)


def driver_of(tx: sa.Connection) -> Any:
    """The driver's own connection, within the same transaction: for statements that are said so often, or
    with so many values, that what an engine does around each would cost more than the statement.

    `Writer.begin` refuses what it raises as it does what an engine raises.
    """
    return tx.connection.driver_connection


def _begin_write(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_read(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _connect(path: Path, synchronous: str, readonly: bool) -> Any:
    connection = _driver.connect(str(path), timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
    run = connection.execute
    if readonly:
        run("PRAGMA query_only=ON")
        # Small, since there are dozens of readers and the system's own cache lies behind them.
        run("PRAGMA cache_size=-2048")
        return connection
    run(f"PRAGMA page_size={PAGE}")
    run("PRAGMA secure_delete=ON")
    run(f"PRAGMA synchronous={synchronous}")
    run("PRAGMA fullfsync=ON")
    run("PRAGMA journal_size_limit=67108864")
    run("PRAGMA wal_autocheckpoint=2000")
    run("PRAGMA cache_size=-16384")
    mode = run("PRAGMA journal_mode=WAL").fetchone()[0]
    kept = run("PRAGMA synchronous").fetchone()[0]
    zeroes = run("PRAGMA secure_delete").fetchone()[0]
    if (str(mode).lower(), kept, zeroes) != ("wal", _SYNCHRONOUS[synchronous], 1):
        connection.close()
        raise Refused(
            "unavailable",
            f"SQLite did not grant journal_mode=WAL, synchronous={synchronous} and secure_delete=ON here "
            f"(got {mode}, {kept}, {zeroes}). Put the data folder on a local disk.",
        )
    return connection


class Writer:
    """The one writing connection of a file, for one thread at a time.

    After Damaged it writes nothing more: a failed flush leaves it open what the disk holds, and a later one
    that succeeds would not make up for it.
    """

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        """Open the file, making it if need be. Refused("unavailable") if it cannot promise durability."""
        self._engine = open_engine(path, synchronous=synchronous)
        self._lock = threading.Lock()
        self._damage: str | None = None
        try:
            # Kept, since taking it from the engine and giving it back costs more than a transaction.
            self._connection = self._engine.connect()
        except sa.exc.DBAPIError as error:
            raise refusal(error) from error
        with self.begin():
            pass

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: committed and durable at the end, or nothing of it.

        Refused("unavailable") for a full disk, "busy" for another writer; Damaged otherwise.
        """
        with self._lock:
            if self._damage is not None:
                raise Damaged(self._damage)
            try:
                with self._connection.begin():
                    yield self._connection
            except (sa.exc.DBAPIError, _driver.DatabaseError) as error:
                # A commit that failed may have left its transaction open.
                with suppress(_driver.DatabaseError):
                    driver_of(self._connection).rollback()
                raise self._refused(error) from error

    def truncate_journal(self, *, patience: float = 5.0) -> None:
        """Move everything from the journal into the file and cut the journal to nothing.

        A reader that still looks at an older state is waited for, `patience` seconds in all, without the
        lock, so that writing goes on. Refused("busy") after that: deleted bytes are then still there.
        """
        until = monotonic() + patience
        while not self._truncated():
            if monotonic() >= until:
                raise Refused("busy", "The journal is being read; deleted bytes are still there. Try again.")
            sleep(0.05)

    def rewrite(self) -> None:
        """Write the whole file anew, so that nothing deleted is left even in the free space within a page.

        SQLite zeroes what it frees (secure_delete), but not the copy that stays behind when a row moves to
        another page because its neighbours grew or went. Writing waits meanwhile, some 4 ms for each MB; for
        that time it needs as much free disk again. Refused as `begin` and `truncate_journal`.
        """
        with self._alone() as driver:
            driver.execute("VACUUM")
        self.truncate_journal()

    def _truncated(self) -> bool:
        with self._alone() as driver:
            driver.execute("PRAGMA busy_timeout=50")
            try:
                return bool(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
            finally:
                driver.execute(f"PRAGMA busy_timeout={_WAIT_S * 1000}")

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        """The driver's own connection, for what may not stand in a transaction. Refused as `begin`."""
        with self._lock:
            if self._damage is not None:
                raise Damaged(self._damage)
            try:
                yield driver_of(self._connection)
            except _driver.DatabaseError as error:
                raise self._refused(error) from error

    def _refused(self, error: Exception) -> Refused:
        """What an error means; damage is remembered."""
        refused = refusal(error)
        if isinstance(refused, Damaged):
            self._damage = refused.words
        return refused


class SqliteDatabase:
    """Implements Database on one file: its readers and, in the process that holds the lock, its writer."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        """Open the file at `path`. With `write` it is made if need be: the caller holds the lock."""
        self.name = str(path)
        self._writer = Writer(path) if write else None
        if not write and not path.exists():
            raise Refused("not-found", f"There is no {path}.")
        self._readers = open_engine(path, synchronous="FULL", readonly=True)

    def make(self, tables: sa.MetaData) -> None:
        if self._writer is not None:
            with self.begin() as tx:
                migrations.upgrade(tx, tables)

    def begin(self) -> AbstractContextManager[sa.Connection]:
        return self._writing.begin()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        try:
            with self._readers.connect() as tx:
                yield tx
        except sa.exc.DBAPIError as error:
            raise refusal(error) from error

    def tell(self, tx: sa.Connection, size: int) -> None:
        """Nobody else reads a file while it is written, who would have to be told."""

    def scrub(self) -> None:
        # secure_delete has zeroed what was freed; now nothing older may stand in the journal.
        self._writing.truncate_journal()

    def purge(self) -> None:
        self._writing.rewrite()

    def close(self) -> None:
        self._readers.dispose()
        if self._writer is not None:
            self._writer.close()

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise Refused("unavailable", f"{self.name} was opened for reading only.")
        return self._writer


def database(where: Path | Database, *, write: bool = True) -> Database:
    """`where` itself, or the SQLite file that it names."""
    return SqliteDatabase(where, write=write) if isinstance(where, Path) else where


def refusal(error: Exception) -> Refused:
    """What an error, of the engine or of the driver, means to whoever waits for an acknowledgement."""
    cause = getattr(error, "orig", error)
    # The low byte is the primary code (sqlite.org/rescode.html).
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code == _FULL:
        return Refused(
            "unavailable", "The disk is full; nothing was recorded. Free some space and send it again."
        )
    if code in _BUSY:
        return Refused("busy", "The database is busy; nothing was recorded. Send it again.")
    return Damaged(
        f"The disk or the database failed ({cause}). What was not acknowledged may be lost; "
        "start the house again and send it again."
    )
