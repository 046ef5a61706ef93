"""What entries and their disclosures give to the search index, as `fsck` sums it up (`fsck_sums`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploytrail.app.fsck_sums import Sum, number_of, place
from deploytrail.app.ports import SumKey
from deploytrail.facts.entry import Entry
from deploytrail.facts.sealing import NOBODY
from deploytrail.projections import terms


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
        here = place(self._key, index)
        self._count("term", here, terms.clear_terms(entry))
        self._count("word", here, " ".join(said))

    def join(self, more: Given) -> None:
        """Count those of another part as well."""
        for table, (count, sum_) in more.sums.items():
            mine = self.sums[table]
            self.sums[table] = mine[0] + count, mine[1] + sum_
        self.known |= more.known

    def names(self) -> set[tuple[str, str]]:
        """(word, subject) of persons."""
        return {(word, subject) for subject, known in self.known for word in terms.name_words(known)}

    def _count(self, table: str, here: int, said: str) -> None:
        # By spaces alone, as the index reads it.
        found = set(said.encode().split(b" "))
        found.discard(b"")
        count, sum_ = self.sums[table]
        self.sums[table] = count + len(found), sum_ + here * (sum(map(number_of, found)) % self._key.modulus)
