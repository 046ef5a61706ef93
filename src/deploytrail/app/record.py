"""The one way into the log.

Whoever has something to record hands it in, and waits. One thread takes everything that waits, seals it,
appends it in one transaction (group commit, no fixed delay: while one batch commits, the next fills), and
answers all. It seals as well, since threads that seal and append at once take the interpreter from each
other a dozen times for each fact. Acknowledged means durable and in the tree. This module is the only caller
of `Log.append`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from deploytrail.app.access import HOUSE
from deploytrail.app.disclose import Disclose
from deploytrail.app.listeners import tell_all
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Blob, Damaged, Log, Pending, Placed, RawDelivery, Submission
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft

diagnostics = logging.getLogger("deploytrail.record")

MAX_BATCH: Final = 1024
MAX_BYTES: Final = 8 * 2**20
# Drafts, and bytes they were told in, that may wait; beyond it senders are told to come again.
MAX_WAITING: Final = 20_000
MAX_WAITING_BYTES: Final = 256 * 2**20
# Seconds that stopping, and whoever records at once, waits for the disk.
_PATIENCE: Final = 30
# What two tellings of one fact may differ in: our own time and spelling, and where it came from.
_OURS: Final = frozenset({"v", "received_at", "delivery", "subjects"})
_ENDED: Final = "The house is stopping. Nothing was recorded; send it again in a moment."


class _Waiting(NamedTuple):
    """Drafts and whom to answer: for all of them together, or for each that stands alone."""

    drafts: Sequence[Draft]
    future: Future[Any]
    size: int
    each: bool = False
    unless_touched: tuple[str, ...] = ()
    since: int = -1
    delivery: RawDelivery | None = None

    @property
    def answers(self) -> int:
        """How many answers it waits for."""
        return len(self.drafts) if self.each else 1


class Recorder:
    """Takes drafts, gives back where they stand.

    `closed` holds words when nothing may be recorded (a history that the signer refuses, a failed disk).
    `full` says why nothing from outside is taken (a disk that runs full); the house's own facts still are.
    `listeners` are called with the new size after each append; `on_damage` once, when the store fails.
    Neither can harm the recording, whatever they raise. What is handed in before `start` waits for it.
    """

    def __init__(self, log: Log, persons: Persons, disclose: Disclose) -> None:
        self._log, self._persons, self._disclose = log, persons, disclose
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._count = self._weight = 0
        self._taken: list[_Waiting] = []
        self._ended = False
        # Held while a batch is appended, so that `settle` can wait for it.
        self._appending = threading.Lock()
        self._thread: threading.Thread | None = None
        self.closed: str | None = None
        self.full: Callable[[], Refused | None] = _never
        self.listeners: list[Callable[[int], None]] = []
        self.on_damage: Callable[[str], None] | None = None

    def start(self) -> None:
        """Start the writing thread."""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Append what waits, then end the writing thread. What comes later is refused."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=_PATIENCE)
            self._thread = None
        # Only if the thread never started, or hangs in a disk that does not answer.
        with self._changed:
            taken, waiting = self._taken, list(self._waiting)
            self._waiting.clear()
        for one in taken:
            _refuse(one, Refused("unavailable", _unknown("the disk does not answer")))
        for one in waiting:
            _refuse(one, Refused("unavailable", _ENDED))

    def record(
        self,
        drafts: Sequence[Draft],
        *,
        unless_touched: Sequence[str] = (),
        since: int = -1,
        delivery: RawDelivery | None = None,
        size: int = 0,
    ) -> Future[list[Placed]]:
        """Record drafts together or not at all. `size`: in how many bytes they were told, besides `delivery`.

        The future refuses with "conflict" (a guard was touched, or the same id told something else), "busy",
        "unavailable", or what sealing refuses; never with anything but Refused.
        """
        size += len(delivery.sealed) if delivery else 0
        return self._hand_in(_Waiting(drafts, Future(), size, False, tuple(unless_touched), since, delivery))

    def record_now(self, draft: Draft) -> Placed:
        """Record one draft and wait until it is durable. Refused as `record`; "busy" if that takes long."""
        try:
            return self.record([draft]).result(timeout=_PATIENCE)[0]
        except TimeoutError:
            words = f"After {_PATIENCE} s it is not known whether this was recorded. Look, then try again."
            raise Refused("busy", words) from None

    def record_each(self, drafts: Sequence[Draft], *, size: int = 0) -> Future[list[Placed | Refused]]:
        """Record drafts that stand alone, some hundreds at a time: where each stands, or why it does not.

        `size`: in how many bytes they were told. The future itself refuses nothing.
        """
        return self._hand_in(_Waiting(drafts, Future(), size, True))

    def settle(self) -> None:
        """Wait for the batch that is being sealed and appended.

        Whoever forgets a person calls this between `Persons.forget` and erasing disclosures: what is
        appended from then on holds none of that person.
        """
        with self._appending:
            pass

    def _shut(self) -> Refused | None:
        if self.closed is not None:
            return Refused("unavailable", self.closed)
        return Refused("unavailable", _ENDED) if self._ended else None

    def _hand_in(self, one: _Waiting) -> Future[Any]:
        # Whoever stops waiting for an answer does not take back what was said.
        one.future.set_running_or_notify_cancel()
        refusal = self._no_room(one.drafts)
        if refusal is None:
            with self._changed:
                refusal = self._put(one)
                if refusal is None:
                    self._changed.notify_all()
                    return one.future
        # Without the lock, since those who listen for the answer may hand in more.
        _refuse(one, refusal)
        return one.future

    def _no_room(self, drafts: Sequence[Draft]) -> Refused | None:
        """Why nothing of what comes from outside is taken."""
        return self.full() if any(draft.source != HOUSE for draft in drafts) else None

    def _put(self, one: _Waiting) -> Refused | None:
        if (shut := self._shut()) is not None:
            return shut
        full = self._count >= MAX_WAITING or self._weight + one.size > MAX_WAITING_BYTES
        if full and self._waiting:
            return Refused("busy", "More is waiting than can be recorded now. Send it again in a second.")
        self._waiting.append(one)
        self._count += len(one.drafts)
        self._weight += one.size
        return None

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._append(batch)
            except Exception as error:
                # Whatever it was, nobody is left without an answer, and the next batch gets its turn.
                diagnostics.exception("recording failed")
                for one in batch:
                    _refuse(one, Refused("unavailable", _unknown(type(error).__name__)))
            self._taken = []

    def _take(self) -> list[_Waiting]:
        """What waits, up to the limits of one transaction; nothing once stopped and empty."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait()
            batch: list[_Waiting] = []
            count = size = 0
            while self._waiting and count < MAX_BATCH and size < MAX_BYTES:
                one = self._waiting.popleft()
                batch.append(one)
                count += len(one.drafts)
                size += one.size
            self._count -= count
            self._weight -= size
            self._taken = batch
            return batch

    def _append(self, batch: Sequence[_Waiting]) -> None:
        """Seal and append a batch, and answer everybody."""
        with self._appending:
            answers = self._appended(batch)
        places = (place for told in answers for place in told if isinstance(place, Placed))
        newest = max((place.index for place in places if not place.repeat), default=-1)
        for one, told in zip(batch, answers, strict=True):
            _answer(one, told)
        if newest >= 0:
            tell_all(self.listeners, newest + 1)

    def _appended(self, batch: Sequence[_Waiting]) -> list[list[Placed | Refused]]:
        """What to answer to each: where it stands, or why it does not."""
        if self.closed is not None:
            # Nobody new is made up for what is not recorded anyway.
            return [[Refused("unavailable", self.closed)] * one.answers for one in batch]
        sealed = self._persons.seal_each([draft for one in batch for draft in one.drafts])
        damage = next((one for one in sealed if isinstance(one, Damaged)), None)
        if damage is not None:
            self._damaged(damage.words)
        rest = iter(sealed)
        told = [_parts(one, list(islice(rest, len(one.drafts)))) for one in batch]
        answers = iter(
            self._added([part for parts in told for part in parts if isinstance(part, Submission)])
        )
        return [
            _joined([part if isinstance(part, Refused) else next(answers) for part in parts], one.each)
            for one, parts in zip(batch, told, strict=True)
        ]

    def _added(self, submissions: Sequence[Submission]) -> list[list[Placed] | Refused]:
        """What the log answers, asked for as many at a time as one transaction may hold."""
        answers: list[list[Placed] | Refused] = []
        for some in _by_size(submissions):
            if self.closed is not None:
                answers += [Refused("unavailable", self.closed)] * len(some)
                continue
            try:
                answers += self._log.append(some, self._differs)
            except Refused as refusal:
                answers += [refusal] * len(some)
                if isinstance(refusal, Damaged):
                    self._damaged(refusal.words)
        return answers

    def _damaged(self, words: str) -> None:
        """After a failed flush nobody knows what the disk holds: record no more, let a restart look."""
        self.closed = words
        told, self.on_damage = self.on_damage, None
        if told is not None:
            tell_all([told], words)

    def _differs(self, body: bytes, blobs: Sequence[Blob], told: Pending) -> str | None:
        """The first place in which an entry and a telling of it differ. What is erased agrees with all."""
        old, new = msgspec.json.decode(body), msgspec.json.decode(told.entry)
        before, after = self._disclose.open(blobs), self._disclose.open(told.disclosures)
        for name in sorted({*old, *new} - _OURS):
            place = _difference(old.get(name), new.get(name), name, before, after)
            if place is not None:
                return place
        return None


def _never() -> None:
    return None


_ERASED: Final = object()


def _difference(old: Any, new: Any, path: str, before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """Where two values of entries say something else, sealed ones by what they open to; None if nowhere."""
    if _sealed(old) or _sealed(new):
        was = before.get(path, _ERASED) if _sealed(old) else old
        now = after.get(path, _ERASED) if _sealed(new) else new
        return None if was is _ERASED or now is _ERASED or was == now else path
    if isinstance(old, dict) and isinstance(new, dict):
        # Subject ids are ours: after an erasure the same person has another.
        ours = {"id"} if _person(old) and _person(new) else set()
        inner = [(old.get(name), new.get(name), f"{path}.{name}") for name in sorted({*old, *new} - ours)]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = [(was, now, f"{path}.{place}") for place, (was, now) in enumerate(zip(old, new, strict=True))]
    else:
        return None if type(old) is type(new) and old == new else path
    found = (_difference(was, now, where, before, after) for was, now, where in inner)
    return next((place for place in found if place is not None), None)


def _sealed(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"c"}


def _person(value: dict[str, Any]) -> bool:
    return str(value.get("id", "")).startswith("s_")


def _parts(one: _Waiting, sealed: list[Pending | Refused]) -> list[Submission | Refused]:
    """What stands and falls together, as submissions; what cannot be one is refused already."""
    if one.each:
        return [each if isinstance(each, Refused) else Submission((each,)) for each in sealed]
    refusal = next((each for each in sealed if isinstance(each, Refused)), None)
    pending = tuple(each for each in sealed if isinstance(each, Pending))
    return [refusal or Submission(pending, one.unless_touched, one.since, one.delivery)]


def _joined(answers: Sequence[list[Placed] | Refused], each: bool) -> list[Placed | Refused]:
    if each:
        return [answer if isinstance(answer, Refused) else answer[0] for answer in answers]
    [answer] = answers
    return [answer] if isinstance(answer, Refused) else [*answer]


def _by_size(submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
    """In their order, at most so many bytes together."""
    some: list[Submission] = []
    size = 0
    for one in submissions:
        size += _bytes(one)
        if some and size > MAX_BYTES:
            yield some
            some, size = [], _bytes(one)
        some.append(one)
    if some:
        yield some


def _bytes(submission: Submission) -> int:
    raw = len(submission.delivery.sealed) if submission.delivery else 0
    return raw + sum(len(p.entry) + sum(len(b.sealed) for b in p.disclosures) for p in submission.entries)


def _unknown(why: str) -> str:
    return f"Recording failed ({why}), and it is not known whether this was recorded. Send it again."


def _refuse(one: _Waiting, refusal: Refused) -> None:
    _answer(one, [refusal] * one.answers)


def _answer(one: _Waiting, told: list[Placed | Refused]) -> None:
    # Answered already only when stopping has lost its patience with the disk.
    with suppress(InvalidStateError):
        refusal = next((each for each in told if isinstance(each, Refused)), None)
        if one.each or refusal is None:
            one.future.set_result(told)
        else:
            # A new one for each, since whoever raises it adds a trace of its own.
            one.future.set_exception(Refused(refusal.code, refusal.words, after=refusal.after))
