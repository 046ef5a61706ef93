"""Told facts: what is accepted can be sealed, and the entry stands up to its own check."""

from __future__ import annotations

from deploytrail.facts import entry, told
from deploytrail.facts.sealing import from_bytes, to_bytes
from tests.fuzz.mutate import mutated_json
from tests.fuzz.seeds import sealed, told_lines
from tests.fuzz.target import Target
from tests.intake.deliveries import RECEIVED


def _held(data: bytes) -> None:
    draft = told.parse(data, source="a-reporter", received_at=RECEIVED)
    fact = sealed(draft)
    found = entry.check(fact.entry)
    assert (found.kind, found.source, found.id) == (draft.kind, "a-reporter", fact.id)
    for opened in fact.disclosures.values():
        assert from_bytes(to_bytes(opened)) == opened


TARGET = Target("told", "facts in the direct form", told_lines, _held, mutated_json)
