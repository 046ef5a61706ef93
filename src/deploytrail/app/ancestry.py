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
MAX_COMMITS: Final = 500
_SHA: Final = 40


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
    """Following parents from both ends, newest commits first: what only `new` reaches lies between."""

    def __init__(self, derived: Derived, repository: str) -> None:
        self._derived, self._repository = derived, repository
        self._commits: dict[str, Commit | None] = {}
        self._old: set[str] = set()
        self._new: set[str] = set()
        self._heap: list[tuple[int, str]] = []

    def between(self, old: str, new: str) -> Between:
        """What lies between, or why that is not known."""
        self._reach([old], self._old)
        self._reach([new], self._new)
        gap = False
        while self._open():
            _, sha = heapq.heappop(self._heap)
            commit = self._commits[sha]
            if len(self._commits) > MAX_COMMITS:
                return self._unknown(f"More than {MAX_COMMITS} commits would have to be followed to know.")
            if commit is None or commit.parents is None:
                if sha not in self._old:
                    return self._unknown(_gap(old, new))
                gap = True
                continue
            # What the old one reaches is never new, however often it is come by.
            self._reach(commit.parents, self._old if sha in self._old else self._new)
        only = [sha for sha in self._new if sha not in self._old]
        if gap and any((row := self._commits[sha]) is not None and not row.parents for sha in only):
            return self._unknown(_gap(old, new))
        only.sort(key=self._when)
        return Between(True, only)

    def _open(self) -> bool:
        """Whether what is still to be followed can change the answer: also an old commit can, if it is
        newer than one that looks new."""
        only = [sha for sha in self._new if sha not in self._old]
        if not only or not self._heap:
            return False
        oldest = max(self._when(sha) for sha in only)
        return self._heap[0][0] <= oldest or any(sha not in self._old for _, sha in self._heap)

    def _reach(self, shas: Iterable[str], side: set[str]) -> None:
        for sha in shas:
            if sha not in self._commits:
                self._commits[sha] = self._derived.get(COMMITS, self._repository, sha)
            if sha not in side:
                side.add(sha)
                heapq.heappush(self._heap, (self._when(sha), sha))

    def _when(self, sha: str) -> int:
        """Newest first; what is not known at once, since it decides."""
        commit = self._commits[sha]
        if commit is None or commit.committed_at is None:
            return -(2**60)
        return -commit.committed_at

    def _unknown(self, why: str) -> Between:
        return Between(False, [], why)


def _gap(old: str, new: str) -> str:
    return (
        f"Not every push between {old[:7]} and {new[:7]} has been heard. "
        "Import the repository's history to know."
    )
