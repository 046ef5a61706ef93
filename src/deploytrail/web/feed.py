"""The trail as an Atom feed (RFC 4287), filtered as the address says.

The same entries always give the same bytes, so that a reader who has them is told only that. Readers of feeds
keep what they fetched: an erasure does not reach them.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Final, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.views import TrailPage
from deploytrail.web import sentences, words
from deploytrail.web.trail import filter_of, happened, query_of

ENTRIES: Final = 50
MEDIA: Final = "application/atom+xml; charset=utf-8"
# First strong isolate and its end: what `bdi` does, in plain text.
_ISOLATE: Final = (("<bdi>", "\u2068"), ("</bdi>", "\u2069"))


class Item(NamedTuple):
    """One entry of the feed; `id` is stable for ever."""

    id: str
    entry: int
    text: str
    kind: str
    updated: str
    published: str


def show(request: Request) -> Response:
    """GET /trail.atom with the filters of the trail: its newest lines."""
    web = request.app.state.web
    wanted = filter_of(request)
    found: TrailPage = web.house.ask.trail(wanted, below=None, above=-1, limit=ENTRIES)
    origin, query = web.house.origin, query_of(wanted)
    body = (
        web.templates.get_template("trail.atom")
        .render(
            id=_urn(f"{origin}/trail?{query}"),
            base=web.settings.public_url.rstrip("/"),
            query=query,
            origin=origin,
            updated=words.machine(found.rows[0].received_at if found.rows else 0),
            items=[
                Item(
                    id=_urn(f"{origin}/entries/{row.index}"),
                    entry=row.index,
                    text=plain(sentences.sentence(row)),
                    kind=row.kind,
                    updated=words.machine(row.received_at),
                    published=words.machine(happened(row)),
                )
                for row in found.rows
            ],
        )
        .encode("utf-8", "replace")
    )
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if _known(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=MEDIA)


def plain(sentence: Markup) -> str:
    """A sentence as plain text; what is from outside stays isolated, and cannot turn its neighbours."""
    for markup, sign in _ISOLATE:
        sentence = sentence.replace(markup, sign)
    return sentence.striptags()


def _urn(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


def _known(told: str, tag: str) -> bool:
    """Whether a reader has this answer already (RFC 9110, 13.1.2)."""
    tags = [one.strip().removeprefix("W/") for one in told.split(",")]
    return "*" in tags or tag in tags
