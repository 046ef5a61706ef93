"""What `fsck` finds out about the disclosures of some entries alone; see `fsck_part`.

Most entries name one person, whose one disclosure opens all that they seal: that is seen without looking for
every sealed field and its owner. Whatever is not as plain, or not right, is looked at field by field.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploytrail.app.fsck_given import Given
from deploytrail.app.judging import told
from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.ports import SumKey
from deploytrail.app.vault import decrypt
from deploytrail.errors import Refused
from deploytrail.evidence.check import Faults
from deploytrail.facts.entry import Entry, read
from deploytrail.facts.owners import owners_of
from deploytrail.facts.sealing import NOBODY, commitment, from_bytes, sealed_paths

_NEVER: Final = object()
# How a sealed field and anything with an id begin in canonical bytes. In a text the quotation marks would be
# escaped.
_SEALED: Final = b'{"c":"'
_ID: Final = b'"id":'
# Subjects' ciphers, and paths, that are remembered.
_REMEMBERED: Final = 8192
_disclosed: Final = msgspec.json.Decoder(dict[str, tuple[str, Any]])

_Blob = tuple[str, bytes]
# Values by path, by subject.
_Values = dict[str, dict[str, Any]]


class Sealed(NamedTuple):
    """The disclosures of some entries, and subjects' keys: words where one was altered.

    `key` is that of check 16, None where nobody asks.
    """

    blobs: Mapping[int, list[_Blob]]
    keys: Mapping[str, bytes | str | None]
    key: SumKey | None = None


class Opened:
    """What was found out.

    `runs` says at which entry another delivery begins, or none (the first entry always counts as another);
    `keyless` are disclosures (entry, subject) that nobody can open; `closed` sealed fields without an
    opening: entry, path, whose disclosure should open it, and whether that one is there; `given` is what the
    search index should hold of them.
    """

    def __init__(self, sealed: Sealed) -> None:
        self.wrong = Faults()
        self.count = self.fields = 0
        self.runs: list[tuple[int, str | None]] = []
        self.keyless: list[tuple[int, str]] = []
        self.closed: list[tuple[int, str, str | None, bool]] = []
        self.given = None if sealed.key is None else Given(sealed.key)
        self._blobs, self._keys = sealed.blobs, sealed.keys
        self._run: Any = _NEVER

    def __getstate__(self) -> dict[str, Any]:
        # What was given is known where it came from.
        return {name: value for name, value in self.__dict__.items() if name[0] != "_"}

    def look(self, index: int, body: bytes, entry: Entry | None) -> None:
        """One entry's share of check 12, 13 and 16. `entry` is None where check 4 named it."""
        blobs = self._blobs.get(index, [])
        values = None if entry is None else _plainly(self, entry, body, blobs, self._keys)
        if values is not None:
            delivery = entry.delivery if entry else None
        else:
            try:
                here = _Fields(body)
            except Exception:
                return
            delivery = here.delivery
            values = _one(self, index, here, blobs, self._keys)
        if delivery != self._run:
            self._run = delivery
            self.runs.append((index, delivery))
        if self.given is not None:
            # What is no entry at all, check 4 names.
            with suppress(Refused):
                self.given.add(index, entry or read(body), values)


def _plainly(
    found: Opened, entry: Entry, body: bytes, blobs: list[_Blob], keys: Mapping[str, bytes | str | None]
) -> _Values | None:
    """Values, if nothing is sealed, or if the one disclosure is of the one person whom the entry names and
    opens all that is; None if that is not so, or not plain.
    """
    sealed = body.count(_SEALED)
    if not blobs and not sealed:
        return {}
    if len(blobs) != 1:
        return None
    [(subject, blob)] = blobs
    key = keys[subject]
    if not isinstance(key, bytes) or entry.actor is None or entry.actor.get("id") != subject:
        return None
    # With no other person there, every sealed field is the actor's.
    if body.count(_ID) != (1 if entry.id is None else 2):
        return None
    try:
        said = _disclosed.decode(unpack(decrypt(_cipher(key), blob, subject), MAX_OPENED))
        for path, (salt, value) in said.items():
            written = _sealed_at(entry, path)
            if b2a_base64(commitment(a2b_base64(salt), path, value), newline=False) != written:
                return None
    except Exception:
        return None
    if len(said) != sealed:
        return None
    found.count += 1
    found.fields += len(said)
    return {subject: {path: value for path, (_, value) in said.items()}}


def _sealed_at(entry: Entry, path: str) -> bytes | None:
    """The commitment at a path of an entry, in base64 as it is written there; None if there is none."""
    field, inner = _parts(path)
    here: Any = getattr(entry, field)
    for part in inner:
        here = here[part]
    return here["c"].encode() if len(here) == 1 else None


@lru_cache(_REMEMBERED)
def _parts(path: str) -> tuple[str, tuple[str | int, ...]]:
    """The field of an entry, and what leads from there. Each place has one path: "01" is no number."""
    field, *inner = path.split(".")
    return field, tuple(int(part) if part.isdecimal() and str(int(part)) == part else part for part in inner)


@lru_cache(_REMEMBERED)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


class _Fields:
    """What one entry seals, and about whom."""

    def __init__(self, body: bytes) -> None:
        envelope: dict[str, Any] = msgspec.json.decode(body)
        self.sealed = dict(sealed_paths(envelope))
        self.owners = owners_of(envelope)
        delivery = envelope.get("delivery")
        self.delivery: str | None = delivery if isinstance(delivery, str) else None
        self._body = body

    def of(self, subject: str) -> set[str]:
        """The paths that a subject's disclosure opens."""
        return {path for path, owner in self.owners.items() if owner == subject}

    def names(self, subject: str) -> bool:
        """Whether the entry is about a subject. In a text the quotation marks would be escaped."""
        return subject == NOBODY or b'"id":"%b"' % subject.encode() in self._body


def _one(
    found: Opened, index: int, here: _Fields, blobs: list[_Blob], keys: Mapping[str, bytes | str | None]
) -> _Values:
    opened: set[str] = set()
    values: _Values = {}
    for subject, blob in blobs:
        found.count += 1
        try:
            said = _open(found, index, here, subject, blob, keys[subject])
            if said is None:
                opened |= here.of(subject)
            else:
                values[subject] = said
                opened |= said.keys()
        except Exception as error:
            found.wrong.add(f"Entry {index}: the disclosure of {subject!r} does not open: {told(error)}")
            # It is there, if only damaged: what it should open is not missing besides.
            opened |= here.of(subject)
    found.fields += len(here.sealed)
    there = {subject for subject, _ in blobs}
    # In one order: what is named of many does not change from look to look.
    for path in sorted(here.sealed.keys() - opened):
        owner = here.owners.get(path)
        found.closed.append((index, path, owner, owner in there))
    return values


def _open(
    found: Opened, index: int, here: _Fields, subject: str, blob: bytes, key: bytes | str | None
) -> dict[str, Any] | None:
    """Values by path; None where nobody has the key."""
    if isinstance(key, str):
        raise Refused("untrue", key)
    if key is None:
        found.keyless.append((index, subject))
        return None
    opened = from_bytes(unpack(decrypt(_cipher(key), blob, subject), MAX_OPENED))
    if not here.names(subject):
        found.wrong.add(f"Entry {index} has a disclosure of {subject}, whom it does not name.")
    for path, (salt, value) in opened.items():
        sealed = here.sealed.get(path)
        if sealed is None:
            wrong = "is not sealed there"
        elif here.owners.get(path, subject) != subject:
            wrong = "is another's"
        elif not hmac.compare_digest(commitment(salt, path, value), sealed):
            wrong = "does not equal its commitment"
        else:
            continue
        found.wrong.add(f"Entry {index}: {path} in the disclosure of {subject} {wrong}.")
    return {path: value for path, (_, value) in opened.items()}
