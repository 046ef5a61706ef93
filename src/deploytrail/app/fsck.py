"""The last judge: reads everything anew, believes nothing but bytes, and names what is wrong.

The log:
 1. The database finds its own file whole.
 2. Every entry up to the head is there, and none beyond it.
 3. Every entry's bytes give its leaf hash (RFC 6962, 2.1).
 4. Every entry decodes, and encodes back to the same bytes.
 5. Every tile hash is the root of the tile below it; none is missing or too many (C2SP tlog-tiles).
 6. The one head holds size, root and frontier of the tree over all leaf hashes.
 7. Every published checkpoint is signed by the log's key for its own columns, and is the tree at its size;
    each names the one before it, and the head the newest, so that none can be removed unseen.
 8. The signer's own record is of this tree and not ahead of it, and no checkpoint is ahead of the record.
 9. The subject index is what the entries give, no more and no less.
10. The known ids are what the entries were told under; the first telling counts.

What lies beside it, if asked for (`app/fsck_beside`):
11. The keyring is whole, every subject's key opens, and nobody erased has one.
12. Every disclosure opens, equals its commitments, and belongs to its entry and its subject.
13. Every sealed field can be opened, unless somebody was erased.
14. Every delivery fits its entries, and what is kept of it opens and is what was committed to.
15. The derived rows and their cursor are what the entries give, table by table.
16. The search index is what the entries give, and what may still be disclosed of them (`app/fsck_search`).

The tree is built from the stored leaf hashes, and entries are held against those: so one changed body fails
3 alone, one changed leaf hash also the tree. Ephemeral tables (sessions, tokens, links) are not looked at.
Damage never raises: it is a check that fails, in words.

An entry is read and decoded once for 3, 4, 9, 10, 12, 13 and 16. What is read as a whole (the file, the
index, the rows made anew, the search index) goes on beside that, in a large house in other processes. Those
look at a view of their own, perhaps a moment later; they count nothing beyond the head that was found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import copy
from typing import Any, Final

from deploytrail.app.fsck_beside import WORDS as BESIDE_WORDS
from deploytrail.app.fsck_beside import Beside
from deploytrail.app.fsck_part import Here, damaged
from deploytrail.app.fsck_sums import PRIME, drawn, stored
from deploytrail.app.fsck_walk import Entries, Progress, Sealing, Walk
from deploytrail.app.judging import Unshown, answer, told
from deploytrail.app.ports import Apart, Chance, Inspected, Signed, SumKey
from deploytrail.evidence.check import Check, Faults
from deploytrail.tlog.checkpoint import open_note
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.verifier import Verifier

__all__ = ["WORDS", "Beside", "fsck"]

# Other processes take some tenths of a second to start: as long as so many entries take here.
FEW: Final = 10_000

NOT_ASKED: Final = "Not asked: PostgreSQL needs its extension amcheck for that (CREATE EXTENSION amcheck)."

FILE, ENTRIES, HASHED, DECODED, NODES, HEAD, CHECKPOINTS, SIGNER, INDEX, REPEATS = range(1, 11)
WORDS: Final[dict[int, str]] = {
    FILE: "The database finds its own file whole.",
    ENTRIES: "Every entry up to the head is there, and none beyond it.",
    HASHED: "Every entry's bytes give its leaf hash.",
    DECODED: "Every entry decodes, and encodes back to the same bytes.",
    NODES: "Every tile hash is the root of the tile below it; none is missing or too many.",
    HEAD: "The head is the tree over all leaf hashes.",
    CHECKPOINTS: "Every published checkpoint is signed and is the tree at its size; none was removed.",
    SIGNER: "The signer's own record is of this tree, and not ahead of it.",
    INDEX: "The subject index is what the entries give.",
    REPEATS: "The known ids are what the entries were told under.",
    **BESIDE_WORDS,
}


def fsck(
    log: Inspected,
    vkey: str,
    signed: Callable[[], Signed | None],
    chance: Chance,
    beside: Beside | None = None,
    progress: Progress | None = None,
    apart: Apart | None = None,
) -> Iterator[Check]:
    """The checks above, in order; 11 to 16 only with `beside`. In a large house `apart` shares the work.

    `log` is entered here. `signed` reads the signer's record anew, before and after the log is looked at, so
    that a house may go on writing meanwhile. `vkey` is the log's verifier key.
    """
    before = _read(signed)
    with ExitStack() as open_views:
        # The rows first: they follow the log, so that they are never ahead of it.
        if beside is not None:
            beside.enter(open_views)
        try:
            open_views.enter_context(log)
        except Exception as error:
            for number, words in WORDS.items():
                if number == FILE:
                    yield Check(number, words, False, told(error))
                elif number <= REPEATS or beside is not None:
                    yield Check(number, words, None, "Not looked at: the log cannot be opened.")
            return
        look = _Look(log, vkey, before, chance, apart, progress)
        open_views.enter_context(look.apart)
        look.begin()
        sealing = None if beside is None else beside.begin(look.apart, log)
        walked = list(look.walked(sealing))
        yield _answer(FILE, look.file)
        yield from walked
        yield _answer(NODES, look.nodes)
        yield _answer(HEAD, look.head)
        yield _answer(CHECKPOINTS, look.published)
        yield _answer(SIGNER, lambda faults: look.signer(faults, _read(signed)))
        yield _answer(INDEX, look.index)
        yield _answer(REPEATS, look.repeats)
        if beside is not None:
            walk = look.walk
            entries = Entries(log, walk.next, walk.whole, walk.erased, look.apart, progress)
            yield from beside.checks(entries)


def index_sums(log: Inspected, key: SumKey) -> Iterator[tuple[int, int, int]]:
    """How many rows the subject index has, their sum, and how many are of entries beyond the head. The view
    was not entered, and may be of a later moment than others.
    """
    with log:
        after = max([key.before, *(row[1] for row in log.head_rows() if type(row[1]) is int)])
        yield stored(log.index_sums(key, PRIME, after), key)


def _answer(number: int, find: Callable[[Faults], str]) -> Check:
    return answer(number, WORDS[number], find)


def _read(signed: Callable[[], Signed | None]) -> Signed | Exception | None:
    try:
        return signed()
    except Exception as error:
        return error


class _Look:
    """One look at the log: what was claimed, then one walk over all entries, then the answers."""

    def __init__(
        self,
        log: Inspected,
        vkey: str,
        signed: Signed | Exception | None,
        chance: Chance,
        apart: Apart | None,
        progress: Progress | None,
    ) -> None:
        self._log, self._signed, self._progress = log, signed, progress
        self._heads, self._heads_words = self._all_heads()
        self._claims = _Claims(log, vkey)
        one = [row for row in self._heads if row[0] == 1]
        self._head = one[0] if one else None
        size = self._head[1] if self._head and type(self._head[1]) is int else None
        wanted = set(self._claims.sizes())
        if size is not None:
            wanted.add(size)
        if isinstance(signed, Signed):
            wanted.add(signed.size)
        self.apart = apart if apart is not None and size is not None and size > FEW else Here()
        self._size = size
        self._key = None if size is None else drawn(chance, size)
        self.walk = Walk(log, size, wanted, self.apart, progress, self._key)
        self._damage: Iterator[list[str] | None] = iter(())
        self._stored: Iterator[tuple[int, int, int]] = iter(())

    def begin(self) -> None:
        """Begin what others can do while entries are read, of the file and the index as a whole."""
        self._damage = self.apart.stream(damaged, copy(self._log))
        if self._key is not None:
            self._stored = self.apart.stream(index_sums, copy(self._log), self._key)

    def _all_heads(self) -> tuple[list[tuple[Any, ...]], str]:
        try:
            return self._log.head_rows(), ""
        except Exception as error:
            return [], told(error)

    def file(self, faults: Faults) -> str:
        """Check 1."""
        found = next(self._damage)
        for words in found or []:
            faults.add(f"{words}.")
        return "Nothing found." if found is not None else NOT_ASKED

    def walked(self, sealing: Sealing | None) -> Iterator[Check]:
        """Checks 2, 3 and 4, from one walk."""
        walk = self.walk
        try:
            walk.go(sealing)
        except Exception as error:
            walk.entries.add(told(error))
            walk.stop()
        good = f"Entries looked at: {walk.next:,}."
        for number, faults in ((ENTRIES, walk.entries), (HASHED, walk.hashed), (DECODED, walk.decoded)):
            if faults.count:
                yield Check(number, WORDS[number], False, faults.text())
            elif walk.stopped:
                yield Check(number, WORDS[number], None, "Stopped early: too much else is wrong.")
            else:
                yield Check(number, WORDS[number], True, good)

    def nodes(self, faults: Faults) -> str:
        """Check 5."""
        expected = dict(self.walk.nodes)
        broken = self.walk.broken
        count = 0
        for level, index, hash in self._log.node_rows():
            name = f"Node level {level} index {index}"
            mine = expected.pop((level, index), None)
            if mine is not None:
                count += 1
                if mine != hash:
                    faults.add(f"{name} differs.")
            elif broken is None or not _covers(level, index, broken):
                faults.add(f"{name} is too much.")
        for level, index in expected:
            faults.add(f"Node level {level} index {index} is missing.")
        if broken is not None:
            raise Unshown(f"Not shown from entry {broken} on, which is missing.")
        return f"Tile hashes looked at: {count:,}."

    def head(self, faults: Faults) -> str:
        """Check 6."""
        if self._heads_words:
            faults.add(self._heads_words)
        for row in self._heads:
            if row[0] != 1:
                faults.add(f"There is a head row with the id {row[0]}; the one head has the id 1.")
        if self._head is None:
            faults.add("The head row is missing.")
            return ""
        _, size, root, frontier, _ = self._head
        if not isinstance(size, int) or size < 0:
            faults.add("The head's size is not a number of entries.")
            return ""
        mine = self._tree(size)
        if mine is None:
            raise Unshown(f"Not shown: the tree of size {size} cannot be built.")
        if mine.root() != root:
            faults.add(f"The head's root differs from the tree's, which is {mine.root().hex()}.")
        if mine.encode() != frontier:
            faults.add("The head's frontier differs from the tree's.")
        return f"Size {size:,}, root {mine.root().hex()}."

    def published(self, faults: Faults) -> str:
        """Check 7."""
        claims = self._claims
        for words in claims.wrong:
            faults.add(words)
        unshown = None
        for size, root in claims.claims:
            mine = self.walk.roots.get(size)
            if mine is not None and mine != root:
                faults.add(f"Checkpoint of size {size}: its root is not the tree's at that size.")
            elif mine is None and self.walk.broken is None:
                faults.add(f"Checkpoint of size {size}: the log has only {self.walk.next} entries.")
            elif mine is None:
                unshown = size
        newest = claims.claims[-1][0] if claims.claims else -1
        named = self._head[4] if self._head else None
        if self._head is not None and named != newest:
            faults.add(
                f"The head names {named} as the newest size published, but the newest checkpoint is of size "
                f"{newest}: one was removed or added."
            )
        if unshown is not None:
            raise Unshown(f"Not shown for size {unshown}: the tree cannot be built so far.")
        return f"Checkpoints looked at: {len(claims.claims):,}."

    def signer(self, faults: Faults, after: Signed | Exception | None) -> str:
        """Check 8. `after` is the signer's record read after the log, which no checkpoint may be ahead of."""
        for found in (self._signed, after):
            if isinstance(found, Exception):
                raise found
        newest = self._claims.claims[-1][0] if self._claims.claims else -1
        if isinstance(after, Signed) and newest > after.size:
            faults.add(
                f"A checkpoint of size {newest} is published, but the signer's record ends at {after.size}: "
                "the record is an older copy."
            )
        if after is None and newest >= 0:
            faults.add(f"The signer has no record, but a checkpoint of size {newest} is published.")
        last = self._signed
        if not isinstance(last, Signed):
            return "Nothing was signed yet."
        mine = self.walk.roots.get(last.size)
        if mine is None and self.walk.broken is None:
            faults.add(
                f"The signer signed this log at size {last.size}, but it has {self.walk.next} entries: it was"
                " rolled back."
            )
        elif mine is None:
            raise Unshown(f"Not shown: the tree of size {last.size} cannot be built.")
        elif mine != last.root:
            faults.add(
                f"The signer signed another tree at size {last.size}, with the root {last.root.hex()}: this "
                "history was rewritten."
            )
        more = f" Published up to {newest:,}; the next start publishes it." if newest < last.size else ""
        return f"Signed at size {last.size:,}.{more}"

    def index(self, faults: Faults) -> str:
        """Check 9. Where the sums say that something is wrong, what that is takes another walk."""
        walk = self.walk
        if self._as_summed():
            return f"Rows looked at: {walk.pairs[0]:,}."
        again = Walk(self._log, self._size, set(), self.apart, self._progress)
        again.go()
        good = again.index.answer(faults, "Rows")
        if walk.whole and not faults.count:
            faults.add("The subject index was not what the entries give, but is so now.")
        return self._whole(good)

    def _as_summed(self) -> bool:
        if self._key is None or not self.walk.whole:
            return False
        try:
            count, sum_, strange = next(self._stored)
        except Exception:
            # Another walk finds out what cannot be read.
            return False
        pairs, right = self.walk.pairs
        return strange == 0 and count == pairs and (sum_ - right) % self._key.modulus == 0

    def repeats(self, faults: Faults) -> str:
        """Check 10."""
        return self._whole(self.walk.ids.answer(faults, "Ids"))

    def _whole(self, good: str) -> str:
        if not self.walk.whole:
            raise Unshown("Not shown for the entries that are missing or cannot be read.")
        return good

    def _tree(self, size: int) -> Frontier | None:
        return self.walk.at_head if size in self.walk.roots else None


class _Claims:
    """All published checkpoints: those that can be read as (size, root), and what is wrong in them alone."""

    def __init__(self, log: Inspected, vkey: str) -> None:
        self.wrong: list[str] = []
        self.claims: list[tuple[int, bytes]] = []
        try:
            verifier = Verifier.parse(vkey)
            before = -1
            for row in log.checkpoint_rows():
                before = self._one(verifier, before, *row)
        except Exception as error:
            self.wrong.append(f"The checkpoints cannot be read: {told(error)}")

    def sizes(self) -> Iterator[int]:
        return (size for size, _ in self.claims)

    def _one(self, verifier: Verifier, before: int, size: Any, previous: Any, root: Any, note: Any) -> int:
        name = f"Checkpoint of size {size}"
        if type(size) is not int:
            self.wrong.append(f"{name!r}: that is no size.")
            return before
        if previous != before:
            self.wrong.append(
                f"{name}: it names {previous} as the size published before it, but that is {before}: one was "
                "removed or added."
            )
        try:
            opened = open_note(note, [verifier])
            if opened.size != size:
                self.wrong.append(f"{name}: its note is of size {opened.size}.")
            if opened.root != root:
                self.wrong.append(f"{name}: its root differs from its note's.")
        except Exception as error:
            self.wrong.append(f"{name}: its note or signature is invalid. {told(error)}")
        self.claims.append((size, root))
        return size


def _covers(level: Any, index: Any, broken: int) -> bool:
    """Whether a tile hash is over leaves from `broken` on, so that nothing can be said of it."""
    whole = isinstance(level, int) and isinstance(index, int) and 0 < level < 8
    return whole and bool((index + 1) << 8 * level > broken)
