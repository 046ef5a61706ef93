"""Every table of every file carries its class of state."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploytrail.app.follow import TABLES
from deploytrail.store import derived_sql, schema, search_sql
from deploytrail.store.derived_rows import columns_of

CLASSES = {"evidential", "erasable", "derived", "ephemeral"}
EVERY = [
    *schema.main.tables.values(),
    *schema.keys.tables.values(),
    *(derived_sql._sql_table(table, columns_of(table)) for table in TABLES),
    derived_sql._derivation,
    derived_sql._word,
    *search_sql.search.tables.values(),
]


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_every_table_has_a_class(table: sa.Table) -> None:
    assert table.info.get("state") in CLASSES


def test_every_full_text_table_has_a_class(tmp_path: Path) -> None:
    index = search_sql.SqlSearch(tmp_path / "search.db")
    index.close()
    with closing(sqlite3.connect(tmp_path / "search.db")) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
    # FTS5 keeps its own tables under the name of the one that they serve.
    made = {name for name, sql in rows if "USING fts5(" in sql}
    assert made == set(search_sql.INDEXES)
    rest = {name for name, sql in rows if not name.startswith(tuple(f"{one}_" for one in made))} - made
    assert rest == set(search_sql.search.tables)
    assert set(search_sql.INDEXES.values()) <= CLASSES


def test_rows_of_projections_are_derived_and_nothing_else() -> None:
    names = {table.name for table in TABLES}
    assert {t.info["state"] for t in EVERY if t.name in names} == {"derived"}


def test_no_two_tables_share_a_name() -> None:
    names = [table.name for table in EVERY]
    assert len(names) == len(set(names))


def test_the_evidence_is_what_the_log_needs_and_no_more() -> None:
    evidential = {table.name for table in EVERY if table.info["state"] == "evidential"}
    assert evidential == {"entry", "node", "head", "checkpoint"}
