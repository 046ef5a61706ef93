"""Tiles read from a log, and receipts made from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploytrail.app.ports import Submission
from deploytrail.app.tiles import TileReader
from deploytrail.errors import Refused
from deploytrail.tlog.hashes import leaf_hash, root_of
from deploytrail.tlog.proofs import inclusion_proof, root_at
from deploytrail.tlog.receipt import parse, verify
from deploytrail.tlog.tiles import ENTRIES, WIDTH, Tile, unbundle
from tests.app.small_house import KEY, SmallHouse, draft


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> SmallHouse:
    made = SmallHouse(tmp_path_factory.mktemp("house"))
    facts = [Submission((made.persons.seal(draft("x-note", service=str(n))),)) for n in range(WIDTH + 44)]
    made.log.append(facts)
    return made


def test_tiles_of_every_level(house: SmallHouse) -> None:
    read = TileReader(house.log)
    leaves = [leaf_hash(row.body) for row in house.log.entries(0, 1000)]
    assert read(Tile(0, 0, WIDTH)) == b"".join(leaves[:WIDTH])
    assert read(Tile(0, 1, 44)) == b"".join(leaves[WIDTH:])
    assert read(Tile(0, 1, 5)) == b"".join(leaves[WIDTH : WIDTH + 5])
    assert read(Tile(1, 0, 1)) == root_of(leaves[:WIDTH])
    assert root_at(WIDTH + 44, read) == root_of(leaves) == house.log.head().root


def test_bundles_of_entries(house: SmallHouse) -> None:
    bodies = [row.body for row in house.log.entries(WIDTH, 1000)]
    assert unbundle(TileReader(house.log).entries(Tile(ENTRIES, 1, 44)), 44) == bodies


@pytest.mark.parametrize("tile", [Tile(0, 1, 45), Tile(0, 2, 1), Tile(1, 0, 2), Tile(2, 0, 1)])
def test_tiles_that_are_not_there_yet(house: SmallHouse, tile: Tile) -> None:
    with pytest.raises(Refused, match="The log has no tile") as refused:
        TileReader(house.log)(tile)
    assert refused.value.code == "not-found"


def test_bundles_that_are_not_there_yet(house: SmallHouse) -> None:
    with pytest.raises(Refused, match="The log has no tile/entries"):
        TileReader(house.log).entries(Tile(ENTRIES, 1, 45))


def test_receipts_of_every_entry(house: SmallHouse) -> None:
    with pytest.raises(Refused, match="not signed yet") as refused:
        house.ask.receipt(0)
    assert refused.value.code == "unavailable"
    signed = house.publish()
    for index in (0, 1, WIDTH - 1, WIDTH, WIDTH + 43):
        receipt = parse(house.ask.receipt(index))
        row = house.log.entries(index, index + 1)[0]
        checkpoint = verify(receipt, leaf_hash(row.body), [KEY.verifier])
        assert (checkpoint.size, checkpoint.root) == (signed.size, signed.root)
        assert list(receipt.proof) == inclusion_proof(index, signed.size, TileReader(house.log))
    for index in (-1, WIDTH + 44, 10**15):
        with pytest.raises(Refused, match="The log has no entry") as refused:
            house.ask.receipt(index)
        assert refused.value.code == "not-found"


def test_an_entry_after_the_checkpoint_has_no_receipt_yet(tmp_path: Path) -> None:
    house = SmallHouse(tmp_path)
    house.tell("x-note")
    house.publish()
    index = house.tell("x-note")
    house.ask.receipt(index - 1)
    with pytest.raises(Refused, match="Entry 1 is recorded, but not signed yet"):
        house.ask.receipt(index)
    house.close()
