"""A log in memory, grown by the product's own frontier and read as tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploytrail.errors import Refused
from deploytrail.tlog import tiles
from deploytrail.tlog.checkpoint import Checkpoint, sign
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.note import SigningKey
from deploytrail.tlog.tiles import Tile

KEY = SigningKey.from_seed("log.example.org/trail", bytes(range(32)))
OTHER = SigningKey.from_seed("log.example.org/trail", bytes(range(1, 33)))


class Tree:
    """What a store would keep: entries, leaf hashes, and one hash per full tile. Counts tile reads."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = list(entries)
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self.frontier, nodes = Frontier.EMPTY.extend(self.leaves)
        self.levels: dict[int, dict[int, bytes]] = {0: dict(enumerate(self.leaves))}
        for node in nodes:
            assert self.levels.setdefault(node.level, {}).setdefault(node.index, node.hash) is node.hash
        self.reads: list[Tile] = []

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def root(self) -> bytes:
        return self.frontier.root()

    def read(self, tile: Tile) -> bytes:
        self.reads.append(tile)
        first = tile.index * tiles.WIDTH
        row = self.levels[tile.level]
        return b"".join(row[first + i] for i in range(tile.width))

    def bundle(self, tile: Tile) -> bytes:
        first = tile.index * tiles.WIDTH
        return tiles.bundle(self.entries[first : first + tile.width])

    def files(self, size: int | None = None, key: SigningKey = KEY) -> dict[str, bytes]:
        """Every file a log of this size serves, checkpoint included."""
        size = self.size if size is None else size
        found: dict[str, bytes] = {}
        for tile in tiles.widths(size):
            found[tiles.path(tile)] = self.read(tile)
            if tile.level == 0:
                found[tiles.entries_path(tile.index, tile.width)] = self.bundle(tile)
        root = Frontier.EMPTY.extend(self.leaves[:size])[0].root()
        found["checkpoint"] = sign(Checkpoint(key.verifier.name, size, root), key)
        return found


def write(files: dict[str, bytes], folder: Path) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class Folder:
    """A log on disk, as a reader fetches it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []

    def __call__(self, path: str) -> bytes:
        self.fetched.append(path)
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            raise Refused("not-found", f"There is no {path}.") from None


def flips(data: bytes, step: int = 1) -> list[bytes]:
    """The data with one bit flipped, at every `step`th byte."""
    return [data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :] for at in range(0, len(data), step)]
