"""Who is asking, may they, and what every answer carries.

Every route is a `Door` and names one action of `app/access.ACTIONS`; one that does not cannot be built.
People come with a session cookie, machines with `Authorization: Bearer`. An unsafe request with a cookie
must come from our own pages.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Sequence
from functools import lru_cache, partial
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploytrail.app.access import ACTIONS, Grant, Session, may
from deploytrail.app.house import House
from deploytrail.app.limits import Limits, address_of, told_apart
from deploytrail.errors import Refused
from deploytrail.web import body, described, numbers
from deploytrail.web.body import Share
from deploytrail.web.settings import WebSettings

diagnostics = logging.getLogger("deploytrail.web")

NOBODY: Final = "anyone"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_FORM: Final = 64 * 1024
# Seconds after which a sender who asks to wait hears how far the house has come.
PATIENCE: Final = 10.0
# Seconds after which the page that follows a form comes even if it cannot show yet what the form did.
_GLANCE: Final = 3.0
# What answers from the search index, which follows the log from a cursor of its own.
_SEARCHING: Final = frozenset({"/search", "/api/v1/search"})
# Seconds between two looks at that cursor, for those who wait.
_LOOK: Final = 0.05

# Nothing from elsewhere, nothing inline, no frame around us. Images there are none.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# As they are sent, the names as every answer spells them.
_HEADERS: Final = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_INDEX: Final = b"deploytrail-index"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person with a session, a machine with a grant, or nobody."""

    role: str = NOBODY
    name: str | None = None
    session: Session | None = None
    grant: Grant | None = None
    secret: str = ""

    @property
    def by(self) -> Session | Grant | None:
        """Whose doing it is, for facts about what was done."""
        return self.session or self.grant

    @property
    def known(self) -> bool:
        """Whether somebody is signed in, or something has a token."""
        return self.session is not None or self.grant is not None

    def may(self, action: str) -> bool:
        """Whether the caller's role may do `action`."""
        return may(self.role, action)


class Door(Route):
    """A route with the one action it needs. `form`: a page's own form, which must come from our pages;
    `basic`: a token may come as the password of HTTP Basic, for readers of feeds, which know nothing else.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Any],
        *,
        action: str,
        methods: Sequence[str] = ("GET",),
        form: bool = False,
        basic: bool = False,
    ) -> None:
        if basic and not _SAFE.issuperset(methods):
            # A browser sends such a password by itself, as it does a cookie.
            raise ValueError(f"{path} changes something, so no password of HTTP Basic may open it")
        if action not in ACTIONS:
            raise ValueError(f"{path} names the action {action}, which is not in the table of actions")
        enter = _guarded(endpoint, action, form, basic)
        super().__init__(path, enter, methods=list(methods), name=endpoint.__name__)
        self.app = _answering(enter)
        self.action = action
        self.answers = endpoint


def route(
    path: str,
    endpoint: Callable[[Request], Any],
    *,
    action: str,
    methods: Sequence[str] = ("GET",),
    form: bool = False,
    basic: bool = False,
) -> Door:
    """A door at `path` for those who may do `action`."""
    return Door(path, endpoint, action=action, methods=methods, form=form, basic=basic)


def declared(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """`routes`, if every one of them is a `Door`."""
    for found in routes:
        if not isinstance(found, Door):
            raise ValueError(f"{getattr(found, 'path', found)} does not say which action it needs")
    return list(routes)


def caller_of(request: HTTPConnection) -> Caller:
    """Who asks, once the guard has let them in."""
    found = getattr(request.state, "caller", None)
    return found if isinstance(found, Caller) else Caller()


def cookie_name(settings: WebSettings) -> str:
    """The session cookie's name; over https its prefix binds it to this very host."""
    return "__Host-deploytrail" if settings.https else "deploytrail"


def identify(house: House, settings: WebSettings, request: HTTPConnection, basic: bool = False) -> Caller:
    """Who asks, by token or cookie. Blocking. Whoever shows something that is not valid is nobody."""
    bearer = _token(request.headers, basic)
    if bearer is not None:
        grant = house.administer.token(bearer)
        return _machine(grant, bearer) if grant else Caller()
    cookie = request.cookies.get(cookie_name(settings))
    if cookie:
        session = house.administer.session(cookie)
        if session:
            return Caller(role=session.role, name=session.name, session=session, secret=cookie)
    return Caller()


def _at_hand(house: House, request: HTTPConnection) -> Caller:
    """Who asks, if it is a token that was looked up a moment ago: a machine that tells much."""
    bearer = _bearer(request.headers)
    grant = house.administer.token_at_hand(bearer) if bearer is not None else None
    return _machine(grant, bearer) if grant and bearer else Caller()


def _machine(grant: Grant, bearer: str) -> Caller:
    return Caller(role=grant.role, name=grant.name, grant=grant, secret=bearer)


def host(request: HTTPConnection) -> str:
    """The client's address, as the server or a trusted proxy says it; empty if nobody does."""
    return request.client.host if request.client else ""


def of_address(request: HTTPConnection) -> list[Share]:
    """What whoever sends from this address may have on its way in, where one can be told from the next."""
    if not told_apart(host(request)):
        return []
    found: Share = request.app.state.web.share("address", address_of(host(request)))
    return [found]


def turned_away(request: HTTPConnection, refusal: Refused) -> Refused:
    """What a stranger hears who may not enter: `refusal`, or to come later after too many attempts."""
    if refusal.code not in ("unauthenticated", "not-found"):
        return refusal
    limits: Limits = request.app.state.web.house.limits
    return limits.failed(address_of(host(request)), refusal)


async def demand_space(house: House) -> None:
    """Refused("unavailable") or ("busy") if nothing from outside is taken now: before a body is read."""
    # Known for a second, so that few requests wait for a thread.
    capacity = house.capacity
    full = capacity.full() if capacity.fresh else await run_in_threadpool(capacity.full)
    if full is not None:
        raise Refused(full.code, full.words, after=full.after)


def teller(caller: Caller) -> tuple[Literal["token", "person"], str]:
    """Whose limits count for a caller who is known: two tokens of one name are one."""
    if caller.grant is not None:
        return "token", caller.grant.name
    return "person", caller.session.subject if caller.session else ""


def _bearer(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _token(headers: Headers, basic: bool) -> str | None:
    """The token that is shown; with `basic` also as a password, whoever the user is said to be."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if not basic or scheme.lower() != "basic":
        return _bearer(headers)
    try:
        return b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _answering(enter: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """A door as the frame opens it, which answers whatever it raises."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await enter(Request(scope, receive, send))
        await response(scope, receive, send)

    return answer


def _guarded(
    endpoint: Callable[[Request], Any], action: str, form: bool, basic: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    about, waits = described.description(endpoint), inspect.iscoroutinefunction(endpoint)

    async def enter(request: Request) -> Response:
        web = request.app.state.web
        caller = Caller()
        if "authorization" in request.headers or "cookie" in request.headers:
            caller = _at_hand(web.house, request)
            if not caller.known:
                caller = await run_in_threadpool(identify, web.house, web.settings, request, basic)
        request.state.caller = caller
        # A token is never sent by a browser by itself, a cookie is.
        if request.method not in _SAFE and caller.grant is None and (form or caller.session is not None):
            _demand_own_page(request, web.settings)
        if not caller.may(action):
            refusal = _turned_away(caller)
            shown = not caller.known and _token(request.headers, basic) is not None
            request.state.basic = basic
            raise turned_away(request, refusal) if shown else refusal
        # Telling has limits of its own, by the fact.
        if caller.known and action not in ("open", "tell"):
            sort, sender = teller(caller)
            web.house.limits.demand("requests" if sort == "token" else "pages", sender, 1)
        path = request.scope["path"]
        if request.method in _SAFE and (path.startswith("/api/") or path in _SEARCHING):
            web.known = request.state.known = await _as_of(request, web.house)
        if about is not None and not about.lenient:
            request.state.asked = described.asked(request.query_params, about)
        if form:
            request.state.form = await _fields(request)
        if waits:
            answer: Response = await endpoint(request)
        else:
            answer = await run_in_threadpool(endpoint, request)
        if form:
            # The page that the browser asks for next shows what this form did.
            head = await run_in_threadpool(web.house.log.head)
            await projected(web.house, head.size - 1, _GLANCE)
        return answer

    return enter


async def _as_of(request: Request, house: House) -> int:
    """The newest entry that an answer can know of; with ?at_least=INDEX, once it is at least that one."""
    asked = request.query_params.get("at_least")
    least = -1 if asked is None else numbers.index(asked, "at_least")
    reached = searched if request.scope["path"] in _SEARCHING else projected
    newest = await reached(house, least, 0.0)
    if newest >= least:
        return newest
    head = await run_in_threadpool(house.log.head)
    if least >= head.size:
        raise Refused("not-found", f"The log has no entry {least} yet; its newest is {head.size - 1}.")
    newest = await reached(house, least, PATIENCE)
    if newest < least:
        raise Refused(
            "unavailable",
            f"Entry {least} is recorded, but answers do not know it yet; the newest they know is {newest}. "
            "Ask again in a moment.",
        )
    return newest


async def projected(house: House, index: int, patience: float) -> int:
    """The newest entry that pages and answers know of: once it is at least `index`, or after `patience` s."""
    size = await run_in_threadpool(house.ask.projected)
    if size <= index:
        size = await house.watch.wait(index, patience)
    return size - 1


async def searched(house: House, index: int, patience: float) -> int:
    """As `projected`, of what search knows too: a search finds by its own index and shows what pages know."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    newest = await projected(house, index, patience)
    while (size := await run_in_threadpool(house.ask.searched)) <= index and loop.time() < deadline:
        await asyncio.sleep(_LOOK)
    return min(newest, size - 1)


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a page's own form, the last of each name."""
    raw = await body.read(request, _FORM, "A form", request.app.state.web.room, of_address(request))
    try:
        return dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise Refused("bad-input", "The form could not be read. Go back and try again.") from None


def _turned_away(caller: Caller) -> Refused:
    if not caller.known:
        return Refused(
            "unauthenticated",
            "Nobody is signed in. Get a link on the machine itself with: deploytrail admin link.",
        )
    return Refused(
        "forbidden",
        f"The role {caller.role} may not do this. An administrator can, or can give you another role.",
    )


def _demand_own_page(request: Request, settings: WebSettings) -> None:
    """Refused("forbidden") unless the browser says that one of our pages sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        own = site == "same-origin"
    else:
        scheme = "https" if settings.https else request.url.scheme
        own = request.headers.get("origin") == f"{scheme}://{request.headers.get('host')}"
    if not own:
        raise Refused(
            "forbidden", "This was sent from another site's page, so nothing was done. Do it on our own page."
        )


class Hall:
    """Every door, found by its address: one whose path has no names in it at once, any other by trying them
    in their order.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        doors = [door for door in router.routes if isinstance(door, Door)]
        plain = [door for door in doors if not door.param_convertors]
        asked = [(method, door.path) for door in plain for method in door.methods or ()]
        # What the order of the doors gives, so that both ways lead to the same one.
        first = {one: next(door for door in doors if _matches(door, *one)) for one in asked}
        self._plain = {one: door for one, door in first.items() if door in plain}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the door of a request."""
        door = self._plain.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if door is None:
            await self._router(scope, receive, send)
            return
        scope.update(route=door, endpoint=door.endpoint, path_params={})
        await door.app(scope, receive, send)


def _matches(door: Door, method: str, path: str) -> bool:
    return door.matches({"type": "http", "method": method, "path": path})[0] is Match.FULL


class Frame:
    """Around every answer: the Host header is checked, headers are added, what is refused is said, and
    nothing breaks in silence. `refused` answers a refusal; it may block.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: WebSettings,
        answers: Counter[tuple[str, str, int]],
        refused: Callable[[Request, Exception], Response],
        broken: Callable[[], Response],
    ) -> None:
        self._app, self._answers, self._refused, self._broken = app, answers, refused, broken
        # Hosts that are asked for are few, and the same again and again.
        self._ours = lru_cache(64)(partial(_ours, settings.allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = _Sent(scope, send)
        if refused := self._misdirected(scope):
            await refused(scope, receive, sent)
        else:
            await self._answer(scope, receive, sent)
        door = scope.get("route")
        pattern = door.path if isinstance(door, Route) else "(none)"
        self._answers[(scope["method"], pattern, sent.status)] += 1

    async def _answer(self, scope: Scope, receive: Receive, sent: _Sent) -> None:
        try:
            try:
                await self._app(scope, receive, sent)
            except (Refused, HTTPException) as refusal:
                if sent.status:
                    raise
                response = await run_in_threadpool(self._refused, Request(scope, receive), refusal)
                await response(scope, receive, sent)
        except ClientDisconnect:
            # Whoever hangs up in the middle needs no answer, and is no fault of ours.
            return
        except Exception:
            diagnostics.exception("%s %s broke", scope["method"], scope["path"])
            if sent.status:
                raise
            await self._broken()(scope, receive, sent)

    def _misdirected(self, scope: Scope) -> Response | None:
        """An answer for a request that names another host: another site's page may be behind it."""
        host = Headers(scope=scope).get("host", "")
        if self._ours(host):
            return None
        if not _readable(host):
            return PlainTextResponse("The Host header is missing or cannot be read.\n", 400)
        return PlainTextResponse("This house does not answer to that Host header.\n", 421)


def _readable(host: str) -> bool:
    return bool(host) and host == host.strip() and not any(sign in host for sign in "/\\@ ")


def _ours(allowed: Container[str], host: str) -> bool:
    """Whether a Host header names us."""
    if not _readable(host):
        return False
    return host.lower() in allowed or bool(urlsplit(f"//{host}").netloc and _name_of(host) in allowed)


def _name_of(host: str) -> str:
    """The name without the port: [::1]:8420 is [::1]."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


class _Sent:
    """Sends on, and adds our headers to the start of the answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            there = {name for name, _ in message["headers"]}
            headers = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in there)]
            message["headers"] = headers
            if _INDEX not in there and self._scope["path"].startswith("/api/"):
                # What this answer knows; another may have learnt more meanwhile.
                known = self._scope.get("state", {}).get("known", self._scope["app"].state.web.known)
                headers.append((_INDEX, b"%d" % known))
        await self._send(message)
