"""What every store of derived rows shares: columns and their values, a unit of work, and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.projections.tables import R, Table

_PLAIN: Final = (int, str, bool)


class Column(msgspec.Struct, frozen=True):
    """One column: `sort` is int, str, bool, or json for everything else, which is kept as JSON text."""

    name: str
    sort: str
    nullable: bool


def columns_of(table: Table[Any]) -> tuple[Column, ...]:
    """The columns of a table, in the order of its row's fields."""
    hints = get_type_hints(table.row)
    return tuple(_column(name, hints[name]) for name in table.row.__struct_fields__)


def _column(name: str, hint: Any) -> Column:
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    nullable = type(None) in arms
    kinds = [arm for arm in arms if arm is not type(None)]
    plain = kinds[0] if len(kinds) == 1 and kinds[0] in _PLAIN else None
    return Column(name, plain.__name__ if plain else "json", nullable)


class Codec:
    """Rows of one table to the values of its columns, and back."""

    def __init__(self, table: Table[Any]) -> None:
        self.columns = columns_of(table)
        self._row = table.row
        self._names = tuple(column.name for column in self.columns)
        hints = get_type_hints(table.row)
        self._json = [
            (place, msgspec.json.Decoder(hints[column.name]))
            for place, column in enumerate(self.columns)
            if column.sort == "json"
        ]
        self._bools = [place for place, column in enumerate(self.columns) if column.sort == "bool"]
        self._encode = msgspec.json.Encoder(order="deterministic").encode

    def values(self, row: Any) -> tuple[Any, ...]:
        """The values of a row, as columns take them."""
        values = [getattr(row, name) for name in self._names]
        for place, _ in self._json:
            if values[place] is not None:
                values[place] = self._encode(values[place]).decode()
        return tuple(values)

    def row(self, values: Iterable[Any]) -> Any:
        """The row of a column's values."""
        found = list(values)
        for place, decoder in self._json:
            if found[place] is not None:
                found[place] = decoder.decode(found[place])
        for place in self._bools:
            if found[place] is not None:
                found[place] = bool(found[place])
        return self._row(**dict(zip(self._names, found, strict=True)))


# A row by table and key as committed.
Load = Callable[[Table[Any], tuple[Any, ...]], Any]


class Work:
    """A unit of work: implements tables.Rows over committed rows.

    `seen` holds, by table and key, every row as it stands in this unit, None where there is none; `changed`
    the keys that are to be written.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self.seen: dict[str, dict[tuple[Any, ...], Any]] = {}
        self.changed: dict[str, dict[tuple[Any, ...], None]] = {}

    def get(self, table: Table[R], *key: str | int) -> R | None:
        """The row with this key, as it stands in this unit of work."""
        try:
            found: R | None = self.seen[table.name][key]
        except KeyError:
            found = self._load(table, key)
            self.seen.setdefault(table.name, {})[key] = found
        return found

    def put(self, table: Table[R], row: R) -> None:
        """Insert or replace."""
        self._set(table, table.key_of(row), row)

    def drop(self, table: Table[R], *key: str | int) -> None:
        """Delete, if it is there."""
        self._set(table, key, None)

    def _set(self, table: Table[Any], key: tuple[Any, ...], row: Any) -> None:
        name = table.name
        if name not in self.changed:
            self.changed[name] = {}
            self.seen.setdefault(name, {})
        self.seen[name][key] = row
        self.changed[name][key] = None

    def written(self, table: Table[Any]) -> tuple[list[Any], list[tuple[Any, ...]]]:
        """The rows to insert or replace, and the keys to delete."""
        rows, gone = [], []
        for key in self.changed.get(table.name, ()):
            row = self.seen[table.name][key]
            if row is None:
                gone.append(key)
            else:
                rows.append(row)
        return rows, gone


def demand_served(
    table: Table[Any], where: Mapping[str, Any] | None, order: str, prefix: tuple[str, str] | None
) -> None:
    """ValueError for a page that no key or index gives in order: it would read the whole table."""
    if not table.serves(where or {}, order) or (prefix is not None and prefix[0] != order):
        raise ValueError(f"no index of {table.name} serves {sorted(where or {})} ordered by {order}")


class Digest:
    """What tells two tables apart: SHA-256 over all rows in the order of their keys, and their number."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0

    def add(self, values: Iterable[Any]) -> None:
        """One more row, by its columns' values."""
        # Stores give truth as 1; integers and truth must look the same from everywhere.
        plain = [int(value) if isinstance(value, bool) else value for value in values]
        self._hash.update(msgspec.json.encode(plain) + b"\n")
        self._rows += 1

    def told(self) -> dict[str, Any]:
        """The digest as a plain value."""
        return {"rows": self._rows, "sha256": self._hash.hexdigest()}
