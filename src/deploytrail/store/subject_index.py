"""Which entries are about a subject: in the log's own database, since a guarded append asks and adds at once.

PostgreSQL keeps a table of pairs. In a SQLite file that would be a tree of random keys, of which each append
touches many pages; there it is an FTS5 table without content, which is written like a log. The id of a row
is the entry's index, its tokens are the hashes of its subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from deploytrail.facts.subjects import subject_hash
from deploytrail.store.schema import subject
from deploytrail.store.sqlite import driver_of

# Above every index.
_NO_BOUND: Final = 2**62
_ADD: Final = "INSERT INTO subject (rowid, keys) SELECT ? + key, value FROM json_each(?) WHERE value <> ''"
_TOUCHED: Final = "SELECT rowid FROM subject WHERE subject MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
_ADD_PAIRS: Final = subject.insert()
_TOUCHED_PAIRS: Final = (
    sa.select(subject.c.idx)
    .where(subject.c.key == sa.bindparam("hash"), subject.c.idx < sa.bindparam("before"))
    .order_by(subject.c.idx.desc())
    .limit(sa.bindparam("many"))
)


def add(tx: sa.Connection, start: int, subjects: Sequence[Sequence[str]]) -> None:
    """The subject keys of each new entry from `start` on."""
    if tx.dialect.name == "sqlite":
        # One step for all of them: each would let go of the interpreter and wait for it again.
        texts = [" ".join(map(subject_hash, keys)) for keys in subjects]
        driver_of(tx).execute(_ADD, (start, msgspec.json.encode(texts).decode()))
        return
    pairs = [(number, i) for i, keys in enumerate(subjects, start) for number in set(map(_number, keys))]
    if pairs:
        tx.execute(_ADD_PAIRS, [{"key": number, "idx": index} for number, index in pairs])


def touched(tx: sa.Connection, key: str, before: int | None = None, limit: int = 1) -> list[int]:
    """The newest entries about a subject, below `before`, newest first."""
    before = _NO_BOUND if before is None else before
    if tx.dialect.name == "sqlite":
        found: Any = tx.exec_driver_sql(_TOUCHED, (f'"{subject_hash(key)}"', before, limit))
    else:
        found = tx.execute(_TOUCHED_PAIRS, {"hash": _number(key), "before": before, "many": limit})
    return [index for (index,) in found]


def _number(key: str) -> int:
    """A hash as PostgreSQL keeps it."""
    return int.from_bytes(bytes.fromhex(subject_hash(key)), "big", signed=True)
