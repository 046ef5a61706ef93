"""Where the parts of a house lie: in files of its data folder, or in schemas of one PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep
from typing import Final

from deploytrail.errors import Refused
from deploytrail.facts.entry import read
from deploytrail.store.alone import Alone
from deploytrail.store.folder import Folder
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.postgresql import Schema, Server
from deploytrail.store.sqlite import affected

# Seconds that the lock of another process is waited for.
_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 0.1


class Places:
    """The places of the house of a folder; with `url` its log and its keys lie in that database.

    What can be made again lies in the folder: each process that serves has rows and an index of its own.
    Who opens without `write` makes nothing, and need not hold the writer's lock.
    """

    def __init__(self, folder: Folder, url: str | None, *, write: bool = True) -> None:
        self._folder = folder
        self._server = None if url is None else Server(url)
        self.trail: Path | Schema = folder.trail
        self.keys: Path | Schema = folder.keys
        self.derived, self.search = folder.derived, folder.search
        if self._server is not None:
            self.trail = Schema(self._server, "trail", write=write)
            self.keys = Schema(self._server, "keys", write=write)

    def origin(self) -> str | None:
        """The origin of a log that the database holds; None for files, or before the first entry."""
        if self._server is None or not self._server.holds("trail"):
            return None
        log = SqlLog(Schema(self._server, "trail", write=False), write=False)
        for row in log.entries(0, 1):
            opened = read(row.body)
            return str(opened.data["origin"]) if opened.kind == "log.opened" else None
        return None

    def close(self) -> None:
        """Release what the parts shared; each part is closed by whoever opened it."""
        if self._server is not None:
            self._server.close()

    def alone(self) -> Alone | None:
        """The lock of the one that serves, taken; None for files, where the folder's lock is enough.

        Refused("unavailable") if another process has it.
        """
        if self._server is None:
            return None
        alone = Alone(self._server)
        until = monotonic() + _PATIENCE_S
        # One that was just killed gives the lock free in a moment.
        while not alone.take():
            if monotonic() < until:
                sleep(_PAUSE_S)
                continue
            raise Refused(
                "unavailable", f"Another process writes to the database {self._server.name}. Only one may."
            )
        return alone

    def sizes(self) -> dict[str, int]:
        """Implements ports.Disk: bytes of each file and each schema."""
        found = self._folder.sizes()
        return found if self._server is None else {**found, **self._server.sizes()}

    def free(self) -> int | None:
        """Implements ports.Disk: bytes of this disk; a server does not tell what is left of its own."""
        return self._folder.free() if self._server is None else None

    def warning(self) -> str | None:
        """Words about the database for whoever starts the house, if there is anything to say."""
        return affected() if self._server is None else None


def sort_of(url: str | None) -> str:
    """The sort of database that an address names, as house.json says it."""
    return "sqlite" if url is None else "postgresql"
