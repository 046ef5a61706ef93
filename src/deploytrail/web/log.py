"""The log as C2SP tlog-tiles, for anyone to verify: checkpoint, hash tiles, entry bundles.

Nothing beyond the published checkpoint is served, so that whoever has the checkpoint finds exactly its tree.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.ports import Signed
from deploytrail.errors import Refused
from deploytrail.tlog import tiles
from deploytrail.tlog.hashes import leaf_hash

_FOR_EVER: Final = "max-age=31536000, immutable"
_OPEN: Final = {"Access-Control-Allow-Origin": "*"}
_BYTES: Final = "application/octet-stream"


def checkpoint(request: Request) -> Response:
    """GET /log/checkpoint."""
    signed = request.app.state.web.house.log.checkpoint()
    if signed is None:
        raise Refused("not-found", "No checkpoint is signed yet. Ask again in a second.")
    headers = {**_OPEN, "Cache-Control": "no-cache"}
    return Response(signed.note, headers=headers, media_type="text/plain; charset=utf-8")


def tile(request: Request) -> Response:
    """GET /log/tile/{level}/{path}: up to 256 hashes."""
    wanted = tiles.parse("tile/" + request.path_params["path"])
    log = request.app.state.web.house.log
    start, stop = _span(log.checkpoint(), wanted)
    data = log.nodes(wanted.level, start, stop) if wanted.level else log.leaves(start, stop)
    if len(data) != wanted.width * 32:
        raise Refused(
            "untrue", "The store lacks hashes of this tile. An administrator can look with: deploytrail fsck."
        )
    return Response(data, headers={**_OPEN, "Cache-Control": f"public, {_FOR_EVER}"}, media_type=_BYTES)


def entries(request: Request) -> Response:
    """GET /log/tile/entries/{path}: up to 256 entries, each hashed again before it leaves."""
    web = request.app.state.web
    wanted = tiles.parse_entries("tile/entries/" + request.path_params["path"])
    start, stop = _span(web.house.log.checkpoint(), wanted)
    rows = web.house.log.entries(start, stop)
    if len(rows) != wanted.width:
        raise Refused(
            "untrue",
            "The store lacks entries of this bundle. An administrator can look with: deploytrail fsck.",
        )
    for row in rows:
        if leaf_hash(row.body) != row.leaf:
            raise Refused(
                "untrue", f"The stored bytes of entry {row.index} are not those that were recorded."
            )
    visible = "public" if web.settings.public_log else "private"
    headers = {**_OPEN, "Cache-Control": f"{visible}, {_FOR_EVER}"}
    return Response(tiles.bundle(row.body for row in rows), headers=headers, media_type=_BYTES)


def _span(signed: Signed | None, wanted: tiles.Tile) -> tuple[int, int]:
    """The positions that a tile covers, if the published tree has all of them."""
    size = signed.size if signed else 0
    start = wanted.index * tiles.WIDTH
    stop = start + wanted.width
    if stop > size >> tiles.HEIGHT * max(wanted.level, 0):
        raise Refused("not-found", "The signed tree has no such tile.")
    return start, stop
