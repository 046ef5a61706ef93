"""Subjects' keys in a small file of their own, so that a backup of the log never holds them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store import schema
from deploytrail.store.schema import identity, subject_key
from deploytrail.store.sqlite import open_engine, truncate_journal


class SqlKeyring:
    """Implements ports.Keyring. Keys are wrapped by the house key; identities are keyed hashes."""

    def __init__(self, path: Path, vault: Vault, *, write: bool = True) -> None:
        self._vault = vault
        self._lock = threading.Lock()
        if not write and not path.exists():
            raise Refused("not-found", f"There is no keyring at {path}.")
        self._engine = open_engine(path, synchronous="FULL", readonly=not write)
        if write:
            with self._lock, self._engine.begin() as tx:
                schema.keys.create_all(tx)

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    def subject(self, identities: Sequence[bytes]) -> str | None:
        query = sa.select(identity.c.mac, identity.c.subject).where(identity.c.mac.in_(list(identities)))
        with self._lock, self._engine.connect() as tx:
            known = {row.mac: row.subject for row in tx.execute(query)}
        return next((known[mac] for mac in identities if mac in known), None)

    def learn(self, found: Sequence[tuple[str, bytes, Sequence[bytes]]]) -> None:
        with self._lock, self._engine.begin() as tx:
            for subject, key, identities in found:
                kept = tx.execute(sa.select(subject_key.c.key).where(subject_key.c.subject == subject)).first()
                if kept is None:
                    wrapped = self._vault.seal(key, f"subject {subject}")
                    tx.execute(subject_key.insert().values(subject=subject, key=wrapped))
                for mac in identities:
                    if tx.execute(sa.select(identity.c.mac).where(identity.c.mac == mac)).first() is None:
                        tx.execute(identity.insert().values(mac=mac, subject=subject))

    def key(self, subject: str) -> bytes | None:
        query = sa.select(subject_key.c.key).where(subject_key.c.subject == subject)
        with self._lock, self._engine.connect() as tx:
            wrapped = tx.execute(query).scalar()
        return None if wrapped is None else self._vault.open(wrapped, f"subject {subject}")

    def forget(self, subject: str) -> None:
        with self._lock, self._engine.begin() as tx:
            tx.execute(subject_key.delete().where(subject_key.c.subject == subject))
            tx.execute(identity.delete().where(identity.c.subject == subject))
        with self._lock:
            truncate_journal(self._engine)

    def subjects(self) -> list[str]:
        with self._lock, self._engine.connect() as tx:
            return list(tx.execute(sa.select(subject_key.c.subject).order_by(subject_key.c.subject)).scalars())
