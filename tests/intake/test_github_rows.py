"""Every path that the integration paper names for GitHub stands in the fact, wherever a sample contains it.

The paper's table of GitHub's fields is the list ROWS: event, samples, path in the body, and where in the
draft its value must be found (any of several places, split by |). A draft is told as {kind, id, occurred_at,
actor, data, free, unknown}; `free` is the caller's own data and `unknown` what is sealed for the sake of a
person.
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any, NamedTuple

import pytest

from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.intake.delivery import Reading
from deploytrail.intake.github import GitHub
from tests.intake.deliveries import Sample, delivery, look, own_samples, samples, told

# GitHub's words for outcomes, and ours.
OUTCOMES = {"success": "succeeded", "failure": "failed", "error": "failed", "timed_out": "failed"}
VERDICTS = {"changes_requested": "changes requested"}


class Row(NamedTuple):
    """One path of the table."""

    event: str
    path: str
    where: str
    names: str = "*"


def rows(event: str, names: str, *paths: tuple[str, str]) -> list[Row]:
    """Rows of one event, for the samples whose names match."""
    return [Row(event, path, where, names) for path, where in paths]


ROWS = [
    # Who pushed, authenticated; and what the commits claim.
    *rows(
        "push",
        "*",
        ("sender.login", "actor.login"),
        ("sender.id", "unknown.sender_id"),
        ("pusher.name", "actor.login | data.pusher.login"),
        ("pusher.email", "actor.email | data.pusher.email"),
        ("after", "data.after | data.deleted"),
        ("before", "data.before | data.created"),
        ("ref", "data.ref"),
        ("forced", "data.forced"),
        ("created", "data.created"),
        ("deleted", "data.deleted | kind"),
        ("head_commit.id", "data.commits[].sha"),
        ("head_commit.timestamp", "data.commits[].committed_at"),
        ("head_commit.author.name", "data.commits[].author.name"),
        ("head_commit.author.email", "data.commits[].author.email"),
        ("head_commit.author.username", "data.commits[].author.login"),
        ("head_commit.committer.name", "data.commits[].committer.name"),
        ("head_commit.committer.email", "data.commits[].committer.email"),
        ("head_commit.committer.username", "data.commits[].committer.login"),
        ("commits[].id", "data.commits[].sha"),
        ("commits[].timestamp", "data.commits[].committed_at"),
        ("commits[].author.email", "data.commits[].author.email"),
        ("commits[].committer.email", "data.commits[].committer.email"),
        ("commits[].added[]", "data.commits[].paths[]"),
        ("commits[].modified[]", "data.commits[].paths[]"),
        ("commits[].removed[]", "data.commits[].paths[]"),
    ),
    # Pull request, and who merged it.
    *rows(
        "pull_request",
        "*",
        ("action", "data.action | kind"),
        ("pull_request.number", "data.number"),
        ("pull_request.user.login", "data.author.login"),
        ("pull_request.head.sha", "data.sha | data.head"),
        ("pull_request.base.ref", "data.base"),
        ("pull_request.merged", "kind"),
        ("pull_request.merged_at", "data.merged_at"),
        ("pull_request.merged_by.login", "data.merged_by.login"),
        ("pull_request.merge_commit_sha", "data.sha | data.merge_sha"),
        ("pull_request.requested_reviewers[].login", "data.reviewers[].login"),
        ("sender.login", "actor.login"),
    ),
    *rows("pull_request", "*merged*", ("pull_request.merge_commit_sha", "data.sha")),
    # Reviews, and the head beside the commit reviewed, by which a stale approval shows.
    *rows(
        "pull_request_review",
        "*",
        ("review.user.login", "data.reviewer.login"),
        ("review.state", "data.verdict"),
        ("review.commit_id", "data.sha"),
        ("review.submitted_at", "data.submitted_at"),
        ("pull_request.head.sha", "data.head"),
        ("pull_request.number", "data.number"),
    ),
    # Pipeline; a re-run is an attempt above 1, perhaps triggered by somebody else.
    *rows(
        "workflow_run",
        "*",
        ("workflow_run.id", "data.run"),
        ("workflow_run.name", "data.name | data.title"),
        ("workflow_run.path", "data.path"),
        ("workflow_run.event", "data.trigger"),
        ("workflow_run.head_sha", "data.sha"),
        ("workflow_run.run_attempt", "data.attempt"),
        ("workflow_run.status", "data.status | kind"),
        ("workflow_run.conclusion", "data.outcome"),
        ("workflow_run.actor.login", "data.owner.login"),
        ("workflow_run.triggering_actor.login", "data.triggered_by.login"),
        ("workflow_run.run_started_at", "data.started_at"),
        ("workflow_run.updated_at", "occurred_at"),
        ("workflow_run.pull_requests[].number", "data.changes[]"),
        ("workflow_run.referenced_workflows[].path", "data.workflows[]"),
        ("workflow_run.referenced_workflows[].sha", "data.workflows[]"),
    ),
    # Job and duration; the deployment, when the job targets an environment.
    *rows(
        "workflow_job",
        "*",
        ("workflow_job.id", "data.job"),
        ("workflow_job.run_id", "data.run"),
        ("workflow_job.run_attempt", "data.attempt"),
        ("workflow_job.name", "data.name"),
        ("workflow_job.status", "data.status | kind"),
        ("workflow_job.conclusion", "data.outcome"),
        ("workflow_job.started_at", "data.started_at"),
        ("workflow_job.completed_at", "data.completed_at"),
        ("workflow_job.steps[].name", "data.steps[].name | unknown.steps.1.name"),
        ("workflow_job.steps[].number", "data.steps[].number"),
        ("workflow_job.steps[].conclusion", "data.steps[].outcome"),
        ("workflow_job.steps[].started_at", "data.steps[].started_at"),
        ("workflow_job.steps[].completed_at", "data.steps[].completed_at"),
        ("workflow_job.runner_name", "data.runner"),
        ("workflow_job.labels[]", "data.tags[]"),
        ("deployment.id", "data.deployment"),
        ("deployment.environment", "data.environment"),
    ),
    # Checks.
    *rows(
        "check_run",
        "*",
        ("check_run.name", "data.name"),
        ("check_run.conclusion", "data.outcome | data.status"),
        ("check_run.output.title", "data.title"),
        ("check_run.output.summary", "data.summary"),
        ("check_run.output.text", "data.text"),
        ("check_run.output.annotations_count", "data.annotations"),
        ("check_run.app.slug", "data.app"),
        ("check_run.head_sha", "data.sha"),
    ),
    *rows(
        "check_suite",
        "*",
        ("check_suite.conclusion", "data.outcome"),
        ("check_suite.head_sha", "data.sha"),
        ("check_suite.app.slug", "data.app"),
    ),
    *rows(
        "status",
        "*",
        ("sha", "data.sha"),
        ("state", "data.outcome | data.status"),
        ("context", "data.name"),
    ),
    # Deployment, and where callers put an artifact's digest.
    *rows(
        "deployment",
        "*",
        ("deployment.id", "data.deployment"),
        ("deployment.sha", "data.commits[].sha"),
        ("deployment.ref", "data.ref"),
        ("deployment.environment", "data.environment"),
        ("deployment.original_environment", "data.environment | data.original_environment"),
        ("deployment.task", "data.task"),
        ("deployment.payload", "free"),
        ("deployment.payload.digest", "data.artifact"),
        ("deployment.payload.version", "data.version"),
        ("deployment.creator.login", "data.creator.login"),
        ("deployment.production_environment", "data.production"),
        ("deployment.created_at", "occurred_at"),
        ("deployment.description", "data.description"),
        ("deployment.performed_via_github_app.slug", "data.via_app"),
        ("workflow_run.id", "data.run"),
    ),
    *rows(
        "deployment_status",
        "*",
        ("deployment_status.id", "data.report"),
        ("deployment_status.state", "data.outcome | data.status"),
        ("deployment_status.environment", "data.environment"),
        ("deployment_status.log_url", "data.log_url"),
        ("deployment_status.environment_url", "data.url"),
        ("deployment_status.creator.login", "data.creator.login"),
        ("deployment_status.created_at", "occurred_at"),
        ("deployment.id", "data.deployment"),
        ("deployment.sha", "data.commits[].sha"),
        ("deployment.creator.login", "data.requestor.login"),
        ("deployment.payload", "free"),
        ("workflow_run.id", "data.run"),
        ("check_run.id", "data.check"),
    ),
    # Approval at GitHub's own gate.
    *rows(
        "deployment_review",
        "*",
        ("action", "data.verdict"),
        ("environment", "data.environment"),
        ("requestor.login", "data.requestor.login"),
        ("approver.login", "data.approver.login"),
        ("comment", "data.comment"),
        ("reviewers[].reviewer.login", "data.reviewers[].login"),
        ("reviewers[].reviewer.slug", "data.teams[]"),
        ("since", "data.since"),
        ("workflow_job_run.id", "data.job_ids[]"),
        ("workflow_job_run.name", "data.jobs[]"),
        ("workflow_job_runs[].id", "data.job_ids[]"),
        ("workflow_job_runs[].name", "data.jobs[]"),
        ("workflow_job_runs[].environment", "data.environment"),
        ("workflow_run.id", "data.run"),
        ("workflow_run.run_attempt", "data.attempt"),
        ("workflow_run.head_sha", "data.sha"),
    ),
    # Rules and their changes.
    *rows(
        "repository_ruleset",
        "*",
        ("repository_ruleset.name", "data.name"),
        ("repository_ruleset.enforcement", "data.after"),
        ("repository_ruleset.rules[].type", "data.after"),
        ("changes.enforcement.from", "data.before"),
        ("changes.rules.deleted[].type", "data.before"),
    ),
    *rows(
        "branch_protection_rule",
        "*",
        ("rule.name", "data.name"),
        ("rule.required_status_checks[]", "data.after | data.before"),
        ("rule.authorized_actor_names[]", "data.members[].login"),
        ("changes.authorized_actor_names.from[]", "data.former_members[].login"),
        ("changes.required_approving_review_count.from", "data.before"),
    ),
]


def says(raw: Any, found: Any) -> bool:
    """Whether a value of the fact says what GitHub said, in the house's spelling."""
    if isinstance(raw, bool) or raw is None:
        # A switch that names the kind is told by the kind: deleted, merged.
        return raw == found or (isinstance(found, str) and _kind_says(raw, found))
    if isinstance(raw, dict | list) or isinstance(found, dict | list):
        return bool(raw == found)
    if isinstance(raw, str) and set(raw) == {"0"} and isinstance(found, bool):
        return found
    if str(raw) == str(found):
        return True
    if isinstance(raw, str) and isinstance(found, str):
        words = (OUTCOMES.get(raw), VERDICTS.get(raw), raw.lower())
        return (
            found in words
            or _kind_says(raw, found)
            or _moment(raw) == _moment(found) is not None
            or _within(raw, found)
        )
    if isinstance(raw, str) and isinstance(found, int):
        return _moment(raw) == found
    return _within(str(raw), str(found))


def _kind_says(raw: Any, kind: str) -> bool:
    if kind.startswith("change."):
        ended = {"change.merged": (True, "closed"), "change.abandoned": (False, "closed")}.get(kind, (False,))
        return raw in ended
    if kind == "commit.pushed":
        return raw is False
    return kind in ("job.finished", "pipeline.finished") and raw == "completed"


def _moment(text: str) -> int | None:
    try:
        return times.parse(text)
    except Refused:
        return None


def _within(raw: str, found: str) -> bool:
    """A value inside a longer text: a setting in JSON, an id in a key, a path beside its commit."""
    marked = (
        found.replace('"', " ")
        .replace(":", " ")
        .replace(",", " ")
        .replace("[", " ")
        .replace("]", " ")
        .split()
    )
    return raw in marked or f'"{raw}"' in found


def read(one: Sample) -> Reading:
    """What GitHub's source makes of a sample."""
    return GitHub().read(delivery(one.event, one.body))


def _drafts(one: Sample) -> list[dict[str, Any]]:
    drafts = []
    for draft in read(one).drafts:
        plain = told(draft)
        # Names with a dot are no paths here.
        plain["unknown"] = {name.replace("sender.id", "sender_id"): v for name, v in plain["unknown"].items()}
        steps = [v for name, v in plain["unknown"].items() if name.startswith("steps.")]
        plain["unknown"]["steps"] = {"1": {"name": steps}}
        drafts.append(plain)
    return drafts


def missing(one: Sample, row: Row) -> list[Any]:
    """The values of a row's path in a sample that no draft tells."""
    drafts = _drafts(one)
    found = [
        value
        for draft in drafts
        for place in row.where.split("|")
        for hit in look(draft, place.strip())
        for value in (hit if isinstance(hit, list) else [hit])
    ]
    return [raw for raw in look(one.decoded(), row.path) if not any(says(raw, value) for value in found)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.event}:{row.path}")
def test_every_row_stands_in_the_fact_of_every_sample_that_contains_it(row: Row) -> None:
    contained = 0
    for one in samples():
        if one.event != row.event or not fnmatch(one.name, row.names) or not look(one.decoded(), row.path):
            continue
        contained += 1
        assert missing(one, row) == [], f"{one.name}: {row.path} is not at {row.where}"
    assert contained > 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.event}:{row.path}")
def test_the_project_has_a_sample_of_its_own_for_every_row(row: Row) -> None:
    own = [one for one in own_samples() if one.event == row.event and fnmatch(one.name, row.names)]
    assert any(look(one.decoded(), row.path) for one in own)


def test_the_comparison_notices_what_is_missing() -> None:
    one = next(one for one in own_samples() if one.name == "deployment.created")
    assert missing(one, Row("deployment", "deployment.sha", "data.artifact"))
    assert missing(one, Row("deployment", "deployment.created_at", "data.ref"))
    assert not missing(one, Row("deployment", "deployment.sha", "data.commits[].sha"))
