"""The trail: one row for each entry, in the order of the log, and the names that its filters offer."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections import words
from deploytrail.projections.deployments import standing
from deploytrail.projections.reading import actor_of, person, text, texts
from deploytrail.projections.tables import Rows, Table

# Who did it, where the source names nobody as the one who spoke.
_DOERS: Final = ("creator", "reviewer", "merged_by", "approver", "requestor", "pusher", "person")
_ROUGHLY: Final = 64
# What takes names away.
_FORGETTING: Final = frozenset({"subject.erased", "service.declared", "environment.declared"})
# What a filter can be set to.
LISTS: Final = ("service", "environment", "actor", "kind")


class TrailEntry(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What the filters ask by. `report` is the first entry of the deployment's report it belongs to."""

    index: int
    kind: str
    mark: str
    service: str | None = None
    environment: str | None = None
    actor: str | None = None
    outcome: str | None = None
    report: int | None = None


class Option(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A name that a filter offers, and about the newest entry that has it."""

    sort: str
    name: str
    last: int


TRAIL: Final = Table(
    "trail",
    TrailEntry,
    ("index",),
    tuple((column, "index") for column in ("service", "environment", "actor", "kind", "outcome")),
    words=("kind", "mark", "service", "environment", "actor", "outcome"),
)
OPTIONS: Final = Table("option", Option, ("sort", "name"), (("sort", "last"),))


class Trail:
    """The projection of the trail."""

    name = "trail"
    kinds: frozenset[str] | None = None
    version = 1
    tables: tuple[Table[Any], ...] = (TRAIL, OPTIONS)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """One row for every entry, whatever its kind."""
        service, environment, report = standing(index, entry, rows)
        actor = actor_of(entry) or doer(entry.data)
        row = TrailEntry(
            index=index,
            kind=entry.kind,
            mark=words.mark(entry.kind, entry.data, actor),
            service=service,
            environment=environment,
            actor=actor,
            outcome=words.outcome(text(entry.data, "outcome")),
            report=report,
        )
        rows.put(TRAIL, row)
        _offer("service", service, index, rows)
        _offer("environment", environment, index, rows)
        _offer("actor", actor, index, rows)
        _offer("kind", entry.kind, index, rows)
        if entry.kind in _FORGETTING:
            _forget(entry, rows)


def _offer(sort: str, name: str | None, index: int, rows: Rows) -> None:
    """Offer a name; how recent it is needs to be right to some entries only."""
    if name is None or index - rows.memo.get((sort, name), -_ROUGHLY) < _ROUGHLY:
        return
    known = rows.get(OPTIONS, sort, name)
    if known is None or index - known.last >= _ROUGHLY:
        known = Option(sort, name, index)
        rows.put(OPTIONS, known)
    rows.memo[sort, name] = known.last


def doer(data: dict[str, Any]) -> str | None:
    """The person in a fact's data who did it."""
    return next((found for name in _DOERS if (found := person(data, name))), None)


def _forget(entry: Entry, rows: Rows) -> None:
    """Names that a declaration or an erasure took away are offered no more."""
    if entry.kind == "subject.erased" and (subject := text(entry.data, "subject")):
        _drop("actor", subject, rows)
    sort = entry.kind.removesuffix(".declared")
    if sort != entry.kind:
        for told in set(texts(entry.data, "aliases")) - {text(entry.data, sort)}:
            _drop(sort, told, rows)


def _drop(sort: str, name: str, rows: Rows) -> None:
    rows.drop(OPTIONS, sort, name)
    rows.memo.pop((sort, name), None)
