"""The text of a checkpoint (C2SP tlog-checkpoint): origin, size and root, a line each."""

from __future__ import annotations

from dataclasses import dataclass

from deploytrail.errors import Refused
from deploytrail.tlog.frontier import MAX_SIZE
from deploytrail.tlog.hashes import EMPTY_ROOT, HASH_BYTES
from deploytrail.tlog.spelling import checked_line, read_decimal, read_hash, write_base64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its origin, its size in entries, and the root over them."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        checked_line(self.origin)
        if not 0 <= self.size <= MAX_SIZE:
            raise Refused("bad-input", f"A log cannot have size {self.size}.")
        if len(self.root) != HASH_BYTES:
            raise Refused("bad-input", f"A root has {HASH_BYTES} bytes, not {len(self.root)}.")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Refused("bad-input", "This is not the root of an empty log.")

    def text(self) -> str:
        """The three lines. Extension lines are never written: ML-DSA cosignatures would not cover them."""
        return f"{self.origin}\n{self.size}\n{write_base64(self.root)}\n"


def parse_text(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Extension lines are allowed and left aside.

    Refused("bad-input") for any other text.
    """
    # Not splitlines(), which also splits at U+2028, U+0085 and others.
    origin, *lines = text.split("\n")
    if len(lines) < 3 or lines[-1]:
        raise Refused("bad-input", "A checkpoint is three lines: origin, size and root.")
    size, root, *extensions = lines[:-1]
    for extension in extensions:
        checked_line(extension)
    return Checkpoint(origin, read_decimal(size), read_hash(root))
