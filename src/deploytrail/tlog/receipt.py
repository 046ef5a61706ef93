"""Receipts (C2SP tlog-proof): one entry's inclusion proof and the checkpoint it leads to, in one file.

```
c2sp.org/tlog-proof@v1
index 5
NZr/IegsvAOEgnpCagnR9FIdnN0bXYnc8R1C1UEQ6TM=
XYLDVeUCQIRLRB1Pin26puYDXyUEdx99YFXJ1bgy0Tk=
ERcMjUX0jrbsiavY3YtuB9FT215w+Ag4Qda7XgDz+fA=

(the signed checkpoint, as it was served)
```
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from deploytrail.errors import Refused
from deploytrail.tlog import note
from deploytrail.tlog.checkpoint import Checkpoint, open_note, parse_text
from deploytrail.tlog.note import MAX_BYTES, Verifier
from deploytrail.tlog.proofs import verify_inclusion
from deploytrail.tlog.spelling import read_base64, read_decimal, read_hash, write_base64

_HEADER: Final = "c2sp.org/tlog-proof@v1"
# No tree is higher: sizes are below 2^63.
_MAX_HASHES: Final = 63
# The note, and as much again for the extra line.
_MAX_RECEIPT: Final = 2 * MAX_BYTES


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands, the hashes from it to the root (its sibling first), and the checkpoint.

    `extra` is not covered by any signature.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file. Refused("bad-input") if `parse` would not take it."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {write_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(write_base64, self.proof)
        data = "\n".join(lines).encode() + b"\n\n" + self.checkpoint_note
        parse(data)
        return data


def parse(data: bytes) -> Receipt:
    """The receipt of a file, its proof and signatures unchecked. Refused("bad-input") for any other bytes."""
    if len(data) > _MAX_RECEIPT:
        raise Refused("bad-input", f"A receipt has at most {_MAX_RECEIPT} bytes; this one has {len(data)}.")
    head, empty_line, checkpoint_note = data.partition(b"\n\n")
    if not empty_line or not head.isascii():
        raise Refused("bad-input", "A receipt is a proof, an empty line, and a signed checkpoint.")
    header, *lines = head.decode("ascii").split("\n")
    if header != _HEADER:
        raise Refused("bad-input", f"A receipt begins with the line {_HEADER!r}.")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = read_base64(lines.pop(0).removeprefix("extra "))
        if not extra:
            raise Refused("bad-input", "The extra line of the receipt is empty.")
    if not lines or not lines[0].startswith("index "):
        raise Refused("bad-input", "The receipt does not say at which index its entry stands.")
    if len(lines) - 1 > _MAX_HASHES:
        raise Refused("bad-input", f"A proof has at most {_MAX_HASHES} hashes.")
    index = read_decimal(lines[0].removeprefix("index "))
    parse_text(note.parse(checkpoint_note).text)
    return Receipt(index, tuple(map(read_hash, lines[1:])), checkpoint_note, extra)


def verify(receipt: Receipt, leaf_hash: bytes, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint under which the entry with this leaf hash stands at the receipt's index.

    Refused("untrue") if the checkpoint's signature or the proof does not hold.
    """
    checkpoint = open_note(receipt.checkpoint_note, verifiers)
    verify_inclusion(receipt.index, checkpoint.size, leaf_hash, receipt.proof, checkpoint.root)
    return checkpoint
