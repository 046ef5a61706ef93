"""What pages are told: the trail, a deployment, environments, the log, and what needs attention."""

from __future__ import annotations

from typing import Any

import pytest

from deploytrail.app import trails
from deploytrail.app.views import EnvironmentView, Filter, Who
from deploytrail.errors import Refused
from tests.app.small_house import ORIGIN, SmallHouse
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD

HOUR = 60 * MINUTE


def indices(house: SmallHouse, **filters: str) -> list[int]:
    return [row.index for row in house.rows(**filters)]


def named(sha: str) -> list[dict[str, str]]:
    return [{"repository": REPOSITORY, "sha": sha}]


# The trail.


def test_an_empty_house(house: SmallHouse) -> None:
    page = house.ask.trail(Filter(), None, None, 50)
    assert (page.rows, page.older, page.up_to) == ([], None, 0)
    assert (page.services, page.environments, page.actors, page.kinds) == ([], [], [], [])
    assert house.ask.environments() == []
    assert house.ask.attention(None, 50) == []
    assert house.ask.deployment("0") is None
    assert house.ask.entry(0) is None
    assert house.ask.projected() == 0


def test_a_line_of_the_trail_in_full(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, version="1.41.3", actor="ben")
    index = house.deploy(
        "2",
        NOON,
        version="1.42.0",
        actor="ada",
        commits=named(SHA),
        artifact=DIGEST,
        duration_ms=112_000,
        creator={"login": "cleo"},
        url="https://example.org/run/2",
        description="12 smoke tests passed",
        received_at=NOON + 90_000,
        labels={"team": "payments"},
    )
    row = house.rows()[0]
    assert (row.index, row.kind, row.mark, row.source, row.attribution) == (
        index,
        "deployment.finished",
        "succeeded",
        "hub",
        "authenticated",
    )
    assert (row.occurred_at, row.received_at) == (NOON, NOON + 90_000)
    assert (row.service, row.environment, row.version, row.replaced) == (
        "checkout",
        "production",
        "1.42.0",
        "1.41.3",
    )
    assert row.deployment == str(index)
    assert row.actor == Who(id=house.subject("ada"), login="ada")
    assert row.people == {"creator": Who(id=house.subject("cleo"), login="cleo")}
    assert row.texts == {"url": "https://example.org/run/2", "description": "12 smoke tests passed"}
    assert row.fields == {
        "deployment": "2",
        "service": "checkout",
        "environment": "production",
        "artifact": DIGEST,
        "version": "1.42.0",
        "commits": [{"repository": REPOSITORY, "sha": SHA}],
        "outcome": "succeeded",
        "duration_ms": 112_000,
        "type": "forward",
    }
    assert row.proof == "recorded"


def test_a_push_and_its_people(house: SmallHouse) -> None:
    house.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="feature",
        after=SHA,
        commits=[
            {"sha": OTHER, "author": {"login": "ben"}, "title": "One"},
            {"sha": SHA, "author": {"login": "ada"}, "title": "Two"},
        ],
    )
    row = house.rows()[0]
    assert row.mark == "unattributed"
    assert row.service == "checkout"
    assert row.fields == {
        "repository": REPOSITORY,
        "after": SHA,
        "commits": [{"sha": OTHER}, {"sha": SHA}],
    }
    assert row.texts == {"ref": "feature", "commits.0.title": "One", "commits.1.title": "Two"}


def test_lists_of_persons(house: SmallHouse) -> None:
    house.tell(
        "change.merged",
        repository=REPOSITORY,
        number=9,
        merged_by={"login": "dina"},
        reviewers=[{"login": "ben"}, {"login": "eli"}],
        title="Retry once",
    )
    row = house.rows()[0]
    assert {name: who.login for name, who in row.people.items()} == {
        "merged_by": "dina",
        "reviewers.0": "ben",
        "reviewers.1": "eli",
    }
    # The source named who merged; it did not speak as them.
    assert (row.actor, row.attribution) == (row.people["merged_by"], "asserted")
    assert row.fields == {"repository": REPOSITORY, "number": 9}


def test_marks_follow_the_deployment(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, version="1")
    house.deploy("2", NOON - HOUR + MINUTE, version="2")
    house.deploy("3", kind="started", version="1")
    assert [row.mark for row in house.rows()] == ["running", "succeeded", "succeeded"]
    house.deploy("3", NOON + MINUTE)
    rows = house.rows()
    assert [row.mark for row in rows] == ["rolledback", "note", "succeeded", "succeeded"]
    assert (rows[0].version, rows[0].replaced, rows[0].fields["type"]) == ("1", "2", "rollback")


def test_pages_go_on_where_they_ended(house: SmallHouse) -> None:
    for n in range(7):
        house.deploy(str(n), NOON + n)
    house.follow()
    first = house.ask.trail(Filter(), None, None, 3)
    assert ([row.index for row in first.rows], first.older) == ([6, 5, 4], 4)
    second = house.ask.trail(Filter(), first.older, None, 3)
    assert ([row.index for row in second.rows], second.older) == ([3, 2, 1], 1)
    third = house.ask.trail(Filter(), second.older, None, 3)
    assert ([row.index for row in third.rows], third.older) == ([0], None)
    exact = house.ask.trail(Filter(), None, 3, 3)
    assert ([row.index for row in exact.rows], exact.older) == ([6, 5, 4], None)
    assert house.ask.trail(Filter(), 4, 2, 50).rows[0].index == 3
    # A page of news brings no form with it.
    assert (first.services, exact.services) == (["checkout"], [])


def test_filters(house: SmallHouse) -> None:
    a = house.deploy("1", actor="ada", outcome="Success")
    b = house.deploy("2", actor="ben", environment="staging", outcome="failure")
    c = house.deploy("3", actor="ada", service="mailer", kind="started")
    d = house.tell("test.finished", repository="example.org/shop/mailer", sha=SHA, outcome="failed")
    ada = house.subject("ada")
    assert indices(house, service="checkout") == [b, a]
    assert indices(house, service="mailer") == [d, c]
    assert indices(house, environment="production") == [c, a]
    assert indices(house, actor=ada) == [c, a]
    assert indices(house, kind="deployment.finished") == [b, a]
    assert indices(house, outcome="failed") == [d, b]
    assert indices(house, outcome="succeeded") == [a]
    assert indices(house, actor=ada, environment="production", outcome="succeeded") == [a]
    assert indices(house, actor=ada, outcome="failed") == []
    assert indices(house, service="nothing of this name") == []
    assert indices(house, service="") == [d, c, b, a]


def test_what_filters_offer(house: SmallHouse) -> None:
    house.deploy("1", actor="ben")
    house.deploy("2", actor="ada", environment="staging")
    house.tell("x-note", service="mailer")
    house.follow()
    page = house.ask.trail(Filter(), None, None, 1)
    assert page.services == ["checkout", "mailer"]
    assert page.environments == ["production", "staging"]
    assert [who.login for who in page.actors] == ["ada", "ben"]
    assert page.kinds == ["deployment.finished", "x-note"]


def test_names_from_before_a_declaration_are_found_under_the_declared_one(house: SmallHouse) -> None:
    old = house.deploy("1", environment="Prd", service="cart")
    house.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    house.tell("service.declared", service="checkout", aliases=["cart"])
    new = house.deploy("2", NOON + MINUTE, environment="PRD")
    assert indices(house, environment="production", kind="deployment.finished") == [new, old]
    assert indices(house, environment="prd", service="cart") == [new, old]
    rows = {row.index: row for row in house.rows()}
    assert (rows[old].environment, rows[old].service) == ("production", "checkout")


def test_many_spellings_are_one_page(house: SmallHouse) -> None:
    for n in range(12):
        house.deploy(str(n), NOON + n, environment=("production", "prd", "live")[n % 3])
    house.tell("environment.declared", environment="production", type="production", aliases=["prd", "live"])
    house.follow()
    seen, below = [], None
    while True:
        page = house.ask.trail(Filter(environment="production", kind="deployment.finished"), below, None, 2)
        seen += [row.index for row in page.rows]
        if page.older is None:
            break
        below = page.older
    assert seen == list(range(11, -1, -1))


def test_a_search_that_finds_little_ends_and_can_go_on(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "_STEP", 2)
    monkeypatch.setattr(trails, "_STEPS", 2)
    rare = house.deploy("rare", actor="ada", outcome="failed")
    for n in range(10):
        house.deploy(str(n), actor="ada", environment="staging")
        house.deploy(f"m{n}", service="mailer", outcome="failed", environment="staging")
    ada = house.subject("ada")
    house.follow()
    wanted = Filter(actor=ada, outcome="failed")
    found, steps, page = [], 0, house.ask.trail(wanted, None, None, 5)
    while page.older is not None:
        steps += 1
        found += [row.index for row in page.rows]
        page = house.ask.trail(wanted, page.older, None, 5)
    assert [*found, *(row.index for row in page.rows)] == [rare]
    assert steps > 1


def test_the_rarest_filter_leads(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_STEP", 3)
    monkeypatch.setattr(trails, "_STEPS", 1)
    rare = house.tell("service.removed", service="checkout", environment="production", actor="ada")
    for n in range(20):
        house.deploy(str(n), actor="ada")
    ada = house.subject("ada")
    # One step through the rarest is enough; through the others it would end before.
    assert indices(house, actor=ada, environment="production", kind="service.removed") == [rare]


def test_proofs_in_the_trail(house: SmallHouse) -> None:
    house.tell("x-note")
    house.publish()
    house.tell("x-note")
    assert [row.proof for row in house.rows()] == ["recorded", "signed"]


def test_a_damaged_entry_is_shown_as_broken(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.tell("x-note", actor="ada")
    house.publish()
    house.follow()
    row = house.log.entries(0, 1)[0]
    body = row.body.replace(b"authenticated", b"signed")
    monkeypatch.setattr(house.log, "entries", lambda start, stop: [row._replace(body=body)])
    monkeypatch.setattr(house.log, "at", lambda indices: [row._replace(body=body)])
    assert [line.proof for line in house.ask.trail(Filter(), None, None, 5).rows] == ["broken"]
    with pytest.raises(Refused, match="damaged") as refused:
        house.ask.entry(0)
    assert refused.value.code == "untrue"


def test_an_erased_person_in_the_trail(house: SmallHouse) -> None:
    house.deploy("1", actor="ada", description="ada did it")
    house.rows()
    subject = house.erase("ada")
    row = house.rows()[1]
    assert row.actor == Who(id=subject, erased=True)
    assert row.texts == {}
    page = house.ask.trail(Filter(), None, None, 5)
    assert page.actors == []
    assert [row.index for row in house.ask.trail(Filter(actor=subject), None, None, 5).rows] == [0]


def test_bots_are_told_apart(house: SmallHouse) -> None:
    house.deploy("1", actor="dev-bot", bot=True)
    assert house.rows()[0].actor == Who(id=house.subject("dev-bot"), login="dev-bot", bot=True)


# One deployment.


def history(house: SmallHouse) -> None:
    """Two deployments, and between them a merged change and a commit pushed by hand."""
    house.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="main",
        before=THIRD,
        after=OTHER,
        commits=[
            {"sha": "aa" * 20, "author": {"login": "ada"}, "title": "Retry once", "signed": True},
            {"sha": "bb" * 20, "author": {"login": "ada"}, "title": "Test it"},
            {"sha": OTHER, "author": {"login": "ben"}, "title": "Merge #9"},
        ],
    )
    house.tell(
        "change.reviewed",
        repository=REPOSITORY,
        number=9,
        verdict="approved",
        reviewer={"login": "ben"},
        author={"login": "ada"},
    )
    house.tell(
        "change.merged",
        repository=REPOSITORY,
        number=9,
        sha=OTHER,
        head="bb" * 20,
        commits=2,
        merged_by={"login": "ben"},
        author={"login": "ada"},
    )
    house.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="main",
        before=OTHER,
        after=SHA,
        commits=[{"sha": SHA, "author": {"login": "dina"}, "title": "By hand"}],
    )


def test_commits_since_what_it_replaced(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, commits=named(THIRD), version="1.41.3")
    history(house)
    view = house.deployment(house.deploy("2", commits=named(SHA), version="1.42.0"))
    assert (view.commits_known, view.commits_why, view.commits_cut) == (True, None, 0)
    told = [
        (c.sha, c.title, c.author.login if c.author else None, c.change, [w.login for w in c.reviewers])
        for c in view.commits
    ]
    assert told == [
        (SHA, "By hand", "dina", None, []),
        (OTHER, "Merge #9", "ben", 9, ["ben"]),
        ("bb" * 20, "Test it", "ada", 9, ["ben"]),
        # Neither head nor merge: it came by the change, since that push held nothing else.
        ("aa" * 20, "Retry once", "ada", 9, ["ben"]),
    ]
    assert [c.attribution for c in view.commits] == ["asserted", "asserted", "asserted", "signed"]
    assert {c.index for c in view.commits} == {1, 4}


def test_a_push_that_held_more_than_the_change_claims_nothing(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, commits=named(THIRD))
    house.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="main",
        before=THIRD,
        after=SHA,
        commits=[{"sha": "aa" * 20}, {"sha": "bb" * 20}, {"sha": SHA}],
    )
    house.tell("change.merged", repository=REPOSITORY, number=9, sha=SHA, head="bb" * 20, commits=1)
    view = house.deployment(house.deploy("2", commits=named(SHA)))
    assert [(c.sha[:2], c.change) for c in view.commits] == [(SHA[:2], 9), ("bb", 9), ("aa", None)]


def test_a_rollback_brings_no_commits(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, commits=named(THIRD), version="1")
    history(house)
    house.deploy("2", NOON - MINUTE, commits=named(SHA), version="2")
    view = house.deployment(house.deploy("3", commits=named(THIRD), version="1"))
    assert (view.type, view.mark, view.commits_known, view.commits) == ("rollback", "rolledback", True, [])
    assert view.replaced_version == "2"


WHYS: list[tuple[str, list[dict[str, Any]], str]] = [
    ("no commit was named", [{}, {}], "No report named the commit that was deployed."),
    ("nothing ran before", [{"commits": named(SHA)}], "No earlier deployment here is known"),
    (
        "the one before named none",
        [{"version": "1.41.3"}, {"commits": named(SHA)}],
        "No report named the commit of 1.41.3, which this one replaced.",
    ),
    (
        "the one before was another repository",
        [{"commits": [{"repository": "example.org/other", "sha": OTHER}]}, {"commits": named(SHA)}],
        "No report named the commit of e08b7d3",
    ),
    (
        "no push was heard",
        [{"commits": named(OTHER)}, {"commits": named(SHA)}],
        "No push of this repository has been heard. Add the repository's webhook, or import its history.",
    ),
]


@pytest.mark.parametrize(("deployments", "why"), [c[1:] for c in WHYS], ids=[c[0] for c in WHYS])
def test_commits_unknown_with_the_way_to_know(
    house: SmallHouse, deployments: list[dict[str, Any]], why: str
) -> None:
    last = 0
    for n, fields in enumerate(deployments):
        last = house.deploy(str(n), NOON + n * HOUR, **fields)
    view = house.deployment(last)
    assert not view.commits_known
    assert view.commits_why is not None
    assert view.commits_why.startswith(why)
    assert [c.sha for c in view.commits] == [c["sha"] for c in deployments[-1].get("commits", [])]


def test_a_gap_between_pushes_is_named(house: SmallHouse) -> None:
    house.deploy("1", NOON - HOUR, commits=named("cc" * 20))
    history(house)
    view = house.deployment(house.deploy("2", commits=named(SHA)))
    assert view.commits_why is not None
    assert view.commits_why.startswith("Not every push between ccccccc and 4f2c81e has been heard.")
    # What the reports named is shown all the same, with what is known of it.
    assert [(c.sha, c.title) for c in view.commits] == [(SHA, "By hand")]


def test_the_timeline_and_the_facts(house: SmallHouse) -> None:
    first = house.deploy("1", NOON - HOUR, version="1.41.3")
    started = house.deploy(
        "2", kind="started", version="1.42.0", actor="ada", labels={"team": "payments", "risk": "medium"}
    )
    step = house.deploy("2", NOON + MINUTE, kind="step", name="migrate", status="done", duration_ms=33_000)
    finished = house.deploy(
        "2",
        NOON + 2 * MINUTE,
        received_at=NOON + 6 * MINUTE,
        description="12 smoke tests passed",
        url="https://example.org/2",
        artifact=DIGEST,
    )
    signed = house.publish()
    view = house.deployment(started)
    assert [(s.index, s.kind, s.mark, s.late_ms) for s in view.steps] == [
        (started, "deployment.started", "note", None),
        (step, "deployment.step", "note", None),
        (finished, "deployment.finished", "succeeded", 4 * MINUTE),
    ]
    assert (view.steps[1].name, view.steps[1].status, view.steps[1].duration_ms) == (
        "migrate",
        "done",
        33_000,
    )
    assert (view.steps[2].description, view.steps[2].url) == (
        "12 smoke tests passed",
        "https://example.org/2",
    )
    assert view.steps[0].actor == view.actor == Who(id=house.subject("ada"), login="ada")
    assert (view.mark, view.status, view.outcome, view.type, view.attribution) == (
        "succeeded",
        "succeeded",
        "succeeded",
        "forward",
        "authenticated",
    )
    assert (view.started_at, view.finished_at, view.duration_ms, view.at) == (
        NOON,
        NOON + 2 * MINUTE,
        2 * MINUTE,
        NOON + 2 * MINUTE,
    )
    assert (view.replaced_key, view.replaced_version, view.replaced_ran_ms) == (
        str(first),
        "1.41.3",
        HOUR + 2 * MINUTE,
    )
    assert view.running_now
    assert view.url == "https://example.org/2"
    assert view.labels == {"team": "payments", "risk": "medium"}
    assert (view.index, view.proof, view.checkpoint_size) == (finished, "signed", signed.size)
    assert view.reports[0].because == "it is the only report"
    before = house.deployment(first)
    assert (before.replaced_by, before.running_now) == (str(started), False)


def test_proof_of_a_deployment_that_is_not_signed_yet(house: SmallHouse) -> None:
    view = house.deployment(house.deploy("1"))
    assert (view.proof, view.checkpoint_size, view.checkpoint_root) == ("recorded", None, None)
    assert len(view.leaf) == 44


def test_reports_and_their_separation(house: SmallHouse) -> None:
    hub = house.deploy("77", commits=named(SHA))
    cli = house.deploy("run-5", NOON + MINUTE, source="cli", commits=named(SHA))
    view = house.deployment(cli)
    assert view.key == str(hub)
    assert [(r.source, r.name, r.index, r.because, r.separable) for r in view.reports] == [
        ("hub", "77", hub, "it was told first", True),
        ("cli", "run-5", cli, "the same commit 4f2c81e, 1 min apart", True),
    ]
    assert [step.source for step in view.steps] == ["hub", "cli"]
    house.tell("reports.separated", deployment=view.key, index=cli)
    assert [r.source for r in house.deployment(hub).reports] == ["hub"]
    assert [s.source for s in house.deployment(cli).steps] == ["cli"]
    assert {row.index: row.deployment for row in house.rows(kind="deployment.finished")} == {
        hub: str(hub),
        cli: str(cli),
    }


def test_checks_on_the_deployed_commit(house: SmallHouse) -> None:
    def check(kind: str, name: str, **fields: Any) -> None:
        house.tell(kind, repository=REPOSITORY, sha=SHA, name=name, **fields)

    check("test.finished", "unit", outcome="passed", passed=1212, skipped=2, duration_ms=91_000)
    check("check.finished", "lint", outcome="failure", url="https://example.org/lint", required=True)
    check("check.finished", "other", outcome="success")
    house.tell("check.finished", repository=REPOSITORY, sha=OTHER, name="elsewhere", outcome="success")
    # The commit is named shortly, and without the host.
    short = [{"repository": "shop/checkout", "sha": SHA[:9]}]
    house.tell("commit.pushed", repository=REPOSITORY, ref="main", after=SHA, commits=[{"sha": SHA}])
    view = house.deployment(house.deploy("1", commits=short))
    assert [(c.name, c.kind, c.outcome, c.passed, c.url) for c in view.checks] == [
        ("lint", "check.finished", "failed", None, "https://example.org/lint"),
        ("other", "check.finished", "succeeded", None, None),
        ("unit", "test.finished", "succeeded", 1212, None),
    ]


def test_a_job_is_told_once_where_it_has_a_check(house: SmallHouse) -> None:
    at = {"repository": REPOSITORY, "sha": SHA}
    house.tell("job.finished", **at, run="9", job="11", name="build", outcome="success")
    house.tell("commit.pushed", repository=REPOSITORY, ref="main", after=SHA, commits=[{"sha": SHA}])
    index = house.deploy("1", commits=named(SHA))
    assert [(c.name, c.kind) for c in house.deployment(index).checks] == [("build", "job.finished")]
    house.tell("check.finished", **at, name="build", outcome="success")
    assert [(c.name, c.kind) for c in house.deployment(index).checks] == [("build", "check.finished")]


def test_the_artifact_that_was_published(house: SmallHouse) -> None:
    index = house.deploy("1", commits=named(SHA), artifact=DIGEST)
    assert house.deployment(index).published is None
    told = house.tell(
        "artifact.published", digest=DIGEST, repository=REPOSITORY, sha=SHA, name="checkout", actor="ada"
    )
    found = house.deployment(index).published
    assert found is not None
    assert (found.digest, found.sha, found.index, found.source) == (DIGEST, SHA, told, "hub")
    assert found.actor is not None
    assert found.actor.login == "ada"


def test_an_artifact_of_the_deployed_commit(house: SmallHouse) -> None:
    house.tell("commit.pushed", repository=REPOSITORY, ref="main", after=SHA, commits=[{"sha": SHA}])
    index = house.deploy("1", commits=[{"repository": "shop/checkout", "sha": SHA[:9]}])
    house.tell("artifact.published", digest=DIGEST, repository=REPOSITORY, sha=OTHER)
    assert house.deployment(index).published is None
    house.tell("artifact.published", digest="sha256:" + "1" * 64, repository=REPOSITORY, sha=SHA)
    found = house.deployment(index).published
    assert found is not None
    assert (found.digest, house.deployment(index).artifact) == ("sha256:" + "1" * 64, None)


def test_within_one_second_steps_stand_as_they_were_told(house: SmallHouse) -> None:
    first = house.deploy("1", NOON, kind="started")
    house.deploy("1", NOON + 400, kind="step", name="unpack", source="runner")
    house.deploy("1", NOON + 300, kind="step", name="health", source="runner")
    house.deploy("1", NOON)
    house.deploy("1", NOON - 1000, kind="step", name="late")
    kinds = [(step.kind.rpartition(".")[2], step.name) for step in house.deployment(first).steps]
    assert kinds == [
        ("step", "late"),
        ("started", None),
        ("step", "unpack"),
        ("step", "health"),
        ("finished", None),
    ]


@pytest.mark.parametrize("key", ["", "x", "-1", "1.5", "99", "9" * 30, "¹", "0 "])
def test_addresses_of_nothing(house: SmallHouse, key: str) -> None:
    house.deploy("1")
    house.follow()
    assert house.ask.deployment(key) is None


def test_a_deployment_of_an_erased_person(house: SmallHouse) -> None:
    index = house.deploy("1", actor="ada", url="https://example.org/ada", labels={"by": "ada"})
    subject = house.erase("ada")
    view = house.deployment(index)
    assert view.actor == Who(id=subject, erased=True)
    assert (view.url, view.labels, view.status) == (None, {}, "succeeded")


# Environments.


def environment(house: SmallHouse, name: str = "production") -> EnvironmentView:
    house.follow()
    return next(view for view in house.ask.environments() if view.name == name)


def test_environments_stand_by_rank_and_name(house: SmallHouse) -> None:
    house.tell("environment.declared", environment="staging", type="staging", rank=1)
    house.tell("environment.declared", environment="production", type="production", rank=2, aliases=["prd"])
    house.tell("environment.declared", environment="lab", type="test")
    house.tell("environment.declared", environment="attic", type="other")
    house.deploy("1", environment="unheard-of")
    house.deploy("2", environment="prd")
    house.follow()
    views = house.ask.environments()
    assert [view.name for view in views] == ["staging", "production", "attic", "lab", "unheard-of"]
    assert [view.type for view in views] == ["staging", "production", "other", "test", None]
    assert views[1].aliases == ["prd"]
    assert [cell.service for cell in views[1].cells] == ["checkout"]


def test_what_runs_where(house: SmallHouse) -> None:
    one = house.deploy("1", version="1.41.3", actor="ada")
    view = environment(house)
    assert (view.services, view.running, view.failed) == (1, 0, 0)
    cell = view.cells[0]
    assert (cell.mark, cell.word, cell.version, cell.deployment, cell.since) == (
        "succeeded",
        "Running",
        "1.41.3",
        str(one),
        NOON,
    )
    assert cell.actor == Who(id=house.subject("ada"), login="ada")


def test_cells_of_every_state(house: SmallHouse) -> None:
    def cell() -> tuple[str, str, str | None]:
        found = environment(house).cells[0]
        return found.mark, found.word, found.version

    house.deploy("1", NOON, kind="started", version="1")
    assert cell() == ("running", "Deploying", "1")
    house.deploy("1", NOON + MINUTE, outcome="failed")
    assert cell() == ("failed", "Failed", "1")
    house.deploy("2", NOON + 2 * MINUTE, version="2")
    assert cell() == ("succeeded", "Running", "2")
    house.deploy("3", NOON + 3 * MINUTE, kind="step", status="waiting", version="3")
    assert cell() == ("waiting", "Waiting", "2")
    house.deploy("3", NOON + 4 * MINUTE, outcome="failed")
    assert cell() == ("failed", "Running, last attempt failed", "2")
    house.deploy("4", NOON + 5 * MINUTE, version="4")
    house.deploy("5", NOON + 6 * MINUTE, version="2")
    assert cell() == ("rolledback", "Rolled back", "2")
    house.tell("service.removed", NOON + 7 * MINUTE, service="checkout", environment="production")
    assert cell() == ("note", "Removed", None)


def test_a_place_without_a_version_shows_the_commit(house: SmallHouse) -> None:
    house.deploy("1", commits=named(SHA))
    assert environment(house).cells[0].version == SHA[:7]


# The log, attention, entries.


def test_the_state_of_the_log(house: SmallHouse) -> None:
    house.tell("x-note")
    house.follow()
    view = house.ask.log()
    assert (view.origin, view.size, view.checkpoint_size, view.signed_ms_ago) == (ORIGIN, 1, None, None)
    assert (view.followers, view.refused_deliveries) == ([("projections", 1, "")], 3)
    signed = house.publish()
    house.sealer.signed_at = NOON
    house.sealer.state, house.sealer.words = "behind", "The disk is slow."
    house.clock.at = NOON + 5
    view = house.ask.log()
    assert (view.checkpoint_size, view.checkpoint_note) == (1, signed.note.decode())
    assert (view.checkpoint_root, view.signed_ms_ago) == (view.root, 5)
    assert (view.signer, view.signer_words) == ("behind", "The disk is slow.")
    assert view.vkey == house.sealer.vkey


def test_what_needs_attention(house: SmallHouse) -> None:
    for n in range(3):
        house.tell(
            "delivery.set_aside",
            event="star",
            size=n,
            commitment="c",
            reason="It is not known here.",
            delivery_id=f"d{n}",
        )
    house.tell("x-note")
    house.follow()
    assert [house.ask.set_aside(most) for most in (2, 3, 9)] == [2, 3, 3]
    rows = house.ask.attention(None, 2)
    assert [(row.index, row.event, row.delivery_id, row.kept) for row in rows] == [
        (2, "star", "d2", False),
        (1, "star", "d1", False),
    ]
    assert [row.index for row in house.ask.attention(1, 2)] == [0]


def test_an_entry_and_what_it_seals(house: SmallHouse) -> None:
    index = house.deploy("1", actor="ada", url="https://example.org/1", labels={"a": "b"})
    found = house.ask.entry(index)
    assert found is not None
    entry, leaf, body = found
    assert (entry.kind, leaf) == ("deployment.finished", house.log.leaves(index, index + 1))
    assert body == house.log.entries(index, index + 1)[0].body
    assert house.ask.opened(index) == {
        "actor.login": "ada",
        "data.url": "https://example.org/1",
        "labels": {"a": "b"},
    }
    assert house.ask.opened(99) == {}
