"""What people read besides the trail: environments, the log, one entry, what needs attention.

Every page is whole without script; each asks `app` and renders one template. Endpoints here are plain
functions: the guard runs them on a thread, since asking and rendering block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploytrail.app.views import CellView, EnvironmentView, Filter, LogView, Mark
from deploytrail.errors import Refused
from deploytrail.web import numbers, words
from deploytrail.web.entry_view import envelope, told
from deploytrail.web.guard import caller_of
from deploytrail.web.render import THEMES, fragment, page
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
    """One service over all environments."""

    service: str
    bad: bool
    cells: list[tuple[str, MatrixCell | None]]


def environments(request: Request) -> Response:
    """GET /environments: what runs where."""
    found: list[EnvironmentView] = request.app.state.web.house.ask.environments()
    differences = request.query_params.get("show") == "differences"
    services = sorted({cell.service for each in found for cell in each.cells})
    lines = [_matrix_line(service, found) for service in services]
    return page(
        request,
        "environments.html",
        here="environments",
        environments=found,
        services=services,
        differences=differences,
        matrix=[line for line in lines if _differs(line)] if differences else lines,
    )


def _matrix_line(service: str, found: Iterable[EnvironmentView]) -> MatrixLine:
    cells = []
    for each in found:
        cell = next((cell for cell in each.cells if cell.service == service), None)
        cells.append((each.name, _matrix_cell(cell) if cell else None))
    return MatrixLine(service, any(cell and cell.mark == "failed" for _, cell in cells), cells)


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


def _log_state(view: LogView) -> tuple[str, Mark, str]:
    if view.signer == "refused":
        return "The log is not signed any more", "failed", "Refused"
    if view.checkpoint_size is None:
        return "The log is not signed yet", "waiting", "Not signed"
    if view.signer == "behind":
        return "The log is behind with signing", "waiting", "Behind"
    count = words.plural(view.checkpoint_size, "entry is", "entries are")
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
    opened = web.house.ask.opened(index)
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
