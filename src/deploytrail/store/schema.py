"""The tables of the main database and of the keyring, each with its class of state.

evidential: the proof itself · erasable: what may be deleted, backed up apart · derived: rebuildable from
the log · ephemeral: secrets, sessions, leases. A test fails on a table without a class.
"""

from __future__ import annotations

import sqlalchemy as sa

from deploytrail.store.columns import BIG, BYTES, OURS, TOLD


def _tables(steps: str, revision_table: str, revision: str) -> sa.MetaData:
    """A set of tables with the table that says of which revision they are (see store/migrations)."""
    made = sa.MetaData(info={"steps": steps, "revision": revision})
    # As Alembic makes it.
    number = sa.Column("version_num", sa.String(32), nullable=False)
    key = sa.PrimaryKeyConstraint("version_num", name=f"{revision_table}_pkc")
    made.info["table"] = sa.Table(revision_table, made, number, key, info={"state": "ephemeral"})
    return made


main = _tables("trail", "revision", "0002")
keys = _tables("keys", "keyring_revision", "0001")

entry = sa.Table(
    "entry",
    main,
    sa.Column("idx", BIG, primary_key=True, autoincrement=False),
    sa.Column("leaf", BYTES, nullable=False),
    sa.Column("body", BYTES, nullable=False),
    info={"state": "evidential"},
)
# Tile level 1 and up: one hash for each full tile below.
node = sa.Table(
    "node",
    main,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("idx", BIG, primary_key=True),
    sa.Column("hash", BYTES, nullable=False),
    info={"state": "evidential"},
    sqlite_with_rowid=False,
)
# One row. The lock that PostgreSQL replicas take last, and the fence that every append moves. `published` is
# the size of the newest published checkpoint, so that its row cannot be removed unseen; -1 before the first.
head = sa.Table(
    "head",
    main,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("root", BYTES, nullable=False),
    sa.Column("frontier", BYTES, nullable=False),
    sa.Column("published", sa.BigInteger, nullable=False),
    info={"state": "evidential"},
)
# `previous` is the size published before, so that no row between two others can be removed unseen.
checkpoint = sa.Table(
    "checkpoint",
    main,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("previous", sa.BigInteger, nullable=False),
    sa.Column("root", BYTES, nullable=False),
    sa.Column("note", BYTES, nullable=False),
    info={"state": "evidential"},
)
# Which entries are about a subject (see store/subject_index). `key` is its subject_hash: eight bytes keep the
# index narrow; a collision can only make a guarded append more careful.
subject = sa.Table(
    "subject",
    main,
    sa.Column("key", sa.BigInteger, primary_key=True),
    sa.Column("idx", sa.BigInteger, primary_key=True),
    info={
        "state": "derived",
        # What a SQLite file has in its place: rows by entry, and a view of them, one line for each pair.
        "sqlite": (
            "CREATE VIRTUAL TABLE subject USING fts5("
            "keys, content='', columnsize=0, detail=none, tokenize='ascii')",
            "CREATE VIRTUAL TABLE subject_in USING fts5vocab(subject, instance)",
        ),
    },
)
# The entry that a source told under an id.
repeat = sa.Table(
    "repeat",
    main,
    sa.Column("source", TOLD, primary_key=True),
    sa.Column("id", TOLD, primary_key=True),
    sa.Column("idx", sa.BigInteger, nullable=False),
    info={"state": "derived"},
    sqlite_with_rowid=False,
)
disclosure = sa.Table(
    "disclosure",
    main,
    sa.Column("idx", sa.BigInteger, primary_key=True),
    sa.Column("subject", OURS, primary_key=True),
    sa.Column("sealed", BYTES, nullable=False),
    info={"state": "erasable"},
    sqlite_with_rowid=False,
)
delivery = sa.Table(
    "delivery",
    main,
    sa.Column("id", BIG, primary_key=True),
    sa.Column("source", TOLD, nullable=False),
    sa.Column("mac", BYTES, nullable=False, unique=True),
    sa.Column("id_mac", BYTES, index=True),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("event", TOLD, nullable=False),
    sa.Column("idx", sa.BigInteger, nullable=False, index=True),
    sa.Column("key", BYTES),
    sa.Column("sealed", BYTES),
    info={"state": "erasable"},
)
registry = sa.Table(
    "registry",
    main,
    sa.Column("area", OURS, primary_key=True),
    sa.Column("key", OURS, primary_key=True),
    sa.Column("row", BYTES, nullable=False),
    info={"state": "ephemeral"},
    sqlite_with_rowid=False,
)

subject_key = sa.Table(
    "subject_key",
    keys,
    sa.Column("subject", OURS, primary_key=True),
    sa.Column("key", BYTES, nullable=False),
    info={"state": "erasable"},
    sqlite_with_rowid=False,
)
identity = sa.Table(
    "identity",
    keys,
    sa.Column("mac", BYTES, primary_key=True),
    sa.Column("subject", OURS, nullable=False, index=True),
    info={"state": "erasable"},
    sqlite_with_rowid=False,
)
