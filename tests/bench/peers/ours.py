"""The house itself, without HTTP as its peers are: each fact read, sealed, encrypted, in the tree, durable.

Runs in the project's own environment. All followers run meanwhile, and its checkpoints are signed. With
FOLLOWED as third argument a turn ends only when the last follower has everything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count as numbers

from turns import facts, folder, take_turns

from deploytrail.facts import told
from deploytrail.store import sqlite
from tests.bench.whole import caught_up, hand_in, judge, whole


def different() -> Iterator[bytes]:
    """Bench facts without end, each under an id of its own."""
    for number, line in zip(numbers(), facts(), strict=False):
        yield line.replace(b'"id":"bench/', b'"id":"%d/' % number, 1)


with whole(folder()) as house:
    before = caught_up(house)
    followed = "followed" in sys.argv[3:]

    def single(line: bytes) -> None:
        draft = told.parse(line, source="bench", received_at=house.clock.now())
        house.recorder.record([draft]).result()
        if followed:
            caught_up(house)

    def batch(lines: list[bytes]) -> None:
        hand_in(house, lines)
        if followed:
            caught_up(house)

    def count() -> int:
        """What is there, once all of it is signed, followed and judged."""
        size = caught_up(house)
        judge(house, size)
        return size - before

    def settle() -> int:
        """Let the followers end what this turn gave them, so that they do not run in another's."""
        return caught_up(house)

    versions = {"sqlite": ".".join(map(str, sqlite.version()))}
    take_turns(versions, different(), single, batch, count, {"settle": settle})
