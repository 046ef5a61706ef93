"""How the command line shows things: hostile text made harmless, checks, progress."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import click
import msgspec

from deploytrail.evidence.check import Check

# A column is cut to no less than this.
_NARROWEST: Final = 6
_SIGNS: Final = {True: "ok  ", False: "FAIL", None: "?   "}


def plain(text: object) -> str:
    """Text without anything that a terminal would obey: control signs and changes of direction become "�"."""
    return "".join(
        sign if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "�"
        for sign in str(text)
    )


def as_json(value: Any) -> None:
    """One line of JSON on standard output, in ASCII: nothing in it that a terminal would obey."""
    click.echo(json.dumps(msgspec.to_builtins(value), separators=(",", ":")))


def facts(found: Iterable[tuple[str, str]]) -> None:
    """Names and values, one on each line; what has no value is left out."""
    told = [(name, value) for name, value in found if value]
    width = max((len(name) for name, _ in told), default=0)
    for name, value in told:
        click.echo(f"  {name:<{width}}  {plain(value)}")


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, firm: Sequence[int] = (), indent: int = 0
) -> None:
    """A table that fits the terminal: the widest columns but the firm ones are cut first. In a pipe nothing
    is cut.
    """
    cells = [[plain(cell).strip() for cell in row] for row in (head, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    # A column in which nothing stands says nothing.
    kept = [n for n in range(len(head)) if any(row[n] for row in cells[1:])]
    widths = [widths[n] for n in kept]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - indent - 2 * (len(kept) - 1)
        _narrow(widths, [place for place, n in enumerate(kept) if n not in firm], room)
    for row in cells:
        parts = [_fitted(row[n], width) for n, width in zip(kept, widths, strict=True)]
        click.echo((" " * indent + "  ".join(parts)).rstrip())


def _narrow(widths: list[int], soft: Sequence[int], room: int) -> None:
    """Take from the widest of the soft columns until all fit, but leave each some signs."""
    while sum(widths) > room and soft:
        widest = max(soft, key=lambda place: widths[place])
        if widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _width(text: str) -> int:
    """How many columns a terminal needs for a text."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def _fitted(text: str, width: int) -> str:
    """The text cut or filled up to a width."""
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - _width(text))


def checks(found: Iterable[Check], in_json: bool) -> bool:
    """Show numbered checks as they come; whether every one of them holds."""
    every = []
    for check in found:
        every.append(check)
        if not in_json:
            click.echo(f"{_SIGNS[check.ok]} {check.number:2}. {check.words} {plain(check.detail)}".rstrip())
    held = all(check.ok is True for check in every)
    if in_json:
        as_json({"ok": held, "checks": [check._asdict() for check in every]})
    return held


class Bar:
    """A progress bar on a terminal; elsewhere, and with --json, nothing."""

    def __init__(self, words: str, wanted: bool = True) -> None:
        self._words, self._wanted = words, wanted and sys.stderr.isatty()
        self._percent = -1

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Show how far it is."""
        if not self._wanted or total <= 0:
            return
        percent = min(100, done * 100 // total)
        if percent != self._percent:
            self._percent = percent
            filled = "█" * (percent // 4)
            shown = plain(words or self._words)
            click.echo(
                f"\r{shown:<34.34} {filled:<25} {percent:3} %  {done:,} of {total:,}", err=True, nl=False
            )

    def aside(self, found: Iterable[Check]) -> Iterator[Check]:
        """The same checks, each on a line that the bar has left."""
        for check in found:
            if self._wanted and self._percent >= 0:
                click.echo("\r" + " " * 100 + "\r", err=True, nl=False)
                self._percent = -1
            yield check

    def end(self) -> None:
        """Leave the line."""
        if self._wanted and self._percent >= 0:
            click.echo(err=True)
