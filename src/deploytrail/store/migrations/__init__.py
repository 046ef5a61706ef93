"""The revisions of the log's and the keyring's tables, and the steps from one to the next, with Alembic.

Each set of tables records its revision in a table of its own, so that a copy of either stands alone. A step
is one module in `trail` or `keys`: it says in its own words what it makes, since the tables of `store/schema`
go on. An empty SQLite file is made from `store/schema` at once; a test holds both ways equal. Derived rows
have no steps: other tables are made anew from the log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from deploytrail.errors import Refused

FIRST: Final = "0001"
_HERE: Final = Path(__file__).parent


def upgrade(tx: sa.Connection, tables: sa.MetaData) -> None:
    """Bring the tables to the newest revision, within the transaction.

    Refused("unavailable") for a revision that this version does not know.
    """
    revision, newest = tables.info["table"], tables.info["revision"]
    found = _found(tx, tables, revision)
    if found == newest:
        return
    if found is None and tx.dialect.name == "sqlite":
        _create(tx, tables)
        tx.execute(revision.insert().values(version_num=newest))
        return
    _steps(tx, tables, found)


def sample_nothing(table: str, *columns: str) -> None:
    """For a step: statistics hold no values of these columns, since those would outlive what is erased."""
    from alembic import op

    if op.get_context().dialect.name == "postgresql":
        for column in columns:
            op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" SET STATISTICS 0')


def _create(tx: sa.Connection, tables: sa.MetaData) -> None:
    """Every table of an empty SQLite file."""
    special = [table for table in tables.sorted_tables if "sqlite" in table.info]
    tables.create_all(tx, [table for table in tables.sorted_tables if table not in special])
    for table in special:
        for text in table.info["sqlite"]:
            tx.exec_driver_sql(text)


def _found(tx: sa.Connection, tables: sa.MetaData, revision: sa.Table) -> str | None:
    """The recorded revision; None for no tables at all."""
    known = set(sa.inspect(tx).get_table_names())
    if revision.name in known:
        return tx.execute(sa.select(revision.c.version_num)).scalar()
    if not known & set(tables.tables):
        return None
    # Files of version 0.1 say nothing, and are of the first revision.
    revision.create(tx)
    tx.execute(revision.insert().values(version_num=FIRST))
    return FIRST


def _steps(tx: sa.Connection, tables: sa.MetaData, found: str | None) -> None:
    # Only here, since most starts need none of it.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    steps, newest = str(_HERE / tables.info["steps"]), tables.info["revision"]
    script = ScriptDirectory(steps, version_locations=[steps])
    known = [step.revision for step in script.walk_revisions()]
    if found is not None and found not in known:
        raise Refused(
            "unavailable",
            f"The tables are of revision {found}, which a newer Deploytrail has made; this one knows "
            f"{newest}. Start the newer one.",
        )

    def wanted(revision: Any, _: Any) -> Any:
        return script._upgrade_revs(newest, revision)

    with EnvironmentContext(Config(), script, fn=wanted) as environment:
        environment.configure(connection=tx, version_table=tables.info["table"].name)
        environment.run_migrations()
