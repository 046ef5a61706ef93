"""What one append writes, worked out without a database: shared by every store.

A store reads the head, asks `Batch.place` for each submission, and writes what the batch gathered, all in
one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from deploytrail.app.ports import Blob, Differs, Head, Pending, Placed, RawDelivery, Submission
from deploytrail.errors import Refused
from deploytrail.tlog.frontier import Frontier, Node
from deploytrail.tlog.hashes import leaf_hash

Id = tuple[str, str]


class Known(NamedTuple):
    """What the database holds about a batch, as it was before.

    `ids` the entry that each (source, id) told; `stored` the bytes and disclosures of those entries, as far
    as `differs` will be asked; `macs` the first entry of each delivery; `id_macs` those that were seen;
    `newest` the newest entry about a subject.
    """

    head: Head
    ids: Mapping[Id, int]
    stored: Mapping[int, tuple[bytes, Sequence[Blob]]]
    macs: Mapping[bytes, int]
    id_macs: Set[bytes | None]
    newest: Mapping[str, int]


class Batch:
    """The submissions of one transaction, placed one after another behind the head."""

    def __init__(self, known: Known, differs: Differs | None) -> None:
        self._known, self._differs = known, differs
        self._start = known.head.size
        self._told: list[Pending] = []
        self._touched: dict[str, int] = {}
        self._id_macs: set[bytes] = set()
        self.entries: list[tuple[int, bytes, bytes]] = []
        self.subjects: list[Sequence[str]] = []
        self.repeats: dict[Id, int] = {}
        self.disclosures: list[tuple[int, Blob]] = []
        self.deliveries: dict[bytes, tuple[RawDelivery, int]] = {}

    def place(self, submission: Submission) -> list[Placed] | Refused:
        """Where each entry of a submission stands, or why none of them was taken."""
        raw = submission.delivery
        if raw is not None and (first := self._delivered(raw.mac)) is not None:
            return [Placed(first, repeat=True)]
        if raw is not None and (raw.id_mac in self._id_macs or raw.id_mac in self._known.id_macs):
            return Refused("conflict", "The same delivery id came with another body.")
        # Nothing is taken before all of it may be.
        try:
            placed = self._planned(submission.entries)
        except Refused as refusal:
            return refusal
        if all(one.repeat for one in placed):
            return placed
        for key in submission.unless_touched:
            if max(self._touched.get(key, -1), self._known.newest.get(key, -1)) > submission.since:
                return Refused(
                    "conflict", "Something that this relied on has changed. Read it again and decide anew."
                )
        if raw is not None:
            self.deliveries[raw.mac] = (raw, next(one.index for one in placed if not one.repeat))
            if raw.id_mac is not None:
                self._id_macs.add(raw.id_mac)
        return [
            one if one.repeat else Placed(one.index, repeat=False, leaf=self._take(one.index, pending))
            for pending, one in zip(submission.entries, placed, strict=True)
        ]

    def close(self) -> tuple[Head, list[Node]]:
        """The new head, and the hashes of the tiles that became full.

        The leaves are hashed here a second time, from the bytes that will be written: a bit that flipped
        in between must not enter the tree for ever.
        """
        leaves = [leaf_hash(body) for _, _, body in self.entries]
        if leaves != [leaf for _, leaf, _ in self.entries]:
            raise Refused("unavailable", "This machine's memory fails: two hashes of one entry differ.")
        frontier, nodes = self._known.head.frontier.extend(leaves)
        return Head(frontier.size, frontier.root(), frontier), nodes

    def _delivered(self, mac: bytes) -> int | None:
        if mac in self.deliveries:
            return self.deliveries[mac][1]
        return self._known.macs.get(mac)

    def _planned(self, entries: Sequence[Pending]) -> list[Placed]:
        """Where the entries would stand. Refused("conflict") if one contradicts what its id told before."""
        placed: list[Placed] = []
        mine: dict[Id, Pending] = {}
        indices: dict[Id, int] = {}
        free = self._start + len(self.entries)
        for pending in entries:
            id = (pending.source, pending.id) if pending.id is not None else None
            index = None if id is None else indices.get(id, self._find(id))
            if index is None:
                index, free = free, free + 1
                placed.append(Placed(index, repeat=False))
                if id is not None:
                    mine[id], indices[id] = pending, index
                continue
            assert id is not None
            self._demand_same(index, mine.get(id), pending)
            placed.append(Placed(index, repeat=True))
        return placed

    def _find(self, id: Id) -> int | None:
        index = self.repeats.get(id)
        return self._known.ids.get(id) if index is None else index

    def _demand_same(self, index: int, earlier: Pending | None, told: Pending) -> None:
        if self._differs is None:
            return
        if earlier is None and index >= self._start:
            earlier = self._told[index - self._start]
        body, blobs = self._known.stored[index] if earlier is None else (earlier.entry, earlier.disclosures)
        name = self._differs(body, blobs, told)
        if name is not None:
            raise Refused(
                "conflict",
                f"Entry {index} has this id and says something else in {name}. "
                "Nothing of this was recorded; tell a correction under a new id.",
            )

    def _take(self, index: int, pending: Pending) -> bytes:
        """Add an entry to the batch; its leaf hash."""
        leaf = leaf_hash(pending.entry)
        self._told.append(pending)
        self.entries.append((index, leaf, pending.entry))
        self.subjects.append(pending.subjects)
        self._touched.update(dict.fromkeys(pending.subjects, index))
        if pending.id is not None:
            self.repeats[pending.source, pending.id] = index
        self.disclosures.extend((index, blob) for blob in pending.disclosures)
        return leaf


def empty_head() -> Head:
    """The head of a log without entries."""
    return Head(0, Frontier.EMPTY.root(), Frontier.EMPTY)


def ids_of(batch: Iterable[Submission]) -> list[Id]:
    """Every (source, id) that a batch carries, to be looked up at once."""
    return [(p.source, p.id) for s in batch for p in s.entries if p.id is not None]


def macs_of(batch: Iterable[Submission]) -> list[bytes]:
    """Every delivery's keyed hash in a batch."""
    return [s.delivery.mac for s in batch if s.delivery is not None]


def id_macs_of(batch: Iterable[Submission]) -> list[bytes]:
    """Every keyed hash of a delivery id in a batch."""
    return [s.delivery.id_mac for s in batch if s.delivery is not None and s.delivery.id_mac is not None]


def guards_of(batch: Iterable[Submission]) -> list[str]:
    """Every subject that a batch relies on."""
    return sorted({key for s in batch for key in s.unless_touched})


def demand_same_root(size: int, kept: bytes, told: bytes) -> None:
    """Refused("untrue") unless two checkpoints of one size have one root."""
    if kept != told:
        raise Refused("untrue", f"Two roots for size {size}: the published one stays.")
