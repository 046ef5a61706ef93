"""Deliveries in: POST /hooks/{source}, the raw body as its source signed it."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.web import body

# GitHub sends at most 25 MB.
LIMIT: Final = 25 * 2**20


async def deliver(request: Request) -> Response:
    """202 recorded, set aside or known already, 200 a repeat; else a problem (401, 404, 413, 429)."""
    web = request.app.state.web
    raw = await body.read(request, LIMIT, "A delivery", web.room)
    # Several headers of one name could hide what was signed; the first of each is what we look at.
    headers = {name: request.headers[name] for name in request.headers}
    future = await run_in_threadpool(web.house.receiver.receive, request.path_params["source"], headers, raw)
    receipt = await asyncio.wrap_future(future)
    answer = {"status": receipt.status, "entries": receipt.indices}
    return Response(
        msgspec.json.encode(answer),
        200 if receipt.status == "repeat" else 202,
        media_type="application/json",
    )
