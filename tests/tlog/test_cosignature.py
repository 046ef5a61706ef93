from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploytrail.errors import Refused
from deploytrail.tlog import cosignature, note
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.note import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Signature
from tests.tlog.trees import KEY, flips

SEED = bytes(range(9, 41))
TEXT = Checkpoint(KEY.verifier.name, 8, b"r" * 32).text()
KEYS = {
    kind: CosigningKey.from_seed("witness.example.org/w", SEED, kind)
    for kind in (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
}
both = pytest.mark.parametrize("key", KEYS.values(), ids=["ed25519", "ml-dsa-44"])


def signature_of(line: str) -> bytes:
    return Signature.parse(line[:-1]).signature


def untrue(key: CosigningKey, text: str, signature: bytes) -> None:
    with pytest.raises(Refused) as refused:
        cosignature.verify(key.verifier, text, signature)
    assert refused.value.code == "untrue"


@both
@pytest.mark.parametrize("at", [1, 1_700_000_000, 2**63 - 1])
def test_the_time_is_signed(key: CosigningKey, at: int) -> None:
    signature = signature_of(key.sign(TEXT, at))
    assert signature[:8] == at.to_bytes(8, "big")
    assert cosignature.verify(key.verifier, TEXT, signature) == at
    untrue(key, TEXT, (at - 1).to_bytes(8, "big") + signature[8:])
    untrue(key, TEXT, (2**63 + at).to_bytes(8, "big") + signature[8:])


@pytest.mark.parametrize(("at", "good"), [(0, True), (2**63 - 1, True), (2**63, False), (2**64 - 1, False)])
def test_a_time_beyond_all_clocks_is_refused_although_signed(at: int, good: bool) -> None:
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    signed = at.to_bytes(8, "big") + private.sign(f"cosignature/v1\ntime {at}\n{TEXT}".encode())
    key = KEYS[ED25519_COSIGNATURE]
    if good:
        assert cosignature.verify(key.verifier, TEXT, signed) == at
    else:
        untrue(key, TEXT, signed)


@both
def test_every_flipped_byte_is_found(key: CosigningKey) -> None:
    signature = signature_of(key.sign(TEXT, 5))
    for changed in flips(signature, step=1 if len(signature) < 100 else 37):
        untrue(key, TEXT, changed)
    for length in (0, 7, 8, 9, 71, len(signature) - 1):
        untrue(key, TEXT, signature[:length])
    untrue(key, TEXT, signature + b"\0")


@both
@pytest.mark.parametrize(
    "other",
    [
        Checkpoint("log.example.org/other", 8, b"r" * 32),
        Checkpoint(KEY.verifier.name, 9, b"r" * 32),
        Checkpoint(KEY.verifier.name, 8, b"s" * 32),
    ],
)
def test_origin_size_and_root_are_signed(key: CosigningKey, other: Checkpoint) -> None:
    untrue(key, other.text(), signature_of(key.sign(TEXT, 5)))


@both
def test_another_key_did_not_sign(key: CosigningKey) -> None:
    other = CosigningKey.from_seed("witness.example.org/w", bytes(32), key.verifier.kind)
    untrue(other, TEXT, signature_of(key.sign(TEXT, 5)))


def test_the_name_is_signed_with_mldsa() -> None:
    other = CosigningKey.from_seed("witness.example.org/v", SEED, MLDSA44_COSIGNATURE)
    untrue(other, TEXT, signature_of(KEYS[MLDSA44_COSIGNATURE].sign(TEXT, 5)))


def test_extension_lines_are_signed_with_ed25519() -> None:
    extended = TEXT + "more\n"
    ed25519, mldsa = KEYS.values()
    assert cosignature.verify(ed25519.verifier, extended, signature_of(ed25519.sign(extended, 5))) == 5
    untrue(ed25519, extended, signature_of(ed25519.sign(TEXT, 5)))
    # ML-DSA cosignatures cover the three lines only: the reason never to write extension lines.
    assert cosignature.verify(mldsa.verifier, extended, signature_of(mldsa.sign(TEXT, 5))) == 5


def test_a_cosignature_is_no_log_signature_and_the_other_way_round() -> None:
    """The same Ed25519 key under both types: neither signature passes for the other."""
    log = note.SigningKey.from_seed("same.example.org", SEED)
    witness = CosigningKey.from_seed("same.example.org", SEED)
    assert log.verifier.public == witness.verifier.public
    plain, cosigned = signature_of(log.sign(TEXT)), signature_of(witness.sign(TEXT, 5))
    untrue(witness, TEXT, (5).to_bytes(8, "big") + plain)
    for signature in (cosigned, cosigned[8:]):
        read = note.Note(TEXT, (Signature("same.example.org", log.verifier.key_id, signature),))
        with pytest.raises(Refused):
            note.check(read, [log.verifier])


@both
@pytest.mark.parametrize("at", [-1, 0, 2**63])
def test_impossible_times(key: CosigningKey, at: int) -> None:
    with pytest.raises(Refused) as refused:
        key.sign(TEXT, at)
    assert refused.value.code == "bad-input"


@both
@pytest.mark.parametrize("text", ["", "x\n", "a\n1\n", "a\n01\n" + TEXT.split("\n")[2] + "\n", TEXT[:-1]])
def test_only_checkpoints_are_cosigned(key: CosigningKey, text: str) -> None:
    with pytest.raises(Refused):
        key.sign(text, 5)


def test_names_and_origins_too_long_for_mldsa() -> None:
    long = CosigningKey.from_seed("n" * 256, SEED, MLDSA44_COSIGNATURE)
    with pytest.raises(Refused):
        long.sign(TEXT, 5)
    longest = CosigningKey.from_seed("n" * 255, SEED, MLDSA44_COSIGNATURE)
    assert cosignature.verify(longest.verifier, TEXT, signature_of(longest.sign(TEXT, 5))) == 5
    text = Checkpoint("o" * 256, 8, b"r" * 32).text()
    with pytest.raises(Refused):
        longest.sign(text, 5)
    untrue(longest, text, signature_of(longest.sign(TEXT, 5)))


@pytest.mark.parametrize("kind", [0, 1, 2, 5, 255])
def test_kinds_that_do_not_cosign(kind: int) -> None:
    with pytest.raises(Refused):
        CosigningKey.from_seed("a", SEED, kind)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(Refused):
        CosigningKey.from_seed("a", bytes(length))
