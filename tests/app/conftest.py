"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploytrail.app.follow import TABLES
from deploytrail.store.derived_sql import SqlDerived
from tests.app.small_house import SmallHouse


@pytest.fixture(params=["memory", "sql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallHouse]:
    """A small house, with its rows in memory and in a file."""
    derived = SqlDerived(tmp_path / "derived.db", TABLES) if request.param == "sql" else None
    made = SmallHouse(tmp_path, derived)
    yield made
    made.close()
    if derived is not None:
        derived.close()
