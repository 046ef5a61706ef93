"""A public key as signed notes know it: by name and key ID (C2SP signed-note); and one signature line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from deploytrail.errors import Refused
from deploytrail.tlog.spelling import checked_name, read_base64, write_base64

# Signature types of signed-note and tlog-cosignature. Others exist (0x02 ECDSA, 0x05 RFC 6962 tree heads)
# and are ignored in notes.
ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
MLDSA44_COSIGNATURE: Final = 0x06
_PUBLIC_BYTES: Final = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}

# An em dash, U+2014, then a space.
_DASH: Final = "\u2014 "
_VKEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", re.ASCII)


def key_id_of(name: str, public: bytes, kind: int) -> int:
    """The first 4 bytes of SHA256(name || 0x0A || type || public key), as a big-endian number."""
    digest = sha256(name.encode() + b"\n" + bytes((kind,)) + public).digest()
    return int.from_bytes(digest[:4], "big")


@dataclass(frozen=True, slots=True)
class Verifier:
    """One public key: `kind` is its signature type (0x01, 0x04 or 0x06), `public` its bytes.

    Refused("bad-input") unless the key ID is that of the other three.
    """

    name: str
    key_id: int
    public: bytes
    kind: int

    def __post_init__(self) -> None:
        checked_name(self.name)
        if self.kind not in _PUBLIC_BYTES:
            raise Refused("bad-input", f"Keys of signature type 0x{self.kind:02x} are not known here.")
        if len(self.public) != _PUBLIC_BYTES[self.kind]:
            raise Refused("bad-input", f"The public key of {self.name} has the wrong length.")
        if self.key_id != key_id_of(self.name, self.public, self.kind):
            raise Refused("bad-input", f"The key ID of {self.name} does not belong to its name and key.")

    @staticmethod
    def of(name: str, public: bytes, kind: int = ED25519) -> Verifier:
        """The verifier of a public key, its key ID computed."""
        checked_name(name)
        return Verifier(name, key_id_of(name, public, kind & 0xFF), public, kind)

    @staticmethod
    def parse(vkey: str) -> Verifier:
        """The verifier of a vkey: name+hexadecimal key ID+base64 of type and public key."""
        found = _VKEY.fullmatch(vkey)
        if not found:
            raise Refused("bad-input", f"{vkey[:80]!r} is not a verifier key (name+key ID+base64).")
        key = read_base64(found[3])
        return Verifier(found[1], int(found[2], 16), key[1:], key[0])

    def vkey(self) -> str:
        """The text that `parse` reads."""
        return f"{self.name}+{self.key_id:08x}+{write_base64(bytes((self.kind,)) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a note: whose it says it is, and its bytes (in a cosignature, the time first)."""

    name: str
    key_id: int
    signature: bytes

    def line(self) -> str:
        """The signature as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {write_base64(self.key_id.to_bytes(4, 'big') + self.signature)}\n"

    @staticmethod
    def parse(line: str) -> Signature:
        """The signature of a line without its newline. Refused("bad-input") for any other text."""
        name, space, blob = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise Refused("bad-input", f"{line[:80]!r} is not a signature line.")
        data = read_base64(blob)
        if len(data) < 5:
            raise Refused("bad-input", f"The signature of {name[:80]!r} is empty.")
        return Signature(checked_name(name), int.from_bytes(data[:4], "big"), data[4:])
