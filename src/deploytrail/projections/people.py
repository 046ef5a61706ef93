"""Who was named, by subject id only: when first and last, and where their name can be opened.

Nothing is counted: people are never ranked.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import persons, text
from deploytrail.projections.tables import Rows, Table

_NAMES: Final = ("login", "name", "email")


class Person(msgspec.Struct, frozen=True):
    """A data subject. `named` is the newest entry that seals a login or name of theirs; None once erased."""

    subject: str
    first: int
    last: int
    named: int | None = None
    bot: bool = False
    erased: int | None = None


PEOPLE: Final = Table("person", Person, ("subject",))


class People:
    """The projection of people."""

    name = "people"
    version = 1
    tables: tuple[Table[Any], ...] = (PEOPLE,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in everybody that an entry names, or an erasure."""
        for value in (entry.actor, entry.data):
            for subject, person in persons(value):
                _seen(subject, person, index, rows)
        if entry.kind == "subject.erased" and (subject := text(entry.data, "subject") or ""):
            old = rows.get(PEOPLE, subject) or Person(subject, index, index)
            rows.put(PEOPLE, msgspec.structs.replace(old, last=index, named=None, erased=index))


def _seen(subject: str, person: dict[str, Any], index: int, rows: Rows) -> None:
    old = rows.get(PEOPLE, subject)
    # An address alone is shown only when nothing better was ever told.
    better = "login" in person or "name" in person or (old is None and "email" in person)
    rows.put(
        PEOPLE,
        Person(
            subject=subject,
            first=old.first if old else index,
            last=index,
            named=index if better else old.named if old else None,
            bot=person.get("bot") is True or (old is not None and old.bot),
            erased=old.erased if old else None,
        ),
    )
