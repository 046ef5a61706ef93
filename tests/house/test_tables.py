"""Settings, commands, addresses and tables stand in the documents as the code has them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from deploytrail.app.access import ACTIONS
from deploytrail.cli.commands import program
from deploytrail.config import SETTINGS
from deploytrail.errors import CODES
from deploytrail.web.problems import ONLY_HTTP
from tests.house.documents import ROOT, plain, table
from tools import tables

DOCS = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_made_tables_are_as_the_code_says(path: object) -> None:
    text = path.read_text("utf-8")  # type: ignore[attr-defined]
    assert text == tables.renewed(text), "run: python tools/tables.py --write"


def test_every_made_table_stands_in_a_document() -> None:
    found = [name for path in DOCS for name in tables.named(path.read_text("utf-8"))]
    assert sorted(found) == sorted(tables.MADE)


def test_every_command_names_an_action_of_the_table() -> None:
    rows = tables.program()[1:]
    assert len(rows) > 10
    assert {action for _, action, _ in rows} <= set(ACTIONS)
    assert all(what for _, _, what in rows)


def test_a_settings_flag_and_variable_are_those_of_the_commands() -> None:
    """What click takes is what the list of settings says, in both directions."""
    taken = {
        (parameter.name, parameter.opts[0], parameter.envvar)
        for _, command in tables._leaves(program, ())
        for parameter in command.params
        if getattr(parameter, "envvar", None)
    }
    listed = {(s.name, f"--{s.name.replace('_', '-')}", s.variable) for s in SETTINGS}
    assert taken == listed


def test_help_names_all_three_ways_of_saying_a_setting() -> None:
    said = CliRunner().invoke(program, ["serve", "--help"]).output
    assert "--public-url" in said
    assert "DEPLOYTRAIL_PUBLIC_URL" in said
    assert "deploytrail.toml" in said


def test_every_refusal_is_documented() -> None:
    columns = ("code", "HTTP", "exit", "title", "when", "what to do")
    rows = table(ROOT / "docs" / "refusals.md", *columns)
    assert {plain(row["code"]) for row in rows} == set(CODES)
    assert all(row["when"] and row["what to do"] for row in rows)
    text = (ROOT / "docs" / "refusals.md").read_text("utf-8")
    assert all(f"`{code}` ({meaning.http})" in text for code, meaning in ONLY_HTTP.items())
