"""A search index in memory: a real adapter without a disk, for tests and small houses."""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from deploytrail.app.ports import Found
from deploytrail.store.derived_rows import Digest

# Term or word to the entries that have it.
_Postings = dict[str, set[int]]


class MemorySearch:
    """Implements ports.SearchIndex."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._terms: _Postings = {}
        self._words: _Postings = {}
        self._names: set[tuple[str, str]] = set()
        self._cursor, self._made_by = 0, ""

    def cursor(self) -> int:
        return self._cursor

    def made_by(self) -> str:
        return self._made_by

    def add(
        self, found: Sequence[Found], names: Mapping[str, Iterable[str]], cursor: int, made_by: str
    ) -> None:
        with self._lock:
            for one in found:
                _put(self._terms, one.index, one.terms)
                _put(self._words, one.index, one.words)
            self._names |= {(word, subject) for subject, words in names.items() for word in words}
            self._cursor, self._made_by = cursor, made_by

    def matching(
        self, terms: Sequence[str], words: Sequence[str], *, below: int | None = None, limit: int = 50
    ) -> list[int]:
        with self._lock:
            some: set[int] = set()
            for postings, wanted in ((self._terms, terms), (self._words, words)):
                some.update(*(postings.get(one, ()) for one in wanted))
        return heapq.nlargest(limit, (index for index in some if below is None or index < below))

    def terms(self, prefix: str, limit: int) -> list[str]:
        with self._lock:
            return _beginning(self._terms, prefix)[:limit]

    def words(self, prefix: str, limit: int) -> list[str]:
        with self._lock:
            return _beginning(self._words, prefix)[:limit]

    def people(self, prefix: str, limit: int) -> list[str]:
        with self._lock:
            found = sorted(self._names, key=lambda pair: (pair[0].encode(), pair[1]))
        subjects = (subject for word, subject in found if word.startswith(prefix))
        return list(islice(dict.fromkeys(subjects), limit))

    def doubt(self) -> None:
        self._made_by = ""

    def forget(self, subjects: Iterable[str], instead: Mapping[int, str], made_by: str) -> None:
        gone = set(subjects)
        with self._lock:
            self._names = {pair for pair in self._names if pair[1] not in gone}
            for indices in self._words.values():
                indices.difference_update(instead)
            for index, words in instead.items():
                _put(self._words, index, words)
            self._words = {word: indices for word, indices in self._words.items() if indices}
            self._made_by = made_by

    def digest(self) -> dict[str, Any]:
        told = {}
        with self._lock:
            for name, postings in (("term", self._terms), ("word", self._words)):
                digest = Digest()
                for one in _beginning(postings, ""):
                    for index in sorted(postings[one]):
                        digest.add((one, index))
                told[name] = digest.told()
            names = Digest()
            for pair in sorted(self._names, key=lambda pair: (pair[0].encode(), pair[1])):
                names.add(pair)
        return {**told, "name": names.told()}

    def rebuild(self) -> MemorySearch:
        return MemorySearch()

    def replace(self, other: Any) -> None:
        assert isinstance(other, MemorySearch)
        with self._lock:
            self._terms, self._words, self._names = other._terms, other._words, other._names
            self._cursor, self._made_by = other._cursor, other._made_by


def _put(postings: _Postings, index: int, said: str) -> None:
    for one in said.split(" "):
        if one:
            postings.setdefault(one, set()).add(index)


def _beginning(postings: _Postings, prefix: str) -> list[str]:
    """All that begin so, in the order of their bytes."""
    if not prefix:
        return sorted(postings, key=str.encode)
    every = sorted(postings, key=str.encode)
    at = bisect_left(every, prefix.encode(), key=str.encode)
    return [one for one in every[at:] if one.startswith(prefix)]
