"""The built front end: one stylesheet and one script, named by their digests and kept in memory."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.errors import Refused

_MEDIA: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Asset(NamedTuple):
    """One file as it is served: its address, what browsers check it by, its bytes plain and packed."""

    url: str
    integrity: str
    media: str
    plain: bytes
    packed: bytes


def load() -> dict[str, Asset]:
    """The built files by logical name ("app.css", "app.js"). Refused("unavailable") if nobody built them."""
    folder = files("deploytrail.web") / "static"
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
        return {
            name: _asset(entry["file"], entry["integrity"], (folder / entry["file"]).read_bytes())
            for name, entry in manifest.items()
        }
    except (OSError, msgspec.DecodeError, KeyError):
        raise Refused(
            "unavailable",
            "The front end is not built. Start with ./dev, or build it with: python frontend/build.py",
        ) from None


def _asset(name: str, integrity: str, plain: bytes) -> Asset:
    media = _MEDIA["." + name.rpartition(".")[2]]
    return Asset(f"/static/{name}", integrity, media, plain, gzip.compress(plain, 9, mtime=0))


def asset(request: Request) -> Response:
    """GET /static/{name}: cached for ever, since another content has another name."""
    assets: dict[str, Asset] = request.app.state.web.assets
    found = next((a for a in assets.values() if a.url == request.url.path), None)
    if found is None:
        raise Refused("not-found", "No file of the front end has this name.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media)
    return Response(found.plain, headers=headers, media_type=found.media)
