"""Search: what a question finds, newest first, and what its words name.

Every word leads to a bounded number of terms, and those to one stream of entries, newest first, read by
keyset. With several words the streams leap over each other: none is read where another has nothing. The work
of one page is bounded; one that ends early goes on where it stopped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from deploytrail.app.asking import Asked, asked
from deploytrail.app.ports import Derived, Log, SearchIndex
from deploytrail.app.shown import Opener
from deploytrail.app.spelling import Sort, spellings
from deploytrail.app.trails import Trails
from deploytrail.app.views import Named, SearchPage
from deploytrail.projections import terms
from deploytrail.projections.deployment_rows import deployment_of
from deploytrail.projections.names import environment_of, service_named
from deploytrail.projections.trail import TRAIL, TrailEntry

MAX_LENGTH: Final = 500
MAX_PAGE: Final = 200
# Terms of each sort, words and persons that the first signs of a word may lead to.
_BEGINNING: Final = 12
# Answers of one sort, and in all.
_ALIKE: Final = 3
_ANSWERS: Final = 8
# Entries of one read of a stream: few at first, since most leaps are far.
_FIRST, _MOST = 16, 256
# Reads of streams that one page may cost.
_READS: Final = 120
# What is named by its first signs.
_BY_DIGITS: Final[tuple[Literal["commit", "artifact"], ...]] = ("commit", "artifact")


class Search:
    """Answers questions."""

    def __init__(
        self, index: SearchIndex, log: Log, derived: Derived, trails: Trails, opener: Opener
    ) -> None:
        self._index, self._log, self._derived = index, log, derived
        self._trails, self._opener = trails, opener

    def find(self, question: str, below: int | None, limit: int, signed: int) -> SearchPage:
        """At most `limit` lines with index < below, newest first; `signed` is the published size.

        What the words name comes with the first page alone.
        """
        question = question.strip()[:MAX_LENGTH]
        words, left_out = asked(question)
        wanted = [_Wanted(word, self._index, self._derived) for word in words]
        found, older = self._matching(wanted, below, max(1, min(limit, MAX_PAGE))) if wanted else ([], None)
        answers = self._answers(wanted) if below is None else []
        return SearchPage(
            question=question,
            rows=self._trails.at(found, signed),
            answers=answers,
            older=older,
            up_to=self._index.cursor(),
            size=self._log.head().size,
            cut=[one for word in wanted for one in word.cut],
            left_out=left_out,
        )

    def _matching(
        self, wanted: Sequence[_Wanted], below: int | None, limit: int
    ) -> tuple[list[int], int | None]:
        """The newest entries that all words match, and the index to go on below, if there may be more."""
        streams = [_Stream(self._index, word.terms, word.words) for word in wanted]
        bound = self._index.cursor() if below is None else below
        found: list[int] = []
        while sum(stream.reads for stream in streams) < _READS:
            index = _agreed(streams, bound)
            if index is None:
                return found, None
            if index[1]:
                if len(found) == limit:
                    return found, found[-1]
                found.append(index[0])
                bound = index[0]
            else:
                bound = index[0] + 1
        return found, bound

    # What words name.

    def _answers(self, wanted: Sequence[_Wanted]) -> list[Named]:
        found: dict[tuple[str, str, int | None], Named] = {}
        for word in wanted:
            for answer in self._named(word):
                found.setdefault((answer.sort, answer.key, answer.number), answer)
        return list(found.values())[:_ANSWERS]

    def _named(self, word: _Wanted) -> Iterator[Named]:
        """What one word names exactly, or by the first signs of a sha or digest."""
        for term in word.asked.terms:
            yield from self._exactly(term.partition(":")[0], term)
        for sort, told in _spelled(word.asked):
            yield from self._exactly(sort, f"{sort}:{terms.token(told)}")
        for digits in _BY_DIGITS:
            alike = [term for term in word.terms if term.startswith(f"{digits}:")]
            # Many that begin alike are none that was meant.
            if len(alike) <= _ALIKE:
                found = ((term, self._newest(term)) for term in alike)
                yield from (
                    Named(sort=digits, key=term.partition(":")[2], index=index)
                    for term, index in found
                    if index is not None
                )
        people = self._opener.people(word.people[:_ALIKE])
        for subject in word.people[:_ALIKE]:
            yield Named(sort="person", key=subject, who=people.get(subject))

    def _exactly(self, sort: str, term: str) -> Iterator[Named]:
        if sort == "change":
            yield from self._changes(term)
        if sort not in ("service", "environment", "deployment"):
            return
        index = self._newest(term)
        row = self._derived.get(TRAIL, index) if index is not None else None
        if row is None:
            return
        if sort == "service" and row.service:
            yield Named(sort="service", key=service_named(row.service, self._derived), index=index)
        elif sort == "environment" and row.environment:
            yield Named(sort="environment", key=environment_of(row.environment, self._derived), index=index)
        elif sort == "deployment":
            yield from self._deployment(row)

    def _deployment(self, row: TrailEntry) -> Iterator[Named]:
        deployment = deployment_of(row.report, self._derived) if row.report is not None else None
        if deployment is not None:
            key, place = str(deployment.key), deployment.environment
            yield Named(sort="deployment", key=key, name=deployment.service, place=place, index=row.index)

    def _changes(self, term: str) -> Iterator[Named]:
        """The changes of a number, of a few repositories."""
        newest = self._index.matching([term], [], limit=20)
        opened = self._opener.entries(newest)
        for index in newest:
            data = opened[index].entry.data if index in opened else {}
            repository, number = data.get("repository"), data.get("number")
            if isinstance(repository, str) and type(number) is int:
                yield Named(sort="change", key=repository, number=number, index=index)

    def _newest(self, term: str) -> int | None:
        return next(iter(self._index.matching([term], [], limit=1)), None)


class _Wanted:
    """One word of a question with the terms and words of the index that it leads to.

    `cut`: first signs that more begins with than is looked at.
    """

    def __init__(self, asked: Asked, index: SearchIndex, derived: Derived) -> None:
        self.asked = asked
        self.cut: list[str] = []
        found = dict.fromkeys(asked.terms)
        for prefix in asked.begins:
            found |= dict.fromkeys(self._few(index.terms(prefix, _BEGINNING + 1)))
        for sort, told in _spelled(asked):
            found |= dict.fromkeys(f"{sort}:{terms.token(name)}" for name in spellings(derived, sort, told))
        words = dict.fromkeys(asked.words)
        for prefix in asked.words_begin:
            words |= dict.fromkeys(self._few(index.words(prefix, _BEGINNING + 1)))
        self.people = self._few(index.people(asked.people, _BEGINNING + 1)) if asked.people else []
        found |= dict.fromkeys(f"actor:{subject}" for subject in self.people)
        self.terms, self.words = list(found), list(words)

    def _few(self, found: list[str]) -> list[str]:
        if len(found) > _BEGINNING and self.asked.text not in self.cut:
            self.cut.append(self.asked.text)
        return found[:_BEGINNING]


def _spelled(asked: Asked) -> Iterator[tuple[Sort, str]]:
    """The names in a word that may have other spellings, with their sort."""
    if asked.service is not None:
        yield "service", asked.service
    if asked.environment is not None:
        yield "environment", asked.environment


class _Stream:
    """The entries of one word, newest first; `reads` is how often the index was asked."""

    def __init__(self, index: SearchIndex, terms: Sequence[str], words: Sequence[str]) -> None:
        self._index, self._terms, self._words = index, terms, words
        self._read: list[int] = []
        # Below this nothing was read; everything from here up to the bound of the last read was.
        self._from, self._below = 0, 0
        self._size = _FIRST
        self.reads = 0

    def first(self, below: int) -> int | None:
        """The newest entry below an index."""
        if not self._from < below <= self._below:
            self._fetch(below)
        at = bisect_left(self._read, -below + 1, key=lambda index: -index)
        if at == len(self._read):
            return None
        return self._read[at]

    def _fetch(self, below: int) -> None:
        near = below == self._from
        self._size = min(_MOST, 4 * self._size) if near else _FIRST
        self._read = self._index.matching(self._terms, self._words, below=below, limit=self._size)
        self.reads += 1
        self._below = below
        # A short answer is all there is.
        self._from = self._read[-1] if len(self._read) == self._size else -1


def _agreed(streams: Sequence[_Stream], below: int) -> tuple[int, bool] | None:
    """The newest index below a bound that all streams have, or how far that is decided; None for none."""
    index = streams[0].first(below)
    at, alike = 1, 1
    while index is not None and alike < len(streams):
        stream = streams[at % len(streams)]
        found = stream.first(index + 1)
        alike = alike + 1 if found == index else 1
        index = found
        at += 1
        if sum(one.reads for one in streams) >= _READS and index is not None and alike < len(streams):
            return index, False
    return None if index is None else (index, True)
