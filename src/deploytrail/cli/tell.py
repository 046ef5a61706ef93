"""Telling facts to a running house: one, lines from standard input, or a file of them.

Every line is told under an id, so that telling it again repeats nothing: its own, else one made from its
text and how often that text stood before it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec

from deploytrail.cli import shown
from deploytrail.client import House, Placed, Problem
from deploytrail.client.house import MAX_BYTES, MAX_LINES
from deploytrail.errors import CODES, Refused
from deploytrail.facts.draft import Person
from deploytrail.facts.kinds import body_of

_MAX_LINE: Final = 2**20
_SHOWN: Final = 10
# Refusals that every further line would meet too.
_HOPELESS: Final = ("unavailable", "busy", "unauthenticated")


def one(kind: str, fields: Sequence[str], url: str, token: str | None, json: bool) -> int:
    """Tell one fact made of KEY=VALUE fields."""
    fact = {"kind": kind, **_fitting(kind, _fields(fields))}
    with House(url, token) as house:
        said = house.tell(fact)
    if json:
        shown.as_json(said)
    else:
        again = " already" if said.repeat else ""
        click.echo(f"Entry {said.index:,} holds it{again}.")
    return 0


def lines(stream: BinaryIO, url: str, token: str | None, json: bool) -> int:
    """Tell every line of a stream."""
    telling = _Telling(json)
    with House(url, token) as house, telling.until_refused():
        for batch in _batches(stream):
            telling.tell(house, batch)
    return telling.end()


def file(path: Path, url: str, token: str | None, json: bool) -> int:
    """Tell every line of a file, with a progress bar. Begun again, it finds what was told before."""
    total, done = path.stat().st_size, 0
    bar = shown.Bar(f"importing {path.name}", not json)
    telling = _Telling(json)
    try:
        with House(url, token) as house, path.open("rb") as stream, telling.until_refused():
            for batch in _batches(stream):
                telling.tell(house, batch)
                done = stream.tell()
                bar(done, total)
    finally:
        bar.end()
    return telling.end()


class _Telling:
    """Counts what became of lines, and shows what was refused."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self._seen: Counter[bytes] = Counter()
        self.told = self.repeats = self.refused = 0
        self._status = 0

    def tell(self, house: House, batch: Sequence[tuple[int, bytes]]) -> None:
        """Tell one batch of numbered lines."""
        said = house.tell_lines([self._named(line) for _, line in batch])
        for (number, _), each in zip(batch, said, strict=True):
            if isinstance(each, Problem) and each.code in _HOPELESS:
                raise Refused(each.code, f"line {number}: {each.detail}")
            self._count(number, each)

    @contextmanager
    def until_refused(self) -> Iterator[None]:
        """If all further lines are refused, say what was told already and how to go on."""
        try:
            yield
        except Refused as refusal:
            if not self.told:
                raise
            words = f"{refusal.words} {self.told:,} lines were told; tell the same again to go on."
            raise Refused(refusal.code, words) from None

    def end(self) -> int:
        """Say how it went; the exit status."""
        if self._json:
            shown.as_json({"told": self.told, "repeats": self.repeats, "refused": self.refused})
        else:
            more = f", {self.refused:,} refused" if self.refused else ""
            click.echo(
                f"{self.told:,} lines told: {self.told - self.repeats:,} new, {self.repeats:,} repeats{more}."
            )
        return self._status

    def _count(self, number: int, said: Placed | Problem) -> None:
        if isinstance(said, Placed):
            self.told += 1
            self.repeats += said.repeat
            return
        self.refused += 1
        self._status = max(self._status, CODES[said.code].exit if said.code in CODES else 3)
        if self.refused <= _SHOWN:
            click.echo(f"line {number}: {shown.plain(said.detail)}", err=True)

    def _named(self, line: bytes) -> bytes:
        """The line with an id. One that is no object goes as it is: the house says what is wrong with it."""
        try:
            fact = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return line
        if not isinstance(fact, dict) or fact.get("id") is not None:
            return line
        digest = hashlib.sha256(line).digest()
        self._seen[digest] += 1
        named = b'"id":"line-%s-%d"}' % (digest[:16].hex().encode(), self._seen[digest])
        # Put in by hand: every other byte stays as its sender wrote it. Of two fields "id" the last counts.
        return line[:-1] + (b"," if fact else b"") + named


def _batches(stream: BinaryIO) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines that are not empty, in batches for one request each."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in _numbered(stream):
        batch.append((number, line))
        size += len(line)
        if len(batch) == MAX_LINES or size > MAX_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE and not line.endswith(b"\n"):
            # Far above what a fact may have: its beginning is enough for the house to refuse it.
            while (rest := stream.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        if stripped := line.strip():
            yield number, stripped


def _fitting(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Fields with numbers and truth values where the kind has them; the house says what does not fit."""
    found = dict(fields)
    if isinstance(actor := fields.get("actor"), dict):
        found["actor"] = _typed(actor, Person)
    type_ = body_of(kind)
    return _typed(found, type_) if type_ else found


def _typed(fields: dict[str, Any], type_: type[msgspec.Struct]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = _taken(fields, msgspec.convert(fields, type_, strict=False))
    except msgspec.ValidationError:
        return fields
    return found


def _taken(raw: Any, typed: Any) -> Any:
    """`raw` with its values as `typed` has them; what the type does not know stays as it is."""
    if isinstance(typed, msgspec.Struct):
        return {
            name: _taken(value, getattr(typed, name)) if name in typed.__struct_fields__ else value
            for name, value in raw.items()
        }
    if isinstance(typed, list):
        return [_taken(*both) for both in zip(raw, typed, strict=True)]
    return typed


def _fields(given: Iterable[str]) -> dict[str, Any]:
    """KEY=VALUE texts as an object: points in a key lead inwards, lists and objects are taken as JSON."""
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Refused("bad-input", f"{shown.plain(text)} is not KEY=VALUE.")
        *path, last = key.split(".")
        place = found
        for name in path:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise Refused("bad-input", f"{shown.plain(key)} contradicts another field.")
        place[last] = _value(value)
    return found


def _value(text: str) -> Any:
    """Lists and objects as JSON writes them; everything else is text."""
    if text[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(text.encode())
        except msgspec.DecodeError:
            return text
    return text
