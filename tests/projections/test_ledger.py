"""A small ledger in the direct form, as an import tells it: promotions, a way back, settings, a removal."""

from __future__ import annotations

import json

from deploytrail.facts import told
from deploytrail.facts.entry import read
from deploytrail.facts.sealing import seal
from tests.projections.telling import NOON, Telling, random, sha, subject_of

# (day, environment, service, version)
DEPLOYED = [
    (1, "integration", "checkout", "v1"),
    (1, "staging", "checkout", "v1"),
    (2, "production", "checkout", "v1"),
    (2, "integration", "mailer", sha("mailer")),
    (3, "integration", "checkout", "v2"),
    (3, "staging", "checkout", "v2"),
    (3, "production", "checkout", "v2"),
    (4, "production", "checkout", "v1"),
    (5, "integration", "checkout", "v3"),
    (5, "staging", "checkout", "v3"),
    (6, "production", "checkout", "v3"),
    (7, "production", "checkout", "v3"),
    (7, "integration", "mailer", sha("mailer again")),
]


def ledger() -> list[bytes]:
    """The lines of the ledger."""
    facts: list[dict[str, object]] = []
    for number, (day, environment, service, version) in enumerate(DEPLOYED, start=1):
        fact: dict[str, object] = {
            "kind": "deployment.finished",
            "id": f"sample-{number}",
            "deployment": f"sample-{number}",
            "service": service,
            "environment": environment,
            "version": version,
            "outcome": "succeeded",
            "occurred_at": f"2024-02-{day:02d}T09:{number:02d}:00+00:00",
            "actor": {"login": "dev-bot", "bot": True},
        }
        if len(version) == 40:
            fact["commits"] = [{"repository": f"example.org/shop/{service}", "sha": version}]
        facts.append(fact)
    facts.append(
        {
            "kind": "environment.changed",
            "environment": "production",
            "service": "checkout",
            "setting": "automatic",
            "before": "true",
            "after": "false",
            "occurred_at": "2024-02-08T09:00:00Z",
        }
    )
    facts.append(
        {
            "kind": "service.removed",
            "environment": "integration",
            "service": "mailer",
            "occurred_at": "2024-02-09T09:00:00Z",
        }
    )
    return [json.dumps(fact).encode() for fact in facts]


def test_a_ledger_becomes_places() -> None:
    t = Telling()
    for line in ledger():
        draft = told.parse(line, source="import", received_at=NOON)
        t.add(read(seal(draft, subject_of, random).entry))
    rows = t.deployments()
    assert len(rows) == len(DEPLOYED)
    assert [row.type for row in rows if row.environment == "production"] == [
        "forward",
        "forward",
        "rollback",
        "forward",
        "redeploy",
    ]
    assert {
        (environment, t.place("checkout", environment).version)
        for environment in ("integration", "production")
    } == {("integration", "v3"), ("production", "v3")}
    assert t.place("checkout").current == 11
    assert t.place("mailer", "integration").current is None
    assert t.deployment(12).sha == sha("mailer again")
    assert {row.actor for row in rows} == {"s_dev-bot"}
