"""Which commits lie between two: said only where it follows from what was told.

A chain of pushes from the old commit to the new one lists them all. Else parents are followed from both
sides, as far as they are known; where one is missing, the answer is "unknown", with the way to know.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from deploytrail.app.ports import Derived
from deploytrail.projections.commits import ARRIVALS, COMMITS, HEARD, Arrival, Commit
from deploytrail.projections.reading import tail

# Rows that one question may read.
MAX_PUSHES: Final = 300
MAX_COMMITS: Final = 1_000
_SHA: Final = 40
_FIRST: Final = -(2**62)


class Between(NamedTuple):
    """The commits that `new` has and `old` has not, newest first; `why` in words when it is not known.

    `pushes` are (last commit, all commits) of the pushes that brought them.
    """

    known: bool
    shas: list[str]
    why: str | None = None
    pushes: tuple[tuple[str, list[str]], ...] = ()


def repository_of(derived: Derived, told: str) -> tuple[str, bool]:
    """The name under which a repository was heard, and whether any push of it was."""
    heard = derived.get(HEARD, told) or derived.get(HEARD, tail(told))
    return (heard.full, heard.pushes) if heard else (told, False)


def whole(derived: Derived, repository: str, sha: str) -> str:
    """A commit's full name, if exactly one known commit begins like this."""
    if len(sha) >= _SHA:
        return sha
    found = derived.page(
        COMMITS,
        where={"repository": repository},
        order="sha",
        descending=False,
        prefix=("sha", sha),
        limit=2,
    )
    return found[0].sha if len(found) == 1 else sha


def between(derived: Derived, repository: str, old: str, new: str) -> Between:
    """The commits of `new` that `old` has not. Both in one repository, by its heard name."""
    old, new = whole(derived, repository, old), whole(derived, repository, new)
    if old == new or _chain(derived, repository, new, old) is not None:
        # The same, or back to an earlier one: nothing new came.
        return Between(True, [])
    chain = _chain(derived, repository, old, new)
    if chain is not None:
        pushes = tuple((arrival.after, _listed(arrival)) for arrival in chain)
        shas = dict.fromkeys(sha for _, listed in pushes for sha in reversed(listed))
        return Between(True, list(shas), pushes=pushes)
    return _Walk(derived, repository).between(old, new)


def holds(derived: Derived, repository: str, sha: str, wanted: str) -> bool | None:
    """Whether the history of `sha` has the commit `wanted`; None if that is not known."""
    found = between(derived, repository, sha, wanted)
    return not found.shas if found.known else None


def _listed(arrival: Arrival) -> list[str]:
    """The commits of a push, oldest first."""
    return [sha for part in sorted(arrival.shas, key=int) for sha in arrival.shas[part]]


def _chain(derived: Derived, repository: str, old: str, new: str) -> list[Arrival] | None:
    """The pushes that led from `old` to `new`, newest first; None if no whole chain of them was heard."""
    came_by: dict[str, Arrival | None] = {new: None}
    waiting = deque([new])
    looked = 0
    while waiting and looked < MAX_PUSHES:
        after = waiting.popleft()
        looked += 1
        for arrival in derived.page(
            ARRIVALS, where={"repository": repository, "after": after}, order="before", limit=4
        ):
            if not arrival.whole or arrival.before in came_by:
                continue
            came_by[arrival.before] = arrival
            if arrival.before == old:
                return _back(came_by, old)
            waiting.append(arrival.before)
    return None


def _back(came_by: dict[str, Arrival | None], old: str) -> list[Arrival]:
    chain = []
    arrival = came_by[old]
    while arrival is not None:
        chain.append(arrival)
        arrival = came_by[arrival.after]
    return chain[::-1]


class _Walk:
    """Following parents from both ends: what only `new` reaches lies between.

    1. When every way back from `new` leads to `old`, all on these ways came after `old`: nothing that may be
       missing elsewhere can change that.
    2. Else `old` is followed as well, the latest in order first. A commit's order lies above those of its
       parents, so where the history of `old` is known to its beginning, it need not be followed to commits
       whose order is not above any that looks new. Where it is not, all of it is followed, and a gap in it
       makes the answer unknown.

    Times that people's machines told never decide by themselves.
    """

    def __init__(self, derived: Derived, repository: str) -> None:
        self._derived, self._repository = derived, repository
        self._commits: dict[str, Commit | None] = {}
        self._old: set[str] = set()
        self._new: set[str] = set()
        self._heap: list[tuple[int, str]] = []
        self._ordered = False

    def between(self, old: str, new: str) -> Between:
        """What lies between, or why that is not known."""
        after = self._all_after(old, new)
        if after is not None:
            return Between(True, sorted(after, key=self._rank))
        heard, first = self._derived.get(HEARD, self._repository), self._commit(old)
        self._ordered = first is not None and first.complete and not (heard and heard.disordered)
        self._reach([old], self._old)
        self._reach([new], self._new)
        while self._open():
            _, sha = heapq.heappop(self._heap)
            if len(self._commits) > MAX_COMMITS:
                return self._unknown(f"More than {MAX_COMMITS:,} commits would have to be followed to know.")
            parents = self._parents(sha)
            if parents is None:
                return self._unknown(_gap(old, new))
            # What the old one reaches is never new, however often it is come by.
            self._reach(parents, self._old if sha in self._old else self._new)
        return Between(True, sorted(self._only(), key=self._rank))

    def _all_after(self, old: str, new: str) -> set[str] | None:
        """The commits on all ways from `new` back, if every one of them leads to `old`."""
        found, waiting, end = {new}, [new], self._rank(old)
        while waiting:
            parents = self._parents(waiting.pop())
            if not parents or len(self._commits) > MAX_COMMITS:
                return None
            fresh = [parent for parent in parents if parent != old and parent not in found]
            if any(self._rank(parent) >= end for parent in fresh if end != _FIRST):
                # It lies no higher than the old one, so it cannot have come after.
                return None
            found.update(fresh)
            waiting += fresh
        return found

    def _only(self) -> list[str]:
        return [sha for sha in self._new if sha not in self._old]

    def _open(self) -> bool:
        """Whether what is still to be followed can change the answer."""
        only = self._only()
        if not only or not self._heap:
            return False
        if not self._ordered or any(sha not in self._old for _, sha in self._heap):
            return True
        return self._heap[0][0] < max(self._rank(sha) for sha in only)

    def _reach(self, shas: Iterable[str], side: set[str]) -> None:
        for sha in shas:
            if sha not in side:
                side.add(sha)
                heapq.heappush(self._heap, (self._rank(sha), sha))

    def _commit(self, sha: str) -> Commit | None:
        if sha not in self._commits:
            self._commits[sha] = self._derived.get(COMMITS, self._repository, sha)
        return self._commits[sha]

    def _parents(self, sha: str) -> list[str] | None:
        commit = self._commit(sha)
        return commit.parents if commit is not None else None

    def _rank(self, sha: str) -> int:
        """Latest in order first; before all what has none, since it may decide."""
        commit = self._commit(sha)
        return -commit.order if commit is not None and commit.order is not None else _FIRST

    def _unknown(self, why: str) -> Between:
        return Between(False, [], why)


def _gap(old: str, new: str) -> str:
    return (
        f"Not every push between {old[:7]} and {new[:7]} has been heard. "
        "Import the repository's history to know."
    )
