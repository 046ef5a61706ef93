"""What every source gets and gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes a source sent. `headers` have lower-case names; `received_at` is UTC milliseconds."""

    source: str
    headers: Mapping[str, str]
    body: bytes
    received_at: int


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says.

    `event` names it in the source's words (never personal). `delivery_id` is the source's own id of the
    sending. `drafts` empty means: set aside, because of `reason`.
    """

    event: str
    delivery_id: str | None = None
    drafts: Sequence[Draft] = ()
    reason: str | None = None


class Unreadable(Refused):
    """An authentic delivery that cannot be read: kept and set aside, and read again after an upgrade.

    `event` and `delivery_id` as far as they are known.
    """

    def __init__(self, words: str, *, event: str, delivery_id: str | None = None) -> None:
        super().__init__("bad-input", words)
        self.event = event
        self.delivery_id = delivery_id


class Source(Protocol):
    """One kind of source. `headers`: lower-case names of those by which it reads, none that authenticates."""

    kind: str
    headers: tuple[str, ...]

    def authenticate(self, delivery: Delivery, secrets: Sequence[bytes]) -> None:
        """Refused("unauthenticated") unless the delivery is signed with one of the live secrets."""

    def read(self, delivery: Delivery) -> Reading:
        """The facts of an authentic delivery. Unreadable if its bytes make no sense; never another error."""
