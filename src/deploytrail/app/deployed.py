"""The page of one deployment: everything that is known about it, and how."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from deploytrail.app.ancestry import Between, between, repository_of, whole
from deploytrail.app.ports import Derived, Signed
from deploytrail.app.shown import Opener, Shown, fields
from deploytrail.app.trails import label, mark_in, proof_of
from deploytrail.app.views import (
    ArtifactView,
    Brought,
    CheckView,
    CommitView,
    DeploymentView,
    Mark,
    ReportView,
    StepView,
    Who,
)
from deploytrail.projections import words
from deploytrail.projections.artifacts import ARTIFACTS, Artifact
from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.checks import CHECKS, Check
from deploytrail.projections.commits import COMMITS, Commit
from deploytrail.projections.deployment_rows import (
    DEPLOYMENTS,
    STEPS,
    SUCCESSORS,
    Deployment,
    Report,
    deployment_of,
)
from deploytrail.projections.environments import PLACES
from deploytrail.projections.names import environment_of, service_named
from deploytrail.projections.reading import milliseconds, person, text
from deploytrail.projections.reading import whole as number
from deploytrail.projections.trail import doer

MAX_STEPS: Final = 200
MAX_CHECKS: Final = 200
# So many commits are shown; the rest are counted.
MAX_COMMITS: Final = 100
_LATE: Final = 60_000
_MARKS: Final[dict[str, Mark]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "failed",
    "running": "running",
    "waiting": "waiting",
}


class _Commits(NamedTuple):
    """The commits of a deployment, and whether they are all."""

    shown: list[tuple[str, Commit]]
    claimed: dict[str, int]
    known: bool
    why: str | None
    cut: int


class Deployed:
    """Reads the page of a deployment."""

    def __init__(self, derived: Derived, opener: Opener) -> None:
        self._derived, self._opener = derived, opener

    def view(self, key: str, signed: Signed | None) -> DeploymentView | None:
        """The deployment at an address, also one that was joined into another since. None: there is none."""
        if not key.isascii() or not key.isdecimal() or len(key) > 18:
            return None
        row = deployment_of(int(key), self._derived)
        return self._view(row, signed) if row else None

    def _view(self, row: Deployment, signed: Signed | None) -> DeploymentView:
        replaced = self._row(row.replaced)
        after = self._derived.get(SUCCESSORS, row.key)
        commits = self._commits(row, replaced)
        checks = self._checks(row)
        published = self._published(row)
        steps = self._steps(row)
        opened = self._opener.entries(
            [*steps, row.index, *_urls(row.reports)]
            + [c.index for _, c in commits.shown if c.index is not None]
            + [check.index for check in checks]
        )
        changes = self._changes(commits)
        people = self._opener.people(
            _everybody(row, commits, changes, [opened[i] for i in steps if i in opened])
            | ({published.actor} if published and published.actor else set())
        )
        at = opened.get(row.index)
        size = signed.size if signed else 0
        place = self._derived.get(PLACES, row.environment, row.service)
        proof = proof_of(at, size) if at else "unproven"
        timeline = sorted((self._step(row, opened[i], people) for i in steps if i in opened), key=_in_time)
        return DeploymentView(
            key=str(row.key),
            service=service_named(row.service, self._derived),
            environment=environment_of(row.environment, self._derived),
            mark=mark(row),
            status=row.status,
            type=row.type,
            attribution=row.attribution,
            at=row.position,
            version=row.version,
            artifact=row.artifact,
            repository=row.repository,
            sha=row.sha,
            outcome=row.outcome,
            actor=people.get(row.actor) if row.actor else None,
            started_at=row.started_at,
            finished_at=row.finished_at,
            duration_ms=row.duration_ms,
            replaced_key=str(replaced.key) if replaced else None,
            replaced_version=label(replaced) if replaced else None,
            replaced_ran_ms=max(0, row.position - replaced.position) if replaced and row.succeeded else None,
            replaced_by=str(after.following) if after else None,
            running_now=place is not None and place.current == row.key,
            commits=[_commit(sha, c, commits, changes, opened, people) for sha, c in commits.shown],
            commits_known=commits.known,
            commits_why=commits.why,
            commits_cut=commits.cut,
            checks=[_check(check, opened.get(check.index)) for check in checks],
            published=artifact_view(published, people) if published else None,
            steps=timeline,
            reports=_reports(row.reports),
            url=_url(row.reports, opened),
            labels=_labels([opened[i] for i in steps if i in opened]),
            index=row.index,
            proof=proof,
            leaf=b64encode(at.leaf).decode() if at else "",
            checkpoint_size=signed.size if signed and proof == "signed" else None,
            checkpoint_root=b64encode(signed.root).decode() if signed and proof == "signed" else None,
        )

    def brought(self, row: Deployment, earlier: Deployment | None) -> Brought:
        """The commits of a deployment that an earlier one of the same place had not."""
        commits = self._commits(row, earlier)
        changes = self._changes(commits)
        opened = self._opener.entries(c.index for _, c in commits.shown if c.index is not None)
        who = {commit.author for _, commit in commits.shown if commit.author}
        people = self._opener.people(who.union(*(change.approvers() for change in changes.values())))
        return Brought(
            commits=[_commit(sha, c, commits, changes, opened, people) for sha, c in commits.shown],
            known=commits.known,
            why=commits.why,
            cut=commits.cut,
        )

    def commits_of(self, repository: str, shas: list[str]) -> list[CommitView]:
        """These commits of a repository, by its heard name, in this order."""
        shown = [(sha, self._commit_row(repository, sha)) for sha in shas]
        commits = _Commits(shown, {}, True, None, 0)
        changes = self._changes(commits)
        opened = self._opener.entries(c.index for _, c in shown if c.index is not None)
        who = {commit.author for _, commit in shown if commit.author}
        people = self._opener.people(who.union(*(change.approvers() for change in changes.values())))
        return [_commit(sha, c, commits, changes, opened, people) for sha, c in shown]

    def checks_on(self, repository: str, shas: Iterable[str | None]) -> list[CheckView]:
        """The newest word of each check on these commits of a repository, by its heard name."""
        found = [check for sha in dict.fromkeys(shas) if sha for check in self._checks_on(repository, sha)]
        opened = self._opener.entries(check.index for check in found)
        return [_check(check, opened.get(check.index)) for check in found]

    def _row(self, key: int | None) -> Deployment | None:
        return self._derived.get(DEPLOYMENTS, key) if key is not None else None

    # Commits.

    def _commits(self, row: Deployment, replaced: Deployment | None) -> _Commits:
        named = _named(row.reports)
        if row.repository is None or row.sha is None:
            return self._only_named(
                named, 'No report named the commit that was deployed. Tell it in the field "commits".'
            )
        repository, pushes = repository_of(self._derived, row.repository)
        if replaced is None:
            return self._only_named(
                named, "No earlier deployment here is known, so there is nothing to count from."
            )
        earlier = next(
            (sha for where, sha in _named(replaced.reports) if _alike(where, row.repository)), None
        )
        if earlier is None:
            what = label(replaced) or "the deployment before"
            return self._only_named(named, f"No report named the commit of {what}, which this one replaced.")
        found = between(self._derived, repository, earlier, row.sha)
        if found.known:
            return self._between(repository, found)
        why = found.why
        if not pushes:
            why = (
                "No push of this repository has been heard. "
                "Add the repository's webhook, or import its history."
            )
        return self._only_named(named, why)

    def _only_named(self, named: list[tuple[str | None, str]], why: str | None) -> _Commits:
        found = []
        for where, sha in named:
            repository = repository_of(self._derived, where)[0] if where else ""
            sha = whole(self._derived, repository, sha) if where else sha
            found.append((sha, self._commit_row(repository, sha)))
        return _Commits(found, {}, False, why, 0)

    def _between(self, repository: str, found: Between) -> _Commits:
        shown = [(sha, self._commit_row(repository, sha)) for sha in found.shas[:MAX_COMMITS]]
        claimed: dict[str, int] = {}
        for last, shas in found.pushes:
            claimed |= self._by_merge(repository, last, shas)
        return _Commits(shown, claimed, True, None, max(0, len(found.shas) - MAX_COMMITS))

    def _commit_row(self, repository: str, sha: str) -> Commit:
        return self._derived.get(COMMITS, repository, sha) or Commit(repository, sha)

    def _by_merge(self, repository: str, last: str, shas: list[str]) -> dict[str, int]:
        """The change by which every commit of a push came, if it was the push of that change's merge alone.

        It was, when the push ends in the merge, holds the change's last own commit, and is exactly one
        commit longer than the change.
        """
        merge = self._derived.get(COMMITS, repository, last)
        change = self._derived.get(CHANGES, repository, merge.change) if merge and merge.change else None
        if change is None or change.sha != last or change.head not in shas or change.commits is None:
            return {}
        return dict.fromkeys(shas, change.number) if len(shas) == change.commits + 1 else {}

    def _changes(self, commits: _Commits) -> dict[tuple[str, int], Change]:
        found: dict[tuple[str, int], Change] = {}
        for sha, commit in commits.shown:
            change = commit.change or commits.claimed.get(sha)
            if change is None or (commit.repository, change) in found:
                continue
            row = self._derived.get(CHANGES, commit.repository, change)
            if row is not None:
                found[commit.repository, change] = row
        return found

    # Checks and steps.

    def _checks(self, row: Deployment) -> list[Check]:
        if row.repository is None or row.sha is None:
            return []
        repository = repository_of(self._derived, row.repository)[0]
        sha = whole(self._derived, repository, row.sha)
        return self._checks_on(repository, sha)

    def _checks_on(self, repository: str, sha: str) -> list[Check]:
        found = self._derived.page(
            CHECKS,
            where={"repository": repository, "sha": sha},
            order="name",
            descending=False,
            limit=MAX_CHECKS,
        )
        # Where a job has a check of its own, that says the same.
        named = {check.name for check in found if check.family != "job"}
        return [check for check in found if check.family != "job" or check.name not in named]

    def _published(self, row: Deployment) -> Artifact | None:
        """The artifact that the deployment names; if it names none, the newest built from its commit."""
        if row.artifact is not None:
            return self._derived.get(ARTIFACTS, row.artifact)
        if row.repository is None or row.sha is None:
            return None
        repository = repository_of(self._derived, row.repository)[0]
        sha = whole(self._derived, repository, row.sha)
        for name in dict.fromkeys((repository, row.repository)):
            where = {"repository": name, "sha": sha}
            if found := self._derived.page(ARTIFACTS, where=where, order="at", limit=1):
                return found[0]
        return None

    def _steps(self, row: Deployment) -> list[int]:
        """The entries of all reports, oldest first."""
        found = []
        for report in row.reports:
            more = self._derived.page(
                STEPS, where={"report": report.first}, order="index", descending=False, limit=MAX_STEPS
            )
            found += [report.first, *(step.index for step in more)]
        return sorted(found)[:MAX_STEPS]

    def _step(self, row: Deployment, shown: Shown, people: dict[str, Who]) -> StepView:
        entry, data = shown.entry, shown.entry.data
        actor = person({"actor": entry.actor}, "actor")
        received = milliseconds(entry.received_at) or 0
        at = milliseconds(entry.occurred_at)
        late = received - at if at is not None else 0
        told = words.mark(entry.kind, data, actor or doer(data))
        return StepView(
            index=shown.index,
            kind=entry.kind,
            at=received if at is None else at,
            mark=mark_in(entry.kind, told, row),
            source=entry.source,
            name=text(data, "name"),
            status=text(data, "status"),
            outcome=text(data, "outcome"),
            actor=people.get(actor) if actor else None,
            attribution=entry.attribution,
            duration_ms=number(data, "duration_ms"),
            late_ms=late if late > _LATE else None,
            description=shown.text("description"),
            url=shown.text("log_url") or shown.text("url"),
            fields=fields(data),
        )


def mark(row: Deployment) -> Mark:
    """The mark of a whole deployment."""
    if row.succeeded and row.type == "rollback":
        return "rolledback"
    return _MARKS.get(row.status, "note")


def _named(reports: list[Report]) -> list[tuple[str | None, str]]:
    """The commits that reports name, each once."""
    return list(dict.fromkeys((where, sha) for report in reports for where, sha in report.commits))


def _alike(one: str | None, other: str) -> bool:
    """Whether two told names may be one repository: equal, or equal but for a host that one leaves out."""
    if one is None:
        return False
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def _everybody(
    row: Deployment, commits: _Commits, changes: dict[tuple[str, int], Change], steps: Iterable[Shown]
) -> set[str]:
    found: set[str] = {row.actor} if row.actor else set()
    found |= {commit.author for _, commit in commits.shown if commit.author}
    for change in changes.values():
        found.update(change.approvers())
    found |= {actor for step in steps if (actor := person({"actor": step.entry.actor}, "actor"))}
    return found


def _commit(
    sha: str,
    commit: Commit,
    commits: _Commits,
    changes: dict[tuple[str, int], Change],
    opened: dict[int, Shown],
    people: dict[str, Who],
) -> CommitView:
    number = commit.change or commits.claimed.get(sha)
    change = changes.get((commit.repository, number)) if number is not None else None
    shown = opened.get(commit.index) if commit.index is not None else None
    title: Any = shown.texts.get(f"{commit.path}.title") if shown else None
    return CommitView(
        sha=sha,
        repository=commit.repository or None,
        title=title if isinstance(title, str) else None,
        author=people.get(commit.author) if commit.author else None,
        attribution="signed" if commit.signed else "asserted" if commit.author else "unknown",
        change=number,
        reviewers=[people[who] for who in change.approvers() if who in people] if change else [],
        index=commit.index,
    )


def _in_time(step: StepView) -> tuple[int, int]:
    """Many sources tell whole seconds: within one second, the order in which it was told says more."""
    return step.at // 1000, step.index


def artifact_view(artifact: Artifact, people: dict[str, Who]) -> ArtifactView:
    """An artifact as it is shown; `people` has whoever published it."""
    return ArtifactView(
        digest=artifact.digest,
        source=artifact.source,
        at=artifact.at,
        index=artifact.index,
        name=artifact.name,
        version=artifact.version,
        sha=artifact.sha,
        actor=people.get(artifact.actor) if artifact.actor else None,
    )


def _check(check: Check, shown: Shown | None) -> CheckView:
    return CheckView(
        name=check.name,
        kind=check.kind,
        outcome=check.outcome,
        status=check.status,
        passed=check.passed,
        failed=check.failed,
        skipped=check.skipped,
        duration_ms=check.duration_ms,
        required=check.required,
        at=check.at,
        index=check.index,
        url=shown.text("url") if shown else None,
    )


def _reports(reports: list[Report]) -> list[ReportView]:
    several = len(reports) > 1
    return [
        ReportView(
            source=report.source,
            name=report.name,
            index=report.first,
            because=report.because or ("it was told first" if several else "it is the only report"),
            separable=several,
        )
        for report in reports
    ]


def _urls(reports: list[Report]) -> list[int]:
    return [report.url for report in reports if report.url is not None]


def _url(reports: list[Report], opened: dict[int, Shown]) -> str | None:
    return next((url for i in _urls(reports) if i in opened and (url := opened[i].text("url"))), None)


def _labels(steps: list[Shown]) -> dict[str, str]:
    found: dict[str, str] = {}
    for shown in steps:
        told = shown.texts.get("labels")
        if isinstance(told, dict):
            found |= {str(name): str(value) for name, value in told.items()}
    return found
