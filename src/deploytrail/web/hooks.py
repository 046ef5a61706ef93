"""Deliveries in: POST /hooks/{source}, the raw body as its source signed it.

Whatever can be refused without the body is refused before it is read. Only what is authentic counts towards
the limit of its source, so that nobody can use that up but the source itself.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.errors import Refused
from deploytrail.web import body
from deploytrail.web.context import Context
from deploytrail.web.guard import demand_space, of_address, turned_away

# GitHub sends at most 25 MB.
LIMIT: Final = 25 * 2**20


async def deliver(request: Request) -> Response:
    """202 recorded, set aside or known already, 200 a repeat; else a problem (401, 404, 413, 429, 503)."""
    web: Context = request.app.state.web
    source: str = request.path_params["source"]
    await _demand_room(request, web, source)
    shares = [web.share("source", source), *of_address(request)]
    raw = await body.read(request, LIMIT, "A delivery", web.room, shares)
    # Several headers of one name could hide what was signed; the first of each is what we look at.
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, value)
    try:
        future = await run_in_threadpool(web.house.receiver.receive, source, headers, raw)
    except Refused as refusal:
        raise turned_away(request, refusal) from None
    web.sources.add(source)
    web.house.limits.charge("deliveries", source, 1)
    web.house.limits.charge("delivery-bytes", source, len(raw))
    receipt = await asyncio.wrap_future(future)
    answer = {"status": receipt.status, "entries": receipt.indices}
    return Response(
        msgspec.json.encode(answer),
        200 if receipt.status == "repeat" else 202,
        media_type="application/json",
    )


async def _demand_room(request: Request, web: Context, source: str) -> None:
    """Refused before the body is read: no such source, a source that sends too much, a full disk."""
    house = web.house
    if source not in web.sources:
        try:
            await run_in_threadpool(house.receiver.demand, source)
        except Refused as refusal:
            raise turned_away(request, refusal) from None
    house.limits.demand("deliveries", source)
    house.limits.demand("delivery-bytes", source)
    await demand_space(house)
