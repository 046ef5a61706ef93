"""Links in the documents lead somewhere, and no file speaks of the machine that it was written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.documents import ROOT, documents, tracked

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# What only somebody's own machine has. Put together here, so that this file does not name it either.
OURS = ("/" + "work/", "/" + "tmp/c/", "/" + "root/", "/home" + "/")


def anchors(path: Path) -> set[str]:
    """The headings of a document, as their links are written."""
    found = HEADING.findall(path.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    wrong = []
    for path in tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for line in text.splitlines():
            if any(ours in line for ours in OURS):
                wrong.append(f"{path.relative_to(ROOT)}: {line.strip()[:100]}")
    assert wrong == []
