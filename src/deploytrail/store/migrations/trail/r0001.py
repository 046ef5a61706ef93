"""The log as version 0.1 made it: entries, tree, indexes, and what lies beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deploytrail.store.columns import BIG, BYTES, OURS, TOLD
from deploytrail.store.migrations import sample_nothing

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "entry",
        sa.Column("idx", BIG, primary_key=True, autoincrement=False),
        sa.Column("leaf", BYTES, nullable=False),
        sa.Column("body", BYTES, nullable=False),
    )
    op.create_table(
        "node",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("idx", BIG, primary_key=True, autoincrement=False),
        sa.Column("hash", BYTES, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", BYTES, nullable=False),
        sa.Column("frontier", BYTES, nullable=False),
        sa.Column("published", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("previous", sa.BigInteger, nullable=False),
        sa.Column("root", BYTES, nullable=False),
        sa.Column("note", BYTES, nullable=False),
    )
    op.create_table(
        "subject",
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "repeat",
        sa.Column("source", TOLD, primary_key=True),
        sa.Column("id", TOLD, primary_key=True),
        sa.Column("idx", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "disclosure",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject", OURS, primary_key=True),
        sa.Column("sealed", BYTES, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("source", TOLD, nullable=False),
        sa.Column("mac", BYTES, nullable=False, unique=True),
        sa.Column("id_mac", BYTES, index=True),
        sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("event", TOLD, nullable=False),
        sa.Column("idx", sa.BigInteger, nullable=False, index=True),
        sa.Column("key", BYTES),
        sa.Column("sealed", BYTES),
    )
    op.create_table(
        "registry",
        sa.Column("area", OURS, primary_key=True),
        sa.Column("key", OURS, primary_key=True),
        sa.Column("row", BYTES, nullable=False),
        sqlite_with_rowid=False,
    )
    sample_nothing("disclosure", "sealed")
    sample_nothing("delivery", "mac", "id_mac", "key", "sealed")
    sample_nothing("registry", "row")
