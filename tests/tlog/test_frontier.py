from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog.frontier import MAX_SIZE, Frontier, Node
from deploytrail.tlog.hashes import EMPTY_ROOT, leaf_hash
from tests.tlog import oracle

LEAVES = tuple(leaf_hash(b"%d" % i) for i in range(70_000))

sizes = st.integers(0, 1_200)


def grown(size: int) -> Frontier:
    return Frontier.EMPTY.extend(LEAVES[:size])[0]


def expected_nodes(old: int, new: int) -> set[Node]:
    """Every subtree of height 8, 16 ... that ends behind `old` and not behind `new`, by the recursion."""
    found = set()
    for level in (1, 2):
        span = 256**level
        for index in range(old // span, new // span):
            found.add(Node(level, index, oracle.mth(LEAVES[index * span : (index + 1) * span])))
    return found


def test_the_empty_frontier() -> None:
    assert Frontier(0, ()) == Frontier.EMPTY
    assert Frontier.EMPTY.root() == EMPTY_ROOT
    assert Frontier.EMPTY.extend([]) == (Frontier.EMPTY, [])


@given(sizes)
def test_root_and_nodes_are_those_of_the_recursion(size: int) -> None:
    frontier, nodes = Frontier.EMPTY.extend(LEAVES[:size])
    assert (frontier.size, frontier.root()) == (size, oracle.mth(LEAVES[:size]))
    assert len(frontier.nodes) == size.bit_count()
    assert set(nodes) == expected_nodes(0, size)
    assert len(nodes) == len(set(nodes))


@given(st.lists(sizes, max_size=8))
def test_it_does_not_matter_how_leaves_are_batched(cuts: list[int]) -> None:
    end = max(cuts, default=0)
    whole, nodes = Frontier.EMPTY.extend(LEAVES[:end])
    frontier, gathered = Frontier.EMPTY, []
    for start, stop in pairwise([0, *sorted(cuts)]):
        frontier, completed = frontier.extend(iter(LEAVES[start:stop]))
        assert set(completed) == expected_nodes(start, stop)
        gathered += completed
    assert frontier == whole
    assert sorted(gathered) == sorted(nodes)


def test_one_by_one_each_peak_is_a_perfect_subtree() -> None:
    frontier = Frontier.EMPTY
    for size in range(1, 600):
        frontier, completed = frontier.extend([LEAVES[size - 1]])
        assert [(node.level, node.index) for node in completed] == (
            [(1, size // 256 - 1)] if size % 256 == 0 else []
        )
        start = 0
        for height, node in zip(
            (bit for bit in range(12, -1, -1) if size >> bit & 1), frontier.nodes, strict=True
        ):
            assert node == oracle.mth(LEAVES[start : start + 2**height])
            start += 2**height


@pytest.mark.parametrize(
    ("old", "new"), [(0, 70_000), (0, 65_535), (65_535, 65_536), (65_535, 65_537), (1, 69_999)]
)
def test_across_the_second_tile_level_and_the_chunk(old: int, new: int) -> None:
    frontier, nodes = grown(old).extend(LEAVES[old:new])
    assert frontier.root() == oracle.mth(LEAVES[:new])
    assert set(nodes) == expected_nodes(old, new)
    assert len(nodes) == len(set(nodes))


def test_extending_leaves_the_old_frontier_and_the_given_leaves_alone() -> None:
    old = grown(7)
    before, given_leaves = old.encode(), list(LEAVES[7:20])
    old.extend(given_leaves)
    assert old.encode() == before
    assert given_leaves == list(LEAVES[7:20])


@given(sizes)
def test_what_is_written_is_read_back(size: int) -> None:
    data = grown(size).encode()
    assert data == size.to_bytes(8, "big") + b"".join(grown(size).nodes)
    assert Frontier.decode(data) == grown(size)


def test_the_largest_size_there_is() -> None:
    largest = Frontier(MAX_SIZE, (b"n" * 32,) * 63)
    assert Frontier.decode(largest.encode()) == largest
    assert len(largest.root()) == 32
    with pytest.raises(Refused) as refused:
        largest.extend([LEAVES[0]])
    assert refused.value.code == "bad-input"


GOOD = grown(300).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:7],
        GOOD[:8],
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:-32],
        GOOD + b"n" * 32,
        (301).to_bytes(8, "big") + GOOD[8:],
        (2**63).to_bytes(8, "big") + b"n" * 32,
        b"\xff" * 8 + b"n" * 32 * 64,
    ],
)
def test_bytes_that_are_no_frontier(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        Frontier.decode(data)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize(
    ("size", "nodes"),
    [(-1, ()), (1, ()), (0, (b"n" * 32,)), (1, (b"n" * 31,)), (3, (b"n" * 32, b"")), (2**63, (b"n" * 32,))],
)
def test_frontiers_that_cannot_be(size: int, nodes: tuple[bytes, ...]) -> None:
    with pytest.raises(Refused):
        Frontier(size, nodes)


@pytest.mark.parametrize("odd", [b"", b"n" * 31, b"n" * 33])
def test_a_leaf_that_is_no_hash_is_refused(odd: bytes) -> None:
    for leaves in ([odd], [LEAVES[3], odd], [odd, LEAVES[3]], [odd, odd, odd]):
        with pytest.raises(Refused):
            grown(3).extend(leaves)
