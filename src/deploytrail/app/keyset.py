"""Walking rows in the order of a key, from where the page before ended: no counting, no skipping over.

A cursor holds the place of the last row that was looked at, so that it stays good whatever is recorded since.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec

from deploytrail.app.ports import Derived, R
from deploytrail.errors import Refused
from deploytrail.projections.tables import Table

# What every database can hold.
Whole = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Spot = tuple[Whole, Whole]

MAX_CURSOR: Final = 2_000
# Rows of one step: few at first, since most readers want few.
_FIRST: Final = 16
_STEP: Final = 500


def written(place: Any) -> str:
    """The cursor of a place."""
    return urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode("ascii")


def read(cursor: str | None, type_: Any) -> Any:
    """The place, of a type, that a cursor holds; None without one.

    Refused("bad-input") if no page of this list gave it.
    """
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(raw, type=type_)
    except (ValueError, RecursionError):
        place = None
    # One spelling only: what comes back must be what was given.
    if place is None or written(place) != cursor or "\0" in repr(place):
        raise Refused(
            "bad-input", 'This "cursor" was not given by this list. Begin again without one.'
        ) from None
    return place


def newest(
    derived: Derived,
    table: Table[R],
    where: Mapping[str, str | int],
    order: tuple[str, str],
    below: tuple[int, Any] | None = None,
    above: int | None = None,
) -> Iterator[R]:
    """Rows equal to `where`, newest first by two columns, strictly below a place, the first one over `above`.

    An index over `where` and both columns must serve it.
    """
    size = _FIRST
    while True:
        rows, more = _step(derived, table, where, order, below, above, size)
        yield from rows
        if not more:
            return
        below = getattr(rows[-1], order[0]), getattr(rows[-1], order[1])
        size = min(_STEP, size * 4)


def _step(
    derived: Derived,
    table: Table[R],
    where: Mapping[str, str | int],
    order: tuple[str, str],
    below: tuple[int, Any] | None,
    above: int | None,
    size: int,
) -> tuple[list[R], bool]:
    """About `size` further rows, and whether there may be more."""
    first, second = order
    alike: list[R] = []
    if below is not None:
        here = {**where, first: below[0]}
        alike = derived.page(table, where=here, order=second, below=below[1], limit=size)
        if len(alike) == size:
            return alike, True
    rows = derived.page(
        table, where=where, order=first, below=below[0] if below else None, above=above, limit=size
    )
    full = len(rows) == size
    if full:
        # Of the last value there may be more rows than came.
        last = getattr(rows[-1], first)
        rows = [row for row in rows if getattr(row, first) != last]
        ends = derived.page(table, where={**where, first: last}, order=second, limit=size)
    else:
        ends = []
    rows.sort(key=lambda row: (getattr(row, first), getattr(row, second)), reverse=True)
    return [*alike, *rows, *ends], full
