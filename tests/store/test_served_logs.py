"""Whole logs as a stranger gets them: stored in SQLite, signed by the signer, and served over HTTP, file by
file what an independent implementation of C2SP tlog-tiles writes and reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tlog_scales import signing
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.writer import TilesWriter

from deploytrail.app.ports import Pending, Submission
from deploytrail.app.seal import Sealer
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store.log_sql import SqlLog
from deploytrail.tlog import tiles
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site
from tests.app.small_house import Clock
from tests.tlog.trees import KEY, write
from tests.web.fakes import FakeHouse

SIZES = (0, 1, 2, 255, 256, 257, 65_536, 70_000)
ORIGIN = KEY.verifier.name
SEED = bytes(range(32))
# Batches of one and of many, none a divisor of a tile's width.
BATCHES = (1, 100, 999)


def entry(index: int) -> bytes:
    return b"entry %d" % index


def grow(log: SqlLog, size: int) -> None:
    start = log.head().size
    turn = 0
    while start < size:
        stop = min(start + BATCHES[turn % len(BATCHES)], size)
        log.append([Submission((Pending(entry(n), "hub", None, (), ()),)) for n in range(start, stop)])
        start, turn = stop, turn + 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlLog, Sealer, TestClient]]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "signer").mkdir(mode=0o700)
    (folder / "signer" / "key").write_bytes(SEED)
    log = SqlLog(folder / "trail.db")
    sealer = Sealer(log, FileSigner(folder / "signer", ORIGIN), Clock())
    house = FakeHouse()
    house.log = log  # type: ignore[assignment]
    with TestClient(site(house, WebSettings()), base_url="http://localhost") as client:  # type: ignore[arg-type]
        yield log, sealer, client
    log.close()


def files_of(client: TestClient, size: int) -> dict[str, bytes]:
    """Every file that a log of this size has, fetched one by one."""
    paths = ["checkpoint"]
    for tile in tiles.widths(size):
        paths.append(tiles.path(tile))
        if tile.level == 0:
            paths.append(tiles.entries_path(tile.index, tile.width))
    found = {}
    for path in paths:
        answer = client.get(f"/log/{path}")
        assert answer.status_code == 200, path
        found[path] = answer.content
    return found


def written(folder: Path, size: int) -> dict[str, bytes]:
    """The files that the independent implementation writes of the same entries under the same key."""
    writer = TilesWriter.create(folder, ORIGIN)
    for index in range(size):
        writer.add_leaf(entry(index))
    writer.commit([signing.PlainEd25519Signer(ORIGIN, SEED)])
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_every_served_file_is_that_of_the_independent_writer(
    served: tuple[SqlLog, Sealer, TestClient], size: int, tmp_path: Path
) -> None:
    log, sealer, client = served
    grow(log, size)
    sealer.seal()
    found = files_of(client, size)
    assert found == written(tmp_path / "theirs", size)
    write(found, tmp_path / "ours")
    reader = TilesReader(LocalBackend(tmp_path / "ours"))
    head = reader.get_checkpoint()
    head.verify(signing.Vkey.from_string(KEY.verifier.vkey()))
    assert (head.origin, head.size, head.root_hash) == (ORIGIN, size, log.head().root)
    assert reader.calculate_root_hash() == head.root_hash
    for index in sorted({0, size // 2, size - 1} & set(range(size))):
        assert reader.get_entry(index) == entry(index)
