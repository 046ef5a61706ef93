"""Templates, compiled once, and the frame that every page stands in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from deploytrail.app.house import House
from deploytrail.app.views import LogView
from deploytrail.errors import Refused
from deploytrail.web import hostile, links, sentences, words
from deploytrail.web.guard import caller_of

THEMES: Final = ("light", "dark", "system")
# The state of the log at the foot of every page is at most this old, in milliseconds.
_FRESH: Final = 1000
_MANY: Final = 100
# What is recorded is signed within a second or two; after this long, in milliseconds, it is late.
_PATIENCE: Final = 10_000


class Pulse:
    """What every page says of the house: the state of its log, and how many deliveries need attention."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._at = -_FRESH
        self._log: LogView | None = None
        self._aside = 0
        self._counted = -1

    def read(self) -> tuple[LogView, int]:
        """The newest state, read again when it is older than a second. Blocking."""
        with self._lock:
            now = self._house.clock.now()
            if self._log is None or not 0 <= now - self._at < _FRESH:
                self._log = self._house.ask.log()
                self._count()
                self._at = now
            return self._log, self._aside

    def _count(self) -> None:
        """Count what is set aside, if there are entries since it was counted last."""
        size = self._house.ask.projected()
        if size != self._counted:
            self._aside = self._house.ask.set_aside(_MANY)
            self._counted = size


def log_state(log: LogView) -> str:
    """How the log stands: refused, unsigned, behind, signing (for a moment), or whole."""
    if log.signer == "refused":
        return "refused"
    if log.checkpoint_size is None:
        return "unsigned"
    late = log.signed_ms_ago is None or log.signed_ms_ago > _PATIENCE
    if log.signer != "signed" or (log.size > log.checkpoint_size and late):
        return "behind"
    return "signing" if log.size > log.checkpoint_size else "whole"


def environment() -> Environment:
    """The templates' environment: everything is escaped, and nothing undefined passes in silence."""
    made = Environment(
        loader=PackageLoader("deploytrail.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters.update(
        shown=hostile.shown, plain=hostile.plain, lines=hostile.lines,
        clock=words.clock, date=words.date, exact=words.exact, machine=words.machine,
        duration=words.duration, number=words.number, bytes=words.size,
        sha=words.sha, version=words.version, digest=words.digest, root=words.root,
        person=words.person, people=words.people, plural=words.plural,
        sentence=sentences.sentence, step=sentences.step,
        deployment_path=links.deployment, service_path=links.service, environment_path=links.environment,
        artifact_path=links.artifact, person_path=links.person, named=words.named,
        log_state=log_state,
    )  # fmt: skip
    made.globals.update(ago=words.ago, when=words.when, change_path=links.change)
    return made


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A whole page. Blocking. `here` is the place in the navigation that it belongs to."""
    web = request.app.state.web
    return HTMLResponse(
        web.templates.get_template(template).render(**_frame(request), **context),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
    )


def fragment(request: Request, template: str, **context: Any) -> HTMLResponse:
    """A piece of a page, made by the same templates. Blocking."""
    web = request.app.state.web
    return HTMLResponse(
        web.templates.get_template(template).render(now=web.house.clock.now(), **context),
        headers={"Cache-Control": "no-store"},
    )


def _frame(request: Request) -> dict[str, Any]:
    web = request.app.state.web
    caller = caller_of(request)
    theme = request.cookies.get("theme")
    log, aside = (None, 0)
    if caller.may("see"):
        try:
            log, aside = web.pulse.read()
        except Refused:
            log = None
    return {
        "assets": web.assets,
        "visitor": caller,
        "theme": theme if theme in THEMES else "system",
        "log": log,
        "aside": aside,
        "house": web.house,
        "now": web.house.clock.now(),
        "back": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
