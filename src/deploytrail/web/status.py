"""How the house is doing: a page for people, the same as JSON, and figures for Prometheus."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.capacity import DiskView
from deploytrail.app.status import StatusView
from deploytrail.web import words
from deploytrail.web.described import Answer, Described, described
from deploytrail.web.guard import caller_of
from deploytrail.web.render import page
from deploytrail.web.wire import answer

# What is known of the files by name, as people read it; of others their name is said.
PARTS: Final = {
    "trail": "Log, disclosures and raw deliveries",
    "keys": "Keys of persons",
    "derived": "Rows of the pages",
    "search": "Search index",
    "database": "Database",
}
_FAR_DAYS: Final = 3650


def show(request: Request) -> Response:
    """GET /status: followers, signing, disk, and what senders came to."""
    view = _view(request)
    return page(
        request,
        "status.html",
        here="log",
        view=view,
        headline=headline(view),
        stopped=any(each.words for each in view.followers),
        behind=any(each.behind for each in view.followers),
        parts_of_disk=[(PARTS.get(name, name), size) for name, size in view.disk.parts.items()],
        forecast=forecast(view.disk),
        named=[each for each in view.senders if each.sender],
        summed=[each for each in view.senders if not each.sender],
        administers=caller_of(request).may("administer"),
    )


@described(
    Described(
        section="Look after",
        answers={200: Answer("Followers, signing, disk; senders for administrators.", StatusView)},
    )
)
def told(request: Request) -> Response:
    """GET /api/v1/status: how the house is doing."""
    return answer(_view(request))


def _view(request: Request) -> StatusView:
    """Names of senders are for those who administer them."""
    found: StatusView = request.app.state.web.house.status.view(senders=caller_of(request).may("administer"))
    return found


def headline(view: StatusView) -> str:
    """The answer to whether anybody has to do something."""
    if not view.recording:
        return "Nothing new is recorded"
    if any(each.words for each in view.followers):
        return "The house records, but its pages stand still"
    if view.checkpoint.words or view.checkpoint.late:
        return "The house records, but does not sign"
    if view.state == "warning":
        return "The house is well for now, but its disk will be full soon"
    return "The house records, signs and shows everything"


def forecast(disk: DiskView) -> str:
    """When it is full, as far as that is known."""
    if disk.words:
        return "Nothing new from outside is taken."
    if disk.grown is None or disk.over_ms is None:
        return "Not known yet: a forecast needs samples of six hours at least."
    if disk.grown <= 0:
        return f"It has not grown in the last {words.duration(disk.over_ms)}."
    if disk.full_in_ms is None:
        return "Not known: how much is free cannot be asked here. Watch that disk itself, or set quota-bytes."
    if disk.full_in_ms > _FAR_DAYS * words.DAY:
        return "At the present rate it lasts for more than ten years."
    if disk.full_in_ms < words.DAY:
        return "Full within a day at the present rate."
    return f"Full in about {words.plural(disk.full_in_ms // words.DAY, 'day', 'days')} at the present rate."
