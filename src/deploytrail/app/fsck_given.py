"""What entries and their disclosures give to the search index, as `fsck` sums it up.

A posting (term, entry) counts as a number made of both. The numbers depend on a key that is drawn for each
look, so that nobody can alter an index to the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from deploytrail.app.ports import SumKey
from deploytrail.facts.entry import Entry
from deploytrail.facts.sealing import NOBODY
from deploytrail.projections import terms

PRIME: Final = 2**31 - 1
# What a term counts, before the modulus.
number_of: Final = partial(int.from_bytes, byteorder="little")

# How many postings of a table there are, and their sum.
Sum = tuple[int, int]


class Given:
    """What some entries give: sums of postings by table ("term", "word"), and (subject, names) of persons."""

    def __init__(self, key: SumKey) -> None:
        self._key = key
        self.sums: dict[str, Sum] = {"term": (0, 0), "word": (0, 0)}
        self.known: set[tuple[str, tuple[str, ...]]] = set()

    def add(self, index: int, entry: Entry, opened: Mapping[str, Mapping[str, Any]]) -> None:
        """Count one entry, with what its disclosures open by subject."""
        if index >= self._key.before:
            return
        said = []
        for subject, values in opened.items():
            words, known = terms.opened_terms(values)
            said.append(words)
            if known and subject != NOBODY:
                self.known.add((subject, known))
        place = _place(self._key, index)
        self._count("term", place, terms.clear_terms(entry))
        self._count("word", place, " ".join(said))

    def join(self, more: Given) -> None:
        """Count those of another part as well."""
        for table, (count, sum_) in more.sums.items():
            mine = self.sums[table]
            self.sums[table] = mine[0] + count, mine[1] + sum_
        self.known |= more.known

    def names(self) -> set[tuple[str, str]]:
        """(word, subject) of persons."""
        return {(word, subject) for subject, known in self.known for word in terms.name_words(known)}

    def _count(self, table: str, place: int, said: str) -> None:
        # By spaces alone, as the index reads it.
        found = set(said.encode().split(b" "))
        found.discard(b"")
        count, sum_ = self.sums[table]
        self.sums[table] = count + len(found), sum_ + place * (sum(map(number_of, found)) % self._key.modulus)


def _place(key: SumKey, index: int) -> int:
    """What an entry counts; as in SQL (`posting_rows`), so without numbers above 63 bits."""
    step = index * key.square % PRIME
    return (step * step + index * key.straight % PRIME) % PRIME
