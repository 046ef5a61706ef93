from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import tiles
from deploytrail.tlog.tiles import Tile
from tests.tlog import oracle

some_tiles = st.builds(Tile, st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))


@given(some_tiles)
def test_paths_are_read_back(tile: Tile) -> None:
    path = tiles.path(tile)
    level = "entries" if tile.level == -1 else str(tile.level)
    assert path == oracle.tile_path(level, tile.index, tile.width)
    right, wrong = (tiles.parse, tiles.parse_entries)[:: 1 if tile.level >= 0 else -1]
    assert right(path) == tile
    with pytest.raises(Refused) as refused:
        wrong(path)
    assert refused.value.code == "not-found"


def test_tiles_and_bundles_are_told_apart() -> None:
    assert tiles.parse("tile/63/000") == Tile(63, 0, 256)
    assert tiles.parse_entries("tile/entries/000.p/3") == Tile(tiles.ENTRIES, 0, 3)
    for parse, path in ((tiles.parse, "tile/entries/000"), (tiles.parse_entries, "tile/0/000")):
        with pytest.raises(Refused) as refused:
            parse(path)
        assert refused.value.code == "not-found"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/001/000",
        "tile/0/X001/000",
        "tile/0/x1/000",
        "tile/0/x001/000/",
        "tile/0//000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000 ",
        " tile/0/000",
        "tile/0/000\n",
        "tile/0/-01",
        "tile/0/+01",
        "tile/0/1_0",
        "tile/0/٠٠١",
        "tile/٠/000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/99/000",
        "tile/-1/000",
        "tile/100/000",
        "tile/8/0/000",
        "tile/data/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/001",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/-1",
        "tile/0/000.p/1 ",
        "tile/0/000.p/١",
        "tile/0/000.P/1",
        "tile/0/000p/1",
        "tile/0/000.p/1/2",
        "tile/0/../0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
    ],
)
def test_paths_at_which_no_tile_lies(path: str) -> None:
    for parse in (tiles.parse, tiles.parse_entries):
        for variant in (path, path.replace("tile/0/", "tile/entries/")):
            with pytest.raises(Refused) as refused:
                parse(variant)
            assert refused.value.code == "not-found"


@given(st.text("tile/x0159.p-en rs", max_size=24))
def test_a_path_that_is_read_prints_the_same(path: str) -> None:
    for parse in (tiles.parse, tiles.parse_entries):
        try:
            tile = parse("tile/" + path)
        except Refused as refused:
            assert refused.code == "not-found"  # noqa: PT017
        else:
            assert tiles.path(tile) == "tile/" + path


@pytest.mark.parametrize(
    "tile",
    [Tile(-2, 0, 1), Tile(64, 0, 1), Tile(0, -1, 1), Tile(0, 2**63, 1), Tile(0, 0, 0), Tile(0, 0, 257)],
)
def test_tiles_that_cannot_be(tile: Tile) -> None:
    with pytest.raises(Refused) as refused:
        tiles.path(tile)
    assert refused.value.code == "bad-input"


def test_every_tile_of_70_000() -> None:
    listed = list(tiles.widths(70_000))
    full = [Tile(0, i, 256) for i in range(273)]
    assert listed == [*full, Tile(0, 273, 112), Tile(1, 0, 256), Tile(1, 1, 17), Tile(2, 0, 1)]


@pytest.mark.parametrize(
    ("size", "listed"),
    [
        (0, []),
        (1, [(0, 0, 1)]),
        (255, [(0, 0, 255)]),
        (256, [(0, 0, 256), (1, 0, 1)]),
        (257, [(0, 0, 256), (0, 1, 1), (1, 0, 1)]),
    ],
)
def test_every_tile_of_small_logs(size: int, listed: list[tuple[int, int, int]]) -> None:
    assert list(tiles.widths(size)) == listed


@given(st.integers(0, 200_000))
def test_widths_are_the_rule_of_the_specification(size: int) -> None:
    listed = list(tiles.widths(size))
    assert len(set(listed)) == len(listed)
    for level in range(5):
        row = [tile for tile in listed if tile.level == level]
        assert [tile.index for tile in row] == list(range(len(row)))
        assert sum(tile.width for tile in row) == size // 256**level
        assert all(tile.width == 256 for tile in row[:-1])
        for tile in row:
            assert tiles.tile_of(level, tile.index * 256 + tile.width - 1, size) == tile


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_bundles_are_read_back(entries: list[bytes]) -> None:
    data = tiles.bundle(entries)
    assert data == b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    assert tiles.unbundle(data, len(entries)) == entries


def test_the_largest_entry() -> None:
    largest = [b"x" * 65_535, b""]
    assert tiles.unbundle(tiles.bundle(largest), 2) == largest
    with pytest.raises(Refused) as refused:
        tiles.bundle([b"x" * 65_536])
    assert refused.value.code == "too-large"


BUNDLE = tiles.bundle([b"one", b"", b"three"])


@pytest.mark.parametrize("count", [0, 1, 2, 4, 256])
def test_a_bundle_of_another_count_is_refused(count: int) -> None:
    with pytest.raises(Refused) as refused:
        tiles.unbundle(BUNDLE, count)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("cut", range(len(BUNDLE)))
def test_a_bundle_that_ends_early_is_refused(cut: int) -> None:
    with pytest.raises(Refused):
        tiles.unbundle(BUNDLE[:cut], 3)


@pytest.mark.parametrize("more", [b"\0", b"\0\0", b"\0\x01x"])
def test_a_bundle_with_bytes_behind_it_is_refused(more: bytes) -> None:
    with pytest.raises(Refused):
        tiles.unbundle(BUNDLE + more, 3)
