"""Following the log: entries are taken in, in order, from a cursor of the follower's own.

A follower that raises stops, never the log: the words of the error stand on the status page, and a newer
version goes on from the same entry. What was made by another version, or from another log, is made anew
while the old one still answers. `Follower` folds entries into derived rows; `app/searching` is another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from deploytrail.app.listeners import tell_all
from deploytrail.app.ports import Clock, Derived, Log, Row
from deploytrail.errors import Refused
from deploytrail.facts.entry import read
from deploytrail.projections.registry import TABLES as FOLDED
from deploytrail.projections.registry import fold_all, foresee_all, versions
from deploytrail.projections.tables import Rows, Table

NAME: Final = "projections"
# Entries of one unit of work, as far as there are so many: the more, the less each of them costs. Whoever
# keeps up takes in fewer.
BATCH: Final = 3_000
# Entries that are decoded at a time: what one says takes some times the room of its bytes.
_DECODED: Final = 250
# Seconds after which the log is looked at, even if nobody woke us.
_LOOK_S: Final = 1.0

# (folded so far, of how many)
Progress = Callable[[int, int], None]


class Following(msgspec.Struct, frozen=True):
    """What rows were made by and from: `text` by its name, "versions" or "leaf" (of the last entry)."""

    name: str
    text: str


FOLLOWING: Final = Table("following", Following, ("name",))
# All tables that a store of derived rows needs.
TABLES: Final[tuple[Table[Any], ...]] = (*FOLDED, FOLLOWING)


class FollowerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a follower stands: `size` entries folded; `words` only when it stopped, since `since` (UTC ms)."""

    name: str = NAME
    size: int = 0
    words: str = ""
    since: int | None = None


class Followed(Protocol):
    """A follower, as the rest of the house knows it: it may run in another process."""

    @property
    def state(self) -> FollowerState:
        """How far it is, and why it stopped."""

    @property
    def listeners(self) -> list[Callable[[int], None]]:
        """Called with the new size after each batch."""

    def rebuild(self) -> None:
        """Make all anew in a new place, then put it in the stead of the old."""


class Facts:
    """Entries. The last ones are kept, for the follower that is next to take them in."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: Sequence[Row] = ()

    def between(self, start: int, stop: int) -> Sequence[Row]:
        """Entries start <= index < stop, or the first of them. Refused("untrue") if the log lost any."""
        if not self._rows or self._rows[0].index != start or self._rows[-1].index >= stop:
            rows = self._log.entries(start, stop)
            if [row.index for row in rows] != list(range(start, stop)):
                raise Refused("untrue", f"The log has lost entries between {start} and {stop}.")
            self._rows = rows
        return self._rows

    def forget(self) -> None:
        """Keep nothing any more."""
        self._rows = ()


def fold_batch(derived: Derived, entries: Sequence[Row]) -> None:
    """Fold entries that follow one another into `derived`, in one unit of work with its cursor."""
    rows: Rows = derived.begin()
    for at in range(0, len(entries), _DECODED):
        some = entries[at : at + _DECODED]
        facts = [read(row.body) for row in some]
        foresee_all(some[0].index, facts, rows)
        for row, fact in zip(some, facts, strict=True):
            fold_all(row.index, fact, rows)
    rows.put(FOLLOWING, Following("versions", versions()))
    rows.put(FOLLOWING, Following("leaf", entries[-1].leaf.hex()))
    derived.commit(rows, entries[-1].index + 1)


class Made(Protocol):
    """What a follower makes of the log, and can make anew. As in ports.Derived."""

    def cursor(self) -> int:
        """How many entries it was made of."""

    def rebuild(self) -> Any:
        """An empty one in a new place."""

    def replace(self, other: Any) -> None:
        """Put a rebuilt one in the place of this one, atomically."""


M = TypeVar("M", bound=Made)


class InOrder(Generic[M]):
    """What every follower does. `listeners` are called with the new size after each batch.

    A follower says what it is called (`name`), what stands still when it stops (`standing`), whether what
    was made is of this version and log (`fits`), and takes in one batch in one unit of work (`take`).
    """

    name: str
    standing: str

    def __init__(self, log: Log, made: M, clock: Clock, facts: Facts | None = None) -> None:
        self._log, self._made, self._clock = log, made, clock
        self._facts = facts or Facts(log)
        self._folding = threading.Lock()
        # What is made anew, a batch in each turn.
        self._fresh: M | None = None
        self._fitting = False
        self._broken = False
        self.state = FollowerState(name=self.name, size=made.cursor())
        self.listeners: list[Callable[[int], None]] = []

    def fits(self, made: M) -> bool:
        """Whether what stands was made by this version, from this log."""
        raise NotImplementedError

    def take(self, made: M, entries: Sequence[Row]) -> None:
        """Take in entries that follow one another, in one unit of work with the cursor."""
        raise NotImplementedError

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Takes in nothing until the end of the block, and begins anew what was being made anew."""
        with self._folding:
            self._fresh, self._fitting = None, False
            yield

    def catch_up(self, until: int | None = None, progress: Progress | None = None) -> int:
        """Take in what is new, up to the size `until` or all there is; the size reached.

        Begins anew when what stands does not fit. Whatever taking in raises is raised here, after
        everything before that batch was kept.
        """
        with self._folding:
            if not self.fits(self._made):
                self._rebuild(progress)
            return self._take_into(self._made, until, progress, tell=True)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make all anew in a new place, then put it in the stead of the old."""
        with self._folding:
            self._rebuild(progress)

    def turn(self) -> bool:
        """Take in one batch; whether there is more. What cannot be taken in stops this follower.

        Nobody else changes what it makes while it takes turns.
        """
        if self._broken:
            return False
        try:
            with self._folding:
                return self._turn()
        except Exception as error:
            # Whatever went wrong, it is the status page's to say; the log must not feel it.
            self._stopped(error)
            self._broken = not isinstance(error, Refused)
            return False

    def _turn(self) -> bool:
        if not self._fitting:
            if not self.fits(self._made):
                self._fresh = self._made.rebuild()
            self._fitting = True
        made, fresh = self._made, self._fresh
        target = made if fresh is None else fresh
        cursor, size = target.cursor(), self._log.head().size
        if cursor < size:
            cursor = self._batch(target, cursor, size)
        if fresh is not None and cursor == size:
            made.replace(fresh)
            self._fresh = fresh = None
        if fresh is None:
            self._tell(cursor)
        return cursor < size

    def _stopped(self, error: Exception) -> None:
        at = self.state.size
        said = error.words if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        words = f"{self.standing} at entry {at}, since folding what follows failed ({said[:300]})."
        self.state = FollowerState(name=self.name, size=at, words=words, since=self._clock.now())
        tell_all(self.listeners, at)

    def _rebuild(self, progress: Progress | None) -> None:
        self._fresh = None
        fresh = self._made.rebuild()
        self._take_into(fresh, None, progress, tell=False)
        self._made.replace(fresh)
        self._tell(self._made.cursor())

    def _take_into(self, made: M, until: int | None, progress: Progress | None, *, tell: bool) -> int:
        cursor, size = made.cursor(), self._log.head().size
        stop = size if until is None else min(until, size)
        while cursor < stop:
            cursor = self._batch(made, cursor, stop)
            if tell:
                self._tell(cursor)
            if progress:
                progress(cursor, stop)
            if cursor == stop and until is None:
                stop = self._log.head().size
        return cursor

    def _batch(self, made: M, start: int, stop: int) -> int:
        """Take in one batch of entries start <= index < stop; the new cursor."""
        entries = self._facts.between(start, min(start + BATCH, stop))
        self.take(made, entries)
        return entries[-1].index + 1

    def _tell(self, size: int) -> None:
        self.state = FollowerState(name=self.name, size=size)
        tell_all(self.listeners, size)


class Follower(InOrder[Derived]):
    """Folds entries into derived rows."""

    name = NAME
    standing = "The pages stand still"

    def fits(self, made: Derived) -> bool:
        """Whether the rows are of these projections and of this log."""
        cursor = made.cursor()
        made_by = made.get(FOLLOWING, "versions")
        if made_by is None or made_by.text != versions():
            return made_by is None and cursor == 0
        leaf = made.get(FOLLOWING, "leaf")
        return cursor == 0 or (leaf is not None and leaf.text == self._log.leaves(cursor - 1, cursor).hex())

    def take(self, made: Derived, entries: Sequence[Row]) -> None:
        """Fold entries into the rows."""
        fold_batch(made, entries)


def take_turns(followers: Sequence[InOrder[Any]], facts: Facts, rest: Callable[[float], bool]) -> None:
    """Let followers take in what is new, a batch each in turn, so that an entry is read once for all.

    `rest(seconds)` returns when there may be something new, after that time at most; False ends it.
    """
    behind = True
    while rest(0 if behind else _LOOK_S):
        # Each has its turn, whatever the one before says.
        behind = max([follower.turn() for follower in followers])
        if not behind:
            facts.forget()
