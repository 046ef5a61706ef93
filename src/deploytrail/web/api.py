"""The rest of the HTTP API: entries and receipts, and what is declared."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.errors import Refused
from deploytrail.web import body, numbers
from deploytrail.web.described import JSON, Answer, Described, described
from deploytrail.web.guard import caller_of
from deploytrail.web.wire import answer

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
PROVE: Final = "Prove"
DECLARE: Final = "Declare"
_LIMIT: Final = 256 * 1024


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


class ServiceDeclared(msgspec.Struct, frozen=True):
    """A service is declared in the entry at `index`."""

    service: str
    index: int


class EnvironmentDeclared(msgspec.Struct, frozen=True):
    """An environment is declared in the entry at `index`."""

    environment: str
    index: int


F = TypeVar("F", bound=msgspec.Struct)


@described(
    Described(
        section=PROVE,
        answers={200: Answer("The entry's canonical bytes.", dict[str, Any])},
        refuses=("not-found", "untrue"),
    )
)
def entry(request: Request) -> Response:
    """GET /api/v1/entries/{index}: the entry's canonical bytes, as they were recorded."""
    index = numbers.index(request.path_params["index"], "index")
    found = request.app.state.web.house.ask.entry(index)
    if found is None:
        raise Refused("not-found", f"The log has no entry {index} yet.")
    return Response(found[2], media_type="application/json")


@described(
    Described(
        section=PROVE,
        answers={200: Answer("A C2SP tlog-proof, which carries the entry.", media="text/plain")},
        refuses=("not-found", "untrue"),
    )
)
def receipt(request: Request) -> Response:
    """GET /api/v1/entries/{index}/receipt: a C2SP tlog-proof against the newest checkpoint."""
    index = numbers.index(request.path_params["index"], "index")
    proof = request.app.state.web.house.ask.receipt(index)
    return Response(
        proof,
        headers={"Content-Disposition": f'attachment; filename="entry-{index}.tlog-proof"'},
        media_type="text/plain; charset=utf-8",
    )


@described(
    Described(
        section=DECLARE,
        bodies={JSON: ServiceForm},
        answers={200: Answer("It is declared.", ServiceDeclared)},
        refuses=("conflict", "too-large"),
    )
)
async def declare_service(request: Request) -> Response:
    """PUT /api/v1/services/{name}: declare a service; the newest declaration holds."""
    form = await _form(request, ServiceForm)
    name = _name(request)
    declare = request.app.state.web.house.administer.declare_service
    index = await run_in_threadpool(
        declare, caller_of(request).by, name, form.repositories, form.artifacts, form.aliases, form.owner
    )
    return answer(ServiceDeclared(name, index))


@described(
    Described(
        section=DECLARE,
        bodies={JSON: EnvironmentForm},
        answers={200: Answer("It is declared.", EnvironmentDeclared)},
        refuses=("conflict", "too-large"),
    )
)
async def declare_environment(request: Request) -> Response:
    """PUT /api/v1/environments/{name}: declare an environment; the newest declaration holds."""
    form = await _form(request, EnvironmentForm)
    name = _name(request)
    declare = request.app.state.web.house.administer.declare_environment
    index = await run_in_threadpool(declare, caller_of(request).by, name, form.type, form.aliases, form.rank)
    return answer(EnvironmentDeclared(name, index))


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
