"""What a fuzzer is: where it starts, how it alters, and the law that every input is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fuzz.mutate import Alter, mutated


@dataclass(frozen=True)
class Target:
    """`held(input)` returns normally (accepted) or raises Refused; whatever else it raises is a failure.

    A law that is broken is an AssertionError. `seeds` are inputs that are accepted as they are.
    """

    name: str
    words: str
    seeds: Callable[[], Sequence[bytes]]
    held: Callable[[bytes], None]
    alter: Alter = mutated
