"""Who was named, by subject id only: when first and last, and where their name can be opened.

Nothing is counted: people are never ranked.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import persons, text
from deploytrail.projections.tables import Rows, Table


class Person(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A data subject. `named` is the newest entry that seals the best there is to show of them: a name, else
    a login, else an address, as `known_by` says; None once erased.
    """

    subject: str
    first: int
    last: int
    named: int | None = None
    known_by: str | None = None
    bot: bool = False
    erased: int | None = None


PEOPLE: Final = Table("person", Person, ("subject",), (("first", "subject"),))


class People:
    """The projection of people."""

    name = "people"
    kinds: frozenset[str] | None = None
    version = 2
    tables: tuple[Table[Any], ...] = (PEOPLE,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in everybody that an entry names, or an erasure."""
        for subject, person in persons([entry.actor, entry.data]):
            _seen(subject, person, index, rows)
        if entry.kind == "subject.erased" and (subject := text(entry.data, "subject") or ""):
            old = rows.get(PEOPLE, subject) or Person(subject, index, index)
            rows.put(
                PEOPLE, msgspec.structs.replace(old, last=index, named=None, known_by=None, erased=index)
            )


# So that a person is not shown under a name here and under a login there.
_RANKS: Final = {"email": 0, "login": 1, "name": 2}


def _seen(subject: str, person: dict[str, Any], index: int, rows: Rows) -> None:
    old = rows.get(PEOPLE, subject) or Person(subject, index, index)
    told = "name" if "name" in person else "login" if "login" in person else None
    if told is None and "email" in person:
        told = "email"
    better = told is not None and (old.known_by is None or _RANKS[told] >= _RANKS[old.known_by])
    rows.put(
        PEOPLE,
        Person(
            subject,
            old.first,
            index,
            index if better else old.named,
            told if better else old.known_by,
            old.bot or person.get("bot") is True,
            old.erased,
        ),
    )
