"""From persons as sources name them to random subject ids, and from drafts to sealed, encrypted entries."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from deploytrail.app.packing import pack_all
from deploytrail.app.ports import Blob, Chance, Keyring, Pending
from deploytrail.app.vault import KEY, Vault, encrypt
from deploytrail.errors import Refused
from deploytrail.facts.canonical import normal
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.sealing import NOBODY, SealedFact, seal, to_bytes

_CACHED: Final = 20_000
# Drafts whose new persons are kept in one durable write.
_TOGETHER: Final = 100
# Bytes of chance that are asked for at once, for some fifty facts.
_DRAWN: Final = 8_192
# A person as a source names them: namespace, login, email, name.
_Told = tuple[str, str | None, str | None, str | None]
# A new subject: id, key, identities.
_New = tuple[str, bytes, list[bytes]]


class Persons:
    """Knows people again by keyed hashes of their logins and addresses; names nobody in clear.

    A login belongs to a namespace (the kind of source); an address is the same everywhere; a bare name
    counts only where there is neither. Which of several identities decides: login, address, name.

    Safe to use from many threads. What is remembered for speed is what the keyring holds, less what is not
    written yet: nobody sees that, since the lock is kept until it is.
    """

    def __init__(self, keyring: Keyring, vault: Vault, chance: Chance) -> None:
        self._keyring, self._vault, self._chance = keyring, vault, chance
        self._lock = threading.Lock()
        self._subjects: OrderedDict[bytes, str] = OrderedDict()
        # Persons as they were told, all of whose identities are known to be one subject's.
        self._told: OrderedDict[_Told, str] = OrderedDict()
        self._keys: OrderedDict[str, bytes] = OrderedDict()
        self._new: dict[str, _New] = {}
        # Erasures are rare and ids are short: all of this run are remembered.
        self._erased: set[str] = set()

    def seal(self, draft: Draft) -> Pending:
        """Seal and encrypt a draft. New persons are in the keyring, durably, before this returns.

        Refused as facts/sealing, and as the keyring.
        """
        [sealed] = self.seal_each([draft])
        if isinstance(sealed, Refused):
            raise sealed
        return sealed

    def seal_each(self, drafts: Sequence[Draft]) -> list[Pending | Refused]:
        """Seal drafts that stand alone; one that is refused leaves the others alone."""
        sealed: list[Pending | Refused] = []
        for start in range(0, len(drafts), _TOGETHER):
            some = drafts[start : start + _TOGETHER]
            drawn = _Drawn(self._chance)
            try:
                with self._lock:
                    facts = [self._sealed(draft, drawn) for draft in some]
                    self._learn()
            except Refused as refusal:
                # The keyring took nothing.
                sealed += [refusal] * len(some)
                continue
            sealed += self._pending(facts, drawn)
        return sealed

    def subject(self, person: Person, namespace: str) -> str:
        """The subject id of a person, made up now for somebody never seen before."""
        with self._lock:
            subject = self._subject(person, namespace)
            self._learn()
            return subject

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
        """Destroy a subject's key and identities, here and in the keyring, for good.

        From now on nothing is sealed for this subject any more; what was sealed before is in the log when
        `Recorder.settle` returns. Refused("bad-input") for NOBODY.
        """
        if subject == NOBODY:
            raise Refused("bad-input", "Nobody cannot be erased; erase single disclosures instead.")
        with self._lock:
            self._erased.add(subject)
            self._keys.pop(subject, None)
            for mac in [mac for mac, known in self._subjects.items() if known == subject]:
                del self._subjects[mac]
            for told in [told for told, known in self._told.items() if known == subject]:
                del self._told[told]
            # Under the lock: an identity learnt in between would bring the key back.
            self._keyring.forget(subject)

    # All below with the lock held.

    def _sealed(self, draft: Draft, chance: Chance) -> SealedFact | Refused:
        try:
            return seal(draft, lambda person: self._subject(person, draft.namespace), chance.bytes)
        except Refused as refusal:
            return refusal
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            # A source that built what no entry can hold; one fact must not cost those around it.
            return Refused("bad-input", f"This fact cannot be written ({type(error).__name__}).")

    def _subject(self, person: Person, namespace: str) -> str:
        if person.id is not None:
            return person.id
        told = (namespace, person.login, person.email, person.name)
        subject = self._told.get(told)
        if subject is not None:
            self._told.move_to_end(told)
            return subject
        subject = self._found(person, namespace)
        if not self._new:
            self._told[told] = subject
            self._trim()
        return subject

    def _found(self, person: Person, namespace: str) -> str:
        macs = self.identities(person, namespace)
        known = self._known_of(macs)
        subject = next((known[mac] for mac in macs if mac in known), None)
        # An identity told together with a known one belongs to the same person, unless it is another's.
        fresh = [mac for mac in macs if mac not in known]
        if subject is None:
            return self._make_up(fresh)
        if fresh:
            self._add_identities(subject, fresh)
        return subject

    def _known_of(self, macs: Sequence[bytes]) -> dict[bytes, str]:
        strange = [mac for mac in macs if mac not in self._subjects]
        # Of somebody who was never seen the keyring knows nothing: then it is asked once, not for each.
        if strange and self._keyring.subject(strange) is None:
            macs = [mac for mac in macs if mac in self._subjects]
        return {mac: subject for mac in macs if (subject := self._known(mac)) is not None}

    def _known(self, mac: bytes) -> str | None:
        subject = self._subjects.get(mac)
        if subject is not None:
            self._subjects.move_to_end(mac)
            return subject
        subject = self._keyring.subject([mac])
        if subject is not None:
            self._remember(mac, subject)
        return subject

    def _make_up(self, macs: Iterable[bytes]) -> str:
        subject = "s_" + base64.b32encode(self._chance.bytes(10)).decode().lower()
        key = self._chance.bytes(KEY)
        self._new[subject] = (subject, key, list(macs))
        self._keys[subject] = key
        for mac in self._new[subject][2]:
            self._remember(mac, subject)
        return subject

    def _add_identities(self, subject: str, fresh: list[bytes]) -> None:
        key = self._key(subject)
        if key is None:
            return
        if subject in self._new:
            self._new[subject][2].extend(fresh)
        else:
            self._new[subject] = (subject, key, fresh)
        for mac in fresh:
            self._remember(mac, subject)

    def _learn(self) -> None:
        """Write what is new. What could not be written is not remembered either."""
        if not self._new:
            return
        new, self._new = list(self._new.values()), {}
        try:
            self._keyring.learn(new)
        except BaseException:
            for subject, _, macs in new:
                self._keys.pop(subject, None)
                for mac in macs:
                    self._subjects.pop(mac, None)
            raise
        self._trim()

    def _remember(self, mac: bytes, subject: str) -> None:
        self._subjects[mac] = subject
        self._trim()

    def _trim(self) -> None:
        """Let go of what was not asked for longest, but of nothing that is not written yet."""
        while not self._new and len(self._subjects) > _CACHED:
            self._subjects.popitem(last=False)
        while not self._new and len(self._keys) > _CACHED:
            self._keys.popitem(last=False)
        while len(self._told) > _CACHED:
            self._told.popitem(last=False)

    def _key(self, subject: str) -> bytes | None:
        key = self._keys.get(subject)
        if key is not None:
            self._keys.move_to_end(subject)
            return key
        key = self._keyring.key(subject)
        if key is None and subject == NOBODY:
            key = self._chance.bytes(KEY)
            self._keyring.learn([(NOBODY, key, [])])
        if key is not None:
            self._keys[subject] = key
            self._trim()
        return key

    # Without the lock.

    def _pending(self, facts: Sequence[SealedFact | Refused], chance: Chance) -> list[Pending | Refused]:
        """Facts with their disclosures encrypted."""
        told = [
            (place, subject, key, to_bytes(opened))
            for place, fact in enumerate(facts)
            if isinstance(fact, SealedFact)
            for subject, opened in fact.disclosures.items()
            if (key := self._living(subject)) is not None
        ]
        blobs: list[list[Blob]] = [[] for _ in facts]
        packed = pack_all([text for *_, text in told], quickly=True)
        for (place, subject, key, _), text in zip(told, packed, strict=True):
            blobs[place].append(Blob(subject, encrypt(key, text, subject, chance)))
        return [
            fact
            if isinstance(fact, Refused)
            else Pending(fact.entry, fact.source, fact.id, fact.subjects, tuple(mine))
            for fact, mine in zip(facts, blobs, strict=True)
        ]

    def _living(self, subject: str) -> bytes | None:
        """A subject's key; None for one erased a moment ago, of whom nothing is kept."""
        with self._lock:
            return None if subject in self._erased else self._key(subject)


class _Drawn:
    """Implements Chance for one batch, of bytes asked for together: each asking lets threads change."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._left = memoryview(b"")

    def bytes(self, count: int) -> bytes:
        """Bytes that nobody else was or will be given."""
        if len(self._left) < count:
            self._left = memoryview(self._chance.bytes(max(count, _DRAWN)))
        found, self._left = self._left[:count], self._left[count:]
        return found.tobytes()
