"""Where the parts of a house lie: in files of its data folder, or in schemas of one PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from deploytrail.store.folder import Folder
from deploytrail.store.postgresql import Schema, Server
from deploytrail.store.sqlite import affected


class Places:
    """The places of the house of a folder; with `url` its log and its keys lie in that database.

    What can be made again lies in the folder: each process that serves has rows and an index of its own.
    Who opens without `write` makes nothing, and need not hold the writer's lock.
    """

    def __init__(self, folder: Folder, url: str | None, *, write: bool = True) -> None:
        self._server = None if url is None else Server(url)
        self.trail: Path | Schema = folder.trail
        self.keys: Path | Schema = folder.keys
        self.derived, self.search = folder.derived, folder.search
        if self._server is not None:
            self.trail = Schema(self._server, "trail", write=write)
            self.keys = Schema(self._server, "keys", write=write)

    def close(self) -> None:
        """Release what the parts shared; each part is closed by whoever opened it."""
        if self._server is not None:
            self._server.close()

    def warning(self) -> str | None:
        """Words about the database for whoever starts the house, if there is anything to say."""
        return affected() if self._server is None else None


def sort_of(url: str | None) -> str:
    """The sort of database that an address names, as house.json says it."""
    return "sqlite" if url is None else "postgresql"
