"""One unmoving view of what lies in a database, value by value as it is stored, with nothing believed.

Statements are plain SQL with `?` for values. Text that is no UTF-8 comes with surrogates for the bad bytes,
so that even such a row can be named. Nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
import sqlalchemy as sa

from deploytrail.app.ports import Damaged
from deploytrail.errors import Refused
from deploytrail.store.postgresql import Schema, first_line
from deploytrail.store.sqlite import open_engine

PAGE: Final = 1_000
# Called for every text that is read, so without a step in Python.
_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")
SHOWN: Final = 20
# Set when a view of a schema is taken.
_MOMENT: Final = "moment"

Rows = list[tuple[Any, ...]]


class Snapshot(Protocol):
    """A view, taken by `open`. Every method may raise Damaged."""

    def open(self) -> None:
        """Take the view. Refused("not-found") if there is nothing to look at."""

    def close(self) -> None:
        """Let go of it."""

    def all(self, text: str, values: Sequence[Any] = ()) -> Rows:
        """Every row of an answer."""

    def each(self, text: str, values: Sequence[Any] = (), page: int = PAGE) -> Iterator[tuple[Any, ...]]:
        """The same, `page` rows at a time."""

    def damage(self) -> list[str] | None:
        """What the database itself finds wrong; None if it has no means to look."""


def snapshot(where: Path | Schema) -> Snapshot:
    """A view of a SQLite file or of a schema."""
    return _FileSnapshot(where) if isinstance(where, Path) else _SchemaSnapshot(where)


class _FileSnapshot:
    """A view of a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: sa.Engine | None = None
        self._driver: Any = None

    def open(self) -> None:
        if not self._path.exists():
            raise Refused("not-found", f"There is no {self._path.name}.")
        self._engine = open_engine(self._path, synchronous="FULL", readonly=True)
        with self._failing():
            self._driver = self._engine.raw_connection()
            self._driver.driver_connection.text_factory = _text
            # A view begins with its first read.
            self.all("BEGIN")
            self.all("SELECT count(*) FROM sqlite_schema")

    def close(self) -> None:
        if self._driver is not None:
            self._driver.invalidate()
            self._driver = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def all(self, text: str, values: Sequence[Any] = ()) -> Rows:
        with self._failing():
            found: Rows = self._driver.driver_connection.execute(text, values).fetchall()
            return found

    def each(self, text: str, values: Sequence[Any] = (), page: int = PAGE) -> Iterator[tuple[Any, ...]]:
        with self._failing():
            found = self._driver.driver_connection.execute(text, values)
            while some := found.fetchmany(page):
                yield from some

    def damage(self) -> list[str]:
        return [row[0] for row in self.all(f"PRAGMA integrity_check({SHOWN})") if row[0] != "ok"]

    @contextmanager
    def _failing(self) -> Iterator[None]:
        assert self._engine is not None
        dbapi: Any = self._engine.dialect.dbapi
        try:
            yield
        except (sa.exc.DBAPIError, dbapi.Error) as error:
            words = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise Damaged(f"{self._path.name} cannot be read there ({words}).") from error


class _SchemaSnapshot:
    """A view of a schema in PostgreSQL, over a connection of its own.

    What PostgreSQL finds wrong with itself is asked of its extension amcheck, where that is installed.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._driver: psycopg.Connection[Any] | None = None
        self._names = count()

    def open(self) -> None:
        self._driver = self._schema.server.connect()
        self._driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._driver.read_only = True
        self.all(f'SET LOCAL search_path TO "{self._schema.schema}"')
        if not self.all("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self._schema.schema,)):
            raise Refused("not-found", f"There is no {self._schema.name}.")
        if not self.all("SELECT 1 WHERE has_schema_privilege(?, 'USAGE')", (self._schema.schema,)):
            words = (
                f"This role may not read {self._schema.name}: grant it USAGE there, and SELECT on its tables."
            )
            raise Refused("unavailable", words)
        self.all(f"SAVEPOINT {_MOMENT}")

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def all(self, text: str, values: Sequence[Any] = ()) -> Rows:
        with self._failing() as driver:
            found = driver.execute(_query(text), values)
            return found.fetchall() if found.description else []

    def each(self, text: str, values: Sequence[Any] = (), page: int = PAGE) -> Iterator[tuple[Any, ...]]:
        with self._failing() as driver, driver.cursor(name=f"look_{next(self._names)}") as found:
            found.execute(_query(text), values)
            while some := found.fetchmany(page):
                yield from some

    def damage(self) -> list[str] | None:
        if not self.all("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'"):
            return None
        text = (
            "SELECT c.oid, c.relname FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
            " WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relnamespace = ?::regnamespace"
        )
        [(home,)] = self.all(
            "SELECT quote_ident(extnamespace::regnamespace::text) FROM pg_extension WHERE extname = 'amcheck'"
        )
        found = []
        for oid, name in self.all(text, (f'"{self._schema.schema}"',)):
            try:
                with self._failing() as driver, driver.transaction():
                    driver.execute(_query(f"SELECT {home}.bt_index_check(?, true)"), (oid,))
            except Damaged as damaged:
                found.append(f"Index {name}: {damaged.words}")
        return found[:SHOWN]

    @contextmanager
    def _failing(self) -> Iterator[psycopg.Connection[Any]]:
        assert self._driver is not None
        try:
            yield self._driver
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                # The same moment is looked at on, and what fails next says why by itself.
                self._driver.execute(f"ROLLBACK TO SAVEPOINT {_MOMENT}".encode())
            raise Damaged(f"{self._schema.name} cannot be read there ({first_line(error)}).") from error


def _query(text: str) -> bytes:
    return text.replace("%", "%%").replace("?", "%s").encode()
