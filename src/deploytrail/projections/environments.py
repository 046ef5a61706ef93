"""What runs where since when, and what ran before.

In each place (a service in an environment) the successes stand in the order in which they ended, the log
index deciding between equals; the last one runs, unless the service was removed after it. So reports that
come late, or are years old, find their place in the past and replace nothing newer.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections import names
from deploytrail.projections.deployment_rows import (
    DEPLOYMENTS,
    SUCCESSORS,
    Deployment,
    Successor,
    deployment_of,
    identity,
    same,
)
from deploytrail.projections.known import KNOWN, by_commit, by_digest, by_version, known_key, offer
from deploytrail.projections.reading import moment, text
from deploytrail.projections.tables import Rows, Table

replace = msgspec.structs.replace

# So many of the newest successes of a place are kept in order; what is older than all of them finds no place.
WINDOW: Final = 16
# A late declaration moves at most this many services or environments.
MEMBERS: Final = 500
# The row of `MEMBER_LISTS` that lists the environments themselves.
EVERYWHERE: Final = ""


class Place(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A service in an environment: what runs there, the newest attempt, and the last successes in order.

    `ran` is (ended at, entry, deployment), oldest first. `since` is when the current one ended, in UTC ms.
    """

    environment: str
    service: str
    current: int | None = None
    version: str | None = None
    artifact: str | None = None
    sha: str | None = None
    actor: str | None = None
    since: int | None = None
    type: str | None = None
    attempt: int | None = None
    attempt_status: str | None = None
    attempt_version: str | None = None
    attempt_actor: str | None = None
    attempt_at: int = -1
    attempt_first: int = -1
    attempt_position: int = -1
    removed_at: int | None = None
    removed: int = -1
    ran: list[tuple[int, int, int]] = []


class Members(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """The services that were ever seen in an environment."""

    environment: str
    services: list[str] = []


PLACES: Final = Table("place", Place, ("environment", "service"))
MEMBER_LISTS: Final = Table("members", Members, ("environment",))


def settle(before: Deployment | None, after: Deployment | None, rows: Rows) -> None:
    """Put a deployment's new row in the stead of its old one, wherever both stand; None: it is not there."""
    if before and after and _stands_still(before, after):
        rows.put(DEPLOYMENTS, replace(after, type=before.type, replaced=before.replaced))
        return
    if before and before.succeeded:
        _take_out(before, rows)
    if before and (after is None or after.key != before.key or _elsewhere(before, after)):
        _forget_attempt(before, rows)
        rows.drop(DEPLOYMENTS, before.key)
    if after and after.succeeded:
        _put_in(after, rows)
    elif after:
        place = _place(after.environment, after.service, rows)
        running = _running_at(place, after, rows)
        key = running.key if running else None
        after = replace(after, type=_type(after, running, rows), replaced=key)
        rows.put(DEPLOYMENTS, after)
        rows.put(PLACES, _attempted(place, after))


class Environments:
    """The projection of places: removals, and the late declarations that bring two names together."""

    name = "environments"
    kinds: frozenset[str] | None = frozenset({"service.removed", "service.declared", "environment.declared"})
    version = 3
    tables: tuple[Table[Any], ...] = (PLACES, MEMBER_LISTS)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a removal or a declaration. Deployments come through `settle`."""
        if entry.kind == "service.removed":
            _remove(index, entry, rows)
        elif entry.kind == "environment.declared":
            _environment_declared(entry.data, rows)
        elif entry.kind == "service.declared":
            _service_declared(entry.data, rows)


def _stands_still(before: Deployment, after: Deployment) -> bool:
    return (
        before.succeeded
        and after.succeeded
        and before.key == after.key
        and not _elsewhere(before, after)
        and before.place == after.place
        and identity(before) == identity(after)
        and before.told_type == after.told_type
        and before.actor == after.actor
    )


def _elsewhere(before: Deployment, after: Deployment) -> bool:
    return (before.environment, before.service) != (after.environment, after.service)


def _place(environment: str, service: str, rows: Rows) -> Place:
    place = rows.get(PLACES, environment, service)
    if place is None:
        place = Place(environment, service)
        _add_member(environment, service, rows)
        _add_member(EVERYWHERE, environment, rows)
    return place


def _add_member(environment: str, service: str, rows: Rows) -> None:
    members = rows.get(MEMBER_LISTS, environment) or Members(environment)
    if service not in members.services and len(members.services) < MEMBERS:
        rows.put(MEMBER_LISTS, Members(environment, [*members.services, service]))


def _put_in(row: Deployment, rows: Rows) -> None:
    """Give a success its place among the others, and its neighbours their new neighbour."""
    place = _place(row.environment, row.service, rows)
    spot = (*row.place, row.key)
    at = bisect_left(place.ran, spot)
    too_old = at == 0 and len(place.ran) >= WINDOW
    following = _row(place.ran[at][2], rows) if at < len(place.ran) and not too_old else None
    previous = _row(place.ran[at - 1][2] if at else following.replaced if following else None, rows)
    if previous and previous.place > row.place:
        too_old, previous, following = True, None, None
    row = replace(row, type=_type(row, previous, rows), replaced=previous.key if previous else None)
    rows.put(DEPLOYMENTS, row)
    if previous:
        rows.put(SUCCESSORS, Successor(previous.key, row.key))
    if following:
        rows.put(SUCCESSORS, Successor(row.key, following.key))
        following = replace(following, replaced=row.key, type=_type(following, row, rows))
        rows.put(DEPLOYMENTS, following)
    ran = place.ran if too_old else [*place.ran[:at], spot, *place.ran[at:]][-WINDOW:]
    newest = row if ran and ran[-1][2] == row.key else None
    rows.put(PLACES, _attempted(_with_current(place, ran, newest, rows), row))


def _running_at(place: Place, row: Deployment, rows: Rows) -> Deployment | None:
    """What ran when an attempt began that has not succeeded, as far as the place remembers."""
    at = bisect_left(place.ran, (row.first_at, row.first, row.key))
    return _row(place.ran[at - 1][2], rows) if at else None


def _take_out(row: Deployment, rows: Rows) -> None:
    """A success is none any more, or not here: its neighbours become each other's."""
    place = _place(row.environment, row.service, rows)
    after = rows.get(SUCCESSORS, row.key)
    previous, following = _row(row.replaced, rows), _row(after.following if after else None, rows)
    if after:
        rows.drop(SUCCESSORS, row.key)
    if previous and following:
        rows.put(SUCCESSORS, Successor(previous.key, following.key))
    elif previous:
        rows.drop(SUCCESSORS, previous.key)
    if following:
        kind = _type(following, previous, rows)
        rows.put(DEPLOYMENTS, replace(following, replaced=row.replaced, type=kind))
    left = [spot for spot in place.ran if spot[2] != row.key]
    if not left and previous:
        left = [(*previous.place, previous.key)]
    rows.put(PLACES, _with_current(place, left, None, rows))


def _row(key: int | None, rows: Rows) -> Deployment | None:
    return rows.get(DEPLOYMENTS, key) if key is not None else None


def _with_current(
    place: Place, ran: list[tuple[int, int, int]], newest: Deployment | None, rows: Rows
) -> Place:
    """The place with its current deployment set: the last that ran, unless the service was removed since."""
    last = ran[-1] if ran else None
    if last is None or (place.removed_at is not None and (place.removed_at, place.removed) > last[:2]):
        return replace(
            place,
            ran=ran,
            current=None,
            version=None,
            artifact=None,
            sha=None,
            actor=None,
            since=None,
            type=None,
        )
    row = newest or _row(last[2], rows)
    if row is None:
        return replace(place, ran=ran)
    return replace(
        place,
        ran=ran,
        current=row.key,
        version=row.version,
        artifact=row.artifact,
        sha=row.sha,
        actor=row.actor,
        since=row.position,
        type=row.type,
    )


def _attempted(place: Place, row: Deployment) -> Place:
    """The place with the newest attempt set: the one that began last."""
    if place.attempt != row.key and (row.first_at, row.first) < (place.attempt_at, place.attempt_first):
        return place
    return replace(
        place,
        attempt=row.key,
        attempt_status=row.status,
        attempt_version=row.version,
        attempt_actor=row.actor,
        attempt_at=row.first_at,
        attempt_first=row.first,
        attempt_position=row.position,
    )


def _forget_attempt(row: Deployment, rows: Rows) -> None:
    place = rows.get(PLACES, row.environment, row.service)
    if place and place.attempt == row.key:
        rows.put(
            PLACES,
            replace(
                place,
                attempt=None,
                attempt_status=None,
                attempt_version=None,
                attempt_actor=None,
                attempt_at=-1,
                attempt_first=-1,
                attempt_position=-1,
            ),
        )


# Forward, rollback or redeploy.


def _type(row: Deployment, previous: Deployment | None, rows: Rows) -> str:
    """The type as told; else redeploy of what runs, rollback to what ran earlier, or forward."""
    if row.told_type:
        return row.told_type
    if previous is None:
        return "forward"
    if same(row, previous):
        return "redeploy"
    return "rollback" if _ran_earlier(row, rows) else "forward"


def _ran_earlier(row: Deployment, rows: Rows) -> bool:
    """Whether the same ran in its place before it, as far as reports of it are known."""
    for what in _whats(row):
        known = rows.get(KNOWN, what)
        for first in known.of(row.environment) if known else ():
            other = deployment_of(first, rows)
            if other and other.key != row.key and _ran_before(other, row) and same(row, other):
                return True
    return False


def _ran_before(other: Deployment, row: Deployment) -> bool:
    return other.succeeded and other.place < row.place and not _elsewhere(other, row)


def _whats(row: Deployment) -> list[int]:
    """Where the service keeps what it knows by the digest, commit and version of a deployment."""
    found = []
    if row.artifact:
        found.append(by_digest(row.artifact))
    if row.sha:
        found.append(by_commit(row.sha))
    if row.version:
        found.append(by_version(row.version))
    return [known_key(row.service, what) for what in found]


# Removals and late declarations.


def _remove(index: int, entry: Entry, rows: Rows) -> None:
    service, environment = names.place_in(entry, rows)
    if service is None or environment is None:
        return
    place, at = _place(environment, service, rows), moment(entry)
    if place.removed_at is None or (at, index) > (place.removed_at, place.removed):
        place = replace(place, removed_at=at, removed=index)
    rows.put(PLACES, _with_current(place, place.ran, None, rows))


def _environment_declared(data: dict[str, Any], rows: Rows) -> None:
    """What was told under other names of it before stands in the declared environment from now on."""
    declared = text(data, "environment")
    everywhere = rows.get(MEMBER_LISTS, EVERYWHERE)
    for told in everywhere.services if everywhere and declared else ():
        members = rows.get(MEMBER_LISTS, told)
        if declared is None or members is None or told == declared:
            continue
        if names.environment_of(told, rows) == declared:
            for service in members.services:
                _move((told, service), (declared, service), None, rows)
            rows.drop(MEMBER_LISTS, told)


def _service_declared(data: dict[str, Any], rows: Rows) -> None:
    """As for environments; by the repository's name only what came from that repository."""
    declared = text(data, "service")
    row = rows.get(names.SERVICES, declared) if declared else None
    everywhere = rows.get(MEMBER_LISTS, EVERYWHERE)
    if declared is None or row is None or everywhere is None:
        return
    only_here = [where for where in row.repositories if names.services_in(where, rows) == [declared]]
    for environment in everywhere.services:
        members = rows.get(MEMBER_LISTS, environment)
        for told in members.services if members else ():
            if told == declared:
                continue
            if names.service_named(told, rows) == declared:
                _move((environment, told), (environment, declared), None, rows)
            for where in only_here:
                if where.rpartition("/")[2] == told.lower():
                    _move((environment, told), (environment, declared), where, rows)


def _move(old: tuple[str, str], new: tuple[str, str], repository: str | None, rows: Rows) -> None:
    """Move what stands in one place (environment, service) to another; only from a repository, if given."""
    (environment, service), (to_environment, to_service) = old, new
    place = rows.get(PLACES, environment, service)
    if place is None:
        return
    attempt = [] if place.attempt is None else [place.attempt]
    keys = dict.fromkeys([spot[2] for spot in place.ran] + attempt)
    for key in keys:
        row = _row(key, rows)
        if row and (row.environment, row.service) == (environment, service) and _from(row, repository):
            for report in row.reports:
                offer(report, to_service, to_environment, rows)
            settle(row, replace(row, environment=to_environment, service=to_service), rows)
    left = rows.get(PLACES, environment, service)
    if left and not left.ran and left.attempt is None:
        if left.removed_at is not None:
            there = _place(to_environment, to_service, rows)
            if (left.removed_at, left.removed) > (there.removed_at or 0, there.removed):
                there = replace(there, removed_at=left.removed_at, removed=left.removed)
                rows.put(PLACES, _with_current(there, there.ran, None, rows))
        rows.drop(PLACES, environment, service)


def _from(row: Deployment, repository: str | None) -> bool:
    if repository is None:
        return True
    return row.repository is not None and (
        row.repository == repository or row.repository.endswith(f"/{repository}")
    )
