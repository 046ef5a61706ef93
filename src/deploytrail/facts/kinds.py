"""Every kind of fact, as frozen types, in one explicit list.

Kinds are `noun.verb-ed`. A field is clear unless its type says Sealed, Ref or Person. Kinds marked
`outside` may be told by a source or a reporter; all others are the house's own and are refused from
outside with 403. Fields with a * in the house's interface are required here; all others are optional.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from deploytrail.facts.draft import Body, Person, Ref, Sealed, Time

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Rank = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Sha = Annotated[str, msgspec.Meta(min_length=4, max_length=64, pattern=r"^[0-9a-fA-F]+$")]
Digest = Annotated[
    str, msgspec.Meta(min_length=8, max_length=200, pattern=r"^[A-Za-z0-9+._-]+:[0-9A-Fa-f]+$")
]
Paths = Annotated[list[Text], msgspec.Meta(max_length=1000)]


class Commit(Body, frozen=True, kw_only=True):
    """One commit of a push. Author and committer are what the commit itself claims."""

    sha: Sha
    parents: list[Sha] | None = None
    paths: Paths | None = None
    paths_cut: bool = False
    authored_at: Time | None = None
    committed_at: Time | None = None
    signed: bool | None = None
    author: Person | None = None
    committer: Person | None = None
    co_authors: list[Person] | None = None
    title: Sealed | None = None


class CommitName(Body, frozen=True, kw_only=True):
    """A commit by repository and sha."""

    repository: Text | None = None
    sha: Sha


class CommitPushed(Body, frozen=True, kw_only=True):
    """Commits arrived on a branch. A long push is told in parts: `part` of `parts`, counted from 1.

    `pusher` where the source names another account for the push than the fact's actor.
    """

    repository: Text
    ref: Ref
    after: Sha
    before: Sha | None = None
    forced: bool | None = None
    created: bool | None = None
    commits: list[Commit] | None = None
    part: Count | None = None
    parts: Count | None = None
    pusher: Person | None = None
    url: Sealed | None = None


class RefMoved(Body, frozen=True, kw_only=True):
    """A branch or tag was created, moved or deleted (`after` absent: deleted).

    `commits` holds the commit it points to, if told; `pusher` as for a push.
    """

    repository: Text
    ref: Ref
    before: Sha | None = None
    after: Sha | None = None
    type: Text | None = None
    deleted: bool | None = None
    forced: bool | None = None
    created: bool | None = None
    commits: list[Commit] | None = None
    pusher: Person | None = None


class ReleasePublished(Body, frozen=True, kw_only=True):
    """A release was published, or changed in the way that `action` says."""

    repository: Text | None = None
    tag: Text | None = None
    sha: Sha | None = None
    ref: Ref | None = None
    action: Text | None = None
    prerelease: bool | None = None
    draft: bool | None = None
    author: Person | None = None
    title: Sealed | None = None
    url: Sealed | None = None


class Change(Body, frozen=True, kw_only=True):
    """A change (pull or merge request) was opened, updated or abandoned.

    `merge_sha` is the commit on which the source tries the merge; checks of a change often run on it.
    """

    repository: Text
    number: Count
    action: Text | None = None
    sha: Sha | None = None
    base: Ref | None = None
    base_sha: Sha | None = None
    merge_sha: Sha | None = None
    ref: Ref | None = None
    draft: bool | None = None
    commits: Count | list[CommitName] | None = None
    additions: Count | None = None
    deletions: Count | None = None
    files: Count | None = None
    author: Person | None = None
    reviewers: list[Person] | None = None
    title: Sealed | None = None
    url: Sealed | None = None


class ChangeReviewed(Body, frozen=True, kw_only=True):
    """Somebody reviewed a change. `sha` is the commit reviewed, `head` the change's head then."""

    repository: Text
    number: Count
    sha: Sha | None = None
    head: Sha | None = None
    verdict: Text | None = None
    action: Text | None = None
    reviewer: Person | None = None
    author: Person | None = None
    submitted_at: Time | None = None
    title: Sealed | None = None
    comment: Sealed | None = None
    url: Sealed | None = None


class ChangeMerged(Body, frozen=True, kw_only=True):
    """A change became part of its base branch."""

    repository: Text
    number: Count
    sha: Sha | None = None
    head: Sha | None = None
    base: Ref | None = None
    ref: Ref | None = None
    commits: Count | list[CommitName] | None = None
    additions: Count | None = None
    deletions: Count | None = None
    files: Count | None = None
    merged_at: Time | None = None
    author: Person | None = None
    merged_by: Person | None = None
    reviewers: list[Person] | None = None
    reviewer: Person | None = None
    title: Sealed | None = None
    url: Sealed | None = None


class Check(Body, frozen=True, kw_only=True):
    """A build, test or check on a commit: started, or finished with an outcome.

    `status` is the source's own word; `action` what happened, where the source says more than that.
    """

    repository: Text
    sha: Sha
    name: Text | None = None
    app: Text | None = None
    outcome: Text | None = None
    status: Text | None = None
    action: Text | None = None
    required: bool | None = None
    passed: Count | None = None
    failed: Count | None = None
    skipped: Count | None = None
    annotations: Count | None = None
    duration_ms: Count | None = None
    run: Text | None = None
    attempt: Count | None = None
    ref: Ref | None = None
    title: Sealed | None = None
    summary: Sealed | None = None
    text: Sealed | None = None
    url: Sealed | None = None


class Step(Body, frozen=True, kw_only=True):
    """One step of a job, as its source counts it."""

    number: Count | None = None
    name: Text | None = None
    status: Text | None = None
    outcome: Text | None = None
    started_at: Time | None = None
    completed_at: Time | None = None


class Pipeline(Body, frozen=True, kw_only=True):
    """A pipeline run: `run` names it, `attempt` above 1 is a re-run, perhaps by somebody else.

    `owner` caused the run, `triggered_by` this attempt of it.
    """

    repository: Text
    run: Text
    number: Count | None = None
    attempt: Count | None = None
    name: Text | None = None
    path: Text | None = None
    trigger: Text | None = None
    sha: Sha | None = None
    ref: Ref | None = None
    action: Text | None = None
    status: Text | None = None
    outcome: Text | None = None
    started_at: Time | None = None
    duration_ms: Count | None = None
    changes: list[Count] | None = None
    workflows: list[Text] | None = None
    owner: Person | None = None
    triggered_by: Person | None = None
    title: Sealed | None = None
    url: Sealed | None = None


class Job(Body, frozen=True, kw_only=True):
    """One job of a pipeline run, with its steps."""

    repository: Text
    run: Text
    job: Text
    attempt: Count | None = None
    name: Text | None = None
    pipeline: Text | None = None
    environment: Text | None = None
    deployment: Text | None = None
    sha: Sha | None = None
    ref: Ref | None = None
    status: Text | None = None
    outcome: Text | None = None
    runner: Text | None = None
    tags: list[Text] | None = None
    started_at: Time | None = None
    completed_at: Time | None = None
    duration_ms: Count | None = None
    steps: list[Step] | None = None
    url: Sealed | None = None


class ArtifactPublished(Body, frozen=True, kw_only=True):
    """Bytes named by digest, built from a known commit."""

    digest: Digest
    name: Text | None = None
    repository: Text | None = None
    sha: Sha | None = None
    version: Text | None = None
    provenance: Text | None = None
    url: Sealed | None = None


class Deployment(Body, frozen=True, kw_only=True):
    """One report about a deployment: started, a step of it, or finished with an outcome.

    `deployment` is the source's own name for it, `report` that of this report. `service` falls back to the
    repository's name. `creator` made this report, `requestor` the deployment. `check` names the check run
    that reports it.
    """

    deployment: Text
    service: Text
    environment: Text
    original_environment: Text | None = None
    repository: Text | None = None
    artifact: Digest | None = None
    version: Text | None = None
    commits: list[CommitName] | None = None
    ref: Ref | None = None
    outcome: Text | None = None
    type: Text | None = None
    name: Text | None = None
    status: Text | None = None
    task: Text | None = None
    run: Text | None = None
    attempt: Count | None = None
    check: Text | None = None
    report: Text | None = None
    duration_ms: Count | None = None
    via_app: Text | None = None
    production: bool | None = None
    creator: Person | None = None
    requestor: Person | None = None
    description: Sealed | None = None
    url: Sealed | None = None
    log_url: Sealed | None = None


class DeploymentReviewed(Body, frozen=True, kw_only=True):
    """A source's own gate asked for a review, or got one. Told, not proven: no signature is seen."""

    environment: Text
    repository: Text | None = None
    verdict: Text
    run: Text | None = None
    attempt: Count | None = None
    sha: Sha | None = None
    since: Time | None = None
    jobs: list[Text] | None = None
    job_ids: list[Text] | None = None
    approver: Person | None = None
    requestor: Person | None = None
    reviewers: list[Person] | None = None
    teams: list[Text] | None = None
    comment: Sealed | None = None
    url: Sealed | None = None


class Running(Body, frozen=True, kw_only=True):
    """One service as a runtime says it runs."""

    service: Text
    digest: Digest | None = None
    image: Text | None = None
    replicas: Count | None = None


class EnvironmentSnapshot(Body, frozen=True, kw_only=True):
    """What a runtime says is running in an environment."""

    environment: Text
    running: list[Running]


class EnvironmentChanged(Body, frozen=True, kw_only=True):
    """A setting of an environment changed."""

    environment: Text
    service: Text | None = None
    setting: Text | None = None
    before: Text | None = None
    after: Text | None = None


class ServiceRemoved(Body, frozen=True, kw_only=True):
    """A service no longer runs in an environment."""

    environment: Text
    service: Text


class ControlChanged(Body, frozen=True, kw_only=True):
    """A control changed: branch protection, ruleset, membership, webhook, the name of a secret.

    `before` and `after` are short texts that name settings, not persons; a person is in `member`.
    `members` are those whom the control lists, `former_members` those whom it listed before.
    """

    control: Text
    repository: Text | None = None
    environment: Text | None = None
    organization: Text | None = None
    action: Text | None = None
    name: Text | None = None
    before: Annotated[str, msgspec.Meta(max_length=8000)] | None = None
    after: Annotated[str, msgspec.Meta(max_length=8000)] | None = None
    member: Person | None = None
    members: list[Person] | None = None
    former_members: list[Person] | None = None
    detail: Sealed | None = None
    url: Sealed | None = None


class Incident(Body, frozen=True, kw_only=True):
    """An incident was opened or resolved."""

    incident: Text
    service: Text | None = None
    environment: Text | None = None
    deployment: Text | None = None
    cause: Text | None = None
    title: Sealed | None = None


class Free(Body, frozen=True, kw_only=True):
    """A kind of the sender's own (`x-...`). What joins it to the rest is clear, all else is sealed."""

    service: Text | None = None
    environment: Text | None = None
    deployment: Text | None = None
    repository: Text | None = None
    sha: Sha | None = None
    artifact: Digest | None = None


# The house's own kinds.


class LogOpened(Body, frozen=True, kw_only=True):
    """The first entry of a log: its origin and the verifier key that signs it."""

    origin: Text
    vkey: Annotated[str, msgspec.Meta(max_length=3000)]


class SourcePinged(Body, frozen=True, kw_only=True):
    """A source said hello; nothing happened but that we can hear it."""

    repository: Text | None = None
    organization: Text | None = None
    hook: Text | None = None
    events: list[Text] | None = None
    url: Sealed | None = None


class DeliverySetAside(Body, frozen=True, kw_only=True):
    """An authentic delivery that was kept but not read: source, event, size, commitment, and why."""

    event: Text
    size: Count
    commitment: Text
    reason: Text
    delivery_id: Text | None = None


class SourceAdded(Body, frozen=True, kw_only=True):
    """A source may send deliveries from now on, or its secret was rotated (`secrets`: live secrets)."""

    name: Text
    type: Text
    secrets: Count


class TokenCreated(Body, frozen=True, kw_only=True):
    """A token was made or ended; `token` is its public id, never the token."""

    token: Text
    name: Text
    role: Text
    expires_at: Time | None = None
    kinds: list[Text] | None = None
    services: list[Text] | None = None
    environments: list[Text] | None = None


class LinkIssued(Body, frozen=True, kw_only=True):
    """A one-time link for an administrator was made on the machine itself."""

    link: Text
    expires_at: Time


class SessionStarted(Body, frozen=True, kw_only=True):
    """A person signed in, or out (`session.ended`)."""

    session: Text
    method: Text
    role: Text
    person: Person | None = None
    reason: Text | None = None


class ServiceDeclared(Body, frozen=True, kw_only=True):
    """A service: its repositories, artifact names and other names. The newest declaration holds."""

    service: Text
    repositories: list[Text] | None = None
    artifacts: list[Text] | None = None
    aliases: list[Text] | None = None
    owner: Text | None = None


class EnvironmentDeclared(Body, frozen=True, kw_only=True):
    """An environment: its class (production, staging, test, other), other names, and rank."""

    environment: Text
    type: Annotated[str, msgspec.Meta(pattern=r"^(production|staging|test|other)$")]
    aliases: list[Text] | None = None
    rank: Rank | None = None


class ReportsSeparated(Body, frozen=True, kw_only=True):
    """An administrator undid the joining of one report from a deployment (`index`: of its first entry)."""

    deployment: Text
    index: Count


class SubjectErased(Body, frozen=True, kw_only=True):
    """A person's disclosures were erased, on this ground. Proofs stay; names do not."""

    subject: Text
    ground: Text
    entries: Count
    deliveries: Count


class Kind(NamedTuple):
    """A kind: the type of its fields, and whether it may be told from outside."""

    body: type[Body]
    outside: bool = False


KINDS: Final[dict[str, Kind]] = {
    "commit.pushed": Kind(CommitPushed, outside=True),
    "ref.moved": Kind(RefMoved, outside=True),
    "release.published": Kind(ReleasePublished, outside=True),
    "change.opened": Kind(Change, outside=True),
    "change.reviewed": Kind(ChangeReviewed, outside=True),
    "change.merged": Kind(ChangeMerged, outside=True),
    "build.finished": Kind(Check, outside=True),
    "test.finished": Kind(Check, outside=True),
    "check.finished": Kind(Check, outside=True),
    "artifact.published": Kind(ArtifactPublished, outside=True),
    "deployment.started": Kind(Deployment, outside=True),
    "deployment.step": Kind(Deployment, outside=True),
    "deployment.finished": Kind(Deployment, outside=True),
    "environment.snapshot": Kind(EnvironmentSnapshot, outside=True),
    "environment.changed": Kind(EnvironmentChanged, outside=True),
    "service.removed": Kind(ServiceRemoved, outside=True),
    "control.changed": Kind(ControlChanged, outside=True),
    "incident.opened": Kind(Incident, outside=True),
    "incident.resolved": Kind(Incident, outside=True),
    # Read from deliveries only.
    "change.updated": Kind(Change),
    "change.abandoned": Kind(Change),
    "release.changed": Kind(ReleasePublished),
    "check.started": Kind(Check),
    "pipeline.started": Kind(Pipeline),
    "pipeline.finished": Kind(Pipeline),
    "job.started": Kind(Job),
    "job.finished": Kind(Job),
    "deployment.reviewed": Kind(DeploymentReviewed),
    "source.pinged": Kind(SourcePinged),
    # The house about itself.
    "log.opened": Kind(LogOpened),
    "delivery.set_aside": Kind(DeliverySetAside),
    "source.added": Kind(SourceAdded),
    "source.changed": Kind(SourceAdded),
    "token.created": Kind(TokenCreated),
    "token.revoked": Kind(TokenCreated),
    "link.issued": Kind(LinkIssued),
    "session.started": Kind(SessionStarted),
    "session.ended": Kind(SessionStarted),
    "service.declared": Kind(ServiceDeclared),
    "environment.declared": Kind(EnvironmentDeclared),
    "reports.separated": Kind(ReportsSeparated),
    "subject.erased": Kind(SubjectErased),
}


def body_of(kind: str) -> type[Body] | None:
    """The type of a kind's fields; `Free` for x- kinds; None for a kind this version does not know."""
    if kind.startswith("x-"):
        return Free
    known = KINDS.get(kind)
    return known.body if known else None


def from_outside(kind: str) -> bool:
    """Whether a reporter may tell this kind. Everything else answers 403."""
    if kind.startswith("x-"):
        return True
    known = KINDS.get(kind)
    return known is not None and known.outside
