"""Opening sealed fields, for those who may see them, as long as they have not been erased.

A disclosure lies encrypted beside the log under its subject's key, and every value is checked against the
commitment in its entry before it is shown: what does not match is shown to nobody. Keys and names are
remembered for speed; `forget` drops what is remembered of a subject.
"""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.ports import Blob, Disclosures, Keyring, Log
from deploytrail.app.vault import decrypt
from deploytrail.app.views import Who
from deploytrail.errors import Refused
from deploytrail.facts.sealing import Opened, commitment, from_bytes, sealed_paths, values_of

_REMEMBERED: Final = 10_000

T = TypeVar("T")


class Disclosing(Protocol):
    """What questions ask of disclosures."""

    def names(self, subjects: Iterable[tuple[str, int]]) -> dict[str, Who]:
        """Persons by subject id, given an entry that sealed a name of theirs."""

    def texts(
        self, indices: Iterable[int], bodies: Mapping[int, bytes] | None = None
    ) -> dict[int, dict[str, Any]]:
        """By entry, path ("data.title") to value, for all that can be opened; `bodies` saves reading."""

    def own(self, subject: str, bodies: Mapping[int, bytes]) -> dict[int, dict[str, Any]]:
        """By entry, path to value of what is sealed under a subject's own key and can be opened."""

    def kept(self, index: int) -> bool:
        """Whether the raw delivery that led to this entry is still kept."""


class Disclose:
    """Implements Disclosing over the encrypted disclosures and the keyring."""

    def __init__(self, disclosures: Disclosures, keyring: Keyring, log: Log) -> None:
        self._disclosures, self._keyring, self._log = disclosures, keyring, log
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, AESGCM] = OrderedDict()
        self._names: OrderedDict[str, tuple[int, Who]] = OrderedDict()

    def names(self, subjects: Iterable[tuple[str, int]]) -> dict[str, Who]:
        """Persons by subject id. One whose key is gone is erased; one never named has no name."""
        found: dict[str, Who] = {}
        wanted: dict[str, int] = {}
        for subject, index in subjects:
            with self._lock:
                known = self._names.get(subject)
            if known is not None and known[0] == index:
                found[subject] = known[1]
            else:
                wanted[subject] = index
        if not wanted:
            return found
        blobs = self._disclosures.disclosures(sorted(set(wanted.values())))
        bodies = {row.index: row.body for row in self._log.at(wanted.values())}
        for subject, index in wanted.items():
            mine = [blob for blob in blobs.get(index, ()) if blob.subject == subject]
            found[subject] = self._name(subject, index, mine, bodies)
        return found

    def texts(
        self, indices: Iterable[int], bodies: Mapping[int, bytes] | None = None
    ) -> dict[int, dict[str, Any]]:
        """By entry, path to value, for all that can still be opened and is what was sealed."""
        wanted = list(dict.fromkeys(indices))
        blobs = self._disclosures.disclosures(wanted) if wanted else {}
        if bodies is None:
            bodies = {row.index: row.body for row in self._log.at(blobs)}
        return {index: self._true(index, blobs.get(index, ()), bodies) for index in wanted}

    def own(self, subject: str, bodies: Mapping[int, bytes]) -> dict[int, dict[str, Any]]:
        """By entry, path to value of what is sealed under a subject's own key; entries without any are left
        out.
        """
        blobs = self._disclosures.disclosures(bodies)
        mine = {n: [blob for blob in some if blob.subject == subject] for n, some in blobs.items()}
        found = {index: self._true(index, some, bodies) for index, some in mine.items() if some}
        return {index: texts for index, texts in found.items() if texts}

    def open(self, blobs: Iterable[Blob]) -> dict[str, Any]:
        """Path to value of disclosures, unchecked: for entries that are not in the log yet."""
        return {path: value for path, (_, value) in self._opened(blobs)}

    def opened(self, blob: Blob) -> Opened | None:
        """What one disclosure opens, unchecked; None if it cannot be read."""
        return self._read(blob, from_bytes)

    def every_value(self, blobs: Iterable[tuple[int, Blob]]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Entry, subject, and path to value of many disclosures, unchecked, that nobody erases meanwhile."""
        keys: dict[str, AESGCM | None] = {}
        for index, blob in blobs:
            subject = blob.subject
            if subject not in keys:
                keys[subject] = self._key(subject)
            if key := keys[subject]:
                yield index, subject, _opened_by(key, blob, values_of) or {}

    def kept(self, index: int) -> bool:
        """Whether the raw delivery whose first entry this is can still be read."""
        return self._disclosures.delivery_of(index) is not None

    def forget(self, subject: str) -> None:
        """Drop what is remembered of a subject."""
        with self._lock:
            self._keys.pop(subject, None)
            self._names.pop(subject, None)

    def _name(self, subject: str, index: int, blobs: list[Blob], bodies: Mapping[int, bytes]) -> Who:
        if self._key(subject) is None:
            return Who(id=subject, erased=True)
        # Nothing but names, logins and addresses ends so, and only their own person's key seals them.
        parts = {path.rpartition(".")[2]: value for path, value in self._true(index, blobs, bodies).items()}
        who = Who(id=subject, name=parts.get("name") or parts.get("email"), login=parts.get("login"))
        self._remember(subject, index, who)
        return who

    def _remember(self, subject: str, index: int, who: Who) -> None:
        with self._lock:
            # Whoever was erased meanwhile is not remembered again.
            if subject in self._keys:
                self._names[subject] = (index, who)
                if len(self._names) > _REMEMBERED:
                    self._names.popitem(last=False)

    def _true(self, index: int, blobs: Iterable[Blob], bodies: Mapping[int, bytes]) -> dict[str, Any]:
        """The values of disclosures that their entry's commitments confirm."""
        opened = dict(self._opened(blobs))
        body = bodies.get(index)
        if not opened or body is None:
            return {}
        sealed = dict(sealed_paths(msgspec.json.decode(body)))
        return {
            path: value
            for path, (salt, value) in opened.items()
            if path in sealed and hmac.compare_digest(commitment(salt, path, value), sealed[path])
        }

    def _opened(self, blobs: Iterable[Blob]) -> Iterator[tuple[str, tuple[bytes, Any]]]:
        for blob in blobs:
            yield from (self.opened(blob) or {}).items()

    def _read(self, blob: Blob, reading: Callable[[bytes], T]) -> T | None:
        key = self._key(blob.subject)
        return None if key is None else _opened_by(key, blob, reading)

    def _key(self, subject: str) -> AESGCM | None:
        with self._lock:
            if subject in self._keys:
                self._keys.move_to_end(subject)
                return self._keys[subject]
            # Asked under the lock, so that an erasure cannot come between asking and remembering.
            key = self._keyring.key(subject)
            if key is None:
                return None
            self._keys[subject] = AESGCM(key)
            if len(self._keys) > _REMEMBERED:
                self._keys.popitem(last=False)
            return self._keys[subject]


def _opened_by(key: AESGCM, blob: Blob, reading: Callable[[bytes], T]) -> T | None:
    try:
        return reading(unpack(decrypt(key, blob.sealed, blob.subject), MAX_OPENED))
    except (Refused, ValueError):
        # Altered, or of another key: `fsck --all` names it. What nobody can open tells nobody anything.
        return None
