"""The log in a SQL database: entries, tree, subject index, and what lies beside it.

Every write is one transaction; whoever writes to the log holds the head. Readers see committed states only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import insert

from deploytrail.app.packing import pack_all, unpack
from deploytrail.app.ports import (
    Blob,
    Damaged,
    Differs,
    Head,
    Placed,
    RawDelivery,
    Row,
    Signed,
    Submission,
    Unsure,
)
from deploytrail.errors import Refused
from deploytrail.store import schema, subject_index
from deploytrail.store.appending import (
    Batch,
    Id,
    Known,
    demand_same_root,
    empty_head,
    guards_of,
    id_macs_of,
    ids_of,
    macs_of,
)
from deploytrail.store.database import Database
from deploytrail.store.schema import (
    checkpoint,
    delivery,
    disclosure,
    entry,
    head,
    node,
    registry,
    repeat,
)
from deploytrail.store.sqlite import database, driver_of
from deploytrail.tlog.frontier import Frontier, Node

# SQLite takes 32,766 parameters; this leaves room.
_MANY: Final = 5_000
_PAGE: Final = 1_000
# Rows of one statement where many are inserted: few numbers, so that the driver knows each statement again.
_TOGETHER: Final = (64, 16, 4, 1)

# Seconds that a database which was lost while committing is waited for, to learn what became of it.
_RETURN_S: Final = 15.0
_PAUSE_S: Final = 0.1
_AGAIN: Final = "The connection to the database broke. Send it again; what has an id is recorded once."

T = TypeVar("T")

_SPELLED: Final = sqlite.dialect(paramstyle="qmark")

# What every append and every proof says, built once: building a statement costs as much as running it.
_READ_HEAD: Final = sa.select(head.c.size, head.c.root, head.c.frontier)
# Whoever writes to the log holds the head until the commit. In SQLite the whole file is held, and this is
# a plain read.
_HOLD_HEAD: Final = _READ_HEAD.with_for_update()
_MOVE_HEAD: Final = (
    head.update()
    .where(head.c.size == sa.bindparam("before"))
    .values(size=sa.bindparam("size"), root=sa.bindparam("root"), frontier=sa.bindparam("frontier"))
)
_ADD_DELIVERY: Final = delivery.insert()
_SEEN: Final = sa.select(delivery.c.idx).where(delivery.c.mac == sa.bindparam("mac"))
_FROM: Final[sa.BindParameter[int]] = sa.bindparam("start")
_TO: Final[sa.BindParameter[int]] = sa.bindparam("stop")
_LEAVES: Final = sa.select(entry.c.leaf).where(entry.c.idx >= _FROM, entry.c.idx < _TO).order_by(entry.c.idx)
_NODES: Final = (
    sa.select(node.c.hash)
    .where(node.c.level == sa.bindparam("level"), node.c.idx >= _FROM, node.c.idx < _TO)
    .order_by(node.c.idx)
)
_DISCLOSED: Final = (
    sa.select(disclosure.c.idx, disclosure.c.subject, disclosure.c.sealed)
    .where(disclosure.c.idx >= _FROM, disclosure.c.idx < _TO)
    .order_by(disclosure.c.idx)
)
# Above every index.
_NO_BOUND: Final = 2**62
_KNOWN_IDS: Final = sa.select(repeat.c.id, repeat.c.idx).where(
    repeat.c.source == sa.bindparam("source"), repeat.c.id.in_(sa.bindparam("ids", expanding=True))
)
_LISTED_IDS: Final = "SELECT id, idx FROM repeat WHERE source = ? AND id IN (SELECT value FROM json_each(?))"
_KNOWN_MACS: Final = sa.select(delivery.c.mac, delivery.c.idx).where(
    delivery.c.mac.in_(sa.bindparam("macs", expanding=True))
)
_KNOWN_ID_MACS: Final = sa.select(delivery.c.id_mac).where(
    delivery.c.id_mac.in_(sa.bindparam("macs", expanding=True))
)
_KNOWN_ID_MAC: Final = sa.select(delivery.c.id_mac).where(delivery.c.id_mac == sa.bindparam("mac"))
_AT: Final = (
    sa.select(entry.c.idx, entry.c.leaf, entry.c.body)
    .where(entry.c.idx.in_(sa.bindparam("indices", expanding=True)))
    .order_by(entry.c.idx)
)
_SIGNED: Final = (checkpoint.c.size, checkpoint.c.root, checkpoint.c.note)


class SqlLog:
    """Implements ports.Log, Disclosures and Registry on a database, or on the SQLite file at a path."""

    def __init__(self, where: Path | Database, *, write: bool = True) -> None:
        self._database = database(where, write=write)
        if write:
            self._database.make(schema.main)
            with self._database.begin() as tx:
                _begin(tx)

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    # The log.

    def append(
        self, batch: Sequence[Submission], differs: Differs | None = None
    ) -> list[list[Placed] | Refused]:
        try:
            with self._database.begin() as tx:
                work = _placing(tx, batch, differs)
                answers = [work.place(submission) for submission in batch]
                if work.entries:
                    new, nodes = work.close()
                    _write(tx, work, new, nodes)
                    self._database.tell(tx, new.size)
        except Unsure as unsure:
            if not work.entries or self._stands(work.entries):
                return answers
            raise Refused("unavailable", f"Nothing was recorded. {_AGAIN}") from unsure
        return answers

    def _stands(self, entries: Sequence[tuple[int, bytes, bytes]]) -> bool:
        """Whether these entries stand in the log, after a commit of which nothing was heard.

        Whoever holds the head sees the end of the transaction that held it before. What stands there, byte
        for byte, is recorded, whoever wrote it. Unsure if the database stays out of reach.
        """
        until = monotonic() + _RETURN_S
        while True:
            try:
                with self._database.begin() as tx:
                    self._head(tx, lock=True)
                    where = {"start": entries[0][0], "stop": entries[-1][0] + 1}
                    return [leaf for _, leaf, _ in entries] == list(tx.execute(_LEAVES, where).scalars())
            except Refused as refusal:
                if isinstance(refusal, Damaged) or monotonic() > until:
                    words = f"It is not known whether this was recorded. {_AGAIN}"
                    raise Unsure(words) from refusal
            sleep(_PAUSE_S)

    def head(self) -> Head:
        with self._database.reading() as tx:
            return self._head(tx)

    def entries(self, start: int, stop: int) -> list[Row]:
        query = (
            sa.select(entry.c.idx, entry.c.leaf, entry.c.body)
            .where(entry.c.idx >= start, entry.c.idx < stop)
            .order_by(entry.c.idx)
        )
        with self._database.reading() as tx:
            return [_row(row) for row in tx.execute(query)]

    def at(self, indices: Iterable[int]) -> list[Row]:
        with self._database.reading() as tx:
            return [
                _row(row)
                for part in _parts(sorted(set(indices)))
                for row in tx.execute(_AT, {"indices": part})
            ]

    def leaves(self, start: int, stop: int) -> bytes:
        with self._database.reading() as tx:
            return b"".join(tx.execute(_LEAVES, {"start": start, "stop": stop}).scalars().all())

    def nodes(self, level: int, start: int, stop: int) -> bytes:
        where = {"level": level, "start": start, "stop": stop}
        with self._database.reading() as tx:
            return b"".join(tx.execute(_NODES, where).scalars().all())

    def touched(self, subject_key: str, *, before: int | None = None, limit: int = 100) -> list[int]:
        with self._database.reading() as tx:
            return subject_index.touched(tx, subject_key, before, limit)

    def find(self, source: str, id: str) -> int | None:
        query = sa.select(repeat.c.idx).where(repeat.c.source == source, repeat.c.id == id)
        with self._database.reading() as tx:
            return tx.execute(query).scalar()

    def publish(self, signed: Signed) -> None:
        with self._database.begin() as tx:
            self._head(tx, lock=True)
            kept = tx.execute(sa.select(checkpoint.c.root).where(checkpoint.c.size == signed.size)).scalar()
            if kept is None:
                _publish(tx, signed)
            else:
                demand_same_root(signed.size, kept, signed.root)

    def checkpoint(self) -> Signed | None:
        query = sa.select(*_SIGNED).order_by(checkpoint.c.size.desc()).limit(1)
        with self._database.reading() as tx:
            row = tx.execute(query).first()
        return Signed(*row) if row else None

    def checkpoints(self) -> Iterator[Signed]:
        after = -1
        while True:
            query = sa.select(*_SIGNED).where(checkpoint.c.size > after).order_by(checkpoint.c.size)
            with self._database.reading() as tx:
                rows = tx.execute(query.limit(_PAGE)).all()
            if not rows:
                return
            yield from (Signed(*row) for row in rows)
            after = rows[-1].size

    # Beside the log.

    def disclosures(self, indices: Iterable[int]) -> dict[int, list[Blob]]:
        found: dict[int, list[Blob]] = {}
        with self._database.reading() as tx:
            for part in _parts(list(indices)):
                query = sa.select(disclosure).where(disclosure.c.idx.in_(part))
                for row in tx.execute(query):
                    found.setdefault(row.idx, []).append(Blob(row.subject, row.sealed))
        return found

    def every_disclosure(self, after: int = -1, before: int | None = None) -> Iterator[tuple[int, Blob]]:
        before = _NO_BOUND if before is None else before
        while after < before:
            with self._database.reading() as tx:
                rows = tx.execute(_DISCLOSED.limit(_PAGE), {"start": after + 1, "stop": before}).all()
                after = before
                if len(rows) == _PAGE:
                    # A page may end within an entry; take the rest of that entry too.
                    after = rows[-1][0]
                    rest = tx.execute(_DISCLOSED, {"start": after, "stop": after + 1}).all()
                    rows = [*(row for row in rows if row[0] != after), *rest]
            yield from ((index, Blob(subject, sealed)) for index, subject, sealed in rows)

    def redact(self, index: int, blob: Blob) -> None:
        where = sa.and_(disclosure.c.idx == index, disclosure.c.subject == blob.subject)
        with self._database.begin() as tx:
            tx.execute(disclosure.update().where(where).values(sealed=blob.sealed))

    def erase_disclosures(self, subject_id: str) -> int:
        with self._database.begin() as tx:
            return tx.execute(disclosure.delete().where(disclosure.c.subject == subject_id)).rowcount

    def seen(self, mac: bytes) -> int | None:
        with self._database.reading() as tx:
            return tx.execute(_SEEN, {"mac": mac}).scalar()

    def deliveries(self, after: int = 0) -> Iterator[tuple[int, RawDelivery, int]]:
        while True:
            query = sa.select(delivery).where(delivery.c.id > after, delivery.c.key.is_not(None))
            with self._database.reading() as tx:
                rows = tx.execute(query.order_by(delivery.c.id).limit(8)).all()
            if not rows:
                return
            yield from ((row.id, _raw(row), row.idx) for row in rows)
            after = rows[-1].id

    def forget_deliveries(self, rows: Sequence[int]) -> None:
        with self._database.begin() as tx:
            for part in _parts(rows):
                tx.execute(delivery.update().where(delivery.c.id.in_(part)).values(key=None, sealed=None))

    def expire_deliveries(self, before: int) -> int:
        where = sa.and_(delivery.c.received_at < before, delivery.c.key.is_not(None))
        with self._database.begin() as tx:
            return tx.execute(delivery.update().where(where).values(key=None, sealed=None)).rowcount

    def delivery_of(self, index: int) -> RawDelivery | None:
        query = sa.select(delivery).where(delivery.c.idx == index, delivery.c.key.is_not(None))
        with self._database.reading() as tx:
            row = tx.execute(query).first()
        return _raw(row) if row else None

    def scrub(self) -> None:
        self._database.scrub()

    def purge(self) -> None:
        """As `scrub`, and the free space within pages holds nothing deleted either: for erasures."""
        self._database.purge()

    # Small ephemeral tables.

    def row(self, table: str, key: str) -> dict[str, Any] | None:
        query = sa.select(registry.c.row).where(registry.c.area == table, registry.c.key == key)
        with self._database.reading() as tx:
            found = tx.execute(query).scalar()
        return msgspec.json.decode(found) if found is not None else None

    def put(self, table: str, key: str, row: Mapping[str, Any]) -> None:
        new = insert(registry).values(area=table, key=key, row=msgspec.json.encode(row))
        same = ["area", "key"]
        with self._database.begin() as tx:
            tx.execute(new.on_conflict_do_update(index_elements=same, set_={"row": new.excluded.row}))

    def items(self, table: str) -> list[tuple[str, dict[str, Any]]]:
        query = (
            sa.select(registry.c.key, registry.c.row).where(registry.c.area == table).order_by(registry.c.key)
        )
        with self._database.reading() as tx:
            return [(found.key, msgspec.json.decode(found.row)) for found in tx.execute(query)]

    def change(self, table: str, key: str, row: Mapping[str, Any]) -> bool:
        where = sa.and_(registry.c.area == table, registry.c.key == key)
        with self._database.begin() as tx:
            return bool(
                tx.execute(registry.update().where(where).values(row=msgspec.json.encode(row))).rowcount
            )

    def take(self, table: str, key: str) -> dict[str, Any] | None:
        where = sa.and_(registry.c.area == table, registry.c.key == key)
        with self._database.begin() as tx:
            found = tx.execute(registry.delete().where(where).returning(registry.c.row)).scalar()
        return msgspec.json.decode(found) if found is not None else None

    # Transactions.

    @staticmethod
    def _head(tx: sa.Connection, *, lock: bool = False) -> Head:
        row = _said(tx, _HOLD_HEAD if lock else _READ_HEAD).fetchone()
        if row is None:
            raise Refused("untrue", "The log has lost its head row.")
        size, root, frontier = row
        return Head(size, root, Frontier.decode(frontier))


def _placing(tx: sa.Connection, batch: Sequence[Submission], differs: Differs | None) -> Batch:
    """A batch behind the head, which is held from here on: what is known is read after that."""
    held = SqlLog._head(tx, lock=True)
    ids = _known_ids(tx, ids_of(batch))
    known = Known(
        head=held,
        ids=ids,
        stored=_stored(tx, ids.values()) if differs else {},
        macs=_known_macs(tx, macs_of(batch)),
        id_macs=_known_id_macs(tx, id_macs_of(batch)),
        newest=_newest(tx, guards_of(batch)),
    )
    return Batch(known, differs)


def _begin(tx: sa.Connection) -> None:
    """The head of a log without entries, if there is none yet."""
    if tx.execute(sa.select(head.c.id)).first() is None:
        new = empty_head()
        first = {"size": 0, "root": new.root, "frontier": new.frontier.encode(), "published": -1}
        # Another process may begin at the same moment.
        tx.execute(insert(head).values(id=1, **first).on_conflict_do_nothing())


def _known_ids(tx: sa.Connection, ids: Sequence[Id]) -> dict[Id, int]:
    found: dict[Id, int] = {}
    by_source: dict[str, list[str]] = {}
    for source, id in ids:
        by_source.setdefault(source, []).append(id)
    for source, some in by_source.items():
        for part in _parts(some):
            if tx.dialect.name == "sqlite":
                # One parameter instead of hundreds, each of which costs as much as finding it.
                rows = driver_of(tx).execute(_LISTED_IDS, (source, msgspec.json.encode(part).decode()))
            else:
                rows = tx.execute(_KNOWN_IDS, {"source": source, "ids": part})
            found.update(((source, id), index) for id, index in rows)
    return found


def _stored(tx: sa.Connection, indices: Iterable[int]) -> dict[int, tuple[bytes, list[Blob]]]:
    """The bytes and the disclosures of entries."""
    found: dict[int, tuple[bytes, list[Blob]]] = {}
    for part in _parts(sorted(set(indices))):
        bodies = sa.select(entry.c.idx, entry.c.body).where(entry.c.idx.in_(part))
        found.update((row.idx, (_unpacked(row.body), [])) for row in tx.execute(bodies))
        for row in tx.execute(sa.select(disclosure).where(disclosure.c.idx.in_(part))):
            found[row.idx][1].append(Blob(row.subject, row.sealed))
    return found


def _known_macs(tx: sa.Connection, macs: Sequence[bytes]) -> dict[bytes, int]:
    if tx.dialect.name == "sqlite":
        asked = ((mac, _said(tx, _SEEN, {"mac": mac}).fetchone()) for mac in macs)
        return {mac: row[0] for mac, row in asked if row is not None}
    found: dict[bytes, int] = {}
    for part in _parts(macs):
        found.update((mac, index) for mac, index in tx.execute(_KNOWN_MACS, {"macs": part}))
    return found


def _known_id_macs(tx: sa.Connection, id_macs: Sequence[bytes]) -> set[bytes | None]:
    if tx.dialect.name == "sqlite":
        return {mac for mac in id_macs if _said(tx, _KNOWN_ID_MAC, {"mac": mac}).fetchone() is not None}
    found: set[bytes | None] = set()
    for part in _parts(id_macs):
        found.update(tx.execute(_KNOWN_ID_MACS, {"macs": part}).scalars())
    return found


def _newest(tx: sa.Connection, keys: Iterable[str]) -> dict[str, int]:
    return {key: index for key in keys for index in subject_index.touched(tx, key)}


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _MANY):
        yield items[start : start + _MANY]


def _write(tx: sa.Connection, work: Batch, new: Head, nodes: list[Node]) -> None:
    """Everything of one batch, the head last and only if nobody else moved it."""
    packed = pack_all([body for _, _, body in work.entries])
    kept = zip(work.entries, packed, strict=True)
    _add(tx, entry, [(index, leaf, body) for (index, leaf, _), body in kept])
    _add(tx, node, [(n.level, n.index, n.hash) for n in nodes])
    subject_index.add(tx, work.entries[0][0], work.subjects)
    _add(tx, repeat, [(source, id, index) for (source, id), index in work.repeats.items()])
    _add(tx, disclosure, [(index, blob.subject, blob.sealed) for index, blob in work.disclosures])
    if work.deliveries:
        tx.execute(_ADD_DELIVERY, [_columns(raw, index) for raw, index in work.deliveries.values()])
    columns = {"size": new.size, "root": new.root, "frontier": new.frontier.encode()}
    moved = _said(tx, _MOVE_HEAD, {"before": new.size - len(work.entries), **columns})
    if moved.rowcount != 1:
        raise Refused("unavailable", "Another writer has moved the head of this log; nothing was recorded.")


def _said(
    tx: sa.Connection, statement: sa.Select[Any] | sa.Update, values: Mapping[str, Any] | None = None
) -> Any:
    """The answer to one statement of every append: rows without names, and how many were changed."""
    if tx.dialect.name != "sqlite":
        return tx.execute(statement, values or {})
    text, names = _spelled(statement)
    return driver_of(tx).execute(text, tuple((values or {})[name] for name in names))


@cache
def _spelled(statement: sa.Select[Any] | sa.Update) -> tuple[str, tuple[str, ...]]:
    """A statement as SQLite takes it, and the names of its values in their order."""
    spelled = statement.compile(dialect=_SPELLED)
    return str(spelled), tuple(spelled.positiontup or ())


def _add(tx: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, each the values of all columns in their order."""
    if not rows:
        return
    if tx.dialect.name == "sqlite":
        # Values are stored as they are, so they go to the driver as they are: half the time of an append.
        driver = driver_of(tx)
        start = 0
        for many in _TOGETHER:
            # The driver lets other threads run at each statement, and has to wait for them to come back.
            while start + many <= len(rows):
                some = rows[start : start + many]
                driver.execute(_inserting(table, many), tuple(chain.from_iterable(some)))
                start += many
    else:
        names = table.columns.keys()
        tx.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _inserting(table: sa.Table, many: int) -> str:
    one = str(table.insert().compile(dialect=_SPELLED))
    head, word, row = one.partition("VALUES")
    return head + word + ",".join([row] * many)


def _publish(tx: sa.Connection, signed: Signed) -> None:
    """A new checkpoint in the chain of all that were published, each of which names the one before it."""
    size = checkpoint.c.size
    before = tx.execute(sa.select(sa.func.max(size)).where(size < signed.size)).scalar()
    after = tx.execute(sa.select(sa.func.min(size)).where(size > signed.size)).scalar()
    tx.execute(checkpoint.insert().values(previous=-1 if before is None else before, **signed._asdict()))
    if after is None:
        tx.execute(head.update().values(published=signed.size))
    else:
        tx.execute(checkpoint.update().where(size == after).values(previous=signed.size))


def _row(row: Any) -> Row:
    index, leaf, body = row
    return Row(index, leaf, _unpacked(body))


def _unpacked(body: bytes) -> bytes:
    try:
        return unpack(body)
    except Refused:
        # As it lies there it does not give its leaf hash, which is how everybody finds it damaged.
        return body


def _columns(raw: RawDelivery, index: int) -> dict[str, Any]:
    return {**raw._asdict(), "idx": index}


def _raw(row: Any) -> RawDelivery:
    return RawDelivery(*(getattr(row, name) for name in RawDelivery._fields))
