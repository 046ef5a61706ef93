"""Search: one box on every page, and the page of what a question finds."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.search import MAX_LENGTH
from deploytrail.app.views import Named, SearchPage
from deploytrail.web import links, numbers, words
from deploytrail.web.hostile import shown
from deploytrail.web.render import page
from deploytrail.web.trail import PAGE, by_day

# What can be asked, with what it finds.
EXAMPLES: Final = (
    ("checkout", "a service, or any word of a title or a name; three letters are enough"),
    ("4f2c81e", "a commit or an artifact by the first four signs or more"),
    ("#12", "a change by its number; shop/checkout#12 in one repository"),
    ("v1.42.0", "a version"),
    ("ada", "a person by login, name or address"),
    ("src/pay/", "a file, or all that lies in a folder"),
    ("team:blue", "a label with its value"),
    ("checkout production ada", "several words: all of them must match"),
    ("service:checkout env:production by:ada outcome:failed", "where to look for each word"),
)


class Lead(NamedTuple):
    """One thing that a word names: what it is, as a link, and what else is known of it."""

    href: str
    text: Markup
    what: str


def show(request: Request) -> Response:
    """GET /search?q=: what a question finds, newest first, and what its words name."""
    house = request.app.state.web.house
    question = (request.query_params.get("q") or "").strip()[:MAX_LENGTH]
    below = numbers.maybe(request.query_params.get("below"))
    found: SearchPage = house.ask.search(question, below, PAGE)
    return page(
        request,
        "search.html",
        here="search",
        question=question,
        page=found,
        groups=by_day(found.rows, house.clock.now()),
        named=[_named(answer) for answer in found.answers],
        below=below,
        examples=EXAMPLES,
        newest_url=address(question),
        older_url=None if found.older is None else address(question, found.older),
        address=address,
    )


def address(question: str, below: int | None = None) -> str:
    """The address of a question."""
    asked = {"q": question} if below is None else {"q": question, "below": str(below)}
    return f"/search?{urlencode(asked)}"


def _named(answer: Named) -> Lead:
    key = answer.key
    if answer.sort == "service":
        return Lead(links.service(key), shown(key, 80), "Service")
    if answer.sort == "environment":
        return Lead(links.environment(key), shown(key, 80), "Environment")
    if answer.sort == "deployment":
        place = Markup("{} to {}").format(shown(answer.name or "", 80), shown(answer.place or "", 80))
        return Lead(links.deployment(key), place, "Deployment")
    if answer.sort == "change" and answer.number is not None:
        text = Markup("{} #{}").format(shown(key, 80), answer.number)
        return Lead(links.change(key, answer.number), text, "Change")
    if answer.sort == "artifact":
        return Lead(links.artifact(key), _digits(words.digest(key)), "Artifact")
    if answer.sort == "commit":
        return Lead(address(f"commit:{key}"), _digits(words.sha(key)), "Commit")
    return Lead(links.person(key), words.named(answer.who) if answer.who else shown(key), "Person")


def _digits(text: str) -> Markup:
    return Markup('<span class="id">{}</span>').format(shown(text))
