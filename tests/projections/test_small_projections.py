"""Checks, people, what needs attention, and the trail itself."""

from typing import Any

import pytest

from deploytrail.projections.artifacts import ARTIFACTS, Artifact
from deploytrail.projections.attention import SET_ASIDE
from deploytrail.projections.checks import CHECKS, called_build
from deploytrail.projections.people import PEOPLE, Person
from deploytrail.projections.trail import OPTIONS, TRAIL, TrailEntry
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, Telling, raw


def check(t: Telling, kind: str, at: int = NOON, **fields: Any) -> int:
    return t.tell(kind, at, repository=REPOSITORY, sha=SHA, **fields)


def test_the_latest_word_of_a_check_counts() -> None:
    t = Telling()
    check(t, "check.started", name="unit", required=True)
    check(t, "check.finished", NOON + 2 * MINUTE, name="unit", outcome="success", passed=12, skipped=2)
    check(t, "check.started", NOON + MINUTE, name="unit", received_at=NOON + 3 * MINUTE)
    rows = t.derived.page(CHECKS, where={"repository": REPOSITORY, "sha": SHA}, order="name")
    assert [(r.name, r.outcome, r.passed, r.skipped, r.required) for r in rows] == [
        ("unit", "succeeded", 12, 2, True)
    ]
    check(t, "check.started", NOON + 4 * MINUTE, name="unit", status="queued")
    row = t.get(CHECKS, REPOSITORY, SHA, "check", "unit")
    assert row is not None
    assert (row.outcome, row.status, row.passed) == (None, "queued", None)


def test_a_build_and_a_test_may_share_a_name() -> None:
    t = Telling()
    check(t, "build.finished", outcome="succeeded")
    check(t, "test.finished", outcome="failed", name="build")
    check(t, "check.finished", app="scanner")
    rows = t.derived.page(
        CHECKS, where={"repository": REPOSITORY, "sha": SHA}, order="name", descending=False
    )
    assert [(r.family, r.name) for r in rows] == [("build", "build"), ("test", "build"), ("check", "scanner")]


def test_jobs_that_are_called_a_build_tell_of_one() -> None:
    t = Telling()
    check(t, "job.started", run="9", job="11", name="Build and push", status="queued")
    check(t, "job.finished", NOON + MINUTE, run="9", job="11", name="Build and push", outcome="success")
    check(t, "job.finished", run="9", job="12", name="unit tests", outcome="success")
    t.tell("job.finished", repository=REPOSITORY, run="9", job="13", name="build")
    rows = t.derived.page(CHECKS, where={"repository": REPOSITORY, "sha": SHA}, order="name")
    assert [(r.family, r.name, r.outcome) for r in rows] == [("job", "Build and push", "succeeded")]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("build", True),
        ("Build (3.11)", True),
        ("build-image", True),
        ("ci / build", True),
        ("rebuild index", False),
        ("buildkite", False),
        ("unit tests", False),
    ],
)
def test_what_is_called_a_build(name: str, is_one: bool) -> None:
    assert called_build(name) is is_one


def test_an_artifact_stands_as_it_was_told_first() -> None:
    t = Telling()
    first = t.tell("artifact.published", NOON, digest=DIGEST, name="checkout", source="runner")
    t.tell(
        "artifact.published",
        NOON - MINUTE,
        digest=DIGEST,
        name="other",
        repository=f"https://{REPOSITORY}.git",
        sha=SHA.upper(),
        actor="ada",
        received_at=NOON + MINUTE,
    )
    t.tell("artifact.published", digest=DIGEST, repository=REPOSITORY, sha=OTHER, version="9")
    assert t.get(ARTIFACTS, DIGEST) == Artifact(
        digest=DIGEST,
        at=NOON,
        index=first,
        source="runner",
        name="checkout",
        repository=REPOSITORY,
        sha=SHA,
        actor="s_ada",
        version="9",
    )


def person(t: Telling, login: str) -> Person:
    found = t.get(PEOPLE, f"s_{login}")
    assert found is not None
    return found


def test_people_are_known_by_where_they_were_named() -> None:
    t = Telling()
    t.tell("x-note", actor="ada")
    t.tell("x-other", actor="dev-bot", bot=True)
    t.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="main",
        after=SHA,
        commits=[{"sha": SHA, "author": {"login": "ada"}, "co_authors": [{"email": "ben@example.org"}]}],
    )
    assert (person(t, "ada").first, person(t, "ada").last, person(t, "ada").named) == (0, 2, 2)
    assert person(t, "dev-bot").bot
    assert person(t, "ben@example.org").named == 2


def test_an_address_alone_does_not_take_the_place_of_a_name() -> None:
    t = Telling()
    subject = {"id": "s_ada"}
    t.add(raw("x-note", {}, actor={**subject, "login": {"c": "AA=="}}))
    t.add(raw("x-note", {}, actor={**subject, "email": {"c": "AA=="}}))
    assert person(t, "ada").named == 0


def test_the_newest_telling_of_the_best_name_counts() -> None:
    t = Telling()
    told = [("email",), ("login",), ("name", "email"), ("login", "email"), ("name",), ("email",)]
    named = []
    for fields in told:
        t.add(raw("x-note", {}, actor={"id": "s_ada", **{field: {"c": "AA=="} for field in fields}}))
        named.append(person(t, "ada").named)
    assert named == [0, 1, 2, 2, 4, 4]
    assert person(t, "ada").known_by == "name"


def test_an_erased_person_has_no_name_and_is_offered_no_more() -> None:
    t = Telling()
    t.tell("x-note", actor="ada")
    t.tell("subject.erased", subject="s_ada", ground="asked", entries=1, deliveries=0)
    assert (person(t, "ada").named, person(t, "ada").erased) == (None, 1)
    assert t.get(OPTIONS, "actor", "s_ada") is None


def test_what_was_set_aside() -> None:
    t = Telling()
    t.tell("delivery.set_aside", event="star", size=12, commitment="x", reason="unknown event")
    row = t.get(SET_ASIDE, 0)
    assert row is not None
    assert (row.source, row.event, row.size, row.reason, row.received_at) == (
        "hub",
        "star",
        12,
        "unknown event",
        NOON,
    )


def test_what_was_set_aside_is_no_more_once_it_was_read() -> None:
    t = Telling()
    fields = {"size": 12, "reason": "unknown event", "event": "star"}
    t.tell("delivery.set_aside", delivery="one", commitment="one", **fields)
    t.tell("delivery.set_aside", delivery="two", commitment="two", **fields)
    t.tell("x-note", delivery="elsewhere")
    assert t.get(SET_ASIDE, 0) is not None
    t.tell("x-note", delivery="one")
    t.tell("x-note", delivery="one")
    assert (t.get(SET_ASIDE, 0), t.get(SET_ASIDE, 1) is not None) == (None, True)


def trail(t: Telling, index: int) -> TrailEntry:
    found = t.get(TRAIL, index)
    assert found is not None
    return found


MARKS: list[tuple[str, dict[str, Any], str]] = [
    ("x-note", {}, "note"),
    ("test.finished", {"repository": "r", "sha": SHA, "outcome": "passed"}, "succeeded"),
    ("check.finished", {"repository": "r", "sha": SHA, "outcome": "timed_out"}, "failed"),
    ("check.finished", {"repository": "r", "sha": SHA, "outcome": "skipped"}, "note"),
    ("check.started", {"repository": "r", "sha": SHA}, "note"),
    ("commit.pushed", {"repository": "r", "ref": "main", "after": SHA}, "unattributed"),
    ("change.merged", {"repository": "r", "number": 1, "merged_by": {"login": "ada"}}, "note"),
    (
        "change.reviewed",
        {"repository": "r", "number": 1, "reviewer": {"login": "ada"}, "verdict": "APPROVED"},
        "succeeded",
    ),
    (
        "change.reviewed",
        {"repository": "r", "number": 1, "reviewer": {"login": "ada"}, "verdict": "changes_requested"},
        "waiting",
    ),
    ("deployment.reviewed", {"environment": "e", "verdict": "rejected"}, "failed"),
    ("deployment.started", {"deployment": "1", "service": "s", "environment": "e"}, "running"),
    (
        "deployment.step",
        {"deployment": "1", "service": "s", "environment": "e", "status": "queued"},
        "waiting",
    ),
    (
        "deployment.step",
        {"deployment": "1", "service": "s", "environment": "e", "status": "failure"},
        "failed",
    ),
    (
        "deployment.finished",
        {"deployment": "1", "service": "s", "environment": "e", "outcome": "cancelled"},
        "note",
    ),
    ("incident.opened", {"incident": "1"}, "failed"),
    ("incident.resolved", {"incident": "1"}, "succeeded"),
    ("delivery.set_aside", {"event": "e", "size": 1, "commitment": "c", "reason": "r"}, "waiting"),
]


@pytest.mark.parametrize(("kind", "fields", "mark"), MARKS)
def test_marks(kind: str, fields: dict[str, Any], mark: str) -> None:
    t = Telling()
    assert trail(t, t.tell(kind, **fields)).mark == mark


def test_a_line_of_the_trail() -> None:
    t = Telling()
    t.deploy("77", kind="started", actor="ada")
    t.deploy("77", outcome="Success")
    t.tell("change.reviewed", repository=REPOSITORY, number=1, reviewer={"login": "ben"})
    row = trail(t, 1)
    assert (row.kind, row.service, row.environment, row.outcome, row.report) == (
        "deployment.finished",
        "checkout",
        "production",
        "succeeded",
        0,
    )
    assert (row.actor, trail(t, 0).actor, trail(t, 2).actor) == (None, "s_ada", "s_ben")
    assert trail(t, 2).report is None


def test_unknown_kinds_stand_in_the_trail() -> None:
    t = Telling()
    index = t.add(raw("permit.issued", {"service": "checkout", "novel": {"deep": [1]}}, v=9))
    assert (trail(t, index).kind, trail(t, index).mark, trail(t, index).service) == (
        "permit.issued",
        "note",
        "checkout",
    )


def test_options_are_offered_once_and_kept_fresh() -> None:
    t = Telling()
    for _ in range(200):
        t.tell("x-note", actor="ada")
    row = t.get(OPTIONS, "actor", "s_ada")
    assert row is not None
    assert row.last >= 100
