"""What lies in the repository: its files, its rooms, its Markdown, and the tables in that."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "deploytrail"


def tracked() -> list[Path]:
    """Every file that git knows or would know: committed, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def rooms() -> set[str]:
    """Every room of the package: its folders and its modules that lie in none."""
    found = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    return found - {"__init__"}


def documents() -> list[Path]:
    """Every Markdown file of the house. The demo's little service has its own."""
    return [p for p in tracked() if p.suffix == ".md" and not p.is_relative_to(ROOT / "demo")]


def tables(path: Path) -> Iterator[list[dict[str, str]]]:
    """Each table of a Markdown file as rows by the names of its columns."""
    head: list[str] = []
    rows: list[dict[str, str]] = []
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if not line.startswith("|"):
            if rows:
                yield rows
            head, rows = [], []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        if not head:
            head = cells
        elif not set("".join(cells)) <= set(":-"):
            assert len(cells) == len(head), f"{path.name}: {line}"
            rows.append(dict(zip(head, cells, strict=True)))


def table(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of all tables with just these columns, in the order of the file."""
    return [row for rows in tables(path) if tuple(rows[0]) == columns for row in rows]


def plain(cell: str) -> str:
    """A cell without its marks."""
    return cell.replace("`", "").replace("*", "").strip()
