"""The page of one change: who wrote, reviewed and merged it, and to which environments it went."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Final, NamedTuple

from deploytrail.app.ancestry import between, holds, repository_of
from deploytrail.app.deployed import Deployed
from deploytrail.app.lists import Lists
from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener, Shown
from deploytrail.app.trails import Trails
from deploytrail.app.views import ChangeView, CommitView, ReachedView, ReviewView
from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.deployment_rows import DEPLOYMENTS, Deployment, deployment_of
from deploytrail.projections.environments import EVERYWHERE, MEMBER_LISTS, PLACES
from deploytrail.projections.join import same_commit
from deploytrail.projections.names import services_in
from deploytrail.projections.reading import items, sha, text
from deploytrail.projections.reading import repository as spelled
from deploytrail.projections.trail import TRAIL

MAX_COMMITS: Final = 100
LINES: Final = 50
# Entries about the merge commit that are looked at for deployments of it.
_ABOUT: Final = 200
# Services of one repository that are followed, deployments of each looked at, and histories walked, in all.
_SERVICES: Final = 5
_LOOKED: Final = 60
_WALKS: Final = 12


class _Told(NamedTuple):
    """What entries about a change say of it: its own commits, and the commit it began from."""

    shas: list[str]
    began: str | None


class Changed:
    """Reads the page of a change."""

    def __init__(
        self, derived: Derived, opener: Opener, trails: Trails, deployed: Deployed, lists: Lists
    ) -> None:
        self._derived, self._opener, self._trails = derived, opener, trails
        self._deployed, self._lists = deployed, lists

    def view(self, told: str, number: int, below: int | None, signed: int) -> ChangeView | None:
        """The change of a repository, its trail below an index. None: nobody told of it."""
        repository = repository_of(self._derived, spelled(told) or told)[0]
        row = self._derived.get(CHANGES, repository, number)
        if row is None:
            return None
        known = self._opener.entries(i for i in (row.first, row.titled, row.last) if i is not None)
        indices, older = self._about(row, known, below)
        trail = self._trails.lines(indices, signed)
        opened = known | self._opener.entries(indices)
        titled = opened.get(row.titled) if row.titled is not None else None
        named = {row.author, row.merged_by, *(review.reviewer for review in row.reviews)}
        people = self._opener.people(who for who in named if who)
        yes = set(row.approvers())
        reached, why = self._reached(row)
        return ChangeView(
            repository=row.repository,
            number=row.number,
            state=row.state,
            services=services_in(row.repository, self._derived),
            title=titled.text("title") if titled else None,
            url=next((url for one in opened.values() if (url := one.text("url"))), None),
            author=people.get(row.author or ""),
            merged_by=people.get(row.merged_by or ""),
            merged_at=row.merged_at,
            sha=row.sha,
            head=row.head,
            into=row.base,
            reviews=[
                ReviewView(
                    who=people[said.reviewer],
                    at=said.at,
                    index=said.index,
                    verdict=said.verdict,
                    sha=said.sha,
                    approval=said.reviewer in yes,
                )
                for said in row.reviews
                if said.reviewer in people
            ],
            commits=self._commits(row, _told(opened)),
            commits_told=row.commits,
            checks=self._deployed.checks_on(row.repository, [row.sha, row.head]),
            reached=reached,
            reached_why=why,
            trail=trail,
            older=older,
        )

    def _about(self, row: Change, known: dict[int, Shown], below: int | None) -> tuple[list[int], int | None]:
        """The newest entries about it, under each spelling of its repository, and where to go on below."""
        spelled = {text(shown.entry.data, "repository") or row.repository for shown in known.values()}
        keys = [f"change:{name}#{row.number}" for name in sorted(spelled | {row.repository})]
        found = [self._opener.about(key, below, LINES + 1) for key in keys]
        indices = list(dict.fromkeys(heapq.merge(*found, reverse=True)))
        return indices[:LINES], indices[LINES - 1] if len(indices) > LINES else None

    def _commits(self, row: Change, told: _Told) -> list[CommitView]:
        """Its own commits, as far as anybody listed them or their history tells."""
        shas = told.shas
        if not shas and told.began and row.head:
            found = between(self._derived, row.repository, told.began, row.head)
            shas = found.shas if found.known else []
        ends = [name for name in (row.head, row.sha) if name]
        return self._deployed.commits_of(row.repository, list(dict.fromkeys([*shas, *ends]))[:MAX_COMMITS])

    # Where it went.

    def _reached(self, row: Change) -> tuple[list[ReachedView], str | None]:
        if row.state != "merged":
            return [], None
        if row.sha is None:
            return [], "Nobody told as which commit it was merged."
        named = self._named(row.sha)
        first: dict[tuple[str, str], tuple[Deployment, bool]] = {}
        unknown = False
        walks = 0
        for service in self._services(row, named):
            for deployment in self._since(service, row):
                place = (deployment.environment, deployment.service)
                if place in first or not deployment.succeeded or deployment.sha is None:
                    continue
                if deployment.key in named or same_commit(deployment.sha, row.sha):
                    first[place] = (deployment, True)
                elif walks < _WALKS and self._of(row.repository, deployment):
                    walks += 1
                    answer = holds(self._derived, row.repository, deployment.sha, row.sha)
                    unknown = unknown or answer is None
                    if answer:
                        first[place] = (deployment, False)
        for deployment in named.values():
            place = (deployment.environment, deployment.service)
            if deployment.succeeded and place not in first:
                first[place] = (deployment, True)
        found = sorted(first.values(), key=lambda pair: pair[0].place)
        rows = self._lists.rows([deployment for deployment, _ in found])
        views = [
            ReachedView(deployment=shown, took_ms=_took(row, deployment), named=direct)
            for shown, (deployment, direct) in zip(rows, found, strict=True)
        ]
        why = None
        if unknown:
            why = (
                "It may have reached more: how some deployed commits descend from it is not known. "
                "Import the repository's history to know."
            )
        return views, why

    def _of(self, repository: str, deployment: Deployment) -> bool:
        told = deployment.repository
        return told is not None and repository_of(self._derived, told)[0] == repository

    def _named(self, merge: str) -> dict[int, Deployment]:
        """The deployments whose reports name the merge commit, by key."""
        found: dict[int, Deployment] = {}
        for index in self._opener.about(f"commit:{merge}", None, _ABOUT):
            line = self._derived.get(TRAIL, index)
            if line is None or line.report is None:
                continue
            deployment = deployment_of(line.report, self._derived)
            if deployment is not None:
                found[deployment.key] = deployment
        return found

    def _services(self, row: Change, named: dict[int, Deployment]) -> list[str]:
        told = [
            *services_in(row.repository, self._derived),
            *(deployment.service for deployment in named.values()),
            row.repository.rpartition("/")[2],
        ]
        return list(dict.fromkeys(told))[:_SERVICES]

    def _since(self, service: str, row: Change) -> Iterator[Deployment]:
        """Deployments of a service to every environment, oldest first, from the merge on."""
        everywhere = self._derived.get(MEMBER_LISTS, EVERYWHERE)
        since = (row.merged_at or 0) - 1
        streams = []
        for environment in everywhere.services if everywhere else ():
            if self._derived.get(PLACES, environment, service) is not None:
                where = {"service": service, "environment": environment}
                streams.append(
                    self._derived.page(
                        DEPLOYMENTS,
                        where=where,
                        order="position",
                        descending=False,
                        above=since,
                        limit=_LOOKED,
                    )
                )
        return heapq.merge(*streams, key=attrgetter("place"))


def _took(row: Change, deployment: Deployment) -> int | None:
    if row.merged_at is None or deployment.position < row.merged_at:
        return None
    return deployment.position - row.merged_at


def _told(opened: dict[int, Shown]) -> _Told:
    """What the newest entry says that says it at all."""
    shas: list[str] = []
    began: str | None = None
    for index in sorted(opened, reverse=True):
        data = opened[index].entry.data
        shas = shas or [name for item in items(data, "commits") if (name := sha(item, "sha"))]
        began = began or sha(data, "base_sha")
    return _Told(shas, began)
