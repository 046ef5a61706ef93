"""A tiny GitHub-shaped host: what GitHub would say about the same things, in its own shapes.

It numbers changes, runs, jobs, checks and deployments, keeps their state, and builds the deliveries. What
it says is true: shas, sizes, times, counts and outcomes come from the repository and the pipelines. Only
the parts of GitHub's bodies that somebody reads are there. `sign` is GitHub's X-Hub-Signature-256.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from demo.cast import CAST, Person
from demo.repository import NULL_SHA, Commit, Size

HOST: Final = "hub.example.org"
OWNER: Final = "shop"
REPOSITORY: Final = "checkout"
# As the house names repositories.
FULL_REPOSITORY: Final = f"{HOST}/{OWNER}/{REPOSITORY}"
_WEB: Final = f"https://{HOST}/{OWNER}/{REPOSITORY}"
_API: Final = f"https://{HOST}/api/v3/repos/{OWNER}/{REPOSITORY}"
_LOGINS: Final = {person.email: person.login for person in CAST}
_SINCE: Final = "2026-01-05T09:00:00Z"

Body = dict[str, Any]


class Event(NamedTuple):
    """Something to tell: the name that goes into X-GitHub-Event, and the body."""

    name: str
    body: Body


class Delivery(NamedTuple):
    """One sending: its GUID, headers and raw bytes. A redelivery has the same of all three."""

    guid: str
    event: str
    headers: dict[str, str]
    body: bytes


def sign(secret: bytes, body: bytes) -> str:
    """GitHub's signature of a body: HMAC-SHA256 over the raw bytes, as X-Hub-Signature-256 carries it."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def pack(event: Event, guid: str, secret: bytes) -> Delivery:
    """An event as the bytes and headers of one sending."""
    body = json.dumps(event.body, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/demo",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event.name,
        "X-GitHub-Hook-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature-256": sign(secret, body),
    }
    return Delivery(guid, event.name, headers, body)


@dataclass
class Change:
    """A pull request."""

    id: int
    number: int
    title: str
    branch: str
    author: Person
    base_sha: str
    head: str
    size: Size
    opened_at: str
    reviewers: list[Person] = field(default_factory=list)
    merged_by: Person | None = None
    merge_sha: str | None = None
    closed_at: str | None = None


@dataclass
class Run:
    """One run of a workflow."""

    id: int
    number: int
    name: str
    path: str
    trigger: str
    sha: str
    branch: str
    title: str
    actor: Person
    started_at: str
    suite: int
    change: Change | None = None
    attempt: int = 1
    again_by: Person | None = None
    status: str = "queued"
    conclusion: str | None = None


@dataclass
class Job:
    """One job of a run, with its steps as (name, conclusion, started, completed)."""

    id: int
    name: str
    run: Run
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    conclusion: str | None = None
    steps: list[tuple[str, str, str, str]] = field(default_factory=list)


@dataclass
class RollOut:
    """A deployment as the hub knows it."""

    id: int
    sha: str
    ref: str
    environment: str
    creator: Person
    payload: Body
    description: str
    created_at: str
    run: Run | None = None
    job: Job | None = None
    task: str = "deploy"


def _user(person: Person) -> Body:
    return {
        "login": person.login,
        "id": person.number,
        "type": "User",
        "site_admin": False,
        "html_url": f"https://{HOST}/{person.login}",
    }


class Hub:
    """The host. `numbers` gives the next free number; `now` the time."""

    def __init__(self, numbers: Callable[[], int], now: Callable[[], datetime]) -> None:
        self._numbers, self._now = numbers, now

    def time(self) -> str:
        """The time as GitHub writes it: UTC, whole seconds."""
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _event(self, name: str, sender: Person, body: Body) -> Event:
        return Event(name, body | {"repository": self._repository(), "sender": _user(sender)})

    def _repository(self) -> Body:
        return {
            "id": 420,
            "name": REPOSITORY,
            "full_name": f"{OWNER}/{REPOSITORY}",
            "private": True,
            "owner": {
                "login": OWNER,
                "id": 42,
                "type": "Organization",
                "html_url": f"https://{HOST}/{OWNER}",
            },
            "html_url": _WEB,
            "url": _API,
            "default_branch": "main",
            "created_at": _SINCE,
            "visibility": "private",
        }

    # What is told once or now and then.

    def ping(self, by: Person, events: Sequence[str]) -> Event:
        """The first delivery of a new webhook."""
        hook = {"type": "Repository", "id": 1, "name": "web", "active": True, "events": list(events)}
        return self._event("ping", by, {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": hook})

    def star(self, by: Person) -> Event:
        """A kind of event that the house does not read: it is kept and set aside."""
        return self._event("star", by, {"action": "created", "starred_at": self.time()})

    def protection(self, by: Person, needed: int, before: int) -> Event:
        """The rule of main now asks for another number of approvals."""
        rule = {
            "id": 77,
            "repository_id": 420,
            "name": "main",
            "created_at": _SINCE,
            "updated_at": self.time(),
            "pull_request_reviews_enforcement_level": "everyone",
            "required_approving_review_count": needed,
            "required_status_checks": ["unit tests"],
            "required_status_checks_enforcement_level": "everyone",
            "admin_enforced": True,
            "allow_force_pushes_enforcement_level": "off",
            "allow_deletions_enforcement_level": "off",
            "authorized_actor_names": [],
        }
        changes = {"required_approving_review_count": {"from": before}}
        return self._event(
            "branch_protection_rule", by, {"action": "edited", "rule": rule, "changes": changes}
        )

    # Source.

    def push(self, ref: str, before: str, commits: Sequence[Commit], after: str, by: Person) -> Event:
        """Commits arrived on a branch or tag."""
        told = [self._commit(commit) for commit in commits]
        body = {
            "ref": ref,
            "before": before,
            "after": after,
            "created": before == NULL_SHA,
            "deleted": False,
            "forced": False,
            "base_ref": None,
            "compare": f"{_WEB}/compare/{before[:12]}...{after[:12]}",
            "commits": told,
            "head_commit": told[-1] if told else None,
            "pusher": {"name": by.login, "email": by.email},
        }
        return self._event("push", by, body)

    def _commit(self, commit: Commit) -> Body:
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": True,
            "message": commit.text,
            "timestamp": commit.committer[2],
            "url": f"{_WEB}/commit/{commit.sha}",
            "author": _identity(commit.author),
            "committer": _identity(commit.committer),
            "added": commit.added,
            "removed": commit.removed,
            "modified": commit.modified,
        }

    def created(self, ref: str, type_: str, by: Person) -> Event:
        """A branch or tag was created."""
        body = {
            "ref": ref,
            "ref_type": type_,
            "master_branch": "main",
            "description": None,
            "pusher_type": "user",
        }
        return self._event("create", by, body)

    # Changes.

    def opened(
        self, number: int, title: str, branch: str, by: Person, base: str, head: str, size: Size
    ) -> Change:
        """A new change. Tell it with `change_event`."""
        return Change(self._numbers(), number, title, branch, by, base, head, size, self.time())

    def change_event(self, action: str, change: Change, by: Person, before: str | None = None) -> Event:
        """A change was opened, synchronised (from `before`) or closed."""
        body: Body = {"action": action, "number": change.number, "pull_request": self._change(change)}
        if before:
            body |= {"before": before, "after": change.head}
        return self._event("pull_request", by, body)

    def _change(self, change: Change) -> Body:
        return {
            "id": change.id,
            "number": change.number,
            "state": "closed" if change.closed_at else "open",
            "title": change.title,
            "body": None,
            "html_url": f"{_WEB}/pull/{change.number}",
            "user": _user(change.author),
            "created_at": change.opened_at,
            "updated_at": self.time(),
            "closed_at": change.closed_at,
            "merged_at": change.closed_at if change.merged_by else None,
            "merged": change.merged_by is not None,
            "merged_by": _user(change.merged_by) if change.merged_by else None,
            "merge_commit_sha": change.merge_sha,
            "requested_reviewers": [_user(person) for person in change.reviewers],
            "head": {"ref": change.branch, "sha": change.head, "user": _user(change.author)},
            "base": {"ref": "main", "sha": change.base_sha},
            "draft": False,
            "commits": change.size.commits,
            "additions": change.size.additions,
            "deletions": change.size.deletions,
            "changed_files": change.size.files,
        }

    def reviewed(self, change: Change, by: Person, state: str, words: str | None) -> Event:
        """Somebody reviewed the head of a change: approved, changes_requested or commented."""
        review = {
            "id": self._numbers(),
            "user": _user(by),
            "body": words,
            "commit_id": change.head,
            "submitted_at": self.time(),
            "state": state,
            "html_url": f"{_WEB}/pull/{change.number}#review",
        }
        body = {"action": "submitted", "review": review, "pull_request": self._change(change)}
        return self._event("pull_request_review", by, body)

    # Pipelines.

    def run(
        self, name: str, sha: str, branch: str, title: str, by: Person, number: int, change: Change | None
    ) -> Run:
        """A new run of a workflow. Tell it with `run_event`."""
        return Run(
            id=self._numbers(),
            number=number,
            name=name,
            path=f".github/workflows/{name}.yml",
            trigger="pull_request" if change else "push",
            sha=sha,
            branch=branch,
            title=title,
            actor=by,
            started_at=self.time(),
            suite=self._numbers(),
            change=change,
        )

    def run_event(self, action: str, run: Run) -> Event:
        """A run was requested, is in_progress, or completed."""
        workflow = {"id": len(run.name), "name": run.name, "path": run.path, "state": "active"}
        body = {"action": action, "workflow": workflow, "workflow_run": self._run(run)}
        return self._event("workflow_run", run.again_by or run.actor, body)

    def _run(self, run: Run) -> Body:
        return {
            "id": run.id,
            "name": run.name,
            "path": run.path,
            "event": run.trigger,
            "head_sha": run.sha,
            "head_branch": run.branch,
            "display_title": run.title,
            "run_number": run.number,
            "run_attempt": run.attempt,
            "status": run.status,
            "conclusion": run.conclusion,
            "check_suite_id": run.suite,
            "created_at": run.started_at,
            "run_started_at": run.started_at,
            "updated_at": self.time(),
            "html_url": f"{_WEB}/actions/runs/{run.id}",
            "actor": _user(run.actor),
            "triggering_actor": _user(run.again_by or run.actor),
            "pull_requests": [_change_name(run.change)] if run.change else [],
            "referenced_workflows": [],
        }

    def job(self, name: str, run: Run) -> Job:
        """A new job of a run. Tell it with `job_event`."""
        return Job(self._numbers(), name, run, self.time())

    def job_event(self, action: str, job: Job, roll_out: RollOut | None = None) -> Event:
        """A job is queued, in_progress or completed."""
        run = job.run
        status = {"queued": "queued", "in_progress": "in_progress"}.get(action, "completed")
        told = {
            "id": job.id,
            "run_id": run.id,
            "run_attempt": run.attempt,
            "run_url": f"{_API}/actions/runs/{run.id}",
            "workflow_name": run.name,
            "head_sha": run.sha,
            "head_branch": run.branch,
            "name": job.name,
            "status": status,
            "conclusion": job.conclusion,
            "created_at": job.created_at,
            "started_at": job.started_at or job.created_at,
            "completed_at": job.completed_at,
            "html_url": f"{_WEB}/actions/runs/{run.id}/job/{job.id}",
            "labels": ["self-hosted", "linux"],
            "runner_id": 1,
            "runner_name": "runner-1",
            "runner_group_name": "Default",
            "steps": [_step(place, step) for place, step in enumerate(job.steps, start=1)],
        }
        body: Body = {"action": action, "workflow_job": told}
        if roll_out:
            body["deployment"] = self._deployment(roll_out)
        return self._event("workflow_job", run.again_by or run.actor, body)

    def check_event(self, job: Job, title: str, summary: str) -> Event:
        """The check of a job completed."""
        run = job.run
        check = {
            "id": job.id,
            "name": job.name,
            "head_sha": run.sha,
            "external_id": "",
            "status": "completed",
            "conclusion": job.conclusion,
            "started_at": job.started_at,
            "completed_at": job.completed_at,
            "html_url": f"{_WEB}/actions/runs/{run.id}/job/{job.id}",
            "details_url": f"{_WEB}/actions/runs/{run.id}/job/{job.id}",
            "output": {"title": title, "summary": summary, "text": None, "annotations_count": 0},
            "check_suite": {"id": run.suite, "head_branch": run.branch, "head_sha": run.sha},
            "app": {"id": 15368, "slug": "github-actions", "name": "GitHub Actions"},
            "pull_requests": [_change_name(run.change)] if run.change else [],
        }
        return self._event("check_run", run.actor, {"action": "completed", "check_run": check})

    def suite_event(self, run: Run) -> Event:
        """All checks of a commit completed."""
        suite = {
            "id": run.suite,
            "head_branch": run.branch,
            "head_sha": run.sha,
            "status": "completed",
            "conclusion": run.conclusion,
            "app": {"id": 15368, "slug": "github-actions", "name": "GitHub Actions"},
            "pull_requests": [_change_name(run.change)] if run.change else [],
            "created_at": run.started_at,
            "updated_at": self.time(),
            "latest_check_runs_count": 1,
        }
        return self._event("check_suite", run.actor, {"action": "completed", "check_suite": suite})

    def status(self, sha: str, context: str, state: str, description: str, by: Person) -> Event:
        """A status on a commit, from outside of the workflows."""
        now = self.time()
        body = {
            "id": self._numbers(),
            "sha": sha,
            "name": f"{OWNER}/{REPOSITORY}",
            "context": context,
            "state": state,
            "description": description,
            "target_url": None,
            "branches": [{"name": "main", "protected": True}],
            "created_at": now,
            "updated_at": now,
        }
        return self._event("status", by, body)

    # Deployments.

    def roll_out(
        self,
        sha: str,
        ref: str,
        environment: str,
        by: Person,
        payload: Body,
        description: str,
        run: Run | None,
    ) -> RollOut:
        """A new deployment. Tell it with `deployment_event`."""
        return RollOut(self._numbers(), sha, ref, environment, by, payload, description, self.time(), run)

    def deployment_event(self, roll_out: RollOut) -> Event:
        """A deployment was created."""
        body = {"action": "created", "deployment": self._deployment(roll_out)}
        return self._event("deployment", roll_out.creator, body | self._behind(roll_out))

    def status_event(self, roll_out: RollOut, state: str, description: str, url: str = "") -> Event:
        """A deployment is now in another state: in_progress, success, failure, inactive ..."""
        status = {
            "id": self._numbers(),
            "state": state,
            "creator": _user(roll_out.creator),
            "description": description[:140],
            "environment": roll_out.environment,
            "environment_url": url,
            "target_url": f"{_WEB}/deployments/{roll_out.id}",
            "log_url": f"{_WEB}/deployments/{roll_out.id}/output",
            "created_at": self.time(),
            "updated_at": self.time(),
        }
        body = {"action": "created", "deployment_status": status, "deployment": self._deployment(roll_out)}
        return self._event("deployment_status", roll_out.creator, body | self._behind(roll_out))

    def _behind(self, roll_out: RollOut) -> Body:
        """The run behind a deployment; one made by hand has none."""
        run = roll_out.run
        return {"workflow_run": self._run(run) if run else None}

    def _deployment(self, roll_out: RollOut) -> Body:
        app = {"id": 15368, "slug": "github-actions", "name": "GitHub Actions"}
        return {
            "id": roll_out.id,
            "sha": roll_out.sha,
            "ref": roll_out.ref,
            "task": roll_out.task,
            "environment": roll_out.environment,
            "original_environment": roll_out.environment,
            "production_environment": roll_out.environment == "production",
            "transient_environment": False,
            "description": roll_out.description,
            "payload": roll_out.payload,
            "creator": _user(roll_out.creator),
            "created_at": roll_out.created_at,
            "updated_at": self.time(),
            "statuses_url": f"{_API}/deployments/{roll_out.id}/statuses",
            "performed_via_github_app": app if roll_out.run else None,
        }


def _identity(who: tuple[str, str, str]) -> Body:
    name, email, _ = who
    return {"name": name, "email": email, "username": _LOGINS.get(email)}


def _change_name(change: Change) -> Body:
    return {
        "id": change.id,
        "number": change.number,
        "head": {"ref": change.branch, "sha": change.head},
        "base": {"ref": "main", "sha": change.base_sha},
    }


def _step(place: int, step: tuple[str, str, str, str]) -> Body:
    name, conclusion, started, completed = step
    return {
        "number": place,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "started_at": started,
        "completed_at": completed,
    }
