"""The list of services, and the page of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.views import ServiceView
from deploytrail.errors import Refused
from deploytrail.web import links, words
from deploytrail.web.hostile import shown
from deploytrail.web.render import page

LIST: Final = 50
DEPLOYMENTS: Final = 20


def every(request: Request) -> Response:
    """GET /services?cursor=CURSOR: services by name, and where each runs."""
    ask = request.app.state.web.house.ask
    cursor = request.query_params.get("cursor")
    found = ask.lists.services(cursor, LIST)
    return page(
        request,
        "services.html",
        here="services",
        services=found.services,
        cells=ask.cells([row.name for row in found.services]),
        first_url="/services" if cursor else None,
        more_url=_with(found.next, "/services"),
    )


def show(request: Request) -> Response:
    """GET /services/{name}?cursor=CURSOR: one service, its deployments from a cursor on."""
    name = request.path_params["name"]
    cursor = request.query_params.get("cursor")
    found: ServiceView | None = request.app.state.web.house.ask.service(name, cursor, DEPLOYMENTS)
    if found is None:
        raise Refused("not-found", "Nobody has told of a service of this name.")
    return page(
        request,
        "service.html",
        here="services",
        s=found,
        lede=_lede(found),
        facts=_facts(found),
        running={cell.deployment for cell in found.cells if cell.mark in ("succeeded", "rolledback")},
        first_url=links.service(found.name) if cursor else None,
        older_url=_with(found.deployments.next, links.service(found.name)),
    )


def _with(cursor: str | None, path: str) -> str | None:
    return f"{path}?{urlencode({'cursor': cursor})}" if cursor else None


def _lede(view: ServiceView) -> Markup:
    """Where it runs, in one sentence."""
    where = [shown(cell.environment, 60) for cell in view.cells if cell.mark in ("succeeded", "rolledback")]
    if not where:
        return Markup("Nobody told us that it runs anywhere.")
    if len(where) > 4:
        return Markup("It runs in {} environments.").format(words.number(len(where)))
    named = Markup("{} and {}").format(Markup(", ").join(where[:-1]), where[-1]) if where[1:] else where[0]
    return Markup("It runs in {}.").format(named)


def _facts(view: ServiceView) -> list[tuple[str, Markup]]:
    """Whose it is and what it is called; what was not declared is said to be unknown."""
    unknown = Markup("not declared")
    return [
        ("Owner", shown(view.owner, 80) if view.owner else unknown),
        ("Repositories", _listed(view.repositories, links.changes) or unknown),
        ("Also called", _listed(view.aliases) or Markup("nothing else")),
        ("Artifacts", _listed(view.artifact_names) or unknown),
    ]


def _listed(names: list[str], to: Callable[[str], str] | None = None) -> Markup:
    many = [(name, shown(name, 80)) for name in names[:20]]
    return Markup(", ").join(links.link(to(name), text) if to else text for name, text in many)
