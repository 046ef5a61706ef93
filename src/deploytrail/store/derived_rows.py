"""What every store of derived rows shares: columns and their values, a unit of work, and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from operator import attrgetter, itemgetter
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.projections.tables import R, Table, attributes

_PLAIN: Final = (int, str, bool)


class Column(msgspec.Struct, frozen=True):
    """One column: `sort` is int, str or bool, word for a text that is kept once, or bytes for the rest."""

    name: str
    sort: str
    nullable: bool


# What no column of its own holds.
REST: Final = Column("rest", "bytes", nullable=False)


def columns_of(table: Table[Any]) -> tuple[Column, ...]:
    """The columns of a table: its key, what its indexes are asked by, then the rest of the row together.

    Rows of plain values only have a column for each of them.
    """
    fields = _fields(table)
    if all(_plain(hint) for hint in fields.values()):
        return tuple(_column(table, name, hint) for name, hint in fields.items())
    names = dict.fromkeys([*table.key, *(name for columns in table.indexes for name in columns)])
    return (*(_column(table, name, fields[name]) for name in names), REST)


def shape_of(table: Table[Any]) -> str:
    """The fields of a table's rows in words. Rows that were kept under other words cannot be read."""
    return f"{table.name}: " + ", ".join(f"{name} {hint}" for name, hint in _fields(table).items())


def _fields(table: Table[Any]) -> dict[str, Any]:
    """The fields of a row as it is kept, with their types."""
    row = table.kept.as_ if table.kept else table.row
    hints = get_type_hints(row)
    return {name: hints[name] for name in row.__struct_fields__}


def _arms(hint: Any) -> list[Any]:
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [arm for arm in arms if arm is not type(None)]


def _plain(hint: Any) -> bool:
    arms = _arms(hint)
    return len(arms) == 1 and arms[0] in _PLAIN


def _column(table: Table[Any], name: str, hint: Any) -> Column:
    if not _plain(hint):
        raise TypeError(f"{name} is {hint}; rows are found by whole numbers, texts and truth only")
    sort = "word" if name in table.words else _arms(hint)[0].__name__
    return Column(name, sort, type(None) in get_args(hint))


class Codec:
    """Rows of one table to the values of its columns, and back. The rest of a row is MessagePack."""

    def __init__(self, table: Table[Any]) -> None:
        self.columns = columns_of(table)
        self._narrow = table.kept.narrow if table.kept else None
        self._wide = table.kept.wide if table.kept else None
        fields = _fields(table)
        self._make = table.kept.as_ if table.kept else table.row
        plain = [column for column in self.columns if column is not REST]
        names = [column.name for column in plain]
        rest = [name for name in fields if name not in names]
        self._truths = [place for place, column in enumerate(plain) if column.sort == "bool"]
        self._found_by: Callable[[Any], tuple[Any, ...]] = attributes(names)
        self._others: Callable[[Any], Any] | None = attrgetter(*rest) if rest else None
        if table.kept:
            places = list(fields)
            self._found_by = itemgetter(*map(places.index, names))
            self._others = itemgetter(*map(places.index, rest))
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        # Of one field the value itself, of several an array.
        types = tuple(fields[name] for name in rest)
        type_: Any = types[0] if len(types) == 1 else tuple.__class_getitem__(types)
        self._decode = msgspec.msgpack.Decoder(type_).decode
        self._one = len(rest) == 1
        # From columns and rest to the fields in their order; none where that is the order.
        told = [*names, *rest]
        self._order = itemgetter(*map(told.index, fields)) if told != list(fields) else None

    def values(self, row: Any) -> tuple[Any, ...]:
        """The values of a row, as columns take them; of words the text."""
        return self.each([row])[0]

    def each(self, rows: Iterable[Any]) -> list[tuple[Any, ...]]:
        """The values of rows, as `values`."""
        if self._narrow is not None:
            rows = map(self._narrow, rows)
        found_by, others, encode = self._found_by, self._others, self._encode
        if others is None:
            return list(map(found_by, rows))
        return [(*found_by(row), encode(others(row))) for row in rows]

    def row(self, values: Sequence[Any]) -> Any:
        """The row of these values."""
        if self._others is None:
            told = values
        elif self._one:
            told = (*values[:-1], self._decode(values[-1]))
        else:
            told = (*values[:-1], *self._decode(values[-1]))
        if self._truths:
            truths = self._truths
            told = [
                bool(value) if place in truths and value is not None else value
                for place, value in enumerate(told)
            ]
        row = self._make(*told) if self._order is None else self._make(*self._order(told))
        return row if self._wide is None else self._wide(row)


UNSEEN: Final = object()


class Recent:
    """About the last `most` rows of one table that were seen, None where there is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The newest first; in each what was seen at a time.
        self._parts: list[dict[tuple[Any, ...], Any]] = []

    def find(self, key: tuple[Any, ...]) -> Any:
        """The row with this key, None for one that is known not to be there; UNSEEN if nothing is known."""
        for part in self._parts:
            if key in part:
                return part[key]
        return UNSEEN

    def among(self, keys: Set[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """What is known of these keys, as `find`."""
        found: dict[tuple[Any, ...], Any] = {}
        for part in reversed(self._parts):
            found.update((key, part[key]) for key in part.keys() & keys)
        return found

    def update(self, seen: dict[tuple[Any, ...], Any]) -> None:
        """Take in what was seen, which nobody changes any more; what was not seen again for long goes."""
        if self._parts and len(self._parts[0]) < self._most // 4:
            self._parts[0].update(seen)
        else:
            self._parts.insert(0, seen)
        while sum(map(len, self._parts[:-1])) >= self._most:
            self._parts.pop()


# A row by table and key as committed, and many of them: those that there are.
Load = Callable[[Table[Any], tuple[Any, ...]], Any]
LoadMany = Callable[[Table[Any], Set[tuple[Any, ...]]], dict[tuple[Any, ...], Any]]


class Work:
    """A unit of work: implements tables.Rows over committed rows.

    `seen` holds, by table and key, every row as it stands in this unit, None where there is none; `changed`
    the keys that are to be written.
    """

    def __init__(self, load: Load, load_many: LoadMany | None = None) -> None:
        self._load, self._load_many = load, load_many
        self.memo: dict[Any, Any] = {}
        self.seen: dict[str, dict[tuple[Any, ...], Any]] = {}
        self.changed: dict[str, dict[tuple[Any, ...], None]] = {}

    def get(self, table: Table[R], *key: str | int) -> R | None:
        """The row with this key, as it stands in this unit of work."""
        found: R | None
        try:
            found = self.seen[table.name][key]
        except KeyError:
            found = self.seen.setdefault(table.name, {})[key] = self._load(table, key)
        return found

    def foresee(self, table: Table[R], keys: Sequence[tuple[Any, ...]]) -> None:
        """Get rows that are going to be read, all at once."""
        if self._load_many is None:
            return
        seen = self.seen.setdefault(table.name, {})
        wanted = set(keys).difference(seen)
        seen.update(dict.fromkeys(wanted) | self._load_many(table, wanted))

    def put(self, table: Table[R], row: R) -> None:
        """Insert or replace."""
        name, key = table.name, table.key_of(row)
        try:
            self.changed[name][key] = None
            self.seen[name][key] = row
        except KeyError:
            self._set(table, key, row)

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
        seen = self.seen.get(table.name, {})
        # In their order, so that neighbours are written together.
        for key in sorted(self.changed.get(table.name, ())):
            row = seen[key]
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
