from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import checkpoint, note
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.frontier import MAX_SIZE
from deploytrail.tlog.hashes import EMPTY_ROOT
from deploytrail.tlog.note import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE
from tests.tlog.test_spelling import DECIMAL_TRAPS
from tests.tlog.trees import KEY, OTHER

ORIGIN = KEY.verifier.name
ROOT = "twd0q0uKgVmVDYhoBObSn6GlHzBtti8lfYHiMgzWXkw="
STATED = checkpoint.parse_text(f"{ORIGIN}\n8\n{ROOT}\n")


@given(st.integers(1, MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_checkpoints_are_read_back(size: int, root: bytes) -> None:
    stated = Checkpoint(ORIGIN, size, root)
    assert checkpoint.parse_text(stated.text()) == stated
    assert checkpoint.open_note(checkpoint.sign(stated, KEY), [KEY.verifier]) == stated


def test_the_text_is_three_lines() -> None:
    assert STATED.text() == f"{ORIGIN}\n8\n{ROOT}\n"


def test_extension_lines_are_read_and_left_aside() -> None:
    text = STATED.text() + "one\ntwo with spaces\n"
    assert checkpoint.parse_text(text) == STATED
    data = note.assemble(text, [KEY.sign(text)])
    assert checkpoint.open_note(data, [KEY.verifier]) == STATED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n\n",
        ORIGIN,
        f"{ORIGIN}\n",
        f"{ORIGIN}\n8\n",
        f"{ORIGIN}\n8\n{ROOT}",
        f"{ORIGIN}\n8\n\n",
        f"{ORIGIN}\n\n{ROOT}\n",
        f"\n8\n{ROOT}\n",
        f"{ORIGIN}\n8\n{ROOT}\n\n",
        f"{ORIGIN}\n8\n{ROOT}\n\nmore\n",
        f"{ORIGIN}\n8\n{ROOT}\nmore",
        f"{ORIGIN}\n8\n{ROOT} \n",
        f"{ORIGIN}\n8\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n8\n{ROOT[:-2]}x=\n",
        f"{ORIGIN}\n8\nAAAA\n",
        f"{ORIGIN}\r\n8\r\n{ROOT}\r\n",
        f"{ORIGIN}\u20288\u2028{ROOT}\n",
        f"{ORIGIN}\n8\u2028{ROOT}\n",
        f"{ORIGIN}\n8\x85{ROOT}\n",
        f"{ORIGIN}\n8\n{ROOT}\nmo\tre\n",
        f"{ORIGIN}\t\n8\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT}\n",
        *(f"{ORIGIN}\n{number}\n{ROOT}\n" for number in DECIMAL_TRAPS),
    ],
)
def test_texts_that_are_no_checkpoint(text: str) -> None:
    with pytest.raises(Refused) as refused:
        checkpoint.parse_text(text)
    assert refused.value.code == "bad-input"


@given(st.text("0189 _\n=+AZaz\u2028\r", max_size=70))
def test_a_text_that_is_read_prints_the_same(text: str) -> None:
    whole = f"origin\n{text}\n{ROOT}\n"
    try:
        stated = checkpoint.parse_text(whole)
    except Refused:
        return
    assert whole.startswith(stated.text())


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, b"r" * 32),
        ("a\nb", 1, b"r" * 32),
        ("a", -1, b"r" * 32),
        ("a", MAX_SIZE + 1, b"r" * 32),
        ("a", 1, b"r" * 31),
        ("a", 1, b"r" * 33),
        ("a", 1, b""),
        ("a", 0, b"r" * 32),
    ],
)
def test_checkpoints_that_cannot_be(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(Refused) as refused:
        Checkpoint(origin, size, root)
    assert refused.value.code == "bad-input"


def test_the_key_must_bear_the_origin() -> None:
    foreign = Checkpoint("log.example.org/other", 0, EMPTY_ROOT)
    with pytest.raises(Refused) as refused:
        checkpoint.sign(foreign, KEY)
    assert refused.value.code == "bad-input"
    forged = note.assemble(foreign.text(), [KEY.sign(foreign.text())])
    assert note.check(note.parse(forged), [KEY.verifier]) == [KEY.verifier]
    with pytest.raises(Refused) as refused:
        checkpoint.open_note(forged, [KEY.verifier])
    assert refused.value.code == "untrue"


def test_a_witness_does_not_stand_for_the_log() -> None:
    witness = CosigningKey.from_seed("witness.example.org/w", bytes(32))
    as_origin = CosigningKey.from_seed(ORIGIN, bytes(32), ED25519_COSIGNATURE)
    for cosigner in (witness, as_origin):
        data = note.assemble(STATED.text(), [OTHER.sign(STATED.text()), cosigner.sign(STATED.text(), 5)])
        with pytest.raises(Refused) as refused:
            checkpoint.open_note(data, [KEY.verifier, cosigner.verifier])
        assert refused.value.code == "untrue"


def test_a_log_may_sign_with_mldsa() -> None:
    key = CosigningKey.from_seed(ORIGIN, bytes(32), MLDSA44_COSIGNATURE)
    data = note.assemble(STATED.text(), [KEY.sign(STATED.text()), key.sign(STATED.text(), 5)])
    for trusted in ([key.verifier], [KEY.verifier], [key.verifier, KEY.verifier]):
        assert checkpoint.open_note(data, trusted) == STATED


def test_another_key_of_the_same_name_is_not_trusted() -> None:
    with pytest.raises(Refused) as refused:
        checkpoint.open_note(checkpoint.sign(STATED, OTHER), [KEY.verifier])
    assert refused.value.code == "untrue"


def test_both_keys_of_a_rotation_open_the_checkpoint() -> None:
    data = note.assemble(STATED.text(), [KEY.sign(STATED.text()), OTHER.sign(STATED.text())])
    for trusted in ([KEY.verifier], [OTHER.verifier], [KEY.verifier, OTHER.verifier]):
        assert checkpoint.open_note(data, trusted) == STATED
