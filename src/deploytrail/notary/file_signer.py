"""The signer as files of its own: a key and one record of what it signed last.

The folder lies outside the data folder and outside every backup. The record moves by compare-and-swap under
a lock on the file system, and is flushed before a note is handed out: so neither a restored data folder
nor a second process with the same key can sign a second history.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from deploytrail.app.ports import Chance, Head, Signed
from deploytrail.errors import Refused
from deploytrail.tlog import checkpoint
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.note import SigningKey

_SEED: Final = 32
_BATCH: Final = 4096


class _Record(msgspec.Struct, frozen=True):
    """What was signed last: note in UTF-8, frontier in base64."""

    origin: str
    size: int
    frontier: str
    note: str


class FileSigner:
    """Implements ports.Signer on a folder with `key` and `record`."""

    def __init__(self, folder: Path, origin: str) -> None:
        """Open the signer of `origin`. Refused("not-found") if there is none: `create` makes one, once.

        Refused("untrue") if its key or its record is damaged, or belongs to another log.
        """
        self._folder = folder
        self._origin = origin
        self._key = _key(folder, origin)
        self._record = self._read()
        # Whether the folder may hold a record that a power cut would take away again.
        self._unflushed = self._record is not None

    @staticmethod
    def verifier_key(folder: Path, origin: str) -> str:
        """The verifier key alone, whatever the record is like. Refused as opening the signer, for its key."""
        return _key(folder, origin).verifier.vkey()

    @classmethod
    def create(cls, folder: Path, origin: str, chance: Chance) -> FileSigner:
        """Make the key of a new log. Refused("conflict") if the folder already holds a key or a record."""
        with _said(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / "key"
            # Written whole under another name first: a key is there or is not, also after a power cut.
            new = folder / "key.new"
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(chance.bytes(_SEED))
                file.flush()
                os.fsync(file.fileno())
            try:
                if (folder / "record").exists():
                    raise FileExistsError
                os.link(new, path)
            except FileExistsError:
                raise Refused(
                    "conflict", f"{folder} already holds a signer. Name another folder with --signer."
                ) from None
            finally:
                new.unlink()
            _flush_folder(folder)
        return cls(folder, origin)

    @property
    def vkey(self) -> str:
        return self._key.verifier.vkey()

    def last(self) -> Signed | None:
        if self._record is None:
            return None
        self._settle()
        return Signed(self._record.size, self.frontier().root(), self._record.note.encode())

    def frontier(self) -> Frontier:
        if self._record is None:
            return Frontier.EMPTY
        return Frontier.decode(b64decode(self._record.frontier))

    def sign(self, bodies: Iterable[bytes], head: Head) -> Signed:
        with self._alone():
            if self._read() != self._record:
                raise Refused("untrue", "Somebody else signs this log with the same key. Only one house may.")
            frontier = self._grown(bodies, head)
            new = Checkpoint(self._origin, head.size, head.root)
            note = checkpoint.sign(new, self._key)
            kept = b64encode(frontier.encode()).decode()
            self._write(_Record(self._origin, head.size, kept, note.decode()))
            # The record is on the disk before anybody sees the note.
            self._settle()
        return Signed(head.size, head.root, note)

    def _grown(self, bodies: Iterable[bytes], head: Head) -> Frontier:
        """The tree signed last with the new entries hashed in, if that is the head's tree."""
        frontier = self.frontier()
        if head.size < frontier.size:
            raise Refused(
                "untrue",
                f"The log has {head.size} entries, but {frontier.size} were signed. "
                "It was rolled back and is not signed.",
            )
        source = iter(bodies)
        while some := list(islice(source, _BATCH)):
            frontier, _ = frontier.extend(leaf_hash(body) for body in some)
        if frontier.size != head.size or frontier.root() != head.root:
            raise Refused(
                "untrue",
                f"The entries after {self.frontier().size} do not give the log's root at size {head.size}: "
                "this history was rewritten. It is not signed; see `deploytrail fsck`.",
            )
        return frontier

    def _read(self) -> _Record | None:
        try:
            data = (self._folder / "record").read_bytes()
        except FileNotFoundError:
            return None
        try:
            record = msgspec.json.decode(data, type=_Record)
            opened = checkpoint.open_note(record.note.encode(), [self._key.verifier])
            frontier = Frontier.decode(b64decode(record.frontier))
        except (msgspec.DecodeError, ValueError, Refused) as error:
            raise Refused("untrue", f"The signer's record in {self._folder} is damaged: {error}.") from None
        kept = (self._origin, record.size, frontier.size, frontier.root())
        if (record.origin, opened.size, opened.size, opened.root) != kept:
            raise Refused("untrue", f"The signer's record in {self._folder} contradicts itself.")
        return record

    def _write(self, record: _Record) -> None:
        with _said(self._folder):
            new = self._folder / "record.new"
            with new.open("wb") as file:
                file.write(msgspec.json.encode(record))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._folder / "record")
        self._record, self._unflushed = record, True

    def _settle(self) -> None:
        """Flush the folder, if the record in it may not be on the disk yet."""
        if self._unflushed:
            with _said(self._folder):
                _flush_folder(self._folder)
            self._unflushed = False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with _said(self._folder):
            file = (self._folder / "lock").open("w")
        with file:
            with _said(self._folder):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    """Refused("unavailable") in the place of what the disk says: nothing was signed, try again."""
    try:
        yield
    except OSError as error:
        raise Refused(
            "unavailable", f"The signer cannot write to {folder} ({error.strerror}); nothing was signed."
        ) from error


def _key(folder: Path, origin: str) -> SigningKey:
    try:
        seed = (folder / "key").read_bytes()
    except FileNotFoundError:
        raise Refused(
            "not-found",
            f"The signer of this log is not in {folder}. Bring it back, or name another with --signer.",
        ) from None
    if len(seed) != _SEED:
        raise Refused("untrue", f"The signer's key in {folder} is damaged. Bring back an intact copy.")
    return SigningKey.from_seed(origin, seed)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
