"""GitHub Actions: runs of workflows, and their jobs with their steps."""

from __future__ import annotations

from typing import Any, Final

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.facts.kinds import Step
from deploytrail.intake.fields import (
    clear,
    count,
    duration,
    inside,
    items,
    json_size,
    moment,
    number,
    sealed,
    sha,
    texts,
    time,
    word,
)
from deploytrail.intake.github.heard import Heard, outcome

_MAX_STEPS: Final = 200
_STEP_BYTES: Final = 24_000
_MAX_CHANGES: Final = 100
_MAX_NAMES: Final = 100
_NAME_BYTES: Final = 8_000


def workflow_run(heard: Heard) -> list[Draft]:
    """pipeline.finished when the run is completed, else pipeline.started."""
    told = inside(heard.body, "workflow_run")
    finished = _finished(heard, told)
    state, conclusion = word(told.get("status")), word(told.get("conclusion"))
    started, updated = told.get("run_started_at") or told.get("created_at"), told.get("updated_at")
    name, title = _names(heard, told)
    run, attempt = number(told.get("id")), count(told.get("run_attempt"))
    fields = {
        "repository": heard.needed_repository(),
        "run": _needed(run, "run"),
        "number": count(told.get("run_number")),
        "attempt": attempt,
        "name": name,
        "path": clear(told.get("path")),
        "trigger": clear(told.get("event")),
        "sha": sha(told.get("head_sha")),
        "ref": clear(told.get("head_branch")),
        "action": heard.action,
        "status": (conclusion if finished else None) or state,
        "outcome": outcome(conclusion) if finished else None,
        "started_at": time(started),
        "duration_ms": duration(started, updated) if finished else None,
        "changes": _changes(told),
        "workflows": _workflows(told),
        "owner": heard.person(told.get("actor")),
        "triggered_by": heard.person(told.get("triggering_actor")),
        "title": title,
        "url": sealed(told.get("html_url")),
    }
    key = heard.key(run, attempt, heard.action, state, clear(updated))
    return [
        heard.draft("pipeline.finished" if finished else "pipeline.started", key, moment(updated), fields)
    ]


def workflow_job(heard: Heard) -> list[Draft]:
    """job.finished when the job is completed, else job.started (also while it is queued or waits)."""
    told, deployment = inside(heard.body, "workflow_job"), inside(heard.body, "deployment")
    finished = _finished(heard, told)
    state, conclusion = word(told.get("status")), word(told.get("conclusion"))
    job, attempt = number(told.get("id")), count(told.get("run_attempt"))
    aside: dict[str, Any] = {}
    fields = {
        "repository": heard.needed_repository(),
        "run": _needed(number(told.get("run_id")), "run"),
        "job": _needed(job, "job"),
        "attempt": attempt,
        "name": clear(told.get("name")),
        "pipeline": clear(told.get("workflow_name")),
        "environment": clear(deployment.get("environment")),
        "deployment": number(deployment.get("id")),
        "sha": sha(told.get("head_sha")),
        "ref": clear(told.get("head_branch")),
        "status": (conclusion if finished else None) or state,
        "outcome": outcome(conclusion) if finished else None,
        "runner": clear(told.get("runner_name")),
        "tags": texts(told.get("labels"), _MAX_NAMES, _NAME_BYTES),
        "started_at": time(told.get("started_at")),
        "completed_at": time(told.get("completed_at")),
        "duration_ms": duration(told.get("started_at"), told.get("completed_at")) if finished else None,
        "steps": _steps(heard, told, aside) or None,
        "url": sealed(told.get("html_url")),
    }
    when = told.get("completed_at") if finished else told.get("started_at") or told.get("created_at")
    key = heard.key(job, attempt, heard.action, state, clear(when))
    return [
        heard.draft("job.finished" if finished else "job.started", key, moment(when), fields, aside=aside)
    ]


def _finished(heard: Heard, told: dict[str, Any]) -> bool:
    return "completed" in (heard.action, told.get("status"))


def _needed(found: str | None, what: str) -> str:
    if found is None:
        raise Refused("bad-input", f"The delivery does not say which {what} it is about.")
    return found


def _names(heard: Heard, told: dict[str, Any]) -> tuple[str | None, str | None]:
    """The workflow's name, and the run's own title.

    A workflow may name its runs after whoever started them (`run-name`); then GitHub writes that into the
    run's `name` too. So only the workflow's own name is clear, or a run's name that is no title.
    """
    name, title = sealed(told.get("name")), sealed(told.get("display_title"))
    workflow = clear(inside(heard.body, "workflow").get("name"))
    if workflow is not None:
        return workflow, name if name is not None and name != workflow else title
    return (None, name) if name == title else (clear(name), title)


def _changes(told: dict[str, Any]) -> list[int] | None:
    """The numbers of the pull requests that a run is about."""
    found = (count(inside(item).get("number")) for item in items(told.get("pull_requests"), _MAX_CHANGES))
    return [one for one in found if one is not None] or None


def _workflows(told: dict[str, Any]) -> list[str] | None:
    """The workflows that a run called, each with the commit it was read from."""
    called = [inside(item) for item in items(told.get("referenced_workflows"), _MAX_NAMES)]
    named = [" ".join(filter(None, (clear(one.get("path")), sha(one.get("sha"))))) for one in called]
    return texts(named, _MAX_NAMES, _NAME_BYTES)


def _steps(heard: Heard, told: dict[str, Any], aside: dict[str, Any]) -> list[Step]:
    """The steps of a job as far as one entry holds them. A name that names somebody goes to `aside`."""
    kept: list[Step] = []
    room = _STEP_BYTES
    for item in items(told.get("steps"), _MAX_STEPS):
        raw = inside(item)
        state, conclusion = word(raw.get("status")), word(raw.get("conclusion"))
        name = clear(raw.get("name"))
        if name is not None and heard.names_somebody(name):
            aside[f"steps.{len(kept)}.name"] = name
            name = None
        step = Step(
            number=count(raw.get("number")),
            name=name,
            status=conclusion or state,
            outcome=outcome(conclusion),
            started_at=time(raw.get("started_at")),
            completed_at=time(raw.get("completed_at")),
        )
        room -= json_size(step)
        if room < 0:
            break
        kept.append(step)
    return kept
