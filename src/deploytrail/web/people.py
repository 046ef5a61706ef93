"""The list of people, and the page of one: what they did, and what is kept about them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.views import KeptView, PersonView
from deploytrail.errors import Refused
from deploytrail.web import links, numbers
from deploytrail.web.guard import caller_of
from deploytrail.web.render import page
from deploytrail.web.trail import by_day

LIST: Final = 50
# What the ends of sealed paths are called; whatever else is sealed for a person is "other texts".
_SORTS: Final = {
    "name": "name",
    "login": "login",
    "email": "email address",
    "title": "title",
    "url": "address of a page",
    "log_url": "address of a page",
    "description": "description",
    "comment": "comment",
    "summary": "text of a check",
    "text": "text of a check",
    "ref": "name of a branch",
    "base": "name of a branch",
    "labels": "labels",
    "free": "free data",
    "unknown": "unknown fields",
}


def every(request: Request) -> Response:
    """GET /people?cursor=CURSOR: people, the newest known first. Nobody is counted or ranked."""
    cursor = request.query_params.get("cursor")
    found = request.app.state.web.house.ask.lists.people(None, cursor, LIST)
    return page(
        request,
        "people.html",
        here="people",
        people=found.people,
        first_url="/people" if cursor else None,
        older_url=f"/people?{urlencode({'cursor': found.next})}" if found.next else None,
    )


def show(request: Request) -> Response:
    """GET /people/{subject}?below=INDEX&kept=INDEX: what a person did, and what is kept about them."""
    web = request.app.state.web
    subject = request.path_params["subject"]
    below = numbers.maybe(request.query_params.get("below"))
    kept = numbers.maybe(request.query_params.get("kept"))
    found: PersonView | None = web.house.ask.person(subject[:200], below, kept)
    if found is None:
        raise Refused("not-found", "Nobody has told of a person with this id.")
    session = caller_of(request).session
    return page(
        request,
        "person.html",
        here="people",
        p=found,
        own=session is not None and session.subject == found.who.id,
        title=title(found),
        groups=by_day(found.trail, web.house.clock.now()),
        kept=[(row, sorts(row)) for row in found.kept],
        bodies=any(row.body_until is not None for row in found.kept),
        newest_url=links.person(subject) if below is not None or kept is not None else None,
        older_url=f"{links.person(subject)}?below={found.older}" if found.older is not None else None,
        kept_url=f"{links.person(subject)}?kept={found.kept_older}#kept"
        if found.kept_older is not None
        else None,
    )


def title(view: PersonView) -> str:
    """What the page of a person is called."""
    if view.who.erased:
        return "An erased person"
    return view.who.name or view.who.login or f"Person {view.who.id[:10]}"


def sorts(row: KeptView) -> str:
    """In words, what an entry keeps of a person."""
    return ", ".join(dict.fromkeys(_sort(path) for path in row.paths)) or "nothing that can be opened"


def _sort(path: str) -> str:
    return _SORTS.get(path.rpartition(".")[2], "other text")
