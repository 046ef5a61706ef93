"""Lists: deployments, changes, services, people. Pages, the API and the terminal ask the same ones.

Every list is served by a key or an index, in steps: no list scans a table, counts or skips rows. A list that
looks at many rows to find few ends early, with a cursor that goes on where it stopped.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Any, Final, TypeVar

import msgspec

from deploytrail.app import keyset
from deploytrail.app.ancestry import repository_of
from deploytrail.app.deployed import mark
from deploytrail.app.keyset import Spot, Text, Whole
from deploytrail.app.places import Places
from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener, Shown
from deploytrail.app.spelling import declared, spellings
from deploytrail.app.trails import label
from deploytrail.app.views import (
    ChangePage,
    ChangeRow,
    DeploymentFilter,
    DeploymentPage,
    DeploymentRow,
    EnvironmentPage,
    EnvironmentView,
    PersonPage,
    PersonRow,
    ServicePage,
    ServiceRow,
)
from deploytrail.errors import Refused
from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.deployment_rows import DEPLOYMENTS, Deployment
from deploytrail.projections.environments import EVERYWHERE, MEMBER_LISTS, PLACES
from deploytrail.projections.names import SERVICES, service_named
from deploytrail.projections.people import PEOPLE, Person
from deploytrail.projections.reading import repository as spelled
from deploytrail.projections.tables import Table
from deploytrail.projections.trail import OPTIONS

S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R", Deployment, Change)

MAX_PAGE: Final = 200
# Rows that one page may look at.
_LOOKED: Final = 5_000
_MEMBERS: Final = 1_000
_STEP: Final = 200

# What a subject id, address, login or name leads to: (subject id, known as).
Whom = Callable[[str], Sequence[tuple[str, Sequence[str]]]]


class Lists:
    """Reads lists. `whom` finds people by a word of theirs."""

    def __init__(self, derived: Derived, opener: Opener, places: Places, whom: Whom) -> None:
        self._derived, self._opener, self._places, self._whom = derived, opener, places, whom

    # Deployments.

    def deployments(self, wanted: DeploymentFilter, cursor: str | None, limit: int) -> DeploymentPage:
        """Deployments that match, newest first by when they ended (else their last news)."""
        place = keyset.read(cursor, Spot)
        rows = self.walk(wanted, place)
        found, last = _page(rows, limit, lambda row: wanted.status in (None, row.status))
        return DeploymentPage(
            deployments=self.rows(found), next=keyset.written(last.place) if last is not None else None
        )

    def walk(self, wanted: DeploymentFilter, below: Spot | None = None) -> Iterator[Deployment]:
        """Rows of deployments by service, environment and time, newest first."""
        if wanted.until is not None:
            end = (wanted.until + 1, -1)
            below = end if below is None else min(below, end)
        above = wanted.since - 1 if wanted.since is not None else None
        streams = [
            keyset.newest(self._derived, DEPLOYMENTS, where, ("position", "index"), below, above)
            for where in self._wheres(wanted.service, wanted.environment)
        ]
        return heapq.merge(*streams, key=lambda row: row.place, reverse=True)

    def _wheres(self, service: str | None, environment: str | None) -> list[dict[str, str | int]]:
        """The places, each served by one index, in which a service or environment may stand."""
        if service is None and environment is None:
            return [{}]
        services = spellings(self._derived, "service", service) if service is not None else []
        environments = spellings(self._derived, "environment", environment) if environment is not None else []
        if service is None:
            services = self._services_in(environments)
        if environment is None:
            environments = self._environments_of(services)
        return [{"service": one, "environment": other} for one, other in product(services, environments)]

    def _services_in(self, environments: list[str]) -> list[str]:
        found: dict[str, None] = {}
        for name in environments:
            where = {"environment": name}
            for place in self._derived.page(
                PLACES, where=where, order="service", descending=False, limit=_MEMBERS
            ):
                found[place.service] = None
        return spellings(self._derived, "service", *found)

    def _environments_of(self, services: list[str]) -> list[str]:
        everywhere = self._derived.get(MEMBER_LISTS, EVERYWHERE)
        found = [
            name
            for name in (everywhere.services if everywhere else ())
            if any(self._derived.get(PLACES, name, service) for service in services)
        ]
        return spellings(self._derived, "environment", *found)

    def rows(self, found: Sequence[Deployment]) -> list[DeploymentRow]:
        """Deployments as lists show them."""
        people = self._opener.people(row.actor for row in found if row.actor)
        return [self._row(row, people) for row in found]

    def _row(self, row: Deployment, people: dict[str, Any]) -> DeploymentRow:
        replaced = self._derived.get(DEPLOYMENTS, row.replaced) if row.replaced is not None else None
        return DeploymentRow(
            key=str(row.key),
            service=declared(self._derived, "service", row.service),
            environment=declared(self._derived, "environment", row.environment),
            mark=mark(row),
            status=row.status,
            type=row.type,
            at=row.position,
            index=row.index,
            version=row.version,
            artifact=row.artifact,
            repository=row.repository,
            sha=row.sha,
            actor=people.get(row.actor) if row.actor else None,
            attribution=row.attribution,
            started_at=row.started_at,
            finished_at=row.finished_at,
            duration_ms=row.duration_ms,
            replaced_version=label(replaced) if replaced else None,
        )

    # Changes.

    def changes(
        self, repository: str | None, state: str | None, cursor: str | None, limit: int
    ) -> ChangePage:
        """Changes, newest first: by the entry that told them first, within one repository by number."""
        where: dict[str, str | int] = {}
        order = "first"
        if repository is not None:
            heard = repository_of(self._derived, spelled(repository) or repository)[0]
            where, order = {"repository": heard}, "number"
        below = keyset.read(cursor, Whole)
        rows = _by_one(self._derived, CHANGES, where, order, below)
        found, last = _page(rows, limit, lambda row: state in (None, row.state))
        return ChangePage(
            changes=self.change_rows(found),
            next=keyset.written(getattr(last, order)) if last is not None else None,
        )

    def change_rows(self, found: Sequence[Change]) -> list[ChangeRow]:
        """Changes as lists show them."""
        opened = self._opener.entries(row.titled for row in found if row.titled is not None)
        people = self._opener.people(
            who for row in found for who in (row.author, row.merged_by, *row.approvers()) if who
        )
        return [
            ChangeRow(
                repository=row.repository,
                number=row.number,
                state=row.state,
                index=row.first,
                title=_title(row, opened),
                author=people.get(row.author or ""),
                reviewers=[people[who] for who in row.approvers() if who in people],
                merged_by=people.get(row.merged_by or ""),
                merged_at=row.merged_at,
                sha=row.sha,
                head=row.head,
            )
            for row in found
        ]

    # Services, environments and people.

    def services(self, cursor: str | None, limit: int) -> ServicePage:
        """Declared services and those that were only told of, by name."""
        after = keyset.read(cursor, Text)
        names = heapq.merge(self._declared(after), self._seen(after))
        found: list[str] = []
        for name in names:
            if (not found or name != found[-1]) and service_named(name, self._derived) == name:
                found.append(name)
            if len(found) > limit:
                break
        shown = found[:limit]
        return ServicePage(
            services=[self._service(name) for name in shown],
            next=keyset.written(shown[-1]) if len(found) > limit else None,
        )

    def _declared(self, after: str | None) -> Iterator[str]:
        return (row.service for row in _by_name(self._derived, SERVICES, {}, "service", after))

    def _seen(self, after: str | None) -> Iterator[str]:
        where = {"sort": "service"}
        return (row.name for row in _by_name(self._derived, OPTIONS, where, "name", after))

    def _service(self, name: str) -> ServiceRow:
        row = self._derived.get(SERVICES, name)
        if row is None:
            return ServiceRow(name=name)
        return ServiceRow(
            name=name, declared=True, owner=row.owner, repositories=row.repositories, aliases=row.aliases
        )

    def environments(self, cursor: str | None, limit: int) -> EnvironmentPage:
        """What runs where, in the order of the page of environments."""
        after = keyset.read(cursor, Text)
        views: list[EnvironmentView] = self._places.views()
        names = [view.name for view in views]
        if after is not None and after not in names:
            raise Refused("bad-input", 'The environment of this "cursor" is gone. Begin again without one.')
        begin = names.index(after) + 1 if after is not None else 0
        shown = views[begin : begin + limit]
        more = begin + limit < len(views)
        return EnvironmentPage(environments=shown, next=keyset.written(shown[-1].name) if more else None)

    def people(self, word: str | None, cursor: str | None, limit: int) -> PersonPage:
        """People, the newest known first; with a word, only those whom it names exactly."""
        if word is not None:
            known = dict(self._whom(word))
            rows = [row for subject in known if (row := self._derived.get(PEOPLE, subject))]
            return PersonPage(people=self._people(rows, known))
        place = keyset.read(cursor, tuple[Whole, Text])
        walk = keyset.newest(self._derived, PEOPLE, {}, ("first", "subject"), place)
        found = list(islice(walk, limit + 1))
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        return PersonPage(
            people=self._people(shown, {}), next=keyset.written((last.first, last.subject)) if last else None
        )

    def _people(self, rows: Iterable[Person], known: dict[str, Sequence[str]]) -> list[PersonRow]:
        found = list(rows)
        people = self._opener.people(row.subject for row in found)
        return [
            PersonRow(
                id=row.subject,
                index=row.first,
                name=who.name,
                login=who.login,
                bot=who.bot,
                erased=who.erased,
                known_as=list(known.get(row.subject, ())),
            )
            for row in found
            if (who := people.get(row.subject))
        ]


def _title(row: Change, opened: dict[int, Shown]) -> str | None:
    shown = opened.get(row.titled) if row.titled is not None else None
    return shown.text("title") if shown is not None else None


def _page(rows: Iterator[R], limit: int, fits: Callable[[R], bool]) -> tuple[list[R], R | None]:
    """At most `limit` rows that fit, and the row to go on below; None at the end."""
    found: list[R] = []
    before: R | None = None
    for looked, row in enumerate(rows):
        if looked == _LOOKED or len(found) == limit:
            return found, before
        if fits(row):
            found.append(row)
        before = row
    return found, None


def _by_one(
    derived: Derived,
    table: Table[S],
    where: dict[str, str | int],
    order: str,
    below: int | None,
) -> Iterator[S]:
    """Rows newest first by one column that is never twice the same."""
    while True:
        rows = derived.page(table, where=where, order=order, below=below, limit=_STEP)
        yield from rows
        if len(rows) < _STEP:
            return
        below = getattr(rows[-1], order)


def _by_name(
    derived: Derived,
    table: Table[S],
    where: dict[str, str],
    order: str,
    above: str | None,
) -> Iterator[S]:
    while True:
        rows = derived.page(table, where=where, order=order, descending=False, above=above, limit=_STEP)
        yield from rows
        if len(rows) < _STEP:
            return
        above = getattr(rows[-1], order)
