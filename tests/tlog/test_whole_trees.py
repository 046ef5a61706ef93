"""Whole logs, right to the byte in every file: against the literal recursion, and against an independent
implementation of C2SP tlog-tiles (tlog-scales), which writes the same files and reads ours."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from tlog_scales import signing, tlog
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.writer import TilesWriter

from deploytrail.tlog import checkpoint, cosignature, note, proofs
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.note import MLDSA44_COSIGNATURE
from tests.tlog import oracle
from tests.tlog.trees import KEY, Tree, flips, write

SIZES = [0, 1, 2, 255, 256, 257, 65_536, 70_000]
every_size = pytest.mark.parametrize("size", SIZES)
SEED = bytes(range(32))
VKEY = signing.Vkey.from_string(KEY.verifier.vkey())


@functools.cache
def tree(size: int) -> Tree:
    return Tree([b"entry %d of %d" % (i, size) for i in range(size)])


def reader(size: int, folder: Path) -> TilesReader:
    write(tree(size).files(), folder)
    return TilesReader(LocalBackend(folder))


def some_indices(size: int) -> list[int]:
    return sorted({0, 1, 255, 256, size // 2, 65_535, 65_536, size - 2, size - 1} & set(range(size)))


@every_size
def test_every_file_is_that_of_the_recursion(size: int) -> None:
    files = tree(size).files()
    signed = files.pop("checkpoint")
    assert files == oracle.files(tree(size).entries)
    root = oracle.mth(tuple(tree(size).leaves))
    assert checkpoint.open_note(signed, [KEY.verifier]) == Checkpoint(KEY.verifier.name, size, root)


@every_size
def test_the_independent_writer_writes_the_same_files(size: int, tmp_path: Path) -> None:
    writer = TilesWriter.create(tmp_path / "log", KEY.verifier.name)
    for entry in tree(size).entries:
        writer.add_leaf(entry)
    writer.commit([signing.PlainEd25519Signer(KEY.verifier.name, SEED)])
    root = tmp_path / "log"
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert found == tree(size).files()


@every_size
def test_the_independent_reader_agrees(size: int, tmp_path: Path) -> None:
    independent = reader(size, tmp_path)
    head = independent.get_checkpoint()
    head.verify(VKEY)
    assert (head.origin, head.size, head.root_hash) == (KEY.verifier.name, size, tree(size).root)
    assert independent.calculate_root_hash() == head.root_hash
    for index in some_indices(size):
        assert independent.get_entry(index) == tree(size).entries[index]
        theirs = independent.get_inclusion_proof(index, size).node_hashes
        ours = proofs.inclusion_proof(index, size, tree(size).read)
        assert ours == theirs
        tlog.InclusionProof(index, size, ours).check(tree(size).leaves[index], head.root_hash)
        proofs.verify_inclusion(index, size, tree(size).leaves[index], theirs, head.root_hash)


@every_size
def test_the_independent_reader_finds_each_older_size_consistent(size: int, tmp_path: Path) -> None:
    independent = reader(size, tmp_path)
    independent.set_size(size)
    read, root = tree(size).read, tree(size).root
    for old in [index + 1 for index in some_indices(size)]:
        old_root = proofs.root_at(old, read)
        theirs = independent.get_consistency_proof(old, size).node_hashes
        ours = proofs.consistency_proof(old, size, read)
        assert ours == theirs
        tlog.ConsistencyProof(old, size, ours).check(old_root, root)
        proofs.verify_consistency(old, size, old_root, root, theirs)


def test_the_independent_verifier_refuses_what_ours_refuses(tmp_path: Path) -> None:
    signed = tree(257).files()["checkpoint"]
    wrong = signed.replace(b"\n257\n", b"\n256\n")
    with pytest.raises(Exception):  # noqa: B017  whatever it raises, it must not agree
        tlog.Checkpoint.from_text(wrong.decode()).verify(VKEY)
    proof = proofs.inclusion_proof(5, 257, tree(257).read)
    changed = [flips(proof[0])[3], *proof[1:]]
    with pytest.raises(tlog.InclusionProofInvalid):
        tlog.InclusionProof(5, 257, changed).check(tree(257).leaves[5], tree(257).root)


def test_cosignatures_agree_both_ways() -> None:
    text = Checkpoint(KEY.verifier.name, 257, tree(257).root).text()
    witness = CosigningKey.from_seed("witness.example.org/w", SEED)
    quantum_safe = CosigningKey.from_seed("witness.example.org/q", SEED, MLDSA44_COSIGNATURE)
    ours = note.assemble(text, [KEY.sign(text), witness.sign(text, 7), quantum_safe.sign(text, 8)])
    keys = [KEY.verifier, witness.verifier, quantum_safe.verifier]
    read = tlog.Checkpoint.from_text(ours.decode())
    for verifier in keys:
        read.verify(signing.Vkey.from_string(verifier.vkey()))

    theirs = tlog.Checkpoint.make_signed(
        KEY.verifier.name,
        257,
        tree(257).root,
        [
            signing.PlainEd25519Signer(KEY.verifier.name, SEED),
            signing.MLDSA44CosignatureSigner("witness.example.org/q", SEED),
        ],
    )
    data = theirs.serialize().encode()
    assert note.check(note.parse(data), keys) == [KEY.verifier, quantum_safe.verifier]
    last = note.parse(data).signatures[1].signature
    assert cosignature.verify(quantum_safe.verifier, text, last) > 1_700_000_000
