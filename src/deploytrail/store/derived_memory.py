"""Derived rows in memory: a real adapter without a disk, for tests and small houses."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from deploytrail.projections.tables import R, Rows, Table
from deploytrail.store.derived_rows import Codec, Digest, Work, demand_served

_Key = tuple[Any, ...]


class MemoryDerived:
    """Implements ports.Derived."""

    def __init__(self, tables: Sequence[Table[Any]]) -> None:
        self._tables = tuple(tables)
        self._lock = threading.RLock()
        self._rows: dict[str, dict[_Key, Any]] = {table.name: {} for table in tables}
        self._cursor = 0

    def cursor(self) -> int:
        return self._cursor

    def begin(self) -> Work:
        return Work(lambda table, key: self._rows[table.name].get(key))

    def commit(self, rows: Rows, cursor: int) -> None:
        assert isinstance(rows, Work)
        with self._lock:
            for table in self._tables:
                there = self._rows[table.name]
                put, gone = rows.written(table)
                there.update((table.key_of(row), row) for row in put)
                for key in gone:
                    there.pop(key, None)
            self._cursor = cursor

    def get(self, table: Table[R], *key: str | int) -> R | None:
        return self._rows[table.name].get(key)

    def page(
        self,
        table: Table[R],
        *,
        where: Mapping[str, str | int] | None = None,
        order: str,
        descending: bool = True,
        below: str | int | None = None,
        above: str | int | None = None,
        prefix: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[R]:
        demand_served(table, where, order, prefix)

        def wanted(row: R) -> bool:
            value = getattr(row, order)
            return (
                value is not None
                and all(getattr(row, name) == asked for name, asked in (where or {}).items())
                and (below is None or value < below)
                and (above is None or value > above)
                and (prefix is None or value.startswith(prefix[1]))
            )

        with self._lock:
            found = [row for row in self._rows[table.name].values() if wanted(row)]
        found.sort(key=lambda row: (getattr(row, order), table.key_of(row)), reverse=descending)
        return found[:limit]

    def digest(self) -> dict[str, Any]:
        told = {}
        with self._lock:
            for table in self._tables:
                digest, codec = Digest(), Codec(table)
                for _, row in sorted(self._rows[table.name].items()):
                    digest.add(codec.values(row))
                told[table.name] = digest.told()
        return told

    def rebuild(self) -> MemoryDerived:
        return MemoryDerived(self._tables)

    def replace(self, other: Any) -> None:
        assert isinstance(other, MemoryDerived)
        with self._lock:
            self._rows, self._cursor = other._rows, other._cursor
