"""What each kind of delivery becomes, on the project's own samples."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest

from deploytrail.facts import times
from deploytrail.facts.draft import Draft
from deploytrail.intake.delivery import Unreadable
from deploytrail.intake.github import GitHub
from deploytrail.intake.registry import SOURCES
from tests.intake.deliveries import RECEIVED, delivery, opened, own_samples, sample, sealed, told

REPOSITORY = "github.com/example-org/checkout"
S1 = "4be1c60f7a92d3e85b0c1d2e3f405162738495a6"
S2 = "9c1d2f3e4a5b60718293a4b5c6d7e8f901234567"

KINDS = {
    "push.branch": "commit.pushed",
    "push.new-branch": "commit.pushed",
    "push.forced": "commit.pushed",
    "push.of-2013": "commit.pushed",
    "push.deleted": "ref.moved",
    "push.tag": "ref.moved",
    "create.branch": "ref.moved",
    "create.tag": "ref.moved",
    "delete.branch": "ref.moved",
    "pull_request.opened": "change.opened",
    "pull_request.stacked": "change.opened",
    "pull_request.synchronize": "change.updated",
    "pull_request.labeled": "change.updated",
    "pull_request.merged": "change.merged",
    "pull_request.abandoned": "change.abandoned",
    "pull_request_review.approved": "change.reviewed",
    "pull_request_review.stale": "change.reviewed",
    "pull_request_review.dismissed": "change.reviewed",
    "check_run.completed": "check.finished",
    "check_run.created": "check.started",
    "check_run.rerequested": "check.started",
    "check_suite.completed": "check.finished",
    "check_suite.requested": "check.started",
    "status.success": "check.finished",
    "status.pending": "check.started",
    "workflow_run.requested": "pipeline.started",
    "workflow_run.named-after-somebody": "pipeline.started",
    "workflow_run.completed": "pipeline.finished",
    "workflow_job.queued": "job.started",
    "workflow_job.completed": "job.finished",
    "deployment.created": "deployment.started",
    "deployment.by-hand": "deployment.started",
    "deployment_status.waiting": "deployment.step",
    "deployment_status.inactive": "deployment.step",
    "deployment_status.of-tomorrow": "deployment.step",
    "deployment_status.success": "deployment.finished",
    "deployment_status.error": "deployment.finished",
    "deployment_review.requested": "deployment.reviewed",
    "deployment_review.approved": "deployment.reviewed",
    "deployment_review.rejected": "deployment.reviewed",
    "release.published": "release.published",
    "release.edited": "release.changed",
    "branch_protection_rule.edited": "control.changed",
    "branch_protection_rule.deleted": "control.changed",
    "repository_ruleset.edited": "control.changed",
    "member.edited": "control.changed",
    "team.edited": "control.changed",
    "membership.added": "control.changed",
    "organization.member_added": "control.changed",
    "organization.member_invited": "control.changed",
    "ping.hook": "source.pinged",
}


def drafts(name: str, **changes: Any) -> list[Draft]:
    """The drafts of an own sample, with top-level members of its body replaced."""
    one = sample(name)
    return list(GitHub().read(delivery(one.event, one.decoded() | changes)).drafts)


def data(name: str, **changes: Any) -> dict[str, Any]:
    """The fields of the only draft of an own sample."""
    [draft] = drafts(name, **changes)
    fields: dict[str, Any] = told(draft)["data"]
    return fields


def ms(text: str) -> int:
    return times.parse(text)


@pytest.mark.parametrize(
    "one", [one for one in own_samples() if one.event != "star"], ids=lambda one: one.name
)
def test_kinds_and_what_all_facts_share(one: Any) -> None:
    for draft in GitHub().read(delivery(one.event, one.body)).drafts:
        assert draft.kind == KINDS[one.name]
        assert draft.source == "our-github"
        assert draft.received_at == RECEIVED
        assert draft.namespace == "github"
        assert draft.attribution == "authenticated"
        assert draft.actor is not None
        assert draft.id is not None
        assert draft.id.startswith(f"github:{one.event}:")


def test_the_registry_names_github() -> None:
    assert set(SOURCES) == {"github"}
    assert {kind: source.kind for kind, source in SOURCES.items()} == {"github": "github"}


# Pushes.


def test_push() -> None:
    [draft] = drafts("push.branch")
    fields = told(draft)["data"]
    assert fields["repository"] == REPOSITORY
    assert fields["ref"] == "refs/heads/main"
    assert fields["after"] == S1
    assert draft.occurred_at == 1_773_757_805_000
    assert draft.actor == msgspec.convert({"login": "ben", "email": "ben@example.org"}, type(draft.actor))
    first, second = fields["commits"]
    assert first["paths"] == ["tests/test_prices.py", "src/prices.py"]
    assert first["title"] == "Round prices half to even"
    assert first["co_authors"] == [{"email": "cleo@example.org", "name": "Cleo Example"}]
    assert first["author"] == {"login": "ada", "email": "ada@example.org", "name": "Ada Example"}
    assert second["committer"]["bot"] is True
    assert second["committed_at"] == "2026-03-17T14:30:04Z"
    assert "part" not in fields


def test_the_default_branch_is_clear_and_others_are_sealed() -> None:
    [on_main], [on_branch] = drafts("push.branch"), drafts("push.new-branch")
    assert json.loads(sealed(on_main).entry)["data"]["ref"] == "refs/heads/main"
    fact = sealed(on_branch)
    assert b"rounding" not in fact.entry
    assert opened(fact)["data.ref"] == "refs/heads/ada/rounding"


def test_a_protected_branch_is_clear_when_the_body_says_so() -> None:
    [draft] = drafts("push.branch", ref="refs/heads/release/1.42", protected=True)
    assert json.loads(sealed(draft).entry)["data"]["ref"] == "refs/heads/release/1.42"
    [draft] = drafts("status.pending")
    assert json.loads(sealed(draft).entry)["data"]["ref"] == "release/1.42"


def test_usual_default_branches_count_only_while_the_real_one_is_unknown() -> None:
    one = sample("push.branch").decoded()
    del one["repository"]["default_branch"]
    [draft] = GitHub().read(delivery("push", one)).drafts
    assert json.loads(sealed(draft).entry)["data"]["ref"] == "refs/heads/main"
    one["repository"]["default_branch"] = "develop"
    [draft] = GitHub().read(delivery("push", one)).drafts
    assert set(json.loads(sealed(draft).entry)["data"]["ref"]) == {"c"}


def test_a_tag_called_like_the_default_branch_is_not_it() -> None:
    [draft] = drafts("create.tag")
    assert set(json.loads(sealed(draft).entry)["data"]["ref"]) == {"c"}


def test_a_new_branch_tells_its_head_though_no_commit_is_new() -> None:
    fields = data("push.new-branch")
    assert fields["created"] is True
    assert "before" not in fields
    assert [commit["sha"] for commit in fields["commits"]] == [S2]


def test_a_deleted_branch_and_a_tag_are_moved_refs() -> None:
    gone, tag = data("push.deleted"), data("push.tag")
    assert (gone["type"], gone["deleted"], gone["before"]) == ("branch", True, S2)
    assert "after" not in gone
    assert (tag["type"], tag["deleted"], tag["after"]) == ("tag", False, S1)
    assert tag["commits"][0]["sha"] == S1


def test_a_pusher_who_is_not_the_sender_is_told_apart() -> None:
    [draft] = drafts("push.tag")
    assert told(draft)["actor"] == {"login": "cleo"}
    assert told(draft)["data"]["pusher"] == {"login": "release-key", "email": "release@example.org"}


def test_a_delivery_of_2013_has_only_a_pusher() -> None:
    [draft] = drafts("push.of-2013")
    assert told(draft)["actor"] == {"login": "ada", "email": "ada@example.org"}
    assert told(draft)["data"]["repository"] == REPOSITORY
    assert draft.clear_refs == frozenset({"master"})


def _long_push(count: int, paths: int = 1, length: int = 20) -> dict[str, Any]:
    body = sample("push.branch").decoded()
    one = body["commits"][0]
    body["commits"] = [
        one | {"id": f"{place:040x}", "added": [f"{n}-{'é' * length}" for n in range(paths)], "modified": []}
        for place in range(1, count + 1)
    ]
    body["head_commit"] = body["commits"][-1]
    body["after"] = body["head_commit"]["id"]
    return body


@pytest.mark.parametrize("count", [1, 19, 20, 21, 40, 41, 2048])
def test_a_long_push_is_told_in_parts(count: int) -> None:
    found = GitHub().read(delivery("push", _long_push(count))).drafts
    parts = -(-count // 20)
    assert len(found) == parts
    assert [told(draft)["data"].get("part") for draft in found] == (
        [None] if parts == 1 else list(range(1, parts + 1))
    )
    listed = [commit["sha"] for draft in found for commit in told(draft)["data"]["commits"]]
    assert listed == [f"{place:040x}" for place in range(1, count + 1)]
    assert len({draft.id for draft in found}) == parts


def test_commits_with_many_long_paths_fit_their_parts() -> None:
    found = GitHub().read(delivery("push", _long_push(30, paths=300, length=400))).drafts
    listed = [commit for draft in found for commit in told(draft)["data"]["commits"]]
    assert len(listed) == 30
    assert all(commit["paths_cut"] for commit in listed)
    for draft in found:
        sealed(draft)


def test_two_hundred_paths_are_kept_and_a_cut_is_marked() -> None:
    body = _long_push(2, paths=200, length=1)
    body["commits"][1]["removed"] = ["one more"]
    [draft] = GitHub().read(delivery("push", body)).drafts
    whole, cut = told(draft)["data"]["commits"]
    assert len(whole["paths"]) == 200
    assert "paths_cut" not in whole
    assert len(cut["paths"]) == 200
    assert cut["paths_cut"] is True


def test_a_path_that_was_moved_about_is_listed_once() -> None:
    body = _long_push(1)
    body["commits"][0] |= {"added": ["a", "b"], "modified": ["b"], "removed": ["a", "c"]}
    body["head_commit"] = body["commits"][0]
    [draft] = GitHub().read(delivery("push", body)).drafts
    assert told(draft)["data"]["commits"][0]["paths"] == ["a", "b", "c"]


def test_more_commits_than_github_lists_are_set_aside() -> None:
    with pytest.raises(Unreadable, match="2048"):
        GitHub().read(delivery("push", _long_push(2049)))


@pytest.mark.parametrize(
    ("trailers", "found"),
    [
        ("Co-authored-by: Ben <ben@example.org>", ["ben@example.org"]),
        (
            "co-authored-by:Ben <ben@example.org>\r\nCO-AUTHORED-BY: Cleo <cleo@example.org>",
            ["ben@example.org", "cleo@example.org"],
        ),
        ("Co-authored-by: Ben <ben@example.org>\nCo-authored-by: Ben <ben@example.org>", ["ben@example.org"]),
        ("Co-authored-by: Ben", [None]),
        ("Co-authored-by:", []),
        ("Reviewed-by: Ben <ben@example.org>", []),
        ("See Co-authored-by: Ben <ben@example.org>", []),
    ],
)
def test_co_authors(trailers: str, found: list[str | None]) -> None:
    body = _long_push(1)
    body["commits"][0]["message"] = f"Title\n\nText\n\n{trailers}\n"
    [draft] = GitHub().read(delivery("push", body)).drafts
    people = told(draft)["data"]["commits"][0].get("co_authors") or []
    assert [person.get("email") for person in people] == found


@pytest.mark.parametrize(
    "claim",
    [
        {"username": "web-flow", "name": "GitHub", "email": "noreply@github.com"},
        {"name": "GitHub", "email": "noreply@github.com"},
        {"username": "example-deployer[bot]"},
        {"name": "example-deployer[bot]", "email": "191+example-deployer[bot]@users.noreply.github.com"},
    ],
)
def test_bots_among_committers(claim: dict[str, str]) -> None:
    body = _long_push(1)
    body["commits"][0]["committer"] = claim
    [draft] = GitHub().read(delivery("push", body)).drafts
    assert told(draft)["data"]["commits"][0]["committer"]["bot"] is True
    assert "bot" not in told(draft)["data"]["commits"][0]["author"]


# Changes.


def test_changes() -> None:
    opened_ = data("pull_request.opened")
    assert opened_["number"] == 42
    assert opened_["sha"] == S2
    assert opened_["reviewers"] == [{"login": "ben"}]
    merged = data("pull_request.merged")
    assert merged["sha"] == S1
    assert merged["head"] == S2
    assert merged["merged_by"] == {"login": "ben"}
    assert merged["merged_at"] == "2026-03-17T14:30:05Z"
    assert data("pull_request.synchronize")["action"] == "synchronize"
    [abandoned] = drafts("pull_request.abandoned")
    assert abandoned.occurred_at == ms("2026-03-17T13:50:00Z")


def test_a_base_that_is_not_the_default_branch_is_sealed() -> None:
    [draft] = drafts("pull_request.stacked")
    assert set(json.loads(sealed(draft).entry)["data"]["base"]) == {"c"}
    assert told(draft)["data"]["base"] == "ben/prices"
    assert b"prices" not in sealed(draft).entry


def test_reviews() -> None:
    approved, stale = data("pull_request_review.approved"), data("pull_request_review.stale")
    assert approved["verdict"] == "approved"
    assert approved["sha"] == approved["head"] == S2
    assert stale["verdict"] == "changes requested"
    assert stale["sha"] != stale["head"]
    [dismissed] = drafts("pull_request_review.dismissed")
    assert told(dismissed)["data"]["reviewer"] == {"login": "ben"}
    assert told(dismissed)["actor"] == {"login": "cleo"}
    assert told(dismissed)["data"]["submitted_at"] == "2026-03-17T13:40:00Z"
    assert dismissed.occurred_at == ms("2026-03-17T13:45:00Z")


# Checks and pipelines.


@pytest.mark.parametrize(
    ("conclusion", "outcome"),
    [
        ("success", "succeeded"),
        ("failure", "failed"),
        ("timed_out", "failed"),
        ("startup_failure", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
        ("neutral", "neutral"),
        ("action_required", "action required"),
        ("stale", "stale"),
        ("unheard_of", "unheard of"),
    ],
)
def test_outcomes_keep_github_s_own_word(conclusion: str, outcome: str) -> None:
    told_ = sample("check_run.completed").decoded()["check_run"] | {"conclusion": conclusion}
    fields = data("check_run.completed", check_run=told_)
    assert (fields["outcome"], fields["status"]) == (outcome, conclusion)


def test_checks() -> None:
    finished = data("check_run.completed")
    assert finished["name"] == "unit tests"
    assert finished["app"] == "github-actions"
    assert finished["duration_ms"] == 210_000
    assert data("check_suite.completed")["name"] == "suite github-actions"
    status = data("status.success")
    assert (status["name"], status["ref"], status["sha"]) == ("scanner/licences", "main", S1)


def test_a_check_asked_for_again_has_no_outcome_yet() -> None:
    fields = data("check_run.rerequested")
    assert "outcome" not in fields
    assert fields["action"] == "rerequested"


def test_a_rerun_names_both_who_caused_it_and_who_triggered_it() -> None:
    fields = data("workflow_run.completed")
    assert fields["attempt"] == 2
    assert fields["owner"] == {"login": "ben"}
    assert fields["triggered_by"] == {"login": "cleo"}
    assert fields["changes"] == [42]
    assert fields["duration_ms"] == 390_000
    assert fields["workflows"] == [
        "example-org/shared/.github/workflows/build.yml@v3 7e6d5c4b3a29180716253443526170809fa0b1c2"
    ]


def test_a_run_named_after_somebody_keeps_that_sealed() -> None:
    [draft] = drafts("workflow_run.named-after-somebody")
    fields = told(draft)["data"]
    assert fields["name"] == "Build and deploy"
    assert fields["title"] == "Deploy by @ben"
    assert b"@ben" not in sealed(draft).entry
    fields = data("workflow_run.named-after-somebody", workflow=None)
    assert "name" not in fields
    assert fields["title"] == "Deploy by @ben"


def test_job() -> None:
    [draft] = drafts("workflow_job.completed")
    fields = told(draft)["data"]
    assert (fields["environment"], fields["deployment"]) == ("production", "8801")
    assert (fields["runner"], fields["tags"]) == ("runner-4", ["self-hosted", "linux"])
    assert fields["duration_ms"] == 190_000
    assert [step.get("outcome") for step in fields["steps"]] == ["succeeded", "failed", "skipped"]
    # The step that names somebody is numbered, and its name is sealed.
    assert [step.get("name") for step in fields["steps"]] == ["Set up job", None, "Notify"]
    assert told(draft)["unknown"] == {"steps.1.name": "Run ./deploy.sh --as ben"}


# Deployments.


def test_deployment() -> None:
    [draft] = drafts("deployment.created")
    fields = told(draft)["data"]
    assert fields["deployment"] == "8801"
    assert fields["service"] == "checkout"
    assert fields["environment"] == "production"
    assert fields["artifact"] == "sha256:" + "ab12" * 16
    assert fields["version"] == "1.42.0"
    assert fields["commits"] == [{"repository": REPOSITORY, "sha": S1}]
    assert fields["run"] == "777"
    assert fields["via_app"] == "example-deployer"
    assert fields["production"] is True
    assert fields["creator"] == {"login": "example-deployer[bot]", "bot": True}
    assert told(draft)["free"]["requested_for"] == "the spring sale"
    assert b"spring sale" not in sealed(draft).entry


def test_a_deployment_by_hand_has_no_run() -> None:
    fields = data("deployment.by-hand")
    assert "run" not in fields
    assert "via_app" not in fields
    assert fields["creator"] == {"login": "cleo"}
    assert fields["original_environment"] == "stage"
    assert fields["artifact"] == "sha256:" + "cd34" * 16


@pytest.mark.parametrize(
    "payload",
    ["not json", "[1]", "{", {"digest": 7}, {"digest": "latest"}, {"image": "app:1.2"}, [], "", None, 4],
)
def test_a_payload_without_a_digest_names_no_artifact(payload: Any) -> None:
    deployment = sample("deployment.created").decoded()["deployment"] | {"payload": payload}
    assert "artifact" not in data("deployment.created", deployment=deployment)


@pytest.mark.parametrize(
    ("name", "outcome", "step"),
    [
        ("success", "succeeded", None),
        ("error", "failed", None),
        ("waiting", None, "waiting"),
        ("inactive", None, "inactive"),
        ("of-tomorrow", None, "half_rolled_out"),
    ],
)
def test_deployment_statuses(name: str, outcome: str | None, step: str | None) -> None:
    fields = data(f"deployment_status.{name}")
    assert fields.get("outcome") == outcome
    assert fields.get("name") == step
    assert fields["status"] == (step or {"succeeded": "success", "failed": "error"}[str(outcome)])
    assert fields["deployment"] == "8801"
    assert fields["requestor"] == {"login": "cleo"}
    assert fields.get("duration_ms") == (240_000 if outcome else None)


def test_a_review_of_two_environments_is_two_facts() -> None:
    first, second = (told(draft) for draft in drafts("deployment_review.approved"))
    assert (first["data"]["environment"], second["data"]["environment"]) == ("production", "staging")
    assert (first["data"]["jobs"], second["data"]["jobs"]) == (["deploy production"], ["deploy staging"])
    assert first["id"] != second["id"]
    assert first["data"]["approver"] == {"login": "cleo"}


def test_requested_reviews_name_persons_and_teams_apart() -> None:
    fields = data("deployment_review.requested")
    assert fields["reviewers"] == [{"login": "cleo"}]
    assert fields["teams"] == ["payments"]
    assert fields["since"] == "2026-03-17T14:41:05Z"


# Controls.


def test_branch_protection() -> None:
    fields = data("branch_protection_rule.edited")
    assert fields["control"] == "branch protection"
    assert json.loads(fields["before"]) == {"required_approving_review_count": 2, "admin_enforced": True}
    after = json.loads(fields["after"])
    assert after["required_approving_review_count"] == 1
    assert after["required_status_checks"] == ["unit tests", "scanner/licences"]
    assert fields["members"] == [{"login": "cleo"}, {"login": "ben"}]
    assert fields["former_members"] == [{"login": "cleo"}, {"login": "ada"}]
    gone = data("branch_protection_rule.deleted")
    assert json.loads(gone["before"]) == after
    assert "after" not in gone


def test_ruleset() -> None:
    [draft] = drafts("repository_ruleset.edited")
    fields = told(draft)["data"]
    after, before = json.loads(fields["after"]), json.loads(fields["before"])
    assert after["enforcement"] == "disabled"
    assert before["enforcement"] == "active"
    assert before["rules"]["deleted"] == [{"type": "required_signatures"}]
    assert after["conditions"]["ref_name"]["include"] == ["~DEFAULT_BRANCH"]
    assert after["bypass_actors"] == [{"actor_type": "RepositoryRole", "bypass_mode": "always"}]
    # What may name somebody is sealed, whole.
    assert "refs/heads/ada/*" in fields["detail"]
    assert "ada@example.org" in fields["detail"]
    assert b"example.org" not in sealed(draft).entry


def test_persons_and_teams() -> None:
    member = data("member.edited")
    assert member["member"] == {"login": "ada"}
    assert json.loads(member["before"]) == {"permission": "write"}
    assert json.loads(member["after"]) == {"permission": "admin"}
    team = data("team.edited")
    assert (team["control"], team["name"]) == ("team", "payments")
    assert json.loads(team["before"]) == {
        "repository": {"permissions": {"from": {"admin": False, "pull": True, "push": False}}}
    }
    assert "ada and ben" in team["detail"]
    assert "ada and ben" not in team["after"]
    assert data("membership.added")["name"] == "payments"
    joined = data("organization.member_added")
    assert (joined["member"], json.loads(joined["after"])["role"]) == ({"login": "ben"}, "admin")
    assert data("organization.member_invited")["member"] == {"email": "dina@example.org"}


def test_ping() -> None:
    fields = data("ping.hook")
    assert fields == {
        "repository": REPOSITORY,
        "hook": "4711",
        "events": ["push", "deployment"],
        "url": "https://trail.example.org/hooks/github",
    }


# Envelope.


def test_an_event_that_is_not_read_is_set_aside_with_its_name() -> None:
    one = sample("star.created")
    reading = GitHub().read(delivery("star", one.body))
    assert (reading.event, reading.reason, list(reading.drafts)) == ("star", "not read yet: star", [])
    assert reading.delivery_id == "72d3162e-cc78-11e3-81ab-4c9367dc0958"


@pytest.mark.parametrize("event", ["", "<script>", "Push", "push ", "p" * 200, "push\n", "ада", "a-b", "_x"])
def test_a_hostile_event_name_is_unknown(event: str) -> None:
    reading = GitHub().read(delivery(event, b"{}"))
    assert (reading.event, reading.reason) == ("unknown", "not read yet: unknown")


@pytest.mark.parametrize("value", ["", "x" * 500, "<b>", "ada@example.org", "a b"])
def test_a_hostile_delivery_id_is_left_out(value: str) -> None:
    assert GitHub().read(delivery("star", b"{}", x_github_delivery=value)).delivery_id is None


@pytest.mark.parametrize("name", ["push.branch", "deployment_status.success", "ping.hook"])
def test_forms_and_byte_order_marks_make_no_difference(name: str) -> None:
    one = sample(name)
    plain = [told(draft) for draft in GitHub().read(delivery(one.event, one.body)).drafts]
    form = b"payload=" + quote_plus(one.body).encode() + b"&other=1"
    marked = b"\xef\xbb\xbf" + one.body
    for sent in (
        delivery(one.event, form, content_type="application/x-www-form-urlencoded"),
        delivery(one.event, form, content_type="Application/X-WWW-Form-Urlencoded; charset=utf-8"),
        delivery(one.event, form),
        delivery(one.event, marked),
    ):
        assert [told(draft) for draft in GitHub().read(sent).drafts] == plain


@pytest.mark.parametrize(
    ("place", "repository"),
    [
        (
            {"html_url": "https://github.example.org/team/app", "full_name": "team/app"},
            "github.example.org/team/app",
        ),
        (
            {"html_url": "https://GHE.example.org:8443/team/app", "full_name": "team/app"},
            "ghe.example.org:8443/team/app",
        ),
        ({"url": "https://api.github.com/repos/team/app", "full_name": "team/app"}, "github.com/team/app"),
        ({"full_name": "team/app"}, "github.com/team/app"),
        ({"name": "app", "owner": {"login": "team"}}, "github.com/team/app"),
        ({"name": "app", "owner": {"name": "team"}}, "github.com/team/app"),
    ],
)
def test_repositories_are_named_with_their_host(place: dict[str, Any], repository: str) -> None:
    assert data("status.success", repository=place)["repository"] == repository


def test_the_sender_may_be_missing() -> None:
    [draft] = drafts("deployment.created", sender=None)
    assert draft.actor is None
    assert draft.attribution == "unknown"


@pytest.mark.parametrize("name", ["example-deployer[bot]", "somebody"])
def test_bots_are_marked(name: str) -> None:
    sender = {"login": name, "type": "User" if "[bot]" in name else "Bot"}
    [draft] = drafts("deployment.created", sender=sender)
    assert draft.actor is not None
    assert draft.actor.bot


# Idempotency.


def _ids(name: str, **changes: Any) -> list[str | None]:
    return [draft.id for draft in drafts(name, **changes)]


def _with(name: str, part: str, **fields: Any) -> dict[str, Any]:
    return {part: sample(name).decoded()[part] | fields}


# Events that carry an id or time of their own: the same thing in another body is still the same.
SEMANTIC = [
    one.name
    for one in own_samples()
    if one.event not in ("star", "ping", "member", "team", "membership", "organization")
]


@pytest.mark.parametrize("name", SEMANTIC)
def test_the_same_thing_has_the_same_id_in_another_body(name: str) -> None:
    assert _ids(name) == _ids(name, installation={"id": 1}, enterprise={"id": 2})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("push.branch", {"after": S2}),
        ("push.branch", {"ref": "refs/heads/other"}),
        (
            "push.branch",
            {"repository": sample("push.branch").decoded()["repository"] | {"pushed_at": 1773757999}},
        ),
        ("pull_request.opened", {"action": "reopened"}),
        ("pull_request.labeled", {"label": {"id": 78}}),
        ("pull_request_review.approved", _with("pull_request_review.approved", "review", state="commented")),
        (
            "check_run.completed",
            _with("check_run.completed", "check_run", completed_at="2026-03-17T13:09:00Z"),
        ),
        ("status.success", {"state": "failure"}),
        ("workflow_run.completed", _with("workflow_run.completed", "workflow_run", run_attempt=3)),
        ("workflow_job.completed", _with("workflow_job.completed", "workflow_job", id=9903)),
        ("deployment.created", _with("deployment.created", "deployment", id=8809)),
        ("deployment_status.success", _with("deployment_status.success", "deployment_status", id=66009)),
        ("deployment_review.rejected", {"since": "2026-03-17T14:59:00Z"}),
        ("create.branch", {"ref": "ada/other"}),
        ("release.edited", _with("release.edited", "release", updated_at="2026-03-17T15:01:00Z")),
        ("branch_protection_rule.edited", {"action": "deleted"}),
        ("member.edited", {"member": {"login": "dina"}}),
        ("ping.hook", {"zen": "Speak like a human."}),
    ],
)
def test_another_thing_has_another_id(name: str, changes: dict[str, Any]) -> None:
    assert set(_ids(name)).isdisjoint(_ids(name, **changes))


def test_no_two_own_samples_share_an_id() -> None:
    found = [
        draft.id for one in own_samples() for draft in GitHub().read(delivery(one.event, one.body)).drafts
    ]
    assert len(found) == len(set(found))


def test_a_redelivery_keeps_its_delivery_id_and_its_facts() -> None:
    one = sample("push.branch")
    source = GitHub()
    first = source.read(delivery(one.event, one.body))
    again = source.read(delivery(one.event, one.body, x_github_delivery="another-id"))
    assert first.delivery_id != again.delivery_id
    assert [draft.id for draft in first.drafts] == [draft.id for draft in again.drafts]


def test_reading_leaves_a_body_as_it_was() -> None:
    body = sample("branch_protection_rule.edited").decoded()
    before = copy.deepcopy(body)
    GitHub().read(delivery("branch_protection_rule", body))
    assert body == before
