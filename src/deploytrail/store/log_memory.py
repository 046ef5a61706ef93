"""The log in memory: a real adapter without a disk, which can be told to fail at each of its writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

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
)
from deploytrail.errors import Refused
from deploytrail.store.appending import Batch, Id, Known, demand_same_root, empty_head

T = TypeVar("T")
# "failed": nothing is written, and Refused("unavailable") raised. "persisted": it is written, and Damaged
# raised all the same, as when the last flush fails.
How = Literal["failed", "persisted"]


class _Kept(NamedTuple):
    """A delivery, with its body or without, and the index of its first entry."""

    raw: RawDelivery
    first: int
    body: bool


class MemoryLog:
    """Implements ports.Log, Disclosures and Registry.

    `fail("append", "persisted")` makes the next append fail so. Names of writes are those of the methods.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._failing: dict[str, list[How]] = {}
        self._damage: str | None = None
        self._head = empty_head()
        self._entries: list[Row] = []
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._subjects: dict[str, list[int]] = {}
        self._repeats: dict[Id, int] = {}
        self._disclosures: dict[tuple[int, str], bytes] = {}
        self._deliveries: dict[int, _Kept] = {}
        self._checkpoints: dict[int, Signed] = {}
        self._registry: dict[tuple[str, str], bytes] = {}

    def fail(self, write: str, how: How, times: int = 1) -> None:
        """Let the next `times` calls of a write fail."""
        self._failing.setdefault(write, []).extend([how] * times)

    def reopen(self) -> None:
        """Go on after Damaged, as a restart does."""
        self._damage = None

    # The log.

    def append(
        self, batch: Sequence[Submission], differs: Differs | None = None
    ) -> list[list[Placed] | Refused]:
        def work() -> list[list[Placed] | Refused]:
            placing = Batch(self._known(), differs)
            answers = [placing.place(submission) for submission in batch]
            if placing.entries:
                self._keep(placing)
            return answers

        return self._write("append", work)

    def head(self) -> Head:
        return self._head

    def entries(self, start: int, stop: int) -> list[Row]:
        with self._lock:
            return self._entries[max(start, 0) : max(stop, 0)]

    def at(self, indices: Iterable[int]) -> list[Row]:
        with self._lock:
            return [self._entries[n] for n in sorted(set(indices)) if 0 <= n < len(self._entries)]

    def leaves(self, start: int, stop: int) -> bytes:
        return b"".join(row.leaf for row in self.entries(start, stop))

    def nodes(self, level: int, start: int, stop: int) -> bytes:
        with self._lock:
            found = sorted((n, hash) for (high, n), hash in self._nodes.items() if high == level)
        return b"".join(hash for n, hash in found if start <= n < stop)

    def touched(self, subject: str, *, before: int | None = None, limit: int = 100) -> list[int]:
        with self._lock:
            found = self._subjects.get(subject, [])
            return [n for n in reversed(found) if before is None or n < before][:limit]

    def find(self, source: str, id: str) -> int | None:
        return self._repeats.get((source, id))

    def publish(self, signed: Signed) -> None:
        def work() -> None:
            kept = self._checkpoints.setdefault(signed.size, signed)
            demand_same_root(signed.size, kept.root, signed.root)

        self._write("publish", work)

    def checkpoint(self) -> Signed | None:
        with self._lock:
            return self._checkpoints[max(self._checkpoints)] if self._checkpoints else None

    def checkpoints(self) -> Iterator[Signed]:
        with self._lock:
            found = sorted(self._checkpoints.values())
        yield from found

    # Beside the log.

    def disclosures(self, indices: Iterable[int]) -> dict[int, list[Blob]]:
        wanted = set(indices)
        found: dict[int, list[Blob]] = {}
        for index, blob in self.every_disclosure():
            if index in wanted:
                found.setdefault(index, []).append(blob)
        return found

    def every_disclosure(self, after: int = -1, before: int | None = None) -> Iterator[tuple[int, Blob]]:
        with self._lock:
            found = sorted(self._disclosures.items())
        for (index, subject), sealed in found:
            if index > after and (before is None or index < before):
                yield index, Blob(subject, sealed)

    def redact(self, index: int, blob: Blob) -> None:
        def work() -> None:
            if (index, blob.subject) in self._disclosures:
                self._disclosures[index, blob.subject] = blob.sealed

        self._write("redact", work)

    def erase_disclosures(self, subject: str) -> int:
        def work() -> int:
            gone = [key for key in self._disclosures if key[1] == subject]
            for key in gone:
                del self._disclosures[key]
            return len(gone)

        return self._write("erase_disclosures", work)

    def seen(self, mac: bytes) -> int | None:
        with self._lock:
            return next((kept.first for kept in self._deliveries.values() if kept.raw.mac == mac), None)

    def deliveries(self, after: int = 0) -> Iterator[tuple[int, RawDelivery, int]]:
        with self._lock:
            found = sorted(self._deliveries.items())
        yield from ((row, kept.raw, kept.first) for row, kept in found if row > after and kept.body)

    def forget_deliveries(self, rows: Sequence[int]) -> None:
        self._write("forget_deliveries", lambda: self._forget(list(rows)))

    def expire_deliveries(self, before: int) -> int:
        def work() -> int:
            old = [row for row, raw, _ in self.deliveries() if raw.received_at < before]
            self._forget(old)
            return len(old)

        return self._write("expire_deliveries", work)

    def delivery_of(self, index: int) -> RawDelivery | None:
        return next((raw for _, raw, first in self.deliveries() if first == index), None)

    def scrub(self) -> None:
        self._write("scrub", lambda: None)

    # Small ephemeral tables.

    def row(self, table: str, key: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._registry.get((table, key))
        return None if found is None else msgspec.json.decode(found)

    def items(self, table: str) -> list[tuple[str, dict[str, Any]]]:
        with self._lock:
            found = sorted((key, row) for (area, key), row in self._registry.items() if area == table)
        return [(key, msgspec.json.decode(row)) for key, row in found]

    def put(self, table: str, key: str, row: Mapping[str, Any]) -> None:
        self._write("put", lambda: self._registry.update({(table, key): msgspec.json.encode(row)}))

    def change(self, table: str, key: str, row: Mapping[str, Any]) -> bool:
        def work() -> bool:
            there = (table, key) in self._registry
            if there:
                self._registry[table, key] = msgspec.json.encode(row)
            return there

        return self._write("change", work)

    def take(self, table: str, key: str) -> dict[str, Any] | None:
        found = self._write("take", lambda: self._registry.pop((table, key), None))
        return None if found is None else msgspec.json.decode(found)

    # Writing.

    def _write(self, name: str, work: Callable[[], T]) -> T:
        with self._lock:
            if self._damage is not None:
                raise Damaged(self._damage)
            failing = self._failing.get(name)
            how = failing.pop(0) if failing else None
            if how == "failed":
                raise Refused("unavailable", "The disk is full; nothing was recorded.")
            done = work()
            if how == "persisted":
                self._damage = "The disk failed while flushing."
                raise Damaged(self._damage)
            return done

    def _known(self) -> Known:
        return Known(
            head=self._head,
            ids=self._repeats,
            stored=_Stored(self._entries, self._disclosures),
            macs={kept.raw.mac: kept.first for kept in self._deliveries.values()},
            id_macs={kept.raw.id_mac for kept in self._deliveries.values() if kept.raw.id_mac is not None},
            newest={key: indices[-1] for key, indices in self._subjects.items()},
        )

    def _keep(self, placing: Batch) -> None:
        self._head, nodes = placing.close()
        self._entries += [Row(*entry) for entry in placing.entries]
        self._nodes.update({(node.level, node.index): node.hash for node in nodes})
        for (index, _, _), keys in zip(placing.entries, placing.subjects, strict=True):
            for key in dict.fromkeys(keys):
                self._subjects.setdefault(key, []).append(index)
        self._repeats.update(placing.repeats)
        self._disclosures.update({(i, blob.subject): blob.sealed for i, blob in placing.disclosures})
        for raw, index in placing.deliveries.values():
            self._deliveries[len(self._deliveries) + 1] = _Kept(raw, index, body=True)

    def _forget(self, rows: Iterable[int]) -> None:
        for row in rows:
            if (kept := self._deliveries.get(row)) is not None:
                gone = kept.raw._replace(key=b"", sealed=b"")
                self._deliveries[row] = kept._replace(raw=gone, body=False)


class _Stored(Mapping[int, tuple[bytes, Sequence[Blob]]]):
    """The bytes and disclosures of entries, looked up when asked for."""

    def __init__(self, entries: Sequence[Row], disclosures: Mapping[tuple[int, str], bytes]) -> None:
        self._entries, self._disclosures = entries, disclosures

    def __getitem__(self, index: int) -> tuple[bytes, Sequence[Blob]]:
        found = [Blob(subject, sealed) for (n, subject), sealed in self._disclosures.items() if n == index]
        return self._entries[index].body, found

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._entries)))

    def __len__(self) -> int:
        return len(self._entries)
