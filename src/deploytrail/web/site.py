"""The map of the web door: every address, what answers there, and the one action it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from deploytrail.app.house import House
from deploytrail.web import (
    api,
    artifacts,
    asked,
    assets,
    changes,
    deployment,
    facts,
    feed,
    health,
    hooks,
    live,
    log,
    openapi,
    pages,
    people,
    problems,
    search,
    services,
    signin,
    status,
    trail,
)
from deploytrail.web.context import Context
from deploytrail.web.guard import Frame, Hall, declared, route
from deploytrail.web.settings import WebSettings


def site(house: House, settings: WebSettings) -> Starlette:
    """The application. `main` calls `app.state.end_live()` when it is told to stop, since open live pages
    would hold a graceful shutdown up. Refused("unavailable") if the front end is not built.
    """
    context = Context(house, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        context.feed.close()

    app = Starlette(routes=declared(routes(settings)), lifespan=lifespan)
    # One frame does what Starlette would do in several layers around every request.
    app.middleware_stack = Frame(
        Hall(app.router), settings, context.answers, refused=problems.answer, broken=problems.broken
    )
    # An address is what people share: there is one for each page.
    app.router.redirect_slashes = False
    app.state.web = context
    app.state.end_live = context.feed.close
    return app


def routes(settings: WebSettings) -> list[BaseRoute]:
    """Every address. Entries are open to all with a public log, else for administrators."""
    entries = "open" if settings.public_log else "read-entries"
    return [
        # Pages.
        route("/", trail.show, action="see"),
        route("/trail/rows", trail.new_rows, action="see"),
        route("/trail.atom", feed.show, action="see", basic=True),
        route("/trail/saved", trail.save, action="see", methods=["POST"], form=True),
        route("/trail/saved/remove", trail.remove, action="see", methods=["POST"], form=True),
        route("/pulse", pages.pulse, action="see"),
        route("/deployments/{key}", deployment.show, action="see"),
        route(
            "/deployments/{key}/separate",
            deployment.separate,
            action="administer",
            methods=["POST"],
            form=True,
        ),
        route("/environments", pages.environments, action="see"),
        route("/services", services.every, action="see"),
        route("/services/{name:path}", services.show, action="see"),
        route("/changes", changes.every, action="see"),
        route("/changes/{repository:path}/{number}", changes.show, action="see"),
        route("/artifacts/{digest}", artifacts.show, action="see"),
        route("/people", people.every, action="see"),
        route("/people/{subject}", people.show, action="see"),
        route("/log", pages.log, action="see"),
        route("/status", status.show, action="see"),
        route("/search", search.show, action="see"),
        route("/attention", pages.attention, action="see"),
        route("/entries/{index}", pages.entry, action="see"),
        # Signing in.
        route("/sign-in", signin.show, action="open"),
        route("/sign-in", signin.sign_in, action="open", methods=["POST"], form=True),
        route("/sign-out", signin.sign_out, action="sign-out", methods=["POST"], form=True),
        route("/theme", pages.theme, action="open", methods=["POST"], form=True),
        route("/static/{name}", assets.asset, action="open"),
        # Machines tell us.
        route("/hooks/{source}", hooks.deliver, action="open", methods=["POST"]),
        route("/api/v1/facts", facts.tell, action="tell", methods=["POST"]),
        route("/api/v1/services/{name:path}", api.declare_service, action="administer", methods=["PUT"]),
        route(
            "/api/v1/environments/{name:path}", api.declare_environment, action="administer", methods=["PUT"]
        ),
        # Machines ask us.
        route("/api/v1/live", live.live, action="see"),
        route("/api/v1/entries/{index}", api.entry, action=entries),
        route("/api/v1/entries/{index}/receipt", api.receipt, action="see"),
        route("/api/v1/trail", asked.trail, action="see"),
        route("/api/v1/deployments", asked.deployments, action="see"),
        route("/api/v1/deployments/{key}", asked.deployment, action="see"),
        route("/api/v1/changes", asked.changes, action="see"),
        route("/api/v1/changes/{repository:path}/{number}", asked.change, action="see"),
        route("/api/v1/artifacts/{digest}", asked.artifact, action="see"),
        route("/api/v1/services", asked.services, action="see"),
        # Names may have slashes in them, so what is below one comes first.
        route(
            "/api/v1/services/{service:path}/environments/{environment:path}/running",
            asked.running,
            action="see",
        ),
        route(
            "/api/v1/services/{service:path}/environments/{environment:path}/last-good",
            asked.last_good,
            action="see",
        ),
        route("/api/v1/services/{name:path}", asked.service, action="see"),
        route("/api/v1/environments", asked.environments, action="see"),
        route("/api/v1/environments/{environment:path}/changed", asked.changed, action="see"),
        route("/api/v1/people", asked.people, action="see"),
        route("/api/v1/people/{subject}", asked.person, action="see"),
        route("/api/v1/search", asked.search, action="see"),
        route("/api/v1/status", status.told, action="see"),
        route("/api/openapi.json", openapi.reference, action="see"),
        route("/api/docs", openapi.docs, action="see"),
        # The log, for anyone to verify.
        route("/log/checkpoint", log.checkpoint, action="open"),
        route("/log/tile/entries/{path:path}", log.entries, action=entries),
        route("/log/tile/{path:path}", log.tile, action="open"),
        # Health.
        route("/healthz", health.alive, action="open"),
        route("/readyz", health.ready, action="open"),
        route("/metrics", health.metrics, action="open"),
    ]
