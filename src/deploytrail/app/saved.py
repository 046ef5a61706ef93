"""Saved filters of the trail: a name, and the filter as an address has it.

They are seen by everybody who may see, and removed by whoever saved them or by an administrator. They are
ephemeral: nothing is proven by them, so that no fact tells of them, and names that people choose are kept
where an erasure reaches them.
"""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from deploytrail.app.access import Session
from deploytrail.app.ports import Clock, Registry
from deploytrail.app.views import Filter
from deploytrail.errors import Refused

AREA: Final = "filter"
# So many in the house: chips are to be looked through at a glance.
MAX_SAVED: Final = 40
MAX_NAME: Final = 40


class SavedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """One saved filter. `by` is the subject id of whoever saved it, `at` when, in UTC milliseconds."""

    name: str
    filter: Filter
    by: str
    at: int


class Saved:
    """Keeps saved filters. `filter.actor` is a subject id, never a name."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry, self._clock = registry, clock
        # What is there is looked at and then added to: one at a time.
        self._saving = threading.Lock()

    def every(self) -> list[SavedFilter]:
        """All of them, by name."""
        found = [msgspec.convert(row, SavedFilter) for _, row in self._registry.items(AREA)]
        return sorted(found, key=lambda one: (one.name.casefold(), one.name))

    def save(self, by: Session, name: str, wanted: Filter) -> None:
        """Save a filter, or replace one's own of the same name.

        Refused("bad-input") for a name or filter that cannot be, "conflict" for the name of another's, or
        when there are as many as can be looked through.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise Refused(
                "bad-input", f"The name of a filter has 1 to {MAX_NAME} signs. Give it another one."
            )
        if wanted == Filter():
            raise Refused(
                "bad-input", "Nothing is filtered here, so there is nothing to save. Choose a filter."
            )
        if wanted.actor is not None and not wanted.actor.startswith("s_"):
            raise Refused("bad-input", "A person in a filter is named by their id. Choose one from the list.")
        with self._saving:
            others = self.every()
            known = next((one for one in others if one.name.casefold() == name.casefold()), None)
            if known is not None and known.by != by.subject:
                raise Refused(
                    "conflict", "Somebody else saved a filter under this name. Choose another name."
                )
            if known is None and len(others) >= MAX_SAVED:
                raise Refused("conflict", f"There are {MAX_SAVED} saved filters already. Remove one first.")
            one = SavedFilter(name=name, filter=wanted, by=by.subject, at=self._clock.now())
            self._registry.put(AREA, name.casefold(), msgspec.to_builtins(one))

    def remove(self, by: Session, name: str) -> None:
        """Remove one's own, or as an administrator anybody's.

        Refused("not-found") if there is none, "forbidden" if it is another's.
        """
        with self._saving:
            row = self._registry.row(AREA, name.casefold())
            if row is None:
                raise Refused("not-found", "There is no saved filter of this name any more.")
            if row["by"] != by.subject and by.role != "administrator":
                raise Refused(
                    "forbidden", "Somebody else saved this filter: they or an administrator remove it."
                )
            self._registry.take(AREA, name.casefold())
