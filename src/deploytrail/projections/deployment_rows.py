"""The rows of deployments: reports as sources told them, and what all reports together say."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.join import Side, same_commit
from deploytrail.projections.reading import (
    MAX_COMMITS,
    actor_of,
    items,
    person,
    repository,
    sha,
    text,
    whole,
)
from deploytrail.projections.tables import Kept, Readable, Table
from deploytrail.projections.words import WAITING, outcome

TYPES: Final = frozenset({"forward", "rollback", "redeploy", "hotfix", "config"})
# Strongest first.
_STRENGTH: Final = ("signed", "authenticated", "asserted", "unknown")
_STATUSES: Final = frozenset({"succeeded", "failed", "cancelled", "running", "waiting"})
# What one report says ended badly did not succeed, whatever another says.
_WORST: Final = ("failed", "cancelled")


class Report(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
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


class Deployment(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One attempt, from all its reports. `key` is the first entry of the report that founded it.

    `position` and `index` order successes: when it ended (else its last news), and the entry that says so.
    `type` is told or derived; `told_type` only told.
    """

    key: int
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
    replaced: int | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended, and nobody reports that it ended badly."""
        return self.status == "succeeded"

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among others: by time, then by entry."""
        return self.position, self.index


class Joined(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A report, by its first entry, that is part of a deployment with another key."""

    report: int
    deployment: int


class Successor(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The success that took the place of a deployment."""

    deployment: int
    following: int


class Step(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One more entry of a report's timeline, after the first."""

    report: int
    index: int


# As they are kept: what all reports together say follows from the reports, entries and times are told from
# the first ones, and digests and commits are bytes. What is told most often is a number of these.
_OUTCOMES: Final = ("succeeded", "failed", "cancelled")
_SORTS: Final = ("forward", "rollback", "redeploy", "hotfix", "config")
_DIGEST: Final = "sha256:"


def _numbers(of: tuple[str, ...]) -> dict[str | None, Any]:
    return {told: number for number, told in enumerate(of)}


_OUTCOME_NUMBERS: Final = _numbers(_OUTCOMES)
_SORT_NUMBERS: Final = _numbers(_SORTS)
_STRENGTH_NUMBERS: Final = _numbers(_STRENGTH)


class KeptReport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A report: `at` is `first_at`; `last`, `finished` and `url` are counted from `first`, `last_at`,
    `finished_at` and `started_at` from `at`. True for a commit's repository: that of the one before.
    """

    source: str
    name: str
    first: int
    at: int
    last: int
    last_at: int
    finished: int | None
    finished_at: int | None
    started_at: int | None
    waits: bool
    status_at: int
    outcome: int | str | None
    type: int | str | None
    attribution: int | str
    bot: bool
    apart: bool
    duration_ms: int | None
    url: int | None
    version: str | None
    # Bytes or text.
    artifact: Any
    repository: str | None
    commits: list[tuple[str | bool | None, Any]]
    actor: str | None
    because: str


class KeptDeployment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A deployment: `type` is None where it is the told one."""

    key: int
    service: str
    environment: str
    position: int
    index: int
    type: str | None
    replaced: int | None
    reports: list[KeptReport]


def _narrow(row: Deployment) -> tuple[Any, ...]:
    """The values of a KeptDeployment, in order."""
    return (
        row.key,
        row.service,
        row.environment,
        row.position,
        row.index,
        None if row.type == row.told_type else row.type,
        row.replaced,
        [_narrow_report(report) for report in row.reports],
    )


def _wide(kept: KeptDeployment) -> Deployment:
    row = summed(kept.key, kept.service, kept.environment, [_wide_report(report) for report in kept.reports])
    return msgspec.structs.replace(row, type=kept.type or row.told_type or row.type, replaced=kept.replaced)


def _narrow_report(report: Report) -> tuple[Any, ...]:
    """The values of a KeptReport, in order."""
    first, at = report.first, report.first_at
    commits: list[tuple[str | bool | None, Any]] = []
    before: str | None = report.repository
    for where, name in report.commits:
        commits.append((True if where == before else where, _bytes(name)))
        before = where
    artifact = report.artifact
    return (
        report.source,
        report.name,
        first,
        at,
        report.last - first,
        report.last_at - at,
        None if report.finished is None else report.finished - first,
        None if report.finished_at is None else report.finished_at - at,
        None if report.started_at is None else report.started_at - at,
        report.status == "waiting",
        report.status_at,
        _OUTCOME_NUMBERS.get(report.outcome, report.outcome),
        _SORT_NUMBERS.get(report.type, report.type),
        _STRENGTH_NUMBERS.get(report.attribution, report.attribution),
        report.bot,
        report.apart,
        report.duration_ms,
        None if report.url is None else report.url - first,
        report.version,
        _digest_bytes(artifact) if artifact else artifact,
        report.repository,
        commits,
        report.actor,
        report.because,
    )


def _wide_report(kept: KeptReport) -> Report:
    first, at = kept.first, kept.at
    commits: list[tuple[str | None, str]] = []
    where = kept.repository
    for told, name in kept.commits:
        where = where if told is True else told or None
        commits.append((where, name if isinstance(name, str) else name.hex()))
    artifact, outcome_, type_, strength = kept.artifact, kept.outcome, kept.type, kept.attribution
    return Report(
        kept.source,
        kept.name,
        first,
        first + kept.last,
        at,
        at + kept.last_at,
        kept.because,
        kept.apart,
        None if kept.started_at is None else at + kept.started_at,
        None if kept.finished_at is None else at + kept.finished_at,
        None if kept.finished is None else first + kept.finished,
        "waiting" if kept.waits else "running",
        kept.status_at,
        _OUTCOMES[outcome_] if isinstance(outcome_, int) else outcome_,
        _SORTS[type_] if isinstance(type_, int) else type_,
        kept.version,
        _DIGEST + artifact.hex() if isinstance(artifact, bytes) else artifact,
        kept.repository,
        commits,
        kept.actor,
        _STRENGTH[strength] if isinstance(strength, int) else strength,
        kept.bot,
        kept.duration_ms,
        None if kept.url is None else first + kept.url,
    )


def _bytes(hexadecimal: str) -> bytes | str:
    """The bytes of a hexadecimal text that is written as we write it, else the text."""
    try:
        data = bytes.fromhex(hexadecimal)
    except ValueError:
        return hexadecimal
    return data if data.hex() == hexadecimal else hexadecimal


def _digest_bytes(artifact: str) -> bytes | str:
    if not artifact.startswith(_DIGEST):
        return artifact
    data = _bytes(artifact[len(_DIGEST) :])
    return data if isinstance(data, bytes) else artifact


DEPLOYMENTS: Final = Table(
    "deployment",
    Deployment,
    ("key",),
    (("position", "index"), ("service", "environment", "position", "index")),
    words=("service", "environment"),
    kept=Kept(KeptDeployment, _narrow, _wide),
)
JOINED: Final = Table("joined", Joined, ("report",))
SUCCESSORS: Final = Table("successor", Successor, ("deployment",))
STEPS: Final = Table("step", Step, ("report", "index"))


def home(report: int, rows: Readable) -> int:
    """The key of the deployment that a report, by its first entry, is part of."""
    joined = rows.get(JOINED, report)
    return joined.deployment if joined else report


def deployment_of(report: int, rows: Readable) -> Deployment | None:
    """The deployment that a report, by its first entry, is part of: mostly the one that it founded."""
    return rows.get(DEPLOYMENTS, report) or rows.get(DEPLOYMENTS, home(report, rows))


def begun(index: int, entry: Entry, name: str, at: int, said: dict[str, Any]) -> Report:
    """The report of its first fact, which happened `at` (UTC ms) and says `said`, as `said_by` has it."""
    found = {**said, "source": entry.source, "name": name}
    found["first"] = found["last"] = index
    found["first_at"] = found["last_at"] = at
    _news(_NOTHING, index, entry, at, found)
    return Report(**found)


def extended(report: Report, index: int, entry: Entry, at: int, said: dict[str, Any]) -> Report:
    """The report with one more fact in it, as `begun`, in whatever order facts come."""
    found = {**said, "last": index}
    if at < report.first_at:
        found["first_at"] = at
    if at > report.last_at:
        found["last_at"] = at
    _news(report, index, entry, at, found)
    return msgspec.structs.replace(report, **found)


# A report in which nothing was said yet.
_NOTHING: Final = Report("", "", 0, 0, 0, 0)


def said_by(data: dict[str, Any]) -> dict[str, Any]:
    """What a fact says of a report by itself: fields of a Report that take the place of those before."""
    found: dict[str, Any] = {}
    if value := text(data, "version"):
        found["version"] = value
    if value := text(data, "artifact"):
        found["artifact"] = value
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
    if commits:
        found["commits"] = commits
    return found


def _news(report: Report, index: int, entry: Entry, at: int, found: dict[str, Any]) -> None:
    """What depends on what was told before."""
    if "url" in entry.data:
        found["url"] = index
    _person(report, entry, found)
    _progress(report, index, entry.kind, entry.data, at, found)


def _person(report: Report, entry: Entry, found: dict[str, Any]) -> None:
    """Who deployed: the strongest attribution, then a human being, then who was told first."""
    actor, attribution = actor_of(entry), entry.attribution
    bot = bool(entry.actor and entry.actor.get("bot"))
    if actor is None and (actor := person(entry.data, "creator")):
        attribution, bot = "asserted", bool(entry.data["creator"].get("bot"))
    if actor is None:
        return
    if report.actor is None or _rank(attribution, bot) < _rank(report.attribution, report.bot):
        found["actor"], found["attribution"], found["bot"] = actor, attribution, bot


def _rank(attribution: str, bot: bool) -> tuple[int, bool]:
    strength = _STRENGTH.index(attribution) if attribution in _STRENGTH else len(_STRENGTH)
    return strength, bot


def _progress(
    report: Report, index: int, kind: str, data: dict[str, Any], at: int, found: dict[str, Any]
) -> None:
    if kind == "deployment.started" and (report.started_at is None or at < report.started_at):
        found["started_at"] = at
    if kind == "deployment.finished":
        if report.finished_at is None or at >= report.finished_at:
            found["finished_at"], found["finished"] = at, index
            found["outcome"] = outcome(text(data, "outcome"))
            if (took := whole(data, "duration_ms")) is not None:
                found["duration_ms"] = took
    elif at >= report.status_at:
        waits = (text(data, "status") or "").lower() in WAITING
        found["status"], found["status_at"] = "waiting" if waits else "running", at


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


def summed(key: int, service: str, environment: str, reports: list[Report]) -> Deployment:
    """The deployment of its reports, not yet compared with what ran before."""
    if len(reports) == 1:
        return _alone(key, service, environment, reports)
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
        status=status if status in _STATUSES else "finished",
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


def _alone(key: int, service: str, environment: str, reports: list[Report]) -> Deployment:
    """As `summed`, of one report: most deployments have no other."""
    [one] = reports
    finished_at = one.finished_at
    status: str | None = one.status if finished_at is None else one.outcome
    where, sha_ = one.commits[0] if one.commits else (one.repository, None)
    return Deployment(
        key,
        service,
        environment,
        status if status in _STATUSES else "finished",
        "forward",
        one.attribution if one.actor else "unknown",
        one.last_at if finished_at is None else finished_at,
        one.last if finished_at is None or one.finished is None else one.finished,
        one.first_at,
        one.first,
        reports,
        one.type,
        None if finished_at is None else one.outcome,
        one.version,
        one.artifact,
        where,
        sha_,
        one.actor,
        one.started_at,
        finished_at,
        _took(one if finished_at is not None else None, one.started_at, finished_at),
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
