"""Every address for everybody: the table of actions decides, and nothing else."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount, Route, Router

from deploytrail.app.access import ACTIONS, ROLES, may
from deploytrail.web.guard import Door, Hall, declared, route
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import routes
from tests.web import cast
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse

OPEN_LOG = WebSettings(public_log=True)
SHUT_LOG = WebSettings(public_log=False)
FILLED = {
    "key": "40",
    "index": "3",
    "name": "checkout",
    "service": "checkout",
    "environment": "production-eu",
    "source": "github-main",
    "path": "0/000.p/60",
    "repository": "shop/checkout",
    "number": "809",
    "digest": cast.DIGEST,
    "subject": "s_ada",
}
BODIES = {
    "/api/v1/facts": b'{"kind": "x-test"}',
    "/api/v1/environments/{name:path}": b'{"type": "production"}',
    "/deployments/{key}/separate": b"index=46",
    "/sign-in": b"link=none",
    "/theme": b"theme=dark",
}


def doors(settings: WebSettings) -> list[Door]:
    """All routes, each of which must be a door."""
    return [found for found in routes(settings) if isinstance(found, Door)]


def address(door: Door) -> str:
    """A path of this route that exists."""
    path = door.path + ("?since=2026-01-01T00:00:00Z" if door.path.endswith("/changed") else "")
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}:path}}", value.removeprefix("0/") if "entries" in path else value)
        path = path.replace(f"{{{name}}}", value)
    return path


CASES = [
    (settings, door, method)
    for settings in (OPEN_LOG, SHUT_LOG)
    for door in doors(settings)
    for method in sorted((door.methods or set()) - {"HEAD"})
    if door.path not in ("/api/v1/live", "/static/{name}")
]


def test_every_route_names_an_action_of_the_table() -> None:
    assert len(doors(OPEN_LOG)) == len(routes(OPEN_LOG)) > 20
    assert {door.action for door in doors(OPEN_LOG)} <= set(ACTIONS)


@pytest.mark.parametrize("role", [*ROLES, None])
@pytest.mark.parametrize(
    ("settings", "door", "method"),
    CASES,
    ids=[f"{method} {door.path} {'open' if s.public_log else 'shut'}" for s, door, method in CASES],
)
def test_who_may_enter(
    house: FakeHouse, enter: Enter, settings: WebSettings, door: Door, method: str, role: str | None
) -> None:
    client = enter(token=f"{role}-token" if role else None, public_log=settings.public_log)
    answer = client.request(
        method,
        address(door),
        content=BODIES.get(door.path),
        headers={"sec-fetch-site": "same-origin"},
    )
    if may(role or "anyone", door.action):
        assert answer.status_code not in (403, 404, 405, 500)
        # The open door of hooks asks for the source's own signature, that of sign-in for a link; filters are
        # saved by people, not by tokens.
        others = ("/hooks/{source}", "/sign-in", "/trail/saved", "/trail/saved/remove")
        assert answer.status_code != 401 or door.path in others
    else:
        assert answer.status_code == (403 if role else 401)
        assert house.administer.done == []


def test_nobody_enters_without_a_door() -> None:
    def page(request: Request) -> Response:
        return PlainTextResponse("")

    with pytest.raises(ValueError, match="does not say which action it needs"):
        declared([Route("/", page)])
    with pytest.raises(ValueError, match="does not say which action it needs"):
        declared([Mount("/", routes=[Route("/", page)])])
    with pytest.raises(ValueError, match="not in the table of actions"):
        route("/", page, action="wish")
    with pytest.raises(TypeError):
        route("/", page)  # type: ignore[call-arg]


def test_only_what_interfaces_name_is_open() -> None:
    machines = {door.path for door in doors(SHUT_LOG) if door.action == "open"}
    assert machines == {
        *("/hooks/{source}", "/log/checkpoint", "/log/tile/{path:path}"),
        *("/healthz", "/readyz", "/metrics"),
        *("/sign-in", "/theme", "/static/{name}"),
    }


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/entries", "/log/", "/static/other.js", "/%2e%2e/x"]
)
def test_what_does_not_exist(enter: Enter, path: str) -> None:
    for client in (enter(), enter("administrator")):
        assert client.get(path).status_code == 404


def test_a_wrong_method_is_said(enter: Enter) -> None:
    answer = enter("administrator").delete("/environments")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("secret", ["", "unknown", "viewer-tokenx", "a" * 5000, "\u00e9"])
def test_an_unknown_token_is_nobody(enter: Enter, secret: str) -> None:
    client = enter()
    answer = client.get("/api/v1/environments", headers={"authorization": f"Bearer {secret}".encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_counts_before_a_cookie(enter: Enter) -> None:
    client = enter("administrator", token="unknown")
    assert client.get("/").status_code == 401


def test_the_role_of_a_reporter_sees_nothing(enter: Enter) -> None:
    answer = enter(token="reporter-token").get("/", headers={"accept": "text/html"})
    assert answer.status_code == 403
    assert "The role reporter may not do this" in answer.text
    assert "checkout" not in answer.text


@pytest.mark.parametrize("settings", [OPEN_LOG, SHUT_LOG])
def test_an_address_without_names_is_answered_by_the_door_that_comes_first(settings: WebSettings) -> None:
    router = Router(routes(settings))
    found = Hall(router)._plain
    for method, path in found:
        asked = {"type": "http", "method": method, "path": path}
        first = next(door for door in router.routes if door.matches(asked)[0] is Match.FULL)
        assert found[method, path] is first
    every = {
        (way, door.path) for door in doors(settings) if "{" not in door.path for way in door.methods or ()
    }
    assert set(found) == every


def test_a_door_with_a_name_that_comes_first_is_not_passed_over() -> None:
    def named(request: Request) -> Response:
        return PlainTextResponse("named")

    def plain(request: Request) -> Response:
        return PlainTextResponse("plain")

    both = [route("/{name}", named, action="open"), route("/plain", plain, action="open")]
    assert Hall(Router(both))._plain == {}
