"""A disk that fails or is full: nothing is acknowledged that is not there, and words say what happened."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.crash import sweeps
from tests.crash.__main__ import SIGNING

pytestmark = pytest.mark.slow
# What the disk of a server does to PostgreSQL is PostgreSQL's own to outlive.
OF_FILES = pytest.mark.sqlite

FAILED = "503 The disk or the database failed"
FULL = "503 The disk is full; nothing was recorded."


@OF_FILES
@pytest.mark.parametrize("first", [1, 4])
def test_failing_flush_ends_the_house_without_an_acknowledgement(folder: Path, first: int) -> None:
    seen = sweeps.under(folder, "fsync", errno.EIO, first)
    assert seen.refused
    assert all(words.startswith(FAILED) for words in seen.refused)
    assert seen.status == 5


@OF_FILES
def test_house_with_a_full_disk_refuses_and_goes_on_by_itself_once_there_is_room(folder: Path) -> None:
    seen = sweeps.under(folder, "pwrite", errno.ENOSPC, 30, 36, 120)
    assert any(words.startswith(FULL) for words in seen.refused)
    assert all(words.startswith("503 ") for words in seen.refused)
    assert seen.acknowledged > len(seen.refused)
    assert not seen.gone
    assert seen.status is None


@OF_FILES
def test_file_that_may_not_grow_ends_the_house_without_an_acknowledgement(folder: Path) -> None:
    seen = sweeps.file_limit(folder)
    assert seen.refused
    assert all(words.startswith(FAILED) for words in seen.refused)
    assert seen.status == 5


@pytest.mark.parametrize(("call", "about"), SIGNING)
def test_failing_disk_of_the_signer_never_stops_recording(folder: Path, call: str, about: str) -> None:
    seen = sweeps.signer_fails(folder, call, about, 1, 2)
    assert seen.acknowledged == 20
    assert seen.refused == []
    assert seen.status is None
