"""A delivery comes in: authenticate, know repeats, read, record. Nothing authentic is ever lost.

What cannot be read is kept and set aside as a fact; what is not authentic is counted and never stored.
"""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Literal

import msgspec

from deploytrail.app.ports import Chance, Clock, Disclosures, Placed, RawDelivery
from deploytrail.app.record import Recorder
from deploytrail.app.vault import KEY, Vault, decrypt, encrypt
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.facts.kinds import DeliverySetAside
from deploytrail.facts.sealing import SALT, commitment
from deploytrail.intake.delivery import Delivery, Reading, Source, Unreadable

# A raw body is kept this long for reading again, then its key is destroyed.
KEEP_MS = 30 * 24 * 3600 * 1000


class Receipt(msgspec.Struct, frozen=True):
    """What became of a delivery, and the entries it led to."""

    status: Literal["recorded", "set_aside", "repeat"]
    indices: list[int]


class Receiver:
    """Receives deliveries. `source_of` gives a source's kind and its live secrets, or None."""

    def __init__(
        self,
        recorder: Recorder,
        disclosures: Disclosures,
        vault: Vault,
        clock: Clock,
        chance: Chance,
        sources: Mapping[str, Source],
        source_of: Callable[[str], tuple[str, list[bytes]] | None],
    ) -> None:
        self._recorder, self._kept, self._vault = recorder, disclosures, vault
        self._clock, self._chance = clock, chance
        self._sources, self._source_of = sources, source_of
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Future[Receipt]:
        """Take one delivery in. `headers` have lower-case names.

        Refused at once: "not-found" (no such source), "unauthenticated" (no live secret signed it); in the
        future: what recording refuses.
        """
        configured = self._source_of(name)
        if configured is None:
            raise Refused("not-found", "There is no source of this name. Add it with: deploytrail admin source add.")
        kind, secrets = configured
        source = self._sources[kind]
        delivery = Delivery(source=name, headers=headers, body=body, received_at=self._clock.now())
        self._authenticate(source, delivery, secrets)
        mac = self._vault.mac("delivery", name.encode(), hashlib.sha256(body).digest())
        known = self._kept.seen(mac)
        if known is not None:
            return _done(Receipt("repeat", [known]))
        return self._record(delivery, mac, self._read(source, delivery))

    def read_again(self, delivery: Delivery, kind: str) -> Reading:
        """Read a kept delivery anew, after an upgrade."""
        return self._read(self._sources[kind], delivery)

    def body_of(self, raw: RawDelivery) -> bytes:
        """The bytes of a kept delivery. Refused("untrue") if they were altered."""
        key = self._vault.open(raw.key, "delivery key")
        return decrypt(key, raw.sealed, raw.source)[SALT:]

    def _authenticate(self, source: Source, delivery: Delivery, secrets: Sequence[bytes]) -> None:
        try:
            source.authenticate(delivery, secrets)
        except Refused:
            with self._lock:
                self.refused[delivery.source] += 1
            raise

    def _read(self, source: Source, delivery: Delivery) -> Reading:
        try:
            return source.read(delivery)
        except Unreadable as error:
            return Reading(event=error.event, delivery_id=error.delivery_id, reason=error.words)
        except Exception as error:
            # A source that breaks its promise must not cost a delivery: keep it and say so.
            return Reading(event="unknown", reason=f"the source could not read it ({type(error).__name__})")

    def _record(self, delivery: Delivery, mac: bytes, reading: Reading) -> Future[Receipt]:
        id_mac = None
        drafts = list(reading.drafts)
        reason = reading.reason
        if reading.delivery_id:
            id_mac = self._vault.mac("delivery id", delivery.source.encode(), reading.delivery_id.encode())
            if self._kept.seen_id(id_mac) is not None:
                drafts, reason = [], "the same delivery id came with another body"
        salt = self._chance.bytes(SALT)
        name = b64encode(commitment(salt, "delivery", hashlib.sha256(delivery.body).hexdigest())).decode()
        drafts = [msgspec.structs.replace(draft, delivery=name) for draft in drafts]
        raw = self._raw(delivery, reading, mac, id_mac, salt)
        aside = self._aside(delivery, reading, reason or "nothing in it is read yet", name)
        if not drafts:
            return _then(self._recorder.record([aside], delivery=raw), "set_aside")
        future = self._recorder.record(drafts, delivery=raw)
        refusal = future.exception() if future.done() else None
        if isinstance(refusal, Refused) and refusal.code in ("bad-input", "too-large"):
            # What sealing refuses is still an authentic delivery.
            aside = self._aside(delivery, reading, refusal.words, name)
            return _then(self._recorder.record([aside], delivery=raw), "set_aside")
        return _then(future, "recorded")

    def _raw(
        self, delivery: Delivery, reading: Reading, mac: bytes, id_mac: bytes | None, salt: bytes
    ) -> RawDelivery:
        key = self._chance.bytes(KEY)
        return RawDelivery(
            source=delivery.source,
            mac=mac,
            id_mac=id_mac,
            received_at=delivery.received_at,
            event=reading.event,
            key=self._vault.seal(key, "delivery key"),
            sealed=encrypt(key, salt + delivery.body, delivery.source, self._chance),
        )

    def _aside(self, delivery: Delivery, reading: Reading, reason: str, name: str) -> Draft:
        body = DeliverySetAside(
            event=reading.event[:500] or "unknown",
            size=len(delivery.body),
            commitment=name,
            reason=reason[:500],
            delivery_id=reading.delivery_id[:500] if reading.delivery_id else None,
        )
        return Draft(
            kind="delivery.set_aside", body=body, source=delivery.source, received_at=delivery.received_at, delivery=name
        )


def _done(receipt: Receipt) -> Future[Receipt]:
    future: Future[Receipt] = Future()
    future.set_result(receipt)
    return future


def _then(placed: Future[list[Placed]], status: Literal["recorded", "set_aside"]) -> Future[Receipt]:
    result: Future[Receipt] = Future()

    def pass_on(done: Future[list[Placed]]) -> None:
        try:
            where = done.result()
        except Refused as refusal:
            result.set_exception(refusal)
            return
        repeat = all(p.repeat for p in where)
        result.set_result(Receipt("repeat" if repeat else status, [p.index for p in where]))

    placed.add_done_callback(pass_on)
    return result
