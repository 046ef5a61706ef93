from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import proofs
from deploytrail.tlog.frontier import MAX_SIZE, Frontier
from deploytrail.tlog.hashes import EMPTY_ROOT, leaf_hash, root_of
from deploytrail.tlog.tiles import Tile
from tests.tlog import oracle
from tests.tlog.trees import Tree, flips

TREE = Tree([b"entry %d" % i for i in range(1_100)])
LEAVES = tuple(TREE.leaves)
LARGE = Tree([b"%d" % i for i in range(70_000)])

sizes = st.integers(1, TREE.size)


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(sizes)
    return draw(st.integers(0, size - 1)), size


@st.composite
def growths(draw: st.DrawFn) -> tuple[int, int]:
    new = draw(sizes)
    return draw(st.integers(1, new)), new


def root(size: int) -> bytes:
    return root_of(LEAVES[:size])


def untrue(check: Callable[..., None], *arguments: object) -> None:
    with pytest.raises(Refused) as refused:
        check(*arguments)
    assert refused.value.code == "untrue"


# Against the literal recursion.


@given(places())
def test_inclusion_is_that_of_the_recursion(place: tuple[int, int]) -> None:
    index, size = place
    proof = proofs.inclusion_proof(index, size, TREE.read)
    assert proof == oracle.inclusion(index, LEAVES[:size])
    proofs.verify_inclusion(index, size, LEAVES[index], proof, root(size))


@given(growths())
def test_consistency_is_that_of_the_recursion(growth: tuple[int, int]) -> None:
    old, new = growth
    proof = proofs.consistency_proof(old, new, TREE.read)
    assert proof == oracle.consistency(old, LEAVES[:new])
    proofs.verify_consistency(old, new, root(old), root(new), proof)


def test_every_proof_of_every_tree_to_40() -> None:
    for size in range(1, 41):
        for index in range(size):
            proof = proofs.inclusion_proof(index, size, TREE.read)
            assert proof == oracle.inclusion(index, LEAVES[:size])
            proofs.verify_inclusion(index, size, LEAVES[index], proof, root(size))
        for old in range(size + 1):
            proof = proofs.consistency_proof(old, size, TREE.read)
            assert proof == oracle.consistency(old, LEAVES[:size])
            proofs.verify_consistency(old, size, root(old), root(size), proof)


@given(st.integers(0, TREE.size))
def test_roots_and_frontiers_from_tiles(size: int) -> None:
    assert proofs.root_at(size, TREE.read) == root(size)
    assert proofs.frontier_at(size, TREE.read) == Frontier.EMPTY.extend(LEAVES[:size])[0]


@pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537, 69_999, 70_000])
def test_across_three_tile_levels(size: int) -> None:
    leaves = tuple(LARGE.leaves[:size])
    top = oracle.mth(leaves)
    assert proofs.root_at(size, LARGE.read) == top
    for index in {0, 1, 254, size // 2, size - 2, size - 1}:
        proof = proofs.inclusion_proof(index, size, LARGE.read)
        assert proof == oracle.inclusion(index, leaves)
        proofs.verify_inclusion(index, size, leaves[index], proof, top)


# Building.


def test_a_proof_reads_few_tiles_and_each_once() -> None:
    for index in (0, 255, 256, 40_000, 65_535, 65_536, 69_999):
        LARGE.reads.clear()
        proofs.inclusion_proof(index, 70_000, LARGE.read)
        assert len(LARGE.reads) == len(set(LARGE.reads)) <= 6
        LARGE.reads.clear()
        proofs.consistency_proof(index + 1, 70_000, LARGE.read)
        assert len(LARGE.reads) == len(set(LARGE.reads)) <= 6


def test_tiles_are_asked_for_as_wide_as_the_size_has_them() -> None:
    """So that a proof for an older size needs nothing that came later."""
    TREE.reads.clear()
    proofs.inclusion_proof(599, 600, TREE.read)
    assert set(TREE.reads) == {Tile(0, 2, 88), Tile(1, 0, 2)}


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 1), (1, 1), (5, 4), (0, MAX_SIZE + 1)])
def test_there_is_no_proof_for_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(Refused) as refused:
        proofs.inclusion_proof(index, size, TREE.read)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1), (0, -1), (1, MAX_SIZE + 1)])
def test_there_is_no_proof_for_a_shrinking_log(old: int, new: int) -> None:
    with pytest.raises(Refused) as refused:
        proofs.consistency_proof(old, new, TREE.read)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_there_is_no_root_at_an_impossible_size(size: int) -> None:
    with pytest.raises(Refused) as refused:
        proofs.root_at(size, TREE.read)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("length", [0, 31, 88 * 32 - 1, 88 * 32 + 1, 256 * 32])
def test_a_tile_of_the_wrong_length_is_found(length: int) -> None:
    def read(tile: Tile) -> bytes:
        return bytes(length) if tile.level == 0 else TREE.read(tile)

    untrue(lambda: proofs.inclusion_proof(599, 600, read))  # type: ignore[arg-type]


# Mutations: whatever is changed about a proof that holds, it does not hold any more.


@st.composite
def inclusions(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    index, size = draw(places())
    return index, size, proofs.inclusion_proof(index, size, TREE.read)


@given(inclusions(), st.integers(0, 31), st.integers(0, 7))
def test_each_hash_of_an_inclusion_proof_matters(
    made: tuple[int, int, list[bytes]], byte: int, bit: int
) -> None:
    index, size, proof = made
    leaf, top = LEAVES[index], root(size)
    for at, hash in enumerate(proof):
        changed = hash[:byte] + bytes((hash[byte] ^ 1 << bit,)) + hash[byte + 1 :]
        untrue(proofs.verify_inclusion, index, size, leaf, [*proof[:at], changed, *proof[at + 1 :]], top)
        untrue(proofs.verify_inclusion, index, size, leaf, [*proof[:at], *proof[at + 1 :]], top)
        untrue(proofs.verify_inclusion, index, size, leaf, [*proof[:at], hash, *proof[at:]], top)
        untrue(proofs.verify_inclusion, index, size, leaf, [*proof[:at], hash[:31], *proof[at + 1 :]], top)
        if at:
            swapped = [*proof[: at - 1], hash, proof[at - 1], *proof[at + 1 :]]
            untrue(proofs.verify_inclusion, index, size, leaf, swapped, top)
    untrue(proofs.verify_inclusion, index, size, leaf, [*proof, top], top)
    untrue(proofs.verify_inclusion, index, size, leaf, [leaf, *proof], top)


@given(inclusions(), st.integers(-2, 1_200))
def test_an_inclusion_proof_holds_at_no_other_index(made: tuple[int, int, list[bytes]], other: int) -> None:
    index, size, proof = made
    if other != index:
        untrue(proofs.verify_inclusion, other, size, LEAVES[index], proof, root(size))


def test_an_inclusion_proof_holds_in_no_tree_of_another_shape() -> None:
    """A size that gives the way to this index the same shape is told apart by its root alone, which
    the checkpoint binds to the size; every other size is refused by the number or order of the hashes."""
    for size in range(1, 34):
        for index in range(size):
            proof = proofs.inclusion_proof(index, size, TREE.read)
            for other in range(-1, 70):
                if other != size and (other <= index or shape(index, other) != shape(index, size)):
                    untrue(proofs.verify_inclusion, index, other, LEAVES[index], proof, root(size))
                if 0 < other != size and index < other:
                    untrue(proofs.verify_inclusion, index, other, LEAVES[index], proof, root(other))


def shape(index: int, size: int) -> list[bool]:
    """On which side the sibling stands at each step from the leaf up, by the recursion."""
    if size == 1:
        return []
    k = oracle.split(size)
    return [*shape(index, k), False] if index < k else [*shape(index - k, size - k), True]


@given(inclusions())
def test_leaf_and_root_matter(made: tuple[int, int, list[bytes]]) -> None:
    index, size, proof = made
    leaf, top = LEAVES[index], root(size)
    for other in (leaf_hash(b"another"), leaf[:31], b"", flips(leaf)[7]):
        untrue(proofs.verify_inclusion, index, size, other, proof, top)
    for other in (leaf_hash(b"another"), top[:31], b"", flips(top)[7]):
        untrue(proofs.verify_inclusion, index, size, leaf, proof, other)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, -1), (0, MAX_SIZE + 1)])
def test_inclusion_out_of_range(index: int, size: int) -> None:
    untrue(proofs.verify_inclusion, index, size, LEAVES[0], [], LEAVES[0])


def test_a_node_is_no_leaf() -> None:
    """The proof of a node, cut short, is refused: the number of hashes follows from the size."""
    proof = proofs.inclusion_proof(0, 8, TREE.read)
    untrue(proofs.verify_inclusion, 0, 8, root_of(LEAVES[:2]), proof[1:], root(8))


@st.composite
def real_growths(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    new = draw(st.integers(2, TREE.size))
    old = draw(st.integers(1, new - 1))
    return old, new, proofs.consistency_proof(old, new, TREE.read)


@given(real_growths(), st.integers(0, 31), st.integers(0, 7))
def test_each_hash_of_a_consistency_proof_matters(
    made: tuple[int, int, list[bytes]], byte: int, bit: int
) -> None:
    old, new, proof = made
    roots = root(old), root(new)
    for at, hash in enumerate(proof):
        changed = hash[:byte] + bytes((hash[byte] ^ 1 << bit,)) + hash[byte + 1 :]
        untrue(proofs.verify_consistency, old, new, *roots, [*proof[:at], changed, *proof[at + 1 :]])
        untrue(proofs.verify_consistency, old, new, *roots, [*proof[:at], *proof[at + 1 :]])
        untrue(proofs.verify_consistency, old, new, *roots, [*proof[:at], hash, *proof[at:]])
        untrue(proofs.verify_consistency, old, new, *roots, [*proof[:at], hash[:31], *proof[at + 1 :]])
        if at:
            swapped = [*proof[: at - 1], hash, proof[at - 1], *proof[at + 1 :]]
            untrue(proofs.verify_consistency, old, new, *roots, swapped)
    untrue(proofs.verify_consistency, old, new, *roots, [*proof, roots[1]])
    untrue(proofs.verify_consistency, old, new, *roots, [roots[0], *proof])
    untrue(proofs.verify_consistency, old, new, *roots, [])
    untrue(proofs.verify_consistency, old, new, *roots[::-1], proof)
    for side in (0, 1):
        for other in (leaf_hash(b"another"), EMPTY_ROOT, roots[side][:31], flips(roots[side])[5]):
            wrong = [other if side == place else roots[place] for place in (0, 1)]
            untrue(proofs.verify_consistency, old, new, *wrong, proof)


@given(real_growths(), st.integers(-2, 1_200))
def test_a_consistency_proof_holds_from_no_other_size(made: tuple[int, int, list[bytes]], other: int) -> None:
    old, new, proof = made
    if other != old:
        untrue(proofs.verify_consistency, other, new, root(old), root(new), proof)


def test_a_rewritten_history_is_not_consistent() -> None:
    for changed in (0, 3, 299):
        forged = Tree([b"forged" if i == changed else entry for i, entry in enumerate(TREE.entries[:700])])
        for old in (300, 512, 513, 699):
            proof = proofs.consistency_proof(old, 700, forged.read)
            untrue(proofs.verify_consistency, old, 700, root(old), forged.root, proof)


def test_the_empty_log_and_the_same_size() -> None:
    top = root(5)
    proofs.verify_consistency(0, 5, EMPTY_ROOT, top, [])
    proofs.verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    proofs.verify_consistency(5, 5, top, top, [])
    untrue(proofs.verify_consistency, 0, 5, top, top, [])
    untrue(proofs.verify_consistency, 0, 5, EMPTY_ROOT, top, [top])
    untrue(proofs.verify_consistency, 0, 5, EMPTY_ROOT, b"", [])
    untrue(proofs.verify_consistency, 0, 0, top, top, [])
    untrue(proofs.verify_consistency, 5, 5, top, root(6), [])
    untrue(proofs.verify_consistency, 5, 5, top, top, [top])
    untrue(proofs.verify_consistency, 5, 4, top, root(4), [])
    untrue(proofs.verify_consistency, 5, MAX_SIZE + 1, top, top, [])
