"""Deployments, their statuses, and the reviews of GitHub's own gate."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.facts.kinds import CommitName
from deploytrail.intake.fields import (
    as_json,
    clear,
    count,
    digest,
    duration,
    flag,
    inside,
    items,
    moment,
    number,
    sealed,
    sha,
    texts,
    time,
    word,
)
from deploytrail.intake.github.heard import Heard, outcome

# The states that end a deployment. Every other one, also one that GitHub invents tomorrow, is a step.
_ENDS: Final = ("success", "failure", "error")
# Where callers of the API put the artifact's digest; GitHub itself has no place for it.
_DIGESTS: Final = ("digest", "artifact", "image", "artifact_digest", "image_digest")
_MAX_DATA: Final = 200_000
_MAX_REVIEWERS: Final = 50
_MAX_JOBS: Final = 50
_NAME_BYTES: Final = 8_000


def deployment(heard: Heard) -> list[Draft]:
    """deployment.started. Whoever may write deployments can make one, with no run behind it."""
    told = inside(heard.body, "deployment")
    fields = _shared(heard, told, clear(told.get("environment"))) | {
        "creator": heard.person(told.get("creator")),
        "via_app": _app(told),
        "description": sealed(told.get("description")),
    }
    started = heard.action in (None, "created")
    if not started:
        fields |= {"name": heard.action, "status": heard.action}
    when = told.get("created_at" if started else "updated_at")
    key = heard.key(fields["deployment"], heard.action)
    kind = "deployment.started" if started else "deployment.step"
    return [heard.draft(kind, key, moment(when), fields, data=_payload(told))]


def deployment_status(heard: Heard) -> list[Draft]:
    """deployment.finished for success, failure and error; deployment.step for every other state."""
    told, about = inside(heard.body, "deployment_status"), inside(heard.body, "deployment")
    state = word(told.get("state"))
    finished = state in _ENDS
    environment = clear(told.get("environment")) or clear(about.get("environment"))
    when = told.get("created_at") or told.get("updated_at")
    fields = _shared(heard, about, environment) | {
        "status": state,
        "report": number(told.get("id")),
        "creator": heard.person(told.get("creator")),
        "requestor": heard.person(about.get("creator")),
        "via_app": _app(told if "performed_via_github_app" in told else about),
        "check": number(inside(heard.body, "check_run").get("id")),
        "description": sealed(told.get("description")) or sealed(about.get("description")),
        "url": sealed(told.get("environment_url")),
        "log_url": sealed(told.get("log_url")) or sealed(told.get("target_url")),
    }
    if finished:
        fields |= {"outcome": outcome(state), "duration_ms": duration(about.get("created_at"), when)}
    else:
        fields["name"] = state
    kind = "deployment.finished" if finished else "deployment.step"
    key = heard.key(number(told.get("id")), state)
    return [heard.draft(kind, key, moment(when), fields, data=_payload(about))]


def deployment_review(heard: Heard) -> list[Draft]:
    """deployment.reviewed, one for each environment that was asked for, approved or rejected."""
    if heard.action is None:
        raise Refused("bad-input", "The delivery does not say whether the deployment was approved.")
    found = _environments(heard)
    return [_reviewed(heard, heard.action, environment, jobs) for environment, jobs in found.items()]


def _reviewed(heard: Heard, verdict: str, environment: str, jobs: list[dict[str, Any]]) -> Draft:
    body, told = heard.body, inside(heard.body, "workflow_run")
    since = body.get("since")
    run, attempt = number(told.get("id")), count(told.get("run_attempt"))
    job_ids = texts([number(job.get("id")) for job in jobs], _MAX_JOBS, _NAME_BYTES)
    people, teams = _reviewers(heard)
    links = [url for item in (*jobs, told) if (url := sealed(item.get("html_url")))]
    fields = {
        "environment": environment,
        "repository": heard.repository,
        "verdict": verdict,
        "run": run,
        "attempt": attempt,
        "sha": sha(told.get("head_sha")),
        "since": time(since),
        "jobs": texts([job.get("name") for job in jobs], _MAX_JOBS, _NAME_BYTES),
        "job_ids": job_ids,
        "approver": heard.person(body.get("approver")),
        "requestor": heard.person(body.get("requestor")),
        "reviewers": people or None,
        "teams": texts(teams, _MAX_REVIEWERS, _NAME_BYTES),
        "comment": sealed(body.get("comment")),
        "url": links[0] if links else None,
    }
    # A verdict has no time of its own: the jobs that it let go or stopped were updated then.
    times = [ms for job in jobs if (ms := moment(job.get("updated_at"))) is not None]
    occurred = moment(since) if verdict == "requested" else max(times, default=moment(told.get("updated_at")))
    first = job_ids[0] if job_ids else None
    key = heard.key(run, attempt, verdict, environment, first, clear(since), occurred)
    return heard.draft("deployment.reviewed", key, occurred, fields)


def _shared(heard: Heard, told: dict[str, Any], environment: str | None) -> dict[str, Any]:
    """What every fact about a deployment says."""
    name, original = number(told.get("id")), clear(told.get("original_environment"))
    environment = environment or original
    if name is None or environment is None:
        raise Refused("bad-input", "The delivery does not say which deployment it is about, or where.")
    repository = heard.needed_repository()
    commit = sha(told.get("sha"))
    run = inside(heard.body, "workflow_run")
    payload = _opened(told.get("payload"))
    return {
        "deployment": name,
        "service": heard.service or repository,
        "environment": environment,
        "original_environment": original if original != environment else None,
        "repository": repository,
        "artifact": next((found for name in _DIGESTS if (found := digest(payload.get(name)))), None),
        "version": number(payload.get("version")),
        "commits": [CommitName(repository=repository, sha=commit)] if commit else None,
        "ref": clear(told.get("ref")),
        "task": clear(told.get("task")),
        "run": number(run.get("id")),
        "attempt": count(run.get("run_attempt")),
        "production": flag(told.get("production_environment")),
    }


def _app(told: dict[str, Any]) -> str | None:
    return clear(inside(told, "performed_via_github_app").get("slug"))


def _opened(payload: Any) -> dict[str, Any]:
    """The caller's own data about a deployment: an object, or the JSON text of one."""
    if isinstance(payload, str) and payload.lstrip().startswith("{") and len(payload) <= _MAX_DATA:
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return inside(payload)


def _payload(told: dict[str, Any]) -> str | None:
    """All of the caller's data, for the fact's sealed data."""
    payload = told.get("payload")
    return as_json(payload, _MAX_DATA) if payload else None


def _environments(heard: Heard) -> dict[str, list[dict[str, Any]]]:
    """The environments of a review, each with the jobs that wait for it."""
    several = items(heard.body.get("workflow_job_runs"), _MAX_JOBS) or [heard.body.get("workflow_job_run")]
    found: dict[str, list[dict[str, Any]]] = {}
    for item in several:
        job = inside(item)
        environment = clear(job.get("environment")) or clear(heard.body.get("environment"))
        if environment is not None:
            found.setdefault(environment, []).append(job)
    if not found:
        raise Refused("bad-input", "The delivery does not say which environment was reviewed.")
    return found


def _reviewers(heard: Heard) -> tuple[list[Any], list[Any]]:
    """Who may review: persons, and the names of teams."""
    people, teams = [], []
    for item in items(heard.body.get("reviewers"), _MAX_REVIEWERS):
        told = inside(item)
        reviewer = inside(told, "reviewer")
        if told.get("type") == "Team" or "login" not in reviewer:
            teams.append(reviewer.get("slug") or reviewer.get("name"))
        elif person := heard.person(reviewer):
            people.append(person)
    return people, teams
