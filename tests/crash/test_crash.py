"""kill -9 at any moment: every acknowledged fact is there, once; a checkpoint once published stays true.

200 cycles and the whole sweep: `./dev crash`.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests import postgres
from tests.crash.loop import SERVER_MOMENTS, run
from tests.crash.served import Served
from tests.crash.small import Small
from tests.crash.sweeps import kills

pytestmark = pytest.mark.slow


def test_real_server_outlives_25_cycles(folder: Path) -> None:
    report = run(Served(folder), 1, lambda cycles: cycles < 25)
    assert report.cycles == 25
    assert set(report.moments) - set(SERVER_MOMENTS) == {"starting", "telling", "sealing", "stopping"}
    assert (set(report.moments) >= set(SERVER_MOMENTS)) == postgres.chosen()
    assert report.under_load > 15
    assert set(report.torn) <= {"derived.db", "search.db"}
    assert report.acknowledged > 100
    assert report.unanswered > 0
    assert report.checkpoints > 20
    # What the house records of itself (tokens, sources) is beside what was told.
    assert report.size >= report.acknowledged


# Half a house, and single calls about single files: there is no server then.
@pytest.mark.sqlite
def test_writing_half_outlives_ten_cycles(folder: Path) -> None:
    report = run(Small(folder), 2, lambda cycles: cycles < 10)
    assert report.size == report.acknowledged > 100


@pytest.mark.sqlite
def test_first_start_and_first_facts_outlive_a_kill_in_single_calls(folder: Path) -> None:
    names = count()
    killed = kills(Small, lambda: folder / str(next(names)), (1, 2, 5, 9))
    assert killed.broken == []
    assert killed.houses >= 12


def test_first_start_of_the_real_server_outlives_a_kill_in_single_calls(folder: Path) -> None:
    names = count()
    killed = kills(Served, lambda: folder / str(next(names)), (1, 3), ("write", "rename"))
    assert killed.broken == []
    assert killed.houses == 4
