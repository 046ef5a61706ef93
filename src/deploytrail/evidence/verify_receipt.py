"""The offline check of one receipt (C2SP tlog-proof).

1. The receipt can be read, and its checkpoint is signed by a trusted key of the log, for its own origin.
2. The entry that was handed over stands at the receipt's index under that checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from deploytrail.errors import Refused
from deploytrail.evidence.check import Check, demand_false
from deploytrail.tlog import checkpoint, cosignature, note, receipt
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.note import ED25519, Note, Verifier
from deploytrail.tlog.proofs import verify_inclusion
from deploytrail.tlog.receipt import Receipt

SIGNED: Final = 1
INCLUDED: Final = 2

WORDS: Final = {
    SIGNED: "The receipt's checkpoint is signed by a trusted key of the log, for its own origin.",
    INCLUDED: "The entry stands in the log at the receipt's index.",
}


def verify_receipt(data: bytes, verifiers: Iterable[Verifier], entry: bytes | None) -> list[Check]:
    """Both checks. The second needs the entry's bytes: `entry`, else what the receipt's extra line carries.

    No signature covers that line, and none need: the bytes must hash to the proof's place.
    """
    trusted = list(verifiers)
    try:
        read = receipt.parse(data)
        head = checkpoint.open_note(read.checkpoint_note, trusted)
    except Refused as refusal:
        demand_false(refusal)
        return [
            Check(SIGNED, WORDS[SIGNED], False, refusal.words),
            Check(INCLUDED, WORDS[INCLUDED], None, "Not looked at: there is no checkpoint to go by."),
        ]
    signed = note.parse(read.checkpoint_note)
    detail = f"{head.origin}, {head.size:,} entries, root {head.root.hex()}.{_cosigners(signed, trusted)}"
    entry = read.extra if entry is None else entry
    return [Check(SIGNED, WORDS[SIGNED], True, detail), _included(read, head, entry)]


def _included(read: Receipt, head: Checkpoint, entry: bytes | None) -> Check:
    words = WORDS[INCLUDED]
    if entry is None:
        missing = f"Entry {read.index:,} itself was not given, and the receipt does not carry it."
        return Check(INCLUDED, words, None, missing)
    try:
        verify_inclusion(read.index, head.size, leaf_hash(entry), read.proof, head.root)
    except Refused as refusal:
        return Check(INCLUDED, words, False, refusal.words)
    return Check(INCLUDED, words, True, f"Entry {read.index:,} of {head.size:,}.")


def _cosigners(signed: Note, trusted: list[Verifier]) -> str:
    """Who else signed, and at which time they say they did (seconds since 1970)."""
    good = {(key.name, key.key_id): key for key in trusted if key.kind != ED25519}
    found = ""
    for signature in signed.signatures:
        key = good.get((signature.name, signature.key_id))
        if key is not None:
            at = cosignature.verify(key, signed.text, signature.signature)
            found += f" Cosigned by {key.name} at {at}."
    return found
