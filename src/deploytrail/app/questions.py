"""Questions about what ran when: what runs or ran in a place, what to go back to, and what changed since.

Read from the rows of deployments alone, by service, environment and time; the log is asked only for texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from deploytrail.app import keyset
from deploytrail.app.deployed import Deployed
from deploytrail.app.keyset import Text
from deploytrail.app.lists import Lists
from deploytrail.app.ports import Clock, Derived
from deploytrail.app.spelling import declared
from deploytrail.app.views import (
    Brought,
    DeploymentFilter,
    LastGood,
    PassedOver,
    ServiceChanged,
    WhatChanged,
)
from deploytrail.errors import Refused
from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.deployment_rows import DEPLOYMENTS, SUCCESSORS, Deployment, same
from deploytrail.projections.environments import PLACES, Place

# Attempts that a search for the last good one looks at, and that one service's answer lists.
_LOOKED: Final = 1_000
_LISTED: Final = 20
_PASSED: Final = 20
_STEP: Final = 100


class Questions:
    """Answers what ran when."""

    def __init__(self, derived: Derived, deployed: Deployed, lists: Lists, clock: Clock) -> None:
        self._derived, self._deployed, self._lists, self._clock = derived, deployed, lists, clock

    def running(self, service: str, environment: str, at: int | None) -> Deployment | None:
        """The deployment that put there what runs, or what ran at a time; None: nothing did.

        Refused("not-found") if nothing was ever deployed there.
        """
        place = self._place(service, environment)
        return self._ran(place, at)

    def last_good(self, service: str, environment: str) -> LastGood:
        """The newest deployment that succeeded, was not rolled back, and whose repeat did not fail."""
        place = self._place(service, environment)
        passed: list[tuple[Deployment, str]] = []
        failed: list[Deployment] = []
        good: Deployment | None = None
        for row in islice(self._attempts(place), _LOOKED):
            if not row.succeeded:
                failed += [row] if row.status == "failed" else []
                continue
            why = self._spoiled(row, failed)
            if why is None:
                good = row
                break
            passed.append((row, why))
        running = self._ran(place, None)
        rows = self._lists.rows([row for row, _ in passed[:_PASSED]])
        return LastGood(
            service=place.service,
            environment=place.environment,
            deployment=self._lists.rows([good])[0] if good else None,
            runs=good is not None and running is not None and running.key == good.key,
            running=self._lists.rows([running])[0] if running else None,
            passed_over=[
                PassedOver(deployment=row, why=why) for row, (_, why) in zip(rows, passed, strict=False)
            ],
        )

    def what_changed(
        self, environment: str, since: int, until: int | None, cursor: str | None, limit: int
    ) -> WhatChanged:
        """Each service that runs something else at the end than at the beginning, by name.

        Refused("not-found") if nothing was ever deployed there.
        """
        name = declared(self._derived, "environment", environment)
        end = self._clock.now() if until is None else until
        after = keyset.read(cursor, Text)
        if after is None and not self._places(name, None, 1):
            raise Refused("not-found", "Nothing was ever deployed to an environment of this name.")
        found: list[ServiceChanged] = []
        last: str | None = None
        for place in self._every_place(name, after):
            if len(found) == limit:
                return WhatChanged(
                    environment=name,
                    since=since,
                    until=end,
                    services=found,
                    next=keyset.written(last),
                )
            last = place.service
            changed = self._changed(place, since, until)
            if changed is not None:
                found.append(changed)
        return WhatChanged(environment=name, since=since, until=end, services=found)

    # Places.

    def _place(self, service: str, environment: str) -> Place:
        names = (
            declared(self._derived, "environment", environment),
            declared(self._derived, "service", service),
        )
        place = self._derived.get(PLACES, *names)
        if place is None:
            raise Refused(
                "not-found",
                "Nothing was ever deployed to this place: no service of this name in this environment.",
            )
        return place

    def _places(self, environment: str, after: str | None, limit: int) -> list[Place]:
        return self._derived.page(
            PLACES,
            where={"environment": environment},
            order="service",
            descending=False,
            above=after,
            limit=limit,
        )

    def _every_place(self, environment: str, after: str | None) -> Iterator[Place]:
        while places := self._places(environment, after, _STEP):
            yield from places
            after = places[-1].service

    # What ran.

    def _attempts(
        self, place: Place, since: int | None = None, until: int | None = None
    ) -> Iterator[Deployment]:
        wanted = DeploymentFilter(
            service=place.service, environment=place.environment, since=since, until=until
        )
        return self._lists.walk(wanted)

    def _ran(self, place: Place, at: int | None) -> Deployment | None:
        """What ran in a place at a time, or runs now: the newest success before, unless it was removed."""
        if at is None or (place.since is not None and place.since <= at):
            return self._derived.get(DEPLOYMENTS, place.current) if place.current is not None else None
        row = next((row for row in self._attempts(place, until=at) if row.succeeded), None)
        removed = place.removed_at
        if row is not None and removed is not None and removed <= at:
            return None if (removed, place.removed) > row.place else row
        return row

    def _spoiled(self, row: Deployment, failed: list[Deployment]) -> str | None:
        """Why a success is nothing to go back to; None if it is good."""
        after = self._derived.get(SUCCESSORS, row.key)
        following = self._derived.get(DEPLOYMENTS, after.following) if after else None
        if following is not None and following.succeeded and following.type == "rollback":
            return "it was rolled back"
        if any(same(row, other) for other in failed):
            return "deploying the same again failed"
        return None

    # What changed.

    def _changed(self, place: Place, since: int, until: int | None) -> ServiceChanged | None:
        before, after = self._ran(place, since), self._ran(place, until)
        if (before and before.key) == (after and after.key):
            return None
        between = list(islice(self._attempts(place, since + 1, until), _LISTED + 1))
        ends = [row for row in (before, after) if row]
        rows = {row.key: row for row in self._lists.rows([*ends, *between[:_LISTED]])}
        brought = self._deployed.brought(after, before) if after else Brought(known=True)
        return ServiceChanged(
            service=declared(self._derived, "service", place.service),
            before=rows[str(before.key)] if before else None,
            after=rows[str(after.key)] if after else None,
            deployments=[rows[str(row.key)] for row in between[:_LISTED]],
            more=len(between) > _LISTED,
            brought=brought,
            changes=self._lists.change_rows(self._changes(brought)),
        )

    def _changes(self, brought: Brought) -> list[Change]:
        """The changes by which the commits came, each once."""
        keys = dict.fromkeys(
            (commit.repository, commit.change)
            for commit in brought.commits
            if commit.repository is not None and commit.change is not None
        )
        return [row for key in keys if (row := self._derived.get(CHANGES, *key))]
