"""The demo's parts, each for real: signed deliveries that the intake reads, git, tests, builds, services."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from demo import cast, edits, hub, pipeline, town
from demo.hub import Event, Hub, pack, sign
from demo.pipeline import Place, Step, build, run_tests
from demo.repository import NULL_SHA, Clone, Origin, Size

from deploytrail.errors import Refused
from deploytrail.intake import github
from deploytrail.intake.delivery import Delivery, Reading
from deploytrail.intake.registry import SOURCES

SECRET = b"only for this test"
SHA = "0123456789abcdef0123456789abcdef01234567"
NOW = datetime(2026, 3, 17, 14, 32, 8, tzinfo=UTC)


def delivered(event: Event) -> Reading:
    """What the intake reads in a delivery of the demo's hub, after it authenticated it."""
    packed = pack(event, "6f1d6f3e-0000-4000-8000-000000000001", SECRET)
    headers = {name.lower(): value for name, value in packed.headers.items()}
    delivery = Delivery(source="hub", headers=headers, body=packed.body, received_at=0)
    source = SOURCES["github"]
    source.authenticate(delivery, [SECRET])
    with pytest.raises(Refused):
        source.authenticate(delivery, [b"another"])
    return source.read(delivery)


@pytest.fixture
def host() -> Hub:
    return Hub(count(7_000).__next__, lambda: NOW)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    (tmp_path / "home").mkdir()
    made = Origin(tmp_path / "origin.git", tmp_path / "home", tmp_path / "clones")
    made.create(town.SEED_TREE)
    return made


@pytest.fixture
def tree(origin: Origin, tmp_path: Path) -> Path:
    return pipeline.check_out(origin, origin.sha("main"), tmp_path / "work")


def test_the_signature_is_the_one_that_github_documents() -> None:
    """The vector of GitHub's page "Validating webhook deliveries"."""
    signed = sign(b"It's a Secret to Everybody", b"Hello, World!")
    assert signed == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def every_event(host: Hub) -> dict[str, Event]:
    """One delivery of each kind that the demo sends, by a name of its own."""
    ada, ben = cast.ADA, cast.BEN
    change = host.opened(7, "Deliver free from 45.00", "ada/free-7", ada, SHA[::-1], SHA, Size(2, 9, 4, 3))
    run = host.run("deliver", SHA, "main", "Merge change 7", ada, 12, None)
    job = host.job("unit tests", run)
    job.completed_at, job.conclusion = host.time(), "failure"
    job.steps = [("Run the tests", "failure", host.time(), host.time())]
    roll_out = host.roll_out(SHA, "v1.4.0", "production", ada, {"version": "1.4.0"}, "Deploy 1.4.0", run)
    events = {
        "ping": host.ping(cast.OWNER, town.EVENTS),
        "push": host.push("refs/heads/main", NULL_SHA, [], SHA, ada),
        "create": host.created("v1.4.0", "tag", ada),
        "opened": host.change_event("opened", change, ada),
        "synchronize": host.change_event("synchronize", change, ada, SHA[::-1]),
        "reviewed": host.reviewed(change, ben, "changes_requested", "Say why."),
        "run": host.run_event("in_progress", run),
        "job": host.job_event("completed", job, roll_out),
        "check": host.check_event(job, "15 passed, 1 failed", "..."),
        "suite": host.suite_event(run),
        "status": host.status(SHA, "artifact", "success", "sha256:00", ada),
        "deployment": host.deployment_event(roll_out),
        "rolling": host.status_event(roll_out, "in_progress", "Deploy 1.4.0"),
        "failed": host.status_event(roll_out, "failure", "health: no answer"),
        "protection": host.protection(cast.OWNER, 2, 1),
        "star": host.star(ben),
    }
    change.merged_by, change.merge_sha, change.closed_at = ben, SHA, host.time()
    return events | {"closed": host.change_event("closed", change, ben)}


KINDS = {
    "ping": "source.pinged",
    "push": "commit.pushed",
    "create": "ref.moved",
    "opened": "change.opened",
    "synchronize": "change.updated",
    "reviewed": "change.reviewed",
    "closed": "change.merged",
    "run": "pipeline.started",
    "job": "job.finished",
    "check": "check.finished",
    "suite": "check.finished",
    "status": "check.finished",
    "deployment": "deployment.started",
    "rolling": "deployment.step",
    "failed": "deployment.finished",
    "protection": "control.changed",
}


@pytest.mark.parametrize("name", KINDS)
def test_each_delivery_is_read_as_the_fact_it_is(host: Hub, name: str) -> None:
    reading = delivered(every_event(host)[name])
    assert [draft.kind for draft in reading.drafts][:1] == [KINDS[name]]


def test_every_kind_of_delivery_is_tested_here(host: Hub) -> None:
    assert set(every_event(host)) == set(KINDS) | {"star"}
    assert {event.name for event in every_event(host).values()} == {*town.EVENTS, "ping"}


def test_one_kind_of_event_is_set_aside(host: Hub) -> None:
    reading = delivered(every_event(host)["star"])
    assert reading.drafts == ()
    assert "star" not in github.READERS


def test_a_deployment_says_who_what_and_where(host: Hub) -> None:
    [draft] = delivered(every_event(host)["failed"]).drafts
    body: Any = draft.body
    assert (body.service, body.environment, body.version) == ("checkout", "production", "1.4.0")
    assert (body.outcome, body.repository) == ("failed", hub.FULL_REPOSITORY)
    assert draft.actor is not None
    assert draft.actor.login == "ada"


def test_a_push_tells_real_commits(origin: Origin, host: Hub) -> None:
    clone = origin.clone(cast.BEN)
    before = clone.sync()
    clone.branch("ben/questions")
    edit = edits.question(edits.Tree(clone.read), 1)
    clone.save(edit.works[0].title, edit.works[0].files)
    clone.push("ben/questions")
    merged = origin.clone(cast.CLEO).merge("ben/questions", "Merge change 1")
    commits = origin.commits(before, merged)
    [draft] = delivered(host.push("refs/heads/main", before, commits, merged, cast.CLEO)).drafts
    body: Any = draft.body
    assert [commit.title for commit in body.commits] == [edit.title, "Merge change 1"]
    assert [commit.author.login for commit in body.commits] == ["ben", "cleo"]
    assert body.commits[0].paths == ["README.md"]
    assert len(commits[1].parents) == 2


def test_git_reads_nothing_of_the_machine(
    origin: Origin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(
        "[user]\nname = Somebody Real\nemail = real@example.invalid\n[init]\ntemplateDir = /nowhere\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Real")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    clone = origin.clone(cast.ELI)
    clone.sync()
    commit = clone.commit(clone.save("Add a note", {"note": "1\n"}))
    assert commit.author[:2] == ("Eli", "eli@example.org")


# The pipeline.


def test_the_tests_of_the_service_really_run(tree: Path, tmp_path: Path) -> None:
    tests = run_tests(tree, tmp_path)
    assert tests.succeeded
    assert (tests.passed, tests.failed, tests.skipped) == (16, 0, 0)


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("Ran 16 tests in 0.03s\n\nOK", 0, (16, 0, 0)),
        ("Ran 16 tests in 0.03s\n\nOK (skipped=2)", 0, (14, 0, 2)),
        ("Ran 16 tests in 0.03s\n\nFAILED (failures=1, errors=2, skipped=1)", 1, (12, 3, 1)),
        ("ImportError: nothing ran", 1, (0, 1, 0)),
        ("", 0, (0, 0, 0)),
    ],
)
def test_counts_are_those_of_the_test_runner(text: str, status: int, expected: tuple[int, int, int]) -> None:
    tests = pipeline.counted(text, status, 5)
    assert (tests.passed, tests.failed, tests.skipped) == expected
    assert tests.succeeded is (status == 0 and tests.passed > 0)


def test_the_same_commit_builds_to_the_same_digest(origin: Origin, tmp_path: Path) -> None:
    sha = origin.sha("main")
    trees = [pipeline.check_out(origin, sha, tmp_path / place) for place in ("one", "two")]
    first, second = (build(each, sha, "1.0.0", tmp_path / each.parent.name / "store") for each in trees)
    assert first.digest == second.digest
    assert first.file.read_bytes() == second.file.read_bytes()
    (trees[1] / "config" / "staging.ini").write_text("[server]\n")
    assert build(trees[1], sha, "1.0.0", tmp_path / "store").digest != first.digest
    assert build(trees[0], sha, "1.0.1", tmp_path / "store").digest != first.digest


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "run").mkdir()
    made = Place("production", tmp_path / "run", tmp_path, time.sleep)
    yield made
    made.stop()


def steps_of(place: Place, artifact: pipeline.Artifact) -> list[Step]:
    steps: list[Step] = []
    place.deploy(artifact, steps.append)
    return steps


def test_a_deployment_really_starts_the_service(tree: Path, tmp_path: Path, place: Place) -> None:
    artifact = build(tree, SHA, "1.0.0", tmp_path / "store")
    steps = steps_of(place, artifact)
    assert [step.name for step in steps] == ["unpack", "replace", "health", "smoke"]
    assert all(step.succeeded for step in steps)
    assert pipeline.ask(f"{place.url}/health") == {"status": "ok", "version": "1.0.0"}
    place.stop()
    with pytest.raises(OSError):
        pipeline.ask(f"{place.url}/health")


def test_what_was_changed_after_the_build_is_not_deployed(tree: Path, tmp_path: Path, place: Place) -> None:
    artifact = build(tree, SHA, "1.0.0", tmp_path / "store")
    artifact.file.write_bytes(artifact.file.read_bytes() + b"\0")
    [step] = steps_of(place, artifact)
    assert (step.name, step.succeeded) == ("unpack", False)
    assert place.running is None


# The bank of edits: what each really does to the tests, and to a service that is started.

BREAK_A_TEST = {"free_delivery_untested", "voucher_untested", "rounding"}
BREAK_IN = {"setting": "health", "notice": "health", "stock": "health", "last_quote": "smoke"}


def applied(clone: Clone, edit: Callable[[edits.Tree, int], edits.Edit], turn: int) -> edits.Edit:
    made = edit(edits.Tree(clone.read), turn)
    for work in made.works:
        clone.save(work.title, work.files)
    return made


@pytest.mark.parametrize("edit", edits.EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_passes_or_breaks_the_tests_as_it_should(
    edit: Callable[[edits.Tree, int], edits.Edit], origin: Origin, tmp_path: Path
) -> None:
    clone = origin.clone(cast.ADA)
    made = applied(clone, edit, 3)
    tests = run_tests(clone.folder, tmp_path)
    assert tests.succeeded is (edit.__name__ not in BREAK_A_TEST), tests.text
    assert (made.repair is not None) is (edit.__name__ in BREAK_A_TEST)
    if made.repair:
        clone.save(made.repair.title, made.repair.files)
        assert run_tests(clone.folder, tmp_path).succeeded


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "stock" else ()) for name in BREAK_IN]
)
def test_a_defect_shows_only_in_the_running_service_and_the_last_good_artifact_goes_back(
    name: str, origin: Origin, tree: Path, tmp_path: Path, place: Place
) -> None:
    good = build(tree, SHA, "1.0.0", tmp_path / "store")
    assert steps_of(place, good)[-1].succeeded
    clone = origin.clone(cast.ADA)
    made = applied(clone, getattr(edits, name), 3)
    last = steps_of(place, build(clone.folder, SHA, "1.1.0", tmp_path / "store"))[-1]
    assert (last.name, last.succeeded) == (BREAK_IN[name], False)
    assert any(letter.isalpha() for letter in last.words)
    assert steps_of(place, good)[-1].succeeded
    if made.mend:
        clone.save(made.mend.title, made.mend.files)
        assert steps_of(place, build(clone.folder, SHA, "1.2.0", tmp_path / "store"))[-1].succeeded


def test_the_bank_never_runs_dry(origin: Origin, tmp_path: Path) -> None:
    """Twelve rounds in random order, every edit carried to its end: each fits, and each changes something."""
    clone, chance = origin.clone(cast.ADA), random.Random(5)
    taken = Counter[str]()
    for turn in range(12):
        for edit in chance.sample(edits.EDITS, len(edits.EDITS)):
            before = clone.sha("HEAD")
            made = applied(clone, edit, turn)
            for work in (made.repair, made.mend):
                if work:
                    clone.save(work.title, work.files)
            if edit.__name__ in BREAK_IN and not made.mend and made.title != "Drop the setting gift_limit":
                clone.restore(before, "Take it back")
            taken[edit.__name__] += 1
    assert run_tests(clone.folder, tmp_path).succeeded
    assert set(taken.values()) == {12}


# What the demo says before it starts anything.


def refused(*arguments: str, path: str | None = None) -> str:
    """The one sentence with which the demo ends, with exit status 2."""
    environment = os.environ | ({"PATH": path} if path else {})
    done = subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=town.SEED_TREE.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port} is in use." in refused("--folder", str(tmp_path), "--port", str(port))


def test_a_missing_git_is_said_in_one_sentence(tmp_path: Path) -> None:
    assert "needs git" in refused("--folder", str(tmp_path), path=str(tmp_path))


def test_a_missing_ledger_is_said_in_one_sentence(tmp_path: Path) -> None:
    assert "no ledger" in refused("--folder", str(tmp_path), "--ledger", str(tmp_path / "none.jsonl"))


def test_a_folder_that_no_demo_made_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "was not made by the demo" in refused("--folder", str(tmp_path), "--fresh")
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_two_demos_in_one_folder_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "town.json").write_text("{}")
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "A demo already runs" in refused("--folder", str(tmp_path))
