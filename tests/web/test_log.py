"""The log as files, byte by byte, and nothing beyond the published checkpoint."""

from __future__ import annotations

import pytest

from deploytrail.tlog import tiles
from deploytrail.tlog.checkpoint import open_note
from deploytrail.tlog.hashes import leaf_hash, root_of
from tests.web.conftest import Enter, tell
from tests.web.fakes import FakeHouse

SIZES = (1, 60, 255, 256, 257, 600)


@pytest.fixture
def long(house: FakeHouse) -> FakeHouse:
    """600 entries, signed; 20 more that are not."""
    tell(house, 600 - len(house.log.bodies))
    house.log.sign()
    tell(house, 20)
    return house


def test_the_checkpoint_is_the_signed_note(house: FakeHouse, enter: Enter) -> None:
    answer = enter().get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["access-control-allow-origin"] == "*"
    found = open_note(answer.content, [house.log.key.verifier])
    assert (found.size, found.root) == (60, root_of(house.log.leaf_hashes))


def test_there_is_none_before_the_first_signature(enter: Enter, house: FakeHouse) -> None:
    house.log.signed = None
    assert enter().get("/log/checkpoint").status_code == 404
    assert enter().get("/log/tile/0/000.p/60").status_code == 404
    assert enter("viewer").get("/log").status_code == 200


@pytest.mark.parametrize("size", SIZES)
def test_every_tile_of_every_size_up_to_the_signed_one(long: FakeHouse, enter: Enter, size: int) -> None:
    client = enter()
    for tile in tiles.widths(size):
        answer = client.get("/log/" + tiles.path(tile))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.content == long.log.tile(tile)
        if tile.level == 0:
            bundle = client.get("/log/" + tiles.entries_path(tile.index, tile.width))
            bodies = tiles.unbundle(bundle.content, tile.width)
            assert b"".join(map(leaf_hash, bodies)) == answer.content


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/003",
        "tile/0/002.p/89",
        "tile/0/002",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/00/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/entries/003",
        "tile/entries/002.p/89",
        "tile/entries/000.p/0",
        "tile/entries/000/",
        "tile/",
        "tile/0/000.p/1/",
        "tile/0/999999999999999999999",
        "tile/0/%30%30%30%00",
    ],
)
def test_what_the_signed_tree_does_not_have(long: FakeHouse, enter: Enter, path: str) -> None:
    assert enter("administrator").get("/log/" + path).status_code == 404


def test_what_exists_besides(long: FakeHouse, enter: Enter) -> None:
    assert len(enter().get("/log/tile/0/002.p/88").content) == 88 * 32
    assert len(enter().get("/log/tile/1/000.p/2").content) == 2 * 32


def test_entries_are_for_administrators_unless_the_log_is_public(long: FakeHouse, enter: Enter) -> None:
    path = "/log/tile/entries/000"
    assert enter(public_log=False).get(path).status_code == 401
    assert enter("viewer", public_log=False).get(path).status_code == 403
    answer = enter("administrator", public_log=False).get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("private")
    assert enter(public_log=False).get("/log/tile/0/000").status_code == 200
    assert enter("viewer", public_log=False).get("/api/v1/entries/3").status_code == 403


def test_altered_bytes_never_leave(long: FakeHouse, enter: Enter) -> None:
    long.log.bodies[7] = long.log.bodies[7].replace(b"checkout", b"checkin.")
    answer = enter().get("/log/tile/entries/000")
    assert answer.status_code == 500
    assert answer.json()["code"] == "untrue"
    assert "entry 7" in answer.json()["detail"]
    assert enter("viewer").get("/entries/7", headers={"accept": "text/html"}).status_code == 500


def test_a_hole_in_the_store_is_said(long: FakeHouse, enter: Enter) -> None:
    del long.log.leaf_hashes[100:]
    answer = enter().get("/log/tile/0/000")
    assert (answer.status_code, answer.json()["code"]) == (500, "untrue")


def test_receipts_and_entries(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    answer = client.get("/api/v1/entries/3/receipt")
    assert answer.content == house.ask.receipt(3)
    assert 'filename="entry-3.tlog-proof"' in answer.headers["content-disposition"]
    assert client.get("/api/v1/entries/3").content == house.log.bodies[3]
    assert client.get("/api/v1/entries/60").status_code == 404
    tell(house)
    assert client.get("/api/v1/entries/60/receipt").status_code == 503
    for odd in ("x", "-1", "1.0", "٣", "01", "9" * 40):
        assert client.get(f"/api/v1/entries/{odd}").status_code == 400
