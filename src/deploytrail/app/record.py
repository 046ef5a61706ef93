"""The one way into the log.

Whoever has something to record seals it, hands it in, and waits. One thread takes everything that waits,
appends it in one transaction (group commit, no fixed delay: while one batch commits, the next fills), and
answers all. Acknowledged means durable and in the tree. This module is the only caller of `Log.append`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
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
# Submissions, and bytes of them, that may wait; beyond it senders are told to come again.
MAX_WAITING: Final = 20_000
MAX_WAITING_BYTES: Final = 256 * 2**20
# Seconds that stopping, and whoever records at once, waits for the disk.
_PATIENCE: Final = 30
# What two tellings of one fact may differ in: our own time and spelling, and where it came from.
_OURS: Final = frozenset({"v", "received_at", "delivery", "subjects"})
_ENDED: Final = "The house is stopping. Nothing was recorded; send it again in a moment."


class _Waiting(NamedTuple):
    """Submissions and whom to answer. `each`: what stands alone, in order, with what was refused before."""

    submissions: Sequence[Submission]
    future: Future[Any]
    each: Sequence[Pending | Refused] | None
    size: int


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
    ) -> Future[list[Placed]]:
        """Record drafts together or not at all.

        The future refuses with "conflict" (a guard was touched, or the same id told something else), "busy",
        "unavailable", or what sealing refuses; never with anything but Refused.
        """
        sealed = self._sealed(drafts)
        pending = tuple(one for one in sealed if isinstance(one, Pending))
        refusal = next((one for one in sealed if isinstance(one, Refused)), None)
        submission = Submission(pending, tuple(unless_touched), since, delivery)
        return self._hand_in([submission], None, refusal)

    def record_now(self, draft: Draft) -> Placed:
        """Record one draft and wait until it is durable. Refused as `record`; "busy" if that takes long."""
        try:
            return self.record([draft]).result(timeout=_PATIENCE)[0]
        except TimeoutError:
            words = f"After {_PATIENCE} s it is not known whether this was recorded. Look, then try again."
            raise Refused("busy", words) from None

    def record_each(self, drafts: Sequence[Draft]) -> Future[list[Placed | Refused]]:
        """Record drafts that stand alone, some hundreds at a time: where each stands, or why it does not.

        The future itself refuses nothing.
        """
        sealed = self._sealed(drafts)
        return self._hand_in([Submission((one,)) for one in sealed if isinstance(one, Pending)], sealed)

    def settle(self) -> None:
        """Wait for the batch that is being appended.

        Whoever forgets a person calls this between `Persons.forget` and erasing disclosures: what is
        appended from then on holds none of that person.
        """
        with self._appending:
            pass

    def _sealed(self, drafts: Sequence[Draft]) -> Sequence[Pending | Refused]:
        # Nobody new is made up for what is not recorded anyway.
        if (shut := self._shut()) is not None:
            return [shut] * len(drafts)
        if any(draft.source != HOUSE for draft in drafts) and (full := self.full()) is not None:
            return [full] * len(drafts)
        sealed = self._persons.seal_each(drafts)
        damage = next((one for one in sealed if isinstance(one, Damaged)), None)
        if damage is not None:
            self._damaged(damage.words)
        return sealed

    def _shut(self) -> Refused | None:
        if self.closed is not None:
            return Refused("unavailable", self.closed)
        return Refused("unavailable", _ENDED) if self._ended else None

    def _hand_in(
        self,
        submissions: Sequence[Submission],
        each: Sequence[Pending | Refused] | None,
        refusal: Refused | None = None,
    ) -> Future[Any]:
        future: Future[Any] = Future()
        # Whoever stops waiting for an answer does not take back what was said.
        future.set_running_or_notify_cancel()
        one = _Waiting(submissions, future, each, sum(map(_bytes, submissions)))
        if refusal is None and submissions:
            with self._changed:
                refusal = self._put(one)
                if refusal is None:
                    self._changed.notify_all()
                    return future
        # Without the lock, since those who listen for the answer may hand in more.
        _answer(one, [refusal] * len(submissions) if refusal else [])
        return future

    def _put(self, one: _Waiting) -> Refused | None:
        if (shut := self._shut()) is not None:
            return shut
        full = self._count >= MAX_WAITING or self._weight + one.size > MAX_WAITING_BYTES
        if full and self._waiting:
            return Refused("busy", "More is waiting than can be recorded now. Send it again in a second.")
        self._waiting.append(one)
        self._count += len(one.submissions)
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
                self._count -= len(one.submissions)
                count += sum(len(submission.entries) for submission in one.submissions)
                size += one.size
            self._weight -= size
            self._taken = batch
            return batch

    def _append(self, batch: list[_Waiting]) -> None:
        answers: Sequence[list[Placed] | Refused]
        told = [submission for one in batch for submission in one.submissions]
        try:
            with self._appending:
                if self.closed is not None:
                    raise Refused("unavailable", self.closed)
                answers = self._log.append([self._cleared(one) for one in told], self._differs)
        except Damaged as damage:
            answers = [damage] * len(told)
            self._damaged(damage.words)
        except Refused as refusal:
            answers = [refusal] * len(told)
        fresh = (
            place.index
            for answer in answers
            if not isinstance(answer, Refused)
            for place in answer
            if not place.repeat
        )
        newest = max(fresh, default=-1)
        rest = iter(answers)
        for one in batch:
            _answer(one, list(islice(rest, len(one.submissions))))
        if newest >= 0:
            tell_all(self.listeners, newest + 1)

    def _cleared(self, submission: Submission) -> Submission:
        """`submission` without what belongs to persons erased since it was sealed."""
        entries = tuple(map(self._persons.without_erased, submission.entries))
        return submission if entries == submission.entries else submission._replace(entries=entries)

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


def _bytes(submission: Submission) -> int:
    raw = len(submission.delivery.sealed) if submission.delivery else 0
    return raw + sum(len(p.entry) + sum(len(b.sealed) for b in p.disclosures) for p in submission.entries)


def _unknown(why: str) -> str:
    return f"Recording failed ({why}), and it is not known whether this was recorded. Send it again."


def _refuse(one: _Waiting, refusal: Refused) -> None:
    _answer(one, [refusal] * len(one.submissions))


def _answer(one: _Waiting, answers: Sequence[list[Placed] | Refused]) -> None:
    # Answered already only when stopping has lost its patience with the disk.
    with suppress(InvalidStateError):
        if one.each is not None:
            rest = iter(answers)
            told = [each if isinstance(each, Refused) else next(rest) for each in one.each]
            one.future.set_result([each if isinstance(each, Refused) else each[0] for each in told])
        elif isinstance(answer := answers[0], Refused):
            # A new one for each, since whoever raises it adds a trace of its own.
            one.future.set_exception(Refused(answer.code, answer.words, after=answer.after))
        else:
            one.future.set_result(answer)
