"""Deliveries that were set aside and wait for somebody to look."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import milliseconds, text, whole
from deploytrail.projections.tables import Rows, Table


class SetAside(msgspec.Struct, frozen=True):
    """One delivery that was kept but not read; `size` in bytes, `received_at` in UTC milliseconds."""

    index: int
    source: str
    event: str
    reason: str
    size: int
    received_at: int
    delivery_id: str | None = None


SET_ASIDE: Final = Table("set_aside", SetAside, ("index",))


class Attention:
    """The projection of what needs attention."""

    name = "attention"
    version = 1
    tables: tuple[Table[Any], ...] = (SET_ASIDE,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a delivery that was set aside."""
        if entry.kind != "delivery.set_aside":
            return
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
