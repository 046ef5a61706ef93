"""The derived rows held against rows made anew from the entries, table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from deploytrail.app.follow import fold_batch
from deploytrail.app.fsck_walk import Entries
from deploytrail.app.judging import Unshown, told
from deploytrail.app.ports import Derived, InspectedDerived, Row
from deploytrail.evidence.check import Faults

_FOLDED: Final = 2_500


class Folded:
    """The derived rows held against rows made anew from the entries."""

    def __init__(self, entries: Entries, derived: InspectedDerived) -> None:
        self._entries, self._derived = entries, derived

    def all(self, faults: Faults) -> str:
        """Check 15."""
        for words in self._derived.damage():
            faults.add(words)
        if not faults.count and not self._derived.ours():
            return "Made by another version: nobody reads them, and the next start makes them anew."
        cursor = self._cursor(faults)
        if not self._entries.whole:
            raise Unshown("Not looked at: entries are missing or cannot be read.")
        if cursor is None:
            return ""
        if not 0 <= cursor <= self._entries.size:
            size = self._entries.size
            faults.add(f"The cursor (table derivation) stands at {cursor}, but the log has {size} entries.")
            cursor = self._entries.size
        with self._derived.again() as (fresh, view):
            self._fold(fresh, cursor)
            with view:
                rows = sum(self._compare(faults, view, *table) for table in self._derived.tables)
        behind = self._entries.size - cursor
        more = f" The last {behind:,} entries are not folded in yet." if behind else ""
        return f"Tables: {len(self._derived.tables)}, rows: {rows:,}.{more}"

    def _cursor(self, faults: Faults) -> int | None:
        rows = self._derived.cursor_rows()
        for id, _ in rows:
            if id != 1:
                faults.add(f"There is a cursor row with the id {id} (table derivation).")
        cursor = next((cursor for id, cursor in rows if id == 1), None)
        if type(cursor) is not int:
            faults.add("The cursor row is missing, or no number (table derivation).")
            return None
        return cursor

    def _fold(self, fresh: Derived, cursor: int) -> None:
        for start in range(0, cursor, _FOLDED):
            stop = min(start + _FOLDED, cursor)
            fold_batch(fresh, [Row(*row) for row in self._entries.bodies(start, stop)])
            self._entries.tell(stop, "derived rows")

    def _compare(
        self,
        faults: Faults,
        view: InspectedDerived,
        table: str,
        columns: tuple[str, ...],
        key: tuple[str, ...],
    ) -> int:
        """Both tables row by row, in the order of their keys; how many rows there should be."""
        places = [columns.index(name) for name in key]
        stored, expected = self._derived.rows(table), view.rows(table)
        count = 0
        try:
            for there, right in _side_by_side(stored, expected, places):
                count += right is not None
                if there == right and _sorts(there) == _sorts(right):
                    continue
                row = there if right is None else right
                name = f"Table {table}, row {_shown(row, places)}"
                if right is None:
                    faults.add(f"{name} is too much.")
                elif there is None:
                    faults.add(f"{name} is missing.")
                else:
                    wrong = [
                        column
                        for column, found, good in zip(columns, there, right, strict=True)
                        if found != good or type(found) is not type(good)
                    ]
                    faults.add(f"{name} differs in {', '.join(wrong)}.")
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


def _sorts(row: _Values | None) -> list[type] | None:
    return None if row is None else [type(value) for value in row]


def _shown(row: _Values | None, places: list[int]) -> str:
    return "" if row is None else "/".join(str(row[place])[:80] for place in places)
