"""Tiles of the tree, read from the log: for proofs, and for whoever asks for them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from deploytrail.app.ports import Log
from deploytrail.errors import Refused
from deploytrail.tlog.hashes import HASH_BYTES
from deploytrail.tlog.tiles import WIDTH, Tile, bundle, path

# Tiles that a reader remembers: at most 4 MB.
_REMEMBERED: Final = 512


class TileReader:
    """Gives the bytes of any tile that the log has; `proofs` take it as their reader.

    What a tile of some width holds never changes, so the tiles read last are remembered. Safe to use from
    many threads. Whoever judges what the store holds now takes a new one.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._hashes = lru_cache(maxsize=_REMEMBERED)(self._read)

    def __call__(self, tile: Tile) -> bytes:
        """The hashes of a tile, width * 32 bytes. Refused("not-found") if the log is not that long."""
        return self._hashes(tile)

    def _read(self, tile: Tile) -> bytes:
        start = tile.index * WIDTH
        stop = start + tile.width
        found = self._log.leaves(start, stop) if tile.level == 0 else self._log.nodes(tile.level, start, stop)
        if len(found) != tile.width * HASH_BYTES:
            raise Refused("not-found", f"The log has no {path(tile)} yet.")
        return found

    def entries(self, tile: Tile) -> bytes:
        """The bundle of the entries of a tile of level -1. Refused as above."""
        start = tile.index * WIDTH
        rows = self._log.entries(start, start + tile.width)
        if len(rows) != tile.width:
            raise Refused("not-found", f"The log has no {path(tile)} yet.")
        return bundle(row.body for row in rows)
