"""What must be kept of a tree so that it can grow: the roots of its perfect subtrees, largest first.

A tree of `size` leaves is a row of perfect subtrees, one for each bit set in `size`. Their roots (at most
63, so 2 KB) give the root of the whole, and are all that appending needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final, NamedTuple

from deploytrail.errors import Refused
from deploytrail.tlog.hashes import EMPTY_ROOT, HASH_BYTES, node_hash, pair_up

# Sizes are int64 in every implementation of the formats.
MAX_SIZE: Final = 2**63 - 1
_TILE_HEIGHT: Final = 8
# Bounds the memory of one long extension: 65,536 hashes are some 5 MB of Python objects.
_CHUNK: Final = 65_536


class Node(NamedTuple):
    """The root of a perfect subtree of height 8 * level, so the hash at a tile level (>= 1) and position."""

    level: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range [0, size): `nodes` are the roots of its perfect subtrees, largest first.

    Refused("bad-input") unless there is one hash of 32 bytes for each bit set in `size`.
    """

    size: int
    nodes: tuple[bytes, ...]

    EMPTY: ClassVar[Frontier]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise Refused("bad-input", f"A tree cannot have {self.size} leaves.")
        if len(self.nodes) != self.size.bit_count():
            raise Refused(
                "bad-input",
                f"A frontier of size {self.size} has {self.size.bit_count()} hashes, not {len(self.nodes)}.",
            )
        _demand_hashes(self.nodes)

    def extend(self, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
        """The frontier after appending these leaves, and the tile-level hashes that were completed.

        Each completed perfect subtree of height 8, 16, 24 ... is listed once, when its last leaf arrives.
        """
        peaks = self._by_height()
        size = self.size
        completed: list[Node] = []
        rest = iter(leaf_hashes)
        while row := list(islice(rest, _CHUNK)):
            _demand_hashes(row)
            count = len(row)
            _grow(peaks, size, row, completed)
            size += count
        nodes = tuple(peak for peak in reversed(peaks) if peak is not None)
        return Frontier(size, nodes), completed

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for left in self.nodes[-2::-1]:
            root = node_hash(left, root)
        return root

    def encode(self) -> bytes:
        """The size as 8 bytes, big-endian, then the hashes, largest subtree first."""
        return self.size.to_bytes(8, "big") + b"".join(self.nodes)

    @staticmethod
    def decode(data: bytes) -> Frontier:
        """The frontier that `encode` wrote. Refused("bad-input") for any other bytes."""
        if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
            raise Refused("bad-input", f"A frontier is never {len(data)} bytes long.")
        nodes = tuple(data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES))
        return Frontier(int.from_bytes(data[:8], "big"), nodes)

    def _by_height(self) -> list[bytes | None]:
        """The peaks by the height of their subtree, with room for every height there can be."""
        peaks: list[bytes | None] = [None] * (MAX_SIZE.bit_length() + 1)
        smallest_first = iter(reversed(self.nodes))
        for height in range(self.size.bit_length()):
            if self.size >> height & 1:
                peaks[height] = next(smallest_first)
        return peaks


def _grow(peaks: list[bytes | None], size: int, row: list[bytes], completed: list[Node]) -> None:
    """Append the leaves `row` to the `size` leaves under `peaks`, one whole level after another.

    At each height, `row` holds the subtrees completed there just now, the first of them at position
    `first`. If that position is odd, its left sibling is the peak that has been waiting at this height.
    """
    first = size
    height = 0
    while row:
        if height and height % _TILE_HEIGHT == 0:
            level = height // _TILE_HEIGHT
            completed += [Node(level, index, hash) for index, hash in enumerate(row, first)]
        waiting = peaks[height]
        if waiting is not None:
            row.insert(0, waiting)
        peaks[height] = row[-1] if len(row) & 1 else None
        row = pair_up(row)
        first >>= 1
        height += 1


def _demand_hashes(hashes: Iterable[bytes]) -> None:
    if set(map(len, hashes)) - {HASH_BYTES}:
        raise Refused("bad-input", f"A hash has {HASH_BYTES} bytes.")


Frontier.EMPTY = Frontier(0, ())
