"""Single things: a service, a change, an artifact, a person and what is kept of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from deploytrail.app import known
from deploytrail.app.ports import Submission
from deploytrail.app.sweep import KEEP_MS
from deploytrail.app.views import ChangeView, PersonView, PublishedView, ServiceView
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from tests.app.small_house import SmallHouse
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD

ADA = {"login": "ada", "email": "ada@example.org", "name": "Ada"}
BEN, CLEO = {"login": "ben"}, {"login": "cleo"}


def service(house: SmallHouse, name: str = "checkout") -> ServiceView:
    house.follow()
    found = house.ask.service(name)
    assert found is not None
    return found


def change(house: SmallHouse, number: int = 7, below: int | None = None) -> ChangeView:
    house.follow()
    found = house.ask.change(REPOSITORY, number, below)
    assert found is not None
    return found


def artifact(house: SmallHouse, digest: str = DIGEST) -> PublishedView:
    house.follow()
    found = house.ask.artifact(digest)
    assert found is not None
    return found


def person(house: SmallHouse, subject: str, **below: int) -> PersonView:
    house.follow()
    found = house.ask.person(subject, **below)
    assert found is not None
    return found


def push(house: SmallHouse, before: str, after: str, at: int = NOON) -> int:
    commits = [{"sha": after, "parents": [before], "author": ADA, "title": f"Commit {after[:3]}"}]
    return house.tell(
        "commit.pushed", at, repository=REPOSITORY, ref="refs/heads/main", before=before, after=after,
        commits=commits,
    )  # fmt: skip


def merge(house: SmallHouse, number: int, sha: str, at: int = NOON, **fields: Any) -> int:
    return house.tell(
        "change.merged", at, repository=REPOSITORY, number=number, sha=sha, merged_by=CLEO, **fields
    )


def deploy(house: SmallHouse, name: str, sha: str, at: int, environment: str = "production") -> int:
    commits = [{"repository": REPOSITORY, "sha": sha}]
    return house.deploy(name, at, environment=environment, commits=commits, version=sha[:7])


# Nobody told of it.


def test_what_nobody_told_of_has_no_page(house: SmallHouse) -> None:
    house.follow()
    assert house.ask.service("checkout") is None
    assert house.ask.change(REPOSITORY, 7) is None
    assert house.ask.artifact(DIGEST) is None
    assert house.ask.person("s_nobody") is None


# A service.


def test_a_service_in_full(house: SmallHouse) -> None:
    house.tell("environment.declared", environment="production", type="production", rank=2)
    house.tell(
        "service.declared", service="checkout", owner="payments", repositories=[REPOSITORY],
        aliases=["shop"], artifacts=["registry.example.org/checkout"],
    )  # fmt: skip
    house.tell(
        "artifact.published",
        NOON,
        digest=DIGEST,
        name="checkout",
        repository=REPOSITORY,
        sha=SHA,
        actor="ada",
    )
    first = house.deploy("1", NOON, version="1.41.3", environment="staging")
    second = house.deploy("2", NOON + MINUTE, version="1.42.0", artifact=DIGEST, actor="ada")
    found = service(house, "shop")
    assert (found.name, found.declared, found.owner) == ("checkout", True, "payments")
    assert (found.repositories, found.aliases) == ([REPOSITORY], ["shop"])
    assert [(c.environment, c.version, c.deployment) for c in found.cells] == [
        ("production", "1.42.0", str(second)),
        ("staging", "1.41.3", str(first)),
    ]
    assert [row.key for row in found.deployments.deployments] == [str(second), str(first)]
    assert [one.digest for one in found.artifacts] == [DIGEST]
    assert found.waiting_why == "No merged change of its repositories has been told."


def test_deployments_of_a_service_go_on(house: SmallHouse) -> None:
    for number in range(5):
        house.deploy(str(number), NOON + number * MINUTE)
    house.follow()
    first = house.ask.service("checkout", None, 3)
    assert first is not None
    rest = house.ask.service("checkout", first.deployments.next, 3)
    assert rest is not None
    assert [row.key for row in first.deployments.deployments] == ["4", "3", "2"]
    assert [row.key for row in rest.deployments.deployments] == ["1", "0"]
    assert rest.deployments.next is None


def test_a_service_that_only_has_a_repository(house: SmallHouse) -> None:
    push(house, SHA, OTHER)
    found = service(house)
    assert (found.declared, found.cells, found.deployments.deployments) == (False, [], [])


def test_changes_that_production_has_not_got(house: SmallHouse) -> None:
    house.tell("environment.declared", environment="production", type="production")
    house.tell("service.declared", service="checkout", repositories=[REPOSITORY])
    push(house, SHA, OTHER, NOON)
    merge(house, 6, OTHER, NOON)
    deploy(house, "1", OTHER, NOON + MINUTE)
    push(house, OTHER, THIRD, NOON + 2 * MINUTE)
    merge(house, 7, THIRD, NOON + 2 * MINUTE, title="Round tax per line")
    found = service(house)
    assert (found.waiting_known, [row.number for row in found.waiting]) == (True, [7])
    assert found.waiting[0].title == "Round tax per line"
    deploy(house, "2", THIRD, NOON + 3 * MINUTE)
    assert (service(house).waiting_known, service(house).waiting) == (True, [])


def test_what_waits_is_unknown_where_history_is(house: SmallHouse) -> None:
    house.tell("service.declared", service="checkout", repositories=[REPOSITORY])
    merge(house, 6, OTHER)
    assert service(house).waiting_why == "No environment is declared to be of class production."
    house.tell("environment.declared", environment="production", type="production")
    assert service(house).waiting_why == "Nothing of it is known to run in production."
    deploy(house, "1", SHA, NOON)
    found = service(house)
    assert (found.waiting_known, found.waiting) == (False, [])
    assert "Import the repository's history" in (found.waiting_why or "")


# A change.


def test_a_change_in_full(house: SmallHouse) -> None:
    opened = house.tell(
        "change.opened", NOON, repository=REPOSITORY, number=7, title="Retry once", author=ADA, sha=OTHER,
        base_sha=SHA, url="https://code.example.org/7", actor="ada",
    )  # fmt: skip
    house.tell(
        "change.reviewed", NOON + MINUTE, repository=REPOSITORY, number=7, verdict="approved", reviewer=BEN,
        sha=OTHER,
    )  # fmt: skip
    house.tell("test.finished", repository=REPOSITORY, sha=OTHER, name="unit", outcome="succeeded")
    push(house, SHA, OTHER)
    last = merge(house, 7, THIRD, NOON + 2 * MINUTE, head=OTHER, base="main", commits=1)
    found = change(house)
    assert (found.title, found.state, found.into) == ("Retry once", "merged", "main")
    assert found.author is not None
    assert found.author.login == "ada"
    assert [(said.who.login, said.verdict, said.approval) for said in found.reviews] == [
        ("ben", "approved", True)
    ]
    assert found.url == "https://code.example.org/7"
    assert [commit.sha for commit in found.commits] == [OTHER, THIRD]
    assert found.commits[0].title == "Commit e08"
    assert [check.name for check in found.checks] == ["unit"]
    assert [row.index for row in found.trail] == [last, opened + 1, opened]


def test_where_a_change_went(house: SmallHouse) -> None:
    push(house, SHA, OTHER)
    merge(house, 7, OTHER, NOON)
    staging = deploy(house, "1", OTHER, NOON + MINUTE, "staging")
    deploy(house, "2", OTHER, NOON + 2 * MINUTE, "staging")
    push(house, OTHER, THIRD)
    # Production got it with a later commit.
    production = deploy(house, "3", THIRD, NOON + 5 * MINUTE)
    found = change(house)
    assert [(r.deployment.key, r.deployment.environment, r.took_ms, r.named) for r in found.reached] == [
        (str(staging), "staging", MINUTE, True),
        (str(production), "production", 5 * MINUTE, False),
    ]
    assert found.reached_why is None


def test_where_a_change_went_is_not_guessed(house: SmallHouse) -> None:
    merge(house, 7, OTHER, NOON)
    deploy(house, "1", THIRD, NOON + MINUTE)
    house.deploy("2", NOON + MINUTE, environment="staging", outcome="failed", commits=[{"sha": OTHER}])
    found = change(house)
    assert found.reached == []
    assert "Import the repository's history" in (found.reached_why or "")


def test_a_change_told_under_two_spellings(house: SmallHouse) -> None:
    house.tell("change.opened", repository="https://Example.org/shop/Checkout.git", number=7, title="A")
    merge(house, 7, OTHER)
    assert len(change(house).trail) == 2


def test_an_open_change_went_nowhere(house: SmallHouse) -> None:
    house.tell("change.opened", repository=REPOSITORY, number=7)
    found = change(house)
    assert (found.state, found.reached, found.reached_why, found.title) == ("open", [], None, None)


# An artifact.


def test_an_artifact_in_full(house: SmallHouse) -> None:
    push(house, SHA, OTHER)
    merge(house, 7, OTHER)
    house.tell(
        "artifact.published", NOON, digest=DIGEST, name="checkout", version="1.42.0", repository=REPOSITORY,
        sha=OTHER, provenance="slsa", url="https://registry.example.org/1", actor="ada",
    )  # fmt: skip
    staging = house.deploy("1", NOON, artifact=DIGEST, environment="staging")
    production = house.deploy("2", NOON + MINUTE, artifact=DIGEST)
    house.deploy("3", NOON + 2 * MINUTE, version="2")
    found = artifact(house)
    assert found.published is not None
    assert found.published.actor is not None
    assert (found.published.name, found.published.actor.login) == ("checkout", "ada")
    assert (found.service, found.provenance) == ("checkout", "slsa")
    assert found.url == "https://registry.example.org/1"
    assert found.commit is not None
    assert (found.commit.title, found.commit.change) == ("Commit e08", 7)
    assert [row.key for row in found.deployments] == [str(production), str(staging)]
    assert found.runs_in == ["staging"]


def test_an_artifact_that_was_only_deployed(house: SmallHouse) -> None:
    house.deploy("1", artifact=DIGEST)
    found = artifact(house)
    assert (found.published, found.commit, found.runs_in) == (None, None, ["production"])


# A person.


def test_a_person_and_what_is_kept(house: SmallHouse) -> None:
    pushed = house.tell(
        "commit.pushed", NOON, repository=REPOSITORY, ref="refs/heads/main", after=OTHER, actor="ada",
        commits=[{"sha": OTHER, "author": ADA, "title": "Round tax"}],
    )  # fmt: skip
    subject = house.subject("ada")
    found = person(house, subject)
    assert (found.who.name, found.who.login, found.email) == ("Ada", "ada", "ada@example.org")
    assert [row.index for row in found.trail] == [pushed]
    assert [kept.index for kept in found.kept] == [pushed]
    assert "data.commits.0.author.email" in found.kept[0].paths
    assert found.kept[0].body_until is None


def test_what_others_sealed_is_not_theirs(house: SmallHouse) -> None:
    house.deploy("1", actor="ada")
    house.tell("change.merged", repository=REPOSITORY, number=1, author=ADA, merged_by=BEN, title="Secret")
    found = person(house, house.subject("ben"))
    assert [kept.paths for kept in found.kept] == [["data.merged_by.login"]]


def test_raw_bodies_are_kept_for_a_while(house: SmallHouse) -> None:
    found = house.persons.seal(_delivered())
    house.log.append([Submission((found,))])
    subject = house.subject("ada")
    assert person(house, subject).kept[0].body_until == NOON + KEEP_MS
    house.clock.at = NOON + KEEP_MS
    assert person(house, subject).kept[0].body_until is None


def _delivered() -> Draft:
    draft = told.parse(b'{"kind": "x-note", "actor": {"login": "ada"}}', source="hub", received_at=NOON)
    return msgspec.structs.replace(draft, delivery="c2FsdA==")


def test_an_erased_person_has_a_page_with_nothing_personal(house: SmallHouse) -> None:
    house.deploy("1", actor="ada")
    house.follow()
    subject = house.erase("ada")
    found = person(house, subject)
    assert (found.who.erased, found.who.name, found.who.login, found.email) == (True, None, None, None)
    assert (found.erased, found.kept) == (1, [])
    assert [row.index for row in found.trail] == [0]


def test_a_person_a_page_at_a_time(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "LINES", 2)
    monkeypatch.setattr(known, "KEPT", 2)
    for number in range(5):
        house.deploy(str(number), actor="ada")
    subject = house.subject("ada")
    first = person(house, subject)
    assert ([row.index for row in first.trail], first.older) == ([4, 3], 3)
    assert ([kept.index for kept in first.kept], first.kept_older) == ([4, 3], 3)
    rest = person(house, subject, below=1, kept_below=1)
    assert ([row.index for row in rest.trail], [kept.index for kept in rest.kept]) == ([0], [0])
    assert (rest.older, rest.kept_older) == (None, None)
