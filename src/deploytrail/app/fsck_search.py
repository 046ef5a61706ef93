"""The search index held against what the entries and their disclosures give.

Both sides are summed instead of sorted: a posting (term, entry) counts as a number made of both, and the sums
of all of them must be equal. The numbers depend on a key that is drawn for each look, so that nobody can
alter an index to the same sum. What persons are called is held against what their disclosures say, pair by
pair: there are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from deploytrail.app.fsck_walk import Entries
from deploytrail.app.judging import Unshown, told
from deploytrail.app.ports import Chance, InspectedSearch, SumKey
from deploytrail.errors import Refused
from deploytrail.evidence.check import Faults
from deploytrail.facts.entry import read
from deploytrail.facts.sealing import NOBODY
from deploytrail.projections import terms

WORDS: Final = {"term": "clear terms", "word": "words of sealed texts"}
ANEW: Final = "`deploytrail rebuild` makes it anew."
_PRIME: Final = 2**31 - 1
# What a term counts, before the modulus.
_number: Final = partial(int.from_bytes, byteorder="little")

# Table ("term", "word") to how many postings there are, and their sum.
Sums = dict[str, tuple[int, int]]


class Given:
    """What some entries give: sums of postings, and (subject, names) of persons."""

    def __init__(self, key: SumKey) -> None:
        self._key = key
        self.sums: Sums = dict.fromkeys(WORDS, (0, 0))
        self.known: set[tuple[str, tuple[str, ...]]] = set()

    def add(self, index: int, body: bytes, opened: Mapping[str, Mapping[str, Any]]) -> None:
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
        self._count("term", place, terms.clear_terms(read(body)))
        self._count("word", place, " ".join(said))

    def join(self, more: Given) -> None:
        """Count those of another part as well."""
        self.sums = _joined(self.sums, more.sums)
        self.known |= more.known

    def names(self) -> set[tuple[str, str]]:
        """(word, subject) of persons."""
        return {(word, subject) for subject, known in self.known for word in terms.name_words(known)}

    def _count(self, table: str, place: int, said: str) -> None:
        # By spaces alone, as the index reads it.
        found = set(said.encode().split(b" "))
        found.discard(b"")
        count, sum_ = self.sums[table]
        self.sums[table] = count + len(found), sum_ + place * (sum(map(_number, found)) % self._key.modulus)


class Standing:
    """What the index says of itself: `before` entries taken in, and what is wrong with it as a file.

    `key` is None where its postings are not to be compared, and `why` then says why.
    """

    def __init__(self, index: InspectedSearch, views: ExitStack, chance: Chance) -> None:
        self.file = Faults()
        self.key: SumKey | None = None
        self.leaf = self.why = ""
        self.names: set[tuple[Any, Any]] = set()
        self._chance = chance
        try:
            views.enter_context(index)
            self._read(index)
        except Refused as refusal:
            if refusal.code == "not-found":
                # As in a house from before there was search.
                self.why = "There is none yet: the next start makes it."
            else:
                self.file.add(refusal.words)
        except Exception as error:
            self.file.add(told(error))

    def _read(self, index: InspectedSearch) -> None:
        for words in index.damage() or []:
            self.file.add(f"{words}.")
        if self.file.count:
            return
        rows = index.taken_rows()
        cursor, made_by = next(((row[1], str(row[2])) for row in rows if row[0] == 1), (None, ""))
        if type(cursor) is not int or cursor < 0 or len(rows) != 1:
            self.file.add("How many entries were taken in is missing, or no number (table taken).")
            return
        version, _, self.leaf = made_by.partition(" ")
        if not index.ours() or (made_by and version != f"terms:{terms.VERSION}"):
            self.why = "Made by another version: nobody asks it, and the next start makes it anew."
        elif cursor and not made_by:
            self.why = "An erasure was broken off: nobody asks it, and the next start makes it anew."
        else:
            self.names = set(index.name_rows())
            drawn = [int.from_bytes(self._chance.bytes(8), "big") for _ in range(3)]
            square, straight = (1 + number % (_PRIME - 1) for number in drawn[1:])
            self.key = SumKey(cursor, drawn[0] | 1 << 63 | 1, square, straight)


def stored_sums(index: InspectedSearch, key: SumKey) -> Iterator[tuple[str, int, int, int] | str]:
    """Of each table its name, how many postings it has, their sum, and how many are of entries that were not
    taken in; words where it cannot be read. The view was not entered.
    """
    try:
        with index:
            cursor = max(key.before, *(row[1] for row in index.taken_rows() if type(row[1]) is int))
            for table in WORDS:
                count = sum_ = strange = 0
                for term, many, places, more in index.posting_rows(table, key, _PRIME, cursor):
                    count += many
                    strange += more
                    if many:
                        sum_ += places * (_number(term.encode(errors="surrogateescape")) % key.modulus)
                yield table, count, sum_ % key.modulus, strange
    except Exception as error:
        yield told(error)


def compared(
    standing: Standing,
    stored: Iterable[tuple[str, int, int, int] | str],
    given: Given | None,
    entries: Entries,
    opened: bool,
    faults: Faults,
) -> str:
    """Check 16. `opened` says whether all disclosures were read."""
    faults.join(standing.file)
    key = standing.key
    if key is None or given is None:
        return standing.why
    if not entries.whole:
        raise Unshown("Not looked at: entries are missing or cannot be read.")
    _marked(standing, key, entries, faults)
    for one in stored:
        if isinstance(one, str):
            faults.add(one)
            continue
        table, count, sum_, strange = one
        if strange:
            faults.add(f"The index has {strange:,} {WORDS[table]} for entries that were not taken in. {ANEW}")
        if table == "term" or opened:
            _held(faults, table, (count, sum_), given.sums[table], key.modulus)
    if not opened:
        raise Unshown(
            "Words of sealed texts and names are not shown: disclosures are missing or do not open."
        )
    _named(faults, standing.names, given.names())
    behind = max(entries.size - key.before, 0)
    more = f" The last {behind:,} entries are not taken in yet." if behind else ""
    counts = {table: f"{count:,}" for table, (count, _) in given.sums.items()}
    names = f"{len(standing.names):,}"
    return f"Terms: {counts['term']}, words: {counts['word']}, words of names: {names}.{more}"


def _marked(standing: Standing, key: SumKey, entries: Entries, faults: Faults) -> None:
    """How many entries were taken in, and the leaf of the last."""
    if key.before > entries.size:
        words = f"The index was made of {key.before} entries, but the log has {entries.size}. {ANEW}"
        faults.add(words)
    elif key.before:
        rows = entries.log.entry_rows(key.before - 1, key.before)
        if not rows or rows[0][1].hex() != standing.leaf:
            faults.add(f"The index says that it was made of another log (table taken). {ANEW}")


def _held(faults: Faults, table: str, there: tuple[int, int], right: tuple[int, int], modulus: int) -> None:
    if there[0] != right[0]:
        faults.add(f"The index has {there[0]:,} {WORDS[table]} where the entries give {right[0]:,}. {ANEW}")
    elif (there[1] - right[1]) % modulus:
        faults.add(
            f"The index has as many {WORDS[table]} as the entries give, but not the same: "
            f"some were altered. {ANEW}"
        )


def _named(faults: Faults, there: set[tuple[Any, Any]], right: set[tuple[str, str]]) -> None:
    """By subject alone: words of names are not for reports."""
    for pairs, words in ((there - right, "too much"), (right - there, "missing")):
        for subject in sorted({str(subject) for _, subject in pairs}):
            faults.add(f"A word of the names of {subject[:80]} is {words} (table known_as). {ANEW}")


def _joined(one: Sums, other: Sums) -> Sums:
    return {table: (count + other[table][0], sum_ + other[table][1]) for table, (count, sum_) in one.items()}


def _place(key: SumKey, index: int) -> int:
    """What an entry counts; as in SQL (`posting_rows`), so without numbers above 63 bits."""
    step = index * key.square % _PRIME
    return (step * step + index * key.straight % _PRIME) % _PRIME
