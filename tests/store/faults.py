"""A driver whose commits fail on demand, and whose answers to pragmas can be told; and a full disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deploytrail.store import sqlite
from deploytrail.store.log_sql import SqlLog

REAL: Any = sqlite._driver
# SQLITE_IOERR_FSYNC and SQLITE_FULL, sqlite.org/rescode.html.
IOERR_FSYNC = 1034
FULL = 13


class Faults:
    """`commits` are faults of the next commits: "lost" (before it), "kept" (after it) or "full" (lost,
    since the disk is full). `pragmas` are answers in the place of SQLite's own; `flushes` are statements that
    fail while they flush.
    """

    def __init__(self) -> None:
        self.commits: list[str] = []
        self.pragmas: dict[str, Any] = {}
        self.flushes: set[str] = set()

    def commit(self, really: Callable[[], None]) -> None:
        """Commit, or not, and fail as told."""
        fault = self.commits.pop(0) if self.commits else None
        if fault in (None, "kept"):
            really()
        if fault is not None:
            raise _failed(FULL if fault == "full" else IOERR_FSYNC)


def _failed(code: int = IOERR_FSYNC) -> Any:
    error: Any = REAL.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


class _Answer:
    def __init__(self, value: Any) -> None:
        self._value = value

    def fetchone(self) -> tuple[Any]:
        return (self._value,)


class Driver:
    """The real driver but for its connections."""

    def __init__(self, faults: Faults) -> None:
        class Connection(REAL.Connection):  # type: ignore[misc,name-defined]
            def commit(self) -> None:
                faults.commit(super().commit)

            def execute(self, text: str, *more: Any) -> Any:
                if text in faults.flushes:
                    raise _failed()
                answer = faults.pragmas.get(text)
                return super().execute(text, *more) if answer is None else _Answer(answer)

        self._connection = Connection

    def __getattr__(self, name: str) -> Any:
        return getattr(REAL, name)

    def connect(self, *args: Any, **more: Any) -> Any:
        """A connection with these faults."""
        return REAL.connect(*args, factory=self._connection, **more)


def install(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Give every database opened from now on a faulty driver."""
    faults = Faults()
    monkeypatch.setattr(sqlite, "_driver", Driver(faults))
    return faults


def limit(log: SqlLog, pages: int) -> None:
    """Let a log's file grow to so many pages and no further, as on a full disk."""
    sqlite.driver_of(log._database._writing._connection).execute(f"PRAGMA max_page_count={pages}")
