"""Cosignatures (C2SP tlog-cosignature): a signature with a time, mostly by a witness.

It says: at that time this was the largest consistent tree of the origin that the cosigner had seen. The
bytes of the signature are the time, 8 bytes big-endian in seconds since 1970, then the signature proper:
Ed25519 (type 0x04) or ML-DSA-44 (type 0x06). A log may sign its own checkpoints with type 0x06.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from deploytrail.errors import Refused
from deploytrail.tlog.checkpoint_text import parse_text
from deploytrail.tlog.verifier import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Signature, Verifier

MAX_TIME: Final = 2**63 - 1
_TIME_BYTES: Final = 8


class CosigningKey:
    """A private key that cosigns checkpoints, as type 0x04 (by default) or 0x06."""

    def __init__(self, verifier: Verifier, private: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
        self._verifier = verifier
        self._private = private

    @staticmethod
    def from_seed(name: str, seed: bytes, kind: int = ED25519_COSIGNATURE) -> CosigningKey:
        """The key of a seed of 32 bytes. An Ed25519 seed must belong to one cosigner name only."""
        if len(seed) != 32:
            raise Refused("bad-input", f"A seed has 32 bytes, not {len(seed)}.")
        private: Ed25519PrivateKey | MLDSA44PrivateKey
        if kind == ED25519_COSIGNATURE:
            private = Ed25519PrivateKey.from_private_bytes(seed)
        elif kind == MLDSA44_COSIGNATURE:
            private = MLDSA44PrivateKey.from_seed_bytes(seed)
        else:
            raise Refused("bad-input", f"Signature type 0x{kind:02x} is not that of a cosignature.")
        return CosigningKey(Verifier.of(name, private.public_key().public_bytes_raw(), kind), private)

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return self._verifier

    def sign(self, text: str, at: int) -> str:
        """The signature line for a checkpoint's text at a time in seconds since 1970 (not 0)."""
        parse_text(text)
        if not 1 <= at <= MAX_TIME:
            raise Refused("bad-input", f"A cosignature cannot be made at the time {at}.")
        signature = self._private.sign(_message(self._verifier, text, at))
        at_bytes = at.to_bytes(_TIME_BYTES, "big")
        return Signature(self._verifier.name, self._verifier.key_id, at_bytes + signature).line()


def verify(verifier: Verifier, text: str, signature: bytes) -> int:
    """When the cosigner says it signed this text, in seconds since 1970. Refused("untrue") if it did not."""
    at = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) <= _TIME_BYTES or at > MAX_TIME:
        raise _untrue(verifier)
    try:
        message = _message(verifier, text, at)
        _public(verifier).verify(signature[_TIME_BYTES:], message)
    except (InvalidSignature, Refused):
        raise _untrue(verifier) from None
    return at


def _message(verifier: Verifier, text: str, at: int) -> bytes:
    if verifier.kind == MLDSA44_COSIGNATURE:
        return _subtree_message(verifier.name, text, at)
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _subtree_message(name: str, text: str, at: int) -> bytes:
    """What type 0x06 signs: the checkpoint as the subtree that starts at 0, in binary."""
    checkpoint = parse_text(text)
    return b"".join(
        (
            b"subtree/v1\n\0",
            _short(name),
            at.to_bytes(8, "big"),
            _short(checkpoint.origin),
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _short(text: str) -> bytes:
    """Text behind its length in one byte."""
    data = text.encode()
    if len(data) > 255:
        raise Refused("bad-input", "Names and origins in an ML-DSA cosignature have at most 255 bytes.")
    return bytes((len(data),)) + data


def _public(verifier: Verifier) -> Ed25519PublicKey | MLDSA44PublicKey:
    if verifier.kind == MLDSA44_COSIGNATURE:
        return MLDSA44PublicKey.from_public_bytes(verifier.public)
    return Ed25519PublicKey.from_public_bytes(verifier.public)


def _untrue(verifier: Verifier) -> Refused:
    return Refused("untrue", f"The cosignature of {verifier.name} does not belong to this text.")
