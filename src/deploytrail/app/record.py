"""The one way into the log.

Whoever has something to record seals it, hands it in, and waits. One thread takes everything that waits,
appends it in one transaction (group commit, no fixed delay: while one batch commits, the next fills), and
answers all. Acknowledged means durable and in the tree. This module is the only caller of `Log.append`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from deploytrail.app.disclose import Disclose
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Damaged, Log, Pending, Placed, RawDelivery, Submission
from deploytrail.errors import Refused
from deploytrail.facts import canonical
from deploytrail.facts.draft import Draft

MAX_BATCH: Final = 1024
MAX_BYTES: Final = 8 * 2**20
# Submissions that may wait; beyond it senders are told to come again.
MAX_WAITING: Final = 20_000
# What two tellings of one fact may differ in: our own time and where it came from.
_OURS: Final = frozenset({"received_at", "delivery", "subjects"})




class Recorder:
    """Takes drafts, gives back where they stand.

    `closed` holds words when nothing may be recorded (a history that the signer refuses, a failed disk).
    `listeners` are called with the new size after each append; `on_damage` once, when the store fails.
    """

    def __init__(self, log: Log, persons: Persons, disclose: Disclose) -> None:
        self._log, self._persons, self._disclose = log, persons, disclose
        self._waiting: queue.Queue[tuple[Submission, Future[list[Placed]]] | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self.closed: str | None = None
        self.listeners: list[Callable[[int], None]] = []
        self.on_damage: Callable[[str], None] | None = None

    def start(self) -> None:
        """Start the writing thread."""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Append what waits, then end the writing thread."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(timeout=30)
            self._thread = None

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
        "unavailable", or what sealing refuses.
        """
        try:
            pending = tuple(self._persons.seal(draft) for draft in drafts)
            future = self._submit(Submission(pending, tuple(unless_touched), since, delivery))
        except Refused as refusal:
            return _refused(refusal)
        # A repeat of a delivery is known by its bytes; only told ids can contradict.
        return future if delivery is not None else self._compared(future, pending)

    def record_each(self, drafts: Sequence[Draft]) -> list[Future[Placed]]:
        """Record drafts that stand alone, as `record` does for one."""
        return [_first(self.record([draft])) for draft in drafts]

    def _submit(self, submission: Submission) -> Future[list[Placed]]:
        if self.closed is not None:
            raise Refused("unavailable", self.closed)
        future: Future[list[Placed]] = Future()
        try:
            self._waiting.put_nowait((submission, future))
        except queue.Full:
            raise Refused("busy", "More is waiting than can be recorded now. Send it again in a second.") from None
        return future

    def _compared(self, future: Future[list[Placed]], pending: Sequence[Pending]) -> Future[list[Placed]]:
        """`future`, refused if a repeat says something else than what is recorded."""
        result: Future[list[Placed]] = Future()

        def compare(done: Future[list[Placed]]) -> None:
            try:
                placed = done.result()
                for where, told in zip(placed, pending, strict=True):
                    if where.repeat:
                        self._same(where.index, told)
                result.set_result(placed)
            except Refused as refusal:
                result.set_exception(refusal)

        future.add_done_callback(compare)
        return result

    def _same(self, index: int, told: Pending) -> None:
        """Refused("conflict") if the entry at `index` says something else. What is erased agrees with all."""
        row = self._log.entries(index, index + 1)[0]
        old, new = canonical.decode(row.body), canonical.decode(told.entry)
        opened_old = self._disclose.texts([index]).get(index, {})
        opened_new = self._disclose.open(told.disclosures)
        for name in {*old, *new} - _OURS:
            if not _agree(old.get(name), new.get(name), name, opened_old, opened_new):
                raise Refused(
                    "conflict",
                    f"Entry {index} has this id and says something else in {name}. "
                    "Nothing was recorded; tell a correction under a new id.",
                )

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            ended = self._fill(batch)
            self._append(batch)
            if ended:
                return

    def _fill(self, batch: list[tuple[Submission, Future[list[Placed]]]]) -> bool:
        """Take what else waits, up to the limits of one transaction; True if the end was among it."""
        count = len(batch[0][0].entries)
        size = _bytes(batch[0][0])
        while count < MAX_BATCH and size < MAX_BYTES:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                return False
            if more is None:
                return True
            batch.append(more)
            count += len(more[0].entries)
            size += _bytes(more[0])
        return False

    def _append(self, batch: list[tuple[Submission, Future[list[Placed]]]]) -> None:
        try:
            answers = self._log.append([submission for submission, _ in batch])
        except Damaged as damage:
            # After a failed flush nobody knows what the disk holds: stop acknowledging, let a restart look.
            self.closed = damage.words
            if self.on_damage:
                self.on_damage(damage.words)
            answers = [damage] * len(batch)
        except Refused as refusal:
            answers = [refusal] * len(batch)
        except Exception as error:
            # Whatever it was, those who wait must hear that nothing was acknowledged.
            answers = [Refused("unavailable", f"Nothing was recorded: {error}.")] * len(batch)
        newest = -1
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Refused):
                future.set_exception(answer)
            else:
                newest = max([newest, *(p.index for p in answer if not p.repeat)])
                future.set_result(answer)
        if newest >= 0:
            for listener in self.listeners:
                listener(newest + 1)


def _agree(old: Any, new: Any, path: str, opened_old: dict[str, Any], opened_new: dict[str, Any]) -> bool:
    """Whether two values of entries say the same, sealed ones by what they open to."""
    if isinstance(old, dict) and isinstance(new, dict):
        if set(old) == {"c"} and set(new) == {"c"}:
            return path not in opened_old or opened_old[path] == opened_new.get(path)
        names = ({*old, *new}) - {"id"} if _person(old) and _person(new) else {*old, *new}
        return all(_agree(old.get(n), new.get(n), f"{path}.{n}", opened_old, opened_new) for n in names)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            _agree(a, b, f"{path}.{i}", opened_old, opened_new)
            for i, (a, b) in enumerate(zip(old, new, strict=True))
        )
    return bool(old == new)


def _person(value: dict[str, Any]) -> bool:
    """Subject ids are ours: after an erasure the same person has another."""
    return str(value.get("id", "")).startswith("s_")


def _bytes(submission: Submission) -> int:
    raw = len(submission.delivery.sealed) if submission.delivery else 0
    return raw + sum(len(p.entry) + sum(len(b.sealed) for b in p.disclosures) for p in submission.entries)


def _refused(refusal: Refused) -> Future[list[Placed]]:
    future: Future[list[Placed]] = Future()
    future.set_exception(refusal)
    return future


def _first(many: Future[list[Placed]]) -> Future[Placed]:
    one: Future[Placed] = Future()

    def pass_on(done: Future[list[Placed]]) -> None:
        try:
            one.set_result(done.result()[0])
        except Refused as refusal:
            one.set_exception(refusal)

    many.add_done_callback(pass_on)
    return one
