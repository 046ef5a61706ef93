"""Pages of the trail: which entries match, newest first, and what each line shows.

Every page is served by one index in the order of the log. With several filters the rarest leads and the
others are looked at in its rows, in steps of a fixed size: after so many steps the page ends, and "older"
goes on where it stopped.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, cast

from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener, Shown, fields, persons, texts
from deploytrail.app.spelling import options, spellings
from deploytrail.app.views import Filter, Mark, Proof, TrailPage, TrailRow, Who
from deploytrail.projections.deployment_rows import DEPLOYMENTS, Deployment, home
from deploytrail.projections.names import environment_of, service_named
from deploytrail.projections.reading import milliseconds
from deploytrail.projections.trail import TRAIL, TrailEntry

_FILTERS: Final = ("actor", "service", "outcome", "kind", "environment")
_STEP: Final = 500
_STEPS: Final = 20
MAX_PAGE: Final = 1_000
_LIVE: Final = ("running", "waiting")


class Trails:
    """Reads pages of the trail."""

    def __init__(self, derived: Derived, opener: Opener) -> None:
        self._derived, self._opener = derived, opener

    def page(
        self, wanted: Filter, below: int | None, above: int | None, limit: int, signed: int
    ) -> TrailPage:
        """At most `limit` lines with above < index < below, newest first; `signed` is the published size.

        What filters offer comes with pages that have no lower bound, since only those have a form.
        """
        up_to = self._derived.cursor()
        entries, older = self._matching(wanted, below, above, max(1, min(limit, MAX_PAGE)))
        rows = self._rows(entries, signed)
        if above is not None:
            return TrailPage(rows=rows, up_to=up_to, older=older)
        return TrailPage(
            rows=rows,
            up_to=up_to,
            older=older,
            services=sorted({service_named(name, self._derived) for name in self._options("service")}),
            environments=sorted({environment_of(n, self._derived) for n in self._options("environment")}),
            actors=self._actors(),
            kinds=sorted(self._options("kind")),
        )

    def at(self, indices: Sequence[int], signed: int) -> list[TrailRow]:
        """The lines of these entries, in this order, as far as the projections know them."""
        found = (self._derived.get(TRAIL, index) for index in indices)
        return self._rows([entry for entry in found if entry is not None], signed)

    def _options(self, sort: str) -> list[str]:
        return options(self._derived, sort)

    def done_by(
        self, subject: str, below: int | None, limit: int, signed: int
    ) -> tuple[list[TrailRow], int | None]:
        """What a person did, newest first, and the index to go on below."""
        entries, older = self._matching(Filter(actor=subject), below, None, limit)
        return self._rows(entries, signed), older

    def lines(self, indices: Iterable[int], signed: int) -> list[TrailRow]:
        """The lines of these entries, in this order, as far as they are known here."""
        return self._rows([row for i in indices if (row := self._derived.get(TRAIL, i))], signed)

    def _actors(self) -> list[Who]:
        people = self._opener.people(self._options("actor")).values()
        return sorted(people, key=lambda who: ((who.name or who.login or "~").lower(), who.id))

    # Which entries.

    def _matching(
        self, wanted: Filter, below: int | None, above: int | None, limit: int
    ) -> tuple[list[TrailEntry], int | None]:
        """The entries that match, and the index to go on below, if there may be more."""
        spelled = self._spelled(wanted)
        lead = self._lead(spelled, below, above, limit)
        rest = {column: names for column, names in spelled.items() if column != lead}
        found: list[TrailEntry] = []
        many = limit + 1 if not rest else _STEP
        for _ in range(_STEPS):
            rows, below = self._step(lead, spelled, below, above, many)
            found += (row for row in rows if all(getattr(row, c) in names for c, names in rest.items()))
            if len(found) > limit:
                return found[:limit], found[limit - 1].index
            if below is None:
                return found, None
        return found, below

    def _lead(
        self, spelled: dict[str, list[str]], below: int | None, above: int | None, limit: int
    ) -> str | None:
        """The rarest of the filters: the one whose newest rows reach back furthest."""
        if len(spelled) < 2:
            return next(iter(spelled), None)
        reach = {}
        for column in spelled:
            rows, end = self._step(column, spelled, below, above, limit)
            # One that ends within this page is rarer than any that goes on.
            reach[column] = (end is not None, end or 0, len(rows))
        return min(reach, key=lambda column: reach[column])

    def _step(
        self,
        lead: str | None,
        spelled: dict[str, list[str]],
        below: int | None,
        above: int | None,
        many: int,
    ) -> tuple[list[TrailEntry], int | None]:
        """The next rows of the leading filter, and where to go on below; None at the end."""
        wheres: list[dict[str, str]] = [{lead: name} for name in spelled[lead]] if lead else [{}]
        pages = [
            self._derived.page(TRAIL, where=where, order="index", below=below, above=above, limit=many)
            for where in wheres
        ]
        merged = list(heapq.merge(*pages, key=attrgetter("index"), reverse=True))
        full = [page[-1].index for page in pages if len(page) == many]
        if not full:
            return merged, None
        # Below the highest end of a full page some names may be missing.
        end = max(full)
        return [row for row in merged if row.index >= end], end

    def _spelled(self, wanted: Filter) -> dict[str, list[str]]:
        """Each filter that is set, with every name that means the same, also from before it was declared."""
        found: dict[str, list[str]] = {
            column: [name]
            for column in _FILTERS
            if (name := getattr(wanted, column)) is not None and name != ""
        }
        for sort in ("service", "environment"):
            if sort in found:
                found[sort] = spellings(self._derived, sort, *found[sort])
        return found

    # What each line shows.

    def _rows(self, entries: list[TrailEntry], signed: int) -> list[TrailRow]:
        opened = self._opener.entries(entry.index for entry in entries)
        people = self._opener.people(
            subject for entry in entries for subject in _subjects(entry, opened.get(entry.index))
        )
        known: dict[int, Deployment | None] = {}
        names = _Names(self._derived)
        return [
            self._row(entry, opened[entry.index], people, known, names, signed)
            for entry in entries
            if entry.index in opened
        ]

    def _row(
        self,
        entry: TrailEntry,
        shown: Shown,
        people: dict[str, Who],
        known: dict[int, Deployment | None],
        names: _Names,
        signed: int,
    ) -> TrailRow:
        fact, clear = shown.entry, fields(shown.entry.data)
        deployment = self._deployment(entry.report, known)
        version = clear.get("version")
        told_by = fact.actor is None and entry.actor is not None
        row: dict[str, Any] = {
            "mark": entry.mark,
            "version": version if isinstance(version, str) else None,
            "fields": clear,
        }
        if deployment is not None and fact.kind.startswith("deployment."):
            row |= _as_deployed(entry, deployment, clear, self._replaced(deployment, known))
        return TrailRow(
            index=entry.index,
            kind=entry.kind,
            source=fact.source,
            received_at=milliseconds(fact.received_at) or 0,
            occurred_at=milliseconds(fact.occurred_at),
            actor=people.get(entry.actor) if entry.actor else None,
            # Whom a source names in passing, it only asserts.
            attribution="asserted" if told_by else fact.attribution,
            service=names.service(entry.service),
            environment=names.environment(entry.environment),
            deployment=str(deployment.key) if deployment else None,
            texts=texts(shown),
            people={
                name: people[subject] for name, subject in persons(fact.data).items() if subject in people
            },
            proof=proof_of(shown, signed),
            **row,
        )

    def _deployment(self, report: int | None, known: dict[int, Deployment | None]) -> Deployment | None:
        if report is None:
            return None
        return self._known(report, known) or self._known(home(report, self._derived), known)

    def _replaced(self, row: Deployment, known: dict[int, Deployment | None]) -> str | None:
        replaced = self._known(row.replaced, known) if row.replaced is not None else None
        return label(replaced) if replaced else None

    def _known(self, key: int, known: dict[int, Deployment | None]) -> Deployment | None:
        if key not in known:
            known[key] = self._derived.get(DEPLOYMENTS, key)
        return known[key]


class _Names:
    """What told names mean, each looked up once for a page: most lines are about the same few."""

    def __init__(self, derived: Derived) -> None:
        self._derived = derived
        self._services: dict[str, str] = {}
        self._environments: dict[str, str] = {}

    def service(self, told: str | None) -> str | None:
        """The service that a name means."""
        if told is not None and told not in self._services:
            self._services[told] = service_named(told, self._derived)
        return None if told is None else self._services[told]

    def environment(self, told: str | None) -> str | None:
        """The environment that a name means."""
        if told is not None and told not in self._environments:
            self._environments[told] = environment_of(told, self._derived)
        return None if told is None else self._environments[told]


def _as_deployed(
    entry: TrailEntry, row: Deployment, clear: dict[str, Any], replaced: str | None
) -> dict[str, Any]:
    """What the whole deployment adds to one of its lines: type, version, what it replaced, a truer mark."""
    found: dict[str, Any] = {
        "mark": mark_in(entry.kind, entry.mark, row),
        "fields": {**clear, "type": row.type},
        "version": clear.get("version") or row.version or (row.sha[:7] if row.sha else None),
    }
    if entry.kind != "deployment.step":
        found["replaced"] = replaced
    return found


def mark_in(kind: str, mark: str, row: Deployment) -> Mark:
    """An entry's mark, now that more of its deployment is known: what ended does not turn any more."""
    if kind == "deployment.finished" and mark == "succeeded" and row.type == "rollback":
        return "rolledback"
    if kind == "deployment.started" or mark in _LIVE:
        return cast(Mark, row.status) if row.status in _LIVE else "note"
    return cast(Mark, mark)


def label(row: Deployment) -> str | None:
    """What a deployment made run, in as few signs as tell it apart."""
    if row.version:
        return row.version
    if row.sha:
        return row.sha[:7]
    return row.artifact


def proof_of(shown: Shown, signed: int) -> Proof:
    """How well an entry is proven; "broken" when its bytes are not those of its leaf."""
    if not shown.true:
        return "broken"
    return "signed" if shown.index < signed else "recorded"


def _subjects(entry: TrailEntry, shown: Shown | None) -> set[str]:
    found = set(persons(shown.entry.data).values()) if shown else set()
    return found | {entry.actor} if entry.actor else found
