"""Derived rows in a SQLite file of their own, which can be made again (`made_again`).

Statements are written with SQLAlchemy and compiled once; rows go to and from the driver directly, since that
is where the time goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.schema import CreateIndex, CreateTable

from deploytrail.projections.tables import R, Rows, Table
from deploytrail.store.derived_rows import (
    UNSEEN,
    Codec,
    Column,
    Digest,
    Recent,
    Work,
    columns_of,
    demand_served,
    shape_of,
)
from deploytrail.store.made_again import MadeAgain

# Above every character, for the end of a range of texts that share a start.
_LAST: Final = "\U0010ffff"
_SCAN: Final = 1_000
# So many rows of each table are remembered by the writer, present or known to be absent.
_RECENT: Final = 3_000
# So many words are known with their numbers.
_WORDS: Final = 50_000
_DIALECT: Final = sqlite.dialect(paramstyle="qmark")

# One row: how many entries have been folded in.
_derivation = sa.Table(
    "derivation",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("cursor", sa.Integer, nullable=False),
    info={"state": "derived"},
)

# Texts that rows say again and again, each kept once; rows have its number.
_word = sa.Table(
    "word",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False, unique=True),
    info={"state": "derived"},
)
_NUMBER: Final = "SELECT id FROM word WHERE text = ?"
_NEW: Final = "INSERT INTO word (text) VALUES (?)"


class SqlDerived(MadeAgain):
    """Implements ports.Derived on one SQLite file at `path`."""

    def __init__(
        self, path: Path, tables: Sequence[Table[Any]], *, synchronous: str = "NORMAL", write: bool = True
    ) -> None:
        self._tables = tuple(tables)
        self._sql = {table.name: _Statements(table) for table in tables}
        super().__init__(path, synchronous=synchronous, write=write)

    def cursor(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT cursor FROM derivation").fetchone()[0])

    def begin(self) -> Work:
        return Work(self._load, self._load_many)

    def commit(self, rows: Rows, cursor: int) -> None:
        assert isinstance(rows, Work)
        with self._writing, self._forgetting(), self._engine.begin() as tx:
            for table in self._tables:
                put, gone = rows.written(table)
                sql = self._sql[table.name]
                if gone:
                    self._driver.executemany(sql.delete, gone)
                if put:
                    self._driver.executemany(sql.upsert, self._numbered(sql, sql.codec.each(put)))
            tx.exec_driver_sql("UPDATE derivation SET cursor = ?", (cursor,))
        self._remember(rows)

    def get(self, table: Table[R], *key: str | int) -> R | None:
        sql = self._sql[table.name]
        with self._reading() as connection:
            found = connection.execute(sql.get, key).fetchone()
        return None if found is None else sql.codec.row(found)

    def page(
        self,
        table: Table[R],
        *,
        where: Mapping[str, str | int] | None = None,
        order: str,
        descending: bool = True,
        below: str | int | None = None,
        above: str | int | None = None,
        prefix: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[R]:
        fixed = dict(where or {})
        bounds: list[tuple[str, str | int]] = []
        if below is not None:
            bounds.append(("<", below))
        if above is not None:
            bounds.append((">", above))
        if prefix is not None:
            bounds += [(">=", prefix[1]), ("<", prefix[1] + _LAST)]
        sql = self._sql[table.name]
        shape = (tuple(fixed), order, descending, tuple(sign for sign, _ in bounds))
        text = sql.pages.get(shape)
        if text is None:
            demand_served(table, where, order, prefix)
            text = sql.pages[shape] = sql.page(*shape)
        values = (*fixed.values(), *(value for _, value in bounds), limit)
        with self._reading() as connection:
            found = connection.execute(text, values).fetchall()
        return [sql.codec.row(row) for row in found]

    def digest(self) -> dict[str, Any]:
        told = {}
        with self._reading() as connection:
            # One view of all tables, whatever is committed meanwhile.
            connection.execute("BEGIN")
            try:
                for table in self._tables:
                    digest = Digest()
                    found = connection.execute(self._sql[table.name].every)
                    while some := found.fetchmany(_SCAN):
                        for row in some:
                            digest.add(row)
                    told[table.name] = digest.told()
            finally:
                connection.execute("ROLLBACK")
        return told

    def rebuild(self) -> SqlDerived:
        # Nobody reads it yet, and a power cut only means to begin again.
        return SqlDerived(self._beside(), self._tables, synchronous="OFF")

    # Writing.

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Numbers that were given in what was not kept, are given no more."""
        if len(self._numbers) > _WORDS:
            self._numbers.clear()
        try:
            yield
        except BaseException:
            self._numbers.clear()
            raise

    def _numbered(self, sql: _Statements, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """The values of rows with numbers for words."""
        if not sql.words:
            return rows
        columns = list(zip(*rows, strict=True))
        for place in sql.words:
            columns[place] = tuple(map(self._numbers.__getitem__, columns[place]))
        return list(zip(*columns, strict=True))

    # Opening.

    def _connected(self) -> None:
        self._recent = {table.name: Recent(_RECENT) for table in self._tables}
        self._numbers = _Numbers(self._driver)
        # No sealed value is ever here, so freed pages need no zeroing.
        self._driver.execute("PRAGMA secure_delete=OFF")

    def _ddl(self) -> list[str]:
        return ddl(self._tables)

    def _begin_rows(self) -> list[str]:
        return ["INSERT OR IGNORE INTO derivation (id, cursor) VALUES (1, 0)"]

    # Reading.

    def _remember(self, work: Work) -> None:
        """Nobody else writes, so what a unit of work saw and wrote is what stands there."""
        for name, seen in work.seen.items():
            self._recent[name].update(seen)

    def _load(self, table: Table[Any], key: tuple[Any, ...]) -> Any:
        known = self._recent[table.name].find(key)
        if known is not UNSEEN:
            return known
        sql = self._sql[table.name]
        with self._writing:
            found = self._driver.execute(sql.get, key).fetchone()
        return None if found is None else sql.codec.row(found)

    def _load_many(self, table: Table[Any], keys: Set[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """The rows with these keys, each a whole number, in one statement for those not seen lately."""
        sql = self._sql[table.name]
        found = self._recent[table.name].among(keys)
        asked = msgspec.json.encode([key for (key,) in keys - found.keys()])
        with self._writing:
            rows = self._driver.execute(sql.many, (asked.decode(),)).fetchall()
        return found | {row[:1]: sql.codec.row(row) for row in rows}


class _Numbers(dict[str | None, int | None]):
    """The number under which each word is kept, as far as known; a new word gets the next one."""

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self._driver = driver

    def __missing__(self, word: str | None) -> int | None:
        number = None if word is None else self._number(word)
        self[word] = number
        return number

    def _number(self, word: str) -> int:
        found = self._driver.execute(_NUMBER, (word,)).fetchone()
        return int(found[0] if found else self._driver.execute(_NEW, (word,)).lastrowid)


def ddl(tables: Sequence[Table[Any]]) -> list[str]:
    """The statements that make these tables, each harmless when they are there."""
    found = [_text(CreateTable(made, if_not_exists=True)) for made in (_derivation, _word)]
    for table in tables:
        made = _sql_table(table, columns_of(table))
        # The fields of the rows are part of what a file was made for.
        found.append(f"-- {shape_of(table)}\n{_text(CreateTable(made, if_not_exists=True))}")
        found += [_text(CreateIndex(index, if_not_exists=True)) for index in _ordered(made)]
    return found


def every_row(table: Table[Any]) -> str:
    """The statement that reads all of a table in the order of its key, words as texts."""
    made, columns = _sql_table(table, columns_of(table)), columns_of(table)
    return _text(_shown(made, columns).order_by(*(made.c[name] for name in table.key)))


def _shown(made: sa.Table, columns: Sequence[Column]) -> sa.Select[Any]:
    """The values of rows, words as texts."""
    source: Any = made
    shown: list[Any] = []
    for column in columns:
        if column.sort == "word":
            word = _word.alias(f"{column.name}_word")
            source = source.outerjoin(word, word.c.id == made.c[column.name])
            shown.append(word.c.text)
        else:
            shown.append(made.c[column.name])
    return sa.select(*shown).select_from(source)


class _Statements:
    """The statements of one table, as texts for the driver."""

    def __init__(self, table: Table[Any]) -> None:
        self.codec = Codec(table)
        self._columns = self.codec.columns
        self._table = _sql_table(table, self._columns)
        self.words = [place for place, column in enumerate(self._columns) if column.sort == "word"]
        self.pages: dict[tuple[Any, ...], str] = {}
        columns = self._table.c
        key = [columns[name] for name in table.key]
        matches = [column == sa.bindparam(f"k_{column.name}") for column in key]
        shown = _shown(self._table, self._columns)
        self.get = _text(shown.where(*matches))
        # For keys of one whole number.
        listed = sa.func.json_each(sa.bindparam("keys")).table_valued("value")
        self.many = _text(shown.where(key[0].in_(sa.select(listed.c.value))))
        self.delete = _text(sa.delete(self._table).where(*matches))
        self.every = every_row(table)
        new = insert(self._table).values({c.name: sa.bindparam(c.name) for c in columns})
        others = {c.name: new.excluded[c.name] for c in columns if c.name not in table.key}
        self.upsert = _text(
            new.on_conflict_do_update(index_elements=list(table.key), set_=others)
            if others
            else new.on_conflict_do_nothing()
        )

    def page(self, where: tuple[str, ...], order: str, descending: bool, signs: tuple[str, ...]) -> str:
        """The text of a page: equal to `where`, then bounds on `order`, then the limit."""
        columns, column = self._table.c, self._table.c[order]
        query = _shown(self._table, self._columns)
        worded = {self._columns[place].name for place in self.words}
        for name in where:
            asked: Any = sa.bindparam(f"w_{name}")
            if name in worded:
                asked = sa.select(_word.c.id).where(_word.c.text == asked).scalar_subquery()
            query = query.where(columns[name] == asked)
        for place, sign in enumerate(signs):
            query = query.where(column.op(sign)(sa.bindparam(f"b_{place}", type_=column.type)))
        if column.nullable:
            query = query.where(column.is_not(None))
        query = query.order_by(column.desc() if descending else column.asc())
        # Written here, since the dialect would add an OFFSET.
        return f"{_text(query)} LIMIT ?"


def _sql_table(table: Table[Any], columns: Sequence[Column]) -> sa.Table:
    whole = len(table.key) == 1 and next(c for c in columns if c.name == table.key[0]).sort == "int"
    sorts = {
        "int": sa.Integer,
        "str": sa.Text,
        "bool": sa.Integer,
        "word": sa.Integer,
        "bytes": sa.LargeBinary,
    }
    made = sa.Table(
        table.name,
        sa.MetaData(),
        *(
            sa.Column(
                column.name,
                sorts[column.sort](),
                nullable=column.nullable and column.name not in table.key,
            )
            for column in columns
        ),
        sa.PrimaryKeyConstraint(*table.key),
        info={"state": "derived"},
        sqlite_with_rowid=whole,
    )
    for names in table.indexes:
        sa.Index(f"{table.name}_{'_'.join(names)}", *(made.c[name] for name in names))
    return made


def _ordered(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def _text(statement: Any) -> str:
    return str(statement.compile(dialect=_DIALECT))
