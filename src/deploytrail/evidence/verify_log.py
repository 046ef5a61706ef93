"""The offline check of a whole log, from its checkpoint down to every entry.

1. The checkpoint is signed by a trusted key of the log, for the log's own origin (C2SP tlog-checkpoint).
2. Every hash tile is there, whole, and agrees with the tiles below it (C2SP tlog-tiles).
3. The root over the leaf hashes is the root in the checkpoint (RFC 6962, 2.1).
4. Every entry hashes to its place in the tree.
5. An older checkpoint, if one is given, is the beginning of this log (RFC 6962, 2.1.2).
6. Every entry, if a decoder is given, decodes and encodes back to the same bytes.

A consistency proof alone never looks at entries: 5 without 4 would pass an edited database.

Each tile and bundle is fetched once, in order, and forgotten; everything that is concluded is bound to the
signed root through the bytes of that one pass. So a server that answers differently the second time gains
nothing, and memory stays at one tile per level and one bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from deploytrail.errors import Refused
from deploytrail.evidence.check import Check, Faults, demand_false
from deploytrail.tlog import proofs, tiles
from deploytrail.tlog.checkpoint import Checkpoint, open_note
from deploytrail.tlog.hashes import HASH_BYTES, leaf_hash, root_of
from deploytrail.tlog.note import Verifier
from deploytrail.tlog.tiles import ENTRIES, WIDTH, Tile

Fetch = Callable[[str], bytes]
"""The file at a path of the log ("checkpoint", "tile/0/000"), or Refused("not-found")."""

Decode = Callable[[bytes], object]
"""Refused unless these bytes are an entry that encodes back to the same bytes."""

Progress = Callable[[int, int], None]
"""How many entries were looked at, and how many there are."""

CHECKPOINT: Final = 1
TILES: Final = 2
ROOT: Final = 3
HASHED: Final = 4
CONSISTENT: Final = 5
DECODED: Final = 6

WORDS: Final = {
    CHECKPOINT: "The checkpoint is signed by a trusted key of the log, for its own origin.",
    TILES: "Every hash tile is there, whole, and agrees with the tiles below it.",
    ROOT: "The root over all leaf hashes is the root in the checkpoint.",
    HASHED: "Every entry hashes to its place in the tree.",
    CONSISTENT: "The older checkpoint is the beginning of this log.",
    DECODED: "Every entry decodes and encodes back to the same bytes.",
}

# A log that is wrong in so many places is not looked through to its end. This also ends the search where a
# checkpoint claims a size that nobody has the tiles of.
_ENOUGH_FAULTS: Final = 100
# How a server may say that it does not give out entries.
_WITHHELD: Final = frozenset({"not-found", "forbidden", "unauthenticated"})


def verify_log(
    fetch: Fetch,
    verifiers: Iterable[Verifier],
    since: bytes | None = None,
    *,
    decode: Decode | None = None,
    progress: Progress | None = None,
) -> Iterator[Check]:
    """The checks above, in order; 5 only with `since` (an older signed checkpoint), 6 only with `decode`.

    A Refused that says nothing about the log, such as "unavailable", is passed on from `fetch`.
    """
    trusted = list(verifiers)
    try:
        head = open_note(fetch("checkpoint"), trusted)
    except Refused as refusal:
        demand_false(refusal)
        yield Check(CHECKPOINT, WORDS[CHECKPOINT], False, refusal.words)
        for number in _asked(since, decode):
            yield Check(number, WORDS[number], None, "Not looked at: there is no checkpoint to go by.")
        return
    yield Check(
        CHECKPOINT, WORDS[CHECKPOINT], True, f"{head.origin}, {head.size:,} entries, root {head.root.hex()}."
    )
    walk = _Walk(_Files(fetch), head, decode, progress)
    walk.go()
    yield walk.tiles_checked()
    yield walk.root_checked()
    yield walk.entries_checked()
    if since is not None:
        yield _consistent(_Files(fetch), head, since, trusted)
    if decode is not None:
        yield walk.decoding_checked()


def _asked(since: bytes | None, decode: Decode | None) -> list[int]:
    numbers = [TILES, ROOT, HASHED]
    if since is not None:
        numbers.append(CONSISTENT)
    if decode is not None:
        numbers.append(DECODED)
    return numbers


def _consistent(files: _Files, head: Checkpoint, since: bytes, trusted: list[Verifier]) -> Check:
    """Check 5. What the server sends for it need not be trusted: the proof must lead to both signed roots."""
    words = WORDS[CONSISTENT]
    try:
        old = open_note(since, trusted)
        if old.origin != head.origin:
            return Check(CONSISTENT, words, False, f"The older checkpoint is one of {old.origin}.")
        if old.size > head.size:
            detail = f"The log had {old.size:,} entries and now shows {head.size:,}."
            return Check(CONSISTENT, words, False, detail)
        proof = proofs.consistency_proof(old.size, head.size, files.hashes)
        proofs.verify_consistency(old.size, head.size, old.root, head.root, proof)
    except Refused as refusal:
        demand_false(refusal)
        return Check(CONSISTENT, words, False, refusal.words)
    return Check(CONSISTENT, words, True, f"From {old.size:,} entries to {head.size:,}.")


class _Files:
    """Tiles and bundles as a log serves them."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def hashes(self, tile: Tile) -> bytes:
        """The hashes of a tile. Refused("not-found"), or Refused("untrue") if it has another length."""
        data, width = self._widest(tile)
        if len(data) != width * HASH_BYTES:
            raise Refused("untrue", f"It has {len(data):,} bytes instead of {width * HASH_BYTES:,}.")
        return data[: tile.width * HASH_BYTES]

    def entries(self, tile: Tile) -> list[bytes]:
        """The entries of a bundle (a tile of level -1)."""
        data, width = self._widest(tile)
        return tiles.unbundle(data, width)[: tile.width]

    def offers_entries(self, size: int) -> bool:
        """Whether the log gives out entries: its first bundle, or its last if only the first is missing."""
        last = tiles.tile_of(0, max(size - 1, 0), size)
        for tile in (tiles.tile_of(0, 0, size), last):
            try:
                self._widest(tile._replace(level=ENTRIES))
            except Refused as refusal:
                if refusal.code not in _WITHHELD:
                    raise
            else:
                return True
        return False

    def _widest(self, tile: Tile) -> tuple[bytes, int]:
        """A log may drop a partial tile once it is full; then its beginning is the partial tile."""
        try:
            return self._fetch(tiles.path(tile)), tile.width
        except Refused as refusal:
            if refusal.code != "not-found" or tile.width == WIDTH:
                raise
        return self._fetch(tiles.path(tile._replace(width=WIDTH))), WIDTH


class _Walk:
    """One pass over the leaf hashes, from left to right.

    `_rows` holds, for each level, the hashes of the tile that is being filled there, worked out from what
    lies below; None where something below was missing.
    """

    def __init__(
        self, files: _Files, head: Checkpoint, decode: Decode | None, progress: Progress | None
    ) -> None:
        self._files, self._head = files, head
        self._decode, self._progress = decode, progress
        self._offered = head.size == 0 or files.offers_entries(head.size)
        self._rows: dict[int, list[bytes | None]] = {}
        self._tiles, self._entries, self._decoding = Faults(), Faults(), Faults()
        self._bundles_missing = False
        self._finished = False

    def go(self) -> None:
        """Look at everything, or stop early when enough is wrong."""
        size = self._head.size
        for tile in tiles.widths(size):
            if tile.level:
                break
            self._leaves(tile)
            if self._progress:
                self._progress(tile.index * WIDTH + tile.width, size)
            if self._tiles.count + self._entries.count >= _ENOUGH_FAULTS:
                return
        for level in [level for level, row in self._rows.items() if level and row]:
            self._compare(level, size >> tiles.HEIGHT * level + tiles.HEIGHT)
        self._finished = True

    # The four answers.

    def tiles_checked(self) -> Check:
        """Check 2."""
        count = sum(-(-(self._head.size >> at) // WIDTH) for at in range(0, 64, tiles.HEIGHT))
        return self._answer(TILES, self._tiles, f"Tiles looked at: {count:,}.")

    def root_checked(self) -> Check:
        """Check 3: the root from what the walk itself worked out, not from a second reading."""
        words = WORDS[ROOT]
        edge = [hash for row in self._rows.values() for hash in row]
        if not self._finished or None in edge:
            return Check(ROOT, words, None, "Not every tile could be read.")
        root = proofs.root_at(self._head.size, self._edge)
        if root != self._head.root:
            return Check(ROOT, words, False, f"The tiles have the root {root.hex()}.")
        return Check(ROOT, words, True, root.hex())

    def entries_checked(self) -> Check:
        """Check 4."""
        if not self._offered:
            return Check(HASHED, WORDS[HASHED], None, "Entries were not offered: hashes only.")
        return self._answer(HASHED, self._entries, f"Entries looked at: {self._head.size:,}.")

    def decoding_checked(self) -> Check:
        """Check 6."""
        if not self._offered:
            return Check(DECODED, WORDS[DECODED], None, "Entries were not offered.")
        if self._bundles_missing and not self._decoding.count:
            return Check(DECODED, WORDS[DECODED], None, "Not every entry could be read.")
        return self._answer(DECODED, self._decoding, f"Entries looked at: {self._head.size:,}.")

    def _answer(self, number: int, faults: Faults, good: str) -> Check:
        if faults.count:
            return Check(number, WORDS[number], False, faults.text())
        if not self._finished:
            return Check(number, WORDS[number], None, "Stopped early: too much else is wrong.")
        return Check(number, WORDS[number], True, good)

    # The pass.

    def _leaves(self, tile: Tile) -> None:
        """One tile of leaf hashes, and the entries that belong to it."""
        row = self._rows[0] = self._read(tile)
        if self._offered:
            self._compare_entries(tile, row)
        if tile.width == WIDTH:
            self._lift(tile)

    def _read(self, tile: Tile) -> list[bytes | None]:
        try:
            data = self._files.hashes(tile)
        except Refused as refusal:
            demand_false(refusal)
            self._tiles.add(f"{tiles.path(tile)}: {refusal.words}")
            return [None] * tile.width
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def _lift(self, tile: Tile) -> None:
        """Put the root of a tile that is full into the row above, and so on where that becomes full."""
        level, index = tile.level, tile.index
        hashes = [hash for hash in self._rows[level] if hash is not None]
        root = root_of(hashes) if len(hashes) == WIDTH else None
        self._rows[level] = []
        above = self._rows.setdefault(level + 1, [])
        above.append(root)
        if len(above) == WIDTH:
            self._compare(level + 1, index // WIDTH)
            self._lift(Tile(level + 1, index // WIDTH, WIDTH))

    def _compare(self, level: int, index: int) -> None:
        """The served tile must hold what was worked out from the tiles below it."""
        row = self._rows[level]
        served = Tile(level, index, len(row))
        pairs = enumerate(zip(self._read(served), row, strict=True))
        wrong = [at for at, (found, expected) in pairs if None not in (found, expected) and found != expected]
        if wrong:
            below = Tile(level - 1, index * WIDTH + wrong[0], WIDTH)
            more = f" So do {len(wrong) - 1} more of its hashes." if wrong[1:] else ""
            self._tiles.add(f"{tiles.path(served)} disagrees with {tiles.path(below)}.{more}")

    def _compare_entries(self, tile: Tile, row: list[bytes | None]) -> None:
        """Checks 4 and 6 for one bundle. All that is wrong in it counts as one fault."""
        bundle = tile._replace(level=ENTRIES)
        try:
            entries = self._files.entries(bundle)
        except Refused as refusal:
            demand_false(refusal)
            self._entries.add(f"{tiles.path(bundle)}: {refusal.words}")
            self._bundles_missing = True
            return
        first = tile.index * WIDTH
        if None in row:
            self._entries.add(f"{tiles.path(bundle)}: its hash tile could not be read.")
        elif wrong := [at for at, entry in enumerate(entries) if leaf_hash(entry) != row[at]]:
            more = f" Nor have {len(wrong) - 1} more, up to entry {first + wrong[-1]:,}." if wrong[1:] else ""
            self._entries.add(f"Entry {first + wrong[0]:,} does not have the hash in the tree.{more}")
        if self._decode is not None:
            self._decode_all(self._decode, first, entries)

    def _decode_all(self, decode: Decode, first: int, entries: list[bytes]) -> None:
        for index, entry in enumerate(entries, first):
            try:
                decode(entry)
            except Refused as refusal:
                demand_false(refusal)
                self._decoding.add(f"Entry {index:,}: {refusal.words}")

    def _edge(self, tile: Tile) -> bytes:
        return b"".join(hash for hash in self._rows[tile.level] if hash is not None)
