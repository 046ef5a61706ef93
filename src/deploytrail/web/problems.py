"""Refusals as answers, from `errors.CODES` alone: problem details (RFC 9457), or a page for people."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.errors import CODES, Refused
from deploytrail.web.render import page

MEDIA: Final = "application/problem+json"
# Statuses that only HTTP has.
_BY_STATUS: Final = {400: "bad-input", 404: "not-found", 413: "too-large"}
_RETRY: Final = {"busy": "1", "unavailable": "5"}
_FOR_MACHINES: Final = ("/api/", "/hooks/", "/log/", "/static/")


def problem(refusal: Refused, **more: Any) -> dict[str, Any]:
    """The problem details of a refusal."""
    meaning = refusal.meaning
    return {
        "type": f"urn:deploytrail:problem:{refusal.code}",
        "title": meaning.title,
        "status": meaning.http,
        "code": refusal.code,
        "detail": refusal.words,
        **more,
    }


def answer(request: Request, error: Exception) -> Response:
    """The answer to a refusal. Blocking, since the page for people has the house's own frame."""
    if not isinstance(error, Refused):
        return _of_http(request, error)
    headers = {}
    if error.code in _RETRY:
        headers["Retry-After"] = _RETRY[error.code] if error.after is None else str(max(1, error.after))
    if error.code == "unauthenticated":
        headers["WWW-Authenticate"] = 'Bearer realm="deploytrail"'
    if for_machines(request):
        return Response(
            msgspec.json.encode(problem(error)), error.meaning.http, headers=headers, media_type=MEDIA
        )
    return page(request, "problem.html", status=error.meaning.http, headers=headers, refusal=error, here=None)


def for_machines(request: Request) -> bool:
    """Whether the answer goes to a program: by its address, or because it does not ask for HTML."""
    path = request.url.path
    return path.startswith(_FOR_MACHINES) or "text/html" not in request.headers.get("accept", "")


def _of_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        given = error.headers if isinstance(error, HTTPException) else None
        body = {
            "type": "urn:deploytrail:problem:method",
            "title": "Not this way",
            "status": 405,
            "code": "method",
            "detail": f"{request.method} is not answered here.",
        }
        return Response(msgspec.json.encode(body), 405, headers=given, media_type=MEDIA)
    code = _BY_STATUS.get(status, "bad-input" if status < 500 else "unavailable")
    words = "Nothing lies at this address." if status == 404 else CODES[code].title + "."
    return answer(request, Refused(code, words))
