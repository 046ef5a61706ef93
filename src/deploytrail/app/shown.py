"""What pages show of entries: clear fields, sealed texts opened, and persons by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from deploytrail.app.disclose import Disclosing
from deploytrail.app.ports import Derived, Log, Row
from deploytrail.app.views import Who
from deploytrail.errors import Refused
from deploytrail.facts.entry import Entry, read
from deploytrail.projections.people import PEOPLE

_NAMES: Final = ("login", "name", "email")
_LONGEST: Final = 500


class Shown(msgspec.Struct, frozen=True):
    """One entry, opened. `texts` maps full paths ("data.title") to values; `true`: its leaf is its hash."""

    index: int
    entry: Entry
    leaf: bytes
    body: bytes
    texts: dict[str, Any]
    true: bool

    def text(self, name: str) -> str | None:
        """The sealed or clear text at a path within the data."""
        found = self.texts.get(f"data.{name}")
        if found is None:
            found = self.entry.data.get(name)
        return found if isinstance(found, str) else None


class Opener:
    """Reads entries for pages."""

    def __init__(self, log: Log, derived: Derived, disclose: Disclosing) -> None:
        self._log, self._derived, self._disclose = log, derived, disclose

    def entries(self, indices: Iterable[int]) -> dict[int, Shown]:
        """The entries that exist and can be read, opened as far as they may be."""
        rows = self._log.at(indices)
        bodies = {row.index: row.body for row in rows}
        texts = self._disclose.texts(bodies, bodies)
        found = (self._shown(row, texts.get(row.index, {})) for row in rows)
        return {shown.index: shown for shown in found if shown is not None}

    def people(self, subjects: Iterable[str]) -> dict[str, Who]:
        """Persons by subject id, as they were named last."""
        found: dict[str, Who] = {}
        named: list[tuple[str, int]] = []
        bots: dict[str, bool] = {}
        for subject in set(subjects):
            row = self._derived.get(PEOPLE, subject)
            bots[subject] = row is not None and row.bot
            if row is not None and row.named is not None:
                named.append((subject, row.named))
            else:
                found[subject] = Who(id=subject, erased=row is not None and row.erased is not None)
        found |= self._disclose.names(named)
        return {
            subject: msgspec.structs.replace(who, bot=bots[subject]) if bots[subject] else who
            for subject, who in found.items()
        }

    def about(self, subject: str, below: int | None, limit: int) -> list[int]:
        """The entries about a subject key, newest first, below an index."""
        return self._log.touched(subject, before=below, limit=limit)

    def own(self, subject: str, indices: Iterable[int]) -> list[tuple[Shown, dict[str, Any]]]:
        """The entries that can be read, newest first, with what each sealed under this subject's key."""
        rows = {row.index: row for row in self._log.at(indices)}
        texts = self._disclose.own(subject, {index: row.body for index, row in rows.items()})
        found = (self._shown(rows[index], texts.get(index, {})) for index in sorted(rows, reverse=True))
        return [(shown, shown.texts) for shown in found if shown is not None]

    @staticmethod
    def _shown(row: Row, texts: dict[str, Any]) -> Shown | None:
        try:
            entry = read(row.body)
        except Refused:
            return None
        true = hashlib.sha256(b"\0" + row.body).digest() == row.leaf
        return Shown(row.index, entry, row.leaf, row.body, texts, true)


def fields(data: dict[str, Any]) -> dict[str, Any]:
    """The clear fields of a fact's data, without what is sealed and without persons."""
    return {name: clear for name, value in data.items() if (clear := _clear(value)) is not None}


def _clear(value: Any) -> Any:
    if isinstance(value, dict):
        return None if _sealed(value) or _person(value) else fields(value)
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and _person(value[0]):
            return None
        return [clear for item in value if (clear := _clear(item)) is not None]
    return value


def texts(shown: Shown) -> dict[str, str]:
    """The opened texts by path within the data, without the names of persons."""
    return {
        path.removeprefix("data."): value
        for path, value in shown.texts.items()
        if path.startswith("data.") and isinstance(value, str) and path.rpartition(".")[2] not in _NAMES
    }


def persons(data: dict[str, Any]) -> dict[str, str]:
    """The persons of a fact's own fields: field, or field and place, to subject id."""
    found: dict[str, str] = {}
    for name, value in data.items():
        if isinstance(value, dict) and _person(value):
            found[name] = value["id"]
        elif isinstance(value, list):
            for place, item in enumerate(value[:_LONGEST]):
                if isinstance(item, dict) and _person(item):
                    found[f"{name}.{place}"] = item["id"]
    return found


def _sealed(value: dict[str, Any]) -> bool:
    return set(value) == {"c"}


def _person(value: dict[str, Any]) -> bool:
    subject = value.get("id")
    return isinstance(subject, str) and subject.startswith("s_")
