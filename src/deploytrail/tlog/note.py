"""Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.

```
log.example.org/trail
8
twd0q0uKgVmVDYhoBObSn6GlHzBtti8lfYHiMgzWXkw=

— log.example.org/trail 9Wv0geVd0jf7...
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deploytrail.errors import Refused
from deploytrail.tlog import cosignature
from deploytrail.tlog.verifier import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Signature, Verifier

__all__ = [
    "ED25519",
    "ED25519_COSIGNATURE",
    "MAX_BYTES",
    "MAX_SIGNATURES",
    "MLDSA44_COSIGNATURE",
    "Note",
    "Signature",
    "SigningKey",
    "Verifier",
    "assemble",
    "check",
    "parse",
]

MAX_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 100
# All below U+0020 but the newline.
_CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signatures, of which nothing has been checked."""

    text: str
    signatures: tuple[Signature, ...]


class SigningKey:
    """A private Ed25519 key that signs notes under a name (type 0x01): that of a log."""

    def __init__(self, verifier: Verifier, private: Ed25519PrivateKey) -> None:
        self._verifier = verifier
        self._private = private

    @staticmethod
    def from_seed(name: str, seed: bytes) -> SigningKey:
        """The key of a seed of 32 bytes."""
        if len(seed) != 32:
            raise Refused("bad-input", f"A seed has 32 bytes, not {len(seed)}.")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return SigningKey(Verifier.of(name, private.public_key().public_bytes_raw()), private)

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return self._verifier

    def sign(self, text: str) -> str:
        """The signature line for a note's text, with its newline."""
        _demand_text(text)
        signature = self._private.sign(text.encode())
        return Signature(self._verifier.name, self._verifier.key_id, signature).line()


def parse(data: bytes) -> Note:
    """The note of these bytes, unchecked. Refused("bad-input") unless they are one, to the byte."""
    if len(data) > MAX_BYTES:
        raise Refused("bad-input", f"A note has at most {MAX_BYTES} bytes; this one has {len(data)}.")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bad-input", "The note is not UTF-8.") from None
    if _CONTROL.search(data):
        raise Refused("bad-input", "The note holds a control character, such as a carriage return or a tab.")
    # The text may hold empty lines itself; the signatures stand behind the last one.
    text, empty_line, signatures = whole.rpartition("\n\n")
    if not empty_line or not signatures.endswith("\n"):
        raise Refused("bad-input", "A note is a text, an empty line, and signature lines.")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Refused("bad-input", f"A note has at most {MAX_SIGNATURES} signatures.")
    return Note(text + "\n", tuple(map(Signature.parse, lines)))


def check(note: Note, verifiers: Iterable[Verifier]) -> list[Verifier]:
    """Those of `verifiers` that signed this note; at least one.

    Signatures of other keys are ignored. One wrong signature of a known key refuses the whole note, and
    so does having none: Refused("untrue").
    """
    known = _by_key(verifiers)
    good: dict[Verifier, None] = {}
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            _verify(verifier, note.text, signature.signature)
            good[verifier] = None
    if not good:
        raise Refused("untrue", "None of the keys that are trusted has signed this note.")
    return list(good)


def assemble(text: str, lines: Iterable[str]) -> bytes:
    """The note of a text and signature lines, each with its newline, as bytes that `parse` takes."""
    _demand_text(text)
    data = f"{text}\n{''.join(lines)}".encode()
    if parse(data).text != text:
        raise Refused("bad-input", "The signature lines would change where the note's text ends.")
    return data


def _by_key(verifiers: Iterable[Verifier]) -> dict[tuple[str, int], Verifier]:
    known: dict[tuple[str, int], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise Refused("bad-input", f"Two trusted keys share the name {verifier.name} and the key ID.")
    return known


def _verify(verifier: Verifier, text: str, signature: bytes) -> None:
    if verifier.kind != ED25519:
        cosignature.verify(verifier, text, signature)
        return
    try:
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, text.encode())
    except InvalidSignature:
        raise Refused("untrue", f"The signature of {verifier.name} does not belong to this text.") from None


def _demand_text(text: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Refused("bad-input", "The text cannot be written as UTF-8.") from None
    if not text.endswith("\n") or _CONTROL.search(data):
        raise Refused("bad-input", "A note's text ends in a newline and holds no other control character.")
