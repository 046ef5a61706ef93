"""The list of changes, and the page of one."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.views import ChangeView, Mark, ReviewView
from deploytrail.errors import Refused
from deploytrail.web import links, numbers, words
from deploytrail.web.deployment import check
from deploytrail.web.hostile import link, shown
from deploytrail.web.render import page
from deploytrail.web.trail import by_day

LIST: Final = 50
STATES: Final[dict[str, tuple[Mark, str]]] = {
    "open": ("waiting", "Open"),
    "merged": ("succeeded", "Merged"),
    "abandoned": ("note", "Closed without merging"),
}
_VERDICTS: Final[dict[str, tuple[Mark, str]]] = {
    "approved": ("succeeded", "approved"),
    "changes requested": ("waiting", "asked for changes"),
    "rejected": ("failed", "rejected"),
    "dismissed": ("note", "dismissed"),
    "commented": ("note", "commented"),
}


def every(request: Request) -> Response:
    """GET /changes?repository=NAME&state=open&cursor=CURSOR: changes, newest first."""
    asked = request.query_params
    repository = asked.get("repository", "").strip()[:500] or None
    state = asked.get("state") if asked.get("state") in STATES else None
    cursor = asked.get("cursor")
    found = request.app.state.web.house.ask.lists.changes(repository, state, cursor, LIST)
    given = {"repository": repository, "state": state}
    chips = [(name, _url(given | {"state": key}), key == state) for key, (_, name) in STATES.items()]
    return page(
        request,
        "changes.html",
        here="changes",
        changes=found.changes,
        repository=repository,
        state=state,
        chips=[("All", _url(given | {"state": None}), state is None), *chips],
        first_url=_url(given) if cursor else None,
        older_url=_url(given | {"cursor": found.next}) if found.next else None,
    )


def _url(given: dict[str, str | None]) -> str:
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/changes?{query}" if query else "/changes"


def show(request: Request) -> Response:
    """GET /changes/{repository}/{number}?below=INDEX: one change of a repository."""
    web = request.app.state.web
    number = numbers.maybe(request.path_params["number"])
    below = numbers.maybe(request.query_params.get("below"))
    repository = request.path_params["repository"][:500]
    found: ChangeView | None = web.house.ask.change(repository, number, below) if number is not None else None
    if found is None:
        raise Refused("not-found", "Nobody has told of a change of this number in this repository.")
    address = links.change(found.repository, found.number)
    mark, word = STATES.get(found.state, ("note", found.state.capitalize()))
    return page(
        request,
        "change.html",
        here="changes",
        c=found,
        mark=mark,
        word=word,
        lede=_lede(found, web.house.clock.now()),
        reviews=[(said, *_verdict(said)) for said in found.reviews],
        checks=[check(one) for one in found.checks],
        facts=_facts(found),
        groups=by_day(found.trail, web.house.clock.now()),
        newest_url=address if below is not None else None,
        older_url=f"{address}?below={found.older}" if found.older is not None else None,
    )


def _verdict(said: ReviewView) -> tuple[Mark, str]:
    """The mark and the words of a review; a yes that does not count looks like none."""
    mark, word = _VERDICTS.get(said.verdict or "", ("note", said.verdict or "is said to have reviewed"))
    return ("note" if mark == "succeeded" and not said.approval else mark), word


def _lede(view: ChangeView, now: int) -> Markup:
    """Who wrote it and who merged it, in whole sentences."""
    author = Markup("<b>{}</b>").format(words.person(view.author)) if view.author else None
    said = [Markup("{} wrote it.").format(author) if author else Markup("Nobody said who wrote it.")]
    if view.state == "merged":
        merger = Markup("<b>{}</b>").format(words.person(view.merged_by)) if view.merged_by else None
        when = words.when(view.merged_at, now) if view.merged_at is not None else Markup("at an unknown time")
        said.append(
            Markup("{} merged it, {}.").format(merger, when)
            if merger
            else Markup("It was merged {}.").format(when)
        )
        yes = [review.who for review in view.reviews if review.approval]
        said.append(
            Markup("Approved by {}.").format(words.people(yes))
            if yes
            else Markup("Nobody is known to have approved it.")
        )
    return Markup(" ").join(said)


def _facts(view: ChangeView) -> list[tuple[str, Markup]]:
    found = [
        ("Repository", links.link(links.changes(view.repository), shown(view.repository, 80))),
        ("Number", Markup("#{}").format(view.number)),
    ]
    if view.services:
        named = [links.link(links.service(name), shown(name, 60)) for name in view.services[:10]]
        found.append(("Services", Markup(", ").join(named)))
    if view.into:
        found.append(("Into", shown(view.into, 80)))
    found.append(("Merged as", _sha(view.sha) if view.state == "merged" else Markup("not merged")))
    if view.head and view.head != view.sha:
        found.append(("Last commit", _sha(view.head)))
    if view.commits_told is not None:
        found.append(("Commits", Markup("{}").format(words.number(view.commits_told))))
    address = link(view.url, None)
    if address is not None:
        found.append(("Address", address))
    return found


def _sha(sha: str | None) -> Markup:
    if sha is None:
        return Markup("unknown")
    return Markup('<span class="id" title="{}">{}</span>').format(sha, shown(words.sha(sha)))
