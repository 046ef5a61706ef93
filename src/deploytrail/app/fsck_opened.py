"""What `fsck` finds out about the disclosures of some entries alone; see `fsck_part`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from deploytrail.app.fsck_search import Given
from deploytrail.app.judging import told
from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.ports import SumKey
from deploytrail.app.vault import decrypt
from deploytrail.errors import Refused
from deploytrail.evidence.check import Faults
from deploytrail.facts.owners import owners_of
from deploytrail.facts.sealing import NOBODY, commitment, from_bytes, sealed_paths

_NEVER: Final = object()
_Blob = tuple[str, bytes]


class Sealed(NamedTuple):
    """(index, body) of entries, their disclosures, and subjects' keys: words where one was altered.

    `key` is that of check 16, None where nobody asks.
    """

    rows: list[tuple[int, Any]]
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
        self.stop = sealed.rows[-1][0] + 1
        self.wrong = Faults()
        self.count = self.fields = 0
        self.runs: list[tuple[int, str | None]] = []
        self.keyless: list[tuple[int, str]] = []
        self.closed: list[tuple[int, str, str | None, bool]] = []
        self.given = None if sealed.key is None else Given(sealed.key)


def open_all(sealed: Sealed) -> Opened:
    """The part's share of check 12, 13 and 16."""
    opened, run = Opened(sealed), _NEVER
    for index, body in sealed.rows:
        try:
            here = _Fields(body)
        except Exception:
            # Check 4 names it.
            continue
        if here.delivery != run:
            run = here.delivery
            opened.runs.append((index, here.delivery))
        values = _one(opened, index, here, sealed.blobs.get(index, []), sealed.keys)
        if opened.given is not None:
            # What is no entry at all, check 4 names.
            with suppress(Refused):
                opened.given.add(index, body, values)
    return opened


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
) -> dict[str, dict[str, Any]]:
    """Values by path, by subject."""
    opened: set[str] = set()
    values: dict[str, dict[str, Any]] = {}
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
    for path in here.sealed.keys() - opened:
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
    opened = from_bytes(unpack(decrypt(key, blob, subject), MAX_OPENED))
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
