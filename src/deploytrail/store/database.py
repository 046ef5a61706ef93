"""What a store asks of the database that holds its tables, whichever one it is.

`store/sqlite` and `store/postgresql` implement it; the statements are written once, with SQLAlchemy Core.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa


class Database(Protocol):
    """One set of tables: a SQLite file, or a schema in PostgreSQL. `name` says which, for people."""

    name: str

    def make(self, tables: sa.MetaData) -> None:
        """Make what is missing, or bring what an earlier version made to this one's shape.

        Refused("unavailable") for a database that a newer Deploytrail has made.
        """

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """One transaction: committed and durable at the end, or nothing of it.

        Refused("unavailable") or "busy" when nothing was written; Unsure when the connection was lost while
        committing; Damaged when the database cannot promise anything any more.
        """

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """One committed state, unmoving to the end of the block. Refused as `begin`."""

    def tell(self, tx: sa.Connection, size: int) -> None:
        """Whoever listens hears, once the transaction is committed, that the log has so many entries."""

    def scrub(self) -> None:
        """Deleted bytes are gone as far as this can be had without stopping everybody else."""

    def purge(self) -> None:
        """Deleted bytes are gone from every file of these tables, free space within pages included."""

    def close(self) -> None:
        """Release every connection."""
