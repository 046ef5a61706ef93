"""Refusals as answers, from `errors.CODES` alone: problem details (RFC 9457), or a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploytrail.errors import CODES, Meaning, Refused
from deploytrail.web.render import page

MEDIA: Final = "application/problem+json"
# Where a code is explained; a path, so that it leads to the house that refused.
TYPE: Final = "/api/docs#"
# Codes that only HTTP has.
ONLY_HTTP: Final[dict[str, Meaning]] = {
    "method": Meaning(
        405,
        2,
        "Not this way",
        "an address that is there, but is not answered in this way",
        "use one of the ways that `Allow` names",
    ),
    "broken": Meaning(
        500,
        1,
        "Something broke",
        "a fault of the house itself",
        "look at the diagnostics; nothing that was recorded is lost",
    ),
}
# Statuses that only HTTP has.
_BY_STATUS: Final = {400: "bad-input", 404: "not-found", 413: "too-large"}
_RETRY: Final = {"busy": "1", "unavailable": "5"}
_FOR_MACHINES: Final = ("/api/", "/hooks/", "/log/", "/static/")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457). `code` is a promise, `detail` for people; `line` in answers to NDJSON."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    line: int | None = None


def problem(refusal: Refused, line: int | None = None) -> Problem:
    """The problem details of a refusal."""
    return _problem(refusal.code, refusal.meaning, refusal.words, line)


def broken() -> Response:
    """The answer where something broke: nothing of what broke is told."""
    words = "The house could not answer. Nothing recorded was lost; the diagnostics say more."
    return _answer(_problem("broken", ONLY_HTTP["broken"], words))


def _problem(code: str, meaning: Meaning, words: str, line: int | None = None) -> Problem:
    return Problem(
        type=TYPE + code, title=meaning.title, status=meaning.http, code=code, detail=words, line=line
    )


def _answer(found: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(found), found.status, headers=headers, media_type=MEDIA)


def answer(request: Request, error: Exception) -> Response:
    """The answer to a refusal. Blocking, since the page for people has the house's own frame."""
    if not isinstance(error, Refused):
        return _of_http(request, error)
    headers = {}
    if error.code in _RETRY:
        headers["Retry-After"] = _RETRY[error.code] if error.after is None else str(max(1, error.after))
    if error.code == "unauthenticated":
        way = "Basic" if getattr(request.state, "basic", False) else "Bearer"
        headers["WWW-Authenticate"] = f'{way} realm="deploytrail"'
    if for_machines(request):
        return _answer(problem(error), headers)
    return page(request, "problem.html", status=error.meaning.http, headers=headers, refusal=error, here=None)


def for_machines(request: Request) -> bool:
    """Whether the answer goes to a program: by its address, or because it does not ask for HTML."""
    path = request.url.path
    return path.startswith(_FOR_MACHINES) or "text/html" not in request.headers.get("accept", "")


def _of_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        ways = allowed(request)
        words = f"{request.method[:20]} is not answered here; {', '.join(ways)} is."
        return _answer(_problem("method", ONLY_HTTP["method"], words), {"Allow": ", ".join(ways)})
    code = _BY_STATUS.get(status, "bad-input" if status < 500 else "unavailable")
    words = "Nothing lies at this address." if status == 404 else CODES[code].title + "."
    return answer(request, Refused(code, words))


def allowed(request: Request) -> list[str]:
    """The ways in which this address is answered, at all its doors together."""
    path = request.scope["path"]
    doors = (door for door in request.app.routes if isinstance(door, Route))
    return sorted({way for door in doors if door.path_regex.match(path) for way in door.methods or ()})
