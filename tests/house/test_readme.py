"""The paths that the README names exist, and each step is connected to one before it as the README says."""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from typing import NamedTuple

import pytest

from tests.house.documents import ROOT, SOURCE, plain, rooms, table, tables

README = ROOT / "README.md"
COLUMNS = ("step", "module", "function", "reached", "what")
PACKAGE = "deploytrail"
MAIN = f"{PACKAGE}.main"


class Step(NamedTuple):
    """One row of a path. `before` is the step it is reached from, counted from 1."""

    number: int
    module: str
    function: str
    reached: str
    before: int


def paths() -> dict[str, list[Step]]:
    """Each path by its heading."""
    headings = [
        line.removeprefix("### ")
        for line in README.read_text("utf-8").splitlines()
        if line.startswith("### ")
    ]
    found = [rows for rows in tables(README) if tuple(rows[0]) == COLUMNS]
    return {name: [_step(row) for row in rows] for name, rows in zip(headings, found, strict=True)}


def _step(row: dict[str, str]) -> Step:
    number = int(row["step"])
    reached, _, origin = row["reached"].partition(" from ")
    module = f"{PACKAGE}.{plain(row['module'])}"
    return Step(number, module, plain(row["function"]), reached, int(origin or number - 1))


PATHS = paths()
EVERY = [pytest.param(steps, id=name) for name, steps in PATHS.items()]


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of the package that a module imports at any place, `if TYPE_CHECKING` aside."""
    path = SOURCE.parent / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in _running(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            found |= {
                f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name)
            }
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith(PACKAGE)}
    return frozenset(found)


def _running(tree: ast.AST) -> list[ast.AST]:
    """Every node that is there when the program runs."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING":
        return []
    return [tree, *(found for node in ast.iter_child_nodes(tree) for found in _running(node))]


def _is_module(package: str, name: str) -> bool:
    path = SOURCE.parent / package.replace(".", "/") / name
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@cache
def reachable(module: str) -> frozenset[str]:
    """Every module that is imported with this one."""
    found: set[str] = set()
    open_ends = [module]
    while open_ends:
        for each in imports(open_ends.pop()) - found:
            found.add(each)
            open_ends.append(each)
    return frozenset(found)


def put_together(one: str, other: str) -> bool:
    """Whether main knows one of two modules itself and reaches the other through it or another room."""
    known, reached = imports(MAIN) | {MAIN}, reachable(MAIN) | {MAIN}
    return {one, other} <= reached and bool({one, other} & known)


def test_the_paths_are_those_that_were_asked_for() -> None:
    assert set(PATHS) == {
        "A webhook reaches the live page",
        "A fact told over the API",
        "Sealing and publishing a checkpoint",
        "Offline verification",
        "Erasing a person",
        "Reading everything again: fsck",
        "The first start of a house",
    }


@pytest.mark.parametrize("steps", EVERY)
def test_every_function_exists(steps: list[Step]) -> None:
    for step in steps:
        found = import_module(step.module)
        for name in step.function.split("."):
            assert hasattr(found, name), f"step {step.number}: {step.module} has no {step.function}"
            found = getattr(found, name)


@pytest.mark.parametrize("steps", EVERY)
def test_every_step_is_connected_as_it_says(steps: list[Step]) -> None:
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    for step in steps:
        assert step.before < step.number
        before = steps[step.before - 1].module
        connected = {
            "start": step.number == 1,
            "import": step.module in imports(before),
            "same": step.module == before,
            "by main": put_together(before, step.module),
            "http": step.module.startswith(f"{PACKAGE}.web.") and before == f"{PACKAGE}.client.house",
        }
        assert connected.get(step.reached), f"step {step.number}, {step.module}: {step.reached} from {before}"


def test_the_map_names_every_room() -> None:
    rows = table(README, "floor", "room", "what lives there")
    named = [plain(room) for row in rows for room in row["room"].split(",")]
    assert sorted(named) == sorted(rooms())


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 200
