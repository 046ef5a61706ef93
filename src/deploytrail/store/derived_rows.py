"""What every store of derived rows shares: columns and their values, a unit of work, and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.projections.tables import R, Table

_PLAIN: Final = (int, str, bool)


class Column(msgspec.Struct, frozen=True):
    """One column: `sort` is int, str or bool, or bytes for the row itself."""

    name: str
    sort: str
    nullable: bool


# Holds the whole row; the columns before it only find it.
ROW: Final = Column("row", "bytes", nullable=False)


def columns_of(table: Table[Any]) -> tuple[Column, ...]:
    """The columns of a table: its key, what its indexes are asked by, then the row itself."""
    hints = get_type_hints(table.row)
    names = dict.fromkeys([*table.key, *(name for columns in table.indexes for name in columns)])
    return (*(_column(name, hints[name]) for name in names), ROW)


def shape_of(table: Table[Any]) -> str:
    """The fields of a table's rows in words. Rows that were kept under other words cannot be read."""
    hints = get_type_hints(table.row)
    return f"{table.name}: " + ", ".join(f"{name} {hints[name]}" for name in table.row.__struct_fields__)


def _column(name: str, hint: Any) -> Column:
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    [plain] = [arm for arm in arms if arm is not type(None)]
    if plain not in _PLAIN:
        raise TypeError(f"{name} is {hint}; rows are found by whole numbers, texts and truth only")
    return Column(name, plain.__name__, type(None) in arms)


class Codec:
    """Rows of one table to the values of its columns, and back. The row itself is MessagePack."""

    def __init__(self, table: Table[Any]) -> None:
        self.columns = columns_of(table)
        self._found_by = attrgetter(*(column.name for column in self.columns[:-1]))
        self._single = len(self.columns) == 2
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._decode = msgspec.msgpack.Decoder(table.row).decode

    def values(self, row: Any) -> tuple[Any, ...]:
        """The values of a row, as columns take them."""
        found, data = self._found_by(row), self._encode(row)
        return (found, data) if self._single else (*found, data)

    def row(self, data: bytes) -> Any:
        """The row of its last column's value."""
        return self._decode(data)


UNSEEN: Final = object()


class Recent:
    """About the last `most` to twice as many rows of one table that were seen, None where there is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[tuple[Any, ...], Any] = {}
        self._old: dict[tuple[Any, ...], Any] = {}

    def find(self, key: tuple[Any, ...]) -> Any:
        """The row with this key, None for one that is known not to be there; UNSEEN if nothing is known."""
        found = self._young.get(key, UNSEEN)
        return self._old.get(key, UNSEEN) if found is UNSEEN else found

    def update(self, seen: Mapping[tuple[Any, ...], Any]) -> None:
        """Take in what was seen; what was not seen again for long goes."""
        self._young.update(seen)
        if len(self._young) > self._most:
            self._old, self._young = self._young, {}


# A row by table and key as committed, and many of them: those that there are.
Load = Callable[[Table[Any], tuple[Any, ...]], Any]
LoadMany = Callable[[Table[Any], Sequence[tuple[Any, ...]]], Mapping[tuple[Any, ...], Any]]


class Work:
    """A unit of work: implements tables.Rows over committed rows.

    `seen` holds, by table and key, every row as it stands in this unit, None where there is none; `changed`
    the keys that are to be written.
    """

    def __init__(self, load: Load, load_many: LoadMany | None = None) -> None:
        self._load, self._load_many = load, load_many
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

    def foresee(self, table: Table[R], keys: Sequence[tuple[Any, ...]]) -> None:
        """Get rows that are going to be read, all at once."""
        if self._load_many is None:
            return
        seen = self.seen.setdefault(table.name, {})
        wanted = sorted({key for key in keys if key not in seen})
        found = self._load_many(table, wanted)
        seen.update((key, found.get(key)) for key in wanted)

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
