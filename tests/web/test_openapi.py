"""The reference of the API cannot rot: it is made of the routes, and says everything that they answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from deploytrail.errors import CODES
from deploytrail.facts.kinds import KINDS
from deploytrail.web.described import description
from deploytrail.web.guard import Door
from deploytrail.web.openapi import document, every_code
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import routes
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.reading import Page


def doors(*, public_log: bool = True) -> list[Door]:
    found = [door for door in routes(WebSettings(public_log=public_log)) if isinstance(door, Door)]
    return [door for door in found if door.path.startswith("/api/")]


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return document(doors(), "https://trail.example.org")


def operations(whole: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(way, path, told) for path, ways in whole["paths"].items() for way, told in ways.items()]


def test_every_address_of_the_api_is_described_and_nothing_else(whole: dict[str, Any]) -> None:
    undescribed = [door.path for door in doors() if description(door.answers) is None]
    assert not undescribed, "say beside the function what it takes and answers: web/described"
    told = {(way.upper(), path) for way, path, _ in operations(whole)}
    there = {
        (way, re.sub(r":\w+", "", door.path))
        for door in doors()
        for way in set(door.methods or ()) - {"HEAD"}
    }
    assert told == there


def test_an_address_takes_the_parameters_of_its_path_and_of_its_query(whole: dict[str, Any]) -> None:
    for _, path, told in operations(whole):
        names = [each["name"] for each in told["parameters"] if each["in"] == "path"]
        assert names == re.findall(r"{(\w+)}", path)
        assert all(each["required"] for each in told["parameters"] if each["in"] == "path")
    query = {
        each["name"]: each
        for each in whole["paths"]["/api/v1/deployments"]["get"]["parameters"]
        if each["in"] == "query"
    }
    assert set(query) == {"cursor", "limit", "service", "environment", "status", "since", "until", "at_least"}
    assert query["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert query["since"]["schema"]["format"] == "date-time"


def test_names_of_operations_and_references_are_whole(whole: dict[str, Any]) -> None:
    names = [told["operationId"] for _, _, told in operations(whole)]
    assert len(names) == len(set(names))
    text = msgspec.json.encode(whole).decode()
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert name in whole["components"][kind], name
    assert all(told["summary"] for _, _, told in operations(whole))


def test_moments_are_texts(whole: dict[str, Any]) -> None:
    row = whole["components"]["schemas"]["DeploymentRow"]["properties"]
    assert row["at"] == {"type": "string", "format": "date-time"}
    assert row["duration_ms"]["anyOf"][0] == {"type": "integer"}


def test_every_kind_that_may_be_told_is_a_body(whole: dict[str, Any]) -> None:
    arms = {
        arm["$ref"].removeprefix("#/components/schemas/fact.")
        for arm in whole["components"]["schemas"]["Fact"]["oneOf"]
    }
    assert arms == {name for name, kind in KINDS.items() if kind.outside} | {"x"}
    assert "id" not in whole["components"]["schemas"]["Person"]["properties"]


def test_who_may_decides_over_security(whole: dict[str, Any]) -> None:
    shut = document(doors(public_log=False), "")
    assert whole["paths"]["/api/v1/entries/{index}"]["get"]["security"] == []
    assert "security" not in shut["paths"]["/api/v1/entries/{index}"]["get"]
    assert whole["components"]["securitySchemes"]["session"]["name"] == "__Host-deploytrail"
    assert set(whole["components"]["securitySchemes"]) == {"token", "session"}


def test_every_code_has_words_and_an_anchor_on_the_page(enter: Enter) -> None:
    answer = enter(token="viewer-token").get("/api/docs")
    assert answer.status_code == 200
    page = Page(answer.text)
    assert {code for code, _ in every_code()} >= set(CODES)
    for code, meaning in every_code():
        assert code in page.ids
        assert all(len(words) > 5 for words in meaning[2:])
    assert page.inline == []
    assert len(page.ids) == len(set(page.ids))


def test_every_link_within_the_page_leads_somewhere(enter: Enter) -> None:
    text = enter("viewer").get("/api/docs").text
    page = Page(text)
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(page.ids)
    for door in doors():
        assert door.answers.__name__ in page.ids


@pytest.mark.parametrize("code", [code for code, _ in every_code()])
def test_the_type_of_a_problem_leads_to_its_anchor(house: FakeHouse, enter: Enter, code: str) -> None:
    from deploytrail.web.problems import TYPE

    path, _, anchor = f"{TYPE}{code}".partition("#")
    text = enter("viewer").get(path).text
    assert f'id="{anchor}"' in text


def test_the_reference_is_for_those_who_may_see(enter: Enter) -> None:
    for path in ("/api/docs", "/api/openapi.json"):
        assert enter().get(path).status_code == 401
        assert enter(token="reporter-token").get(path).status_code == 403
        assert enter(token="viewer-token").get(path).status_code == 200
    assert enter("viewer").get("/api/openapi.json").json()["openapi"] == "3.1.0"
