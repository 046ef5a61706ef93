"""Entries from anywhere: what `entry.check` accepts is canonical, and is read the same by followers."""

from __future__ import annotations

from deploytrail.facts import canonical, entry
from tests.fuzz.mutate import mutated_json
from tests.fuzz.seeds import entries
from tests.fuzz.target import Target


def _held(data: bytes) -> None:
    found = entry.check(data)
    assert canonical.encode(canonical.decode(data)) == data
    assert entry.read(data) == found


TARGET = Target("entry", "entry.check", entries, _held, mutated_json)
