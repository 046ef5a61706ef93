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


@pytest.mark.parametrize("arguments", [[], ["tests"], ["tests/contracts"], ["tests/store"]], ids=" ".join)
def test_a_server_is_needed(arguments: list[str]) -> None:
    assert run_tests.needs_server(arguments)


def test_no_server_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPLOYTRAIL_TEST_DATABASE", raising=False)
    assert not run_tests.needs_server(["tests/tlog"])
    monkeypatch.setenv("DEPLOYTRAIL_TEST_DATABASE", "postgresql")
    assert run_tests.needs_server(["tests/tlog"])


def test_without_a_server_one_sentence_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests.shutil, "which", lambda name: "/usr/bin/git" if name == "git" else None)
    monkeypatch.setattr(run_tests.postgres, "programs", lambda: None)
    words = run_tests.missing(["tests/contracts"]) or ""
    assert words.endswith("install the package postgresql and run ./dev test again.")


@pytest.mark.parametrize(
    "arguments", [[], ["tests"], ["tests/crash"], ["tests/crash/test_crash.py"]], ids=" ".join
)
def test_a_compiler_is_needed(arguments: list[str]) -> None:
    assert run_tests.needs_compiler(arguments)


@pytest.mark.parametrize("arguments", [["tests/tlog"], ["-m", "not slow and not browser"]], ids=" ".join)
def test_no_compiler_is_needed(arguments: list[str]) -> None:
    assert not run_tests.needs_compiler(arguments)


def test_without_a_compiler_one_sentence_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests.shutil, "which", lambda name: "/usr/bin/git" if name == "git" else None)
    words = run_tests.missing(["tests/crash"]) or ""
    assert words.endswith("install the packages gcc and libc6-dev and run ./dev test again.")


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
