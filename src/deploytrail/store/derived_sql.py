"""Derived rows in a SQLite file of their own, which can be made again (`made_again`).

Statements are written with SQLAlchemy and compiled once; rows go to and from the driver directly, since that
is where the time goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_DIALECT: Final = sqlite.dialect(paramstyle="qmark")

# One row: how many entries have been folded in.
_derivation = sa.Table(
    "derivation",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("cursor", sa.Integer, nullable=False),
    info={"state": "derived"},
)


class SqlDerived(MadeAgain):
    """Implements ports.Derived on one SQLite file at `path`."""

    def __init__(self, path: Path, tables: Sequence[Table[Any]], *, synchronous: str = "NORMAL") -> None:
        self._tables = tuple(tables)
        self._sql = {table.name: _Statements(table) for table in tables}
        super().__init__(path, synchronous=synchronous)

    def cursor(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT cursor FROM derivation").fetchone()[0])

    def begin(self) -> Work:
        return Work(self._load, self._load_many)

    def commit(self, rows: Rows, cursor: int) -> None:
        assert isinstance(rows, Work)
        with self._writing, self._writer.begin() as tx:
            for table in self._tables:
                put, gone = rows.written(table)
                sql = self._sql[table.name]
                if gone:
                    tx.exec_driver_sql(sql.delete, gone)
                if put:
                    tx.exec_driver_sql(sql.upsert, [sql.codec.values(row) for row in put])
            tx.exec_driver_sql("UPDATE derivation SET cursor = ?", (cursor,))
        self._remember(rows)

    def get(self, table: Table[R], *key: str | int) -> R | None:
        sql = self._sql[table.name]
        with self._reading() as connection:
            found = connection.execute(sql.get, key).fetchone()
        return None if found is None else sql.codec.row(found[0])

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
        return [sql.codec.row(row) for (row,) in found]

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

    # Opening.

    def _connected(self) -> None:
        self._recent = {table.name: Recent(_RECENT) for table in self._tables}
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
        return None if found is None else sql.codec.row(found[0])

    def _load_many(self, table: Table[Any], keys: Sequence[tuple[Any, ...]]) -> Mapping[tuple[Any, ...], Any]:
        """The rows with these keys, each a whole number, in one statement for those not seen lately."""
        recent, sql = self._recent[table.name], self._sql[table.name]
        found = {key: row for key in keys if (row := recent.find(key)) is not UNSEEN}
        asked = msgspec.json.encode([key for (key,) in keys if (key,) not in found])
        with self._writing:
            rows = self._driver.execute(sql.many, (asked.decode(),)).fetchall()
        return found | {(key,): sql.codec.row(data) for key, data in rows}


def ddl(tables: Sequence[Table[Any]]) -> list[str]:
    """The statements that make these tables, each harmless when they are there."""
    found = [_text(CreateTable(_derivation, if_not_exists=True))]
    for table in tables:
        made = _sql_table(table, columns_of(table))
        # The fields of the rows are part of what a file was made for.
        found.append(f"-- {shape_of(table)}\n{_text(CreateTable(made, if_not_exists=True))}")
        found += [_text(CreateIndex(index, if_not_exists=True)) for index in _ordered(made)]
    return found


class _Statements:
    """The statements of one table, as texts for the driver."""

    def __init__(self, table: Table[Any]) -> None:
        self.codec = Codec(table)
        self._table = _sql_table(table, self.codec.columns)
        self.pages: dict[tuple[Any, ...], str] = {}
        columns = self._table.c
        key = [columns[name] for name in table.key]
        matches = [column == sa.bindparam(f"k_{column.name}") for column in key]
        self.get = _text(sa.select(columns.row).where(*matches))
        # For keys of one whole number.
        listed = sa.func.json_each(sa.bindparam("keys")).table_valued("value")
        self.many = _text(sa.select(key[0], columns.row).where(key[0].in_(sa.select(listed.c.value))))
        self.delete = _text(sa.delete(self._table).where(*matches))
        self.every = _text(sa.select(self._table).order_by(*key))
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
        query = sa.select(columns.row)
        for name in where:
            query = query.where(columns[name] == sa.bindparam(f"w_{name}"))
        for place, sign in enumerate(signs):
            query = query.where(column.op(sign)(sa.bindparam(f"b_{place}", type_=column.type)))
        if column.nullable:
            query = query.where(column.is_not(None))
        query = query.order_by(column.desc() if descending else column.asc())
        # Written here, since the dialect would add an OFFSET.
        return f"{_text(query)} LIMIT ?"


def _sql_table(table: Table[Any], columns: Sequence[Column]) -> sa.Table:
    whole = len(table.key) == 1 and next(c for c in columns if c.name == table.key[0]).sort == "int"
    sorts = {"int": sa.Integer, "str": sa.Text, "bool": sa.Integer, "bytes": sa.LargeBinary}
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
