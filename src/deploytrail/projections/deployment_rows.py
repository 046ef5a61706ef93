"""The rows of deployments: reports as sources told them, and what all reports together say."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.join import SHORTEST_SHA, Side, same_commit
from deploytrail.projections.reading import (
    MAX_COMMITS,
    items,
    person,
    repository,
    sha,
    text,
    whole,
)
from deploytrail.projections.tables import Table
from deploytrail.projections.words import WAITING, outcome

TYPES: Final = frozenset({"forward", "rollback", "redeploy", "hotfix", "config"})
# Strongest first.
_STRENGTH: Final = ("signed", "authenticated", "asserted", "unknown")
# What one report says ended badly did not succeed, whatever another says.
_WORST: Final = ("failed", "cancelled")


class Report(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one source told about one deployment, by the name it gave; `first` and `last` are entries.

    `finished` is the entry that ended it, `url` the one that holds the newest sealed URL. Times are UTC
    milliseconds; `commits` are (repository, sha). `apart`: an administrator separated it.
    """

    source: str
    name: str
    first: int
    last: int
    first_at: int
    last_at: int
    because: str = ""
    apart: bool = False
    started_at: int | None = None
    finished_at: int | None = None
    finished: int | None = None
    status: str = "running"
    status_at: int = 0
    outcome: str | None = None
    type: str | None = None
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    commits: list[tuple[str | None, str]] = []
    actor: str | None = None
    attribution: str = "unknown"
    bot: bool = False
    duration_ms: int | None = None
    url: int | None = None


class Deployment(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One attempt, from all its reports. `key` is the first entry of the report that founded it, as text.

    `position` and `index` order successes: when it ended (else its last news), and the entry that says so.
    `type` is told or derived; `told_type` only told.
    """

    key: str
    service: str
    environment: str
    status: str
    type: str
    attribution: str
    position: int
    index: int
    first_at: int
    first: int
    reports: list[Report]
    told_type: str | None = None
    outcome: str | None = None
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    actor: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    duration_ms: int | None = None
    replaced: str | None = None
    replaced_by: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended, and nobody reports that it ended badly."""
        return self.status == "succeeded"

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among others: by time, then by entry."""
        return self.position, self.index


class Joined(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A report, by its first entry as text, that is part of a deployment with another key."""

    report: str
    deployment: str


class Known(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a place knows by one name of a deployment, digest, commit or version; `key` as `known_key` has it.

    `reports` are those that said it, as (source, first entry), oldest first; `ran` the earliest successes of
    it, as (ended at, entry, deployment). Two things may share a key: whoever follows it looks again.
    """

    key: int
    reports: list[tuple[str, int]] = []
    ran: list[tuple[int, int, str]] = []


class Step(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One more entry of a report's timeline, after the first."""

    report: int
    index: int


DEPLOYMENTS: Final = Table(
    "deployment",
    Deployment,
    ("key",),
    (("position", "index"), ("service", "environment", "position", "index")),
)
JOINED: Final = Table("joined", Joined, ("report",))
# One table for all that is looked up by what was said, under short keys: random keys cost a page each.
KNOWN: Final = Table("known", Known, ("key",))
STEPS: Final = Table("step", Step, ("report", "index"))


# The same fact asks for its keys several times.
@lru_cache(maxsize=8192)
def known_key(environment: str, service: str, what: str) -> int:
    """Where a place keeps what it knows by `what`: eight bytes of a hash, as a signed integer."""
    told = "\0".join((environment, service, what)).encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big", signed=True)


def by_name(name: str) -> str:
    """What a deployment's told name is known by."""
    return f"name:{name}"


def by_digest(digest: str) -> str:
    """What an artifact is known by."""
    return f"artifact:{digest}"


def by_commit(name: str) -> str:
    """What a commit is known by: as much of its name as the shortest that agrees with it."""
    return f"commit:{name[:SHORTEST_SHA]}"


def by_version(version: str) -> str:
    """What a version is known by."""
    return f"version:{version}"


def begun(index: int, entry: Entry, name: str, at: int) -> Report:
    """A new report, with nothing in it yet but its name and time."""
    return Report(source=entry.source, name=name, first=index, last=index, first_at=at, last_at=at)


def extended(report: Report, index: int, entry: Entry, at: int) -> Report:
    """The report with one more fact in it, which happened `at` (UTC ms), in whatever order facts come."""
    data = entry.data
    found = _fields(report, data)
    found |= _person(report, entry)
    found |= _progress(report, index, entry.kind, data, at)
    if "url" in data:
        found["url"] = index
    return msgspec.structs.replace(
        report,
        last=index,
        first_at=min(report.first_at, at),
        last_at=max(report.last_at, at),
        **found,
    )


def _fields(report: Report, data: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ("version", "artifact"):
        if value := text(data, name):
            found[name] = value
    where = repository(text(data, "repository"))
    if where:
        found["repository"] = where
    told = (text(data, "type") or "").lower()
    if told in TYPES:
        found["type"] = told
    commits = [
        (repository(text(item, "repository")) or where, commit)
        for item in items(data, "commits")[:MAX_COMMITS]
        if (commit := sha(item, "sha"))
    ]
    if commits and commits != report.commits:
        found["commits"] = commits
    return found


def _person(report: Report, entry: Entry) -> dict[str, object]:
    """Who deployed: the strongest attribution, then a human being, then who was told first."""
    actor, attribution = person({"actor": entry.actor}, "actor"), entry.attribution
    bot = bool(entry.actor and entry.actor.get("bot"))
    if actor is None and (actor := person(entry.data, "creator")):
        attribution, bot = "asserted", bool(entry.data["creator"].get("bot"))
    if actor is None:
        return {}
    if report.actor is not None and _rank(attribution, bot) >= _rank(report.attribution, report.bot):
        return {}
    return {"actor": actor, "attribution": attribution, "bot": bot}


def _rank(attribution: str, bot: bool) -> tuple[int, bool]:
    strength = _STRENGTH.index(attribution) if attribution in _STRENGTH else len(_STRENGTH)
    return strength, bot


def _progress(report: Report, index: int, kind: str, data: dict[str, object], at: int) -> dict[str, object]:
    found: dict[str, object] = {}
    if kind == "deployment.started" and (report.started_at is None or at < report.started_at):
        found["started_at"] = at
    if kind == "deployment.finished":
        if report.finished_at is None or at >= report.finished_at:
            found |= {"finished_at": at, "finished": index, "outcome": outcome(text(data, "outcome"))}
            if (took := whole(data, "duration_ms")) is not None:
                found["duration_ms"] = took
    elif at >= report.status_at:
        waits = (text(data, "status") or "").lower() in WAITING
        found |= {"status": "waiting" if waits else "running", "status_at": at}
    return found


def side(report: Report, service: str, environment: str) -> Side:
    """What the rule of joining looks at. News after the end do not stretch a report."""
    end = report.last_at if report.finished_at is None else report.finished_at
    return Side(
        source=report.source,
        name=report.name,
        service=service,
        environment=environment,
        start=report.first_at,
        end=max(end, report.first_at),
        digest=report.artifact,
        commits=tuple(name for _, name in report.commits),
        apart=report.apart,
    )


class Identity(NamedTuple):
    """What was made to run, as far as it is told."""

    artifact: str | None
    sha: str | None
    version: str | None


def same(one: Deployment, other: Deployment) -> bool:
    """Whether two deployments made the same thing run."""
    if one.artifact is not None and other.artifact is not None:
        return one.artifact == other.artifact
    if one.sha is not None and other.sha is not None:
        return same_commit(one.sha, other.sha)
    return one.version is not None and one.version == other.version


def identity(row: Deployment) -> Identity:
    """What this deployment made run."""
    return Identity(row.artifact, row.sha, row.version)


def summed(key: str, service: str, environment: str, reports: list[Report]) -> Deployment:
    """The deployment of its reports, not yet compared with what ran before."""
    ended = _ended(reports)
    status = ended.outcome if ended else _unended(reports)
    actor = min((r for r in reports if r.actor), key=lambda r: _rank(r.attribution, r.bot), default=None)
    commits = next((r.commits for r in reports if r.commits), [])
    starts = [r.started_at for r in reports if r.started_at is not None]
    started_at = min(starts) if starts else None
    finished_at = ended.finished_at if ended else None
    last = max(reports, key=lambda r: (r.last_at, r.last))
    return Deployment(
        key=key,
        service=service,
        environment=environment,
        status=status if status in ("succeeded", "failed", "cancelled", "running", "waiting") else "finished",
        type="forward",
        told_type=next((r.type for r in reports if r.type), None),
        attribution=actor.attribution if actor else "unknown",
        position=last.last_at if finished_at is None else finished_at,
        index=ended.finished if ended and ended.finished is not None else last.last,
        first_at=min(r.first_at for r in reports),
        first=min(r.first for r in reports),
        reports=reports,
        outcome=ended.outcome if ended else None,
        version=next((r.version for r in reports if r.version), None),
        artifact=next((r.artifact for r in reports if r.artifact), None),
        repository=commits[0][0] if commits else next((r.repository for r in reports if r.repository), None),
        sha=commits[0][1] if commits else None,
        actor=actor.actor if actor else None,
        started_at=started_at,
        finished_at=finished_at,
        duration_ms=_took(ended, started_at, finished_at),
    )


def _ended(reports: list[Report]) -> Report | None:
    """The report that says how it ended: a bad end counts before a good one, then the latest."""
    finished = [r for r in reports if r.finished_at is not None]
    worst = [r for r in finished if r.outcome in _WORST]
    return max(
        worst or [r for r in finished if r.outcome] or finished,
        key=lambda r: (r.finished_at or 0, r.finished or 0),
        default=None,
    )


def _unended(reports: list[Report]) -> str:
    return "running" if any(r.status == "running" for r in reports) else "waiting"


def _took(ended: Report | None, started_at: int | None, finished_at: int | None) -> int | None:
    if ended and ended.duration_ms is not None:
        return ended.duration_ms
    if started_at is not None and finished_at is not None and finished_at >= started_at:
        return finished_at - started_at
    return None
