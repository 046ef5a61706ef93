"""Following the log: entries are folded into derived rows, in order, from a cursor of its own.

A fold that raises stops the follower, never the log: the words of the error stand on the status page, and a
newer version goes on from the same entry. Rows that were made by other projections, or from another log,
are made anew while the old ones still answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from deploytrail.app.listeners import tell_all
from deploytrail.app.ports import Clock, Derived, Log, Row
from deploytrail.errors import Refused
from deploytrail.facts.entry import read
from deploytrail.projections.registry import TABLES as FOLDED
from deploytrail.projections.registry import fold_all, versions
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
    for row in entries:
        fold_all(row.index, read(row.body), rows)
    rows.put(FOLLOWING, Following("versions", versions()))
    rows.put(FOLLOWING, Following("leaf", entries[-1].leaf.hex()))
    derived.commit(rows, entries[-1].index + 1)


class _Ended(Exception):
    """The thread was told to end in the middle of much to fold; it goes on from there next time."""


class Follower:
    """Folds entries into `derived`. `listeners` are called with the new size after each batch."""

    def __init__(self, log: Log, derived: Derived, clock: Clock) -> None:
        self._log, self._derived, self._clock = log, derived, clock
        self._folding = threading.Lock()
        self.state = FollowerState(size=derived.cursor())
        self.listeners: list[Callable[[int], None]] = []

    def catch_up(self, until: int | None = None, progress: Progress | None = None) -> int:
        """Fold what is new, up to the size `until` or all there is; the size reached.

        Begins anew when the rows were made by other projections or from another log. Whatever a fold
        raises is raised here, after everything before that batch was kept.
        """
        with self._folding:
            if not self._fits():
                self._rebuild(progress)
            return self._fold_into(self._derived, until, progress, tell=True)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make all rows anew in a new place, then put them in the stead of the old ones."""
        with self._folding:
            self._rebuild(progress)

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Follow until `stop` is set; `wake` says that there may be something new. For a thread."""
        self._tell(self._derived.cursor())

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
        words = f"The pages stand still at entry {at}, since folding what follows failed ({said[:300]})."
        self.state = FollowerState(size=at, words=words, since=self._clock.now())

    def _fits(self) -> bool:
        """Whether the rows are of these projections and of this log."""
        cursor = self._derived.cursor()
        made_by = self._derived.get(FOLLOWING, "versions")
        if made_by is None or made_by.text != versions():
            return made_by is None and cursor == 0
        leaf = self._derived.get(FOLLOWING, "leaf")
        return cursor == 0 or (leaf is not None and leaf.text == self._log.leaves(cursor - 1, cursor).hex())

    def _rebuild(self, progress: Progress | None) -> None:
        fresh = self._derived.rebuild()
        self._fold_into(fresh, None, progress, tell=False)
        self._derived.replace(fresh)
        self._tell(self._derived.cursor())

    def _fold_into(
        self, derived: Derived, until: int | None, progress: Progress | None, *, tell: bool
    ) -> int:
        cursor, size = derived.cursor(), self._log.head().size
        stop = size if until is None else min(until, size)
        while cursor < stop:
            many = _LARGE if stop - cursor > _FAR else BATCH
            cursor = self._batch(derived, cursor, min(cursor + many, stop))
            if tell:
                self._tell(cursor)
            if progress:
                progress(cursor, stop)
            if cursor == stop and until is None:
                stop = self._log.head().size
        return cursor

    def _batch(self, derived: Derived, start: int, stop: int) -> int:
        """Fold one batch in one unit of work; the new cursor."""
        entries = self._log.entries(start, stop)
        if [row.index for row in entries] != list(range(start, stop)):
            raise Refused("untrue", f"The log has lost entries between {start} and {stop}.")
        fold_batch(derived, entries)
        return stop

    def _tell(self, size: int) -> None:
        self.state = FollowerState(size=size)
        tell_all(self.listeners, size)
