"""Following the log: entries are taken in, in order, from a cursor of the follower's own.

A follower that raises stops, never the log: the words of the error stand on the status page, and a newer
version goes on from the same entry. What was made by another version, or from another log, is made anew
while the old one still answers. `Follower` folds entries into derived rows; `app/searching` is another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
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
BATCH: Final = 500
# When far behind, larger batches cost less for each entry.
_FAR: Final = 5_000
_LARGE: Final = 2_500
# Seconds after which the log is looked at, even if nobody woke us.
_LOOK: Final = 1.0

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


def fold_batch(derived: Derived, entries: Sequence[Row]) -> None:
    """Fold entries that follow one another into `derived`, in one unit of work with its cursor."""
    rows: Rows = derived.begin()
    facts = [read(row.body) for row in entries]
    foresee_all(facts, rows)
    for row, fact in zip(entries, facts, strict=True):
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


class _Ended(Exception):
    """The thread was told to end in the middle of much to take in; it goes on from there next time."""


class InOrder(Generic[M]):
    """What every follower does. `listeners` are called with the new size after each batch.

    A follower says what it is called (`name`), what stands still when it stops (`standing`), whether what
    was made is of this version and log (`fits`), and takes in one batch in one unit of work (`take`).
    """

    name: str
    standing: str

    def __init__(self, log: Log, made: M, clock: Clock) -> None:
        self._log, self._made, self._clock = log, made, clock
        self._folding = threading.Lock()
        self.state = FollowerState(name=self.name, size=made.cursor())
        self.listeners: list[Callable[[int], None]] = []

    def fits(self, made: M) -> bool:
        """Whether what stands was made by this version, from this log."""
        raise NotImplementedError

    def take(self, made: M, entries: Sequence[Row]) -> None:
        """Take in entries that follow one another, in one unit of work with the cursor."""
        raise NotImplementedError

    def paused(self) -> AbstractContextManager[Any]:
        """Takes in nothing, and makes nothing anew, until the end of the block."""
        return self._folding

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

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Follow until `stop` is set; `wake` says that there may be something new. For a thread."""
        self._tell(self._made.cursor())

        def unless_stopped(done: int, total: int) -> None:
            if stop.is_set():
                raise _Ended

        while not stop.is_set():
            try:
                self.catch_up(progress=unless_stopped)
            except _Ended:
                return
            except Exception as error:
                # Whatever went wrong, it is the status page's to say; the log must not feel it.
                self._stopped(error)
                if not isinstance(error, Refused):
                    return
            wake.wait(timeout=_LOOK)
            wake.clear()

    def _stopped(self, error: Exception) -> None:
        at = self.state.size
        said = error.words if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
        words = f"{self.standing} at entry {at}, since folding what follows failed ({said[:300]})."
        self.state = FollowerState(name=self.name, size=at, words=words, since=self._clock.now())

    def _rebuild(self, progress: Progress | None) -> None:
        fresh = self._made.rebuild()
        self._take_into(fresh, None, progress, tell=False)
        self._made.replace(fresh)
        self._tell(self._made.cursor())

    def _take_into(self, made: M, until: int | None, progress: Progress | None, *, tell: bool) -> int:
        cursor, size = made.cursor(), self._log.head().size
        stop = size if until is None else min(until, size)
        while cursor < stop:
            many = _LARGE if stop - cursor > _FAR else BATCH
            cursor = self._batch(made, cursor, min(cursor + many, stop))
            if tell:
                self._tell(cursor)
            if progress:
                progress(cursor, stop)
            if cursor == stop and until is None:
                stop = self._log.head().size
        return cursor

    def _batch(self, made: M, start: int, stop: int) -> int:
        """Take in one batch; the new cursor."""
        entries = self._log.entries(start, stop)
        if [row.index for row in entries] != list(range(start, stop)):
            raise Refused("untrue", f"The log has lost entries between {start} and {stop}.")
        self.take(made, entries)
        return stop

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
