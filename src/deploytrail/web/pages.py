"""What people read besides the trail: environments, the log, one entry, what needs attention.

Every page is whole without script; each asks `app` and renders one template. Endpoints here are plain
functions: the guard runs them on a thread, since asking and rendering block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploytrail.app.views import CellView, EnvironmentView, Filter, LogView, Mark
from deploytrail.errors import Refused
from deploytrail.web import numbers, words
from deploytrail.web.entry_view import Opened, envelope, told
from deploytrail.web.guard import caller_of
from deploytrail.web.render import THEMES, fragment, log_state, page
from deploytrail.web.trail import happened

PAGE: Final = 50


# Environments.


class MatrixCell(NamedTuple):
    """What one service runs in one environment, as the table shows it."""

    label: str
    mark: Mark
    word: str
    deployment: str | None
    actor: Any
    since: int | None


class MatrixLine(NamedTuple):
    """One service over all environments. `gone`: it was removed wherever it was."""

    service: str
    bad: bool
    gone: bool
    cells: list[tuple[str, MatrixCell | None]]


class MatrixChip(NamedTuple):
    """One choice of what the table shows."""

    name: str
    href: str
    current: bool


# So many services stand in one table; more are a page further.
LINES: Final = 100
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", re.ASCII)
_SHOWS: Final = ("running", "differences", "removed")


def environments(request: Request) -> Response:
    """GET /environments?show=differences&find=TEXT&after=SERVICE: what runs where."""
    found: list[EnvironmentView] = request.app.state.web.house.ask.environments()
    wanted = request.query_params.get("show")
    shows = wanted if wanted in _SHOWS else _SHOWS[0]
    find = request.query_params.get("find", "").strip()[:80]
    after = request.query_params.get("after", "")
    every = _matrix(found)
    named = [line for line in every if find.lower() in line.service.lower()]
    chosen = {show: [line for line in named if _belongs(line, show)] for show in _SHOWS}
    rest = [line for line in chosen[shows] if line.service > after]
    more = len(rest) > LINES
    return page(
        request,
        "environments.html",
        here="environments",
        environments=found,
        services=len(every),
        find=find,
        show=shows,
        chips=_matrix_chips(chosen, shows, find),
        matrix=rest[:LINES],
        first_url=_matrix_url(shows, find) if after else None,
        more_url=_matrix_url(shows, find, rest[LINES - 1].service) if more else None,
        example=_undeclared(found),
    )


def _undeclared(found: Iterable[EnvironmentView]) -> str | None:
    """An environment without a class, for a command that people copy: only a name that no shell reads."""
    names = [each.name for each in found if each.type is None]
    plain = next((name for name in names if _PLAIN.fullmatch(name)), "NAME")
    return plain if names else None


def _belongs(line: MatrixLine, show: str) -> bool:
    """Whether a line is among what is shown. What failed is shown in any case but among what is gone."""
    if show == "removed":
        return line.gone
    return not line.gone and (show == "running" or _differs(line))


def _matrix_chips(chosen: dict[str, list[MatrixLine]], shows: str, find: str) -> list[MatrixChip]:
    names = {
        "running": f"All {words.number(len(chosen['running']))}",
        "differences": "Differences only",
        "removed": f"Removed {words.number(len(chosen['removed']))}",
    }
    return [
        MatrixChip(names[show], _matrix_url(show, find), show == shows)
        for show in _SHOWS
        if show == shows or chosen[show]
    ]


def _matrix_url(show: str, find: str, after: str = "") -> str:
    given = {"show": show if show != _SHOWS[0] else "", "find": find, "after": after}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/environments?{query}" if query else "/environments"


def _matrix(found: Iterable[EnvironmentView]) -> list[MatrixLine]:
    """One line for each service, by name."""
    cells = {each.name: {cell.service: cell for cell in each.cells} for each in found}
    services = sorted({service for there in cells.values() for service in there})
    return [_matrix_line(service, cells) for service in services]


def _matrix_line(service: str, cells: dict[str, dict[str, CellView]]) -> MatrixLine:
    here = [
        (name, _matrix_cell(there[service]) if service in there else None) for name, there in cells.items()
    ]
    bad = any(cell and cell.mark == "failed" for _, cell in here)
    gone = not any(cell and (cell.deployment or cell.label) for _, cell in here)
    return MatrixLine(service, bad, gone, here)


def _matrix_cell(cell: CellView) -> MatrixCell:
    label = words.version(cell.version) if cell.version else ""
    if not label and cell.artifact:
        label = words.digest(cell.artifact)
    if not label and cell.deployment:
        label = "version unknown"
    return MatrixCell(label, cell.mark, cell.word, cell.deployment, cell.actor, cell.since)


def _differs(line: MatrixLine) -> bool:
    labels = {cell.label for _, cell in line.cells if cell}
    return line.bad or len(labels) > 1


# The log, one entry, and what needs attention.


def log(request: Request) -> Response:
    """GET /log: size, root, checkpoint, and how to verify."""
    web = request.app.state.web
    view: LogView = web.house.ask.log()
    headline, mark, word = _log_state(view)
    return page(
        request,
        "log.html",
        here="log",
        view=view,
        headline=headline,
        signed_state=Markup('<span class="state pill" data-s="{}">{}</span>').format(mark, word),
        public_url=web.settings.public_url.rstrip("/"),
        public_log=web.settings.public_log,
        open_entries=web.settings.public_log or caller_of(request).may("read-entries"),
    )


_LOG_STATES: Final[dict[str, tuple[str, Mark, str]]] = {
    "refused": ("The log is not signed any more", "failed", "Refused"),
    "unsigned": ("The log is not signed yet", "waiting", "Not signed"),
    "behind": ("The log is behind with signing", "waiting", "Behind"),
}


def _log_state(view: LogView) -> tuple[str, Mark, str]:
    how = log_state(view)
    if how in _LOG_STATES:
        return _LOG_STATES[how]
    count = words.plural(view.checkpoint_size or 0, "entry is", "entries are")
    return f"The log is whole: {count} signed", "succeeded", "Signed"


def entry(request: Request) -> Response:
    """GET /entries/{index}: one entry, what was sealed in it, its bytes, and its proof."""
    web = request.app.state.web
    index = numbers.index(request.path_params["index"], "index")
    found = web.house.ask.entry(index)
    if found is None:
        raise Refused("not-found", f"The log has no entry {words.number(index)} yet.")
    body: bytes
    fact, leaf, body = found
    rows = web.house.ask.trail(Filter(), below=index + 1, above=index - 1, limit=1).rows
    row = rows[0] if rows else None
    named = [*row.people.values(), *([row.actor] if row.actor else [])] if row else []
    opened = Opened(web.house.ask.opened(index), {who.id: who for who in named})
    view: LogView = web.house.ask.log()
    in_checkpoint = view.checkpoint_size is not None and index < view.checkpoint_size
    readable = web.settings.public_log or caller_of(request).may("read-entries")
    return page(
        request,
        "entry.html",
        here="trail",
        index=index,
        entry=fact,
        row=row,
        at=happened(row) if row else None,
        told=told(fact, opened),
        envelope=envelope(fact, opened),
        pretty=json.dumps(json.loads(body), indent=2, ensure_ascii=False) if readable else None,
        size=len(body),
        leaf=numbers.base64(leaf),
        proof="signed" if in_checkpoint else "recorded",
        checkpoint_size=view.checkpoint_size if in_checkpoint else None,
        checkpoint_root=view.checkpoint_root if in_checkpoint else None,
    )


def attention(request: Request) -> Response:
    """GET /attention: what was set aside."""
    house = request.app.state.web.house
    below = numbers.maybe(request.query_params.get("below"))
    rows = house.ask.attention(below=below, limit=PAGE)
    older = f"/attention?below={rows[-1].index}" if len(rows) == PAGE else None
    return page(
        request,
        "attention.html",
        here="attention",
        rows=rows,
        older_url=older,
        refused=house.ask.log().refused_deliveries,
    )


# Small things.


def theme(request: Request) -> Response:
    """POST /theme: light, dark, or as the system says; kept in a cookie of its own."""
    form = request.state.form
    wanted = form.get("theme")
    answer = RedirectResponse(own_path(form.get("back")), 303)
    if wanted in THEMES:
        answer.set_cookie(
            "theme",
            wanted,
            max_age=365 * 24 * 3600,
            httponly=False,
            samesite="lax",
            secure=request.app.state.web.settings.https,
        )
    return answer


def pulse(request: Request) -> Response:
    """GET /pulse: the state of the log for the foot of the page."""
    web = request.app.state.web
    return fragment(request, "pulse.html", log=web.pulse.read()[0])


def own_path(given: object) -> str:
    """`given` if it is a path on this house, else the trail: nobody is sent elsewhere."""
    if (
        isinstance(given, str)
        and given.startswith("/")
        and given[1:2] not in ("/", "\\")
        and given.isprintable()
    ):
        return given
    return "/"
