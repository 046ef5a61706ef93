"""Each source and each projection has what belongs to it: a line in its list, samples, a page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from deploytrail.intake.registry import SOURCES
from deploytrail.projections.registry import PROJECTIONS
from tests.house.documents import ROOT, SOURCE, plain, table

# What lies beside the sources and projections themselves.
NOT_SOURCES = {"__init__", "delivery", "fields", "registry"}


def test_every_source_in_the_room_is_in_the_list() -> None:
    room = {path.stem for path in (SOURCE / "intake").iterdir() if not path.name.startswith("__pycache__")}
    modules = {type(source).__module__.split(".")[2] for source in SOURCES.values()}
    assert modules == room - NOT_SOURCES


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_has_samples_and_a_page(kind: str) -> None:
    assert SOURCES[kind].kind == kind
    assert list((ROOT / "tests" / "intake" / "samples" / kind).glob("*.json"))
    page = (ROOT / "docs" / "sources" / f"{kind}.md").read_text("utf-8")
    assert f"Kind: `{kind}`" in page
    assert f"deploytrail admin source add {kind} " in page


def test_every_page_and_sample_folder_has_its_source() -> None:
    assert {path.stem for path in (ROOT / "docs" / "sources").glob("*.md")} == set(SOURCES)
    assert {path.name for path in (ROOT / "tests" / "intake" / "samples").iterdir()} == set(SOURCES)


def _projections(path: Path) -> set[str]:
    """The classes of a module that can fold."""
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
        and not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
        and any(isinstance(inner, ast.FunctionDef) and inner.name == "fold" for inner in node.body)
    }


def test_every_projection_in_the_room_is_in_the_list() -> None:
    room = set().union(*(_projections(path) for path in (SOURCE / "projections").glob("*.py")))
    assert {type(projection).__name__ for projection in PROJECTIONS} == room


def test_every_projection_is_documented() -> None:
    rows = table(ROOT / "docs" / "projections.md", "projection", "tables", "what")
    documented = [(plain(r["projection"]), [plain(t) for t in r["tables"].split(",")]) for r in rows]
    assert documented == [(p.name, [t.name for t in p.tables]) for p in PROJECTIONS]
