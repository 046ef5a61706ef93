"""The converter of real histories: each record by a sample of our own."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deploytrail.facts import told

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "ledger_to_facts.py"
SHA = "0123456789abcdef0123456789abcdef01234567"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger_to_facts", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


ledger = _load()


def facts(*records: dict[str, Any], name: str = "govuk-deployments-to-2024") -> list[dict[str, Any]]:
    return list(ledger.convert([json.dumps(record).encode() for record in records], name))


def parsed(fact: dict[str, Any]) -> Any:
    return told.parse(json.dumps(fact).encode(), source="ledger", received_at=0)


DEPLOYMENT = {
    "k": "deployment",
    "env": "production",
    "service": "frontend",
    "actor": "p0000000001",
    "actor_bot": 1,
    "time": "2023-01-01T09:00:00+00:00",
    "committed": "2023-01-01T10:00:00+00:00",
    "merged": "2023-01-01T12:00:00+01:00",
    "version": "v42",
    "from": "v41",
}


def test_a_deployment_is_named_by_its_line_and_timed_by_its_merge() -> None:
    [fact] = facts(DEPLOYMENT)
    assert fact == {
        "kind": "deployment.finished",
        "id": "gov-1",
        "occurred_at": "2023-01-01T12:00:00+01:00",
        "actor": {"login": "p0000000001", "bot": True},
        "deployment": "gov-1",
        "service": "frontend",
        "environment": "production",
        "version": "v42",
        "outcome": "succeeded",
    }


def test_a_deployment_of_a_sha_names_its_commit() -> None:
    [fact] = facts(DEPLOYMENT | {"version": SHA, "version_sha": SHA})
    assert fact["commits"] == [{"repository": "github.com/alphagov/frontend", "sha": SHA}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("merged", "committed", "time"), "2023-01-01T12:00:00+01:00"),
        (("committed", "time"), "2023-01-01T10:00:00+00:00"),
        (("time",), "2023-01-01T09:00:00+00:00"),
        ((), None),
    ],
)
def test_the_best_known_time_is_told(given: tuple[str, ...], expected: str | None) -> None:
    times = {"merged", "committed", "time"}
    record = {name: value for name, value in DEPLOYMENT.items() if name not in times or name in given}
    [fact] = facts(record)
    assert fact.get("occurred_at") == expected


def test_a_version_that_is_not_known_is_left_out() -> None:
    [fact] = facts(DEPLOYMENT | {"version": None})
    assert "version" not in fact


def test_a_version_is_told_as_text() -> None:
    [fact] = facts(DEPLOYMENT | {"version": 7})
    assert fact["version"] == "7"


SETTING = {
    "k": "setting",
    "env": "staging",
    "service": "router",
    "actor": "p2",
    "time": "2023-01-01T09:00:00Z",
}


def test_a_changed_setting_has_before_and_after() -> None:
    [fact] = facts(SETTING | {"promote_deployment": True, "changed": {"promote_deployment": [False, True]}})
    assert fact["kind"] == "environment.changed"
    assert (fact["setting"], fact["before"], fact["after"]) == ("promote_deployment", "false", "true")


def test_two_settings_of_one_record_stay_one_fact() -> None:
    changed = {"promote_deployment": [False, True], "automatic_deploys_enabled": [True, False]}
    [fact] = facts(SETTING | {"changed": changed})
    assert fact["setting"] == "automatic_deploys_enabled, promote_deployment"
    assert (fact["before"], fact["after"]) == ("true, false", "false, true")


def test_a_setting_seen_for_the_first_time_has_no_before() -> None:
    [fact] = facts(SETTING | {"automatic_deploys_enabled": False})
    assert (fact["setting"], fact["after"]) == ("automatic_deploys_enabled", "false")
    assert "before" not in fact


def test_a_setting_of_which_nothing_is_known_names_only_its_place() -> None:
    [fact] = facts(SETTING)
    assert {"setting", "before", "after"}.isdisjoint(fact)
    assert (fact["environment"], fact["service"]) == ("staging", "router")


def test_a_removed_service() -> None:
    [fact] = facts(SETTING | {"k": "service_removed"})
    assert (fact["kind"], fact["environment"], fact["service"]) == ("service.removed", "staging", "router")


COMMIT = {
    "k": "commit",
    "sha": SHA,
    "parents": [SHA[::-1]],
    "author": "p3",
    "committer": "p4",
    "committer_bot": 1,
    "authored": "2020-02-03T04:05:06+01:00",
    "committed": "2020-02-03T05:05:06+01:00",
    "signed": 1,
    "main": 1,
    "files": 3,
    "paths": {"test": 2, "deps": 1},
    "coauthors": ["p5"],
}


def test_a_commit_keeps_what_a_push_tells() -> None:
    [fact] = facts(COMMIT, name="socorro")
    assert fact == {
        "kind": "commit.pushed",
        "id": "socorro-1",
        "occurred_at": "2020-02-03T05:05:06+01:00",
        "repository": "github.com/mozilla-services/socorro",
        "ref": "main",
        "after": SHA,
        "commits": [
            {
                "sha": SHA,
                "parents": [SHA[::-1]],
                "paths": ["deps", "test"],
                "signed": True,
                "authored_at": "2020-02-03T04:05:06+01:00",
                "committed_at": "2020-02-03T05:05:06+01:00",
                "author": {"login": "p3"},
                "committer": {"login": "p4", "bot": True},
                "co_authors": [{"login": "p5"}],
            }
        ],
    }


def test_pushes_have_at_most_twenty_commits_of_one_ref() -> None:
    records = [COMMIT | {"sha": f"{number:040x}", "main": int(number % 3 == 0)} for number in range(70)]
    pushes = facts(*records, name="own")
    assert [(push["ref"], len(push["commits"])) for push in pushes] == [
        ("unknown", 20),
        ("main", 20),
        ("unknown", 20),
        ("main", 4),
        ("unknown", 6),
    ]
    told_shas = {commit["sha"] for push in pushes for commit in push["commits"]}
    assert told_shas == {record["sha"] for record in records}
    assert len({push["id"] for push in pushes}) == 5


def test_a_time_that_no_calendar_holds_is_left_out() -> None:
    [fact] = facts(COMMIT | {"authored": "2020-02-30T00:00:00Z", "committed": "0001-01-01T00:00:00+23:59"})
    assert "authored_at" not in fact["commits"][0]
    assert "occurred_at" not in fact
    assert parsed(fact).occurred_at is None


def test_a_release_says_when_its_time_is_only_the_commits() -> None:
    release = {"k": "release", "tag": "v1", "sha": SHA, "time": "2020-02-03T04:05:06Z"}
    annotated, light = facts(
        release | {"annotated": True, "tagger": "p6", "time_source": "tagger"},
        release | {"annotated": False, "time_source": "commit"},
        name="govuk-frontend",
    )
    assert annotated["actor"] == {"login": "p6"}
    assert "labels" not in annotated
    assert light["labels"] == {"time_source": "commit"}
    assert light["repository"] == "github.com/alphagov/frontend"


@pytest.mark.parametrize(
    ("line", "words"),
    [(b"{", "Line 2 is not JSON."), (b"[]", "Line 2 is no record"), (b'{"k":"release"}', "Line 2 lacks")],
)
def test_a_line_that_is_no_record_is_named(line: bytes, words: str) -> None:
    converted = ledger.convert([json.dumps(DEPLOYMENT).encode(), line], "x")
    assert next(converted)["id"] == "x-1"
    with pytest.raises(ledger.Unreadable, match=words):
        next(converted)


def test_every_sample_is_a_fact_that_may_be_told() -> None:
    records = [DEPLOYMENT, SETTING, SETTING | {"k": "service_removed"}, COMMIT]
    drafts = [parsed(fact) for fact in facts(*records)]
    assert {draft.kind for draft in drafts} == {
        "deployment.finished",
        "environment.changed",
        "service.removed",
        "commit.pushed",
    }
    assert [draft.unknown for draft in drafts] == [None] * 4


@pytest.mark.parametrize("packed", [True, False])
def test_the_command_reads_packed_and_plain_files(tmp_path: Path, packed: bool) -> None:
    body = json.dumps(DEPLOYMENT).encode() + b"\n"
    file = tmp_path / ("own.jsonl.gz" if packed else "own.jsonl")
    file.write_bytes(gzip.compress(body) if packed else body)
    done = subprocess.run([sys.executable, TOOL, file], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout)["id"] == "own-1"


def test_the_command_ends_with_one_sentence_for_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, TOOL, tmp_path / "none.jsonl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "none.jsonl" in done.stderr
    assert done.stderr.count("\n") == 1
