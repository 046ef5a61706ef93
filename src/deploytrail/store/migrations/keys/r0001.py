"""The keyring as version 0.1 made it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from deploytrail.store.columns import BYTES, OURS
from deploytrail.store.migrations import sample_nothing

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "subject_key",
        sa.Column("subject", OURS, primary_key=True),
        sa.Column("key", BYTES, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "identity",
        sa.Column("mac", BYTES, primary_key=True),
        sa.Column("subject", OURS, nullable=False, index=True),
        sqlite_with_rowid=False,
    )
    sample_nothing("subject_key", "key")
    sample_nothing("identity", "mac")
