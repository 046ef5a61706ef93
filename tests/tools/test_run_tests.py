"""What ./dev test runs, and what it says when something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import run_tests

ROOT = Path(__file__).parents[2]

WITH_BROWSER = [
    [],
    ["-x"],
    ["tests"],
    ["tests/browser"],
    ["tests/browser/test_trail.py::test_one"],
    ["tests/tlog", "tests/browser"],
    ["-k", "nothing of that name"],
]
WITHOUT = [["tests/tlog"], ["-m", "not browser"], ["tests/tlog/test_note.py::test_one", "-x"]]


@pytest.mark.parametrize("arguments", WITH_BROWSER, ids=" ".join)
def test_a_browser_is_needed(arguments: list[str]) -> None:
    assert run_tests.needs_browser(arguments)


@pytest.mark.parametrize("arguments", WITHOUT, ids=" ".join)
def test_no_browser_is_needed(arguments: list[str]) -> None:
    assert not run_tests.needs_browser(arguments)


def test_arguments_are_pytest_s_own() -> None:
    assert run_tests.command(["tests/tlog", "-x"])[-2:] == ["tests/tlog", "-x"]
    assert "loadgroup" in run_tests.command([])


def test_without_a_browser_one_sentence_names_the_package() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "run_tests.py", "tests/browser"],
        env={**os.environ, "DEPLOYTRAIL_CHROMIUM": "/nowhere/chromium"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "install the package chromium" in done.stderr
    assert done.stderr.count("\n") == 1
