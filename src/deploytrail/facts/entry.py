"""An entry read back: the envelope of a fact, whatever its kind.

Kinds that this version does not know stay as they came: their envelope is read, their data kept as plain
values.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts import canonical
from deploytrail.facts.subjects import subject_keys


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as the log holds it.

    Persons are {"id": subject id, "bot"?: true, "login"|"email"|"name"?: sealed}; a sealed field is
    {"c": commitment in base64}. Times are canonical RFC 3339 texts in UTC.
    """

    v: int
    kind: str
    source: str
    received_at: str
    attribution: str
    data: dict[str, Any]
    subjects: list[str]
    id: str | None = None
    occurred_at: str | None = None
    actor: dict[str, Any] | None = None
    delivery: str | None = None
    labels: dict[str, str] | None = None
    free: dict[str, str] | None = None
    unknown: dict[str, str] | None = None

    @property
    def at(self) -> str:
        """When it happened as far as anybody says: the source's claim, else when we received it."""
        return self.occurred_at or self.received_at


_decoder = msgspec.json.Decoder(Entry)


def read(body: bytes) -> Entry:
    """The entry of canonical bytes that the house itself wrote; fast, for followers.

    Refused("untrue") if they are not an entry at all.
    """
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Refused("untrue", f"An entry of the log cannot be read: {error}.") from None


def check(body: bytes) -> Entry:
    """The entry of bytes from anywhere, strictly: canonical, within limits, and with its own subject keys."""
    if len(body) > canonical.MAX_ENTRY:
        raise Refused(
            "untrue", f"An entry has at most {canonical.MAX_ENTRY} bytes; this one has {len(body)}."
        )
    entry, envelope = _plainly(body) or _strictly(body)
    if entry.v == 1 and entry.subjects != list(subject_keys(envelope, body)):
        raise Refused("untrue", "The entry's subject keys are not those of its fields.")
    return entry


# An entry of known fields and allowed parts: what encoding it leaves out or changes was not canonical.
_Plain: Final = msgspec.defstruct(
    "_Plain",
    [("v", canonical.INTEGER), ("data", canonical.OBJECT), ("actor", canonical.OBJECT | None, None)],
    bases=(Entry,),
    frozen=True,
    kw_only=True,
    omit_defaults=True,
)
_plain: Final = msgspec.json.Decoder(_Plain)


def _plainly(body: bytes) -> tuple[Entry, dict[str, Any]] | None:
    """The entry and its envelope; None for bytes that need another look."""
    if not canonical.plain(body):
        return None
    try:
        entry: Any = _plain.decode(body)
    except msgspec.DecodeError:
        return None
    if not canonical.spelled(entry, body):
        return None
    envelope = msgspec.structs.asdict(entry)
    return Entry(**envelope), envelope


def _strictly(body: bytes) -> tuple[Entry, dict[str, Any]]:
    """The entry and its envelope of whatever bytes. Refused("untrue") if they are not canonical, or none."""
    try:
        envelope = canonical.decode(body)
    except Refused as refusal:
        raise Refused("untrue", refusal.words) from None
    try:
        return msgspec.convert(envelope, Entry), envelope
    except msgspec.ValidationError as error:
        raise Refused("untrue", f"An entry of the log cannot be read: {error}.") from None
