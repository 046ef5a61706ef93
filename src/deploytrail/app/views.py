"""What pages show: plain frozen rows, with sealed texts opened for those who may see them.

Times are UTC milliseconds since 1970. Every text may be hostile; doors escape, isolate and cut it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

# UTC milliseconds since 1970 here; doors that speak JSON write RFC 3339 and say so in their schemas.
Moment = Annotated[int, msgspec.Meta(extra_json_schema={"format": "date-time"})]

# The eight states of the interface, and "note" for a fact that has none.
Mark = Literal[
    "succeeded", "failed", "running", "waiting", "rolledback", "frozen", "unattributed", "unproven", "note"
]
Proof = Literal["recorded", "signed", "witnessed", "unproven", "broken"]


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every view derives from."""


class Who(View, frozen=True, kw_only=True):
    """A person as far as may be shown: `name` is None when erased or never told; `id` is the subject id."""

    id: str
    name: str | None = None
    login: str | None = None
    bot: bool = False
    erased: bool = False


class TrailRow(View, frozen=True, kw_only=True):
    """One entry as a line of the trail. The sentence is made by the template from kind and fields.

    `fields` holds clear fields of the entry's data by name; `texts` opened sealed ones by path within
    data ("title", "ref", "url", "description", ...), missing when erased; `people` the persons in data by
    field name ("author", "reviewer", "merged_by", "creator", ...). `service` and `environment` are the
    declared names after resolving aliases. `deployment` is our key of the deployment joined to.
    """

    index: int
    kind: str
    mark: Mark
    source: str
    received_at: Moment
    occurred_at: Moment | None = None
    actor: Who | None = None
    attribution: str = "unknown"
    service: str | None = None
    environment: str | None = None
    version: str | None = None
    deployment: str | None = None
    replaced: str | None = None
    fields: dict[str, Any] = {}
    texts: dict[str, str] = {}
    people: dict[str, Who] = {}
    proof: Proof = "recorded"


class TrailPage(View, frozen=True, kw_only=True):
    """A page of the trail, newest first. `older`: index to continue below; None at the end."""

    rows: list[TrailRow]
    up_to: int
    older: int | None = None
    services: list[str] = []
    environments: list[str] = []
    actors: list[Who] = []
    kinds: list[str] = []


class Filter(View, frozen=True, kw_only=True):
    """What a reader asked to see of the trail; all of them must match."""

    service: str | None = None
    environment: str | None = None
    actor: str | None = None
    kind: str | None = None
    outcome: str | None = None


class CommitView(View, frozen=True, kw_only=True):
    """One commit that a deployment brought."""

    sha: str
    repository: str | None = None
    title: str | None = None
    author: Who | None = None
    attribution: str = "asserted"
    change: int | None = None
    reviewers: list[Who] = []
    index: int | None = None


class CheckView(View, frozen=True, kw_only=True):
    """One build, test or check on the deployed commit."""

    name: str
    kind: str
    outcome: str | None = None
    status: str | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    duration_ms: int | None = None
    required: bool | None = None
    at: Moment | None = None
    index: int = 0
    url: str | None = None


class ArtifactView(View, frozen=True, kw_only=True):
    """An artifact that was published: told by `source` in entry `index`, at UTC milliseconds."""

    digest: str
    source: str
    at: Moment
    index: int
    name: str | None = None
    version: str | None = None
    sha: str | None = None
    actor: Who | None = None


class StepView(View, frozen=True, kw_only=True):
    """One line of a deployment's timeline, oldest first. `late_ms`: so much later it was reported."""

    index: int
    kind: str
    at: Moment
    mark: Mark
    source: str
    name: str | None = None
    status: str | None = None
    outcome: str | None = None
    actor: Who | None = None
    attribution: str = "unknown"
    duration_ms: int | None = None
    late_ms: int | None = None
    description: str | None = None
    url: str | None = None
    fields: dict[str, Any] = {}


class ReportView(View, frozen=True, kw_only=True):
    """One source's report that was joined into a deployment, and why it was."""

    source: str
    name: str
    index: int
    because: str
    separable: bool = False


class DeploymentView(View, frozen=True, kw_only=True):
    """One attempt to make an artifact run, told from all reports about it.

    `published` is the artifact that it names, or one that was built from its commit, if that was told.
    `commits_known` is False when ancestry since `replaced` is unknown; then `commits` holds what the
    reports named and `commits_why` says how to know more.
    """

    key: str
    service: str
    environment: str
    mark: Mark
    status: str
    type: str
    attribution: str
    at: Moment
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    outcome: str | None = None
    actor: Who | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    duration_ms: int | None = None
    replaced_key: str | None = None
    replaced_version: str | None = None
    replaced_ran_ms: int | None = None
    replaced_by: str | None = None
    running_now: bool = False
    commits: list[CommitView] = []
    commits_known: bool = False
    commits_why: str | None = None
    commits_cut: int = 0
    checks: list[CheckView] = []
    published: ArtifactView | None = None
    steps: list[StepView] = []
    reports: list[ReportView] = []
    url: str | None = None
    labels: dict[str, str] = {}
    index: int = 0
    proof: Proof = "recorded"
    leaf: str = ""
    checkpoint_size: int | None = None
    checkpoint_root: str | None = None


class CellView(View, frozen=True, kw_only=True):
    """One service in one environment."""

    service: str
    environment: str
    mark: Mark
    word: str
    version: str | None = None
    artifact: str | None = None
    deployment: str | None = None
    actor: Who | None = None
    since: Moment | None = None


class EnvironmentView(View, frozen=True, kw_only=True):
    """One environment and what runs in it. `type` is its class, None when nobody declared it."""

    name: str
    type: str | None = None
    rank: int | None = None
    aliases: list[str] = []
    services: int = 0
    running: int = 0
    failed: int = 0
    cells: list[CellView] = []


class LogView(View, frozen=True, kw_only=True):
    """The state of the log. `signer`: "signed", "behind" or "refused", with words."""

    origin: str
    vkey: str
    size: int
    root: str
    checkpoint_size: int | None = None
    checkpoint_root: str | None = None
    checkpoint_note: str | None = None
    signed_ms_ago: int | None = None
    signer: str = "signed"
    signer_words: str = ""
    followers: list[tuple[str, int, str]] = []
    refused_deliveries: int = 0


class AttentionView(View, frozen=True, kw_only=True):
    """One delivery that was set aside."""

    index: int
    source: str
    event: str
    reason: str
    size: int
    received_at: Moment
    delivery_id: str | None = None
    kept: bool = True


# Lists: one short view for each thing, and the cursor with which the next page goes on.


class DeploymentRow(View, frozen=True, kw_only=True):
    """One deployment in a list. `at` is when it ended, else its last news; `replaced_version` ran before."""

    key: str
    service: str
    environment: str
    mark: Mark
    status: str
    type: str
    at: Moment
    index: int
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    actor: Who | None = None
    attribution: str = "unknown"
    started_at: Moment | None = None
    finished_at: Moment | None = None
    duration_ms: int | None = None
    replaced_version: str | None = None


class DeploymentPage(View, frozen=True, kw_only=True):
    """Deployments, newest first. `next` goes on below the last; None: there is no more."""

    deployments: list[DeploymentRow]
    next: str | None = None


class DeploymentFilter(View, frozen=True, kw_only=True):
    """Which deployments are asked for; all of it must match. Times are inclusive."""

    service: str | None = None
    environment: str | None = None
    status: str | None = None
    since: Moment | None = None
    until: Moment | None = None


class ChangeRow(View, frozen=True, kw_only=True):
    """One change in a list. `index` is the entry by which it was first heard of."""

    repository: str
    number: int
    state: str
    index: int
    title: str | None = None
    author: Who | None = None
    reviewers: list[Who] = []
    merged_by: Who | None = None
    merged_at: Moment | None = None
    sha: str | None = None
    head: str | None = None


class ChangePage(View, frozen=True, kw_only=True):
    """Changes, newest first."""

    changes: list[ChangeRow]
    next: str | None = None


class ServiceRow(View, frozen=True, kw_only=True):
    """One service in a list; what nobody declared has its name alone."""

    name: str
    declared: bool = False
    owner: str | None = None
    repositories: list[str] = []
    aliases: list[str] = []


class ServicePage(View, frozen=True, kw_only=True):
    """Services by name."""

    services: list[ServiceRow]
    next: str | None = None


class PersonRow(View, frozen=True, kw_only=True):
    """One person in a list, as far as may be shown. `index` is the first entry that names them; `known_as`
    says what of the word that was asked for led here.
    """

    id: str
    index: int
    name: str | None = None
    login: str | None = None
    bot: bool = False
    erased: bool = False
    known_as: list[str] = []


class PersonPage(View, frozen=True, kw_only=True):
    """People, the newest known first. Nothing is counted: people are never ranked."""

    people: list[PersonRow]
    next: str | None = None


class EnvironmentPage(View, frozen=True, kw_only=True):
    """Environments by rank, then name; what nobody declared last."""

    environments: list[EnvironmentView]
    next: str | None = None


# Single things.


class ServiceView(View, frozen=True, kw_only=True):
    """One service. `cells` are by environment, `deployments` the newest.

    `waiting` are merged changes that production has not got yet; while that is not `waiting_known`,
    `waiting_why` says why.
    """

    name: str
    declared: bool = False
    owner: str | None = None
    repositories: list[str] = []
    artifact_names: list[str] = []
    aliases: list[str] = []
    cells: list[CellView] = []
    deployments: DeploymentPage
    waiting: list[ChangeRow] = []
    waiting_known: bool = False
    waiting_why: str | None = None
    artifacts: list[ArtifactView] = []


class ReviewView(View, frozen=True, kw_only=True):
    """The last word of one reviewer, in entry `index`. `approval`: it counts as a yes."""

    who: Who
    at: Moment
    index: int
    verdict: str | None = None
    sha: str | None = None
    approval: bool = False


class ReachedView(View, frozen=True, kw_only=True):
    """The first deployment known to have brought a change to an environment.

    `took_ms`: from the merge to its end, None where that is unknown. `named`: a report names the merge
    commit itself; else it follows from the history of commits.
    """

    deployment: DeploymentRow
    took_ms: int | None = None
    named: bool = True


class ChangeView(View, frozen=True, kw_only=True):
    """One change: who wrote, reviewed and merged it, and where it went.

    `into` is the branch it went into. `reached_why` says why it may have reached more than is known.
    `trail` are the newest lines about it, `older` the index to go on below.
    """

    repository: str
    number: int
    state: str
    services: list[str] = []
    title: str | None = None
    url: str | None = None
    author: Who | None = None
    merged_by: Who | None = None
    merged_at: Moment | None = None
    sha: str | None = None
    head: str | None = None
    into: str | None = None
    reviews: list[ReviewView] = []
    commits: list[CommitView] = []
    commits_told: int | None = None
    checks: list[CheckView] = []
    reached: list[ReachedView] = []
    reached_why: str | None = None
    trail: list[TrailRow] = []
    older: int | None = None


class PublishedView(View, frozen=True, kw_only=True):
    """One artifact, and the deployments that named it, those with the newest facts first.

    `published` is None for a digest that was deployed and never told to be published. `provenance` is what
    its publisher said about where it comes from. `older`: the index to go on below.
    """

    digest: str
    published: ArtifactView | None = None
    service: str | None = None
    repository: str | None = None
    provenance: str | None = None
    url: str | None = None
    commit: CommitView | None = None
    deployments: list[DeploymentRow] = []
    runs_in: list[str] = []
    older: int | None = None


class KeptView(View, frozen=True, kw_only=True):
    """What one entry keeps of a person: the paths of sealed fields under their key that can be opened.

    `body_until`: the raw delivery that led to it is kept until then at the latest; None when none is.
    """

    index: int
    kind: str
    source: str
    received_at: Moment
    paths: list[str] = []
    body_until: Moment | None = None


class PersonView(View, frozen=True, kw_only=True):
    """One person by subject id, with what they are called as far as may be shown.

    `first` and `last` are the entries that name them; `erased` the one that erased them. `trail` is what they
    did, newest first, `older` the index to go on below; `kept` what is kept of them, and `kept_older`.
    """

    who: Who
    email: str | None = None
    first: int
    last: int
    erased: int | None = None
    trail: list[TrailRow] = []
    older: int | None = None
    kept: list[KeptView] = []
    kept_older: int | None = None


# Questions.


class PassedOver(View, frozen=True, kw_only=True):
    """A deployment that is not to be gone back to, and why."""

    deployment: DeploymentRow
    why: str


class LastGood(View, frozen=True, kw_only=True):
    """What to go back to. `deployment` is None when nothing good is known; `runs`: it is what runs now."""

    service: str
    environment: str
    deployment: DeploymentRow | None = None
    runs: bool = False
    running: DeploymentRow | None = None
    passed_over: list[PassedOver] = []


class Brought(View, frozen=True, kw_only=True):
    """The commits that lie between two deployments; `why` says how to know more when they are not `known`."""

    commits: list[CommitView] = []
    known: bool = False
    why: str | None = None
    cut: int = 0


class ServiceChanged(View, frozen=True, kw_only=True):
    """What changed of one service: `before` and `after` ran at the two ends, None where nothing did.

    `deployments` are the attempts between, newest first, at most twenty; `more` if there were others.
    """

    service: str
    before: DeploymentRow | None = None
    after: DeploymentRow | None = None
    deployments: list[DeploymentRow] = []
    more: bool = False
    brought: Brought
    changes: list[ChangeRow] = []


class WhatChanged(View, frozen=True, kw_only=True):
    """What changed in an environment from `since` to `until`: each service that runs something else now."""

    environment: str
    since: Moment
    until: Moment
    services: list[ServiceChanged]
    next: str | None = None


# Search.


class Named(View, frozen=True, kw_only=True):
    """One thing that a word of a question names: `sort` says what, `key` tells it from others of its sort.

    The key of a service or environment is its name, of a commit or artifact the whole sha or digest, of a
    person the subject id, of a deployment our key; a change has its repository and number. `index` is the
    newest entry about it.
    """

    sort: Literal["service", "environment", "deployment", "change", "artifact", "person", "commit"]
    key: str
    index: int | None = None
    number: int | None = None
    name: str | None = None
    place: str | None = None
    who: Who | None = None


class SearchPage(View, frozen=True, kw_only=True):
    """What a question finds, newest first. `older`: index to continue below; None at the end.

    `up_to` entries of the log's `size` can be found yet. `cut` are first signs that more begins with than
    is looked at, `left_out` words beyond the most that a question may have.
    """

    question: str
    rows: list[TrailRow] = []
    answers: list[Named] = []
    older: int | None = None
    up_to: int = 0
    size: int = 0
    cut: list[str] = []
    left_out: list[str] = []
