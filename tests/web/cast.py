"""The fixed cast, as views: ada, ben, cleo, dina and eli, and what they do in the sketch's organisation."""

from __future__ import annotations

from typing import Any, Final

from deploytrail.app.views import (
    ArtifactView,
    AttentionView,
    CellView,
    ChangeRow,
    ChangeView,
    CheckView,
    CommitView,
    DeploymentPage,
    DeploymentRow,
    DeploymentView,
    EnvironmentView,
    KeptView,
    PersonView,
    PublishedView,
    ReachedView,
    ReportView,
    ReviewView,
    ServiceView,
    StepView,
    TrailRow,
    Who,
)

# 17 March 2026, 14:36:00 UTC.
NOW = 1_773_758_160_000
MINUTE = 60_000

ADA = Who(id="s_ada", login="ada", name="ada")
BEN = Who(id="s_ben", login="ben")
CLEO = Who(id="s_cleo", name="cleo")
DINA = Who(id="s_dina", name="dina")
ELI = Who(id="s_eli", name="eli")
BOT = Who(id="s_bot", login="dev-bot", bot=True)
GONE = Who(id="s_gone", erased=True)
EVERYBODY = (ADA, BEN, CLEO, DINA, ELI, BOT, GONE)

SHA = "4f2c81e09b7d3a55c1e8f20f6a4b9d7e3c2a1b0f"
DIGEST = "sha256:9d1f4ac25be07c1d9f32a4418c6e07d5b0a1e4c29d1f4ac27be0614ff2c3e07b"


def row(index: int, kind: str, **more: Any) -> TrailRow:
    """One line, told by shop-hub `index` minutes before 14:36."""
    given: dict[str, Any] = {
        "mark": "note",
        "source": "shop-hub",
        "received_at": NOW - (60 - index) * MINUTE,
        "attribution": "authenticated",
        "proof": "signed",
    }
    return TrailRow(index=index, kind=kind, **{**given, **more})


def deployed(index: int = 47, **more: Any) -> TrailRow:
    """ada deployed checkout 1.42.0 to production-eu."""
    given: dict[str, Any] = {
        "mark": "succeeded",
        "actor": ADA,
        "service": "checkout",
        "environment": "production-eu",
        "version": "1.42.0",
        "deployment": "40",
        "replaced": "1.41.3",
        "fields": {"outcome": "succeeded", "type": "forward", "duration_ms": 112_000, "sha": SHA},
    }
    return row(index, "deployment.finished", **{**given, **more})


def a_deployment(**more: Any) -> DeploymentView:
    """The deployment of the sketch, with everything known."""
    given: dict[str, Any] = {
        "key": "40",
        "service": "checkout",
        "environment": "production-eu",
        "mark": "succeeded",
        "status": "succeeded",
        "outcome": "succeeded",
        "type": "forward",
        "attribution": "authenticated",
        "at": NOW - 4 * MINUTE,
        "version": "1.42.0",
        "artifact": DIGEST,
        "repository": "shop/checkout",
        "sha": SHA,
        "actor": ADA,
        "started_at": NOW - 6 * MINUTE,
        "finished_at": NOW - 4 * MINUTE,
        "duration_ms": 112_000,
        "replaced_key": "22",
        "replaced_version": "1.41.3",
        "replaced_ran_ms": 3 * 86_400_000,
        "running_now": True,
        "commits": [
            CommitView(
                sha=SHA,
                repository="shop/checkout",
                title="Retry card capture once on timeout",
                author=ADA,
                attribution="signed",
                change=809,
                reviewers=[BEN],
                index=30,
            ),
            CommitView(
                sha="e08b7d3f" * 5,
                repository="shop/checkout",
                title="Round tax per line, not per cart",
                author=DINA,
                attribution="asserted",
                change=806,
                reviewers=[ELI],
                index=31,
            ),
        ],
        "commits_known": True,
        "checks": [
            CheckView(
                name="unit",
                kind="test.finished",
                outcome="succeeded",
                passed=1212,
                failed=0,
                skipped=2,
                duration_ms=91_000,
                required=True,
                at=NOW - 9 * MINUTE,
                index=33,
            ),
            CheckView(
                name="image", kind="build.finished", outcome="succeeded", duration_ms=130_000, index=34
            ),
            CheckView(name="lint", kind="check.finished", outcome="failed", duration_ms=4_000, index=35),
        ],
        "steps": [
            StepView(
                index=40,
                kind="deployment.started",
                at=NOW - 6 * MINUTE,
                mark="running",
                source="shop-hub",
                actor=ADA,
                attribution="authenticated",
            ),
            StepView(
                index=41,
                kind="deployment.step",
                at=NOW - 5 * MINUTE,
                mark="succeeded",
                source="shop-hub",
                name="migrate",
                status="success",
                duration_ms=33_000,
                description="2 migrations applied",
                url="https://ci.example.org/runs/5521",
                attribution="authenticated",
            ),
            StepView(
                index=47,
                kind="deployment.finished",
                at=NOW - 4 * MINUTE,
                mark="succeeded",
                source="shop-hub",
                outcome="succeeded",
                late_ms=65_000,
                attribution="authenticated",
            ),
        ],
        "reports": [
            ReportView(source="shop-hub", name="5521", index=40, because="it was told first"),
            ReportView(
                source="cluster",
                name="checkout-7f9",
                index=46,
                because="same digest within 30 minutes",
                separable=True,
            ),
        ],
        "url": "https://ci.example.org/deployments/5521",
        "labels": {"team": "payments"},
        "index": 47,
        "proof": "signed",
        "leaf": "Yb2cS0hV7q7m3nJ1kq0m5Q2o0y1t4c9d0oBxk3m29fQ=",
        "checkpoint_size": 60,
        "checkpoint_root": "P5mS0hV7q7m3nJ1kq0m5Q2o0y1t4c9d0oBxk3m29fQA=",
    }
    return DeploymentView(**{**given, **more})


def environments() -> list[EnvironmentView]:
    """Three environments, as on the sketch's matrix."""
    return [
        EnvironmentView(
            name="staging",
            type="staging",
            rank=1,
            services=2,
            running=1,
            cells=[
                CellView(
                    service="checkout",
                    environment="staging",
                    mark="succeeded",
                    word="Running",
                    version="1.43.0",
                    deployment="50",
                    actor=BOT,
                    since=NOW - 180 * MINUTE,
                ),
                CellView(
                    service="ledger-api",
                    environment="staging",
                    mark="running",
                    word="Deploying",
                    version="3.8.0",
                    deployment="51",
                    actor=BOT,
                    since=NOW - MINUTE,
                ),
            ],
        ),
        EnvironmentView(
            name="production-eu",
            type="production",
            aliases=["prod-eu"],
            rank=2,
            services=2,
            failed=1,
            cells=[
                CellView(
                    service="checkout",
                    environment="production-eu",
                    mark="succeeded",
                    word="Running",
                    version="1.42.0",
                    deployment="40",
                    actor=ADA,
                    since=NOW - 4 * MINUTE,
                ),
                CellView(
                    service="ledger-api",
                    environment="production-eu",
                    mark="failed",
                    word="Failed",
                    artifact=DIGEST,
                    deployment="52",
                    actor=DINA,
                    since=NOW - 1500 * MINUTE,
                ),
            ],
        ),
        EnvironmentView(
            name="production-us",
            services=1,
            cells=[
                CellView(
                    service="checkout",
                    environment="production-us",
                    mark="rolledback",
                    word="Rolled back",
                    version="1.41.3",
                    deployment="22",
                    actor=CLEO,
                    since=NOW - 19 * MINUTE,
                ),
            ],
        ),
    ]


def set_aside() -> list[AttentionView]:
    """Two deliveries that could not be read."""
    return [
        AttentionView(
            index=44,
            source="shop-hub",
            event="marketplace_purchase",
            reason="nothing in it is read yet",
            size=9_120,
            received_at=NOW - 16 * MINUTE,
            delivery_id="7e1c",
        ),
        AttentionView(
            index=21,
            source="shop-hub",
            event="push",
            reason="the bytes are not JSON",
            size=312,
            received_at=NOW - 3000 * MINUTE,
            kept=False,
        ),
    ]


def trail() -> list[TrailRow]:
    """A trail with every mark, newest first."""
    return [
        deployed(47),
        row(
            46,
            "change.reviewed",
            mark="succeeded",
            actor=BEN,
            people={"reviewer": BEN},
            fields={"repository": "shop/checkout", "number": 809, "verdict": "approved"},
        ),
        row(
            45,
            "deployment.finished",
            mark="rolledback",
            actor=CLEO,
            service="web-shop",
            environment="production-us",
            version="7.9.0",
            replaced="7.9.1",
            deployment="45",
            fields={"outcome": "succeeded", "type": "rollback", "duration_ms": 41_000},
        ),
        row(
            44,
            "delivery.set_aside",
            mark="waiting",
            attribution="authenticated",
            fields={"event": "marketplace_purchase", "reason": "nothing in it is read yet", "size": 9120},
        ),
        row(
            43,
            "deployment.finished",
            mark="failed",
            actor=CLEO,
            service="web-shop",
            environment="production-us",
            version="7.9.1",
            deployment="42",
            texts={"description": "health check timed out"},
            fields={"outcome": "failed", "sha": "a90d4b2" * 5},
        ),
        row(
            42,
            "change.merged",
            actor=DINA,
            people={"merged_by": DINA, "reviewer": ELI},
            texts={"title": "Count each refund once"},
            fields={"repository": "shop/ledger-api", "number": 812, "sha": SHA},
        ),
        row(
            41,
            "commit.pushed",
            mark="unattributed",
            attribution="unknown",
            fields={
                "repository": "shop/mailer",
                "ref": "refs/heads/main",
                "after": "51c0e2a" * 5,
                "commits": [{"sha": "51c0e2a" * 5}],
            },
        ),
        row(
            40,
            "deployment.started",
            mark="running",
            actor=ADA,
            service="checkout",
            environment="production-eu",
            version="1.42.0",
            deployment="40",
            proof="recorded",
        ),
        row(
            39,
            "test.finished",
            mark="failed",
            attribution="authenticated",
            fields={
                "repository": "shop/checkout",
                "name": "unit",
                "sha": SHA,
                "outcome": "failed",
                "failed": 2,
                "passed": 1210,
            },
        ),
        row(
            38,
            "commit.pushed",
            actor=GONE,
            attribution="asserted",
            occurred_at=NOW - 1500 * MINUTE,
            fields={
                "repository": "shop/checkout",
                "ref": "refs/heads/main",
                "after": SHA,
                "commits": [{"sha": SHA}, {"sha": "e08b7d3f" * 5}],
            },
        ),
        row(
            37,
            "x-canary.moved",
            service="checkout",
            environment="production-eu",
            attribution="asserted",
            actor=BOT,
        ),
    ]


REPOSITORY = "shop/checkout"


def a_line(**more: Any) -> DeploymentRow:
    """checkout 1.42.0 in production-eu, in a list."""
    given: dict[str, Any] = {
        "key": "40",
        "service": "checkout",
        "environment": "production-eu",
        "mark": "succeeded",
        "status": "succeeded",
        "type": "forward",
        "at": NOW - 4 * MINUTE,
        "index": 47,
        "version": "1.42.0",
        "artifact": DIGEST,
        "actor": ADA,
        "attribution": "authenticated",
    }
    return DeploymentRow(**{**given, **more})


def some_lines() -> list[DeploymentRow]:
    """A good one, one that failed, one that nobody is known to have done, and a rollback."""
    return [
        a_line(),
        a_line(
            key="41", environment="staging", mark="failed", status="failed", index=44, at=NOW - 9 * MINUTE
        ),
        a_line(key="22", version=None, sha=SHA, artifact=None, actor=None, at=NOW - 9 * 86_400_000, index=22),
        a_line(key="12", mark="rolledback", type="rollback", version="1.40.0", actor=BOT, index=12),
    ]


def a_change_row(**more: Any) -> ChangeRow:
    """Change 809, merged, in a list."""
    given: dict[str, Any] = {
        "repository": REPOSITORY,
        "number": 809,
        "state": "merged",
        "index": 28,
        "title": "Retry card capture once on timeout",
        "author": ADA,
        "reviewers": [BEN],
        "merged_by": CLEO,
        "merged_at": NOW - 30 * MINUTE,
        "sha": SHA,
    }
    return ChangeRow(**{**given, **more})


def a_service(**more: Any) -> ServiceView:
    """checkout, with everything known."""
    given: dict[str, Any] = {
        "name": "checkout",
        "declared": True,
        "owner": "payments",
        "repositories": [REPOSITORY],
        "artifact_names": ["registry.example.org/checkout"],
        "aliases": ["shop-checkout"],
        "cells": [
            CellView(
                service="checkout",
                environment="production-eu",
                mark="succeeded",
                word="Running",
                version="1.42.0",
                artifact=DIGEST,
                deployment="40",
                actor=ADA,
                since=NOW - 4 * MINUTE,
            ),
            CellView(
                service="checkout", environment="staging", mark="failed", word="Failed", deployment="41"
            ),
        ],
        "deployments": DeploymentPage(deployments=some_lines(), next="next-one"),
        "waiting": [a_change_row(number=812, title="Round tax per line, not per cart", author=DINA)],
        "waiting_known": True,
        "artifacts": [
            ArtifactView(
                digest=DIGEST, source="ci", at=NOW - 9 * MINUTE, index=39, name="checkout", actor=BOT
            )
        ],
    }
    return ServiceView(**{**given, **more})


def a_change(**more: Any) -> ChangeView:
    """Change 809 of checkout, with everything known."""
    commits = a_deployment().commits
    given: dict[str, Any] = {
        "repository": REPOSITORY,
        "number": 809,
        "state": "merged",
        "services": ["checkout"],
        "title": "Retry card capture once on timeout",
        "url": "https://ci.example.org/shop/checkout/809",
        "author": ADA,
        "merged_by": CLEO,
        "merged_at": NOW - 30 * MINUTE,
        "sha": SHA,
        "head": "e08b7d3f" * 5,
        "into": "main",
        "reviews": [
            ReviewView(who=BEN, at=NOW - 40 * MINUTE, index=27, verdict="approved", approval=True),
            ReviewView(who=DINA, at=NOW - 50 * MINUTE, index=26, verdict="changes requested", sha=SHA),
            ReviewView(who=ADA, at=NOW - 55 * MINUTE, index=25, verdict="approved"),
        ],
        "commits": commits,
        "commits_told": 3,
        "checks": a_deployment().checks,
        "reached": [
            ReachedView(deployment=a_line(), took_ms=26 * MINUTE),
            ReachedView(deployment=a_line(key="41", environment="staging"), took_ms=None, named=False),
        ],
        "trail": [one for one in trail() if one.kind.startswith("change.")],
        "older": 25,
    }
    return ChangeView(**{**given, **more})


def an_artifact(**more: Any) -> PublishedView:
    """What checkout 1.42.0 is, with everything known."""
    given: dict[str, Any] = {
        "digest": DIGEST,
        "published": ArtifactView(
            digest=DIGEST,
            source="ci",
            at=NOW - 9 * MINUTE,
            index=39,
            name="checkout",
            version="1.42.0",
            sha=SHA,
            actor=BOT,
        ),
        "service": "checkout",
        "repository": REPOSITORY,
        "provenance": "https://slsa.dev/provenance/v1",
        "url": "https://ci.example.org/registry/checkout",
        "commit": a_deployment().commits[0],
        "deployments": some_lines(),
        "runs_in": ["production-eu"],
        "older": 12,
    }
    return PublishedView(**{**given, **more})


def a_person(**more: Any) -> PersonView:
    """ada, and what is kept of her."""
    given: dict[str, Any] = {
        "who": ADA,
        "email": "ada@example.org",
        "first": 3,
        "last": 47,
        "trail": [one for one in trail() if one.actor == ADA],
        "older": 20,
        "kept": [
            KeptView(
                index=47,
                kind="deployment.finished",
                source="shop-hub",
                received_at=NOW,
                paths=["actor.email", "actor.login", "data.description", "labels"],
                body_until=NOW + 86_400_000,
            ),
            KeptView(index=30, kind="commit.pushed", source="shop-hub", received_at=NOW, paths=[]),
        ],
        "kept_older": 30,
    }
    return PersonView(**{**given, **more})


def an_erased_person() -> PersonView:
    """Somebody of whom nothing personal is left."""
    return a_person(who=GONE, email=None, erased=46, kept=[], kept_older=None, trail=[], older=None)


# Pages of this house, an empty one and a missing one included.
PAGES: Final = (
    "/",
    "/?service=nobody",
    "/environments",
    "/log",
    "/status",
    "/services",
    "/services/checkout",
    "/changes",
    "/changes/shop/checkout/809",
    f"/artifacts/{DIGEST}",
    "/people",
    "/people/s_ada",
    "/people/s_gone",
    "/attention",
    "/search",
    "/search?q=checkout",
    "/search?q=nothing",
    "/entries/47",
    "/deployments/40",
    "/sign-in?link=L",
    "/sign-in",
    "/nothing",
)
