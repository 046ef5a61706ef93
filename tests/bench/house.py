"""Rooms of a house on a real disk, without doors."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploytrail.app.disclose import Disclose
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Submission
from deploytrail.app.record import Recorder
from deploytrail.app.vault import Vault
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog

NOW = 1_773_758_000_000
_BATCH = 1_000


class Chance:
    """Real chance."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return os.urandom(count)


class Clock:
    """Real time."""

    def now(self) -> int:
        """UTC milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class Rooms:
    """Log, keyring and recorder in a folder; the recorder is started by whoever needs it."""

    def __init__(self, folder: Path, key: bytes = b"k" * 32) -> None:
        self.folder, self.chance, self.clock = folder, Chance(), Clock()
        self.log = SqlLog(folder / "trail.db")
        self.vault = Vault(key, self.chance)
        self.keyring = SqlKeyring(folder / "keys.db", self.vault)
        self.persons = Persons(self.keyring, self.vault, self.chance)
        self.recorder = Recorder(self.log, self.persons, Disclose(self.log, self.keyring, self.log))

    def fill(self, lines: Sequence[bytes]) -> None:
        """Append told facts in large batches, past the recorder."""
        for at in range(0, len(lines), _BATCH):
            pending = [self.persons.seal(draft(line)) for line in lines[at : at + _BATCH]]
            self.log.append([Submission((one,)) for one in pending])

    def close(self) -> None:
        """Let the files go."""
        self.recorder.stop()
        self.log.close()
        self.keyring.close()


def draft(line: bytes) -> Draft:
    """The draft of a told fact."""
    return told.parse(line, source="bench", received_at=NOW)


@contextmanager
def rooms() -> Iterator[Rooms]:
    """Rooms in a folder of their own, on the disk that holds temporary files (TMPDIR)."""
    with tempfile.TemporaryDirectory(prefix="deploytrail-bench-") as folder:
        found = Rooms(Path(folder))
        try:
            yield found
        finally:
            found.close()
