"""The import contracts have no exceptions, and what they cannot see is looked for here."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.documents import ROOT, SOURCE, rooms

LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
RUFF = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
PURE = ("app", "evidence", "projections", "intake", "facts", "tlog")
# Builtins that reach the world without an import.
WORLDLY = {"open", "print", "input", "__import__", "exec", "eval", "breakpoint"}


def test_no_contract_has_an_exception() -> None:
    assert len(LINTER["contracts"]) >= 8
    for contract in LINTER["contracts"]:
        assert "ignore_imports" not in contract, contract["name"]
        assert "unmatched_ignore_imports_alerting" not in contract, contract["name"]


def test_all_contracts_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_room_has_its_floor() -> None:
    floors = next(c for c in LINTER["contracts"] if c["type"] == "layers")
    assert floors["exhaustive"]
    listed = {room.strip() for layer in floors["layers"] for room in layer.split("|")}
    assert listed == rooms()


def test_clock_and_chance_are_excused_in_main_alone() -> None:
    excused = {
        place
        for place, rules in RUFF["per-file-ignores"].items()
        if place.startswith("src") and "TID251" in rules
    }
    assert excused == {"src/deploytrail/main.py"}
    assert [str(p) for p in SOURCE.rglob("*.py") if "noqa: TID251" in p.read_text("utf-8")] == []


def _calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id


@pytest.mark.parametrize("room", PURE)
def test_no_builtin_reaches_the_world_below_the_doors(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in (SOURCE / room).rglob("*.py")
        for line, name in _calls(path)
        if name in WORLDLY
    ]
    assert found == []
