"""A small house for tests of questions: a real log in a folder, keys in memory, rows as asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from deploytrail.app.ask import Ask
from deploytrail.app.disclose import Disclose
from deploytrail.app.follow import TABLES, Follower
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Derived, SearchIndex, Signed, Submission
from deploytrail.app.searching import Searching
from deploytrail.app.vault import Vault
from deploytrail.app.views import DeploymentView, Filter, TrailRow
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.kinds import body_of
from deploytrail.store.derived_memory import MemoryDerived
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.search_memory import MemorySearch
from deploytrail.tlog import note
from deploytrail.tlog.checkpoint import Checkpoint, sign
from tests.projections.telling import NOON

ORIGIN = "example.org/log"
KEY = note.SigningKey.from_seed(ORIGIN, b"7" * 32)


class Chance:
    """Real chance."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> int:
        return self.at


class Sealer:
    """What the status page asks of signing."""

    def __init__(self) -> None:
        self.state, self.words = "signed", ""
        self.signed_at: int | None = None

    @property
    def vkey(self) -> str:
        return KEY.verifier.vkey()


class SmallHouse:
    """Records facts, follows, signs, and answers."""

    def __init__(
        self, folder: Path, derived: Derived | None = None, index: SearchIndex | None = None
    ) -> None:
        self.clock, chance = Clock(), Chance()
        self.log = SqlLog(folder / "log.db")
        self.keyring = MemoryKeyring()
        self.persons = Persons(self.keyring, Vault(b"k" * 32, chance), chance)
        self.derived: Derived = derived or MemoryDerived(TABLES)
        self.disclose = Disclose(self.log, self.keyring, self.log)
        self.follower = Follower(self.log, self.derived, self.clock)
        self.index: SearchIndex = index or MemorySearch()
        self.searching = Searching(self.log, self.index, self.disclose, self.clock)
        self.sealer = Sealer()
        self.ask = Ask(
            log=self.log,
            derived=self.derived,
            index=self.index,
            disclose=self.disclose,
            sealer=self.sealer,
            clock=self.clock,
            origin=ORIGIN,
            followers=[self.follower],
            refused=lambda: 3,
        )

    def tell(self, kind: str, at: int | None = NOON, **fields: Any) -> int:
        """Record one fact, as told by a source; its index."""
        return self.log.append([Submission((self.persons.seal(draft(kind, at, **fields)),))])[0][0].index  # type: ignore[index]

    def deploy(self, deployment: str, at: int = NOON, *, kind: str = "finished", **fields: Any) -> int:
        """Record one report of a deployment of checkout to production."""
        told = {"service": "checkout", "environment": "production", **fields}
        if kind == "finished":
            told.setdefault("outcome", "succeeded")
        return self.tell(f"deployment.{kind}", at, deployment=deployment, **told)

    def follow(self) -> int:
        """Bring the rows up to the log."""
        return self.follower.catch_up()

    def publish(self, size: int | None = None) -> Signed:
        """Sign the head (a log of that size) and publish it."""
        head = self.log.head()
        assert size is None or size == head.size
        signed = Signed(head.size, head.root, sign(Checkpoint(ORIGIN, head.size, head.root), KEY))
        self.log.publish(signed)
        return signed

    def erase(self, login: str) -> str:
        """Erase a person; their subject id."""
        subject = self.subject(login)
        self.persons.forget(subject)
        self.log.erase_disclosures(subject)
        self.disclose.forget(subject)
        self.tell("subject.erased", subject=subject, ground="asked", entries=1, deliveries=0)
        return subject

    def subject(self, login: str) -> str:
        """The subject id of a person."""
        return self.persons.subject(Person(login=login), "told")

    def rows(self, **filters: str) -> list[TrailRow]:
        """The newest lines of the trail."""
        self.follow()
        return self.ask.trail(Filter(**filters), None, None, 50).rows

    def deployment(self, key: int | str) -> DeploymentView:
        """The page of a deployment."""
        self.follow()
        found = self.ask.deployment(str(key))
        assert found is not None
        return found

    def close(self) -> None:
        """Release the log."""
        self.log.close()


def draft(
    kind: str,
    at: int | None = NOON,
    *,
    source: str = "hub",
    actor: str | None = None,
    bot: bool = False,
    received_at: int | None = None,
    labels: dict[str, str] | None = None,
    id: str | None = None,
    **fields: Any,
) -> Draft:
    """The draft of one fact."""
    type_ = body_of(kind)
    assert type_ is not None
    return Draft(
        kind=kind,
        body=msgspec.convert(fields, type_),
        source=source,
        received_at=received_at or at or NOON,
        occurred_at=at,
        actor=Person(login=actor, bot=bot) if actor else None,
        attribution="authenticated" if actor else "unknown",
        labels=labels,
        id=id,
    )
