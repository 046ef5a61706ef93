"""The control socket: commands of the machine's operators, while the server holds the writer's lock.

It listens on a Unix socket that only the owner of the data folder can open; that is the whole of its access
control, as it is for the files beside it.
"""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploytrail.app.operate import Operate
from deploytrail.errors import Refused
from deploytrail.web import body, problems

# A source's secret or a list of names; nothing else is sent here.
LIMIT = 256 * 1024


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command: its name, its form as JSON, and whom the machine says the operator is."""

    command: str
    form: msgspec.Raw
    login: str


def control(operate: Operate) -> Starlette:
    """The application of the control socket."""

    async def run(request: Request) -> Response:
        """POST /: one command, as JSON."""
        raw = await body.read(request, LIMIT, "A command")
        try:
            call = msgspec.json.decode(raw, type=Call)
        except msgspec.DecodeError as error:
            raise Refused("bad-input", f"The command cannot be read: {error}.") from None
        answer = await run_in_threadpool(operate.do, call.command, bytes(call.form), call.login)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return Starlette(
        routes=[Route("/", run, methods=["POST"])], exception_handlers={Refused: problems.answer}
    )
