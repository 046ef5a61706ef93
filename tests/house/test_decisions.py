"""Every decision has its four parts and its line in the list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.documents import ROOT, table

FOLDER = ROOT / "docs" / "adr"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Options", "Decision", "What was given up"]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_what_was_given_up(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        assert part.strip()


def test_the_list_has_every_decision_by_its_number_and_title() -> None:
    listed = [(row["number"], row["decision"]) for row in table(FOLDER / "README.md", "number", "decision")]
    titles = []
    for path in DECISIONS:
        number, _, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(": ")
        assert path.name.startswith(f"{number}-")
        titles.append((f"[{number}]({path.name})", title))
    assert listed == titles
