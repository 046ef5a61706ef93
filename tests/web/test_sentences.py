"""Every kind has its sentences, and each says what the fact says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploytrail.app.views import StepView
from deploytrail.facts.kinds import KINDS
from deploytrail.web import sentences
from tests.web.cast import ADA, BEN, BOT, CLEO, DIGEST, DINA, ELI, GONE, NOW, SHA, row

REPO = {"repository": "shop/checkout"}
PLACE = {"service": "checkout", "environment": "production-eu"}

# kind, what the row knows, and the sentence without its markup.
SAID: list[tuple[str, dict[str, Any], str]] = [
    (
        "commit.pushed",
        {"actor": ADA, "fields": {**REPO, "ref": "refs/heads/main", "commits": [{}, {}]}},
        "ada pushed 2 commits to shop/checkout main",
    ),
    (
        "commit.pushed",
        {"actor": ADA, "texts": {"ref": "refs/heads/fix-tax"}, "fields": {**REPO, "commits": [{}]}},
        "ada pushed 1 commit to shop/checkout fix-tax",
    ),
    (
        "commit.pushed",
        {"fields": {**REPO, "ref": "main", "commits": [{}]}},
        "Somebody pushed 1 commit to shop/checkout main; no known person or key matches",
    ),
    (
        "commit.pushed",
        {"actor": ADA, "fields": {**REPO, "ref": "main", "after": SHA, "forced": True, "commits": [{}]}},
        "ada replaced the history of shop/checkout main, which now ends at 4f2c81e",
    ),
    (
        "commit.pushed",
        {"actor": ADA, "fields": {**REPO, "ref": "main", "after": SHA}},
        "ada moved shop/checkout main to 4f2c81e",
    ),
    (
        "ref.moved",
        {"actor": ADA, "fields": {**REPO, "ref": "main", "before": SHA, "after": "e08b7d3f"}},
        "ada moved branch main of shop/checkout to e08b7d3",
    ),
    (
        "ref.moved",
        {"actor": ADA, "fields": {**REPO, "type": "tag", "ref": "refs/tags/v1", "after": SHA}},
        "ada created tag v1 of shop/checkout",
    ),
    (
        "ref.moved",
        {"actor": ADA, "fields": {**REPO, "ref": "old", "before": SHA, "deleted": True}},
        "ada deleted branch old of shop/checkout",
    ),
    (
        "ref.moved",
        {"fields": {**REPO, "before": SHA, "after": SHA}},
        "A branch of shop/checkout moved to 4f2c81e",
    ),
    (
        "release.published",
        {"actor": CLEO, "fields": {**REPO, "tag": "v1.42.0"}},
        "cleo published release v1.42.0 of shop/checkout",
    ),
    ("release.published", {"fields": {}}, "A release was published"),
    (
        "release.changed",
        {"actor": CLEO, "fields": {**REPO, "tag": "v1.42.0", "action": "unpublished"}},
        "cleo changed release v1.42.0 of shop/checkout: unpublished",
    ),
    (
        "change.opened",
        {"actor": DINA, "texts": {"title": "Count each refund once"}, "fields": {**REPO, "number": 812}},
        "dina opened change #812 in shop/checkout: Count each refund once",
    ),
    ("change.opened", {"fields": {**REPO, "number": 812}}, "Change #812 in shop/checkout was opened"),
    (
        "change.updated",
        {"actor": DINA, "fields": {**REPO, "number": 812, "action": "ready_for_review"}},
        "dina updated change #812 in shop/checkout: ready for review",
    ),
    (
        "change.abandoned",
        {"actor": DINA, "fields": {**REPO, "number": 812}},
        "dina closed change #812 in shop/checkout without merging it",
    ),
    (
        "change.reviewed",
        {"people": {"reviewer": BEN}, "fields": {**REPO, "number": 9, "verdict": "approved"}},
        "ben approved change #9 in shop/checkout",
    ),
    (
        "change.reviewed",
        {"actor": BEN, "fields": {**REPO, "number": 9, "verdict": "changes_requested"}},
        "ben asked for changes in #9 of shop/checkout",
    ),
    (
        "change.reviewed",
        {"actor": BEN, "fields": {**REPO, "number": 9, "verdict": "commented"}},
        "ben commented on change #9 in shop/checkout",
    ),
    (
        "change.reviewed",
        {"actor": BEN, "fields": {**REPO, "number": 9, "verdict": "dismissed"}},
        "ben dismissed a review of change #9 in shop/checkout",
    ),
    (
        "change.reviewed",
        {"actor": BEN, "fields": {**REPO, "number": 9}},
        "ben reviewed change #9 in shop/checkout",
    ),
    (
        "change.merged",
        {
            "people": {"merged_by": DINA, "reviewers.0": ELI, "reviewers.1": BEN},
            "fields": {**REPO, "number": 812},
        },
        "dina merged change #812 into shop/checkout, reviewed by eli and ben",
    ),
    ("change.merged", {"fields": {**REPO, "number": 812}}, "Change #812 was merged into shop/checkout"),
    (
        "build.finished",
        {"fields": {**REPO, "name": "image", "sha": SHA, "outcome": "success"}},
        "The build image of shop/checkout succeeded on 4f2c81e",
    ),
    (
        "build.finished",
        {"fields": {**REPO, "sha": SHA, "outcome": "failure"}},
        "The build without a name of shop/checkout failed on 4f2c81e",
    ),
    (
        "test.finished",
        {"fields": {**REPO, "name": "unit", "sha": SHA, "outcome": "failed", "failed": 2, "passed": 1210}},
        "The test unit of shop/checkout failed on 4f2c81e: 2 failed, 1,210 passed",
    ),
    (
        "test.finished",
        {"fields": {**REPO, "name": "unit", "sha": SHA, "outcome": "succeeded"}},
        "The test unit of shop/checkout passed on 4f2c81e",
    ),
    (
        "check.finished",
        {"fields": {**REPO, "name": "lint", "sha": SHA, "outcome": "neutral"}},
        "The check lint of shop/checkout ended on 4f2c81e: neutral",
    ),
    (
        "check.started",
        {"fields": {**REPO, "name": "lint", "sha": SHA}},
        "The check lint of shop/checkout started on 4f2c81e",
    ),
    (
        "artifact.published",
        {
            "actor": BOT,
            "fields": {**REPO, "digest": DIGEST, "name": "checkout", "sha": SHA},
            "version": "1.42.0",
        },
        "dev-bot published checkout 1.42.0 as 9d1f4ac2…e07b, built from 4f2c81e",
    ),
    ("artifact.published", {"fields": {"digest": DIGEST}}, "shop-hub reported the artifact 9d1f4ac2…e07b"),
    (
        "deployment.started",
        {"actor": ADA, "version": "1.42.0", **PLACE},
        "ada started to deploy checkout 1.42.0 to production-eu",
    ),
    (
        "deployment.started",
        {"actor": ADA, "fields": {"type": "rollback"}, **PLACE},
        "ada started to roll back checkout in production-eu",
    ),
    (
        "deployment.step",
        {"fields": {"name": "migrate", "status": "in_progress"}, **PLACE},
        "The deployment of checkout to production-eu went on: migrate, in progress",
    ),
    (
        "deployment.step",
        {"fields": {"name": "half_rolled_out", "status": "half_rolled_out"}, **PLACE},
        "The deployment of checkout to production-eu went on: half rolled out",
    ),
    (
        "deployment.step",
        {"fields": {"name": "migrate", "outcome": "failure"}, **PLACE},
        "A step of the deployment of checkout to production-eu failed: migrate",
    ),
    (
        "deployment.finished",
        {"actor": ADA, "version": "1.42.0", "fields": {"outcome": "succeeded"}, **PLACE},
        "ada deployed checkout 1.42.0 to production-eu",
    ),
    (
        "deployment.finished",
        {"fields": {"outcome": "success", "artifact": DIGEST}, **PLACE},
        "checkout 9d1f4ac2…e07b was deployed to production-eu; nobody said by whom",
    ),
    (
        "deployment.finished",
        {
            "actor": CLEO,
            "fields": {"outcome": "failed"},
            **PLACE,
            "texts": {"description": "health check timed out"},
        },
        "cleo failed to deploy checkout to production-eu: health check timed out",
    ),
    (
        "deployment.finished",
        {"actor": CLEO, "fields": {"outcome": "cancelled"}, **PLACE},
        "cleo began to deploy checkout to production-eu; it was cancelled",
    ),
    (
        "deployment.finished",
        {
            "actor": CLEO,
            "fields": {"outcome": "succeeded", "type": "rollback"},
            **PLACE,
            "version": "7.9.0",
            "replaced": "7.9.1",
        },
        "cleo rolled back checkout in production-eu from 7.9.1 to 7.9.0",
    ),
    (
        "deployment.finished",
        {"actor": CLEO, "fields": {"outcome": "failed", "type": "rollback"}, **PLACE},
        "cleo failed to roll back checkout in production-eu",
    ),
    (
        "deployment.finished",
        {"actor": CLEO, "fields": {"outcome": "succeeded", "type": "redeploy"}, **PLACE},
        "cleo deployed checkout to production-eu again",
    ),
    (
        "deployment.finished",
        {"actor": CLEO, "fields": {"outcome": "succeeded", "type": "hotfix"}, **PLACE},
        "cleo deployed checkout to production-eu as a hotfix",
    ),
    (
        "deployment.finished",
        {"actor": CLEO, "fields": {"outcome": "succeeded", "type": "config"}, **PLACE},
        "cleo changed the configuration of checkout in production-eu",
    ),
    ("deployment.finished", {**PLACE}, "The deployment of checkout to production-eu ended"),
    (
        "deployment.reviewed",
        {
            "people": {"approver": BEN},
            "environment": "production-eu",
            "fields": {**REPO, "verdict": "approved"},
        },
        "shop-hub said that ben approved deploying shop/checkout to production-eu",
    ),
    (
        "deployment.reviewed",
        {"environment": "production-eu", "fields": {"verdict": "rejected"}},
        "shop-hub said that somebody rejected a deployment to production-eu",
    ),
    (
        "deployment.reviewed",
        {"environment": "production-eu", "fields": {"verdict": "requested", **REPO}},
        "shop-hub waits for a review before deploying shop/checkout to production-eu",
    ),
    (
        "environment.snapshot",
        {"environment": "production-eu", "fields": {"running": [{}, {}, {}]}},
        "shop-hub said what runs in production-eu: 3 services",
    ),
    (
        "environment.changed",
        {
            "actor": ADA,
            "environment": "staging",
            "fields": {"setting": "replicas", "before": "2", "after": "6"},
        },
        "ada changed replicas of staging from 2 to 6",
    ),
    ("environment.changed", {"environment": "staging"}, "A setting of staging changed"),
    ("service.removed", {"actor": ADA, **PLACE}, "ada removed checkout from production-eu"),
    (
        "control.changed",
        {
            "actor": ADA,
            "fields": {**REPO, "control": "branch protection", "action": "edited", "name": "main"},
        },
        "ada changed branch protection main of shop/checkout: edited",
    ),
    (
        "control.changed",
        {
            "actor": ADA,
            "people": {"member": ELI},
            "fields": {**REPO, "control": "membership", "action": "added"},
        },
        "ada changed membership for eli in shop/checkout: added",
    ),
    (
        "incident.opened",
        {**PLACE, "fields": {"incident": "INC-208"}, "texts": {"title": "Card capture fails"}},
        "Incident INC-208 opened for checkout in production-eu: Card capture fails",
    ),
    ("incident.resolved", {"fields": {"incident": "INC-208"}}, "Incident INC-208 was resolved"),
    (
        "pipeline.started",
        {"actor": ADA, "fields": {**REPO, "name": "ci", "number": 77, "run": "9", "sha": SHA}},
        "ada started pipeline ci #77 of shop/checkout on 4f2c81e",
    ),
    (
        "pipeline.finished",
        {"fields": {**REPO, "name": "ci", "run": "9", "sha": SHA, "outcome": "failure"}},
        "Pipeline ci 9 of shop/checkout failed on 4f2c81e",
    ),
    (
        "job.started",
        {"fields": {**REPO, "job": "11", "name": "unit", "run": "9"}},
        "Job unit of shop/checkout started",
    ),
    (
        "job.started",
        {"fields": {**REPO, "job": "11", "name": "unit", "run": "9", "status": "queued"}},
        "Job unit of shop/checkout was queued",
    ),
    (
        "job.started",
        {"fields": {**REPO, "job": "11", "name": "unit", "run": "9", "status": "waiting"}},
        "Job unit of shop/checkout waits",
    ),
    (
        "pipeline.started",
        {"fields": {**REPO, "name": "ci", "run": "9", "sha": SHA, "status": "queued"}, "actor": ADA},
        "ada queued pipeline ci 9 of shop/checkout on 4f2c81e",
    ),
    (
        "job.finished",
        {"fields": {**REPO, "job": "11", "run": "9", "outcome": "skipped"}},
        "Job 11 of shop/checkout was skipped",
    ),
    ("source.pinged", {"fields": {**REPO}}, "shop-hub said hello for shop/checkout; we can hear it"),
    (
        "log.opened",
        {"fields": {"origin": "trail.example.org/log"}},
        "We opened this log as trail.example.org/log",
    ),
    (
        "delivery.set_aside",
        {"fields": {"event": "push", "reason": "the bytes are not JSON"}},
        "We set aside the delivery push from shop-hub: the bytes are not JSON",
    ),
    (
        "source.added",
        {"fields": {"name": "shop-hub", "type": "github", "secrets": 1}},
        "The source shop-hub was added, of type github",
    ),
    (
        "source.changed",
        {"actor": ADA, "fields": {"name": "shop-hub", "type": "github", "secrets": 2}},
        "ada changed the source shop-hub; 2 secrets may sign for it now",
    ),
    (
        "token.created",
        {"fields": {"name": "ci", "role": "reporter", "token": "t1"}},
        "The token ci was made for the role reporter",
    ),
    (
        "token.revoked",
        {"actor": ADA, "fields": {"name": "ci", "role": "reporter", "token": "t1"}},
        "ada ended the token ci of the role reporter",
    ),
    (
        "link.issued",
        {"fields": {"link": "l1"}},
        "A one-time link for an administrator was made on the machine itself",
    ),
    (
        "session.started",
        {"people": {"person": ADA}, "fields": {"role": "administrator", "method": "link"}},
        "ada signed in as administrator, by link",
    ),
    ("session.ended", {"people": {"person": ADA}}, "ada signed out"),
    ("service.declared", {"actor": ADA, "service": "checkout"}, "ada declared the service checkout"),
    (
        "environment.declared",
        {"environment": "production-eu", "fields": {"type": "production"}},
        "The environment production-eu was declared, of class production",
    ),
    (
        "reports.separated",
        {"actor": ADA, "fields": {"deployment": "40", "index": 46}},
        "ada separated the report of entry 46 from its deployment",
    ),
    (
        "subject.erased",
        {"actor": ADA, "fields": {"subject": "s_q2hk4w7xyz22", "ground": "on request", "entries": 12}},
        "ada erased the names of person s_q2hk4w7x in 12 entries, on this ground: on request",
    ),
    ("x-canary.moved", {**PLACE}, "shop-hub told x-canary.moved about checkout in production-eu"),
    ("x-canary.moved", {}, "shop-hub told x-canary.moved"),
    ("gate.opened", {}, "shop-hub told gate.opened, which this version does not know"),
    ("change.merged", {"fields": {}}, "shop-hub told change.merged"),
]


def text(markup: str) -> str:
    """What a reader sees of some HTML."""
    return re.sub(r"<[^>]+>", "", markup)


@pytest.mark.parametrize(("kind", "known", "said"), SAID)
def test_what_is_said(kind: str, known: dict[str, Any], said: str) -> None:
    assert text(sentences.sentence(row(7, kind, **known))) == said


def test_every_kind_is_said_in_the_table() -> None:
    assert {kind for kind, _, _ in SAID} >= set(KINDS)


@pytest.mark.parametrize("kind", [*KINDS, "x-anything", "later.kind"])
def test_every_kind_can_be_said_when_nothing_is_known(kind: str) -> None:
    assert len(text(sentences.sentence(row(7, kind)))) > 10


@pytest.mark.parametrize("key", sentences.SENTENCES)
def test_sentences_are_in_the_house_style(key: str) -> None:
    for pattern in sentences.SENTENCES[key]:
        assert pattern.count(":a}") == 1, "each sentence has one object, which links"
        assert not re.search(r"!|successfully|please|\boops\b", pattern, re.I)
        assert not pattern.endswith(".")


def test_the_object_links_to_the_deployment_or_to_the_entry() -> None:
    known = {"actor": ADA, "fields": {"outcome": "succeeded"}, **PLACE}
    assert 'href="/deployments/40"' in sentences.sentence(
        row(7, "deployment.finished", deployment="40", **known)
    )
    assert 'href="/entries/7"' in sentences.sentence(row(7, "deployment.finished", **known))
    odd = row(7, "deployment.finished", deployment='a/"b', **known)
    assert 'href="/deployments/a%2F%22b"' in sentences.sentence(odd)


def test_an_erased_person_is_said_to_be_erased() -> None:
    said = text(sentences.sentence(row(7, "service.removed", actor=GONE, **PLACE)))
    assert said == "an erased person removed checkout from production-eu"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"kind": "deployment.started", "actor": ADA}, "ada started it"),
        ({"kind": "deployment.started"}, "It started"),
        ({"kind": "deployment.step", "name": "migrate", "status": "in_progress"}, "migrate: in progress"),
        (
            {"kind": "deployment.step", "name": "in_progress", "status": "in_progress", "actor": ADA},
            "ada reported: in progress",
        ),
        ({"kind": "deployment.step", "status": "in_progress"}, "Reported: in progress"),
        ({"kind": "deployment.finished", "outcome": "failed", "actor": CLEO}, "It failed, reported by cleo"),
        ({"kind": "deployment.finished", "outcome": "odd"}, "It ended: odd"),
        ({"kind": "deployment.finished"}, "It ended"),
        (
            {"kind": "job.started", "name": "deploy to production", "status": "queued", "actor": ADA},
            "Job deploy to production: queued",
        ),
        ({"kind": "job.started", "name": "deploy", "status": "in_progress"}, "Job deploy: in progress"),
        ({"kind": "job.started", "name": "deploy"}, "Job deploy: started"),
        ({"kind": "job.finished", "name": "deploy", "outcome": "succeeded"}, "Job deploy succeeded"),
        ({"kind": "job.finished", "name": "deploy", "outcome": "timed_out"}, "Job deploy failed"),
        ({"kind": "job.finished", "name": "deploy", "outcome": "neutral"}, "Job deploy: neutral"),
        ({"kind": "job.finished", "name": "deploy"}, "Job deploy: ended"),
        ({"kind": "x-canary.moved", "name": "canary"}, "canary"),
    ],
)
def test_steps(step: dict[str, Any], said: str) -> None:
    view = StepView(**{"index": 1, "at": NOW, "mark": "note", "source": "shop-hub", **step})
    assert text(sentences.step(view)) == said
