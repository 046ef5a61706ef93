"""Deployments: what sources report, joined into attempts.

Each report keeps its own state inside its deployment's row, so that joining and separating only move it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections import names
from deploytrail.projections.deployment_rows import (
    DEPLOYMENTS,
    JOINED,
    KNOWN,
    STEPS,
    Deployment,
    Joined,
    Known,
    Report,
    Step,
    begun,
    by_commit,
    by_digest,
    by_name,
    by_version,
    extended,
    known_key,
    side,
    summed,
)
from deploytrail.projections.environments import settle
from deploytrail.projections.join import distance, join
from deploytrail.projections.reading import items, moment, sha, text, whole
from deploytrail.projections.tables import Readable, Rows, Table

_KINDS: Final = frozenset({"deployment.started", "deployment.step", "deployment.finished"})
_JOBS: Final = frozenset({"job.started", "job.finished"})
# Reports that are looked at when a new one comes, and that one deployment may have.
_CANDIDATES: Final = 8
_REPORTS: Final = 16


class Deployments:
    """The projection of deployments."""

    name = "deployments"
    version = 2
    tables: tuple[Table[Any], ...] = (DEPLOYMENTS, KNOWN, JOINED, STEPS)

    def foresee(self, entries: Iterable[Entry], rows: Rows) -> None:
        """Everything that reports are known by, most of which is new, is looked up at once."""
        keys = [key for entry in entries if entry.kind in _KINDS for key in _keys(entry, rows)]
        rows.foresee(KNOWN, [(key,) for key in keys])

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a report, a job of one, or the separation of one."""
        if entry.kind in _KINDS:
            _report(index, entry, rows)
        elif entry.kind in _JOBS and "deployment" in entry.data:
            _job(index, entry, rows)
        elif entry.kind == "reports.separated":
            _separate(entry.data, rows)


def home(report: int, rows: Readable) -> str:
    """The key of the deployment that a report, by its first entry, is part of."""
    joined = rows.get(JOINED, str(report))
    return joined.deployment if joined else str(report)


def report_of(entry: Entry, service: str | None, environment: str | None, rows: Rows) -> int | None:
    """The report that an entry about this place belongs to, by its first entry, if it is about one."""
    name = text(entry.data, "deployment")
    if service is None or environment is None or name is None:
        return None
    told = rows.get(KNOWN, known_key(environment, service, by_name(name)))
    return _first(told, entry.source) if told else None


def _keys(entry: Entry, rows: Rows) -> list[int]:
    """What a fold of this report is going to look up."""
    service, environment = names.place_of(entry, rows)
    data = entry.data
    if service is None or environment is None:
        return []
    whats = [by_name(text(data, "deployment") or "")]
    if digest := text(data, "artifact"):
        whats.append(by_digest(digest))
    if version := text(data, "version"):
        whats.append(by_version(version))
    whats += {by_commit(name) for item in items(data, "commits") if (name := sha(item, "sha"))}
    return [known_key(environment, service, what) for what in whats]


def _first(told: Known, source: str) -> int | None:
    """The report of a source, by its first entry."""
    return next((first for teller, first in told.reports if teller == source), None)


def _report(index: int, entry: Entry, rows: Rows) -> None:
    service, environment = names.place_of(entry, rows)
    name = text(entry.data, "deployment")
    if service is None or environment is None or name is None:
        return
    key = known_key(environment, service, by_name(name))
    told = rows.get(KNOWN, key) or Known(key)
    first = _first(told, entry.source)
    before = rows.get(DEPLOYMENTS, home(first, rows)) if first is not None else None
    old = next((r for r in before.reports if (r.first, r.name) == (first, name)), None) if before else None
    if old is None:
        before = None
    at = moment(entry)
    new = extended(old or begun(index, entry, name, at), index, entry, at)
    if index != new.first:
        rows.put(STEPS, Step(new.first, index))
    if old is None:
        others_told = [pair for pair in told.reports if pair[0] != entry.source]
        rows.put(KNOWN, Known(key, [*others_told, (entry.source, new.first)][-_REPORTS:], told.ran))
    if before is not None:
        # A declaration since then may have moved it.
        service, environment = before.service, before.environment
    gained = _known(new) - (_known(old) if old else set())
    if before is None or (gained and len(before.reports) == 1):
        found = _home_for(new, service, environment, told, rows)
        if found is not None and found[0].key != (before.key if before else None):
            _join(before, new, *found, rows)
            _offer(gained, new, service, environment, rows)
            return
    _offer(gained, new, service, environment, rows)
    others = [new if r.first == new.first else r for r in before.reports] if before else [new]
    settle(before, summed(before.key if before else str(new.first), service, environment, others), rows)


def _known(report: Report) -> set[str]:
    """What a report says that others may say too."""
    found = {by_commit(name) for _, name in report.commits}
    if report.artifact:
        found.add(by_digest(report.artifact))
    return found


def _offer(gained: set[str], report: Report, service: str, environment: str, rows: Rows) -> None:
    """Let later reports find this one."""
    for what in sorted(gained):
        key = known_key(environment, service, what)
        known = rows.get(KNOWN, key) or Known(key)
        others = [pair for pair in known.reports if pair[1] != report.first]
        mine = (report.source, report.first)
        rows.put(KNOWN, Known(key, [*others, mine][-_CANDIDATES:], known.ran))


def _home_for(
    report: Report, service: str, environment: str, told: Known, rows: Rows
) -> tuple[Deployment, str] | None:
    """The deployment that a report is about, and why: of several the nearest in time, then the oldest."""
    looked = {first for _, first in told.reports}
    for what in sorted(_known(report)):
        known = rows.get(KNOWN, known_key(environment, service, what))
        looked.update(first for _, first in (known.reports if known else ()))
    looked.discard(report.first)
    if not looked:
        return None
    mine = side(report, service, environment)
    best: tuple[int, int, Deployment, str] | None = None
    for key in sorted({home(first, rows) for first in looked}):
        row = rows.get(DEPLOYMENTS, key)
        if row is None or len(row.reports) >= _REPORTS or any(r.first == report.first for r in row.reports):
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
    rows.put(JOINED, Joined(str(report.first), into.key))
    reports = [*into.reports, joined]
    settle(into, summed(into.key, into.service, into.environment, reports), rows)


def _job(index: int, entry: Entry, rows: Rows) -> None:
    """A job that says for which deployment it runs stands in that deployment's timeline."""
    report = report_of(entry, *names.place_of(entry, rows), rows)
    if report is not None:
        rows.put(STEPS, Step(report, index))


def _separate(data: dict[str, Any], rows: Rows) -> None:
    """Undo one joining: the report stands alone from now on, under its own key, and is never joined again."""
    first, told = whole(data, "index"), text(data, "deployment")
    if first is None or told is None or not told.isdecimal():
        return
    row = rows.get(DEPLOYMENTS, home(int(told[:18]), rows))
    leaving = next((r for r in row.reports if r.first == first), None) if row else None
    if row is None or leaving is None or len(row.reports) == 1:
        return
    others = [r for r in row.reports if r.first != first]
    settle(row, None, rows)
    rows.drop(JOINED, str(first))
    key = row.key if row.key != str(first) else str(others[0].first)
    for other in others:
        if str(other.first) == key:
            rows.drop(JOINED, key)
        else:
            rows.put(JOINED, Joined(str(other.first), key))
    alone = msgspec.structs.replace(leaving, apart=True, because="an administrator separated it")
    settle(None, summed(str(first), row.service, row.environment, [alone]), rows)
    settle(None, summed(key, row.service, row.environment, others), rows)
