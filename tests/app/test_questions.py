"""What ran when, what to go back to, and what changed: histories told in the order in which houses hear."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.app.views import LastGood, WhatChanged
from deploytrail.errors import Refused
from tests.app.small_house import SmallHouse
from tests.projections.telling import MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD


def ran(house: SmallHouse, at: int | None = None, service: str = "checkout") -> str | None:
    house.follow()
    found = house.ask.running(service, "production", at)
    return found.version if found else None


def good(house: SmallHouse) -> LastGood:
    house.follow()
    return house.ask.questions.last_good("checkout", "production")


def changed(house: SmallHouse, since: int, until: int | None = None, limit: int = 50) -> WhatChanged:
    house.follow()
    return house.ask.questions.what_changed("production", since, until, None, limit)


# What ran.


def test_what_ran_at_a_time_is_the_newest_success_before_it(house: SmallHouse) -> None:
    for n in range(1, 40):
        house.deploy(str(n), NOON + n * MINUTE, version=f"1.{n}")
        house.deploy(f"f{n}", NOON + n * MINUTE + 1, version="bad", outcome="failed")
    assert ran(house) == "1.39"
    assert ran(house, NOON + 2 * MINUTE - 1) == "1.1"
    assert [ran(house, NOON + n * MINUTE) for n in range(1, 40)] == [f"1.{n}" for n in range(1, 40)]
    assert ran(house, NOON) is None


def test_late_reports_find_their_place_in_the_past(house: SmallHouse) -> None:
    house.deploy("2", NOON + 2 * MINUTE, version="2")
    house.deploy("1", NOON + MINUTE, version="1")
    assert ran(house) == "2"
    assert ran(house, NOON + MINUTE) == "1"


def test_what_was_removed_does_not_run(house: SmallHouse) -> None:
    house.deploy("1", NOON, version="1")
    house.tell("service.removed", NOON + 2 * MINUTE, service="checkout", environment="production")
    assert ran(house) is None
    assert ran(house, NOON + 5 * MINUTE) is None
    assert ran(house, NOON + MINUTE) == "1"
    house.deploy("2", NOON + 9 * MINUTE, version="2")
    assert (ran(house), ran(house, NOON + 5 * MINUTE)) == ("2", None)


def test_a_place_that_there_is_not_is_said(house: SmallHouse) -> None:
    house.deploy("1")
    house.follow()
    ask = house.ask
    for service, environment in (("nothing", "production"), ("checkout", "nowhere"), ("", ""), ("\0", "é")):
        with pytest.raises(Refused, match="Nothing was ever deployed to this place"):
            ask.running(service, environment, None)
        with pytest.raises(Refused, match="Nothing was ever deployed to this place"):
            ask.questions.last_good(service, environment)
    with pytest.raises(Refused, match="environment of this name"):
        ask.questions.what_changed("nowhere", NOON, None, None, 5)


STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["succeeded", "failed", "removed"]), st.sampled_from("123")),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(told=STEPS, at=st.integers(-1, 10))
def test_what_ran_as_a_plain_reading_of_the_history_has_it(
    told: list[tuple[int, str, str]], at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The oracle sorts the whole history by time. One removal: of several only the newest is remembered."""
    house = SmallHouse(tmp_path_factory.mktemp("history"))
    history: list[tuple[int, int, str | None]] = []
    removed = False
    house.deploy("first", NOON, outcome="failed")
    for n, (minute, outcome, version) in enumerate(told):
        when = NOON + minute * MINUTE
        if outcome == "removed":
            if not removed:
                where = {"service": "checkout", "environment": "production"}
                history.append((when, house.tell("service.removed", when, **where), None))
            removed = True
            continue
        index = house.deploy(f"d{n}", when, outcome=outcome, version=f"{version}.{n}")
        if outcome == "succeeded":
            history.append((when, index, f"{version}.{n}"))
    end = NOON + at * MINUTE
    expected = max((each for each in history if each[0] <= end), default=(0, 0, None))[2]
    try:
        assert ran(house, end) == expected
    finally:
        house.close()


# What to go back to.


def test_the_last_good_one_is_what_runs_when_all_is_well(house: SmallHouse) -> None:
    house.deploy("1", NOON, version="1")
    index = house.deploy("2", NOON + MINUTE, version="2", actor="ada")
    house.deploy("3", NOON + 2 * MINUTE, version="3", outcome="failed")
    found = good(house)
    assert found.deployment is not None
    assert (found.deployment.key, found.deployment.version, found.runs) == (str(index), "2", True)
    assert found.deployment.actor is not None
    assert found.deployment.actor.login == "ada"
    assert found.passed_over == []


def test_what_was_rolled_back_is_passed_over(house: SmallHouse) -> None:
    house.deploy("1", NOON, version="1")
    house.deploy("2", NOON + MINUTE, version="2")
    house.deploy("3", NOON + 2 * MINUTE, version="1")
    assert good(house).deployment.version == "1"  # type: ignore[union-attr]
    house.deploy("4", NOON + 3 * MINUTE, version="1", outcome="failed")
    found = good(house)
    assert found.deployment is None, "1 failed since, and 2 was rolled back"
    assert found.running is not None
    assert [(each.deployment.version, each.why) for each in found.passed_over] == [
        ("1", "deploying the same again failed"),
        ("2", "it was rolled back"),
        ("1", "deploying the same again failed"),
    ]


def test_a_failed_repeat_spoils_only_the_same(house: SmallHouse) -> None:
    house.deploy("1", NOON, version="1")
    house.deploy("2", NOON + MINUTE, version="2")
    house.deploy("3", NOON + 2 * MINUTE, version="2", outcome="failed")
    found = good(house)
    assert found.deployment is not None
    assert (found.deployment.version, found.runs) == ("1", False)
    assert found.running is not None
    assert found.running.version == "2"
    house.deploy("4", NOON + 3 * MINUTE, version="2")
    found = good(house)
    assert found.deployment is not None
    assert (found.deployment.version, found.runs) == ("2", True)


def test_nothing_good_is_known_where_nothing_succeeded(house: SmallHouse) -> None:
    house.deploy("1", NOON, outcome="failed")
    found = good(house)
    assert (found.deployment, found.running, found.runs) == (None, None, False)


# What changed.


def pushed(house: SmallHouse, before: str, *shas: str) -> None:
    commits = [{"sha": sha, "author": {"login": "ben"}, "title": f"Say {sha[:7]}"} for sha in shas]
    told: dict[str, Any] = {"before": before, "after": shas[-1], "commits": commits}
    house.tell("commit.pushed", NOON, repository=REPOSITORY, ref="refs/heads/main", **told)


def test_what_changed_tells_versions_commits_changes_and_who(house: SmallHouse) -> None:
    pushed(house, SHA, OTHER, THIRD)
    house.tell("change.merged", NOON, repository=REPOSITORY, number=7, sha=THIRD, author={"login": "ben"},
               merged_by={"login": "dina"}, title="Count once")  # fmt: skip
    house.tell("change.reviewed", NOON, repository=REPOSITORY, number=7, verdict="approved",
               reviewer={"login": "cleo"})  # fmt: skip
    for n, (sha, version) in enumerate([(SHA, "1"), (OTHER, "2"), (THIRD, "3")]):
        commits = [{"repository": REPOSITORY, "sha": sha}]
        house.deploy(str(n), NOON + n * MINUTE, version=version, commits=commits, actor="ada")
    house.deploy("m", NOON, service="mailer", version="9")
    found = changed(house, NOON + 1)
    assert [one.service for one in found.services] == ["checkout"]
    one = found.services[0]
    assert one.before is not None
    assert one.after is not None
    assert (one.before.version, one.after.version) == ("1", "3")
    assert [row.version for row in one.deployments] == ["3", "2"]
    assert one.brought.known
    assert [commit.sha for commit in one.brought.commits] == [THIRD, OTHER]
    assert [commit.author and commit.author.login for commit in one.brought.commits] == ["ben", "ben"]
    assert [(row.number, row.title) for row in one.changes] == [(7, "Count once")]
    assert [who.login for who in one.changes[0].reviewers] == ["cleo"]


def test_back_and_forth_is_no_change_and_back_brings_no_commits(house: SmallHouse) -> None:
    pushed(house, SHA, OTHER)
    for n, sha in enumerate([OTHER, SHA]):
        commits = [{"repository": REPOSITORY, "sha": sha}]
        house.deploy(str(n), NOON + n * MINUTE, version=sha[:3], commits=commits)
    one = changed(house, NOON).services[0]
    assert one.after is not None
    assert (one.after.version, one.brought.known, one.brought.commits) == (SHA[:3], True, [])
    assert changed(house, NOON, NOON).services == []


def test_what_came_and_what_went(house: SmallHouse) -> None:
    house.deploy("1", NOON, service="mailer", version="1")
    house.tell("service.removed", NOON + MINUTE, service="mailer", environment="production")
    house.deploy("2", NOON + MINUTE, service="shop", version="5")
    found = changed(house, NOON)
    told = [
        (one.service, one.before and one.before.version, one.after and one.after.version)
        for one in found.services
    ]
    assert told == [("mailer", "1", None), ("shop", None, "5")]
    house.clock.at = NOON + 9 * MINUTE
    assert changed(house, NOON).until == NOON + 9 * MINUTE


def test_what_changed_comes_in_pages(house: SmallHouse) -> None:
    for n in range(7):
        house.deploy(str(n), NOON, service=f"s{n}", version="1")
    names, cursor = [], None
    house.follow()
    while True:
        page = house.ask.questions.what_changed("production", NOON - MINUTE, None, cursor, 3)
        names += [one.service for one in page.services]
        if (cursor := page.next) is None:
            break
    assert names == [f"s{n}" for n in range(7)]
