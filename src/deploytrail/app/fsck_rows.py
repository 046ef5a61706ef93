"""The derived rows held against rows made anew from the entries, table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any, Final

from deploytrail.app.follow import fold_batch
from deploytrail.app.fsck_part import unpacked
from deploytrail.app.fsck_walk import Entries
from deploytrail.app.judging import Unshown, told
from deploytrail.app.ports import Derived, Inspected, InspectedDerived, Row
from deploytrail.evidence.check import Faults

_FOLDED: Final = 2_500
_PAGE: Final = 1_000


class Folded:
    """What was found out about the rows: `file` without folding anything, `rows` by it.

    `cursor` is how many entries they say they are of, `folded` how many of these the log has. `ours` is
    False where another version made them.
    """

    def __init__(self) -> None:
        self.file, self.rows = Faults(), Faults()
        self.ours = True
        self.cursor: int | None = None
        self.folded = self.tables = self.count = 0


def compared(
    again: Iterator[int | Folded], damage: Iterator[list[str] | None], entries: Entries, faults: Faults
) -> str:
    """Check 15, from what `fold_again` makes, and what the database finds wrong with its file."""
    found = Folded()
    for step in again:
        if isinstance(step, Folded):
            found = step
        else:
            entries.tell(min(step, entries.size), "derived rows")
    faults.join(found.file)
    if not found.file.count:
        for words in next(damage) or []:
            faults.add(words)
    if not found.ours:
        return "Made by another version: nobody reads them, and the next start makes them anew."
    if not entries.whole:
        raise Unshown("Not looked at: entries are missing or cannot be read.")
    faults.join(found.rows)
    if found.cursor is None:
        return ""
    if not 0 <= found.cursor <= found.folded:
        size = entries.size
        faults.add(f"The cursor (table derivation) stands at {found.cursor}, but the log has {size} entries.")
    behind = max(entries.size - found.cursor, 0)
    more = f" The last {behind:,} entries are not folded in yet." if behind else ""
    return f"Tables: {found.tables}, rows: {found.count:,}.{more}"


def fold_again(derived: InspectedDerived, log: Inspected) -> Iterator[int | Folded]:
    """Make the rows anew and hold the stored ones against them: how many entries are folded, again and again,
    then what was found. Neither view was entered; nothing that is wrong with them is raised.
    """
    found = Folded()
    with ExitStack() as views:
        try:
            # The rows first: they follow the log, so that they are never ahead of it.
            views.enter_context(derived)
            _file(found, derived)
        except Exception as error:
            found.file.add(told(error))
        else:
            try:
                views.enter_context(log)
                yield from _fold(found, derived, log)
            except Exception as error:
                found.rows.add(told(error))
    yield found


def _file(found: Folded, derived: InspectedDerived) -> None:
    if not derived.ours():
        found.ours = False
        return
    cursor = None
    for id, value in derived.cursor_rows():
        if id == 1:
            cursor = value
        else:
            found.file.add(f"There is a cursor row with the id {id} (table derivation).")
    if type(cursor) is int:
        found.cursor = cursor
    else:
        found.file.add("The cursor row is missing, or no number (table derivation).")


def _fold(found: Folded, derived: InspectedDerived, log: Inspected) -> Iterator[int]:
    if found.cursor is None:
        return
    with derived.again() as (fresh, view):
        for done in _folding(fresh, log, found.cursor):
            found.folded = done
            yield done
        with view:
            for table in derived.tables:
                found.tables += 1
                found.count += _compare(found.rows, derived, view, *table)


def _folding(fresh: Derived, log: Inspected, cursor: int) -> Iterator[int]:
    """Fold what there is up to the cursor."""
    at = 0
    while at < cursor:
        rows = log.entry_rows(at, min(at + _FOLDED, cursor), _FOLDED)
        if not rows:
            return
        entries = [Row(index, leaf, unpacked(body)) for index, leaf, body in rows]
        fold_batch(fresh, entries)
        at = rows[-1][0] + 1
        yield at


def _compare(
    faults: Faults,
    derived: InspectedDerived,
    view: InspectedDerived,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
) -> int:
    """Both tables row by row, in the order of their keys; how many rows there should be."""
    places = [columns.index(name) for name in key]
    count = 0
    try:
        stored, expected = derived.rows(table), view.rows(table)
        while True:
            there, right = list(islice(stored, _PAGE)), list(islice(expected, _PAGE))
            if there != right or _sorts(there) != _sorts(right):
                break
            if not there:
                return count
            count += len(right)
        for one, other in _side_by_side(chain(there, stored), chain(right, expected), places):
            count += other is not None
            if one != other or _sorts([one or ()]) != _sorts([other or ()]):
                faults.add(f"Table {table}, row {_named(columns, places, one, other)}")
    except Exception as error:
        faults.add(f"Table {table} cannot be read: {told(error)}")
    return count


_Values = tuple[Any, ...]


def _side_by_side(
    left: Iterable[_Values], right: Iterable[_Values], places: list[int]
) -> Iterator[tuple[_Values | None, _Values | None]]:
    """Rows of the same key together, None where one side has none; both sides in the order of their keys."""
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        order = 0 if a is None or b is None else _compared(a, b, places)
        if b is None or (a is not None and order < 0):
            yield a, None
            a = next(lefts, None)
        elif a is None or order > 0:
            yield None, b
            b = next(rights, None)
        else:
            yield a, b
            a, b = next(lefts, None), next(rights, None)


def _compared(a: _Values, b: _Values, places: list[int]) -> int:
    """Below, equal or above, as SQLite orders keys: nothing, numbers, texts, bytes."""
    left, right = ([_rank(row[place]) for place in places] for row in (a, b))
    return (left > right) - (left < right)


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    if isinstance(value, str):
        return 2, value.encode("utf-8", "surrogateescape")
    return 3, value


def _sorts(rows: Iterable[_Values]) -> list[type]:
    """Of every value its type: truth, 1 and 1.0 are equal."""
    return [type(value) for row in rows for value in row]


def _named(columns: tuple[str, ...], places: list[int], there: _Values | None, right: _Values | None) -> str:
    """A row by its key, and what is wrong with it."""
    if there is None or right is None:
        row, what = (there, "is too much") if right is None else (right, "is missing")
    else:
        wrong = [
            column
            for column, found, good in zip(columns, there, right, strict=True)
            if found != good or type(found) is not type(good)
        ]
        row, what = there, f"differs in {', '.join(wrong)}"
    assert row is not None
    return f"{'/'.join(str(row[place])[:80] for place in places)} {what}."
