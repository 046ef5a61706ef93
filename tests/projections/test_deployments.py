"""Reports become deployments: their states, joining them, and separating them again."""

import pytest

from deploytrail.projections.deployment_rows import DEPLOYMENTS, STEPS
from deploytrail.projections.environments import PLACES
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, Telling, raw


def test_a_deployment_from_start_to_end() -> None:
    t = Telling()
    first = t.deploy("77", kind="started", sha=SHA, version="1.42.0", actor="ada")
    assert t.deployment(first).status == "running"
    t.deploy("77", NOON + MINUTE, kind="step", name="migrate", status="in_progress")
    last = t.deploy("77", NOON + 2 * MINUTE, outcome="succeeded")
    row = t.deployment(first)
    assert (row.key, row.status, row.outcome, row.version) == (0, "succeeded", "succeeded", "1.42.0")
    assert (row.repository, row.sha, row.actor) == (REPOSITORY, SHA, "s_ada")
    assert (row.started_at, row.finished_at, row.duration_ms) == (NOON, NOON + 2 * MINUTE, 2 * MINUTE)
    assert row.index == last
    steps = t.derived.page(STEPS, where={"report": first}, order="index", descending=False)
    assert [step.index for step in steps] == [1, 2]


def test_finished_before_started_gives_the_same_deployment() -> None:
    facts = [
        ("started", NOON, {"version": "1"}),
        ("step", NOON + MINUTE, {"status": "in_progress"}),
        ("finished", NOON + 2 * MINUTE, {"outcome": "failed", "duration_ms": 95_000}),
    ]
    ways = []
    for order in (facts, facts[::-1], [facts[1], facts[2], facts[0]]):
        t = Telling()
        for kind, at, fields in order:
            fields = {"outcome": None, **fields}
            t.deploy("77", at, kind=kind, received_at=NOON + 9 * MINUTE, **fields)
        row = t.deployment(0)
        ways.append((row.status, row.started_at, row.finished_at, row.duration_ms, row.version, row.position))
    assert ways == [("failed", NOON, NOON + 2 * MINUTE, 95_000, "1", NOON + 2 * MINUTE)] * 3


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("succeeded", "succeeded"),
        ("Success", "succeeded"),
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("canceled", "cancelled"),
        ("odd", "finished"),
        (None, "finished"),
    ],
)
def test_outcomes_in_the_houses_words(told: str | None, status: str) -> None:
    t = Telling()
    assert t.deployment(t.deploy("77", outcome=told)).status == status


def test_a_later_end_of_one_report_counts() -> None:
    t = Telling()
    first = t.deploy("77", outcome="failed")
    t.deploy("77", NOON + MINUTE, outcome="succeeded")
    assert t.deployment(first).status == "succeeded"
    # Told late, but it ended earlier.
    t.deploy("77", NOON - MINUTE, outcome="failed", received_at=NOON + 5 * MINUTE)
    assert t.deployment(first).status == "succeeded"


def test_what_one_source_says_failed_did_not_succeed() -> None:
    t = Telling()
    first = t.deploy("77", sha=SHA, outcome="succeeded")
    t.deploy("a", NOON + MINUTE, sha=SHA, source="cli", outcome="failed")
    row = t.deployment(first)
    assert len(row.reports) == 2
    assert row.status == "failed"
    assert t.place().current is None


def test_two_sources_one_deployment() -> None:
    t = Telling()
    hub = t.deploy("77", kind="started", sha=SHA, actor="dev-bot", bot=True)
    cli = t.deploy("run-5", NOON + MINUTE, source="cli", sha=SHA, artifact=DIGEST, actor="ada", version="2")
    t.deploy("77", NOON + 2 * MINUTE, outcome="succeeded")
    assert [row.key for row in t.deployments()] == [0]
    row = t.deployment(cli)
    assert row.key == hub
    assert [(r.source, r.because) for r in row.reports] == [
        ("hub", ""),
        ("cli", "the same commit 4f2c81e, 1 min apart"),
    ]
    assert (row.artifact, row.version, row.status) == (DIGEST, "2", "succeeded")
    # Equally attributed: the human being counts.
    assert row.actor == "s_ada"


def test_the_strongest_attribution_names_the_actor() -> None:
    t = Telling()
    first = t.deploy("77", kind="started", sha=SHA, actor="ben", attribution="asserted")
    t.deploy("77", NOON + MINUTE, actor="ada", attribution="authenticated")
    t.deploy("77", NOON + 2 * MINUTE, kind="step", actor="cleo", attribution="asserted")
    row = t.deployment(first)
    assert (row.actor, row.attribution) == ("s_ada", "authenticated")


def test_a_creator_stands_in_for_an_actor() -> None:
    t = Telling()
    row = t.deployment(t.deploy("77", creator={"login": "ada"}))
    assert (row.actor, row.attribution) == ("s_ada", "asserted")


def test_a_second_attempt_of_the_same_source_stands_alone() -> None:
    t = Telling()
    one = t.deploy("77", sha=SHA, outcome="failed")
    two = t.deploy("78", NOON + 5 * MINUTE, sha=SHA)
    assert t.deployment(one).key != t.deployment(two).key
    # Each report of the other source finds the attempt that it is nearest to.
    near = t.deploy("run-2", NOON + 6 * MINUTE, sha=SHA, source="cli")
    early = t.deploy("run-1", NOON, sha=SHA, source="cli")
    assert t.deployment(near).key == two
    assert t.deployment(early).key == one


def test_a_report_that_learns_its_commit_later_moves_in() -> None:
    t = Telling()
    cli = t.deploy("run-5", kind="started", source="cli")
    hub = t.deploy("77", NOON + MINUTE, kind="started", sha=SHA)
    assert len(t.deployments()) == 2
    t.deploy("run-5", NOON + 2 * MINUTE, source="cli", sha=SHA)
    rows = t.deployments()
    assert [row.key for row in rows] == [hub]
    # The address that was shown before still leads there.
    assert t.deployment(cli).key == hub
    assert rows[0].status == "succeeded"
    assert t.place().current == hub
    assert t.place().attempt == hub


def test_a_report_joined_by_name_across_sources() -> None:
    t = Telling()
    hub = t.deploy("release-9", kind="started")
    t.deploy("release-9", NOON + 60 * MINUTE, source="cli")
    row = t.deployment(hub)
    assert [r.because for r in row.reports] == ["", "both name the deployment release-9"]


def test_separating_is_a_move_and_lasts() -> None:
    t = Telling()
    hub = t.deploy("77", sha=SHA, version="1")
    cli = t.deploy("run-5", NOON + MINUTE, source="cli", sha=SHA, version="1")
    t.tell("reports.separated", deployment=str(hub), index=cli)
    assert [(row.key, len(row.reports)) for row in t.deployments()] == [(0, 1), (1, 1)]
    assert t.deployment(cli).reports[0].because == "an administrator separated it"
    # News of the separated report stay with it, also when they name what both share.
    t.deploy("run-5", NOON + 2 * MINUTE, source="cli", sha=SHA, artifact=DIGEST)
    assert t.deployment(cli).key == cli
    assert t.deployment(cli).artifact == DIGEST
    # The separated one ended later, so it is what runs, and a redeploy of the same.
    assert t.place().current == cli
    assert t.deployment(cli).type == "redeploy"


def test_separating_the_founder_leaves_the_others_together() -> None:
    t = Telling()
    hub = t.deploy("77", sha=SHA)
    cli = t.deploy("run-5", source="cli", sha=SHA)
    ops = t.deploy("x", source="ops", sha=SHA)
    t.tell("reports.separated", deployment=str(hub), index=hub)
    assert t.deployment(hub).key == hub
    assert t.deployment(cli).key == t.deployment(ops).key == cli
    assert [r.source for r in t.deployment(ops).reports] == ["cli", "ops"]


@pytest.mark.parametrize(
    ("deployment", "index"),
    [("0", 5), ("7", 0), ("x", 0), ("", 0), ("-1", 0), ("9" * 40, 0), ("²", 0)],
    ids=["no such report", "no such deployment", "not a key", "empty", "negative", "too long", "odd digit"],
)
def test_separating_what_is_not_there_does_nothing(deployment: str, index: int) -> None:
    t = Telling()
    t.deploy("77", sha=SHA)
    t.deploy("run-5", source="cli", sha=SHA)
    before = t.derived.digest()["deployment"]
    t.add(raw("reports.separated", {"deployment": deployment, "index": index}))
    assert t.derived.digest()["deployment"] == before


def test_separating_the_only_report_does_nothing() -> None:
    t = Telling()
    t.deploy("77", sha=SHA)
    t.tell("reports.separated", deployment="0", index=0)
    assert not t.deployment(0).reports[0].apart


def test_a_separated_pair_gives_back_what_ran_before() -> None:
    t = Telling()
    t.deploy("70", NOON - 60 * MINUTE, sha=OTHER, version="1")
    hub = t.deploy("77", sha=SHA, version="2")
    cli = t.deploy("run-5", NOON, source="cli", sha=SHA, outcome="failed")
    assert t.place().version == "1"
    t.tell("reports.separated", deployment=str(hub), index=cli)
    assert t.place().version == "2"
    assert t.deployment(cli).status == "failed"
    assert t.deployment(hub).replaced == 0


def test_another_service_of_one_source_and_name_is_another_deployment() -> None:
    t = Telling()
    one, two = t.deploy("77"), t.deploy("77", service="mailer")
    assert t.deployment(one).key != t.deployment(two).key


def test_jobs_stand_in_the_timeline_of_their_deployment() -> None:
    t = Telling()
    first = t.deploy("77", kind="started", repository=REPOSITORY)
    job = t.tell(
        "job.started",
        repository=REPOSITORY,
        run="5",
        job="6",
        deployment="77",
        environment="production",
    )
    t.tell("job.started", repository=REPOSITORY, run="5", job="7", deployment="99", environment="production")
    steps = t.derived.page(STEPS, where={"report": first}, order="index")
    assert [step.index for step in steps] == [job]


def test_a_flood_of_reports_keeps_rows_small() -> None:
    t = Telling()
    for n in range(60):
        t.deploy(f"run-{n}", source=f"source-{n}", sha=SHA)
    assert max(len(row.reports) for row in t.deployments()) <= 16
    assert sum(len(row.reports) for row in t.deployments()) == 60
    assert len(t.derived.page(PLACES, order="environment")) == 1
    assert len(t.derived.page(DEPLOYMENTS, order="key")) == len(t.deployments())
