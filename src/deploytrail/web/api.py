"""The rest of the HTTP API: entries and receipts, deployments, environments, and what is declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.errors import Refused
from deploytrail.web import body, numbers
from deploytrail.web.guard import caller_of

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_LIMIT = 256 * 1024


class ServiceForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /api/v1/services/{name}."""

    repositories: list[Name] = []
    artifacts: list[Name] = []
    aliases: list[Name] = []
    owner: Name | None = None


class EnvironmentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /api/v1/environments/{name}."""

    type: Literal["production", "staging", "test", "other"]
    aliases: list[Name] = []
    rank: int | None = None


F = TypeVar("F", bound=msgspec.Struct)


def entry(request: Request) -> Response:
    """GET /api/v1/entries/{index}: the entry's canonical bytes, as they were recorded."""
    index = numbers.index(request.path_params["index"], "index")
    found = request.app.state.web.house.ask.entry(index)
    if found is None:
        raise Refused("not-found", f"The log has no entry {index} yet.")
    return Response(found[2], media_type="application/json")


def receipt(request: Request) -> Response:
    """GET /api/v1/entries/{index}/receipt: a C2SP tlog-proof against the newest checkpoint."""
    index = numbers.index(request.path_params["index"], "index")
    proof = request.app.state.web.house.ask.receipt(index)
    return Response(
        proof,
        headers={"Content-Disposition": f'attachment; filename="entry-{index}.tlog-proof"'},
        media_type="text/plain; charset=utf-8",
    )


def deployment(request: Request) -> Response:
    """GET /api/v1/deployments/{key}."""
    found = request.app.state.web.house.ask.deployment(request.path_params["key"])
    if found is None:
        raise Refused("not-found", "No deployment has this key.")
    return _json(found)


def environments(request: Request) -> Response:
    """GET /api/v1/environments."""
    return _json({"environments": request.app.state.web.house.ask.environments()})


async def declare_service(request: Request) -> Response:
    """PUT /api/v1/services/{name}: declare a service; the newest declaration holds."""
    form = await _form(request, ServiceForm)
    name = _name(request)
    declare = request.app.state.web.house.administer.declare_service
    index = await run_in_threadpool(
        declare, caller_of(request).by, name, form.repositories, form.artifacts, form.aliases, form.owner
    )
    return _json({"service": name, "index": index})


async def declare_environment(request: Request) -> Response:
    """PUT /api/v1/environments/{name}: declare an environment; the newest declaration holds."""
    form = await _form(request, EnvironmentForm)
    name = _name(request)
    declare = request.app.state.web.house.administer.declare_environment
    index = await run_in_threadpool(declare, caller_of(request).by, name, form.type, form.aliases, form.rank)
    return _json({"environment": name, "index": index})


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    if not 1 <= len(name) <= 200:
        raise Refused("bad-input", "A name has 1 to 200 signs.")
    return name


async def _form(request: Request, type_: type[F]) -> F:
    raw = await body.read(request, _LIMIT, "A declaration")
    try:
        return msgspec.json.decode(raw or b"{}", type=type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("bad-input", f"The declaration cannot be read: {error}.") from None


def _json(value: Any, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(
        msgspec.json.encode(value),
        headers={"Cache-Control": "no-store", **dict(headers)},
        media_type="application/json",
    )
