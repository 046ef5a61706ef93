"""One walk over all entries of a log, which builds what its tree and every table beside it should hold.

The tree is built from the stored leaf hashes, and entries are held against those. The subject index and the
known ids are kept as short hashes in 256 heaps each, so that a million entries fit into memory; a heap is
turned into a set only while it is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from struct import pack, unpack
from typing import Any, Final, NamedTuple

from deploytrail.app.access import HOUSE
from deploytrail.app.judging import told
from deploytrail.app.ports import Inspected
from deploytrail.evidence.check import Faults
from deploytrail.facts.entry import Entry, check
from deploytrail.facts.subjects import subject_hash
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import EMPTY_ROOT, HASH_BYTES, leaf_hash

# (looked at so far, of how many, at what)
Progress = Callable[[int, int, str], None]

_BATCH: Final = 500
# A file in which so many entries cannot be read is not looked through to its end.
_ENOUGH: Final = 100
_FIRST: Final = -(2**63)


class Entries(NamedTuple):
    """The log as check 2 to 4 found it: up to `size`, `whole` if all of it can be read.

    `erased` gives for each subject the newest entry that says so.
    """

    log: Inspected
    size: int
    whole: bool
    erased: dict[str, int]
    progress: Progress | None

    def bodies(self, start: int, stop: int) -> list[tuple[int, bytes, bytes]]:
        """(index, leaf, body) of those that are whole enough to be looked at."""
        rows = self.log.entry_rows(start, stop, stop - start)
        return [row for row in rows if isinstance(row[2], bytes)]

    def tell(self, done: int, words: str) -> None:
        """How far a check is."""
        if self.progress:
            self.progress(done, self.size, words)


class Walk:
    """One walk over all entries, in order, that builds the tree and what every table should hold.

    `next` is the index after the last entry; `broken` the first index from which no tree can be built;
    `roots` those at the sizes asked for, `at_head` the frontier at the head's size.
    """

    def __init__(self, log: Inspected, size: int | None, wanted: set[int], progress: Progress | None) -> None:
        self._log, self._size, self._progress = log, size, progress
        self._wanted = sorted((at for at in wanted if at > 0), reverse=True)
        self.entries, self.hashed, self.decoded = Faults(), Faults(), Faults()
        self.next = 0
        self.stopped = False
        self.broken: int | None = None
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.subjects, self.ids = _Subjects(), _Ids()
        self._unread: set[int] = set()
        self._unread_ranges: list[range] = []
        # Subjects that were erased, with the newest entry that says so.
        self.erased: dict[str, int] = {}
        self._frontier = Frontier.EMPTY
        self._leaves: list[bytes] = []
        self.at_head = Frontier.EMPTY

    def go(self) -> None:
        """Look at everything, or stop when enough cannot be read."""
        at: int | None = _FIRST
        while at is not None:
            at = self._batch(at)
            self._grow()
            if self._progress and self._size:
                self._progress(min(self.next, self._size), self._size, "entries")
        if self._size is not None and self.next < self._size and not self.stopped:
            self._gap(self.next, self._size)

    def stop(self) -> None:
        """Give up: nothing is known of what follows."""
        self.stopped = True
        self._skip(self.next, 2**63)

    def knows(self, index: int) -> bool:
        """Whether anything can be said of what this entry should have led to."""
        return index not in self._unread and not any(index in some for some in self._unread_ranges)

    @property
    def whole(self) -> bool:
        """Whether every entry could be read."""
        return not self._unread and not self._unread_ranges

    def _batch(self, at: int) -> int | None:
        """Look at the next rows; where to go on, None at the end."""
        try:
            rows = self._log.entry_rows(at, limit=_BATCH)
        except Exception:
            return self._one_by_one(max(at, 0))
        for row in rows:
            self._entry(*row)
        return rows[-1][0] + 1 if rows and rows[-1][0] < 2**63 - 1 else None

    def _one_by_one(self, start: int) -> int | None:
        """A page of the file is damaged: find out which entries that concerns."""
        stop = start + _BATCH if self._size is None else min(start + _BATCH, self._size)
        for index in range(start, stop):
            try:
                rows = self._log.entry_rows(index, index + 1)
            except Exception as error:
                self.entries.add(f"Entry {index} cannot be read: {told(error)}")
                self._skip(index, index + 1)
                self.next = index + 1
                if self.entries.count >= _ENOUGH:
                    self.stop()
                    return None
                continue
            for row in rows:
                self._entry(*row)
        if start >= stop:
            # Beyond the head nothing counts the entries that cannot be read.
            self.entries.add(f"What follows entry {start - 1} cannot be read.")
            return None
        return stop

    def _entry(self, index: int, leaf: Any, body: Any) -> None:
        if index < 0 or (self._size is not None and index >= self._size):
            self.entries.add(f"Entry {index} lies beyond the head.")
        if index < 0:
            return
        if index > self.next:
            self._gap(self.next, index)
        self.next = index + 1
        try:
            hash = leaf_hash(body)
            if hash != leaf:
                self.hashed.add(f"Entry {index}: its bytes do not give its leaf hash.")
            whole = isinstance(leaf, bytes) and len(leaf) == HASH_BYTES
            self._leaves.append(leaf if whole else hash)
        except Exception as error:
            self.hashed.add(f"Entry {index} cannot be hashed: {told(error)}")
            self._skip(index, index + 1)
            return
        try:
            self._take_in(index, check(body))
        except Exception as error:
            self.decoded.add(f"Entry {index}: {told(error)}")
            self._unread.add(index)

    def _take_in(self, index: int, entry: Entry) -> None:
        self.subjects.expect(entry.subjects, index)
        if entry.id is not None:
            self.ids.expect(entry.source, entry.id, index)
        if entry.kind == "subject.erased" and entry.source == HOUSE:
            self.erased[str(entry.data.get("subject"))] = index

    def _gap(self, start: int, stop: int) -> None:
        one = stop - start == 1
        self.entries.add(
            f"Entry {start} is missing." if one else f"Entries {start} to {stop - 1} are missing."
        )
        self._skip(start, stop)

    def _skip(self, start: int, stop: int) -> None:
        self._grow()
        if stop - start <= _BATCH:
            self._unread.update(range(start, stop))
        else:
            self._unread_ranges.append(range(start, stop))
        if self.broken is None:
            self.broken = start

    def _grow(self) -> None:
        """Take the leaves at hand into the tree, with a halt at every size whose root is asked for."""
        leaves, self._leaves = self._leaves, []
        if self.broken is not None:
            return
        while leaves:
            while self._wanted and self._wanted[-1] <= self._frontier.size:
                self._wanted.pop()
            room = self._wanted[-1] - self._frontier.size if self._wanted else len(leaves)
            self._frontier, done = self._frontier.extend(leaves[:room])
            self.nodes.update(((node.level, node.index), node.hash) for node in done)
            leaves = leaves[room:]
            if self._wanted and self._wanted[-1] == self._frontier.size:
                self.roots[self._frontier.size] = self._frontier.root()
            if self._frontier.size == self._size:
                self.at_head = self._frontier


class _Subjects:
    """The subject index as the entries give it: 16 bytes for each pair, in 256 heaps by the key's first byte.

    Keys are subject hashes, moved up so that none is below 0.
    """

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]
        self._keys: dict[str, int] = {}

    def expect(self, subjects: list[str], index: int) -> None:
        """An entry's subject keys."""
        for subject in subjects:
            record = pack(">Qq", self._key(subject), index)
            self._heaps[record[0]] += record

    def compare(self, rows: Iterator[tuple[Any, ...]], faults: Faults, walk: Walk, log: Inspected) -> str:
        """Hold the stored index, in its order, against what is expected, one heap after another."""
        heap, stored, count = 0, set[bytes](), 0
        for key, index in rows:
            if type(key) is not int or type(index) is not int:
                faults.add("The subject index has a row that is no pair of numbers.")
                continue
            record = pack(">Qq", key + 2**63, index)
            while heap < record[0]:
                self._close(heap, stored, faults, walk, log)
                heap, stored = heap + 1, set()
            stored.add(record)
            count += 1
        for last in range(heap, 256):
            self._close(last, stored if last == heap else set(), faults, walk, log)
        return f"Rows looked at: {count:,}."

    def _key(self, subject: str) -> int:
        """The same few subjects come again and again."""
        key = self._keys.get(subject)
        if key is None:
            key = subject_hash(subject) + 2**63
            if len(self._keys) > 10_000:
                self._keys.clear()
            self._keys[subject] = key
        return key

    def _close(self, heap: int, stored: set[bytes], faults: Faults, walk: Walk, log: Inspected) -> None:
        data = self._heaps[heap]
        expected = {bytes(data[at : at + 16]) for at in range(0, len(data), 16)}
        for record in sorted(expected - stored):
            key, index = unpack(">Qq", record)
            faults.add(f"The subject index lacks entry {index} under {self._named(key, index, log)}.")
        for record in sorted(stored - expected):
            key, index = unpack(">Qq", record)
            if walk.knows(index):
                faults.add(f"The subject index has entry {index} too much, under the key {key - 2**63}.")

    def _named(self, key: int, index: int, log: Inspected) -> str:
        try:
            subjects = check(log.entry_rows(index, index + 1)[0][2]).subjects
            return next(subject for subject in subjects if self._key(subject) == key)
        except Exception:
            return f"the key {key - 2**63}"


class _Ids:
    """The known ids as the entries give them: 32 bytes each (24 of SHA-256, then the index), in 256 heaps."""

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]

    def expect(self, source: str, id: str, index: int) -> None:
        """An entry that was told under an id."""
        self._put(self._heaps, source, id, index)

    def compare(self, rows: Callable[[], Iterator[tuple[Any, ...]]], faults: Faults, walk: Walk) -> str:
        """Hold the stored ids against what is expected."""
        heaps = [bytearray() for _ in range(256)]
        count = 0
        for source, id, index in rows():
            if type(index) is not int:
                faults.add(f"The id {id!r} of {source!r} leads to no number of an entry.")
                continue
            self._put(heaps, source, id, index)
            count += 1
        surplus: dict[bytes, int | None] = {}
        for expected, stored in zip(self._heaps, heaps, strict=True):
            first, known = _first(expected), _first(stored)
            for hash, index in first.items():
                if hash not in known:
                    faults.add(f"The known ids lack that of entry {index}.")
            for hash, index in known.items():
                if first.get(hash) != index and (hash in first or walk.knows(index)):
                    surplus[hash] = first.get(hash)
        if surplus:
            self._name(surplus, rows(), faults)
        return f"Ids looked at: {count:,}."

    @staticmethod
    def _put(heaps: list[bytearray], source: Any, id: Any, index: int) -> None:
        record = _hash_of(source, id) + pack(">q", index)
        heaps[record[0]] += record

    @staticmethod
    def _name(surplus: dict[bytes, int | None], rows: Iterator[tuple[Any, ...]], faults: Faults) -> None:
        for source, id, index in rows:
            hash = _hash_of(source, id)
            if hash in surplus:
                right = surplus[hash]
                why = f"it is that of entry {right}" if right is not None else "no entry was told so"
                faults.add(f"The known ids lead {id!r} of {source!r} to entry {index}, but {why}.")


def _first(heap: bytearray) -> dict[bytes, int]:
    """From hash to index; of several tellings the first."""
    found: dict[bytes, int] = {}
    for at in range(0, len(heap), 32):
        hash, index = bytes(heap[at : at + 24]), int.from_bytes(heap[at + 24 : at + 32], "big", signed=True)
        found[hash] = min(found.get(hash, index), index)
    return found


def _hash_of(source: Any, id: Any) -> bytes:
    """24 bytes for a source and an id; of stored values that are no text, for how they look."""
    parts = [str(part).encode("utf-8", "surrogateescape") for part in (source, id)]
    kinds = b"" if isinstance(source, str) and isinstance(id, str) else b"not text"
    return hashlib.sha256(len(parts[0]).to_bytes(8, "big") + b"".join(parts) + kinds).digest()[:24]
