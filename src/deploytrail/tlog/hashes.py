"""The hashes of RFC 6962, section 2.1: SHA-256, with one byte in front that tells leaves from nodes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final[bytes] = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA256(0x00 || entry): the entry as it is, without the length that a bundle puts before it."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes (MTH of RFC 6962): that of an empty tree if there are none.

    Hashing in pairs, level by level, and lifting a lonely last hash as it is gives the same tree as the
    recursion of the RFC, which splits at the largest power of two below the size.
    """
    row = list(leaf_hashes)
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        lonely = row[-1:] if len(row) & 1 else []
        row = pair_up(row) + lonely
    return row[0]


def pair_up(row: Sequence[bytes]) -> list[bytes]:
    """The node hashes of neighbours; a lonely last hash is left out."""
    # node_hash() is written out: the call would cost a third of the time.
    sides = iter(row)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(sides, sides, strict=False)]
