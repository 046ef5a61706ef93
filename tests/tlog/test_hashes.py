from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploytrail.tlog.hashes import EMPTY_ROOT, leaf_hash, node_hash, pair_up, root_of
from tests.tlog import oracle


def test_leaves_and_nodes_are_told_apart() -> None:
    """Else a node could be passed off as an entry."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"a") == oracle.sha(b"\x00a")
    assert node_hash(left, right) == oracle.sha(b"\x01", left, right)


def test_the_empty_tree_and_the_tree_of_one() -> None:
    assert root_of([]) == EMPTY_ROOT == oracle.sha(b"")
    assert root_of([leaf_hash(b"a")]) == leaf_hash(b"a")


def test_no_last_leaf_is_doubled() -> None:
    a, b, c = (leaf_hash(entry) for entry in (b"a", b"b", b"c"))
    assert root_of([a, b, c]) == node_hash(node_hash(a, b), c) != root_of([a, b, c, c])


def test_pairs_leave_a_lonely_last_hash_out() -> None:
    a, b, c = (leaf_hash(entry) for entry in (b"a", b"b", b"c"))
    assert pair_up([a, b, c]) == [node_hash(a, b)]
    assert pair_up([a]) == []


@given(st.lists(st.binary(max_size=40), max_size=80))
def test_the_root_is_that_of_the_literal_recursion(entries: list[bytes]) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    assert root_of(leaves) == oracle.mth(tuple(leaves))


def test_the_root_at_every_size_to_a_thousand() -> None:
    leaves = tuple(leaf_hash(b"%d" % i) for i in range(1_000))
    for size in (*range(130), *range(250, 260), 511, 512, 513, 999, 1_000):
        assert root_of(leaves[:size]) == oracle.mth(leaves[:size])
