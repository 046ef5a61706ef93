"""Questions over HTTP: lists in pages, what runs or ran, what changed, and the trail, all as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app import keyset
from deploytrail.app.keyset import Whole
from deploytrail.app.search import MAX_LENGTH
from deploytrail.app.views import (
    ChangePage,
    ChangeView,
    DeploymentFilter,
    DeploymentPage,
    DeploymentView,
    EnvironmentPage,
    Filter,
    LastGood,
    Named,
    PersonPage,
    PersonView,
    PublishedView,
    ServicePage,
    ServiceView,
    TrailRow,
    View,
    WhatChanged,
)
from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.web import numbers
from deploytrail.web.described import Answer, Below, Cursor, Described, Limit, Name, Time, Word, described
from deploytrail.web.wire import answer

ASK: Final = "Ask"
_NOBODY_DEPLOYED: Final = ("not-found",)


class Paged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list in pages."""

    cursor: Cursor | None = None
    limit: Limit = 50


class TrailQuery(Paged, frozen=True, kw_only=True):
    """The filters of the trail."""

    service: Word | None = None
    environment: Word | None = None
    actor: Word | None = None
    kind: Word | None = None
    outcome: Word | None = None


class DeploymentsQuery(Paged, frozen=True, kw_only=True):
    """The filters of deployments."""

    service: Name | None = None
    environment: Name | None = None
    status: Literal["running", "waiting", "succeeded", "failed", "cancelled", "finished"] | None = None
    since: Time | None = None
    until: Time | None = None


class ChangesQuery(Paged, frozen=True, kw_only=True):
    """The filters of changes."""

    repository: Name | None = None
    state: Literal["open", "merged", "abandoned"] | None = None


class PeopleQuery(Paged, frozen=True, kw_only=True):
    """With `word`, only those whom it names: a subject id, an address, a login or a name, whole."""

    word: Word | None = None


class AtQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time; without one, now."""

    at: Time | None = None


class BelowQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where lines of the trail go on."""

    below: Below | None = None


class PersonQuery(BelowQuery, frozen=True, kw_only=True):
    """Where lines of the trail go on, and what is kept."""

    kept_below: Below | None = None


class ChangedQuery(Paged, frozen=True, kw_only=True):
    """From when to when; without an end, until now."""

    since: Time
    until: Time | None = None


class TrailLines(View, frozen=True, kw_only=True):
    """Lines of the trail, newest first in the order of the log."""

    rows: list[TrailRow]
    next: str | None = None


class SearchQuery(Paged, frozen=True, kw_only=True):
    """A question: words that all must match, such as `checkout by:ada 4f2c81e`."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)]


class SearchLines(View, frozen=True, kw_only=True):
    """Lines of the trail that match. `up_to` entries of the log's `size` can be found yet.

    `cut` are words that more begins with than is looked at, `left_out` words beyond eight.
    """

    question: str
    rows: list[TrailRow]
    answers: list[Named]
    up_to: int
    size: int
    cut: list[str]
    left_out: list[str]
    next: str | None = None


@described(
    Described(
        section=ASK,
        query=TrailQuery,
        answers={200: Answer("A page of the trail.", TrailLines)},
    )
)
def trail(request: Request) -> Response:
    """GET /api/v1/trail: what happened, newest first, one line for each entry."""
    asked: TrailQuery = request.state.asked
    wanted = Filter(**{name: getattr(asked, name) for name in Filter.__struct_fields__})
    below = keyset.read(asked.cursor, Whole)
    found = _ask(request).trail(wanted, below, -1, asked.limit)
    return answer(TrailLines(rows=found.rows, next=keyset.written(found.older) if found.older else None))


@described(
    Described(
        section=ASK, query=DeploymentsQuery, answers={200: Answer("A page of deployments.", DeploymentPage)}
    )
)
def deployments(request: Request) -> Response:
    """GET /api/v1/deployments: attempts to make something run, newest first by when they ended (else by
    their last news). `since` and `until` are inclusive. A page may be short and still have a `next`.
    """
    asked: DeploymentsQuery = request.state.asked
    wanted = DeploymentFilter(
        service=asked.service,
        environment=asked.environment,
        status=asked.status,
        since=_time(asked.since),
        until=_time(asked.until),
    )
    return answer(_ask(request).lists.deployments(wanted, asked.cursor, asked.limit))


@described(
    Described(
        section=ASK,
        answers={200: Answer("The deployment.", DeploymentView)},
        refuses=("not-found",),
    )
)
def deployment(request: Request) -> Response:
    """GET /api/v1/deployments/{key}: one deployment, with commits, reviewers, checks, steps and its proof."""
    found = _ask(request).deployment(request.path_params["key"])
    if found is None:
        raise Refused("not-found", "No deployment has this key.")
    return answer(found)


@described(
    Described(section=ASK, query=ChangesQuery, answers={200: Answer("A page of changes.", ChangePage)})
)
def changes(request: Request) -> Response:
    """GET /api/v1/changes: changes, newest first; within one repository by their number."""
    asked: ChangesQuery = request.state.asked
    found = _ask(request).lists.changes(asked.repository, asked.state, asked.cursor, asked.limit)
    return answer(found)


@described(
    Described(section=ASK, query=Paged, answers={200: Answer("A page of environments.", EnvironmentPage)})
)
def environments(request: Request) -> Response:
    """GET /api/v1/environments: what runs where, by rank, then name; what nobody declared last."""
    asked: Paged = request.state.asked
    return answer(_ask(request).lists.environments(asked.cursor, asked.limit))


@described(Described(section=ASK, query=Paged, answers={200: Answer("A page of services.", ServicePage)}))
def services(request: Request) -> Response:
    """GET /api/v1/services: services by name, declared or only told of."""
    asked: Paged = request.state.asked
    return answer(_ask(request).lists.services(asked.cursor, asked.limit))


@described(Described(section=ASK, query=PeopleQuery, answers={200: Answer("A page of people.", PersonPage)}))
def people(request: Request) -> Response:
    """GET /api/v1/people: those who were named, the newest known first. Nothing is counted, nobody is
    ranked.
    """
    asked: PeopleQuery = request.state.asked
    return answer(_ask(request).lists.people(asked.word, asked.cursor, asked.limit))


@described(
    Described(
        section=ASK, query=Paged, answers={200: Answer("The service.", ServiceView)}, refuses=("not-found",)
    )
)
def service(request: Request) -> Response:
    """GET /api/v1/services/{name}: one service: where it runs, its newest deployments and artifacts, and what
    waits for production. `cursor` goes on with the deployments.
    """
    asked: Paged = request.state.asked
    found = _ask(request).service(request.path_params["name"], asked.cursor, asked.limit)
    return answer(_there(found, "No service of this name is known."))


@described(
    Described(
        section=ASK,
        query=BelowQuery,
        answers={200: Answer("The change.", ChangeView)},
        refuses=("not-found",),
    )
)
def change(request: Request) -> Response:
    """GET /api/v1/changes/{repository}/{number}: one change: who wrote, reviewed and merged it, its
    commits and checks, and where it went.
    """
    path = request.path_params
    number = numbers.whole(path["number"], "number")
    found = _ask(request).change(path["repository"], number, request.state.asked.below)
    return answer(_there(found, "No change of this repository has this number."))


@described(
    Described(
        section=ASK,
        query=BelowQuery,
        answers={200: Answer("The artifact.", PublishedView)},
        refuses=("not-found",),
    )
)
def artifact(request: Request) -> Response:
    """GET /api/v1/artifacts/{digest}: one artifact: where it comes from, and deployments that named it."""
    found = _ask(request).artifact(request.path_params["digest"], request.state.asked.below)
    return answer(_there(found, "No artifact of this digest is known."))


@described(
    Described(
        section=ASK,
        query=PersonQuery,
        answers={200: Answer("The person.", PersonView)},
        refuses=("not-found",),
    )
)
def person(request: Request) -> Response:
    """GET /api/v1/people/{subject}: one person by subject id: what they did, and what is kept of them."""
    asked: PersonQuery = request.state.asked
    found = _ask(request).person(request.path_params["subject"], asked.below, asked.kept_below)
    return answer(_there(found, "No person has this subject id."))


@described(
    Described(
        section=ASK,
        query=AtQuery,
        answers={200: Answer("The deployment that put it there.", DeploymentView)},
        refuses=_NOBODY_DEPLOYED,
    )
)
def running(request: Request) -> Response:
    """GET /api/v1/services/{service}/environments/{environment}/running: the deployment that put there what
    runs, or what ran `at` a time: version, commits, who made, reviewed and deployed them.
    """
    at = _time(request.state.asked.at)
    path = request.path_params
    found = _ask(request).running(path["service"], path["environment"], at)
    if found is None:
        raise Refused("not-found", f"Nothing of this service {'ran' if at is not None else 'runs'} there.")
    return answer(found)


@described(
    Described(
        section=ASK,
        answers={200: Answer("What to go back to; without `deployment` nothing good is known.", LastGood)},
        refuses=_NOBODY_DEPLOYED,
    )
)
def last_good(request: Request) -> Response:
    """GET /api/v1/services/{service}/environments/{environment}/last-good: the newest deployment that
    succeeded, was not rolled back, and whose repeat did not fail.
    """
    path = request.path_params
    return answer(_ask(request).questions.last_good(path["service"], path["environment"]))


@described(
    Described(
        section=ASK,
        query=ChangedQuery,
        answers={200: Answer("What changed, by service.", WhatChanged)},
        refuses=_NOBODY_DEPLOYED,
    )
)
def changed(request: Request) -> Response:
    """GET /api/v1/environments/{environment}/changed: each service that runs something else at the end than
    at the beginning, with the commits and changes between.
    """
    asked: ChangedQuery = request.state.asked
    since, until = times.parse(asked.since), _time(asked.until)
    if until is not None and until < since:
        raise Refused("bad-input", '"until" must not lie before "since".')
    environment = request.path_params["environment"]
    found = _ask(request).questions.what_changed(environment, since, until, asked.cursor, asked.limit)
    return answer(found)


@described(
    Described(section=ASK, query=SearchQuery, answers={200: Answer("A page of what was found.", SearchLines)})
)
def search(request: Request) -> Response:
    """GET /api/v1/search: what all words of a question match, newest first; on the first page also what its
    words name. The work of a page is bounded: one may be short, or empty, and still have a `next`.
    """
    asked: SearchQuery = request.state.asked
    found = _ask(request).search(asked.q, keyset.read(asked.cursor, Whole), asked.limit)
    said = {name: getattr(found, name) for name in SearchLines.__struct_fields__ if name != "next"}
    return answer(SearchLines(**said, next=keyset.written(found.older) if found.older is not None else None))


def _ask(request: Request) -> Any:
    return request.app.state.web.house.ask


def _there(found: Any, words: str) -> Any:
    if found is None:
        raise Refused("not-found", words)
    return found


def _time(text: str | None) -> int | None:
    return times.parse(text) if text is not None else None
