"""Signing in with the one-time administrator link, and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploytrail.errors import Refused
from deploytrail.web.guard import caller_of, cookie_name, turned_away
from deploytrail.web.render import page


def show(request: Request) -> Response:
    """GET /sign-in?link=TOKEN. Looking uses nothing up: mail scanners and previews look too."""
    return page(request, "sign-in.html", here=None, link=request.query_params.get("link", "")[:500])


def sign_in(request: Request) -> Response:
    """POST /sign-in: use the link, and begin a session."""
    web = request.app.state.web
    form = request.state.form
    name = form.get("name", "").strip()[:80] or None
    try:
        session, secret = web.house.administer.link_use(form.get("link", ""), name)
    except Refused as refusal:
        raise turned_away(request, refusal) from None
    answer = RedirectResponse("/", 303)
    seconds = max(0, (session.expires_at - web.house.clock.now()) // 1000)
    answer.set_cookie(
        cookie_name(web.settings),
        secret,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=web.settings.https,
    )
    return answer


def sign_out(request: Request) -> Response:
    """POST /sign-out: end the session here and in the house."""
    web = request.app.state.web
    web.house.administer.sign_out(caller_of(request).secret)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(
        cookie_name(web.settings), path="/", httponly=True, samesite="lax", secure=web.settings.https
    )
    return answer
