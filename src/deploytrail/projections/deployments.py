"""Deployments: what sources report, joined into attempts.

Each report keeps its own state inside its deployment's row, so that joining and separating only move it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections import known, names
from deploytrail.projections.deployment_rows import (
    DEPLOYMENTS,
    JOINED,
    STEPS,
    SUCCESSORS,
    Deployment,
    Joined,
    Report,
    Step,
    begun,
    deployment_of,
    extended,
    said_by,
    side,
    summed,
)
from deploytrail.projections.environments import settle
from deploytrail.projections.join import distance, join
from deploytrail.projections.known import KNOWN, Known, by_name, known_key
from deploytrail.projections.reading import moment, text, whole
from deploytrail.projections.tables import Rows, Table

_KINDS: Final = frozenset({"deployment.started", "deployment.step", "deployment.finished"})
_JOBS: Final = frozenset({"job.started", "job.finished"})
# So many reports one deployment may have.
_REPORTS: Final = 16


class Deployments:
    """The projection of deployments."""

    name = "deployments"
    kinds: frozenset[str] | None = _KINDS | _JOBS | {"reports.separated"}
    version = 3
    tables: tuple[Table[Any], ...] = (DEPLOYMENTS, KNOWN, JOINED, SUCCESSORS, STEPS)

    def foresee(self, start: int, entries: Sequence[Entry], rows: Rows) -> None:
        """Everything that reports are known by, most of which is new, is looked up at once."""
        keys = []
        for index, entry in enumerate(entries, start):
            if entry.kind in _KINDS and (said := _said(index, entry, rows)):
                keys += [(key,) for key in (said.key, *said.joining, *said.versions)]
        rows.foresee(KNOWN, keys)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a report, a job of one, or the separation of one."""
        if entry.kind in _KINDS:
            _report(index, entry, rows)
        elif entry.kind in _JOBS and "deployment" in entry.data:
            _job(index, entry, rows)
        elif entry.kind == "reports.separated":
            _separate(entry.data, rows)


def standing(index: int, entry: Entry, rows: Rows) -> tuple[str | None, str | None, int | None]:
    """Service and environment that the entry at `index` is about, and the report that it belongs to, by its
    first entry, as far as it is about any. Its own fold comes first.
    """
    told = rows.memo.get("report")
    if told is not None and told[0] == index:
        service, environment, report = told[1:]
        return service, environment, report
    service, environment = names.place_in(entry, rows)
    return service, environment, _report_of(entry, service, environment, rows)


def _report_of(entry: Entry, service: str | None, environment: str | None, rows: Rows) -> int | None:
    name = text(entry.data, "deployment")
    if service is None or environment is None or name is None:
        return None
    spots = rows.get(KNOWN, known_key(service, by_name(environment, name)))
    own = _own(spots.of(environment), entry.source, name, rows) if spots else None
    return own[1].first if own else None


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What a fact says of a report by itself: the place, the report's name and fields, and where the service
    keeps what is known by that name, by digest and commits, and by version.
    """

    service: str
    environment: str
    name: str
    fields: dict[str, Any]
    key: int
    joining: list[int]
    versions: list[int]


def _said(index: int, entry: Entry, rows: Rows) -> _Said | None:
    """What the entry at `index` says of a report, worked out once in a unit of work, if it names one."""
    try:
        found: _Said | None = rows.memo[index]
    except KeyError:
        found = rows.memo[index] = _worked_out(entry, rows)
    return found


def _worked_out(entry: Entry, rows: Rows) -> _Said | None:
    service, environment = names.place_in(entry, rows)
    name = text(entry.data, "deployment")
    if service is None or environment is None or name is None:
        return None
    fields = said_by(entry.data)
    return _Said(
        service,
        environment,
        name,
        fields,
        known_key(service, by_name(environment, name)),
        known.joining(fields.get("artifact"), fields.get("commits", ()), service),
        known.versions(fields.get("version"), service),
    )


def _own(told: tuple[int, ...], source: str, name: str, rows: Rows) -> tuple[Deployment, Report] | None:
    """The report of a source under this name, among those that were told, and its deployment."""
    for first in told:
        row = deployment_of(first, rows)
        for report in row.reports if row else ():
            if report.first == first and report.source == source and report.name == name:
                assert row is not None
                return row, report
    return None


def _report(index: int, entry: Entry, rows: Rows) -> None:
    said = _said(index, entry, rows)
    if said is None:
        return
    spots = rows.get(KNOWN, said.key)
    told = spots.of(said.environment) if spots else ()
    own = _own(told, entry.source, said.name, rows) if told else None
    service, environment = said.service, said.environment
    # The trail asks for it next.
    rows.memo["report"] = index, service, environment, own[1].first if own else index
    if own is not None:
        _more(index, entry, said, told, own, rows)
        return
    new = begun(index, entry, said.name, moment(entry), said.fields)
    known.add(index, environment, {said.key: spots}, rows)
    spoken = known.looked_up(said.joining, rows)
    looked = set(told).union(*_alike(spoken.values(), environment))
    found = _home_for(new, service, environment, looked, rows) if looked else None
    known.add(index, environment, spoken, rows)
    known.add(index, environment, known.looked_up(said.versions, rows), rows)
    if found is not None:
        _join(None, new, *found, rows)
    else:
        settle(None, summed(index, service, environment, [new]), rows)


def _more(
    index: int, entry: Entry, said: _Said, told: tuple[int, ...], own: tuple[Deployment, Report], rows: Rows
) -> None:
    """Take in one more fact of a report that is known."""
    before, old = own
    new = extended(old, index, entry, moment(entry), said.fields)
    rows.put(STEPS, Step(new.first, index))
    # A declaration since then may have moved it.
    service, environment = before.service, before.environment
    spoken = known.looked_up(known.joining(new.artifact, new.commits, service), rows)
    told_before = known.joining(old.artifact, old.commits, service)
    gained = {key: spot for key, spot in spoken.items() if key not in told_before}
    versions = known.versions(new.version, service) if new.version != old.version else []
    found = None
    if gained and len(before.reports) == 1:
        looked = set(told).union(*_alike(spoken.values(), environment))
        found = _home_for(new, service, environment, looked, rows)
    known.add(new.first, environment, gained, rows)
    known.add(new.first, environment, known.looked_up(versions, rows), rows)
    if found is not None and found[0].key != before.key:
        _join(before, new, *found, rows)
        return
    others = [new if r.first == new.first else r for r in before.reports]
    settle(before, summed(before.key, service, environment, others), rows)


def _alike(spoken: Iterable[Known | None], environment: str) -> list[tuple[int, ...]]:
    """The reports in an environment that said these things."""
    return [spot.of(environment) for spot in spoken if spot is not None]


def _home_for(
    report: Report, service: str, environment: str, looked: set[int], rows: Rows
) -> tuple[Deployment, str] | None:
    """The deployment among those of some reports that a report is about, and why: of several the nearest in
    time, then the oldest.
    """
    looked.discard(report.first)
    if not looked:
        return None
    mine = side(report, service, environment)
    best: tuple[int, int, Deployment, str] | None = None
    others = {row.key: row for first in looked if (row := deployment_of(first, rows))}
    for _, row in sorted(others.items()):
        if len(row.reports) >= _REPORTS or any(r.first == report.first for r in row.reports):
            continue
        theirs = [side(other, row.service, row.environment) for other in row.reports]
        why = join(mine, theirs)
        if why is None:
            continue
        rank = (min(distance(mine, other) for other in theirs), row.first)
        if best is None or rank < best[:2]:
            best = (*rank, row, why)
    return (best[2], best[3]) if best else None


def _join(before: Deployment | None, report: Report, into: Deployment, why: str, rows: Rows) -> None:
    """Move a report that stood alone, or is new, into another deployment."""
    if before is not None:
        settle(before, None, rows)
    into = rows.get(DEPLOYMENTS, into.key) or into
    joined = msgspec.structs.replace(report, because=why)
    rows.put(JOINED, Joined(report.first, into.key))
    reports = [*into.reports, joined]
    settle(into, summed(into.key, into.service, into.environment, reports), rows)


def _job(index: int, entry: Entry, rows: Rows) -> None:
    """A job that says for which deployment it runs stands in that deployment's timeline."""
    report = _report_of(entry, *names.place_in(entry, rows), rows)
    if report is not None:
        rows.put(STEPS, Step(report, index))


def _separate(data: dict[str, Any], rows: Rows) -> None:
    """Undo one joining: the report stands alone from now on, under its own key, and is never joined again."""
    first, told = whole(data, "index"), text(data, "deployment")
    if first is None or told is None or not told.isdecimal():
        return
    row = deployment_of(int(told[:18]), rows)
    leaving = next((r for r in row.reports if r.first == first), None) if row else None
    if row is None or leaving is None or len(row.reports) == 1:
        return
    others = [r for r in row.reports if r.first != first]
    settle(row, None, rows)
    rows.drop(JOINED, first)
    key = row.key if row.key != first else others[0].first
    for other in others:
        if other.first == key:
            rows.drop(JOINED, key)
        else:
            rows.put(JOINED, Joined(other.first, key))
    alone = msgspec.structs.replace(leaving, apart=True, because="an administrator separated it")
    settle(None, summed(first, row.service, row.environment, [alone]), rows)
    settle(None, summed(key, row.service, row.environment, others), rows)
