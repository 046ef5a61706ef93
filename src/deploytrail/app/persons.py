"""From persons as sources name them to random subject ids, and from drafts to sealed, encrypted entries."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from deploytrail.app.ports import Blob, Chance, Keyring, Pending
from deploytrail.app.vault import KEY, Vault, encrypt
from deploytrail.facts.canonical import normal
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.sealing import NOBODY, SealedFact, seal, to_bytes

_CACHED: Final = 20_000


class Persons:
    """Knows people again by keyed hashes of their logins and addresses; names nobody in clear.

    A login belongs to a namespace (the kind of source); an address is the same everywhere; a bare name
    counts only where there is neither. Which of several identities decides: login, address, name.
    """

    def __init__(self, keyring: Keyring, vault: Vault, chance: Chance) -> None:
        self._keyring, self._vault, self._chance = keyring, vault, chance
        self._lock = threading.Lock()
        self._subjects: OrderedDict[bytes, str] = OrderedDict()
        self._keys: OrderedDict[str, bytes] = OrderedDict()

    def seal(self, draft: Draft) -> Pending:
        """Seal and encrypt a draft. New persons are in the keyring, durably, before this returns."""
        sealed = seal(draft, lambda person: self.subject(person, draft.namespace), self._chance.bytes)
        return self._pending(sealed)

    def subject(self, person: Person, namespace: str) -> str:
        """The subject id of a person, made up now for somebody never seen before."""
        if person.id is not None:
            return person.id
        macs = self.identities(person, namespace)
        with self._lock:
            for mac in macs:
                if mac in self._subjects:
                    self._learn_more(self._subjects[mac], macs)
                    return self._subjects[mac]
            known = self._keyring.subject(macs)
            subject = known or self._new(macs)
            if known:
                self._learn_more(known, macs)
            for mac in macs:
                self._keep(mac, subject)
            return subject

    def add(self) -> str:
        """A new subject without identities, for somebody only the house knows."""
        with self._lock:
            return self._new(())

    def identities(self, person: Person, namespace: str) -> list[bytes]:
        """The keyed hashes a person is known by, the deciding one first."""
        texts = []
        if person.login:
            texts.append(f"login\n{namespace}\n{normal(person.login).lower()}")
        if person.email:
            texts.append(f"email\n{normal(person.email).strip().lower()}")
        if person.name and not texts:
            texts.append(f"name\n{normal(person.name).strip().lower()}")
        return [self._vault.mac("identity", text.encode()) for text in texts]

    def forget(self, subject: str) -> None:
        """Drop what is remembered of a subject; the keyring is the caller's."""
        with self._lock:
            self._keys.pop(subject, None)
            for mac in [mac for mac, known in self._subjects.items() if known == subject]:
                del self._subjects[mac]

    def _new(self, macs: Iterable[bytes]) -> str:
        subject = "s_" + base64.b32encode(self._chance.bytes(10)).decode().lower()
        key = self._chance.bytes(KEY)
        self._keyring.learn([(subject, key, list(macs))])
        self._keys[subject] = key
        return subject

    def _learn_more(self, subject: str, macs: list[bytes]) -> None:
        """An identity told together with a known one belongs to the same person, unless it is another's."""
        fresh = [mac for mac in macs if mac not in self._subjects and self._keyring.subject([mac]) is None]
        if fresh:
            key = self._key(subject)
            if key is not None:
                self._keyring.learn([(subject, key, fresh)])
        for mac in fresh:
            self._keep(mac, subject)

    def _keep(self, mac: bytes, subject: str) -> None:
        self._subjects.setdefault(mac, subject)
        if len(self._subjects) > _CACHED:
            self._subjects.popitem(last=False)

    def _key(self, subject: str) -> bytes | None:
        if subject not in self._keys:
            key = self._keyring.key(subject)
            if key is None and subject == NOBODY:
                key = self._chance.bytes(KEY)
                self._keyring.learn([(NOBODY, key, [])])
                key = self._keyring.key(NOBODY)
            if key is None:
                return None
            self._keys[subject] = key
            if len(self._keys) > _CACHED:
                self._keys.popitem(last=False)
        return self._keys[subject]

    def _pending(self, fact: SealedFact) -> Pending:
        blobs = []
        for subject, opened in fact.disclosures.items():
            with self._lock:
                key = self._key(subject)
            # A subject erased a moment ago has no key any more: then nothing of it is kept.
            if key is not None:
                blobs.append(Blob(subject, encrypt(key, to_bytes(opened), subject, self._chance)))
        return Pending(fact.entry, fact.source, fact.id, fact.subjects, tuple(blobs))
