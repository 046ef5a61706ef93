"""The data folder of a house: what marks it, its key, its lock, and where each file lies.

house.json   what house this is: origin, where its signer lies, whether it is the demo's
house.key    the house key, 0600: seals sources' secrets and subjects' keys
trail.db     entries, tree and what lies beside them; in PostgreSQL for a house that lies there
keys.db      subjects' keys, with a backup of its own; likewise
derived.db   rows that can be made again
search.db    the search index, which can be made again
writer.lock  held by the one writer
control.sock, admin-link   0600, made when needed
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from deploytrail.app.ports import Chance
from deploytrail.app.vault import KEY
from deploytrail.errors import Refused

VERSION: Final = 1
# The unit of st_blocks, whatever the file system's own.
_BLOCK: Final = 512


class Mark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """house.json. `version` is that of the folder's layout, `key` tells the house key from others.

    `database` says in what sort of database the log lies; that it is the right one, the log itself says.
    """

    version: int
    origin: str
    signer: str
    demo: bool = False
    key: str | None = None
    database: str = "sqlite"


class Folder:
    """Paths and small files of one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trail, self.keys, self.derived = path / "trail.db", path / "keys.db", path / "derived.db"
        self.search = path / "search.db"
        self.link = path / "admin-link"
        # A socket's path has about a hundred bytes; from here the way may be shorter.
        control = str(path / "control.sock")
        self.control = Path(min(control, os.path.relpath(control), key=len))
        self._lock: IO[str] | None = None

    def make(self) -> None:
        """Make the folder, for its owner alone. Refused("unavailable") if that cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Refused(
                "unavailable", f"The folder {self.path} cannot be made: {error.strerror}."
            ) from None

    def lock(self) -> bool:
        """Become the one writer until `unlock`; False if another process is."""
        try:
            file = (self.path / "writer.lock").open("a")
        except OSError as error:
            raise Refused(
                "unavailable", f"The folder {self.path} cannot be written: {error.strerror}."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._lock = file
        return True

    def unlock(self) -> None:
        """Let another process write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def served(self) -> bool:
        """Whether a server listens on the control socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.control))
            except OSError:
                return False
        return True

    def mark(self) -> Mark | None:
        """What house this is; None if the folder holds none. Refused if it is damaged or too new."""
        path = self.path / "house.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if self.trail.exists() or (self.path / "house.key").exists():
                raise Refused("untrue", f"{path} is gone, but there is a log. Bring the file back.") from None
            return None
        except OSError as error:
            raise Refused("unavailable", f"{path} cannot be read: {error.strerror}.") from None
        try:
            mark = msgspec.json.decode(data, type=Mark)
        except msgspec.DecodeError as error:
            raise Refused("untrue", f"{path} is damaged: {error}.") from None
        if mark.version != VERSION:
            raise Refused(
                "unavailable", f"{path} is of version {mark.version}; this Deploytrail reads {VERSION}."
            )
        return mark

    def settle(self, mark: Mark) -> None:
        """Say what house this folder holds, durably."""
        write_private(self.path / "house.json", msgspec.json.format(msgspec.json.encode(mark)) + b"\n")

    def keep_link(self, url: str) -> Path:
        """Put a one-time link in its file; the file."""
        write_private(self.link, url.encode() + b"\n")
        return self.link

    def sizes(self) -> dict[str, int]:
        """Implements ports.Disk: bytes of each database with its journal, by the name of its file."""
        found: dict[str, int] = {}
        for path in self.path.glob("*.db*"):
            # A journal may go while we look.
            with suppress(FileNotFoundError):
                name = path.name.partition(".db")[0]
                found[name] = found.get(name, 0) + path.stat().st_blocks * _BLOCK
        return found

    def free(self) -> int | None:
        """Implements ports.Disk: bytes that whoever runs the house may still write here."""
        try:
            disk = os.statvfs(self.path)
        except OSError:
            return None
        return disk.f_bavail * disk.f_frsize

    def key(self) -> bytes | None:
        """The house key; None if there is none."""
        try:
            key = (self.path / "house.key").read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != KEY:
            raise Refused("untrue", f"{self.path / 'house.key'} has {len(key)} bytes instead of {KEY}.")
        return key

    def new_key(self, chance: Chance) -> bytes:
        """Make the house key."""
        key = chance.bytes(KEY)
        write_private(self.path / "house.key", key)
        return key


def write_private(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone, and durable on return."""
    # Two commands may write the same file at once; each its own, and the last one stays.
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
