"""Inclusion and consistency (RFC 6962, sections 2.1.1 and 2.1.2), built from tiles and verified.

Which subtrees a proof names follows from index and sizes alone. Building and verifying both walk down from
the root by the same rule; the proof only fills in hashes, and never says how to check it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from deploytrail.errors import Refused
from deploytrail.tlog.frontier import MAX_SIZE, Frontier
from deploytrail.tlog.hashes import EMPTY_ROOT, HASH_BYTES, node_hash, pair_up
from deploytrail.tlog.tiles import HEIGHT, WIDTH, Tile, path, tile_of

ReadTile = Callable[[Tile], bytes]
"""Gives the hashes of a tile, exactly width * 32 bytes."""


class _Sibling(NamedTuple):
    """The subtree beside the way down: leaves start <= index < stop, to the left or right of it."""

    start: int
    stop: int
    is_left: bool


# Building. Each call reads a tile at most once: O(log n) tiles in all.


def inclusion_proof(index: int, size: int, read: ReadTile) -> list[bytes]:
    """The hashes that lead from the leaf at `index` to the root at `size`, the leaf's sibling first."""
    if not 0 <= index < size <= MAX_SIZE:
        raise Refused("bad-input", f"There is no entry {index} in a log of size {size}.")
    tree = _Tree(size, read)
    return [tree.root(sibling.start, sibling.stop) for sibling in _inclusion_shape(index, size)]


def consistency_proof(old: int, new: int, read: ReadTile) -> list[bytes]:
    """The hashes that show that the tree at `old` is the beginning of the tree at `new`.

    Empty if `old` is 0 or equal to `new`.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise Refused("bad-input", f"There is no way from size {old} to size {new}.")
    if old in (0, new):
        return []
    tree = _Tree(new, read)
    start, siblings = _consistency_shape(old, new)
    common = [tree.root(start, old)] if start else []
    return common + [tree.root(sibling.start, sibling.stop) for sibling in siblings]


def root_at(size: int, read: ReadTile) -> bytes:
    """The root of the first `size` leaves."""
    return frontier_at(size, read).root()


def frontier_at(size: int, read: ReadTile) -> Frontier:
    """The frontier of the first `size` leaves."""
    if not 0 <= size <= MAX_SIZE:
        raise Refused("bad-input", f"A log cannot have size {size}.")
    return Frontier(size, tuple(_Tree(size, read).peaks(0, size)))


# Verifying. Refused("untrue") unless the proof holds.


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """That the leaf hash `leaf` stands at `index` of the tree of `size` leaves with this root."""
    if not 0 <= index < size <= MAX_SIZE:
        raise Refused("untrue", f"There is no entry {index} in a log of size {size}.")
    shape = _inclusion_shape(index, size)
    _demand_hashes(proof, len(shape))
    _demand_hashes((leaf, root), 2)
    found = leaf
    for sibling, hash in zip(shape, proof, strict=True):
        found = node_hash(hash, found) if sibling.is_left else node_hash(found, hash)
    if found != root:
        raise Refused("untrue", f"The proof does not lead from entry {index} to the root at size {size}.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """That the tree of `old` leaves with `old_root` is the beginning of that of `new` leaves."""
    if not 0 <= old <= new <= MAX_SIZE:
        raise Refused("untrue", f"A log of size {new} cannot continue one of size {old}.")
    _demand_hashes((old_root, new_root), 2)
    for size, root in ((old, old_root), (new, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise Refused("untrue", "This is not the root of an empty log.")
    if old in (0, new):
        _demand_hashes(proof, 0)
        if old == new and old_root != new_root:
            raise Refused("untrue", f"Two roots at size {new}: the history was rewritten.")
        return
    _verify_growth(old, new, old_root, new_root, proof)


def _verify_growth(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    start, siblings = _consistency_shape(old, new)
    _demand_hashes(proof, len(siblings) + (1 if start else 0))
    # If the way down ends at the whole old tree, its root is the first hash; else the proof brings it.
    found_old = found_new = proof[0] if start else old_root
    for sibling, hash in zip(siblings, proof[1:] if start else proof, strict=True):
        if sibling.is_left:
            found_old, found_new = node_hash(hash, found_old), node_hash(hash, found_new)
        else:
            found_new = node_hash(found_new, hash)
    if found_old != old_root or found_new != new_root:
        raise Refused("untrue", f"The log of size {new} does not continue that of size {old}.")


def _demand_hashes(hashes: Sequence[bytes], count: int) -> None:
    if len(hashes) != count:
        raise Refused("untrue", f"The proof must have {count} hashes, not {len(hashes)}.")
    if any(len(hash) != HASH_BYTES for hash in hashes):
        raise Refused("untrue", f"A hash has {HASH_BYTES} bytes.")


# Shapes.


def _inclusion_shape(index: int, size: int) -> list[_Sibling]:
    """PATH of RFC 6962, 2.1.1: the siblings of the way down to one leaf, lowest first."""
    return [sibling for _, _, sibling in _way_down(index, size)][::-1]


def _consistency_shape(old: int, new: int) -> tuple[int, list[_Sibling]]:
    """SUBPROOF of RFC 6962, 2.1.2, for 0 < old < new: the way down to the subtree that ends at `old`.

    Gives where that subtree starts, and the siblings, lowest first.
    """
    start, siblings = 0, []
    for low, high, sibling in _way_down(old - 1, new):
        start = low
        siblings.append(sibling)
        if high == old:
            break
    return start, siblings[::-1]


def _way_down(index: int, size: int) -> Iterator[tuple[int, int, _Sibling]]:
    """Each step from the root down to the leaf at `index`: the subtree low <= i < high, and its sibling."""
    low, high = 0, size
    while high - low > 1:
        # The RFC splits at the largest power of two strictly below the number of leaves.
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if index < middle:
            sibling, high = _Sibling(middle, high, is_left=False), middle
        else:
            sibling, low = _Sibling(low, middle, is_left=True), middle
        yield low, high, sibling


# Hashes from tiles.


class _Tree:
    """Roots of subtrees of the first `size` leaves. Remembers the tiles it read."""

    def __init__(self, size: int, read: ReadTile) -> None:
        self._size = size
        self._read = read
        self._tiles: dict[Tile, bytes] = {}

    def root(self, start: int, stop: int) -> bytes:
        """The root over the leaves start <= index < stop, a subtree that a way down can meet."""
        return Frontier(stop - start, tuple(self.peaks(start, stop))).root()

    def peaks(self, start: int, stop: int) -> Iterator[bytes]:
        """The roots of the perfect subtrees of which start <= index < stop consists, largest first."""
        while start < stop:
            height = (stop - start).bit_length() - 1
            yield self._perfect(height, start >> height)
            start += 1 << height

    def _perfect(self, height: int, index: int) -> bytes:
        """The root of a perfect subtree of 2^height leaves: from the 2^(height mod 8) hashes of a tile."""
        level, above = divmod(height, HEIGHT)
        first = index << above
        data = self._tile(tile_of(level, first, self._size))
        return _within(data)[above][first % WIDTH >> above]

    def _tile(self, tile: Tile) -> bytes:
        data = self._tiles.get(tile)
        if data is None:
            data = self._tiles[tile] = self._read(tile)
            if len(data) != tile.width * HASH_BYTES:
                raise Refused(
                    "untrue", f"{path(tile)} has {len(data)} bytes instead of {tile.width * HASH_BYTES}."
                )
        return data


@lru_cache(maxsize=64)
def _within(tile: bytes) -> tuple[tuple[bytes, ...], ...]:
    """Every hash within a tile by its height: its own hashes, then those of whole pairs, up to its root.

    Remembered, since nearly all proofs of a log meet in the same few tiles: with their Python objects some
    3 MB. A function of the bytes alone, so nothing that changes can be remembered wrongly.
    """
    row = [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]
    rows = [tuple(row)]
    while len(row) > 1:
        row = pair_up(row)
        rows.append(tuple(row))
    return tuple(rows)
