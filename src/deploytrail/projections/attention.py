"""Deliveries that were set aside and wait for somebody to look."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import milliseconds, text, whole
from deploytrail.projections.tables import Rows, Table


class SetAside(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One delivery that was kept but not read; `size` in bytes, `received_at` in UTC milliseconds."""

    index: int
    source: str
    event: str
    reason: str
    size: int
    received_at: int
    delivery_id: str | None = None


class Aside(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Which entry set the delivery of this commitment aside."""

    commitment: str
    index: int


SET_ASIDE: Final = Table("set_aside", SetAside, ("index",))
_ASIDE: Final = Table("aside", Aside, ("commitment",))


class Attention:
    """The projection of what needs attention."""

    name = "attention"
    kinds: frozenset[str] | None = None
    version = 2
    tables: tuple[Table[Any], ...] = (SET_ASIDE, _ASIDE)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a delivery that was set aside; take it out again once it could be read."""
        if entry.kind != "delivery.set_aside":
            self._read(entry, rows)
            return
        if entry.delivery is not None:
            rows.put(_ASIDE, Aside(entry.delivery, index))
        rows.put(
            SET_ASIDE,
            SetAside(
                index=index,
                source=entry.source,
                event=text(entry.data, "event") or "unknown",
                reason=text(entry.data, "reason") or "",
                size=whole(entry.data, "size") or 0,
                received_at=milliseconds(entry.received_at) or 0,
                delivery_id=text(entry.data, "delivery_id"),
            ),
        )

    def _read(self, entry: Entry, rows: Rows) -> None:
        """A fact of a delivery that was set aside before."""
        aside = rows.get(_ASIDE, entry.delivery) if entry.delivery is not None else None
        if aside is not None:
            rows.drop(SET_ASIDE, aside.index)
            rows.drop(_ASIDE, aside.commitment)
