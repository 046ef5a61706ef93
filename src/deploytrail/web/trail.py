"""The trail: what happened, newest first, filtered as the address says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploytrail.app.access import Session
from deploytrail.app.saved import SavedFilter
from deploytrail.app.views import Filter, TrailPage, TrailRow
from deploytrail.errors import Refused
from deploytrail.facts.kinds import from_outside
from deploytrail.web import numbers, words
from deploytrail.web.guard import caller_of
from deploytrail.web.hostile import shown
from deploytrail.web.render import fragment, page
from deploytrail.web.sentences import ended

PAGE: Final = 50
# New entries are fetched at most this many at a time; beyond it the page is loaded again.
NEW: Final = 200
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
OUTCOMES: Final = ("succeeded", "failed", "cancelled")
_FILTERS: Final = ("service", "environment", "actor", "kind", "outcome")
_NAMES: Final = {"actor": "Actor", "kind": "What"}
# What somebody does: where nobody is named, the line says so. A test or a check has no actor to miss.
_ACTS: Final = ("commit.", "ref.", "release.", "change.", "deployment.", "control.", "service.removed")


class Line(NamedTuple):
    """One line of the trail: when, as its day's group shows it, and what stands below the sentence."""

    row: TrailRow
    at: int
    clock: str
    attributed: bool
    under: list[Markup]


class Group(NamedTuple):
    """The lines of one day under its head."""

    key: str
    head: str
    lines: list[Line]


class Chip(NamedTuple):
    """A filter in force, and the address without it."""

    name: str
    value: str
    href: str


class View(NamedTuple):
    """A saved filter: its address, whether it is what is shown, and whether the reader may remove it."""

    name: str
    href: str
    current: bool
    removable: bool


def show(request: Request) -> Response:
    """GET /: the trail, newest first, filtered as the address says."""
    house = request.app.state.web.house
    wanted = filter_of(request)
    below = numbers.maybe(request.query_params.get("below"))
    found: TrailPage = house.ask.trail(wanted, below=below, above=None, limit=PAGE)
    now = house.clock.now()
    query = query_of(wanted)
    return page(
        request,
        "trail.html",
        here="trail",
        page=found,
        groups=by_day(found.rows, now),
        filter=wanted,
        options=_options(found, wanted),
        chips=_chips(found, wanted),
        views=_views(request, house.saved.every(), wanted),
        savable=bool(query) and caller_of(request).session is not None,
        query=query,
        below=below,
        here_url=f"/?{query}" if query else "/",
        newest_url=f"/?{query}" if query else "/",
        older_url=_older(query, found.older),
        young=_young(found, wanted, below),
        public_url=request.app.state.web.settings.public_url.rstrip("/"),
        local=urlsplit(request.app.state.web.settings.public_url).hostname in _LOCAL,
    )


def new_rows(request: Request) -> Response:
    """GET /trail/rows?above=INDEX: what came after, as the trail shows it."""
    house = request.app.state.web.house
    above = numbers.index(request.query_params.get("above"), "above")
    found: TrailPage = house.ask.trail(filter_of(request), below=None, above=above, limit=NEW)
    return fragment(request, "rows.html", groups=by_day(found.rows, house.clock.now()), up_to=found.up_to)


def save(request: Request) -> Response:
    """POST /trail/saved: keep a filter under a name, for everybody who may see."""
    form: dict[str, str] = request.state.form
    wanted = _filter(form)
    request.app.state.web.house.saved.save(_person(request), form.get("name", ""), wanted)
    return RedirectResponse(_address(query_of(wanted)), 303)


def remove(request: Request) -> Response:
    """POST /trail/saved/remove: forget a saved filter."""
    form: dict[str, str] = request.state.form
    request.app.state.web.house.saved.remove(_person(request), form.get("name", "")[:100])
    return RedirectResponse(_address(query_of(_filter(form))), 303)


def _person(request: Request) -> Session:
    session = caller_of(request).session
    if session is None:
        raise Refused("unauthenticated", "Filters are saved by people who are signed in; a token saves none.")
    return session


def _views(request: Request, saved: Sequence[SavedFilter], wanted: Filter) -> list[View]:
    session = caller_of(request).session
    return [
        View(
            one.name,
            _address(query_of(one.filter)),
            one.filter == wanted,
            session is not None and (session.subject == one.by or session.role == "administrator"),
        )
        for one in saved
    ]


def _address(query: str) -> str:
    return f"/?{query}" if query else "/"


def filter_of(request: Request) -> Filter:
    """The filter that an address asks for; the same for the trail and the live feed."""
    return _filter(request.query_params)


def _filter(asked: Mapping[str, str]) -> Filter:
    given = {name: asked.get(name) or None for name in _FILTERS}
    return Filter(**{name: value[:500] for name, value in given.items() if value})


def by_day(rows: Sequence[TrailRow], now: int) -> list[Group]:
    """Rows under the heads of the days on which they happened, in the order of the log.

    A row that was told late stands between rows of another day: it keeps its place, and shows its date
    instead of the time.
    """
    groups: list[Group] = []
    days = [words.date(happened(row)) for row in rows]
    for place, row in enumerate(rows):
        stray = (
            bool(groups) and days[place] != groups[-1].key and groups[-1].key in days[place + 1 : place + 6]
        )
        if not groups or (days[place] != groups[-1].key and not stray):
            groups.append(Group(days[place], words.day(happened(row), now), []))
        groups[-1].lines.append(_line(row, now if stray else None))
    return groups


def happened(row: TrailRow) -> int:
    """When it happened as far as anybody says, in UTC milliseconds: the source's claim, else our receipt."""
    return row.occurred_at if row.occurred_at is not None else row.received_at


def _line(row: TrailRow, now: int | None) -> Line:
    """A line with its time of day, or with its date when `now` is given."""
    at = happened(row)
    attributed = row.actor is not None or (
        row.attribution == "unknown" and row.kind.startswith((*_ACTS, "environment.changed"))
    )
    return Line(
        row, at, words.clock(at) if now is None else words.short_date(at, now), attributed, _under(row, at)
    )


def _took_its_place(row: TrailRow) -> bool:
    """Whether it ended well in the stead of something else; of a rollback the sentence says so itself."""
    good = ended(str(row.fields.get("outcome"))) == "good"
    return row.kind == "deployment.finished" and good and row.fields.get("type") != "rollback"


def _under(row: TrailRow, at: int) -> list[Markup]:
    """What stands below the sentence: at most four small facts, each complete by itself."""
    found: list[Markup] = []
    fields = row.fields
    sha = fields.get("sha")
    if isinstance(sha, str) and row.kind.startswith(("deployment.", "change.", "release.")):
        found.append(Markup('<span class="id">{}</span>').format(shown(words.sha(sha))))
    if row.replaced and _took_its_place(row):
        found.append(Markup("in place of {}").format(shown(words.version(row.replaced), 60)))
    took = fields.get("duration_ms")
    if isinstance(took, int):
        found.append(Markup("took {}").format(words.duration(took)))
    first = row.texts.get("commits.0.title")
    if row.kind == "commit.pushed" and first:
        found.append(shown(first, 80))
    if row.kind == "change.merged" and "title" in row.texts:
        found.append(shown(row.texts["title"], 80))
    late = row.received_at - at
    if late > 60_000:
        found.append(Markup("reported {} later").format(words.duration(late)))
    elif late < -60_000:
        found.append(Markup("by the source's clock, {} ahead of ours").format(words.duration(-late)))
    if len(found) < 4:
        found.append(Markup("told by {}").format(shown(row.source, 60)))
    return found[:4]


def _options(found: TrailPage, wanted: Filter) -> dict[str, list[Any]]:
    """What the selects offer; what is asked for is always among it."""
    offered: dict[str, list[Any]] = {
        "service": list(found.services),
        "environment": list(found.environments),
        "kind": list(found.kinds),
        "outcome": list(OUTCOMES),
        "actor": list(found.actors),
    }
    for name in ("service", "environment", "kind", "outcome"):
        value = getattr(wanted, name)
        if value and value not in offered[name]:
            offered[name].append(value)
    return offered


def _chips(found: TrailPage, wanted: Filter) -> list[Chip]:
    chips = []
    for name in _FILTERS:
        value = getattr(wanted, name)
        if value is None:
            continue
        rest = query_of(wanted, without=name)
        if name == "actor":
            who = next((w for w in found.actors if w.id == value), None)
            value = (who and (who.name or who.login)) or value
        chips.append(Chip(_NAMES.get(name, name.capitalize()), value, f"/?{rest}" if rest else "/"))
    return chips


def query_of(wanted: Filter, without: str = "") -> str:
    """A filter as an address has it, the same filter always the same."""
    given = ((name, getattr(wanted, name)) for name in _FILTERS if name != without)
    return urlencode([(name, value) for name, value in given if value])


def _older(query: str, older: int | None) -> str | None:
    if older is None:
        return None
    return f"/?{query}&below={older}" if query else f"/?below={older}"


def _young(found: TrailPage, wanted: Filter, below: int | None) -> bool:
    """Whether nobody has told this house anything yet, so that it should say how that is done."""
    unfiltered = wanted == Filter() and below is None and found.older is None
    return unfiltered and not any(from_outside(row.kind) or row.kind == "source.pinged" for row in found.rows)
