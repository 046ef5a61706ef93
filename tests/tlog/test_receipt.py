from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import checkpoint, note, proofs, receipt
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.receipt import Receipt
from tests.tlog.test_spelling import BASE64_TRAPS, DECIMAL_TRAPS
from tests.tlog.trees import KEY, OTHER, Tree, flips

TREE = Tree([b"entry %d" % i for i in range(300)])
VERIFIERS = [KEY.verifier]


def made(index: int, size: int, extra: bytes | None = None) -> Receipt:
    root = proofs.root_at(size, TREE.read)
    signed = checkpoint.sign(Checkpoint(KEY.verifier.name, size, root), KEY)
    return Receipt(index, tuple(proofs.inclusion_proof(index, size, TREE.read)), signed, extra)


GOOD = made(5, 8)


@given(st.data())
def test_receipts_are_read_back_and_hold(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, TREE.size))
    index = data.draw(st.integers(0, size - 1))
    extra = data.draw(st.none() | st.binary(min_size=1, max_size=40))
    given_out = made(index, size, extra)
    read = receipt.parse(given_out.encode())
    assert read == given_out
    assert receipt.verify(read, TREE.leaves[index], VERIFIERS).size == size


def test_the_receipt_of_a_log_of_one_has_no_hashes() -> None:
    lines = made(0, 1).encode().decode().split("\n")
    assert lines[:4] == ["c2sp.org/tlog-proof@v1", "index 0", "", KEY.verifier.name]


def test_the_extra_line_stands_before_the_index() -> None:
    lines = made(5, 8, b"salt").encode().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra c2FsdA==", "index 5"]


def test_every_flipped_byte_is_found() -> None:
    data = GOOD.encode()
    for at, changed in enumerate(flips(data)):
        with pytest.raises(Refused):
            receipt.verify(receipt.parse(changed), TREE.leaves[5], VERIFIERS)
        for other in (data[:at] + data[at + 1 :], data[:at]):
            with pytest.raises(Refused):
                receipt.verify(receipt.parse(other), TREE.leaves[5], VERIFIERS)


def test_a_receipt_proves_one_entry_at_one_index() -> None:
    for index, leaf in enumerate(TREE.leaves[:8]):
        if index != 5:
            with pytest.raises(Refused) as refused:
                receipt.verify(GOOD, leaf, VERIFIERS)
            assert refused.value.code == "untrue"
    with pytest.raises(Refused) as refused:
        receipt.verify(Receipt(4, GOOD.proof, GOOD.checkpoint_note), TREE.leaves[5], VERIFIERS)
    assert refused.value.code == "untrue"


def test_a_proof_leads_to_one_checkpoint_only() -> None:
    mixed = Receipt(5, GOOD.proof, made(5, 9).checkpoint_note)
    with pytest.raises(Refused) as refused:
        receipt.verify(mixed, TREE.leaves[5], VERIFIERS)
    assert refused.value.code == "untrue"


def test_an_unsigned_checkpoint_proves_nothing() -> None:
    for verifiers in ([], [OTHER.verifier]):
        with pytest.raises(Refused) as refused:
            receipt.verify(GOOD, TREE.leaves[5], verifiers)
        assert refused.value.code == "untrue"


HEAD, NOTE = GOOD.encode().decode().split("\n\n", 1)
HASH = HEAD.split("\n")[2]


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v2\nindex 5",
        "c2sp.org/tlog-proof@v1 \nindex 5",
        "\nc2sp.org/tlog-proof@v1\nindex 5",
        "c2sp.org/tlog-proof@v1\nextra QQ==",
        "c2sp.org/tlog-proof@v1\nindex 5\nextra QQ==",
        "c2sp.org/tlog-proof@v1\nextra QQ==\nextra QQ==\nindex 5",
        "c2sp.org/tlog-proof@v1\nindex 5\nindex 5",
        "c2sp.org/tlog-proof@v1\nindex  5",
        "c2sp.org/tlog-proof@v1\nIndex 5",
        "c2sp.org/tlog-proof@v1\nindex\t5",
        "c2sp.org/tlog-proof@v1\nindex 5\u2028",
        "c2sp.org/tlog-proof@v1\nextra \nindex 5",
        f"c2sp.org/tlog-proof@v1\nindex 5\n {HASH}",
        f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH} ",
        f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH[:-1]}",
        "c2sp.org/tlog-proof@v1\nindex 5\nAAAA",
        f"c2sp.org/tlog-proof@v1\r\nindex 5\r\n{HASH}",
        "c2sp.org/tlog-proof@v1\nindex 5" + f"\n{HASH}" * 64,
        *(f"c2sp.org/tlog-proof@v1\nindex {number}" for number in DECIMAL_TRAPS),
        *(f"c2sp.org/tlog-proof@v1\nextra {text}\nindex 5" for text in BASE64_TRAPS),
    ],
)
def test_bytes_that_are_no_receipt(head: str) -> None:
    with pytest.raises(Refused) as refused:
        receipt.parse(f"{head}\n\n{NOTE}".encode())
    assert refused.value.code == "bad-input"


def test_a_receipt_is_limited_in_size() -> None:
    with pytest.raises(Refused) as refused:
        receipt.parse(GOOD.encode() + b"x" * (2 << 20))
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize(
    "odd",
    [
        Receipt(-1, (), GOOD.checkpoint_note),
        Receipt(2**63, (), GOOD.checkpoint_note),
        Receipt(0, (b"h" * 31,), GOOD.checkpoint_note),
        Receipt(0, (b"h" * 32,) * 64, GOOD.checkpoint_note),
        Receipt(0, (), GOOD.checkpoint_note, b""),
        Receipt(0, (), GOOD.checkpoint_note, b"x" * (2 << 20)),
        Receipt(0, (), b""),
        Receipt(0, (), b"\n" + GOOD.checkpoint_note),
        Receipt(0, (), GOOD.checkpoint_note[:-1]),
        Receipt(0, (), note.assemble("no checkpoint\n", [KEY.sign("no checkpoint\n")])),
    ],
)
def test_what_could_not_be_read_is_not_written(odd: Receipt) -> None:
    with pytest.raises(Refused) as refused:
        odd.encode()
    assert refused.value.code == "bad-input"
