"""Lists in pages: every row once, in order, whatever stands beside it, and cursors that stay good."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from deploytrail.app import keyset, lists
from deploytrail.app.keyset import Spot
from deploytrail.app.views import DeploymentFilter
from deploytrail.errors import Refused
from tests.app.small_house import SmallHouse
from tests.projections.telling import MINUTE, NOON, REPOSITORY


def every(ask: Callable[[str | None], Any], name: str) -> list[Any]:
    """The rows of all pages."""
    found, cursor = [], None
    while True:
        page = ask(cursor)
        found += getattr(page, name)
        cursor = page.next
        if cursor is None:
            return found


def keys(house: SmallHouse, limit: int = 2, **wanted: Any) -> list[str]:
    house.follow()
    rows = every(
        lambda cursor: house.ask.lists.deployments(DeploymentFilter(**wanted), cursor, limit), "deployments"
    )
    return [row.key for row in rows]


# Deployments.


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_each_deployment_stands_in_one_page_however_many_ended_at_once(house: SmallHouse, limit: int) -> None:
    told = []
    for n in range(40):
        at = NOON + (n // 9) * MINUTE
        told.append((at, house.deploy(str(n), at, service=f"s{n % 3}", environment=f"e{n % 2}")))
    expected = [str(index) for _, index in sorted(told, reverse=True)]
    assert keys(house, limit) == expected
    assert keys(house, limit, since=NOON + MINUTE, until=NOON + 3 * MINUTE) == [
        str(index) for at, index in sorted(told, reverse=True) if MINUTE <= at - NOON <= 3 * MINUTE
    ]


def test_deployments_by_place_time_and_status(house: SmallHouse) -> None:
    one = house.deploy("1", NOON, actor="ada", version="1")
    two = house.deploy("2", NOON + MINUTE, outcome="failed", version="2")
    three = house.deploy("3", NOON + 2 * MINUTE, service="mailer", version="1")
    four = house.deploy("4", NOON + 3 * MINUTE, environment="staging", kind="started", version="3")
    assert keys(house) == [str(key) for key in (four, three, two, one)]
    assert keys(house, service="checkout") == [str(key) for key in (four, two, one)]
    assert keys(house, environment="production") == [str(key) for key in (three, two, one)]
    assert keys(house, service="checkout", environment="production") == [str(two), str(one)]
    assert keys(house, status="failed") == [str(two)]
    assert keys(house, status="running") == [str(four)]
    assert keys(house, since=NOON + 3 * MINUTE) == [str(four)]
    assert keys(house, until=NOON) == [str(one)]
    assert keys(house, service="nothing") == keys(house, environment="nothing") == []
    row = house.ask.lists.deployments(DeploymentFilter(status="failed"), None, 9).deployments[0]
    assert (row.version, row.replaced_version, row.mark, row.at) == ("2", "1", "failed", NOON + MINUTE)


def test_all_spellings_of_a_name_are_one_list(house: SmallHouse) -> None:
    before = [house.deploy(str(n), NOON + n, environment="prd", service="Shop") for n in range(20)]
    house.follow()
    house.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    house.tell("service.declared", service="checkout", aliases=["shop"])
    after = house.deploy("new", NOON + MINUTE)
    expected = [str(key) for key in (after, *reversed(before))]
    for environment in ("production", "PRD", "prd"):
        assert keys(house, environment=environment) == expected
        assert keys(house, environment=environment, service="shop") == expected
    assert keys(house, service="checkout") == expected
    rows = house.ask.lists.deployments(DeploymentFilter(service="SHOP"), None, 50).deployments
    assert {(row.service, row.environment) for row in rows} == {("checkout", "production")}


def test_a_page_that_looks_at_much_ends_early_and_loses_nothing(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_LOOKED", 5)
    failed = [
        house.deploy(str(n), NOON + n, outcome="failed" if n % 11 == 3 else "succeeded") for n in range(40)
    ]
    house.follow()
    page = house.ask.lists.deployments(DeploymentFilter(status="failed"), None, 50)
    assert len(page.deployments) < 3
    assert page.next is not None
    assert keys(house, 50, status="failed") == [str(failed[n]) for n in (36, 25, 14, 3)]


def test_a_cursor_stays_good_while_more_is_told(house: SmallHouse) -> None:
    told = [house.deploy(str(n), NOON + n) for n in range(4)]
    house.follow()
    page = house.ask.lists.deployments(DeploymentFilter(), None, 2)
    house.deploy("new", NOON + MINUTE)
    house.deploy("late", NOON - MINUTE)
    house.follow()
    rest = house.ask.lists.deployments(DeploymentFilter(), page.next, 2)
    assert [row.key for row in rest.deployments] == [str(told[1]), str(told[0])]


# Cursors.


@pytest.mark.parametrize(
    "bad",
    [
        "", "x", "0", "=", "W10", "bnVsbA", "WzFd", "WzEsMl0=", "WzEsIDJd", "WzEsMiwzXQ", "WyIxIiwyXQ",
        "WzEuMCwyXQ", "é", "WzEsMl0\n", "A" * 4000, "[1,2]", "WzEsMl1d",
        urlsafe_b64encode(b"[99999999999999999999,1]").decode().rstrip("="),
        urlsafe_b64encode(b"[" * 900).decode().rstrip("="),
    ],
)  # fmt: skip
def test_a_cursor_that_no_page_gave_is_refused(bad: str) -> None:
    assert keyset.read(keyset.written((1, 2)), Spot) == (1, 2)
    with pytest.raises(Refused, match="was not given by this list") as refused:
        keyset.read(bad, Spot)
    assert refused.value.code == "bad-input"


def test_the_cursor_of_another_list_is_refused(house: SmallHouse) -> None:
    for n in range(3):
        house.deploy(str(n), service=f"s{n}", actor=f"a{n}")
    house.follow()
    ask = house.ask.lists
    services, people = ask.services(None, 1).next, ask.people(None, None, 1).next
    assert services
    assert people
    for cursor in (services, people):
        with pytest.raises(Refused, match="not given by this list"):
            ask.deployments(DeploymentFilter(), cursor, 2)
        with pytest.raises(Refused, match="not given by this list"):
            ask.changes(None, None, cursor, 2)


# Changes.


def test_changes_newest_first_and_within_a_repository_by_number(house: SmallHouse) -> None:
    tell = house.tell
    tell("change.opened", repository=REPOSITORY, number=7, title="Count once", author={"login": "ada"})
    tell("change.opened", repository="shop/mailer", number=1)
    tell("change.opened", repository=REPOSITORY, number=5)
    tell("change.merged", repository=REPOSITORY, number=7, sha="a" * 40, merged_by={"login": "ben"})
    tell("change.reviewed", repository=REPOSITORY, number=7, verdict="approved", reviewer={"login": "cleo"})
    house.follow()

    def numbers(repository: str | None = None, state: str | None = None) -> list[int]:
        ask = house.ask.lists
        return [row.number for row in every(lambda c: ask.changes(repository, state, c, 1), "changes")]

    assert numbers() == [5, 1, 7]
    assert numbers(REPOSITORY) == numbers(f"https://{REPOSITORY}.git") == [7, 5]
    assert numbers(REPOSITORY.upper()) == [7, 5]
    assert numbers(state="merged") == [7]
    assert numbers("nobody/nothing") == []
    row = house.ask.lists.changes(None, "merged", None, 1).changes[0]
    assert (row.title, row.author and row.author.login) == ("Count once", "ada")
    assert row.merged_by is not None
    assert (row.merged_by.login, [who.login for who in row.reviewers]) == ("ben", ["cleo"])


def test_the_first_entry_of_all_may_hold_the_title(house: SmallHouse) -> None:
    index = house.tell("change.opened", repository=REPOSITORY, number=7, title="Count once")
    house.follow()
    row = house.ask.lists.changes(None, None, None, 1).changes[0]
    assert (index, row.index, row.title) == (0, 0, "Count once")


# Services and people.


def test_services_declared_or_only_seen_each_once(house: SmallHouse) -> None:
    for n, name in enumerate(["zeta", "checkout", "Alpha", "shop", "mailer"]):
        house.deploy(str(n), service=name)
    house.tell("service.declared", service="checkout", aliases=["shop"], owner="team-pay")
    house.tell("service.declared", service="unheard")
    house.follow()
    rows = every(lambda cursor: house.ask.lists.services(cursor, 2), "services")
    assert [row.name for row in rows] == ["Alpha", "checkout", "mailer", "unheard", "zeta"]
    assert [row.name for row in rows if row.declared] == ["checkout", "unheard"]
    assert rows[1].owner == "team-pay"


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_people_newest_known_first_also_those_of_one_entry(house: SmallHouse, limit: int) -> None:
    house.deploy("1", actor="ada")
    house.tell(
        "change.merged",
        repository=REPOSITORY,
        number=1,
        sha="a" * 40,
        author={"login": "ben"},
        merged_by={"login": "cleo"},
        reviewers=[{"login": "dina"}, {"login": "eli"}],
    )
    house.deploy("2", actor="ada")
    house.follow()
    rows = every(lambda cursor: house.ask.lists.people(None, cursor, limit), "people")
    assert {row.login for row in rows[:4]} == {"ben", "cleo", "dina", "eli"}
    assert [row.login for row in rows[4:]] == ["ada"]
    house.erase("ada")
    house.follow()
    last = every(lambda cursor: house.ask.lists.people(None, cursor, limit), "people")[-1]
    assert (last.login, last.name, last.erased) == (None, None, True)
