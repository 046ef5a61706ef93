"""A SQLite file whose content can be made again: a lost or torn one costs time, never a fact.

One process writes such a file. Another may read it: it lets go while a rebuilt one takes its place.

WAL with synchronous=NORMAL: after a power cut the file is whole and perhaps some batches old. A file that
cannot be read, was torn, or was made for other tables is deleted and begun anew. It is rebuilt beside the
standing one, which answers until the new one takes its place.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from deploytrail.errors import Refused
from deploytrail.store.sqlite import open_engine, open_reader

_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
# Readers that are kept open.
_READERS: Final = 8


class MadeAgain:
    """One such file at `path`: many readers, and with `write` the one writer connection that there may be.

    `letting_go` is entered while a rebuilt file takes the place of this one, when other processes read it.
    """

    def __init__(self, path: Path, *, synchronous: str = "NORMAL", write: bool = True) -> None:
        self.path = path
        self._synchronous = synchronous
        self._writing = threading.RLock()
        self._gate = _Gate()
        # Whoever reads takes one from here and puts it back.
        self._idle: list[Any] = []
        self._writer: sa.Engine | None = None
        self.letting_go: Callable[[], AbstractContextManager[Any]] = nullcontext
        if write:
            self._open()

    def close(self) -> None:
        """Release every connection; the journal is then part of the file."""
        self._close_readers()
        if self._writer is not None:
            self._writer.dispose()

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """Nobody reads to the end of the block, and nothing is held open."""
        with self._gate.alone():
            self._close_readers()
            yield

    def replace(self, other: Any) -> None:
        """Put a rebuilt one in the place of this one, atomically."""
        assert isinstance(other, MadeAgain)
        other._close_readers()
        # All of it must be in the file itself before the file gets its name.
        other._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        other.close()
        with other.path.open("rb") as file:
            os.fsync(file.fileno())
        with self._writing, self.letting_go(), self._gate.alone():
            self.close()
            # The old journal must be gone before the new file has its name: it would be read into it.
            for companion in _COMPANIONS[1:]:
                _unlink(self.path, companion)
            other.path.replace(self.path)
            for companion in _COMPANIONS:
                _unlink(other.path, companion)
            self._open()

    # For those who derive from it.

    def _ddl(self) -> list[str]:
        """The statements that make the tables, each harmless when they are there."""
        raise NotImplementedError

    def _begin_rows(self) -> list[str]:
        """The statements that make the rows of an empty file, each harmless when they are there."""
        raise NotImplementedError

    def _trusted(self) -> bool:
        """Whether what stands in a whole file may be believed."""
        return True

    def _connected(self) -> None:
        """Called with every new writer connection."""

    def _beside(self) -> Path:
        """The empty place where this file is made anew."""
        there = self.path.with_name(f"{self.path.name}.new")
        _delete(there)
        return there

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A reader's own connection of the driver, to the end of the block."""
        with self._gate.together():
            # A page asks some hundred times; an engine's own pool would take longer than the answers.
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = open_reader(self.path)
            try:
                yield connection
            except BaseException:
                # Perhaps in the middle of something.
                connection.close()
                raise
            if len(self._idle) < _READERS:
                self._idle.append(connection)
            else:
                connection.close()

    # Opening.

    def _open(self) -> None:
        try:
            self._connect()
            if not self._usable():
                self._anew()
        except sa.exc.DatabaseError as error:
            if "locked" in str(error):
                raise Refused("unavailable", f"Another program uses {self.path}.") from error
            # Not a database, or one that was torn: begin anew.
            self._anew()
        self._create()

    @property
    def _engine(self) -> sa.Engine:
        """The writer's."""
        if self._writer is None:
            raise Refused("unavailable", f"{self.path} was opened for reading only.")
        return self._writer

    def _close_readers(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _anew(self) -> None:
        self.close()
        _delete(self.path)
        self._connect()

    def _connect(self) -> None:
        self._unclean = Path(f"{self.path}-wal").exists()
        self._writer = open_engine(self.path, synchronous=self._synchronous)
        with self._writer.connect() as connection:
            driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._connected()

    def _usable(self) -> bool:
        """Whether the file is empty, or whole and made for these tables."""
        with self._engine.connect() as connection:
            made_for = connection.exec_driver_sql("PRAGMA user_version").scalar()
            empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar() == 0
            if empty or made_for != self._shape():
                return empty
            whole = not self._unclean or connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok"
        return whole and self._trusted()

    def _create(self) -> None:
        with self._writing, self._engine.begin() as tx:
            for text in (*self._ddl(), *self._begin_rows()):
                tx.exec_driver_sql(text)
            tx.exec_driver_sql(f"PRAGMA user_version = {self._shape()}")

    def _shape(self) -> int:
        return shape(self._ddl())


def shape(ddl: list[str]) -> int:
    """A number for the tables as declared: other rows, keys or indexes give another one."""
    return zlib.crc32("\n".join(ddl).encode()) & 0x7FFFFFFF or 1


class _Gate:
    """Many readers together, or one alone who changes the file under them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            while self._closed:
                self._changed.wait()
            self._closed = True
            while self._inside:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


def _delete(path: Path) -> None:
    for companion in _COMPANIONS:
        _unlink(path, companion)


def _unlink(path: Path, companion: str) -> None:
    Path(f"{path}{companion}").unlink(missing_ok=True)
