"""The bench fact is what it says: its size, its six sealed fields, its people, and the same each time."""

from __future__ import annotations

import zlib

import msgspec

from deploytrail.facts.sealing import sealed_paths
from tests.bench import fact
from tests.bench.fact import ENVIRONMENTS, LARGEST, PEOPLE, SEALED, SERVICES, SMALLEST, told
from tests.bench.house import draft, rooms

# Every person, service and environment turns up among so many.
LINES = list(told(12_000))


def test_a_bench_fact_has_about_1500_bytes() -> None:
    sizes = [len(line) for line in LINES]
    assert min(sizes) >= SMALLEST
    assert max(sizes) <= LARGEST
    assert 1_490 <= sum(sizes) / len(sizes) <= 1_510


def test_its_entry_shows_six_sealed_fields_and_nobody() -> None:
    with rooms() as house:
        for line in LINES[:300]:
            sealed = house.persons.seal(draft(line))
            assert sorted(path for path, _ in sealed_paths(msgspec.json.decode(sealed.entry))) == sorted(
                SEALED
            )
            told_actor = msgspec.json.decode(line)["actor"]
            assert not any(text.encode() in sealed.entry for text in told_actor.values())
            assert len(sealed.disclosures) == 1


def test_300_people_200_services_and_five_environments_tell_of_different_deployments() -> None:
    facts = [msgspec.json.decode(line) for line in LINES]
    for field in ("email", "login", "name"):
        assert len({one["actor"][field] for one in facts}) == PEOPLE
    assert len({one["service"] for one in facts}) == SERVICES
    assert {one["environment"] for one in facts} == set(ENVIRONMENTS)
    assert len({one["id"] for one in facts}) == len({one["deployment"] for one in facts}) == len(facts)
    assert {one["kind"] for one in facts} == {"deployment.finished"}
    # A build goes through every environment.
    assert len({one["artifact"] for one in facts}) == len(facts) / len(ENVIRONMENTS)


def test_two_runs_tell_the_same_and_any_part_of_it() -> None:
    assert list(told(500)) == LINES[:500]
    assert list(told(20, first=300)) == LINES[300:320]
    assert fact.fact(7, "other")["id"] == "other/00000007"


def test_its_text_does_not_repeat() -> None:
    """A log of constant text would flatter whatever compresses; real logs reach about six and a half."""
    together = b"".join(LINES[:200])
    assert len(together) / len(zlib.compress(together, 6)) < 6
