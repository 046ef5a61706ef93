"""Databases of both sorts for contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploytrail.store.database import Database
from deploytrail.store.postgresql import Schema, Server
from deploytrail.store.sqlite import SqliteDatabase
from tests import postgres


@contextmanager
def new(sort: str, folder: Path, name: str) -> Iterator[Database]:
    """A new and empty database, gone at the end: a file in the folder, or a schema in PostgreSQL."""
    if sort == "sqlite":
        yield SqliteDatabase(folder / f"{name}-{len(list(folder.iterdir()))}.db")
        return
    url = postgres.cluster().new()
    server = Server(url)
    try:
        yield Schema(server, name)
    finally:
        server.close()
        postgres.cluster().drop(postgres.name_in(url))
