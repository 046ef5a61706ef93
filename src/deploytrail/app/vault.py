"""Sealing with the house's own key, which lies in a file outside every database.

It wraps source secrets and subjects' keys, and makes the keyed hashes by which identities and repeats are
known again without being kept.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploytrail.app.ports import Chance
from deploytrail.errors import Refused

KEY: Final = 32
_NONCE: Final = 12


def encrypt(key: bytes, plain: bytes, about: str, chance: Chance) -> bytes:
    """AES-256-GCM: nonce then ciphertext, bound to `about`."""
    nonce = chance.bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.encode())


def decrypt(key: bytes | AESGCM, sealed: bytes, about: str) -> bytes:
    """What `encrypt` sealed. Refused("untrue") if it was altered or belongs to something else.

    Whoever opens much under one key hands in its cipher, made once.
    """
    cipher = AESGCM(key) if isinstance(key, bytes) else key
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
    except (InvalidTag, ValueError):
        raise Refused(
            "untrue", "Something sealed does not open: it was altered, or its key is another."
        ) from None


class Vault:
    """The house key in use. A separate key per purpose is derived from it."""

    def __init__(self, key: bytes, chance: Chance) -> None:
        if len(key) != KEY:
            raise Refused("bad-input", f"The house key has {KEY} bytes.")
        self._chance = chance
        self._wrapping = hmac.digest(key, b"deploytrail/wrap/v1", "sha256")
        self._hashing = hmac.digest(key, b"deploytrail/hash/v1", "sha256")

    def seal(self, plain: bytes, about: str) -> bytes:
        """Seal bytes; `about` says what for, and must be said again to open them."""
        return encrypt(self._wrapping, plain, about, self._chance)

    def open(self, sealed: bytes, about: str) -> bytes:
        """Open what `seal` sealed. Refused("untrue") otherwise."""
        return decrypt(self._wrapping, sealed, about)

    def mac(self, purpose: str, *parts: bytes) -> bytes:
        """A keyed hash of parts for a purpose: 32 bytes. Parts cannot run into each other."""
        message = purpose.encode() + b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._hashing, message, "sha256")
