"""The search index held against what the entries and their disclosures give.

Both sides are summed instead of sorted (`fsck_sums`), and the sums of all postings must be equal. What
persons are called is held against what their disclosures say, pair by pair: there are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from deploytrail.app.fsck_given import Given
from deploytrail.app.fsck_sums import PRIME, Sum, drawn, stored
from deploytrail.app.fsck_walk import Entries
from deploytrail.app.judging import Unshown, told
from deploytrail.app.ports import Chance, InspectedSearch, SumKey
from deploytrail.errors import Refused
from deploytrail.evidence.check import Faults
from deploytrail.projections import terms

WORDS: Final = {"term": "clear terms", "word": "words of sealed texts"}
ANEW: Final = "`deploytrail rebuild` makes it anew."


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
            # Else it is looked for elsewhere, while entries are read here (`stored_sums`).
            damage = index.damage() if self.key is None else None
            for words in damage or []:
                self.file.add(f"{words}.")
        except Refused as refusal:
            if refusal.code == "not-found":
                # As in a house from before there was search.
                self.why = "There is none yet: the next start makes it."
            else:
                self.file.add(refusal.words)
        except Exception as error:
            self.file.add(told(error))

    def _read(self, index: InspectedSearch) -> None:
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
            self.key = drawn(self._chance, cursor)


def stored_sums(index: InspectedSearch, key: SumKey) -> Iterator[tuple[str, int, int, int] | str]:
    """Of each table its name, how many postings it has, their sum, and how many are of entries that were not
    taken in; words where the file is damaged. The view was not entered.
    """
    try:
        with index:
            damage = index.damage() or []
            yield from (f"{words}." for words in damage)
            if damage:
                return
            cursor = max(key.before, *(row[1] for row in index.taken_rows() if type(row[1]) is int))
            for table in WORDS:
                yield table, *stored(index.posting_rows(table, key, PRIME, cursor), key)
    except Exception as error:
        yield told(error)


def compared(
    standing: Standing,
    there: Iterable[tuple[str, int, int, int] | str],
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
    for one in there:
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


def _held(faults: Faults, table: str, there: Sum, right: Sum, modulus: int) -> None:
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
