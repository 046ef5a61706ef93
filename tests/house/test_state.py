"""Every table of every file carries its class of state."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from deploytrail.app.follow import TABLES
from deploytrail.store import derived_sql, schema
from deploytrail.store.derived_rows import columns_of

CLASSES = {"evidential", "erasable", "derived", "ephemeral"}
EVERY = [
    *schema.main.tables.values(),
    *schema.keys.tables.values(),
    *(derived_sql._sql_table(table, columns_of(table)) for table in TABLES),
    derived_sql._derivation,
]


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_every_table_has_a_class(table: sa.Table) -> None:
    assert table.info.get("state") in CLASSES


def test_rows_of_projections_are_derived_and_nothing_else() -> None:
    names = {table.name for table in TABLES}
    assert {t.info["state"] for t in EVERY if t.name in names} == {"derived"}


def test_no_two_tables_share_a_name() -> None:
    names = [table.name for table in EVERY]
    assert len(names) == len(set(names))


def test_the_evidence_is_what_the_log_needs_and_no_more() -> None:
    evidential = {table.name for table in EVERY if table.info["state"] == "evidential"}
    assert evidential == {"entry", "node", "head", "checkpoint"}
