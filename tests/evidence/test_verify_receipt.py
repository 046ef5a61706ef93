from __future__ import annotations

import pytest

from deploytrail.evidence.verify_receipt import WORDS, verify_receipt
from deploytrail.tlog import note, proofs
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.note import MLDSA44_COSIGNATURE, Verifier
from deploytrail.tlog.receipt import Receipt
from tests.tlog.trees import KEY, OTHER, Tree, flips

TREE = Tree([b"entry %d" % i for i in range(300)])
WITNESS = CosigningKey.from_seed("witness.example.org/w", bytes(range(32)))
LOG_TOO = CosigningKey.from_seed(KEY.verifier.name, bytes(range(32)), MLDSA44_COSIGNATURE)
TEXT = Checkpoint(KEY.verifier.name, 300, TREE.root).text()
COSIGNED = note.assemble(TEXT, [KEY.sign(TEXT), WITNESS.sign(TEXT, 1_700_000_000)])
PROOF = tuple(proofs.inclusion_proof(299, 300, TREE.read))
GOOD = Receipt(299, PROOF, COSIGNED).encode()
ENTRY = TREE.entries[299]


def outcomes(data: bytes, verifiers: list[Verifier], entry: bytes | None) -> list[bool | None]:
    checks = verify_receipt(data, verifiers, entry)
    assert [(check.number, check.words) for check in checks] == list(WORDS.items())
    return [check.ok for check in checks]


def test_a_good_receipt() -> None:
    checks = verify_receipt(GOOD, [KEY.verifier], ENTRY)
    assert [check.ok for check in checks] == [True, True]
    assert checks[0].detail == f"{KEY.verifier.name}, 300 entries, root {TREE.root.hex()}."
    assert checks[1].detail == "Entry 299 of 300."


def test_trusted_cosigners_are_named_with_their_time() -> None:
    checks = verify_receipt(GOOD, [KEY.verifier, WITNESS.verifier], ENTRY)
    assert checks[0].detail.endswith(" Cosigned by witness.example.org/w at 1700000000.")
    both = note.assemble(TEXT, [LOG_TOO.sign(TEXT, 5), WITNESS.sign(TEXT, 6)])
    data = Receipt(299, PROOF, both).encode()
    assert outcomes(data, [LOG_TOO.verifier, WITNESS.verifier], ENTRY) == [True, True]


def test_a_witness_alone_proves_nothing() -> None:
    assert outcomes(GOOD, [WITNESS.verifier], ENTRY) == [False, None]


def test_every_flipped_byte_is_found() -> None:
    """In a witness' line, a changed name or key ID makes an unknown key: ignored, and no longer named."""
    witness_line = GOOD.rindex("\u2014".encode())
    for at, data in enumerate(flips(GOOD)):
        checks = verify_receipt(data, [KEY.verifier, WITNESS.verifier], ENTRY)
        if [check.ok for check in checks] == [True, True]:
            assert at > witness_line
            assert "Cosigned" not in checks[0].detail


@pytest.mark.parametrize("entry", [b"", TREE.entries[298], ENTRY + b" ", TREE.leaves[299]])
def test_another_entry_is_not_in_it(entry: bytes) -> None:
    assert outcomes(GOOD, [KEY.verifier], entry) == [True, False]


def test_without_the_entry_its_place_is_not_shown() -> None:
    assert outcomes(GOOD, [KEY.verifier], None) == [True, None]
    [_, included] = verify_receipt(GOOD, [KEY.verifier], None)
    assert included.detail == "Entry 299 itself was not given, and the receipt does not carry it."


def test_a_receipt_that_carries_its_entry_is_enough() -> None:
    carrying = Receipt(299, PROOF, COSIGNED, extra=ENTRY).encode()
    assert outcomes(carrying, [KEY.verifier], None) == [True, True]
    other = Receipt(299, PROOF, COSIGNED, extra=TREE.entries[298]).encode()
    assert outcomes(other, [KEY.verifier], None) == [True, False]
    assert outcomes(other, [KEY.verifier], ENTRY) == [True, True]


@pytest.mark.parametrize("data", [b"", b"x", GOOD[:-1], COSIGNED])
def test_what_is_no_receipt(data: bytes) -> None:
    assert outcomes(data, [KEY.verifier], ENTRY) == [False, None]


def test_another_key_of_the_same_name() -> None:
    assert outcomes(GOOD, [OTHER.verifier], ENTRY) == [False, None]
