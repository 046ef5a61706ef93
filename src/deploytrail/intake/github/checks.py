"""What was said about commits: check runs, check suites and commit statuses."""

from __future__ import annotations

from typing import Any, Final

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.intake.fields import clear, count, duration, inside, items, moment, number, sealed, sha, word
from deploytrail.intake.github.heard import Heard, outcome

# Asked for again: what GitHub shows beside it is the outcome of before.
_AGAIN: Final = ("rerequested", "requested_action")


def check_run(heard: Heard) -> list[Draft]:
    """check.finished when the run is completed, else check.started."""
    told = inside(heard.body, "check_run")
    output = inside(told, "output")
    finished = _finished(heard, told)
    fields = _shared(heard, told, finished) | {
        "name": clear(told.get("name")),
        "ref": clear(inside(told, "check_suite").get("head_branch")),
        "duration_ms": duration(told.get("started_at"), told.get("completed_at")) if finished else None,
        "title": sealed(output.get("title")),
        "summary": sealed(output.get("summary")),
        "text": sealed(output.get("text")),
        "annotations": count(output.get("annotations_count")),
        "url": sealed(told.get("html_url")),
    }
    return [_drafted(heard, told, finished, fields, told.get("completed_at" if finished else "started_at"))]


def check_suite(heard: Heard) -> list[Draft]:
    """check.finished or check.started for all the checks of one app together, named "suite APP"."""
    told = inside(heard.body, "check_suite")
    finished = _finished(heard, told)
    fields = _shared(heard, told, finished)
    fields |= {
        "name": clear(f"suite {fields['app'] or 'of an unknown app'}"),
        "ref": clear(told.get("head_branch")),
    }
    return [_drafted(heard, told, finished, fields, told.get("updated_at"))]


def status(heard: Heard) -> list[Draft]:
    """check.finished, or check.started while the status is pending; `name` is its context."""
    body = heard.body
    state = word(body.get("state"))
    finished = state not in (None, "pending")
    fields = {
        "repository": heard.needed_repository(),
        "sha": _needed_sha(body.get("sha")),
        "name": clear(body.get("context")),
        "outcome": outcome(state) if finished else None,
        "status": state,
        "ref": _branch(heard),
        "title": sealed(body.get("description")),
        "url": sealed(body.get("target_url")),
    }
    when = body.get("updated_at") or body.get("created_at")
    key = heard.key(number(body.get("id")), state, clear(when))
    return [heard.draft(_kind(finished), key, moment(when), fields)]


def _shared(heard: Heard, told: dict[str, Any], finished: bool) -> dict[str, Any]:
    conclusion = word(told.get("conclusion"))
    app = inside(told, "app")
    return {
        "repository": heard.needed_repository(),
        "sha": _needed_sha(told.get("head_sha")),
        "app": clear(app.get("slug")) or clear(app.get("name")),
        "action": heard.action,
        "outcome": outcome(conclusion) if finished else None,
        "status": conclusion or word(told.get("status")),
    }


def _drafted(heard: Heard, told: dict[str, Any], finished: bool, fields: dict[str, Any], when: Any) -> Draft:
    again = heard.action if heard.action in _AGAIN else None
    key = heard.key(number(told.get("id")), fields["status"], again, clear(when))
    return heard.draft(_kind(finished), key, None if again else moment(when), fields)


def _finished(heard: Heard, told: dict[str, Any]) -> bool:
    if heard.action in _AGAIN:
        return False
    return heard.action == "completed" or told.get("status") == "completed"


def _kind(finished: bool) -> str:
    return "check.finished" if finished else "check.started"


def _needed_sha(value: Any) -> str:
    found = sha(value)
    if found is None:
        raise Refused("bad-input", "The delivery does not say which commit was checked.")
    return found


def _branch(heard: Heard) -> str | None:
    """The branch that a status is about: the default one if it is among them, else the first."""
    names = []
    for item in items(heard.body.get("branches"), 100):
        branch = inside(item)
        if name := clear(branch.get("name")):
            names.append(name)
            if branch.get("protected") is True:
                heard.clear_refs |= {name}
    return heard.default if heard.default in names else next(iter(names), None)
