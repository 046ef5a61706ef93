"""What lies in the files of a house, row by row, for `fsck`: over a connection of its own, nothing believed.

Values come as SQLite stores them. Text that is no UTF-8 comes with surrogates for the bad bytes, so that
even such a row can be named. Nothing is ever written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa

from deploytrail.app.ports import Damaged
from deploytrail.errors import Refused
from deploytrail.projections.tables import Table
from deploytrail.store.derived_rows import columns_of
from deploytrail.store.derived_sql import SqlDerived, ddl
from deploytrail.store.made_again import shape
from deploytrail.store.sqlite import open_engine

_PAGE: Final = 1_000
_SHOWN: Final = 20
# Called for every text that is read, so without a step in Python.
_text: Final = partial(str, encoding="utf-8", errors="surrogateescape")


class _File:
    """One snapshot of one SQLite file, between entering and leaving."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: sa.Engine | None = None
        self._driver: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None, "_driver": None}

    def __enter__(self) -> Self:
        if not self._path.exists():
            raise Refused("not-found", f"There is no {self._path.name}.")
        self._engine = open_engine(self._path, synchronous="FULL", readonly=True)
        try:
            with self._failing():
                self._driver = self._engine.raw_connection()
                self._driver.driver_connection.text_factory = _text
                # A view begins with its first read.
                self._all("BEGIN")
                self._all("SELECT count(*) FROM sqlite_schema")
        except Refused:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.invalidate()
            self._driver = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def damage(self) -> list[str]:
        return [row[0] for row in self._all(f"PRAGMA integrity_check({_SHOWN})") if row[0] != "ok"]

    def _all(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._failing():
            found: list[tuple[Any, ...]] = self._driver.driver_connection.execute(text, values).fetchall()
            return found

    def _each(self, text: str, values: Sequence[Any] = (), page: int = _PAGE) -> Iterator[tuple[Any, ...]]:
        with self._failing():
            found = self._driver.driver_connection.execute(text, values)
            while some := found.fetchmany(page):
                yield from some

    @contextmanager
    def _failing(self) -> Iterator[None]:
        assert self._engine is not None
        dbapi: Any = self._engine.dialect.dbapi
        try:
            yield
        except (sa.exc.DBAPIError, dbapi.Error) as error:
            words = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise Damaged(f"{self._path.name} cannot be read there ({words}).") from error


class InspectedLog(_File):
    """Implements ports.Inspected on the file of a SqlLog."""

    def head_rows(self) -> list[tuple[Any, ...]]:
        return self._all("SELECT id, size, root, frontier, published FROM head ORDER BY id LIMIT 10")

    def entry_rows(self, start: int, stop: int | None = None, limit: int = 500) -> list[tuple[Any, ...]]:
        last = 2**63 - 1 if stop is None else stop - 1
        text = "SELECT idx, leaf, body FROM entry WHERE idx BETWEEN ? AND ? ORDER BY idx LIMIT ?"
        return self._all(text, (start, last, limit))

    def node_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT level, idx, hash FROM node ORDER BY level, idx")

    def checkpoint_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT size, previous, root, note FROM checkpoint ORDER BY size")

    def index_rows(self) -> Iterator[tuple[Any, ...]]:
        # quote() tells a text from a number, and writes numbers as they are.
        pairs = "SELECT idx, key FROM subject ORDER BY idx, key"
        return self._each(f"SELECT idx, group_concat(quote(key), ', ') FROM ({pairs}) GROUP BY idx")

    def repeat_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT idx, source, id FROM repeat ORDER BY idx")

    def repeats_of(self, source: Any, id: Any) -> list[Any]:
        return [
            row[0] for row in self._all("SELECT idx FROM repeat WHERE source = ? AND id = ?", (source, id))
        ]

    def disclosure_rows(self, start: int, stop: int) -> list[tuple[Any, ...]]:
        text = "SELECT idx, subject, sealed FROM disclosure WHERE idx >= ? AND idx < ? ORDER BY idx, subject"
        return self._all(text, (start, stop))

    def stray_disclosures(self) -> list[tuple[Any, ...]]:
        none = "idx NOT IN (SELECT idx FROM entry)"
        text = f"SELECT idx, subject FROM disclosure WHERE {none} ORDER BY idx LIMIT ?"
        return self._all(text, (_SHOWN,))

    def delivery_rows(self) -> Iterator[tuple[Any, ...]]:
        # One at a time: bodies are up to 25 MiB.
        text = (
            "SELECT id, source, mac, id_mac, received_at, event, idx, key, sealed FROM delivery ORDER BY id"
        )
        return self._each(text, page=1)


class InspectedKeys(_File):
    """Implements ports.InspectedKeys on the file of a SqlKeyring."""

    def key_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT subject FROM subject_key ORDER BY subject")

    def identity_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT mac, subject FROM identity ORDER BY subject")


class InspectedRows(_File):
    """Implements ports.InspectedDerived on the file of a SqlDerived with these tables."""

    def __init__(self, path: Path, tables: Sequence[Table[Any]]) -> None:
        super().__init__(path)
        self._made_of = tuple(tables)
        self.tables: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
            (table.name, tuple(column.name for column in columns_of(table)), table.key) for table in tables
        ]

    def ours(self) -> bool:
        # A file that says nothing is no other version's, but damaged.
        return self._all("PRAGMA user_version")[0][0] in (0, shape(ddl(self._made_of)))

    def cursor_rows(self) -> list[tuple[Any, ...]]:
        return self._all("SELECT id, cursor FROM derivation ORDER BY id LIMIT 10")

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        _, columns, key = next(found for found in self.tables if found[0] == table)
        return self._each(f'SELECT {_names(columns)} FROM "{table}" ORDER BY {_names(key)}')

    @contextmanager
    def again(self) -> Iterator[tuple[SqlDerived, InspectedRows]]:
        with tempfile.TemporaryDirectory(prefix="deploytrail-fsck-") as folder:
            path = Path(folder) / "derived.db"
            derived = _Again(path, self._made_of, synchronous="OFF")
            try:
                yield derived, InspectedRows(path, self._made_of)
            finally:
                derived.close()


class _Again(SqlDerived):
    """Rows that are found by their keys alone: without indexes they are made in less time."""

    def _ddl(self) -> list[str]:
        return [text for text in super()._ddl() if not text.startswith("CREATE INDEX")]


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
