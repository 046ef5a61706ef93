from __future__ import annotations

import pytest

from deploytrail.errors import Refused
from deploytrail.tlog.spelling import write_base64
from deploytrail.tlog.verifier import (
    ED25519,
    ED25519_COSIGNATURE,
    MLDSA44_COSIGNATURE,
    Signature,
    Verifier,
    key_id_of,
)
from tests.tlog.trees import KEY

VKEY = KEY.verifier.vkey()
NAME, ID, BLOB = VKEY.split("+", 2)


@pytest.mark.parametrize("kind", [ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE])
def test_verifier_keys_are_read_back(kind: int) -> None:
    """Base64 may hold a plus itself: the name and the key ID end at the first two."""
    public = b"\xef\xbe\xfb" * 500
    verifier = Verifier.of("a.example.org", public[: 1312 if kind == MLDSA44_COSIGNATURE else 32], kind)
    assert "+" in verifier.vkey().split("+", 2)[2]
    assert Verifier.parse(verifier.vkey()) == verifier


def test_one_key_has_another_id_for_each_name_and_kind() -> None:
    public = KEY.verifier.public
    ids = {key_id_of(name, public, kind) for name in ("a", "b") for kind in (1, 4)}
    assert len(ids) == 4


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "+",
        "++",
        NAME,
        f"{NAME}+{ID}",
        f"{NAME}+{ID}+",
        f"+{ID}+{BLOB}",
        f"{NAME}+{ID.upper()}+{BLOB}",
        f"{NAME}+{ID[:7]}+{BLOB}",
        f"{NAME}+0{ID}+{BLOB}",
        f"{NAME}+{int(ID, 16) ^ 1:08x}+{BLOB}",
        f"other.{NAME}+{ID}+{BLOB}",
        f"{NAME} +{ID}+{BLOB}",
        f"{VKEY}\n",
        f" {VKEY}",
        f"{NAME}+{ID}+{BLOB[:-1]}",
        f"{NAME}+{ID}+{BLOB}=",
        f"{NAME}+{ID}+AQ==",
        f"{NAME}+{key_id_of(NAME, b'p' * 33, 1):08x}+{write_base64(bytes([1]) + b'p' * 33)}",
        f"{NAME}+{key_id_of(NAME, b'p' * 32, 6):08x}+{write_base64(bytes([6]) + b'p' * 32)}",
        f"{NAME}+{key_id_of(NAME, b'p' * 32, 2):08x}+{write_base64(bytes([2]) + b'p' * 32)}",
        f"{NAME}+{key_id_of(NAME, b'p' * 32, 255):08x}+{write_base64(bytes([255]) + b'p' * 32)}",
    ],
)
def test_texts_that_are_no_verifier_key(vkey: str) -> None:
    with pytest.raises(Refused) as refused:
        Verifier.parse(vkey)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("name", ["", "a b", "a\u2028b", "a\nb"])
def test_names_that_no_key_can_have(name: str) -> None:
    public = KEY.verifier.public
    key_id = key_id_of(name, public, ED25519)
    with pytest.raises(Refused):
        Verifier.of(name, public)
    with pytest.raises(Refused):
        Verifier(name, key_id, public, ED25519)
    with pytest.raises(Refused):
        Verifier.parse(f"{name}+{key_id:08x}+{BLOB}")


def test_a_name_that_cannot_be_written() -> None:
    with pytest.raises(Refused):
        Verifier.of("\ud800", KEY.verifier.public)


@pytest.mark.parametrize("kind", [0, 2, 5, 255, 257, -1])
def test_kinds_that_are_not_known(kind: int) -> None:
    with pytest.raises(Refused):
        Verifier.of("a", b"p" * 32, kind)


def test_signature_lines_are_read_back() -> None:
    signature = Signature("größe.example.org", 0xFFFFFFFF, b"s")
    assert signature.line() == "— größe.example.org /////3M=\n"
    assert Signature.parse(signature.line()[:-1]) == signature


@pytest.mark.parametrize(
    "line",
    [
        "",
        "— ",
        "— a",
        "— a ",
        "—  QUFBQUE=",
        "— a  QUFBQUE=",
        "— a QUFBQUE= ",
        " — a QUFBQUE=",
        "—a QUFBQUE=",
        "- a QUFBQUE=",
        "-- a QUFBQUE=",
        "– a QUFBQUE=",
        "―\u00a0a QUFBQUE=",
        "—\u00a0a QUFBQUE=",
        "— a\u2028 QUFBQUE=",
        "— a+b QUFBQUE=",
        "— a QUFBQUE",
        "— a QUFBQUF=",
        "— a QUFBQQ==",
        "— a \u2028QUFBQUE=",
        "— a b QUFBQUE=",
        "a QUFBQUE=",
    ],
)
def test_lines_that_are_no_signature(line: str) -> None:
    with pytest.raises(Refused) as refused:
        Signature.parse(line)
    assert refused.value.code == "bad-input"
