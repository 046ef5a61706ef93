"""Subjects' keys in a small place of their own, so that a backup of the log never holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from deploytrail.app.vault import Vault
from deploytrail.store import schema
from deploytrail.store.database import Database
from deploytrail.store.schema import identity, subject_key
from deploytrail.store.sqlite import database

# Built once: building a statement costs as much as running it.
_KNOWN: Final = sa.select(identity.c.mac, identity.c.subject).where(
    identity.c.mac.in_(sa.bindparam("macs", expanding=True))
)
_LEARN_KEYS: Final = insert(subject_key).on_conflict_do_nothing()
_LEARN_IDENTITIES: Final = insert(identity).on_conflict_do_nothing()


class SqlKeyring:
    """Implements ports.Keyring. Keys are wrapped by the house key; identities are keyed hashes."""

    def __init__(self, where: Path | Database, vault: Vault, *, write: bool = True) -> None:
        self._database, self._vault = database(where, write=write), vault
        if write:
            self._database.make(schema.keys)

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    def subject(self, identities: Sequence[bytes]) -> str | None:
        with self._database.reading() as tx:
            known = {row.mac: row.subject for row in tx.execute(_KNOWN, {"macs": list(identities)})}
        return next((known[mac] for mac in identities if mac in known), None)

    def learn(self, found: Sequence[tuple[str, bytes, Sequence[bytes]]]) -> None:
        keys = [{"subject": name, "key": self._vault.seal(key, f"subject {name}")} for name, key, _ in found]
        macs = [{"mac": mac, "subject": subject} for subject, _, identities in found for mac in identities]
        with self._database.begin() as tx:
            if keys:
                tx.execute(_LEARN_KEYS, keys)
            if macs:
                tx.execute(_LEARN_IDENTITIES, macs)

    def key(self, subject: str) -> bytes | None:
        query = sa.select(subject_key.c.key).where(subject_key.c.subject == subject)
        with self._database.reading() as tx:
            wrapped = tx.execute(query).scalar()
        return None if wrapped is None else self._vault.open(wrapped, f"subject {subject}")

    def forget(self, subject: str) -> None:
        with self._database.begin() as tx:
            tx.execute(subject_key.delete().where(subject_key.c.subject == subject))
            tx.execute(identity.delete().where(identity.c.subject == subject))
        self._database.purge()

    def subjects(self) -> list[str]:
        query = sa.select(subject_key.c.subject).order_by(subject_key.c.subject)
        with self._database.reading() as tx:
            return list(tx.execute(query).scalars())
