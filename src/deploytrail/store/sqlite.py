"""Opening SQLite so that "committed" means "on the disk", and refusing what cannot promise that.

SQLite 3.7.0 to 3.51.2 can damage a WAL database when two connections write or checkpoint at once (fixed in
3.51.3). Three guards: pysqlite3's own newer library where it has a wheel; one writer connection, which
also does all checkpoints, while readers are query-only; and `affected()` for the status page.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool, StaticPool

from deploytrail.errors import Refused

try:
    import pysqlite3.dbapi2 as _newer

    _driver: ModuleType = _newer
except ImportError:
    _driver = sqlite3

FIXED_IN: Final = (3, 51, 3)
PAGE: Final = 8192
# SQLite's own numbers for PRAGMA synchronous.
_SYNCHRONOUS: Final = {"OFF": 0, "NORMAL": 1, "FULL": 2}
_writers = threading.Lock()


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


def _begin_write(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_read(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _connect(path: Path, synchronous: str, readonly: bool) -> Any:
    connection = _driver.connect(str(path), timeout=10, check_same_thread=False, isolation_level=None)
    run = connection.execute
    if readonly:
        run("PRAGMA query_only=ON")
        run("PRAGMA cache_size=-8192")
        return connection
    run(f"PRAGMA page_size={PAGE}")
    run("PRAGMA secure_delete=ON")
    run(f"PRAGMA synchronous={synchronous}")
    run("PRAGMA fullfsync=ON")
    run("PRAGMA journal_size_limit=67108864")
    run("PRAGMA wal_autocheckpoint=2000")
    run("PRAGMA cache_size=-32768")
    mode = run("PRAGMA journal_mode=WAL").fetchone()[0]
    kept = run("PRAGMA synchronous").fetchone()[0]
    if str(mode).lower() != "wal" or kept != _SYNCHRONOUS[synchronous]:
        connection.close()
        raise Refused(
            "unavailable",
            f"SQLite did not grant journal_mode=WAL with synchronous={synchronous} here (got {mode}, {kept}). "
            "Put the data folder on a local disk.",
        )
    return connection


def truncate_journal(engine: sa.Engine) -> None:
    """Move everything from the journal into the database and cut the journal to nothing."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy is None or busy[0]:
            raise Refused("busy", "The journal is being read; the deleted bytes are still in it. Try again.")
