"""A delivery comes in: authenticate, know repeats, read, record. Nothing authentic is ever lost.

What cannot be read is kept and set aside as a fact; what is not authentic is counted and never stored.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Literal, NamedTuple

import msgspec

from deploytrail.app.kept import Kept, committed, id_mac_of, keep, mac_of, open_kept
from deploytrail.app.ports import Archive, Chance, Clock, Placed, RawDelivery
from deploytrail.app.record import Recorder
from deploytrail.app.vault import KEY, Vault
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.facts.entry import read
from deploytrail.facts.kinds import DeliverySetAside
from deploytrail.facts.sealing import SALT
from deploytrail.intake.delivery import Delivery, Reading, Source, Unreadable

diagnostics = logging.getLogger("deploytrail.receive")

# What the facts of an authentic delivery may be refused for; all else is the house's own trouble.
_ITS_FAULT: Final = frozenset({"bad-input", "too-large", "forbidden", "conflict"})
_CLEAR: Final = 500
_ID_BYTES: Final = 16

_ASIDE: Final = "delivery.set_aside"
_content: Final = msgspec.json.Encoder(order="deterministic")

# "repeat": this very body came before; "known": another body, that says only what is recorded already.
Status = Literal["recorded", "set_aside", "known", "repeat"]


class Receipt(msgspec.Struct, frozen=True):
    """What became of a delivery, and the entries it led to."""

    status: Status
    indices: list[int]


class Again(NamedTuple):
    """What came of reading anew: deliveries `read` this time, and those still set `aside`."""

    read: int
    aside: int


class Receiver:
    """Receives deliveries. `source_of` gives a source's kind and its live secrets, or None.

    `refused` counts, by source, deliveries that nobody with a live secret had signed.
    """

    def __init__(
        self,
        recorder: Recorder,
        archive: Archive,
        vault: Vault,
        clock: Clock,
        chance: Chance,
        sources: Mapping[str, Source],
        source_of: Callable[[str], tuple[str, list[bytes]] | None],
    ) -> None:
        self._recorder, self._archive, self._vault = recorder, archive, vault
        self._clock, self._chance = clock, chance
        self._sources, self._source_of = sources, source_of
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Future[Receipt]:
        """Take one delivery in. `headers` have lower-case names.

        Refused at once: "not-found" (no such source), "unauthenticated" (no live secret signed it),
        "unavailable" (a kind of source that this version does not know); in the future: "busy" and
        "unavailable", as recording. Whatever is wrong with an authentic delivery, it is kept and set aside.
        """
        kind, secrets = self.demand(name)
        source = self._sources.get(kind)
        if source is None:
            raise Refused("unavailable", f"This version cannot read sources of the kind {kind}.")
        delivery = Delivery(source=name, headers=headers, body=body, received_at=self._clock.now())
        self._authenticate(source, delivery, secrets)
        digest = hashlib.sha256(body).digest()
        mac = mac_of(self._vault, name, digest)
        known = self._archive.seen(mac)
        if known is not None:
            return _done(Receipt("repeat", [known]))
        salt = self._chance.bytes(SALT)
        reading = self._read(source, delivery)
        raw = self._raw(source, delivery, reading, mac, salt)
        return self._record(delivery, raw, committed(salt, digest), reading)

    def demand(self, name: str) -> tuple[str, list[bytes]]:
        """A source's kind and live secrets. Refused("not-found") if there is no source of this name."""
        configured = self._source_of(name)
        if configured is None:
            raise Refused(
                "not-found", "There is no source of this name. Add it with: deploytrail admin source add."
            )
        return configured

    def read_again(self) -> Again:
        """Read anew what was set aside and is still kept, after an upgrade; safe to repeat. Blocking."""
        again = aside = 0
        for _, raw, index in self._archive.deliveries():
            first = read(self._archive.entries(index, index + 1)[0].body)
            if first.kind != _ASIDE or first.delivery is None:
                continue
            if raw.id_mac is None and "delivery_id" in first.data:
                # It came under another's id and was set aside for that, not because it could not be read.
                continue
            outcome = self._told_again(self._drafts_again(raw, first.delivery))
            again += outcome == "recorded"
            aside += outcome == "set_aside"
        return Again(again, aside)

    def _told_again(self, drafts: Sequence[Draft]) -> Status:
        try:
            placed = self._recorder.record(drafts).result() if drafts else []
        except Refused as refusal:
            if refusal.code not in _ITS_FAULT:
                raise
            return "set_aside"
        if not placed:
            return "set_aside"
        return "repeat" if all(one.repeat for one in placed) else "recorded"

    def _drafts_again(self, raw: RawDelivery, name: str) -> list[Draft]:
        configured = self._source_of(raw.source)
        source = self._sources.get(configured[0]) if configured else None
        if source is None:
            return []
        kept = open_kept(raw, self._vault)
        delivery = Delivery(
            source=raw.source, headers=kept.headers, body=kept.body, received_at=raw.received_at
        )
        drafts = self._read(source, delivery).drafts
        return [
            msgspec.structs.replace(draft, delivery=name, id=draft.id or self._id(raw.source, f"{name}/{n}"))
            for n, draft in enumerate(drafts)
        ]

    def _authenticate(self, source: Source, delivery: Delivery, secrets: Sequence[bytes]) -> None:
        try:
            source.authenticate(delivery, secrets)
        except Exception as error:
            with self._lock:
                self.refused[delivery.source] += 1
            if isinstance(error, Refused):
                raise
            diagnostics.exception("a source failed to authenticate a delivery")
            raise Refused("unauthenticated", "The signature of this delivery cannot be checked.") from None

    def _read(self, source: Source, delivery: Delivery) -> Reading:
        """What a source makes of a delivery, with its ids hidden; never an error."""
        try:
            reading = source.read(delivery)
            drafts = [self._hidden(draft, delivery.source) for draft in reading.drafts]
            return Reading(
                event=_short(reading.event) or "unknown",
                delivery_id=_short(reading.delivery_id),
                drafts=drafts,
                reason=_short(reading.reason),
            )
        except Unreadable as error:
            return Reading(
                event=_short(error.event) or "unknown",
                delivery_id=_short(error.delivery_id),
                reason=_short(error.words),
            )
        except Exception as error:
            # A source that breaks its promise must not cost a delivery: keep it and say so.
            diagnostics.exception("a source failed to read a delivery")
            return Reading(event="unknown", reason=f"the source could not read it ({type(error).__name__})")

    def _hidden(self, draft: Draft, source: str) -> Draft:
        """A draft under a keyed hash of its id, which a source makes from what a delivery holds, and of what
        it says.

        So nothing of the id stands in the entry, the same report in two deliveries is known again, and one
        that says something else is recorded too: who sends deliveries cannot tell a correction otherwise.
        """
        if draft.id is None:
            return draft
        told = msgspec.structs.replace(draft, received_at=0, delivery=None)
        return msgspec.structs.replace(draft, id=self._id(source, draft.id, _content.encode(told)))

    def _id(self, source: str, text: str, content: bytes = b"") -> str:
        mac = self._vault.mac("fact id", source.encode(), text.encode(), content)[:_ID_BYTES]
        return "k_" + b32encode(mac).decode().rstrip("=").lower()

    def _record(self, delivery: Delivery, raw: RawDelivery, name: str, reading: Reading) -> Future[Receipt]:
        """Record what was read; its facts name the delivery by its commitment `name`."""
        result: Future[Receipt] = Future()
        result.set_running_or_notify_cancel()

        def again() -> Status:
            return "known" if self._archive.seen(raw.mac) is None else "repeat"

        def set_aside(reason: str) -> None:
            aside = self._aside(delivery, reading, reason, name)
            _pass_on(self._recorder.record([aside], delivery=raw), result, "set_aside", nameless, again)

        def nameless(refusal: Refused) -> bool:
            """Whether the delivery was set aside without its id, since another one came under that."""
            if refusal.code != "conflict" or raw.id_mac is None:
                return False
            aside = self._aside(delivery, reading, refusal.words, name)
            placed = self._recorder.record([aside], delivery=raw._replace(id_mac=None))
            _pass_on(placed, result, "set_aside", lambda _: False, again)
            return True

        def instead(refusal: Refused) -> bool:
            """Whether the delivery was set aside for what its facts were refused for."""
            if refusal.code not in _ITS_FAULT:
                return False
            set_aside(refusal.words)
            return True

        if reading.drafts:
            drafts = [msgspec.structs.replace(draft, delivery=name) for draft in reading.drafts]
            _pass_on(self._recorder.record(drafts, delivery=raw), result, "recorded", instead, again)
        else:
            set_aside(reading.reason or "nothing in it is read yet")
        return result

    def _raw(
        self, source: Source, delivery: Delivery, reading: Reading, mac: bytes, salt: bytes
    ) -> RawDelivery:
        told_id = reading.delivery_id
        headers = {name: delivery.headers[name] for name in source.headers if name in delivery.headers}
        kept = Kept(salt, headers, delivery.body)
        key, sealed = keep(kept, delivery.source, self._chance.bytes(KEY), self._vault, self._chance)
        return RawDelivery(
            source=delivery.source,
            mac=mac,
            id_mac=id_mac_of(self._vault, delivery.source, told_id) if told_id else None,
            received_at=delivery.received_at,
            event=reading.event,
            key=key,
            sealed=sealed,
        )

    def _aside(self, delivery: Delivery, reading: Reading, reason: str, name: str) -> Draft:
        body = DeliverySetAside(
            event=reading.event,
            size=len(delivery.body),
            commitment=name,
            reason=reason[:_CLEAR],
            delivery_id=reading.delivery_id,
        )
        return Draft(
            kind=_ASIDE,
            body=body,
            source=delivery.source,
            received_at=delivery.received_at,
            delivery=name,
        )


def _short(text: str | None) -> str | None:
    """A text that any entry can hold: sources are not trusted to give one."""
    if text is None:
        return None
    return text[:_CLEAR].encode("utf-8", "replace").decode() or None


def _done(receipt: Receipt) -> Future[Receipt]:
    future: Future[Receipt] = Future()
    future.set_result(receipt)
    return future


def _pass_on(
    placed: Future[list[Placed]],
    result: Future[Receipt],
    status: Status,
    instead: Callable[[Refused], bool],
    again: Callable[[], Status],
) -> None:
    """Answer `result` as soon as `placed` is, unless `instead` takes a refusal on itself.

    `again` tells what it is when nothing of it is new.
    """

    def answer(done: Future[list[Placed]]) -> None:
        try:
            try:
                where = done.result()
            except Refused as refusal:
                if not instead(refusal):
                    result.set_exception(refusal)
                return
            repeat = all(one.repeat for one in where)
            result.set_result(Receipt(again() if repeat else status, [one.index for one in where]))
        except Exception as error:
            diagnostics.exception("a delivery could not be answered")
            words = f"Recording failed ({type(error).__name__}). Send it again."
            result.set_exception(Refused("unavailable", words))

    placed.add_done_callback(answer)
