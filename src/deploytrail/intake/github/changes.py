"""Pull requests and their reviews."""

from __future__ import annotations

from typing import Any, Final

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft, Person
from deploytrail.intake.fields import (
    clear,
    count,
    flag,
    inside,
    items,
    moment,
    number,
    sealed,
    sha,
    time,
    word,
)
from deploytrail.intake.github.heard import Heard

_VERDICTS: Final = {"changes_requested": "changes requested"}
_MAX_REVIEWERS: Final = 50


def pull_request(heard: Heard) -> list[Draft]:
    """change.opened, change.merged, change.abandoned; change.updated for every other action."""
    told = inside(heard.body, "pull_request")
    if heard.action == "closed":
        # `merged` is missing from some old deliveries, `merged_at` is in all that were.
        merged = flag(told.get("merged")) is True or moment(told.get("merged_at")) is not None
        return [_merged(heard, told) if merged else _change(heard, told, "change.abandoned", "closed_at")]
    if heard.action == "opened":
        return [_change(heard, told, "change.opened", "created_at")]
    return [_change(heard, told, "change.updated", "updated_at")]


def pull_request_review(heard: Heard) -> list[Draft]:
    """change.reviewed, with the verdict, and the commit reviewed beside the change's head."""
    told, change = inside(heard.body, "review"), inside(heard.body, "pull_request")
    state, submitted = word(told.get("state")), told.get("submitted_at")
    # A review keeps the time of its submission when it is edited or dismissed later.
    now = submitted if heard.action == "submitted" else told.get("updated_at") or change.get("updated_at")
    fields = {
        "repository": heard.needed_repository(),
        "number": _number(heard, change),
        "sha": sha(told.get("commit_id")),
        "head": sha(inside(change, "head").get("sha")),
        "verdict": _VERDICTS.get(state, state) if state else None,
        "action": heard.action,
        "reviewer": heard.person(told.get("user")),
        "author": heard.person(change.get("user")),
        "submitted_at": time(submitted),
        "title": sealed(change.get("title")),
        "comment": sealed(told.get("body")),
        "url": sealed(told.get("html_url")),
    }
    key = heard.key(
        number(told.get("id")), heard.action, state, clear(submitted), clear(told.get("updated_at"))
    )
    occurred = moment(now) if moment(now) is not None else moment(submitted)
    return [heard.draft("change.reviewed", key, occurred, fields)]


def _change(heard: Heard, told: dict[str, Any], kind: str, when: str) -> Draft:
    fields = _shared(heard, told) | {
        "action": heard.action,
        "sha": sha(inside(told, "head").get("sha")),
        "base_sha": sha(inside(told, "base").get("sha")),
        "draft": flag(told.get("draft")),
        "merge_sha": sha(told.get("merge_commit_sha")),
    }
    return _drafted(heard, told, kind, when, fields)


def _merged(heard: Heard, told: dict[str, Any]) -> Draft:
    fields = _shared(heard, told) | {
        "sha": sha(told.get("merge_commit_sha")),
        "head": sha(inside(told, "head").get("sha")),
        "merged_at": time(told.get("merged_at")),
        "merged_by": heard.person(told.get("merged_by")),
    }
    return _drafted(heard, told, "change.merged", "merged_at", fields)


def _shared(heard: Heard, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "repository": heard.needed_repository(),
        "number": _number(heard, told),
        "base": clear(inside(told, "base").get("ref")),
        "ref": clear(inside(told, "head").get("ref")),
        "commits": count(told.get("commits")),
        "additions": count(told.get("additions")),
        "deletions": count(told.get("deletions")),
        "files": count(told.get("changed_files")),
        "author": heard.person(told.get("user")),
        "reviewers": _asked(heard, told),
        "title": sealed(told.get("title")),
        "url": sealed(told.get("html_url")),
    }


def _drafted(heard: Heard, told: dict[str, Any], kind: str, when: str, fields: dict[str, Any]) -> Draft:
    updated = told.get("updated_at")
    occurred = moment(told.get(when)) if moment(told.get(when)) is not None else moment(updated)
    identity = number(told.get("id")) if moment(updated) is not None else None
    head = sha(inside(told, "head").get("sha"))
    key = heard.key(identity, heard.action, clear(updated), head, _item(heard))
    return heard.draft(kind, key, occurred, fields)


_ITEMS: Final = ("label", "milestone", "requested_team")
_PEOPLE: Final = ("assignee", "requested_reviewer")


def _item(heard: Heard) -> str | None:
    """What tells apart several labels or reviewers of one second. Numbers of accounts stay out of keys."""
    if any(heard.body.get(name) for name in _PEOPLE):
        return heard.body_digest()
    return next((number(inside(heard.body, name).get("id")) for name in _ITEMS if heard.body.get(name)), None)


def _number(heard: Heard, told: dict[str, Any]) -> int:
    found = count(told.get("number"))
    if found is None:
        found = count(heard.body.get("number"))
    if found is None:
        raise Refused("bad-input", "The delivery does not say which pull request it is about.")
    return found


def _asked(heard: Heard, told: dict[str, Any]) -> list[Person] | None:
    asked = [heard.person(raw) for raw in items(told.get("requested_reviewers"), _MAX_REVIEWERS)]
    return [person for person in asked if person] or None
