"""What one append writes, worked out without a database: shared by every store.

A store reads the head, asks `Batch.place` for each submission, and writes what the batch gathered, all in
one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from deploytrail.app.ports import Blob, Head, Pending, Placed, RawDelivery, Submission
from deploytrail.errors import Refused
from deploytrail.tlog.frontier import Frontier, Node
from deploytrail.tlog.hashes import leaf_hash


class Batch:
    """The submissions of one transaction, placed one after another from `size` on.

    `found` answers which entry a (source, id) told before; `seen` which entry a delivery's keyed hash led
    to; `newest` the newest entry about a subject, or -1. All three look at the database as it was.
    """

    def __init__(
        self,
        head: Head,
        found: Callable[[str, str], int | None],
        seen: Callable[[bytes], int | None],
        newest: Callable[[str], int],
    ) -> None:
        self._found, self._seen, self._newest = found, seen, newest
        self._start = head.size
        self._frontier = head.frontier
        self.entries: list[tuple[int, bytes, bytes]] = []
        self.subjects: list[tuple[str, int]] = []
        self.repeats: dict[tuple[str, str], int] = {}
        self.disclosures: list[tuple[int, Blob]] = []
        self.deliveries: dict[bytes, tuple[RawDelivery, int]] = {}
        self._touched: dict[str, int] = {}

    def place(self, submission: Submission) -> list[Placed] | Refused:
        """Where each entry of a submission stands, or why none of them was taken."""
        raw = submission.delivery
        if raw is not None and (known := self._delivered(raw.mac)) is not None:
            return [Placed(known, repeat=True)]
        for key in submission.unless_touched:
            if max(self._touched.get(key, -1), self._newest(key)) > submission.since:
                return Refused("conflict", "Something that this relied on has changed. Read it again and decide anew.")
        placed = [self._one(pending) for pending in submission.entries]
        fresh = next((p.index for p in placed if not p.repeat), None)
        if raw is not None and fresh is not None:
            self.deliveries[raw.mac] = (raw, fresh)
        return placed

    def close(self) -> tuple[Head, list[Node]]:
        """The new head, and the hashes of the tiles that became full.

        The leaves are hashed here a second time, from the bytes that will be written: a bit that flipped
        in between must not enter the tree for ever.
        """
        leaves = [leaf_hash(body) for _, _, body in self.entries]
        if leaves != [leaf for _, leaf, _ in self.entries]:
            raise Refused("unavailable", "This machine's memory is not reliable: two hashes of one entry differ.")
        frontier, nodes = self._frontier.extend(leaves)
        return Head(frontier.size, frontier.root(), frontier), nodes

    def _delivered(self, mac: bytes) -> int | None:
        if mac in self.deliveries:
            return self.deliveries[mac][1]
        return self._seen(mac)

    def _one(self, pending: Pending) -> Placed:
        if pending.id is not None:
            known = self.repeats.get((pending.source, pending.id))
            if known is None:
                known = self._found(pending.source, pending.id)
            if known is not None:
                return Placed(known, repeat=True)
        index = self._start + len(self.entries)
        self.entries.append((index, leaf_hash(pending.entry), pending.entry))
        for key in pending.subjects:
            self.subjects.append((key, index))
            self._touched[key] = index
        if pending.id is not None:
            self.repeats[pending.source, pending.id] = index
        self.disclosures.extend((index, blob) for blob in pending.disclosures)
        return Placed(index, repeat=False)


def empty_head() -> Head:
    """The head of a log without entries."""
    frontier = Frontier(0, ())
    return Head(0, frontier.root(), frontier)


def ids_of(batch: Iterable[Submission]) -> list[tuple[str, str]]:
    """Every (source, id) that a batch carries, to be looked up at once."""
    return [(p.source, p.id) for s in batch for p in s.entries if p.id is not None]


def macs_of(batch: Iterable[Submission]) -> list[bytes]:
    """Every delivery's keyed hash in a batch."""
    return [s.delivery.mac for s in batch if s.delivery is not None]


def guards_of(batch: Iterable[Submission]) -> list[str]:
    """Every subject that a batch relies on."""
    return sorted({key for s in batch for key in s.unless_touched})


def lookup(found: dict[Any, int]) -> Callable[..., int | None]:
    """A function that looks several arguments up as one key."""
    return lambda *key: found.get(key if len(key) > 1 else key[0])
