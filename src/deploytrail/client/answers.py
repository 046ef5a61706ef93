"""What a house answers, as frozen types. Fields that a later house adds are passed over.

Times are aware datetimes in UTC; what ends in `_ms` is milliseconds. Every text may be hostile: clean it
before a terminal or a page shows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every answer derives from."""


class Who(Said, frozen=True, kw_only=True):
    """A person as far as may be shown: `id` is the subject id, all else may be missing or erased."""

    id: str
    name: str | None = None
    login: str | None = None
    bot: bool = False
    erased: bool = False


class Person(Who, frozen=True, kw_only=True):
    """A person in a list; `index` is the first entry that names them, `known_as` what a word matched."""

    index: int
    known_as: list[str] = []


class Placed(Said, frozen=True, kw_only=True):
    """Where a fact stands. `repeat`: it stood there before; `reached`: how far it came."""

    index: int
    leaf: str = ""
    repeat: bool = False
    reached: str | None = None


class Problem(Said, frozen=True, kw_only=True):
    """Why something was not done. `line` counts the lines of one request from 1."""

    code: str
    detail: str = "refused"
    title: str = ""
    status: int = 0
    type: str = "about:blank"
    line: int | None = None


class DeploymentRow(Said, frozen=True, kw_only=True):
    """One deployment in a list. `at` is when it ended, else its last news."""

    key: str
    service: str
    environment: str
    mark: str
    status: str
    type: str
    at: datetime
    index: int
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    actor: Who | None = None
    attribution: str = "unknown"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    replaced_version: str | None = None


class Commit(Said, frozen=True, kw_only=True):
    """One commit that a deployment brought."""

    sha: str
    repository: str | None = None
    title: str | None = None
    author: Who | None = None
    attribution: str = "asserted"
    change: int | None = None
    reviewers: list[Who] = []
    index: int | None = None


class Check(Said, frozen=True, kw_only=True):
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
    at: datetime | None = None
    index: int = 0
    url: str | None = None


class Artifact(Said, frozen=True, kw_only=True):
    """An artifact that was published, as it was told first."""

    digest: str
    source: str
    at: datetime
    index: int
    name: str | None = None
    version: str | None = None
    sha: str | None = None
    actor: Who | None = None


class Step(Said, frozen=True, kw_only=True):
    """One line of a deployment's timeline, oldest first."""

    index: int
    kind: str
    at: datetime
    mark: str
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


class Report(Said, frozen=True, kw_only=True):
    """One source's report that was joined into a deployment, and why it was."""

    source: str
    name: str
    index: int
    because: str
    separable: bool = False


class Deployment(Said, frozen=True, kw_only=True):
    """One attempt to make an artifact run, told from all reports about it."""

    key: str
    service: str
    environment: str
    mark: str
    status: str
    type: str
    attribution: str
    at: datetime
    version: str | None = None
    artifact: str | None = None
    repository: str | None = None
    sha: str | None = None
    outcome: str | None = None
    actor: Who | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    replaced_key: str | None = None
    replaced_version: str | None = None
    replaced_ran_ms: int | None = None
    replaced_by: str | None = None
    running_now: bool = False
    commits: list[Commit] = []
    commits_known: bool = False
    commits_why: str | None = None
    commits_cut: int = 0
    checks: list[Check] = []
    published: Artifact | None = None
    steps: list[Step] = []
    reports: list[Report] = []
    url: str | None = None
    labels: dict[str, str] = {}
    index: int = 0
    proof: str = "recorded"
    leaf: str = ""
    checkpoint_size: int | None = None
    checkpoint_root: str | None = None


class Change(Said, frozen=True, kw_only=True):
    """One change in a list. `index` is the entry by which it was first heard of."""

    repository: str
    number: int
    state: str
    index: int
    title: str | None = None
    author: Who | None = None
    reviewers: list[Who] = []
    merged_by: Who | None = None
    merged_at: datetime | None = None
    sha: str | None = None
    head: str | None = None


class Service(Said, frozen=True, kw_only=True):
    """One service in a list; what nobody declared has its name alone."""

    name: str
    declared: bool = False
    owner: str | None = None
    repositories: list[str] = []
    aliases: list[str] = []


class Cell(Said, frozen=True, kw_only=True):
    """One service in one environment."""

    service: str
    environment: str
    mark: str
    word: str
    version: str | None = None
    artifact: str | None = None
    deployment: str | None = None
    actor: Who | None = None
    since: datetime | None = None


class Environment(Said, frozen=True, kw_only=True):
    """One environment and what runs in it. `type` is its class, None when nobody declared it."""

    name: str
    type: str | None = None
    rank: int | None = None
    aliases: list[str] = []
    services: int = 0
    running: int = 0
    failed: int = 0
    cells: list[Cell] = []


class TrailRow(Said, frozen=True, kw_only=True):
    """One entry as a line of the trail; `fields` are clear, `texts` opened, `people` by field."""

    index: int
    kind: str
    mark: str
    source: str
    received_at: datetime
    occurred_at: datetime | None = None
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
    proof: str = "recorded"


class PassedOver(Said, frozen=True, kw_only=True):
    """A deployment that is not to be gone back to, and why."""

    deployment: DeploymentRow
    why: str


class LastGood(Said, frozen=True, kw_only=True):
    """What to go back to. `deployment` is None when nothing good is known; `runs`: it is what runs now."""

    service: str
    environment: str
    deployment: DeploymentRow | None = None
    runs: bool = False
    running: DeploymentRow | None = None
    passed_over: list[PassedOver] = []


class Brought(Said, frozen=True, kw_only=True):
    """The commits between two deployments; `why` says how to know more when they are not `known`."""

    commits: list[Commit] = []
    known: bool = False
    why: str | None = None
    cut: int = 0


class ServiceChanged(Said, frozen=True, kw_only=True):
    """What changed of one service: `before` and `after` ran at the two ends, None where nothing did."""

    service: str
    before: DeploymentRow | None = None
    after: DeploymentRow | None = None
    deployments: list[DeploymentRow] = []
    more: bool = False
    brought: Brought
    changes: list[Change] = []


class WhatChanged(Said, frozen=True, kw_only=True):
    """What changed in an environment between two times."""

    environment: str
    since: datetime
    until: datetime
    services: list[ServiceChanged]


class Named(Said, frozen=True, kw_only=True):
    """One thing that a word of a question names: `sort` says what, `key` tells it from others of its sort."""

    sort: str
    key: str
    index: int | None = None
    number: int | None = None
    name: str | None = None
    place: str | None = None
    who: Who | None = None


# Single things.


class DeploymentPage(Said, frozen=True, kw_only=True):
    """Deployments, newest first; `next` goes on below the last."""

    deployments: list[DeploymentRow]
    next: str | None = None


class ServiceWhole(Said, frozen=True, kw_only=True):
    """One service: where it runs, its newest deployments and artifacts, and what waits for production."""

    name: str
    declared: bool = False
    owner: str | None = None
    repositories: list[str] = []
    artifact_names: list[str] = []
    aliases: list[str] = []
    cells: list[Cell] = []
    deployments: DeploymentPage
    waiting: list[Change] = []
    waiting_known: bool = False
    waiting_why: str | None = None
    artifacts: list[Artifact] = []


class Review(Said, frozen=True, kw_only=True):
    """The last word of one reviewer. `approval`: it counts as a yes."""

    who: Who
    at: datetime
    index: int
    verdict: str | None = None
    sha: str | None = None
    approval: bool = False


class Reached(Said, frozen=True, kw_only=True):
    """The first deployment known to have brought a change to an environment."""

    deployment: DeploymentRow
    took_ms: int | None = None
    named: bool = True


class ChangeWhole(Said, frozen=True, kw_only=True):
    """One change: who wrote, reviewed and merged it, and where it went."""

    repository: str
    number: int
    state: str
    services: list[str] = []
    title: str | None = None
    url: str | None = None
    author: Who | None = None
    merged_by: Who | None = None
    merged_at: datetime | None = None
    sha: str | None = None
    head: str | None = None
    into: str | None = None
    reviews: list[Review] = []
    commits: list[Commit] = []
    commits_told: int | None = None
    checks: list[Check] = []
    reached: list[Reached] = []
    reached_why: str | None = None
    trail: list[TrailRow] = []
    older: int | None = None


class ArtifactWhole(Said, frozen=True, kw_only=True):
    """One artifact, and the deployments that named it."""

    digest: str
    published: Artifact | None = None
    service: str | None = None
    repository: str | None = None
    provenance: str | None = None
    url: str | None = None
    commit: Commit | None = None
    deployments: list[DeploymentRow] = []
    runs_in: list[str] = []
    older: int | None = None


class Kept(Said, frozen=True, kw_only=True):
    """What one entry keeps of a person: the paths of sealed fields that can be opened."""

    index: int
    kind: str
    source: str
    received_at: datetime
    paths: list[str] = []
    body_until: datetime | None = None


class PersonWhole(Said, frozen=True, kw_only=True):
    """One person by subject id: what they did, newest first, and what is kept of them."""

    who: Who
    email: str | None = None
    first: int
    last: int
    erased: int | None = None
    trail: list[TrailRow] = []
    older: int | None = None
    kept: list[Kept] = []
    kept_older: int | None = None
