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

The tree is built from the stored leaf hashes, and entries are held against those: so one changed body fails
3 alone, one changed leaf hash also the tree. Ephemeral tables (sessions, tokens, links) are not looked at.
Damage never raises: it is a check that fails, in words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from struct import pack, unpack
from typing import Any, Final

from deploytrail.app.access import HOUSE
from deploytrail.app.fsck_beside import WORDS as BESIDE_WORDS
from deploytrail.app.fsck_beside import Beside, Entries
from deploytrail.app.judging import Unshown, answer, told
from deploytrail.app.ports import Inspected, Signed
from deploytrail.evidence.check import Check, Faults
from deploytrail.facts.entry import Entry, check
from deploytrail.facts.subjects import subject_hash
from deploytrail.tlog.checkpoint import open_note
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import EMPTY_ROOT, HASH_BYTES, leaf_hash
from deploytrail.tlog.verifier import Verifier

__all__ = ["WORDS", "Beside", "fsck"]

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

# (looked at so far, of how many, at what)
Progress = Callable[[int, int, str], None]

_BATCH: Final = 500
# A file in which so many entries cannot be read is not looked through to its end.
_ENOUGH: Final = 100
_FIRST: Final = -(2**63)


def fsck(
    log: Inspected,
    vkey: str,
    signed: Callable[[], Signed | None],
    beside: Beside | None = None,
    progress: Progress | None = None,
) -> Iterator[Check]:
    """The checks above, in order; 11 to 15 only with `beside`.

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
        look = _Look(log, vkey, before, progress)
        yield _answer(FILE, look.file)
        yield from look.walked()
        yield _answer(NODES, look.nodes)
        yield _answer(HEAD, look.head)
        yield _answer(CHECKPOINTS, look.published)
        yield _answer(SIGNER, lambda faults: look.signer(faults, _read(signed)))
        yield _answer(INDEX, look.index)
        yield _answer(REPEATS, look.repeats)
        if beside is not None:
            walk = look.walk
            entries = Entries(log, walk.next, walk.whole, walk.erased, progress)
            yield from beside.checks(entries)


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
        self, log: Inspected, vkey: str, signed: Signed | Exception | None, progress: Progress | None
    ) -> None:
        self._log, self._vkey, self._signed = log, vkey, signed
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
        self.walk = _Walk(log, size, wanted, progress)

    def _all_heads(self) -> tuple[list[tuple[Any, ...]], str]:
        try:
            return self._log.head_rows(), ""
        except Exception as error:
            return [], told(error)

    def file(self, faults: Faults) -> str:
        """Check 1."""
        for words in self._log.damage():
            faults.add(f"{words}.")
        return "Nothing found."

    def walked(self) -> Iterator[Check]:
        """Checks 2, 3 and 4, from one walk."""
        walk = self.walk
        try:
            walk.go()
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
        """Check 9."""
        return self._whole(self.walk.subjects.compare(self._log.index_rows(), faults, self.walk, self._log))

    def repeats(self, faults: Faults) -> str:
        """Check 10."""
        return self._whole(self.walk.ids.compare(self._log.repeat_rows, faults, self.walk))

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


class _Walk:
    """One walk over all entries, in order, that builds the tree and what every table should hold.

    `next` is the index after the last entry; `broken` the first index from which no tree can be built;
    `roots` those at the sizes asked for, `at_head` the frontier at the head's size.
    """

    def __init__(self, log: Inspected, size: int | None, wanted: set[int], progress: Progress | None) -> None:
        self._log, self._size, self._progress = log, size, progress
        self._wanted = sorted((at for at in wanted if at > 0), reverse=True)
        self.entries, self.hashed, self.decoded = Faults(), Faults(), Faults()
        self.next = 0
        self.stopped = False
        self.broken: int | None = None
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.subjects, self.ids = _Subjects(), _Ids()
        self._unread: set[int] = set()
        self._unread_ranges: list[range] = []
        # Subjects that were erased, with the newest entry that says so.
        self.erased: dict[str, int] = {}
        self._frontier = Frontier.EMPTY
        self._leaves: list[bytes] = []
        self.at_head = Frontier.EMPTY

    def go(self) -> None:
        """Look at everything, or stop when enough cannot be read."""
        at: int | None = _FIRST
        while at is not None:
            at = self._batch(at)
            self._grow()
            if self._progress and self._size:
                self._progress(min(self.next, self._size), self._size, "entries")
        if self._size is not None and self.next < self._size and not self.stopped:
            self._gap(self.next, self._size)

    def stop(self) -> None:
        """Give up: nothing is known of what follows."""
        self.stopped = True
        self._skip(self.next, 2**63)

    def knows(self, index: int) -> bool:
        """Whether anything can be said of what this entry should have led to."""
        return index not in self._unread and not any(index in some for some in self._unread_ranges)

    @property
    def whole(self) -> bool:
        """Whether every entry could be read."""
        return not self._unread and not self._unread_ranges

    def _batch(self, at: int) -> int | None:
        """Look at the next rows; where to go on, None at the end."""
        try:
            rows = self._log.entry_rows(at, limit=_BATCH)
        except Exception:
            return self._one_by_one(max(at, 0))
        for row in rows:
            self._entry(*row)
        return rows[-1][0] + 1 if rows and rows[-1][0] < 2**63 - 1 else None

    def _one_by_one(self, start: int) -> int | None:
        """A page of the file is damaged: find out which entries that concerns."""
        stop = start + _BATCH if self._size is None else min(start + _BATCH, self._size)
        for index in range(start, stop):
            try:
                rows = self._log.entry_rows(index, index + 1)
            except Exception as error:
                self.entries.add(f"Entry {index} cannot be read: {told(error)}")
                self._skip(index, index + 1)
                self.next = index + 1
                if self.entries.count >= _ENOUGH:
                    self.stop()
                    return None
                continue
            for row in rows:
                self._entry(*row)
        if start >= stop:
            # Beyond the head nothing counts the entries that cannot be read.
            self.entries.add(f"What follows entry {start - 1} cannot be read.")
            return None
        return stop

    def _entry(self, index: int, leaf: Any, body: Any) -> None:
        if index < 0 or (self._size is not None and index >= self._size):
            self.entries.add(f"Entry {index} lies beyond the head.")
        if index < 0:
            return
        if index > self.next:
            self._gap(self.next, index)
        self.next = index + 1
        try:
            hash = leaf_hash(body)
            if hash != leaf:
                self.hashed.add(f"Entry {index}: its bytes do not give its leaf hash.")
            whole = isinstance(leaf, bytes) and len(leaf) == HASH_BYTES
            self._leaves.append(leaf if whole else hash)
        except Exception as error:
            self.hashed.add(f"Entry {index} cannot be hashed: {told(error)}")
            self._skip(index, index + 1)
            return
        try:
            self._take_in(index, check(body))
        except Exception as error:
            self.decoded.add(f"Entry {index}: {told(error)}")
            self._unread.add(index)

    def _take_in(self, index: int, entry: Entry) -> None:
        self.subjects.expect(entry.subjects, index)
        if entry.id is not None:
            self.ids.expect(entry.source, entry.id, index)
        if entry.kind == "subject.erased" and entry.source == HOUSE:
            self.erased[str(entry.data.get("subject"))] = index

    def _gap(self, start: int, stop: int) -> None:
        one = stop - start == 1
        self.entries.add(
            f"Entry {start} is missing." if one else f"Entries {start} to {stop - 1} are missing."
        )
        self._skip(start, stop)

    def _skip(self, start: int, stop: int) -> None:
        self._grow()
        if stop - start <= _BATCH:
            self._unread.update(range(start, stop))
        else:
            self._unread_ranges.append(range(start, stop))
        if self.broken is None:
            self.broken = start

    def _grow(self) -> None:
        """Take the leaves at hand into the tree, with a halt at every size whose root is asked for."""
        leaves, self._leaves = self._leaves, []
        if self.broken is not None:
            return
        while leaves:
            while self._wanted and self._wanted[-1] <= self._frontier.size:
                self._wanted.pop()
            room = self._wanted[-1] - self._frontier.size if self._wanted else len(leaves)
            self._frontier, done = self._frontier.extend(leaves[:room])
            self.nodes.update(((node.level, node.index), node.hash) for node in done)
            leaves = leaves[room:]
            if self._wanted and self._wanted[-1] == self._frontier.size:
                self.roots[self._frontier.size] = self._frontier.root()
            if self._frontier.size == self._size:
                self.at_head = self._frontier


class _Subjects:
    """The subject index as the entries give it: 16 bytes for each pair, in 256 heaps by the key's first byte.

    Keys are subject hashes, moved up so that none is below 0.
    """

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]
        self._keys: dict[str, int] = {}

    def expect(self, subjects: list[str], index: int) -> None:
        """An entry's subject keys."""
        for subject in subjects:
            record = pack(">Qq", self._key(subject), index)
            self._heaps[record[0]] += record

    def compare(self, rows: Iterator[tuple[Any, ...]], faults: Faults, walk: _Walk, log: Inspected) -> str:
        """Hold the stored index, in its order, against what is expected, one heap after another."""
        heap, stored, count = 0, set[bytes](), 0
        for key, index in rows:
            if type(key) is not int or type(index) is not int:
                faults.add("The subject index has a row that is no pair of numbers.")
                continue
            record = pack(">Qq", key + 2**63, index)
            while heap < record[0]:
                self._close(heap, stored, faults, walk, log)
                heap, stored = heap + 1, set()
            stored.add(record)
            count += 1
        for last in range(heap, 256):
            self._close(last, stored if last == heap else set(), faults, walk, log)
        return f"Rows looked at: {count:,}."

    def _key(self, subject: str) -> int:
        """The same few subjects come again and again."""
        key = self._keys.get(subject)
        if key is None:
            key = subject_hash(subject) + 2**63
            if len(self._keys) > 10_000:
                self._keys.clear()
            self._keys[subject] = key
        return key

    def _close(self, heap: int, stored: set[bytes], faults: Faults, walk: _Walk, log: Inspected) -> None:
        data = self._heaps[heap]
        expected = {bytes(data[at : at + 16]) for at in range(0, len(data), 16)}
        for record in sorted(expected - stored):
            key, index = unpack(">Qq", record)
            faults.add(f"The subject index lacks entry {index} under {self._named(key, index, log)}.")
        for record in sorted(stored - expected):
            key, index = unpack(">Qq", record)
            if walk.knows(index):
                faults.add(f"The subject index has entry {index} too much, under the key {key - 2**63}.")

    def _named(self, key: int, index: int, log: Inspected) -> str:
        try:
            subjects = check(log.entry_rows(index, index + 1)[0][2]).subjects
            return next(subject for subject in subjects if self._key(subject) == key)
        except Exception:
            return f"the key {key - 2**63}"


class _Ids:
    """The known ids as the entries give them: 32 bytes each (24 of SHA-256, then the index), in 256 heaps."""

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]

    def expect(self, source: str, id: str, index: int) -> None:
        """An entry that was told under an id."""
        self._put(self._heaps, source, id, index)

    def compare(self, rows: Callable[[], Iterator[tuple[Any, ...]]], faults: Faults, walk: _Walk) -> str:
        """Hold the stored ids against what is expected."""
        heaps = [bytearray() for _ in range(256)]
        count = 0
        for source, id, index in rows():
            if type(index) is not int:
                faults.add(f"The id {id!r} of {source!r} leads to no number of an entry.")
                continue
            self._put(heaps, source, id, index)
            count += 1
        surplus: dict[bytes, int | None] = {}
        for expected, stored in zip(self._heaps, heaps, strict=True):
            first, known = _first(expected), _first(stored)
            for hash, index in first.items():
                if hash not in known:
                    faults.add(f"The known ids lack that of entry {index}.")
            for hash, index in known.items():
                if first.get(hash) != index and (hash in first or walk.knows(index)):
                    surplus[hash] = first.get(hash)
        if surplus:
            self._name(surplus, rows(), faults)
        return f"Ids looked at: {count:,}."

    @staticmethod
    def _put(heaps: list[bytearray], source: Any, id: Any, index: int) -> None:
        record = _hash_of(source, id) + pack(">q", index)
        heaps[record[0]] += record

    @staticmethod
    def _name(surplus: dict[bytes, int | None], rows: Iterator[tuple[Any, ...]], faults: Faults) -> None:
        for source, id, index in rows:
            hash = _hash_of(source, id)
            if hash in surplus:
                right = surplus[hash]
                why = f"it is that of entry {right}" if right is not None else "no entry was told so"
                faults.add(f"The known ids lead {id!r} of {source!r} to entry {index}, but {why}.")


def _first(heap: bytearray) -> dict[bytes, int]:
    """From hash to index; of several tellings the first."""
    found: dict[bytes, int] = {}
    for at in range(0, len(heap), 32):
        hash, index = bytes(heap[at : at + 24]), int.from_bytes(heap[at + 24 : at + 32], "big", signed=True)
        found[hash] = min(found.get(hash, index), index)
    return found


def _hash_of(source: Any, id: Any) -> bytes:
    """24 bytes for a source and an id; of stored values that are no text, for how they look."""
    parts = [str(part).encode("utf-8", "surrogateescape") for part in (source, id)]
    kinds = b"" if isinstance(source, str) and isinstance(id, str) else b"not text"
    return hashlib.sha256(len(parts[0]).to_bytes(8, "big") + b"".join(parts) + kinds).digest()[:24]


def _covers(level: Any, index: Any, broken: int) -> bool:
    """Whether a tile hash is over leaves from `broken` on, so that nothing can be said of it."""
    whole = isinstance(level, int) and isinstance(index, int) and 0 < level < 8
    return whole and bool((index + 1) << 8 * level > broken)
