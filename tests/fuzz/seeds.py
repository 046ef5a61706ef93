"""What several fuzzers start from: told facts, entries of the house, and a log of 600 entries."""

from __future__ import annotations

from functools import cache

from deploytrail.facts import told
from deploytrail.facts.canonical import encode
from deploytrail.facts.draft import Draft
from deploytrail.facts.sealing import SealedFact, seal
from tests.intake.deliveries import RECEIVED, subject_of
from tests.tlog.trees import Tree

_SHA = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"
_DIGEST = "sha256:" + "ab" * 32


@cache
def told_lines() -> list[bytes]:
    """One told fact of each sort of field."""
    ada = {"login": "ada", "email": "ada@example.org", "name": "Ada"}
    commit = {
        "sha": _SHA,
        "parents": [_SHA],
        "authored_at": "2026-03-17T14:32:08+01:00",
        "author": ada,
        "title": "é",
    }
    place = {"service": "checkout", "environment": "production"}
    shared = {
        "occurred_at": "2026-03-17T14:32:08Z",
        "actor": ada,
        "labels": {"team": "pay"},
        "data": {"a": [1, {"b": None}]},
    }
    facts: list[dict[str, object]] = [
        {
            "kind": "commit.pushed",
            "repository": "shop",
            "ref": "refs/heads/x",
            "after": _SHA,
            "commits": [commit],
            **shared,
        },
        {
            "kind": "change.merged",
            "repository": "shop",
            "number": 7,
            "sha": _SHA,
            "merged_by": ada,
            "title": "Fix",
            **shared,
        },
        {
            "kind": "test.finished",
            "repository": "shop",
            "sha": _SHA,
            "name": "unit",
            "outcome": "succeeded",
            "passed": 3,
        },
        {"kind": "artifact.published", "digest": _DIGEST, "name": "shop", "repository": "shop", "sha": _SHA},
        {
            "kind": "deployment.started",
            "deployment": "d-1",
            **place,
            "artifact": _DIGEST,
            "version": "1.42.0",
            "id": "1",
        },
        {
            "kind": "deployment.finished",
            "deployment": "d-1",
            **place,
            "outcome": "succeeded",
            "duration_ms": 5,
            "extra": [{}],
        },
        {
            "kind": "environment.snapshot",
            "environment": "production",
            "running": [{"service": "checkout", "digest": _DIGEST, "image": "shop:1", "replicas": 2}],
        },
        {
            "kind": "control.changed",
            "repository": "shop",
            "control": "ruleset",
            "before": "on",
            "after": "off",
        },
        {"kind": "incident.opened", "incident": "i-1", "service": "checkout", "title": "Slow", **shared},
        {
            "kind": "x-smoke",
            "url": "https://example.org/1",
            "count": 3,
            "nested": {"id": {"deep": []}},
            "id": "x/1",
        },
    ]
    return [encode(fact) for fact in facts]


def sealed(draft: Draft) -> SealedFact:
    """A draft sealed with salts that can be repeated."""
    salts = iter(range(1, 10_000_000))
    return seal(draft, subject_of, lambda count: next(salts).to_bytes(count, "big"))


@cache
def entries() -> list[bytes]:
    """The entries of the told facts."""
    drafts = [told.parse(line, source="a-reporter", received_at=RECEIVED) for line in told_lines()]
    return [sealed(draft).entry for draft in drafts]


@cache
def tree() -> Tree:
    """A log of 600 small entries: two full tiles, a partial one, and one hash tile above."""
    return Tree([encode({"n": number}) for number in range(600)])
