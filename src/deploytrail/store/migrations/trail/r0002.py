"""The subject index of a SQLite file as an FTS5 table, which costs an append a third of what pairs did."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make it of the pairs. PostgreSQL keeps those."""
    if op.get_context().dialect.name != "sqlite":
        return
    op.execute("ALTER TABLE subject RENAME TO subject_pair")
    op.execute(
        "CREATE VIRTUAL TABLE subject USING fts5("
        "keys, content='', columnsize=0, detail=none, tokenize='ascii')"
    )
    op.execute("CREATE VIRTUAL TABLE subject_in USING fts5vocab(subject, instance)")
    op.execute(
        "INSERT INTO subject (rowid, keys)"
        " SELECT idx, group_concat(printf('%016x', key), ' ') FROM subject_pair GROUP BY idx ORDER BY idx"
    )
    op.execute("DROP TABLE subject_pair")
