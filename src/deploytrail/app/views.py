"""What pages show: plain frozen rows, with sealed texts opened for those who may see them.

Times are UTC milliseconds since 1970. Every text may be hostile; doors escape, isolate and cut it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

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
    received_at: int
    occurred_at: int | None = None
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
    at: int | None = None
    index: int = 0
    url: str | None = None


class ArtifactView(View, frozen=True, kw_only=True):
    """An artifact that was published: told by `source` in entry `index`, at UTC milliseconds."""

    digest: str
    source: str
    at: int
    index: int
    name: str | None = None
    version: str | None = None
    sha: str | None = None
    actor: Who | None = None


class StepView(View, frozen=True, kw_only=True):
    """One line of a deployment's timeline, oldest first. `late_ms`: so much later it was reported."""

    index: int
    kind: str
    at: int
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
    at: int
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    outcome: str | None = None
    actor: Who | None = None
    started_at: int | None = None
    finished_at: int | None = None
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
    since: int | None = None


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
    received_at: int
    delivery_id: str | None = None
    kept: bool = True
