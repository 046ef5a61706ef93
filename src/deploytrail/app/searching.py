"""Following the log into the search index: terms of what is clear, words of what is sealed, names of persons.

Disclosures are opened, but not held against their commitments: pages do that, and show nothing untrue. What
stands in the index is what can still be disclosed, so that an index made anew is equal to one that stands,
also after an erasure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from deploytrail.app.disclose import Disclose
from deploytrail.app.follow import Facts, Followed, InOrder
from deploytrail.app.ports import Archive, Clock, Found, Row, SearchIndex
from deploytrail.facts.entry import read
from deploytrail.facts.sealing import NOBODY
from deploytrail.projections import terms

# Persons under a name that are known to be in the index already.
_REMEMBERED: Final = 20_000


class Forgetting(Protocol):
    """What an erasure asks of the search index. Nothing of the person may be disclosed any more."""

    def forget(self, subjects: Sequence[str], indices: Iterable[int]) -> None:
        """Forget these persons, and what these entries said of them; gone from every file on return.

        Refused("busy") while somebody reads what was there before.
        """


class Searched(Followed, Protocol):
    """The follower into the search index, as the rest of the house knows it."""

    def erasing(self) -> AbstractContextManager[Forgetting]:
        """While persons are erased: nothing is taken in, and a crash means that the index begins anew."""


class Searching(InOrder[SearchIndex]):
    """Takes entries into the search index."""

    name = "search"
    standing = "Search stands still"

    def __init__(
        self,
        log: Archive,
        index: SearchIndex,
        disclose: Disclose,
        clock: Clock,
        facts: Facts | None = None,
    ) -> None:
        super().__init__(log, index, clock, facts)
        self._archive, self._disclose = log, disclose
        self._known: set[tuple[str, tuple[str, ...]]] = set()

    def fits(self, made: SearchIndex) -> bool:
        """Whether the index is of these terms, and of this log."""
        cursor = made.cursor()
        return cursor == 0 or made.made_by() == self._mark(self._log.leaves(cursor - 1, cursor))

    def take(self, made: SearchIndex, entries: Sequence[Row]) -> None:
        """Add entries to the index."""
        if made is not self._made or not made.cursor():
            # Another index, or one that begins anew, has not learnt them yet.
            self._known.clear()
        start, stop = entries[0].index, entries[-1].index + 1
        names: dict[str, list[str]] = {}
        said = self._words(self._archive.every_disclosure(start - 1, stop), names)
        found = [
            Found(row.index, terms.clear_terms(read(row.body)), said.get(row.index, "")) for row in entries
        ]
        try:
            made.add(found, names, stop, self._mark(entries[-1].leaf))
        except BaseException:
            self._known.clear()
            raise

    @contextmanager
    def erasing(self) -> Iterator[Forgetting]:
        """While persons are erased: nothing is taken in, and a crash means that the index begins anew.

        So does an erasure that breaks off; what it had not forgotten yet is gone with the index.
        """
        with self.paused():
            self._made.doubt()
            try:
                yield _Erasing(self)
            finally:
                if self._made.cursor() and not self._made.made_by():
                    self._made.replace(self._made.rebuild())

    def _forget(self, subjects: Sequence[str], indices: Iterable[int]) -> None:
        """Forget names, and put what is still disclosed in the place of the words of these entries."""
        for subject in subjects:
            # Where this runs in a process of its own, nobody else tells it that the key is gone.
            self._disclose.forget(subject)
        cursor = self._made.cursor()
        self._known = {known for known in self._known if known[0] not in subjects}
        standing = sorted(index for index in set(indices) if index < cursor)
        opened = self._archive.disclosures(standing)
        again = self._words(((i, blob) for i, blobs in opened.items() for blob in blobs), {})
        leaf = self._log.leaves(cursor - 1, cursor) if cursor else b""
        self._made.forget(subjects, {index: again.get(index, "") for index in standing}, self._mark(leaf))

    def _words(self, blobs: Iterable[tuple[int, Any]], names: dict[str, list[str]]) -> dict[int, str]:
        """Words by entry; puts words of names that are not in the index yet into `names`, by subject."""
        found: dict[int, str] = {}
        for index, subject, opened in self._disclose.every_value(blobs):
            words, known = terms.opened_terms(opened)
            if words:
                found[index] = f"{found[index]} {words}" if index in found else words
            if known and (subject, known) not in self._known and subject != NOBODY:
                self._learn(subject, known, names)
        return found

    def _learn(self, subject: str, known: tuple[str, ...], names: dict[str, list[str]]) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known.add((subject, known))
        names.setdefault(subject, []).extend(terms.name_words(known))

    @staticmethod
    def _mark(leaf: bytes) -> str:
        """By what an index was made: the version of terms, and the leaf of the last entry."""
        return f"terms:{terms.VERSION} {leaf.hex()}"


class _Erasing:
    """Implements Forgetting."""

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    def forget(self, subjects: Sequence[str], indices: Iterable[int]) -> None:
        self._searching._forget(subjects, indices)
