"""Tables of the documents that are made from the code: settings, commands, addresses, tables of the database.

    python tools/tables.py [--write]

A table stands between `<!-- made: NAME -->` and `<!-- end -->`. Without --write, the documents that are not
as the code says are named, and the status is 1; tests/house/test_tables.py does the same.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from deploytrail.app.access import ACTIONS
from deploytrail.app.follow import TABLES
from deploytrail.cli import commands
from deploytrail.config import SETTINGS
from deploytrail.errors import CODES
from deploytrail.facts.draft import Body
from deploytrail.facts.kinds import KINDS
from deploytrail.facts.sealing import plan_of
from deploytrail.store import schema, search_sql
from deploytrail.web.guard import Door
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import routes

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
_MADE: Final = re.compile(r"(<!-- made: ([a-z]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

Rows = Sequence[tuple[str, ...]]


def settings() -> Rows:
    """Every setting by its three names."""
    found = [("flag", "environment variable", "in `deploytrail.toml`", "what")]
    for setting in SETTINGS:
        flag = f"`--{setting.name.replace('_', '-')}`"
        found.append((flag, f"`{setting.variable}`", f"`{setting.name}`", setting.words))
    return found


def program() -> Rows:
    """Every command, the action that it needs, and what it does."""
    found = [("command", "action", "what")]
    for name, command in _leaves(commands.program, ()):
        action = getattr(command.callback, commands.ACTION, "none")
        found.append((f"`deploytrail {name}`", action, (command.help or "").splitlines()[0]))
    return found


def _leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


def addresses() -> Rows:
    """Every address of the web door, and who may enter."""
    found = [("method", "path", "action")]
    for door in routes(WebSettings()):
        assert isinstance(door, Door)
        methods = ", ".join(sorted(set(door.methods or ()) - {"HEAD"}))
        action = "open with a public log, else read-entries" if _depends(door) else door.action
        found.append((methods, f"`{door.path}`", action))
    return found


def _depends(door: Door) -> bool:
    """Whether entries behind this door are open only with a public log."""
    shut = [d for d in routes(WebSettings(public_log=False)) if isinstance(d, Door)]
    return any((d.path, d.methods) == (door.path, door.methods) and d.action != door.action for d in shut)


def actions() -> Rows:
    """Every action, and which roles may do it."""
    return [("action", "who may"), *((name, ", ".join(sorted(who))) for name, who in ACTIONS.items())]


def told() -> Rows:
    """Every kind that may be told from outside, with its fields."""
    return _kinds(outside=True)


def ours() -> Rows:
    """Every kind that only deliveries or the house itself lead to."""
    return _kinds(outside=False)


def _kinds(*, outside: bool) -> Rows:
    found = [("kind", "fields")]
    for name, kind in KINDS.items():
        if kind.outside == outside:
            found.append((f"`{name}`", _fields(kind.body)))
    return found


def _fields(body: type[Body]) -> str:
    """The fields of a body: *sealed* ones slanted, required ones with a star behind."""
    required = {field.name for field in msgspec.structs.fields(body) if field.required}
    words = []
    for name, sort in plan_of(body).sorts.items():
        word = name if sort in ("clear", "time", "inner") else f"*{name}*"
        words.append(word + ("\\*" if name in required else ""))
    return ", ".join(words)


def states() -> Rows:
    """Every table of every file, with its class of state."""
    found = [("table", "file", "class")]
    for file, metadata in (("trail.db", schema.main), ("keys.db", schema.keys)):
        found += [(f"`{name}`", file, table.info["state"]) for name, table in sorted(metadata.tables.items())]
    found += [(f"`{name}`", "derived.db", "derived") for name in sorted(table.name for table in TABLES)]
    classes = {name: table.info["state"] for name, table in search_sql.search.tables.items()}
    classes |= search_sql.INDEXES
    found += [(f"`{name}`", "search.db", state) for name, state in sorted(classes.items())]
    return found


def refusals() -> Rows:
    """Every code, with its statuses, what it means and what to do."""
    found = [("code", "HTTP", "exit", "title", "when", "what to do")]
    for code, meaning in CODES.items():
        found.append((f"`{code}`", str(meaning.http), str(meaning.exit), *meaning[2:]))
    return found


MADE: Final[dict[str, Callable[[], Rows]]] = {
    "settings": settings,
    "commands": program,
    "addresses": addresses,
    "actions": actions,
    "told": told,
    "ours": ours,
    "states": states,
    "refusals": refusals,
}


def markdown(rows: Rows) -> str:
    """A table in Markdown; the first row is its head."""
    head, *rest = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest]) + "\n"


def renewed(text: str) -> str:
    """A document with all its made tables as the code says now."""

    def made(found: re.Match[str]) -> Any:
        return found[1] + markdown(MADE[found[2]]()) + found[4]

    return _MADE.sub(made, text)


def named(text: str) -> list[str]:
    """The names of the made tables in a document."""
    return [found[2] for found in _MADE.finditer(text)]


def main(arguments: Sequence[str]) -> int:
    """Write the documents, or name those that are not as the code says."""
    old = [
        path
        for path in sorted(DOCS.rglob("*.md"))
        if renewed(path.read_text("utf-8")) != path.read_text("utf-8")
    ]
    for path in old:
        print(path.relative_to(ROOT))
        if "--write" in arguments:
            path.write_text(renewed(path.read_text("utf-8")), "utf-8")
    return 1 if old and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
