"""The pipelines: each step is really done, and each is told by the hub and by the runner itself.

Two workflows. `review` tests the head of a change. `deliver` tests a commit of main, builds and tags it,
and rolls it out to staging, then to production; where that fails, the last good artifact goes back.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from demo.cast import ON_CALL, Person
from demo.hub import FULL_REPOSITORY, Change, Hub, Job, RollOut, Run
from demo.memory import Memory
from demo.pace import Pace
from demo.pipeline import SERVICE, Artifact, Place, Step, Tests, build, check_out, run_tests
from demo.post import Post
from demo.repository import NULL_SHA, Origin

STAGING: Final = "staging"
PRODUCTION: Final = "production"
PLACES: Final = (STAGING, PRODUCTION)
# How a run on main ended: everywhere, or stopped at the tests or at one of the places.
DELIVERED: Final = "delivered"
AT_TESTS: Final = "tests"


@dataclass
class Ground:
    """Where everything lies and whom to tell."""

    folder: Path
    origin: Origin
    hub: Hub
    post: Post
    memory: Memory
    pace: Pace
    say: Callable[[str], None]
    places: dict[str, Place]
    counts: Counter[str]

    @property
    def home(self) -> Path:
        """The home folder of everything that runs in the town."""
        return self.folder / "home"

    def kept(self, place: str) -> Artifact | None:
        """The artifact that last ran well in a place, if its file is still there."""
        good = self.memory.get("good", {}).get(place)
        if not good:
            return None
        file = self.folder / "artifacts" / f"{good['digest'].removeprefix('sha256:')}.tar"
        if not file.exists():
            return None
        return Artifact(good["digest"], good["version"], good["sha"], file, file.stat().st_size)

    def keep(self, place: str, artifact: Artifact) -> None:
        """Remembers what runs well in a place."""
        good = self.memory.get("good", {})
        good[place] = {"digest": artifact.digest, "version": artifact.version, "sha": artifact.sha}
        self.memory.put("good", good)


def moment() -> str:
    """Now, in RFC 3339 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def identity(person: Person) -> dict[str, str]:
    """A person as the direct form names them."""
    return {"login": person.login, "email": person.email, "name": person.name}


class Runs:
    """Runs pipelines on this machine, one at a time."""

    def __init__(self, ground: Ground) -> None:
        self._at = ground

    def review(self, change: Change, title: str) -> Run:
        """Tests the head of a change. The run says how it ended."""
        run = self._run("review", change.head, change.branch, title, change.author, change)
        return self._reviewed(run)

    def review_again(self, run: Run, by: Person) -> Run:
        """Somebody else starts the same run once more: the next attempt."""
        run.attempt, run.again_by, run.conclusion, run.status = run.attempt + 1, by, None, "queued"
        run.started_at = self._at.hub.time()
        return self._reviewed(run)

    def _reviewed(self, run: Run) -> Run:
        with self._told(run), self._tree(run.sha) as tree:
            tests = self._test(run, tree)
            run.conclusion = "success" if tests.succeeded else "failure"
        return run

    def deliver(self, sha: str, title: str, by: Person) -> str:
        """Tests, builds and rolls out a commit of main. Gives how far it came."""
        run = self._run("deliver", sha, "main", title, by, None)
        with self._told(run), self._tree(sha) as tree:
            run.conclusion = "failure"
            if not self._test(run, tree).succeeded:
                return AT_TESTS
            artifact = self._build(run, tree, by)
            for name in PLACES:
                if not self._deploy(self._at.places[name], artifact, by, run):
                    return name
                self._at.pace.pause(0.2)
            run.conclusion = "success"
        return DELIVERED

    @contextmanager
    def _told(self, run: Run) -> Iterator[None]:
        """Tells that a run was requested, goes on, and is completed."""
        at = self._at
        at.post.deliver(at.hub.run_event("requested", run))
        run.status = "in_progress"
        at.post.deliver(at.hub.run_event("in_progress", run))
        yield
        run.status = "completed"
        at.post.deliver(at.hub.suite_event(run))
        at.post.deliver(at.hub.run_event("completed", run))

    @contextmanager
    def _tree(self, sha: str) -> Iterator[Path]:
        """A commit checked out for one run, gone after it."""
        tree = check_out(self._at.origin, sha, self._at.folder / "work")
        try:
            yield tree
        finally:
            shutil.rmtree(tree, ignore_errors=True)

    def _run(self, name: str, sha: str, branch: str, title: str, by: Person, change: Change | None) -> Run:
        number = self._at.memory.count("runs")
        return self._at.hub.run(name, sha, branch, title, by, number, change)

    def _begin(self, run: Run, name: str, roll_out: RollOut | None = None) -> Job:
        hub, post = self._at.hub, self._at.post
        job = hub.job(name, run)
        post.deliver(hub.job_event("queued", job, roll_out))
        job.started_at = hub.time()
        post.deliver(hub.job_event("in_progress", job, roll_out))
        return job

    def _finish(self, job: Job, steps: list[tuple[str, bool]], roll_out: RollOut | None = None) -> None:
        hub = self._at.hub
        job.completed_at = hub.time()
        started = job.started_at or job.created_at
        job.steps = [
            (name, "success" if succeeded else "failure", started, job.completed_at)
            for name, succeeded in steps
        ]
        job.conclusion = "success" if all(succeeded for _, succeeded in steps) else "failure"
        self._at.post.deliver(hub.job_event("completed", job, roll_out))

    def _test(self, run: Run, tree: Path) -> Tests:
        at = self._at
        job = self._begin(run, "unit tests")
        tests = run_tests(tree, at.home)
        self._finish(job, [("Check out", True), ("Run the tests", tests.succeeded)])
        counts = f"{tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped"
        at.post.deliver(at.hub.check_event(job, counts, tests.text[-2000:]))
        at.post.tell(
            "test.finished",
            f"tests-{job.id}",
            occurred_at=moment(),
            repository=FULL_REPOSITORY,
            sha=run.sha,
            name="unit tests",
            outcome="succeeded" if tests.succeeded else "failed",
            passed=tests.passed,
            failed=tests.failed,
            skipped=tests.skipped,
            duration_ms=tests.duration_ms,
            run=str(run.id),
            attempt=run.attempt,
        )
        at.counts["test runs"] += 1
        at.counts["failed tests"] += not tests.succeeded
        again = " (again)" if run.attempt > 1 else ""
        at.say(f"tests of {run.branch}{again}: {counts} in {tests.duration_ms} ms")
        return tests

    def _build(self, run: Run, tree: Path, by: Person) -> Artifact:
        at = self._at
        job = self._begin(run, "build")
        version = self._next_version()
        artifact = build(tree, run.sha, version, at.folder / "artifacts")
        self._finish(job, [("Check out", True), ("Pack the archive", True), ("Tag the commit", True)])
        at.post.tell(
            "artifact.published",
            f"artifact-{job.id}",
            occurred_at=moment(),
            actor=identity(by),
            digest=artifact.digest,
            name=SERVICE,
            repository=FULL_REPOSITORY,
            sha=run.sha,
            version=version,
            labels={"runner": "runner-1", "bytes": str(artifact.size)},
        )
        at.post.deliver(at.hub.status(run.sha, "artifact", "success", artifact.digest, by))
        self._tag(run.sha, version, by)
        at.counts["artifacts"] += 1
        at.say(f"built {SERVICE} {version} from {run.sha[:8]}: {artifact.digest[:19]}, {artifact.size} bytes")
        return artifact

    def _next_version(self) -> str:
        versions = self._at.origin.versions()
        return f"1.{versions[-1][1] + 1}.0" if versions else "1.0.0"

    def _tag(self, sha: str, version: str, by: Person) -> None:
        at = self._at
        clone = at.origin.clone(by)
        clone.run("fetch", "--quiet", "origin")
        clone.run("tag", "--force", f"v{version}", sha)
        clone.push(f"v{version}")
        at.post.deliver(at.hub.push(f"refs/tags/v{version}", NULL_SHA, [], sha, by))
        at.post.deliver(at.hub.created(f"v{version}", "tag", by))

    def _deploy(self, place: Place, artifact: Artifact, by: Person, run: Run) -> bool:
        """Rolls out by the pipeline; back to the last good artifact if it fails."""
        at = self._at
        roll_out = self._asked(place, artifact, by, f"Deploy {artifact.version}", run)
        job = self._begin(run, f"deploy to {place.name}", roll_out)
        steps: list[Step] = []
        last = self._rolled_out(place, artifact, roll_out, "forward", steps)
        self._finish(job, [(step.name, step.succeeded) for step in steps], roll_out)
        if last.succeeded:
            return True
        good = at.kept(place.name)
        if good:
            self._back(place, good, artifact, last, roll_out)
        return False

    def _back(self, place: Place, good: Artifact, failed: Artifact, step: Step, roll_out: RollOut) -> None:
        """The one on call brings the last good artifact back, by hand; an outage of production is told."""
        at = self._at
        incident = None
        if place.name == PRODUCTION:
            incident = f"outage-{at.memory.count('outages')}-{roll_out.id}"
            self._incident("opened", incident, place, roll_out, f"{SERVICE} is down: {step.words}")
        at.pace.pause(1.0)
        words = f"Back to {good.version}: {failed.version} failed at {step.name}"
        back = self._asked(place, good, ON_CALL, words, None, task="rollback")
        down_since = place.down_since
        last = self._rolled_out(place, good, back, "rollback", [])
        at.counts["rollbacks"] += last.succeeded
        if incident and last.succeeded:
            down = time.monotonic() - (down_since or time.monotonic())
            self._incident("resolved", incident, place, back, f"{SERVICE} answers again after {down:.1f} s")

    def _incident(self, verb: str, name: str, place: Place, roll_out: RollOut, title: str) -> None:
        self._at.post.tell(
            f"incident.{verb}",
            f"{name}-{verb}",
            occurred_at=moment(),
            incident=name,
            service=SERVICE,
            environment=place.name,
            deployment=str(roll_out.id),
            title=title,
        )

    def redeploy(self, place: Place, by: Person, words: str) -> bool:
        """Somebody starts by hand what ran last in a place. Whether it runs."""
        good = self._at.kept(place.name)
        if good is None:
            return False
        roll_out = self._asked(place, good, by, words, None)
        return self._rolled_out(place, good, roll_out, "redeploy", []).succeeded

    def _asked(
        self, place: Place, artifact: Artifact, by: Person, words: str, run: Run | None, task: str = "deploy"
    ) -> RollOut:
        at = self._at
        # The hub knows no digest, as GitHub knows none; the runner's own reports bring it.
        payload = {"version": artifact.version}
        roll_out = at.hub.roll_out(artifact.sha, f"v{artifact.version}", place.name, by, payload, words, run)
        roll_out.task = task
        at.post.deliver(at.hub.deployment_event(roll_out))
        at.post.deliver(at.hub.status_event(roll_out, "in_progress", words))
        return roll_out

    def _rolled_out(
        self, place: Place, artifact: Artifact, roll_out: RollOut, type_: str, steps: list[Step]
    ) -> Step:
        """Really deploys, tells each step and the end. Gives the last step."""
        at = self._at

        def told(step: Step) -> None:
            steps.append(step)
            self._step(place, artifact, roll_out, type_, step, len(steps))

        last = place.deploy(artifact, told)
        at.counts["deployments"] += 1
        total = sum(step.duration_ms for step in steps)
        what = f"{SERVICE} {artifact.version}"
        if last.succeeded:
            at.keep(place.name, artifact)
            at.post.deliver(at.hub.status_event(roll_out, "success", f"{what} answers", place.url))
            did = "brought back" if type_ == "rollback" else "deployed"
            to = "in" if type_ == "rollback" else "to"
            at.say(f"{roll_out.creator.login} {did} {what} {to} {place.name} in {total} ms")
        else:
            at.counts["failed deployments"] += 1
            at.post.deliver(at.hub.status_event(roll_out, "failure", f"{last.name}: {last.words}"))
            at.say(f"{what} failed in {place.name} at {last.name}: {last.words}")
        return last

    def _step(
        self, place: Place, artifact: Artifact, roll_out: RollOut, type_: str, step: Step, number: int
    ) -> None:
        self._at.post.tell(
            "deployment.step",
            f"step-{roll_out.id}-{number}",
            occurred_at=moment(),
            actor=identity(roll_out.creator),
            deployment=str(roll_out.id),
            service=SERVICE,
            environment=place.name,
            repository=FULL_REPOSITORY,
            artifact=artifact.digest,
            version=artifact.version,
            commits=[{"repository": FULL_REPOSITORY, "sha": artifact.sha}],
            type=type_,
            name=step.name,
            outcome="succeeded" if step.succeeded else "failed",
            duration_ms=step.duration_ms,
            description=step.words or None,
        )

    def snapshot(self, place: Place) -> None:
        """Tells what runs in a place."""
        running = place.running
        what = {"service": SERVICE, "replicas": 1}
        if running:
            what |= {"digest": running.digest, "image": f"{SERVICE}:{running.version}"}
        self._at.post.tell(
            "environment.snapshot",
            f"snapshot-{place.name}-{time.time_ns()}",
            occurred_at=moment(),
            environment=place.name,
            running=[what] if running else [],
        )
