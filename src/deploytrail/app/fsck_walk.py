"""One walk over all entries of a log, which builds its tree and holds what lies beside it in their order.

The tree is built from the stored leaf hashes, and entries are held against those. Entries, subject index,
known ids and, if asked for, disclosures are read side by side, each in the order of entries, so that memory
does not grow with the log; parts of a thousand entries are looked at by whoever has a free core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol

from deploytrail.app.fsck_opened import Opened, Sealed
from deploytrail.app.fsck_part import BETWEEN, Found, Part, look, unpacked
from deploytrail.app.fsck_sums import Sum
from deploytrail.app.judging import told
from deploytrail.app.ports import Apart, Inspected, SumKey
from deploytrail.evidence.check import Faults
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import EMPTY_ROOT

# (looked at so far, of how many, at what)
Progress = Callable[[int, int, str], None]

BATCH: Final = 1_000
# A file in which so many entries cannot be read is not looked through to its end.
_ENOUGH: Final = 100
_FIRST: Final = -(2**63)
_LAST: Final = 2**63 - 1

_Rows = list[tuple[Any, ...]]


class Entries(NamedTuple):
    """The log as check 2 to 4 found it: up to `size`, `whole` if all of it can be read.

    `erased` gives for each subject the newest entry that says so.
    """

    log: Inspected
    size: int
    whole: bool
    erased: dict[str, int]
    apart: Apart
    progress: Progress | None

    def bodies(self, start: int, stop: int) -> list[tuple[int, bytes, bytes]]:
        """(index, leaf, body) of those that are whole enough to be looked at."""
        rows = self.log.entry_rows(start, stop, stop - start)
        return [(index, leaf, unpacked(body)) for index, leaf, body in rows if isinstance(body, bytes)]

    def tell(self, done: int, words: str) -> None:
        """How far a check is."""
        if self.progress:
            self.progress(done, self.size, words)


class Sealing(Protocol):
    """What is disclosed of entries: given with each part of a walk, and what was found out taken back."""

    def part(self, start: int, stop: int) -> Sealed:
        """That of entries start <= index < stop. Never raises."""

    def take(self, opened: Opened) -> None:
        """What was found out, part after part."""


class Walk:
    """One walk over all entries, in order, that builds the tree and looks at the tables beside it.

    `next` is the index after the last entry; `broken` the first index from which no tree can be built;
    `roots` those at the sizes asked for, `at_head` the frontier at the head's size. With the key `summed` the
    subject index is not read, but how many rows it should have is counted, and they are summed (`pairs`).
    """

    def __init__(
        self,
        log: Inspected,
        size: int | None,
        wanted: set[int],
        apart: Apart,
        progress: Progress | None,
        summed: SumKey | None = None,
    ) -> None:
        self._log, self._size, self._apart, self._progress = log, size, apart, progress
        self._summed = summed
        self._wanted = sorted((at for at in wanted if at > 0), reverse=True)
        self.entries, self.hashed, self.decoded = Faults(), Faults(), Faults()
        self.next = 0
        self.stopped = False
        self.broken: int | None = None
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.index = _InOrder(log.index_rows, "The subject index has a row that is no pair of numbers.")
        self.pairs: Sum = (0, 0)
        self.ids = _InOrder(log.repeat_rows, "A known id leads to no number of an entry.")
        self._unread: set[int] = set()
        self._unread_ranges: list[range] = []
        # Subjects that were erased, with the newest entry that says so.
        self.erased: dict[str, int] = {}
        self._sealing: Sealing | None = None
        self._frontier = Frontier.EMPTY
        self.at_head = Frontier.EMPTY

    def go(self, sealing: Sealing | None = None) -> None:
        """Look at everything, or stop when enough cannot be read."""
        self._sealing = sealing
        for found in self._apart.each(look, self._parts()):
            self._take(found)
            if self._progress and self._size:
                self._progress(min(found.stop, self._size), self._size, "entries")
        if self._size is not None and self.next < self._size and not self.stopped:
            self._gap(self.next, self._size)
        self._stray(self._keys(_LAST), self.ids.before(_LAST))

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

    # Reading: parts are asked for ahead of what was found out about those before.

    def _parts(self) -> Iterator[Part]:
        """All entries from 0 on, in parts without gaps."""
        at: int | None = _FIRST
        while at is not None:
            rows, at = self._read(at)
            for row in rows:
                self._note(row[0])
            rows = [row for row in rows if row[0] >= 0]
            ends = [place for place, (a, b) in enumerate(pairwise(rows), 1) if a[0] + 1 != b[0]]
            for start, stop in pairwise([0, *ends, len(rows)]):
                if start < stop:
                    yield self._part(rows[start:stop])

    def _part(self, rows: _Rows) -> Part:
        start, stop = rows[0][0], rows[-1][0] + 1
        keys, ids = self._keys(stop), self.ids.before(stop)
        self._stray([row for row in keys if row[0] < start], [row for row in ids if row[0] < start])
        by_entry: dict[int, list[tuple[Any, Any]]] = {}
        for index, source, id in ids:
            by_entry.setdefault(index, []).append((source, id))
        return Part(
            start,
            [row[1:] for row in rows],
            None if self.index.words else dict(keys),
            None if self.ids.words else by_entry,
            self._summed,
            self._sealing.part(start, stop) if self._sealing else None,
        )

    def _keys(self, stop: int) -> _Rows:
        return [] if self._summed else self.index.before(stop)

    def _read(self, at: int) -> tuple[_Rows, int | None]:
        """The next rows, and where to go on; None at the end."""
        try:
            rows = self._log.entry_rows(at, limit=BATCH)
        except Exception:
            return self._one_by_one(max(at, 0))
        return rows, rows[-1][0] + 1 if rows and rows[-1][0] < _LAST else None

    def _one_by_one(self, start: int) -> tuple[_Rows, int | None]:
        """A page of the file is damaged: find out which entries that concerns."""
        stop = start + BATCH if self._size is None else min(start + BATCH, self._size)
        found: _Rows = []
        for index in range(start, stop):
            try:
                found += self._log.entry_rows(index, index + 1)
            except Exception as error:
                self.entries.add(f"Entry {index} cannot be read: {told(error)}")
                self._skip(index, index + 1)
                if self.entries.count >= _ENOUGH:
                    self.next = index + 1
                    self.stop()
                    return found, None
        if start >= stop:
            # Beyond the head nothing counts the entries that cannot be read.
            self.entries.add(f"What follows entry {start - 1} cannot be read.")
            return found, None
        return found, stop

    def _note(self, index: int) -> None:
        """An entry is there: what of the order of entries that says."""
        if index < 0 or (self._size is not None and index >= self._size):
            self.entries.add(f"Entry {index} lies beyond the head.")
        if index < 0:
            return
        if index > self.next:
            self._gap(self.next, index)
        self.next = index + 1

    def _gap(self, start: int, stop: int) -> None:
        """Entries that are not there; of those that cannot be read that was said."""
        while start < stop and not self.knows(start):
            start += 1
        while start < stop and not self.knows(stop - 1):
            stop -= 1
        if start == stop:
            return
        one = stop - start == 1
        self.entries.add(
            f"Entry {start} is missing." if one else f"Entries {start} to {stop - 1} are missing."
        )
        self._skip(start, stop)

    def _skip(self, start: int, stop: int) -> None:
        if stop - start <= BATCH:
            self._unread.update(range(start, stop))
        else:
            self._unread_ranges.append(range(start, stop))
        self.broken = start if self.broken is None else min(self.broken, start)

    def _stray(self, keys: _Rows, ids: _Rows) -> None:
        """Rows about entries that are not there. Of entries that are missing themselves nothing is known."""
        for index, some in keys:
            for key in str(some).split(BETWEEN) if self.knows(index) else ():
                self.index.faults.add(f"The subject index has entry {index} too much, under the key {key}.")
        for index, source, id in ids:
            if self.knows(index):
                self.ids.faults.add(
                    f"The known ids lead {id!r} of {source!r} to entry {index}, which does not exist."
                )

    # What was found out, part after part.

    def _take(self, found: Found) -> None:
        self.hashed.join(found.hashed)
        self.decoded.join(found.decoded)
        self.index.add(found.index, found.pairs)
        self.pairs = self.pairs[0] + found.pairs, self.pairs[1] + found.sum
        self.ids.add(found.ids, found.known)
        self.erased.update(found.erased)
        if self._sealing and found.opened is not None:
            self._sealing.take(found.opened)
        self._unread.update(found.unread)
        if found.start == self._frontier.size:
            self._grow(found.leaves)
        if len(found.leaves) < found.stop - found.start:
            self._skip(found.start + len(found.leaves), found.start + len(found.leaves) + 1)
        for index, source, id in found.untold:
            self._untold(index, source, id)

    def _untold(self, index: int, source: str, id: str) -> None:
        """The first telling counts. Whether that entry was told so is seen where it stands."""
        try:
            before = [known for known in self._log.repeats_of(source, id) if type(known) is int]
        except Exception as error:
            self.ids.faults.add(told(error))
            return
        if not before or min(before) > index:
            self.ids.faults.add(f"The known ids lack that of entry {index}.")

    def _grow(self, leaves: list[bytes]) -> None:
        """Take leaves into the tree, with a halt at every size whose root is asked for."""
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


class _InOrder:
    """The rows of a table in the order of the entries that they are about, and what was found out of them.

    The first value of a row is its entry. `words` say why no more can be read, if so.
    """

    def __init__(self, rows: Callable[[], Iterator[tuple[Any, ...]]], strange: str) -> None:
        self._read, self._strange = rows, strange
        self._rows: Iterator[tuple[Any, ...]] | None = None
        self._next: tuple[Any, ...] | None = None
        self.faults = Faults()
        self.words = ""
        self._count = 0

    def before(self, stop: int) -> _Rows:
        """The rows about entries before `stop` that were not taken yet."""
        if self._rows is None:
            self._rows = self._sound()
            self._next = next(self._rows, None)
        taken = []
        while self._next is not None and self._next[0] < stop:
            taken.append(self._next)
            self._next = next(self._rows, None)
        return taken

    def add(self, faults: Faults, count: int) -> None:
        """What was found out about some rows."""
        self.faults.join(faults)
        self._count += count

    def answer(self, faults: Faults, what: str) -> str:
        """Hand over all that is wrong; words for the case that nothing is."""
        faults.join(self.faults)
        if self.words:
            faults.add(self.words)
        return f"{what} looked at: {self._count:,}."

    def _sound(self) -> Iterator[tuple[Any, ...]]:
        try:
            for row in self._read():
                if type(row[0]) is int:
                    yield row
                else:
                    self.faults.add(self._strange)
        except Exception as error:
            self.words = told(error)
