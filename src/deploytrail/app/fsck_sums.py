"""Two sets of postings told apart by their sums, instead of by sorting both.

A posting (term, entry) counts as a number made of both, and the sums of all of them must be equal. The
numbers depend on a key that is drawn for each look, so that nobody can alter one set to the same sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from deploytrail.app.ports import Chance, SumKey

PRIME: Final = 2**31 - 1
# What a term counts, before the modulus.
number_of: Final = int.from_bytes

# How many postings there are, and their sum.
Sum = tuple[int, int]


def drawn(chance: Chance, before: int) -> SumKey:
    """A key for postings of entries with index < before."""
    modulus, square, straight = (int.from_bytes(chance.bytes(8), "big") for _ in range(3))
    return SumKey(before, modulus | 1 << 63 | 1, 1 + square % (PRIME - 1), 1 + straight % (PRIME - 1))


def place(key: SumKey, index: int) -> int:
    """What an entry counts; as in SQL (`store/inspected`), so without numbers above 63 bits."""
    step = index * key.square % PRIME
    return (step * step + index * key.straight % PRIME) % PRIME


def stored(rows: Iterable[tuple[Any, ...]], key: SumKey) -> tuple[int, int, int]:
    """How many postings a database has, their sum, and how many there are of other entries; of rows as
    `InspectedSearch.posting_rows` gives them.
    """
    count = sum_ = strange = 0
    for term, many, places, more in rows:
        count += many
        strange += more
        if many:
            sum_ += int(places) * (number_of(term.encode(errors="surrogateescape")) % key.modulus)
    return count, sum_ % key.modulus, strange
