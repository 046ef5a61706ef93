"""Telling facts to the projections without a log: sealed as the house seals them, folded in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.entry import Entry, read
from deploytrail.facts.kinds import body_of
from deploytrail.facts.sealing import seal
from deploytrail.projections import environments
from deploytrail.projections.deployment_rows import DEPLOYMENTS, SUCCESSORS, Deployment, home
from deploytrail.projections.registry import TABLES, fold_all
from deploytrail.projections.tables import R, Table
from deploytrail.store.derived_memory import MemoryDerived

# 17 March 2026, 12:00:00 UTC.
NOON = 1_773_748_800_000
MINUTE = 60_000
SHA = "4f2c81e" + "0" * 33
OTHER = "e08b7d3" + "0" * 33
THIRD = "b51f902" + "0" * 33
DIGEST = "sha256:" + "9d" * 32
REPOSITORY = "example.org/shop/checkout"


def subject_of(person: Person) -> str:
    """A subject id that depends on the name alone."""
    return "s_" + (person.login or person.email or person.name or "nobody")


def random(count: int) -> bytes:
    """Salts need not be secret here."""
    return b"\1" * count


def body(
    kind: str,
    at: int | None = NOON,
    *,
    source: str = "hub",
    actor: str | None = None,
    bot: bool = False,
    received_at: int | None = None,
    attribution: Any = "authenticated",
    labels: dict[str, str] | None = None,
    delivery: str | None = None,
    **fields: Any,
) -> bytes:
    """The bytes of an entry. `at` is told; without it only the time of receipt is known."""
    type_ = body_of(kind)
    assert type_ is not None
    if received_at is None:
        received_at = NOON if at is None else at
    draft = Draft(
        kind=kind,
        body=msgspec.convert(fields, type_),
        source=source,
        received_at=received_at,
        occurred_at=at,
        actor=Person(login=actor, bot=bot) if actor else None,
        attribution=attribution if actor else "unknown",
        labels=labels,
        delivery=delivery,
    )
    return seal(draft, subject_of, random).entry


def entry(kind: str, at: int | None = NOON, **fields: Any) -> Entry:
    """An entry, as `body`."""
    return read(body(kind, at, **fields))


def raw(kind: str, data: dict[str, Any], **envelope: Any) -> Entry:
    """An entry that no kind of this version would make."""
    return Entry(
        v=envelope.pop("v", 1),
        kind=kind,
        source=envelope.pop("source", "hub"),
        received_at=envelope.pop("received_at", "2026-03-17T12:00:00Z"),
        attribution="unknown",
        data=data,
        subjects=[],
        **envelope,
    )


class Telling:
    """A log in memory, and the rows made from it after each fact."""

    def __init__(self) -> None:
        self.derived = MemoryDerived(TABLES)
        self.entries: list[Entry] = []

    def tell(self, kind: str, at: int | None = NOON, **fields: Any) -> int:
        """Tell one fact; its index."""
        return self.add(entry(kind, at, **fields))

    def add(self, new: Entry) -> int:
        """Fold one entry; its index."""
        index = len(self.entries)
        self.entries.append(new)
        rows = self.derived.begin()
        fold_all(index, new, rows)
        self.derived.commit(rows, index + 1)
        return index

    def deploy(
        self,
        deployment: str,
        at: int = NOON,
        *,
        kind: str = "finished",
        service: str = "checkout",
        environment: str = "production",
        outcome: str | None = "succeeded",
        sha: str | None = None,
        **fields: Any,
    ) -> int:
        """Tell one report of a deployment; its index."""
        if sha is not None:
            fields["commits"] = [{"repository": REPOSITORY, "sha": sha}]
        if outcome is not None and kind == "finished":
            fields["outcome"] = outcome
        return self.tell(
            f"deployment.{kind}",
            at,
            deployment=deployment,
            service=service,
            environment=environment,
            **fields,
        )

    def get(self, table: Table[R], *key: str | int) -> R | None:
        """One row."""
        return self.derived.get(table, *key)

    def deployment(self, index: int) -> Deployment:
        """The deployment that the report with this first entry is part of."""
        found = self.derived.get(DEPLOYMENTS, home(index, self.derived))
        assert found is not None
        return found

    def replaced_by(self, index: int) -> int | None:
        """The deployment that took the place of that one."""
        found = self.derived.get(SUCCESSORS, home(index, self.derived))
        return found.following if found else None

    def place(self, service: str = "checkout", environment: str = "production") -> environments.Place:
        """What runs in one place."""
        found = self.derived.get(environments.PLACES, environment, service)
        assert found is not None
        return found

    def deployments(self) -> list[Deployment]:
        """All of them."""
        found = self.derived.page(DEPLOYMENTS, order="key", descending=False, limit=10_000)
        return sorted(found, key=lambda row: row.key)

    def every_row(self) -> Iterator[Any]:
        """Every row of every table."""
        for table in TABLES:
            yield from self.derived.page(table, order=table.key[0], limit=100_000)


def sha(text: str) -> str:
    """A commit name made from a text."""
    return hashlib.sha1(text.encode()).hexdigest()
