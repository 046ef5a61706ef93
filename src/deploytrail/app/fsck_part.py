"""What `fsck` finds out about some entries that follow one another, with no look at any others.

Parts depend on nothing but what they are given, so that other processes can look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from deploytrail.app.access import HOUSE
from deploytrail.app.fsck_opened import Opened, Sealed
from deploytrail.app.fsck_sums import number_of, place
from deploytrail.app.judging import told
from deploytrail.app.packing import unpack
from deploytrail.app.ports import Given, Inspected, InspectedDerived, Made, SumKey
from deploytrail.errors import Refused
from deploytrail.evidence.check import Faults
from deploytrail.facts.entry import Entry, check
from deploytrail.facts.subjects import subject_hash
from deploytrail.tlog.hashes import HASH_BYTES, leaf_hash

# As the index writes the keys of an entry in one text.
BETWEEN: Final = " "


class Here:
    """Implements ports.Apart in this process: for a small house, or one core."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def each(self, job: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
        """One after another."""
        return map(job, parts)

    def stream(self, job: Callable[..., Iterator[Made]], *given: Any) -> Iterator[Made]:
        """Not at once, but when its first thing is asked for."""
        return job(*given)


def damaged(view: Inspected | InspectedDerived) -> Iterator[list[str] | None]:
    """What the database itself finds wrong, as its `damage`. The view was not entered."""
    with view:
        yield view.damage()


class Part(NamedTuple):
    """The leaf and the body of each entry from `start` on, and what two tables hold about them.

    A body is packed, as it is kept. `keys` is what the subject index has of each, `ids` (source, id) under
    which each is known; None where the table cannot be read. What the index should have of them is summed by
    `summed`, if that is given. `sealed` is what is disclosed of them, None where nobody asks.
    """

    start: int
    rows: list[tuple[Any, Any]]
    keys: Mapping[int, Any] | None
    ids: Mapping[int, list[tuple[Any, Any]]] | None
    summed: SumKey | None = None
    sealed: Sealed | None = None


class Found:
    """What was found out about a part.

    `leaves` are those that the tree grows by, up to the first entry that has none; `unread` the entries of
    which nothing can be said; `untold` entries with an id under which they are not known, for whoever can
    look for an earlier telling.
    """

    def __init__(self, part: Part) -> None:
        self.start, self.stop = part.start, part.start + len(part.rows)
        self.leaves: list[bytes] = []
        self.hashed, self.decoded, self.index, self.ids = Faults(), Faults(), Faults(), Faults()
        self.unread: list[int] = []
        self.untold: list[tuple[int, str, str]] = []
        # Subjects that were erased, with the newest entry that says so.
        self.erased: dict[str, int] = {}
        self.pairs = self.known = 0
        # Of all pairs of subject and entry that the index should have (`fsck_sums`).
        self.sum = 0
        self.opened = None if part.sealed is None else Opened(part.sealed)


def look(part: Part) -> Found:
    """Check 3 and 4, and the part's share of 9 and 10, and of 12, 13 and 16 if asked for."""
    found = Found(part)
    for index, (leaf, kept) in enumerate(part.rows, part.start):
        body = unpacked(kept)
        if not _hashed(found, index, leaf, body):
            continue
        try:
            entry = check(body)
        except Exception as error:
            found.decoded.add(f"Entry {index}: {told(error)}")
            found.unread.append(index)
            if found.opened is not None:
                found.opened.look(index, body, None)
            continue
        if found.opened is not None:
            found.opened.look(index, body, entry)
        if part.summed is not None:
            _summed(found, index, entry.subjects, part.summed)
        elif part.keys is not None:
            _indexed(found, index, entry.subjects, part.keys.get(index, ""))
        if part.ids is not None:
            _known(found, index, entry, part.ids.get(index, ()))
        if entry.kind == "subject.erased" and entry.source == HOUSE:
            found.erased[str(entry.data.get("subject"))] = index
    return found


def unpacked(kept: Any) -> Any:
    """An entry's bytes; as it lies there, whatever it is, where it cannot be unpacked."""
    try:
        return unpack(kept) if isinstance(kept, bytes) else kept
    except Refused:
        return kept


def _hashed(found: Found, index: int, leaf: Any, body: Any) -> bool:
    """Whether there is anything to hash. The tree is built from the stored leaf, if that is a hash at all."""
    try:
        hash = leaf_hash(body)
    except Exception as error:
        found.hashed.add(f"Entry {index} cannot be hashed: {told(error)}")
        found.unread.append(index)
        return False
    if hash != leaf:
        found.hashed.add(f"Entry {index}: its bytes do not give its leaf hash.")
    if len(found.leaves) == index - found.start:
        found.leaves.append(leaf if isinstance(leaf, bytes) and len(leaf) == HASH_BYTES else hash)
    return True


def _summed(found: Found, index: int, subjects: list[str], key: SumKey) -> None:
    if index < key.before:
        hashes = set(map(_number, subjects))
        found.pairs += len(hashes)
        found.sum += place(key, index) * (sum(hashes) % key.modulus)


# The same services, repositories and people come again and again.
@lru_cache(maxsize=8192)
def _number(subject: str) -> int:
    return number_of(subject_hash(subject).encode())


def _indexed(found: Found, index: int, subjects: list[str], stored: Any) -> None:
    expected = [subject_hash(subject) for subject in subjects]
    found.pairs += len(expected)
    if stored == BETWEEN.join(sorted(expected)):
        return
    there = set(str(stored).split(BETWEEN)) - {""}
    for subject, key in zip(subjects, expected, strict=True):
        if key not in there:
            found.index.add(f"The subject index lacks entry {index} under {subject}.")
    for key in sorted(there - set(expected)):
        found.index.add(f"The subject index has entry {index} too much, under the key {key}.")


def _known(found: Found, index: int, entry: Entry, stored: Iterable[tuple[Any, Any]]) -> None:
    mine = None if entry.id is None else (entry.source, entry.id)
    there = False
    for source, id in stored:
        found.known += 1
        if (source, id) == mine:
            there = True
        else:
            found.ids.add(
                f"The known ids lead {id!r} of {source!r} to entry {index}, but it was not told so."
            )
    if mine is not None and not there:
        found.untold.append((index, *mine))
