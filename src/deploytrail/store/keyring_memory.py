"""Subjects' keys in memory: a real adapter without a disk, for tests and small houses."""

from __future__ import annotations

import threading
from collections.abc import Sequence


class MemoryKeyring:
    """Implements ports.Keyring."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._identities: dict[bytes, str] = {}

    def subject(self, identities: Sequence[bytes]) -> str | None:
        with self._lock:
            return next((self._identities[mac] for mac in identities if mac in self._identities), None)

    def learn(self, found: Sequence[tuple[str, bytes, Sequence[bytes]]]) -> None:
        with self._lock:
            for subject, key, identities in found:
                self._keys.setdefault(subject, key)
                for mac in identities:
                    self._identities.setdefault(mac, subject)

    def key(self, subject: str) -> bytes | None:
        with self._lock:
            return self._keys.get(subject)

    def forget(self, subject: str) -> None:
        with self._lock:
            self._keys.pop(subject, None)
            self._identities = {mac: known for mac, known in self._identities.items() if known != subject}

    def subjects(self) -> list[str]:
        with self._lock:
            return sorted(self._keys)
