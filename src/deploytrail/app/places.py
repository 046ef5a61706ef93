"""The page of environments: what runs where, since when, and who brought it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener
from deploytrail.app.views import CellView, EnvironmentView, Mark, Who
from deploytrail.projections.environments import PLACES, Place
from deploytrail.projections.names import ENVIRONMENTS, DeclaredEnvironment, environment_of
from deploytrail.projections.trail import OPTIONS

MAX_ENVIRONMENTS: Final = 200
MAX_SERVICES: Final = 500
# All cells of one page together.
MAX_CELLS: Final = 5_000
# So many places are looked at for a list of services.
MAX_LOOKED: Final = 1_000


class Places:
    """Reads what runs where."""

    def __init__(self, derived: Derived, opener: Opener) -> None:
        self._derived, self._opener = derived, opener

    def views(self) -> list[EnvironmentView]:
        """Environments by rank, then name; those that nobody declared last."""
        rows: dict[str, list[Place]] = {}
        left = MAX_CELLS
        for name in self._names():
            rows[name] = self._derived.page(
                PLACES,
                where={"environment": name},
                order="service",
                descending=False,
                limit=min(MAX_SERVICES, left),
            )
            left -= len(rows[name])
            if left <= 0:
                break
        people = self._opener.people(
            who for places in rows.values() for place in places for who in _named(place)
        )
        return [self._view(name, rows[name], people) for name in self._ranked(list(rows))]

    def of(self, services: Sequence[str]) -> dict[str, list[CellView]]:
        """Where each of these services runs or ran, the environments as in `views`."""
        names = self._ranked(self._names())[: MAX_LOOKED // max(1, len(services))]
        found = {
            service: [place for name in names if (place := self._derived.get(PLACES, name, service))]
            for service in services
        }
        people = self._opener.people(
            who for places in found.values() for place in places for who in _named(place)
        )
        return {service: [_cell(place, people) for place in places] for service, places in found.items()}

    def production(self) -> list[str]:
        """The environments that are declared to be of class production, by rank."""
        declared = {name: self._derived.get(ENVIRONMENTS, name) for name in self._names()}
        return self._ranked([name for name, row in declared.items() if row and row.type == "production"])

    def _ranked(self, names: list[str]) -> list[str]:
        """By rank, then name; those that nobody declared last."""
        return sorted(names, key=lambda name: _order(name, self._derived.get(ENVIRONMENTS, name)))

    def _names(self) -> list[str]:
        declared = self._derived.page(
            ENVIRONMENTS, order="environment", descending=False, limit=MAX_ENVIRONMENTS
        )
        seen = self._derived.page(
            OPTIONS, where={"sort": "environment"}, order="last", limit=MAX_ENVIRONMENTS
        )
        names = [row.environment for row in declared]
        names += [environment_of(option.name, self._derived) for option in seen]
        return list(dict.fromkeys(names))[:MAX_ENVIRONMENTS]

    def _view(self, name: str, places: list[Place], people: dict[str, Who]) -> EnvironmentView:
        declared = self._derived.get(ENVIRONMENTS, name)
        cells = [_cell(place, people) for place in places]
        return EnvironmentView(
            name=name,
            type=declared.type if declared else None,
            rank=declared.rank if declared else None,
            aliases=declared.aliases if declared else [],
            services=sum(place.current is not None for place in places),
            running=sum(cell.mark in ("running", "waiting") for cell in cells),
            failed=sum(cell.mark == "failed" for cell in cells),
            cells=cells,
        )


def _order(name: str, row: DeclaredEnvironment | None) -> tuple[bool, bool, int, str]:
    rank = row.rank if row else None
    return row is None or row.type is None, rank is None, rank or 0, name


def _named(place: Place) -> list[str]:
    return [who for who in (place.actor, place.attempt_actor) if who]


def _cell(place: Place, people: dict[str, Who]) -> CellView:
    mark, word = _state(place)
    # Where nothing ran yet, the attempt is all there is to say.
    attempted = place.current is None and place.attempt is not None and place.removed_at is None
    actor = place.attempt_actor if attempted else place.actor
    shown = place.attempt if attempted else place.current
    return CellView(
        service=place.service,
        environment=place.environment,
        mark=mark,
        word=word,
        version=place.attempt_version if attempted else place.version or (place.sha or "")[:7] or None,
        artifact=place.artifact,
        deployment=None if shown is None else str(shown),
        actor=people.get(actor) if actor else None,
        since=place.attempt_position if attempted else place.since,
    )


def _state(place: Place) -> tuple[Mark, str]:
    if place.attempt is not None and place.attempt != place.current:
        newer = place.since is None or place.attempt_position >= place.since
        if place.attempt_status == "running" and place.attempt_at >= (place.since or 0):
            return "running", "Deploying"
        if place.attempt_status == "waiting" and place.attempt_at >= (place.since or 0):
            return "waiting", "Waiting"
        if place.attempt_status == "failed" and newer:
            return "failed", "Failed" if place.current is None else "Running, last attempt failed"
    if place.current is None:
        return "note", "Removed" if place.removed_at is not None else "Nothing yet"
    return ("rolledback", "Rolled back") if place.type == "rollback" else ("succeeded", "Running")
