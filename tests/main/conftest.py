"""Houses to start, and an environment without anybody's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.main.running import Running, settings_named, short_folder

Start = Callable[..., Running]


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of whoever runs the tests are not the tests'."""
    for name in settings_named():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of our own with a short path."""
    with short_folder() as made:
        yield made


@pytest.fixture
def house(folder: Path) -> Iterator[Callable[..., Running]]:
    """house(*flags): a house in `folder`, not yet started; all are killed at the end."""
    with ExitStack() as stack:

        def make(*flags: str, at: str = "h") -> Running:
            running = Running(folder / at, *flags)
            stack.callback(running.kill)
            return running

        yield make
