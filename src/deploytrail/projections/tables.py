"""How a projection declares its rows; stores make tables of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from deploytrail.facts.entry import Entry

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Kept(Generic[R]):
    """Another Struct that holds all of a row in less room, and the ways there and back: `narrow` gives the
    values of its fields, of which two or more are of the key or of an index, and two or more are not."""

    as_: type[msgspec.Struct]
    narrow: Callable[[R], tuple[Any, ...]]
    wide: Callable[[Any], R]


def attributes(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of these attributes, always as a tuple."""
    found = attrgetter(*names)
    # A table may be sent to another process, which takes no function that has no name.
    return found if len(names) > 1 else partial(_alone, found)


def _alone(found: Callable[[Any], Any], row: Any) -> tuple[Any, ...]:
    return (found(row),)


class Table(Generic[R]):
    """A derived table: `row` is a frozen msgspec Struct.

    `key` names the columns of the primary key; `indexes` the column tuples that pages ask by. `words` are
    columns of text with few values: a store may keep each text once, so they say nothing about order.
    `kept` is how rows are kept, where that is narrower than the row itself.
    """

    def __init__(
        self,
        name: str,
        row: type[R],
        key: tuple[str, ...],
        indexes: tuple[tuple[str, ...], ...] = (),
        *,
        words: tuple[str, ...] = (),
        kept: Kept[R] | None = None,
    ) -> None:
        self.name = name
        self.row = row
        self.key = key
        self.indexes = indexes
        self.words = frozenset(words)
        self.kept = kept
        if self.words & {*key, *(columns[-1] for columns in indexes)}:
            raise ValueError(f"{name}: words have no order")
        # The primary key of a row.
        self.key_of: Callable[[R], tuple[Any, ...]] = attributes(key)

    def serves(self, where: Collection[str], order: str) -> bool:
        """Whether key or an index gives the rows equal in `where` in the order of `order`, without a scan."""
        fixed = set(where) - {order}
        return any(
            set(columns[: len(fixed)]) == fixed and columns[len(fixed) : len(fixed) + 1] == (order,)
            for columns in (self.key, *self.indexes)
        )


class Readable(Protocol):
    """Rows that can be read by key."""

    def get(self, table: Table[R], *key: str | int) -> R | None:
        """The row with this key."""


class Rows(Readable, Protocol):
    """The rows that a fold may read and write: what is put is seen by the next get.

    `memo` holds what folds worked out from rows for others of the same unit; who changes those empties it.
    """

    memo: dict[Any, Any]

    def foresee(self, table: Table[R], keys: Sequence[tuple[Any, ...]]) -> None:
        """Say which rows are going to be read: it changes nothing but saves many single questions."""

    def put(self, table: Table[R], row: R) -> None:
        """Insert or replace."""

    def drop(self, table: Table[R], *key: str | int) -> None:
        """Delete, if it is there."""


class Foreseeing(Protocol):
    """A projection that knows what it is going to read."""

    def foresee(self, start: int, entries: Sequence[Entry], rows: Rows) -> None:
        """Tell `rows` what folding these entries, from the index `start` on, is going to read, as far as that
        is known and worth it."""


class Projection(Protocol):
    """One projection: its tables, and how one entry changes them. A change of `version` means: rebuild.

    `kinds`: only entries of these change anything; None where that is not told by the kind.
    """

    name: str
    kinds: frozenset[str] | None
    version: int
    tables: tuple[Table[Any], ...]

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Fold the entry at `index` into the rows. Pure: the same entries give the same rows, always."""
