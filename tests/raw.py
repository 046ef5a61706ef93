"""A hand that changes what a house keeps, past all of the house's own code, as the owner of the database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

from tests import postgres

Row = tuple[Any, ...]
# What a database says to a value whose place is taken.
TAKEN: Final = (sqlite3.IntegrityError, psycopg.IntegrityError)
_SCHEMAS: Final = {"trail.db": "trail", "keys.db": "keys"}
# Of a full-text table, what stands in it: (token, entry).
_PAIRS: Final = "SELECT term, doc FROM subject_in ORDER BY term, doc"
_KEYS: Final = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indisprimary AND i.indrelid = %s::regclass ORDER BY array_position(i.indkey, a.attnum)
"""


class Raw:
    """A connection to one database of the house in `data`, by the name of its file, or to the schema that is
    in its place; from entering to leaving. Each statement is a transaction; `?` stands for a value.
    """

    def __init__(self, data: Path, name: str) -> None:
        self._data, self._name = data, name
        self._server: psycopg.Connection[Any] | None = None
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Raw:
        url = postgres.url_of(self._data) if self._name in _SCHEMAS else None
        if url is None:
            self._file = sqlite3.connect(self._data / self._name, isolation_level=None)
        else:
            self._server = psycopg.connect(url, autocommit=True)
            self._server.execute(f"SET search_path TO {_SCHEMAS[self._name]}".encode())
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self._file, self._server):
            if connection is not None:
                connection.close()

    def do(self, text: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; how many rows it changed."""
        return int(self._run(text, values).rowcount)

    def rows(self, text: str, values: Sequence[Any] = ()) -> list[Row]:
        """Every row of an answer."""
        return [tuple(row) for row in self._run(text, values).fetchall()]

    def one(self, text: str, values: Sequence[Any] = ()) -> Any:
        """The first value of the first row."""
        return self.rows(text, values)[0][0]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return len(self.pairs(table)) or int(self.one(f'SELECT count(*) FROM "{table}"'))

    def pairs(self, table: str) -> list[Row]:
        """What stands in the subject index of a file, which has tokens instead of rows; else nothing."""
        return self.rows(_PAIRS) if table == "subject" and self._file is not None else []

    def columns(self, table: str) -> list[str]:
        """The columns of a table, in order."""
        return [about[0] for about in self._run(f'SELECT * FROM "{table}" LIMIT 1', ()).description]

    def keys(self, table: str) -> list[str]:
        """The quoted key columns of a table, in order."""
        if self._server is not None:
            return [f'"{name}"' for (name,) in self._server.execute(_KEYS, (f'"{table}"',))]
        assert self._file is not None
        found = self._file.execute(f'PRAGMA table_info("{table}")').fetchall()
        return [f'"{row[1]}"' for row in sorted(found, key=lambda row: row[5]) if row[5]]

    def nullable(self, table: str, column: str) -> None:
        """Let a column hold nothing, whatever was declared. Counts for connections made from now on."""
        if self._server is not None:
            self.do(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" DROP NOT NULL')
            return
        self.do("PRAGMA writable_schema = ON")
        self.do("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE name = ?", (table,))

    def _run(self, text: str, values: Sequence[Any]) -> Any:
        if self._server is None:
            assert self._file is not None
            return self._file.execute(text, values)
        # How PostgreSQL spells so many bytes of nothing.
        text = re.sub(r"zeroblob\((\d+)\)", r"decode(repeat('00', \1), 'hex')", text)
        return self._server.execute(text.replace("%", "%%").replace("?", "%s").encode(), values)


def altered(value: Any) -> Any:
    """A value of the same sort that differs by one unit, character or bit."""
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :] if value else b"x"
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    return "x" if value is None else value


def longer(value: Any) -> Any:
    """A value of the same sort that is most likely not taken."""
    if isinstance(value, int):
        return value + 1_000_000
    return value + b"x" if isinstance(value, bytes) else f"{value}x"


def change(raw: Raw, table: str, column: str) -> Row:
    """Change one value in the middle of a table; the key of its row."""
    if pairs := raw.pairs(table):
        return _change_pair(raw, pairs, column)
    count = raw.count(table)
    assert count, f"the house has no row in {table}"
    where = f'"{column}" IS NOT NULL'
    some = raw.one(f'SELECT count(*) FROM "{table}" WHERE {where}')
    names = raw.keys(table)
    [(*key, old)] = raw.rows(
        f'SELECT {", ".join(names)}, "{column}" FROM "{table}" {"WHERE " + where if some else ""} '
        f"ORDER BY {', '.join(names)} LIMIT 1 OFFSET ?",
        (max(some or count, 1) // 2,),
    )
    update = f'UPDATE "{table}" SET "{column}" = ? WHERE {" AND ".join(f"{name} = ?" for name in names)}'
    new = altered(old)
    while True:
        try:
            assert raw.do(update, (new, *key)) == 1
        except TAKEN:
            # Go on to the next free one.
            new = new + 1 if isinstance(new, int) else longer(new)
        else:
            return tuple(key)


def remove(raw: Raw, table: str, where: Callable[[int], int] = lambda count: count // 2) -> None:
    """Remove a row from the middle of a table, or from another place of so many."""
    if pairs := raw.pairs(table):
        _take_pair(raw, pairs[where(len(pairs))])
        return
    names = raw.keys(table)
    order = ", ".join(names)
    at = where(raw.count(table))
    [key] = raw.rows(f'SELECT {order} FROM "{table}" ORDER BY {order} LIMIT 1 OFFSET ?', (at,))
    matches = " AND ".join(f"{name} = ?" for name in names)
    assert raw.do(f'DELETE FROM "{table}" WHERE {matches}', key) == 1


def add(raw: Raw, table: str) -> None:
    """Add a row that is like the first but for its key."""
    if pairs := raw.pairs(table):
        _put_pair(raw, (pairs[0][0], pairs[0][1] + 1_000_000))
        return
    first = list(raw.rows(f'SELECT * FROM "{table}" LIMIT 1')[0])
    last = raw.columns(table).index(raw.keys(table)[-1].strip('"'))
    first[last] = longer(first[last])
    raw.do(f'INSERT INTO "{table}" VALUES ({",".join("?" * len(first))})', first)


def _change_pair(raw: Raw, pairs: list[Row], column: str) -> Row:
    old = pairs[len(pairs) // 2]
    place = ["key", "idx"].index(column)
    new = list(old)
    while tuple(new) in pairs:
        new[place] = altered(new[place]) if column == "idx" else longer(new[place])
    _take_pair(raw, old)
    _put_pair(raw, tuple(new))
    return old


def _put_pair(raw: Raw, pair: Row) -> None:
    raw.do("INSERT INTO subject (keys, rowid) VALUES (?, ?)", pair)


def _take_pair(raw: Raw, pair: Row) -> None:
    # FTS5 believes what it is told to delete.
    raw.do("INSERT INTO subject (subject, keys, rowid) VALUES ('delete', ?, ?)", pair)
