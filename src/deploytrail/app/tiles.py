"""Tiles of the tree, read from the log: for proofs, and for whoever asks for them."""

from __future__ import annotations

from deploytrail.app.ports import Log
from deploytrail.errors import Refused
from deploytrail.tlog.hashes import HASH_BYTES
from deploytrail.tlog.tiles import WIDTH, Tile, bundle, path


class TileReader:
    """Gives the bytes of any tile that the log has; `proofs` take it as their reader."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, tile: Tile) -> bytes:
        """The hashes of a tile, width * 32 bytes. Refused("not-found") if the log is not that long."""
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
