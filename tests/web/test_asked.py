"""Questions over the API: what they answer, how times are written, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from deploytrail.app.views import Moment, Who
from deploytrail.facts import times
from deploytrail.web import wire
from tests.web import cast
from tests.web.conftest import Enter, tell
from tests.web.fakes import FakeHouse

PLACE = "/api/v1/services/checkout/environments/production-eu"


def test_moments_are_written_as_rfc_3339_in_utc_and_durations_as_numbers(
    house: FakeHouse, enter: Enter
) -> None:
    found = enter(token="viewer-token").get("/api/v1/deployments/40").json()
    view = house.ask.deployments["40"]
    assert found["at"] == times.text(view.at)
    assert found["started_at"] == times.text(view.started_at or 0)
    assert found["duration_ms"] == view.duration_ms
    assert [step["at"] for step in found["steps"]] == [times.text(step.at) for step in view.steps]
    assert times.parse(found["at"]) == view.at


def test_what_has_no_value_is_left_out_and_what_is_required_is_not() -> None:
    assert wire.encode(Who(id="s_1")) == b'{"id":"s_1"}'
    assert wire.encode([Who(id="s_1", bot=True)]) == b'[{"id":"s_1","bot":true}]'
    assert wire.is_moment(Moment)
    assert wire.is_moment(Moment | None)
    assert not wire.is_moment(int)


def test_pages_go_on_where_they_ended(house: FakeHouse, enter: Enter) -> None:
    client = enter(token="viewer-token")
    keys: list[str] = []
    query = "?limit=25"
    while True:
        page = client.get(f"/api/v1/deployments{query}").json()
        keys += [row["key"] for row in page["deployments"]]
        if "next" not in page:
            break
        query = f"?limit=25&cursor={page['next']}"
    assert sorted(map(int, keys)) == list(range(60))
    rows: list[int] = []
    query = "?limit=5"
    while True:
        page = client.get(f"/api/v1/trail{query}").json()
        rows += [row["index"] for row in page["rows"]]
        if "next" not in page:
            break
        query = f"?limit=5&cursor={page['next']}"
    assert rows == sorted((row.index for row in house.ask.rows), reverse=True)


def test_the_first_entry_of_all_is_not_lost_between_pages(house: FakeHouse, enter: Enter) -> None:
    house.ask.rows = [cast.row(index, "log.opened") for index in (1, 0)]
    client = enter("viewer")
    page = client.get("/api/v1/trail?limit=1").json()
    assert [row["index"] for row in page["rows"]] == [1]
    rest = client.get(f"/api/v1/trail?limit=1&cursor={page['next']}").json()
    assert [row["index"] for row in rest["rows"]] == [0]


def test_filters_narrow(house: FakeHouse, enter: Enter) -> None:
    tell(house, outcome="failed", service="mailer", occurred_at="2026-03-01T00:00:00Z")
    client = enter(token="viewer-token")

    def keys(query: str) -> list[str]:
        return [row["key"] for row in client.get(f"/api/v1/deployments?{query}").json()["deployments"]]

    assert keys("service=mailer") == keys("status=failed") == ["60"]
    assert keys("until=2026-03-01T00:00:00Z") == keys("until=2026-03-01T01:00:00%2B01:00") == ["60"]
    assert "60" not in keys("since=2026-03-01T00:00:00.001Z&limit=200")
    assert keys("environment=nowhere") == []


@pytest.mark.parametrize(
    "path",
    [
        "deployments?limit=0", "deployments?limit=201", "deployments?limit=x", "deployments?limit=",
        "deployments?limit=1&limit=2", "deployments?enviroment=production", "deployments?service=",
        "deployments?service=%00", "deployments?cursor=x", "deployments?cursor=", "deployments?status=good",
        "deployments?since=yesterday", "deployments?since=2026-03-17",
        "deployments?until=2026-02-30T00:00:00Z",
        "changes?state=closed", "changes?cursor=W10", "people?cursor=WzFd", "people?word=",
        "services?limit=-1",
        "environments?cursor=Im5vd2hlcmUi", "trail?kind=&limit=5", "trail?below=5", "deployments/40?x=1",
        "changes/shop/checkout/x", "changes/shop/checkout/-1", "changes/shop/checkout/7?below=x",
        "people/s_ada?below=-1", "people/s_ada?kept_below=", "services/checkout?limit=500",
        "artifacts/sha256:00?cursor=W10",
        "environments/production-eu/changed", "environments/production-eu/changed?since=now",
        "environments/production-eu/changed?since=2026-03-17T00:00:00Z&until=2026-03-16T00:00:00Z",
        "services/checkout/environments/production-eu/running?at=0",
        "services/checkout/environments/production-eu/last-good?at=2026-03-17T00:00:00Z",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_never_ignored(enter: Enter, path: str) -> None:
    answer = enter(token="viewer-token").get(f"/api/v1/{path}")
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] == "bad-input"
    assert len(problem["detail"]) > 20


@pytest.mark.parametrize(
    "path",
    [
        "services/nothing/environments/production-eu/running",
        "services/checkout/environments/nowhere/last-good",
        "environments/nowhere/changed?since=2026-03-17T00:00:00Z",
        "services/checkout/environments/production-eu/running?at=1999-01-01T00:00:00Z",
        "deployments/none",
        "services/none",
        "changes/none/7",
        "artifacts/none",
        "people/nobody",
        "services/%00/environments/%F0%9F%92%A5/running",
    ],
)
def test_what_there_is_not_is_not_found(enter: Enter, path: str) -> None:
    answer = enter(token="viewer-token").get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_an_answer_never_says_that_it_knows_what_another_learnt_meanwhile(
    house: FakeHouse, enter: Enter
) -> None:
    """While one question is answered, another sees a newer entry."""
    client = enter("viewer")
    inner = enter("viewer")
    inner.app = client.app
    before = house.ask.projected() - 1
    trail = house.ask.trail

    def slow(*arguments: Any) -> Any:
        found = trail(*arguments)
        house.ask.trail = trail  # type: ignore[method-assign]
        house.ask.rows.append(cast.row(50, "log.opened"))
        assert inner.get("/api/v1/services").headers["Deploytrail-Index"] == "50"
        return found

    house.ask.trail = slow  # type: ignore[method-assign, assignment]
    assert client.get("/api/v1/trail").headers["Deploytrail-Index"] == str(before)


@pytest.mark.parametrize("path", ["/api/v1/services/checkout", "/api/v1/environments", "/api/v1/facts"])
def test_a_wrong_method_names_every_way_that_there_is(enter: Enter, path: str) -> None:
    client = enter("administrator")
    answer = client.patch(path)
    assert answer.status_code == 405
    problem = answer.json()
    assert (problem["code"], problem["type"]) == ("method", "/api/docs#method")
    for way in answer.headers["allow"].split(", "):
        assert client.request(way, path, headers={"sec-fetch-site": "same-origin"}).status_code != 405
