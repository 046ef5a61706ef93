"""Checkpoints: origin, size and root of a log, signed as a note whose key bears the log's origin."""

from __future__ import annotations

from collections.abc import Iterable

from deploytrail.errors import Refused
from deploytrail.tlog import note
from deploytrail.tlog.checkpoint_text import Checkpoint, parse_text

__all__ = ["Checkpoint", "open_note", "parse_text", "sign"]

# A witness' Ed25519 cosignature (0x04) never stands for the log's own signature.
_LOG_KINDS = (note.ED25519, note.MLDSA44_COSIGNATURE)


def sign(checkpoint: Checkpoint, key: note.SigningKey) -> bytes:
    """The signed checkpoint, as it is served. Refused("bad-input") unless the key bears the log's origin."""
    if key.verifier.name != checkpoint.origin:
        raise Refused("bad-input", f"The key of {key.verifier.name} cannot sign for {checkpoint.origin}.")
    text = checkpoint.text()
    return note.assemble(text, [key.sign(text)])


def open_note(data: bytes, verifiers: Iterable[note.Verifier]) -> Checkpoint:
    """The checkpoint of a signed note, with the log's own signature among the good ones.

    The origin must be the name of the log's key. Refused("untrue") otherwise, or as `note.check` does.
    """
    signed = note.parse(data)
    good = note.check(signed, verifiers)
    checkpoint = parse_text(signed.text)
    if not any(key.name == checkpoint.origin and key.kind in _LOG_KINDS for key in good):
        raise Refused("untrue", f"No trusted key of the log {checkpoint.origin} has signed this checkpoint.")
    return checkpoint
