"""How the command line shows things: hostile text made harmless, checks, progress."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click
import msgspec

from deploytrail.evidence.check import Check

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
