"""The cut of a tree into files (C2SP tlog-tiles): 256 hashes to a tile, 256 entries to a bundle.

Tile (level L, index N) holds as its hash i the root over the 256^L leaves from (N*256 + i) * 256^L on. A
level above exists only for full tiles below it. A partial tile is a prefix of the full one, so no store
needs to keep partial tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from deploytrail.errors import Refused
from deploytrail.tlog.frontier import MAX_SIZE

HEIGHT: Final = 8
WIDTH: Final = 256
# The level by which entry bundles go; they lie under level 0.
ENTRIES: Final = -1
MAX_LEVEL: Final = 63
# A bundle writes an entry's length as uint16.
MAX_ENTRY: Final = 65_535

_PATH: Final = re.compile(
    r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII
)


class Tile(NamedTuple):
    """`width` hashes at a tile level (or entries, at level -1), the first at position index * 256."""

    level: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    width: int


def path(tile: Tile) -> str:
    """Where a tile lies: "tile/0/x001/x234/067.p/5". Refused("bad-input") if there can be no such tile."""
    _demand_possible(tile)
    groups = [f"{tile.index % 1000:03d}"]
    above = tile.index // 1000
    while above:
        groups.insert(0, f"x{above % 1000:03d}")
        above //= 1000
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    partial = "" if tile.width == WIDTH else f".p/{tile.width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def entries_path(index: int, width: int) -> str:
    """Where the bundle of entries index * 256 ... index * 256 + width - 1 lies."""
    return path(Tile(ENTRIES, index, width))


def parse(path: str) -> Tile:
    """The hash tile that lies at this path. Refused("not-found") for any other path."""
    tile = _parse(path)
    if tile.level == ENTRIES:
        raise _no_tile(path)
    return tile


def parse_entries(path: str) -> Tile:
    """The entry bundle that lies at this path, as a tile of level -1. Refused("not-found") for any other."""
    tile = _parse(path)
    if tile.level != ENTRIES:
        raise _no_tile(path)
    return tile


def widths(size: int) -> Iterator[Tile]:
    """Every hash tile of a tree of this size, lowest level first, each at its full present width.

    The entry bundles are those of level 0. An empty tile does not exist.
    """
    level = 0
    while size:
        full, partial = divmod(size, WIDTH)
        for index in range(full):
            yield Tile(level, index, WIDTH)
        if partial:
            yield Tile(level, full, partial)
        size, level = full, level + 1


def tile_of(level: int, position: int, size: int) -> Tile:
    """The tile that holds the hash at `position` of a level, as wide as a tree of this size has it."""
    index = position // WIDTH
    return Tile(level, index, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle holds them: each behind its length as 2 bytes, big-endian.

    Refused("too-large") for an entry of more than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise Refused("too-large", f"An entry has at most {MAX_ENTRY} bytes; this one has {len(entry)}.")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def unbundle(data: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle. Refused("bad-input") unless they fill it exactly."""
    entries: list[bytes] = []
    at = 0
    for _ in range(count):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    # Where the data ended early, `at` is behind its end for good: no length is negative.
    if at != len(data):
        raise Refused("bad-input", f"{count} entries do not fill the bundle's {len(data):,} bytes exactly.")
    return entries


def _parse(given: str) -> Tile:
    """Parse, print, compare: a path that does not come back the same is not one."""
    found = _PATH.fullmatch(given)
    if not found:
        raise _no_tile(given)
    level, groups, width = found.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    try:
        same = path(tile) == given
    except Refused:
        same = False
    if not same:
        raise _no_tile(given)
    return tile


def _demand_possible(tile: Tile) -> None:
    possible = ENTRIES <= tile.level <= MAX_LEVEL and 0 <= tile.index <= MAX_SIZE and 1 <= tile.width <= WIDTH
    if not possible:
        raise Refused("bad-input", f"There can be no tile of {tile}.")


def _no_tile(given: str) -> Refused:
    return Refused("not-found", f"No tile lies at {given[:80]!r}.")
