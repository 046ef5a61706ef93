"""What lies in the databases of a house, row by row, for `fsck`: unmoving, and with nothing believed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from deploytrail.app.ports import SumKey
from deploytrail.errors import Refused
from deploytrail.projections.tables import Table
from deploytrail.store import search_sql
from deploytrail.store.derived_rows import columns_of
from deploytrail.store.derived_sql import SqlDerived, ddl, every_row
from deploytrail.store.made_again import shape
from deploytrail.store.postgresql import Schema
from deploytrail.store.snapshot import SHOWN, snapshot

# A subject's hash as it was kept in SQLite before revision 0002, as a text.
_HEX: Final = "printf('%016x', key)"
_SNAPSHOT: Final = ("_snapshot", "_all", "_each", "damage")


class _View:
    """One snapshot of a SQLite file or of a schema, between entering and leaving."""

    def __init__(self, where: Path | Schema) -> None:
        self._where = where
        self._snapshot = snapshot(where)
        self._all, self._each, self.damage = self._snapshot.all, self._snapshot.each, self._snapshot.damage

    def __getstate__(self) -> dict[str, Any]:
        # Another process takes a snapshot of its own.
        return {name: value for name, value in self.__dict__.items() if name not in _SNAPSHOT}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        _View.__init__(self, kept["_where"])

    def _told(self, value: Any) -> Any:
        """Text that somebody told, which PostgreSQL keeps as bytes; in a SQLite file they are a fault."""
        kept = isinstance(self._where, Schema) and isinstance(value, bytes)
        return value.decode("utf-8", "surrogateescape") if kept else value

    def _asked(self, value: Any) -> Any:
        """Such a text as it is kept."""
        return value.encode() if isinstance(self._where, Schema) and isinstance(value, str) else value

    def __enter__(self) -> Self:
        try:
            self._snapshot.open()
        except Refused:
            self._snapshot.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._snapshot.close()


class InspectedLog(_View):
    """Implements ports.Inspected on what a SqlLog keeps."""

    def head_rows(self) -> list[tuple[Any, ...]]:
        return self._all("SELECT id, size, root, frontier, published FROM head ORDER BY id LIMIT 10")

    def entry_rows(self, start: int, stop: int | None = None, limit: int = 500) -> list[tuple[Any, ...]]:
        last = 2**63 - 1 if stop is None else stop - 1
        text = "SELECT idx, leaf, body FROM entry WHERE idx BETWEEN ? AND ? ORDER BY idx LIMIT ?"
        return self._all(text, (start, last, limit))

    def node_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT level, idx, hash FROM node ORDER BY level, idx")

    def checkpoint_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT size, previous, root, note FROM checkpoint ORDER BY size")

    def index_rows(self) -> Iterator[tuple[Any, ...]]:
        if isinstance(self._where, Schema):
            # In the order of the hashes as texts of hex: negative numbers are the higher ones.
            listed = "string_agg(lpad(to_hex(key), 16, '0'), ' ' ORDER BY key < 0, key)"
            return self._each(f"SELECT idx, {listed} FROM subject GROUP BY idx ORDER BY idx")
        pairs = "SELECT doc, term FROM subject_in"
        if self._paired():
            pairs = f"SELECT idx AS doc, {_HEX} AS term FROM subject"
        pairs = f"{pairs} ORDER BY doc, term"
        return self._each(f"SELECT doc, group_concat(term, ' ') FROM ({pairs}) GROUP BY doc")

    def index_sums(self, key: SumKey, prime: int, after: int) -> Iterator[tuple[Any, ...]]:
        if isinstance(self._where, Schema) or self._paired():
            hash = "lpad(to_hex(key), 16, '0')" if isinstance(self._where, Schema) else _HEX
            return self._each(f"SELECT {hash}, {_summed('idx', key, prime, after)} FROM subject GROUP BY key")
        # Hashes come in order, so that nothing is sorted or kept.
        return self._each(f"SELECT term, {_summed('doc', key, prime, after)} FROM subject_in GROUP BY term")

    def _paired(self) -> bool:
        """Whether a file is of a house that no version since revision 0002 has written to."""
        return not self._all("SELECT 1 FROM sqlite_schema WHERE name = 'subject_in'")

    def repeat_rows(self) -> Iterator[tuple[Any, ...]]:
        for index, source, id in self._each("SELECT idx, source, id FROM repeat ORDER BY idx"):
            yield index, self._told(source), self._told(id)

    def repeats_of(self, source: Any, id: Any) -> list[Any]:
        text = "SELECT idx FROM repeat WHERE source = ? AND id = ?"
        return [row[0] for row in self._all(text, (self._asked(source), self._asked(id)))]

    def disclosure_rows(self, start: int, stop: int) -> list[tuple[Any, ...]]:
        text = "SELECT idx, subject, sealed FROM disclosure WHERE idx >= ? AND idx < ? ORDER BY idx, subject"
        return self._all(text, (start, stop))

    def stray_disclosures(self) -> list[tuple[Any, ...]]:
        none = "idx NOT IN (SELECT idx FROM entry)"
        text = f"SELECT idx, subject FROM disclosure WHERE {none} ORDER BY idx LIMIT ?"
        return self._all(text, (SHOWN,))

    def delivery_rows(self) -> Iterator[tuple[Any, ...]]:
        # One at a time: bodies are up to 25 MiB.
        text = (
            "SELECT id, source, mac, id_mac, received_at, event, idx, key, sealed FROM delivery ORDER BY id"
        )
        for id, source, mac, id_mac, at, event, *more in self._each(text, page=1):
            yield id, self._told(source), mac, id_mac, at, self._told(event), *more


class InspectedKeys(_View):
    """Implements ports.InspectedKeys on what a SqlKeyring keeps."""

    def key_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT subject FROM subject_key ORDER BY subject")

    def identity_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT mac, subject FROM identity ORDER BY subject")


class InspectedRows(_View):
    """Implements ports.InspectedDerived on the file of a SqlDerived with these tables."""

    def __init__(self, path: Path, tables: Sequence[Table[Any]]) -> None:
        super().__init__(path)
        self._made_of = tuple(tables)
        self.tables: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
            (table.name, tuple(column.name for column in columns_of(table)), table.key) for table in tables
        ]

    def ours(self) -> bool:
        # A file that says nothing is no other version's, but damaged.
        return self._all("PRAGMA user_version")[0][0] in (0, shape(ddl(self._made_of)))

    def cursor_rows(self) -> list[tuple[Any, ...]]:
        return self._all("SELECT id, cursor FROM derivation ORDER BY id LIMIT 10")

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        return self._each(next(every_row(made) for made in self._made_of if made.name == table))

    @contextmanager
    def again(self) -> Iterator[tuple[SqlDerived, InspectedRows]]:
        with tempfile.TemporaryDirectory(prefix="deploytrail-fsck-") as folder:
            path = Path(folder) / "derived.db"
            derived = _Again(path, self._made_of, synchronous="OFF")
            try:
                yield derived, InspectedRows(path, self._made_of)
            finally:
                derived.close()


class InspectedIndex(_View):
    """Implements ports.InspectedSearch on the file of a SqlSearch."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)

    def ours(self) -> bool:
        # As for the rows.
        return self._all("PRAGMA user_version")[0][0] in (0, shape(search_sql.ddl()))

    def taken_rows(self) -> list[tuple[Any, ...]]:
        return self._all("SELECT id, cursor, made_by FROM taken ORDER BY id LIMIT 10")

    def name_rows(self) -> Iterator[tuple[Any, ...]]:
        return self._each("SELECT word, subject FROM known_as")

    def posting_rows(self, table: str, key: SumKey, prime: int, after: int) -> Iterator[tuple[Any, ...]]:
        # Terms come in order, so that nothing is sorted or kept.
        return self._each(f"SELECT term, {_summed('doc', key, prime, after)} FROM {table}_in GROUP BY term")


class _Again(SqlDerived):
    """Rows that are found by their keys alone: without indexes they are made in less time."""

    def _ddl(self) -> list[str]:
        return [text for text in super()._ddl() if not text.startswith("CREATE INDEX")]


def _summed(index: str, key: SumKey, prime: int, after: int) -> str:
    """What is selected of the postings of one term: how many there are, what they count together (see
    app/fsck_sums), and how many there are of entries from `after` on, or below 0.
    """
    step = f"({index} * {key.square} % {prime})"
    counts = f"({step} * {step} + {index} * {key.straight} % {prime}) % {prime}"
    inside = f"FILTER (WHERE {index} >= 0 AND {index} < {key.before})"
    outside = f"FILTER (WHERE {index} < 0 OR {index} >= {after})"
    return f"count(*) {inside}, sum({counts}) {inside}, count(*) {outside}"
