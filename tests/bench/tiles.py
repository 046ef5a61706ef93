"""The tree: leaf hashes, growth, proofs made and checked; against bare SHA-256 of the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import cycle

from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.proofs import inclusion_proof, verify_inclusion
from deploytrail.tlog.tiles import Tile
from tests.bench.figure import MEMORY, Benchmark, Figure, Sizes
from tests.bench.measure import rate

_MANY = 60_000
_ENTRY = 1_000


class _Tree:
    """Hashes of every level, as a store keeps them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.frontier, nodes = Frontier.EMPTY.extend(leaves)
        self.levels = {0: dict(enumerate(leaves))}
        for node in nodes:
            self.levels.setdefault(node.level, {})[node.index] = node.hash

    def read(self, tile: Tile) -> bytes:
        row, first = self.levels[tile.level], tile.index * 256
        return b"".join([row[first + n] for n in range(tile.width)])


def _run(sizes: Sizes) -> Iterator[Figure]:
    size = sizes.of(_MANY)
    entries = [number.to_bytes(8, "big") * (_ENTRY // 8) for number in range(2_000)]
    bare = rate(lambda: len([sha256(entry).digest() for entry in entries]), sizes.seconds)
    hashed = rate(lambda: len([leaf_hash(entry) for entry in entries]), sizes.seconds)
    more = {"bytes": _ENTRY}
    yield Figure("tiles.leaf", hashed, "leaves/s", MEMORY, hashed / bare, "bare SHA-256", more)

    def grow() -> int:
        Frontier.EMPTY.extend([leaf_hash(entry) for entry in entries])
        return len(entries)

    grown = rate(grow, sizes.seconds)
    yield Figure("tiles.grow", grown, "leaves/s", MEMORY, grown / bare, "bare SHA-256", more)
    leaves = [leaf_hash(number.to_bytes(8, "big")) for number in range(size)]
    tree = _Tree(leaves)
    root, places = tree.frontier.root(), cycle(range(0, size, 997))

    def prove() -> int:
        inclusion_proof(next(places), size, tree.read)
        return 1

    yield Figure("tiles.prove", rate(prove, sizes.seconds), "proofs/s", MEMORY, more={"size": size})
    index = size // 3
    proof = inclusion_proof(index, size, tree.read)

    def check() -> int:
        verify_inclusion(index, size, leaves[index], proof, root)
        return 1

    yield Figure("tiles.check", rate(check, sizes.seconds), "proofs/s", MEMORY, more={"hashes": len(proof)})


BENCHMARK = Benchmark("tiles", "leaf hashes, growth of the tree, proofs", _run)
