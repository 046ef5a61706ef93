"""Published vectors, byte for byte: our own, and the shared ones where they lie beside the checkout."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from deploytrail.tlog import checkpoint, cosignature, note, proofs, receipt, tiles
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash, root_of
from deploytrail.tlog.note import SigningKey, Verifier
from deploytrail.tlog.spelling import write_base64
from deploytrail.tlog.tiles import Tile
from tests.tlog import oracle
from tests.tlog.trees import Tree

OWN = Path(__file__).with_name("vectors.json")
SHARED = Path(__file__).parents[3] / "shared" / "vectors" / "tlog.json"

Vectors = dict[str, Any]


@functools.cache
def load(path: Path) -> Vectors:
    found: Vectors = json.loads(path.read_text(encoding="utf-8"))
    return found


FILES = [path for path in (OWN, SHARED) if path.exists()]
NAMES = [path.stem for path in FILES]
whole = pytest.mark.parametrize("vectors", [load(path) for path in FILES], ids=NAMES)


def each(key: str) -> pytest.MarkDecorator:
    """One case per item of a list in each file."""
    cases = [(load(path), item) for path in FILES for item in load(path).get(key, [])]
    return pytest.mark.parametrize(("vectors", "case"), cases)


@functools.cache
def tree(prefix: str, size: int) -> Tree:
    return Tree([f"{prefix}{i}".encode() for i in range(size)])


def tree_of(vectors: Vectors) -> Tree:
    return tree(vectors.get("entry_prefix", "L"), max(map(int, vectors["roots"])))


def log_key(vectors: Vectors) -> SigningKey:
    return SigningKey.from_seed(vectors["log_key"]["name"], bytes.fromhex(vectors["log_key"]["seed_hex"]))


def witness_key(vectors: Vectors) -> CosigningKey:
    key = vectors["witness_key"]
    return CosigningKey.from_seed(key["name"], bytes.fromhex(key["seed_hex"]))


def hexes(hashes: list[bytes]) -> list[str]:
    return [hash.hex() for hash in hashes]


def test_own_vectors_are_what_the_oracle_prints() -> None:
    printed = json.dumps(oracle.vectors(), indent=1, ensure_ascii=False) + "\n"
    assert OWN.read_text(encoding="utf-8") == printed


def test_own_vectors_cover_every_kind_of_case() -> None:
    own = load(OWN)
    assert (len(own["inclusion"]), len(own["consistency"]), len(own["tile_paths"])) == (49, 49, 192)
    assert len(own["roots"]) == 28
    assert len(own["tree_files"]) == 7


@whole
def test_leaf_hashes(vectors: Vectors) -> None:
    prefix = vectors.get("entry_prefix", "L")
    for index, expected in vectors["leaf_hashes"].items():
        assert leaf_hash(f"{prefix}{index}".encode()).hex() == expected


@whole
def test_roots(vectors: Vectors) -> None:
    leaves = tree_of(vectors).leaves
    for size, expected in vectors["roots"].items():
        root = Frontier.EMPTY.extend(leaves[: int(size)])[0].root()
        assert root == root_of(leaves[: int(size)])
        assert (root.hex(), write_base64(root)) == (expected["hex"], expected["base64"])


@each("inclusion")
def test_inclusion(vectors: Vectors, case: Vectors) -> None:
    grown, index, size = tree_of(vectors), case["index"], case["size"]
    assert grown.leaves[index].hex() == case["leaf_hash"]
    proof = proofs.inclusion_proof(index, size, grown.read)
    assert hexes(proof) == case["proof"]
    proofs.verify_inclusion(index, size, grown.leaves[index], proof, root_of(grown.leaves[:size]))


@each("consistency")
def test_consistency(vectors: Vectors, case: Vectors) -> None:
    grown, old, new = tree_of(vectors), case["old"], case["new"]
    proof = proofs.consistency_proof(old, new, grown.read)
    assert hexes(proof) == case["proof"]
    proofs.verify_consistency(old, new, root_of(grown.leaves[:old]), root_of(grown.leaves[:new]), proof)


@each("tile_paths")
def test_tile_paths(vectors: Vectors, case: Vectors) -> None:
    level = tiles.ENTRIES if case["level"] == "entries" else case["level"]
    tile = Tile(level, case["index"], case["width"])
    assert tiles.path(tile) == case["path"]
    parse = tiles.parse_entries if level == tiles.ENTRIES else tiles.parse
    assert parse(case["path"]) == tile
    if level == tiles.ENTRIES:
        assert tiles.entries_path(tile.index, tile.width) == case["path"]


@whole
def test_tree_files(vectors: Vectors) -> None:
    """The own file lists every tile of each tree, the shared one a choice."""
    for size, listed in vectors["tree_files"].items():
        files = tree_of(vectors).files(int(size))
        for path, expected in listed.items():
            found = {"bytes": len(files[path]), "sha256": hashlib.sha256(files[path]).hexdigest()}
            assert found == expected, (size, path)
        if "entry_prefix" in vectors:
            assert set(files) - {"checkpoint"} == set(listed)


@whole
def test_tree_file_counts(vectors: Vectors) -> None:
    listed = list(tiles.widths(70_000))
    levels = {f"level {level}": sum(tile.level == level for tile in listed) for level in range(3)}
    assert {**levels, "entries": levels["level 0"]} == vectors["tree_files_count_70000"]
    assert len(listed) == sum(levels.values())


@whole
def test_bundle(vectors: Vectors) -> None:
    entries = tree_of(vectors).entries[:8]
    data = tiles.bundle(entries)
    assert data.hex() == vectors["bundle_8_hex"]
    assert tiles.unbundle(data, 8) == entries


@whole
def test_keys(vectors: Vectors) -> None:
    for key, expected in (
        (log_key(vectors).verifier, vectors["log_key"]),
        (witness_key(vectors).verifier, vectors["witness_key"]),
    ):
        assert key.public.hex() == expected["public_hex"]
        assert f"{key.key_id:08x}" == expected["key_id_hex"]
        assert key.vkey() == expected["vkey"]
        assert Verifier.parse(expected["vkey"]) == key


@whole
@pytest.mark.parametrize("size", [0, 3, 7, 8])
def test_checkpoints(vectors: Vectors, size: int) -> None:
    key = log_key(vectors)
    stated = Checkpoint(key.verifier.name, size, root_of(tree_of(vectors).leaves[:size]))
    data = vectors[f"checkpoint_{size}"].encode()
    assert checkpoint.sign(stated, key) == data
    assert checkpoint.open_note(data, [key.verifier]) == stated


@whole
def test_cosignature(vectors: Vectors) -> None:
    log, witness, expected = log_key(vectors), witness_key(vectors), vectors["cosignature_8"]
    text = Checkpoint(log.verifier.name, 8, root_of(tree_of(vectors).leaves[:8])).text()
    assert f"cosignature/v1\ntime {expected['time']}\n{text}" == expected["signed_message"]
    line = witness.sign(text, expected["time"])
    assert line == expected["line"]
    cosigned = note.assemble(text, [log.sign(text), line])
    assert cosigned == vectors["checkpoint_8_cosigned"].encode()
    read = note.parse(cosigned)
    assert note.check(read, [log.verifier, witness.verifier]) == [log.verifier, witness.verifier]
    assert cosignature.verify(witness.verifier, text, read.signatures[1].signature) == expected["time"]


@whole
def test_add_checkpoint_body(vectors: Vectors) -> None:
    """What tlog-witness takes is made of what this room gives."""
    proof = proofs.consistency_proof(3, 7, tree_of(vectors).read)
    lines = "".join(write_base64(hash) + "\n" for hash in proof)
    assert f"old 3\n{lines}\n{vectors['checkpoint_7']}" == vectors["add_checkpoint_3_to_7"]


@whole
def test_receipt(vectors: Vectors) -> None:
    grown, log = tree_of(vectors), log_key(vectors).verifier
    data = vectors["tlog_proof_5_of_8"].encode()
    proof = tuple(proofs.inclusion_proof(5, 8, grown.read))
    made = receipt.Receipt(5, proof, vectors["checkpoint_8_cosigned"].encode(), None)
    assert made.encode() == data
    assert receipt.parse(data) == made
    for trusted in ([log], [log, witness_key(vectors).verifier]):
        assert receipt.verify(made, grown.leaves[5], trusted).size == 8


@whole
def test_plain_note(vectors: Vectors) -> None:
    key, expected = log_key(vectors), vectors["plain_note"]
    data = expected["note"].encode()
    assert note.assemble(expected["text"], [key.sign(expected["text"])]) == data
    assert note.parse(data).text == expected["text"]
    assert note.check(note.parse(data), [key.verifier]) == [key.verifier]


@whole
def test_leaf_of_an_entry_with_a_commitment(vectors: Vectors) -> None:
    case = vectors["salted_commitment"]
    assert leaf_hash(case["entry"].encode()).hex() == case["leaf_hash"]


@whole
def test_mldsa_cosignature(vectors: Vectors) -> None:
    """ML-DSA signatures are randomised, so a published one is verified and our own is made anew."""
    case = vectors["ml_dsa_44"]
    name = vectors["log_key"]["name"]
    key = CosigningKey.from_seed(name, bytes.fromhex(case["seed_hex"]), note.MLDSA44_COSIGNATURE)
    verifier = key.verifier
    assert hashlib.sha256(verifier.public).hexdigest() == case["public_sha256"]
    assert f"{verifier.key_id:08x}" == case["key_id_hex"]
    assert len(verifier.vkey()) == case["vkey_length"]
    assert hashlib.sha256(verifier.vkey().encode()).hexdigest() == case["vkey_sha256"]
    assert Verifier.parse(verifier.vkey()) == verifier

    text = note.parse(vectors["checkpoint_8"].encode()).text
    assert cosignature._message(verifier, text, 1_700_000_000).hex() == case["cosigned_message_hex"]
    line = case["one_valid_line_of_many"]
    line = line if line.endswith("\n") else line + "\n"
    for signed in (line, key.sign(text, 1_700_000_000)):
        data = note.assemble(text, [signed])
        assert checkpoint.open_note(data, [verifier]).size == 8
        signature = note.parse(data).signatures[0].signature
        assert cosignature.verify(verifier, text, signature) == 1_700_000_000
        assert len(base64.b64decode(signed.split(" ")[2])) == 4 + 8 + 2420
