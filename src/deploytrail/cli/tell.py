"""Telling facts to a running house: one, lines from standard input, or a file of them.

Every line is told under an id, so that telling it again repeats nothing: its own, else one made from its
text and how often that text stood before it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec

from deploytrail.cli import shown
from deploytrail.cli.remote import Remote
from deploytrail.errors import CODES, Refused
from deploytrail.facts.draft import builtins
from deploytrail.facts.kinds import body_of

# Lines and bytes of one request; the house takes 100,000 and 64 MiB.
_LINES: Final = 2_000
_BYTES: Final = 8 * 2**20
_MAX_LINE: Final = 2**20
_SHOWN: Final = 10


def one(kind: str, fields: Sequence[str], url: str, token: str | None, json: bool) -> int:
    """Tell one fact made of KEY=VALUE fields."""
    fact = {"kind": kind, **_fitting(kind, _fields(fields))}
    with Remote(url, token) as house:
        answer = house.post("/api/v1/facts", msgspec.json.encode(fact), "application/json").json()
    if json:
        shown.as_json(answer)
    else:
        again = " already" if answer.get("repeat") else ""
        click.echo(f"Entry {answer['index']:,} holds it{again}.")
    return 0


def lines(stream: BinaryIO, url: str, token: str | None, json: bool) -> int:
    """Tell every line of a stream."""
    telling = _Telling(json)
    with Remote(url, token) as house:
        for batch in _batches(stream):
            telling.tell(house, batch)
    return telling.end()


def file(path: Path, url: str, token: str | None, json: bool) -> int:
    """Tell every line of a file, with a progress bar. Begun again, it finds what was told before."""
    total, done = path.stat().st_size, 0
    bar = shown.Bar(f"importing {path.name}", not json)
    telling = _Telling(json)
    try:
        with Remote(url, token) as house, path.open("rb") as stream:
            for batch in _batches(stream):
                telling.tell(house, batch)
                done = stream.tell()
                bar(done, total)
    except Refused as refusal:
        bar.end()
        if telling.told:
            words = f"{refusal.words} {telling.told:,} lines were told; run the same command to go on."
            raise Refused(refusal.code, words) from None
        raise
    bar.end()
    return telling.end()


class _Telling:
    """Counts what became of lines, and shows what was refused."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self._seen: Counter[bytes] = Counter()
        self.told = self.repeats = self.refused = 0
        self._status = 0

    def tell(self, house: Remote, batch: Sequence[tuple[int, bytes]]) -> None:
        """Tell one batch of numbered lines."""
        body = b"\n".join(self._named(line) for _, line in batch)
        answer = house.post("/api/v1/facts", body, "application/x-ndjson")
        said = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        if len(said) != len(batch):
            raise Refused("unavailable", f"The house answered {len(said)} of {len(batch)} lines.")
        for (number, _), each in zip(batch, said, strict=True):
            self._count(number, each)

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

    def _count(self, number: int, said: dict[str, Any]) -> None:
        if "index" in said:
            self.told += 1
            self.repeats += bool(said.get("repeat"))
            return
        self.refused += 1
        code = said.get("code")
        self._status = max(self._status, CODES[code].exit if code in CODES else 3)
        if self.refused <= _SHOWN:
            click.echo(f"line {number}: {shown.plain(said.get('detail', 'refused'))}", err=True)

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
        named = b'{"id":"line-%s-%d"' % (digest[:16].hex().encode(), self._seen[digest])
        fact.pop("id", None)
        # Put in by hand: every other byte stays as its sender wrote it.
        return named + b"," + line[1:] if fact else named + b"}"


def _batches(stream: BinaryIO) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines that are not empty, in batches for one request each."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in _numbered(stream):
        batch.append((number, line))
        size += len(line)
        if len(batch) == _LINES or size > _BYTES:
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
    type_ = body_of(kind)
    known = {name: value for name, value in fields.items() if type_ and name in type_.__struct_fields__}
    try:
        return {**fields, **builtins(msgspec.convert(known, type_, strict=False))} if type_ else fields
    except msgspec.ValidationError:
        return fields


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
