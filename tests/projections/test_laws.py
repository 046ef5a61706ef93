"""What must hold whatever is told: rebuilt rows equal live ones, no fold raises, and places stay true."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploytrail.facts.entry import Entry
from deploytrail.facts.sealing import sealed_paths
from deploytrail.projections.deployment_rows import JOINED
from deploytrail.projections.deployments import standing
from deploytrail.projections.environments import PLACES, WINDOW
from deploytrail.projections.registry import PROJECTIONS, TABLES, fold_all, foresee_all
from deploytrail.projections.trail import TRAIL
from deploytrail.store import derived_sql
from deploytrail.store.derived_memory import MemoryDerived
from deploytrail.store.derived_rows import Codec
from deploytrail.store.derived_sql import SqlDerived
from tests.projections.strategies import hostile, plausible
from tests.projections.telling import Telling

# No law is about time, and the machine may be busy.
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fold(entries: list[Entry], sizes: list[int], derived: Any) -> None:
    """Fold all entries in batches of these sizes, over and over."""
    at = 0
    while at < len(entries):
        size = sizes[at % len(sizes)]
        rows, some = derived.begin(), entries[at : at + size]
        foresee_all(at, some, rows)
        for index, entry in enumerate(some, start=at):
            fold_all(index, entry, rows)
        at = min(at + size, len(entries))
        derived.commit(rows, at)


@LAW
@given(plausible, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_rebuilt_rows_equal_live_ones(entries: list[Entry], sizes: list[int]) -> None:
    live, rebuilt = MemoryDerived(TABLES), MemoryDerived(TABLES)
    fold(entries, [1], live)
    fold(entries, sizes, rebuilt)
    assert rebuilt.digest() == live.digest()


@settings(LAW, max_examples=25)
@given(plausible, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from([1, 8, 3_000]))
def test_stores_agree(entries: list[Entry], sizes: list[int], remembered: int) -> None:
    memory = MemoryDerived(TABLES)
    fold(entries, sizes, memory)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(derived_sql, "_RECENT", remembered)
        stored = SqlDerived(Path(folder) / "derived.db", TABLES)
        fold(entries, sizes[::-1], stored)
        assert stored.digest() == memory.digest()
        stored.close()


@LAW
@given(plausible | st.lists(hostile(), max_size=12))
def test_rows_come_back_from_how_they_are_kept(entries: list[Entry]) -> None:
    rows = MemoryDerived(TABLES).begin()
    for index, entry in enumerate(entries):
        fold_all(index, entry, rows)
    for table in TABLES:
        codec = Codec(table)
        for row in rows.written(table)[0]:
            assert codec.row(codec.values(row)) == row


@LAW
@given(plausible | st.lists(hostile(), max_size=12))
def test_a_projection_makes_nothing_of_kinds_that_it_does_not_name(entries: list[Entry]) -> None:
    rows, every = MemoryDerived(TABLES).begin(), MemoryDerived(TABLES).begin()
    for index, entry in enumerate(entries):
        fold_all(index, entry, rows)
        for projection in PROJECTIONS:
            projection.fold(index, entry, every)
    for table in TABLES:
        assert rows.written(table) == every.written(table)


@LAW
@given(st.lists(hostile(), max_size=12))
def test_no_fold_raises(entries: list[Entry]) -> None:
    derived = MemoryDerived(TABLES)
    fold(entries, [1], derived)
    assert derived.cursor() == len(entries)
    # What was made of them can be stored.
    assert set(derived.digest()) == {table.name for table in TABLES}


@LAW
@given(st.lists(hostile(), max_size=6))
def test_what_hostile_entries_leave_can_be_kept_in_a_database(entries: list[Entry]) -> None:
    memory, rows = MemoryDerived(TABLES), MemoryDerived(TABLES).begin()
    fold(entries, [3], memory)
    for index, entry in enumerate(entries):
        fold_all(index, entry, rows)
    for table in TABLES:
        for row in rows.written(table)[0]:
            assert all(-(2**63) <= v < 2**63 for v in msgspec.structs.astuple(row) if isinstance(v, int))


@LAW
@given(plausible)
def test_no_row_holds_a_sealed_value(entries: list[Entry]) -> None:
    t = Telling()
    sealed: set[str] = set()
    for entry in entries:
        t.add(entry)
        envelope = msgspec.to_builtins(entry)
        sealed.update(found.hex() for _, found in sealed_paths(envelope))
        sealed.update(commitment["c"] for commitment in _commitments(envelope))
    written = msgspec.json.encode([msgspec.to_builtins(row) for row in t.every_row()]).decode()
    assert not any(commitment in written for commitment in sealed)
    for secret in ("Change it", '"ada"', '"ben"', '"cleo"'):
        assert secret not in written


def _commitments(value: Any) -> list[dict[str, str]]:
    if isinstance(value, dict):
        return (
            [value] if set(value) == {"c"} else [c for inner in value.values() for c in _commitments(inner)]
        )
    return [c for inner in value for c in _commitments(inner)] if isinstance(value, list) else []


@LAW
@given(plausible)
def test_every_report_is_in_exactly_one_deployment(entries: list[Entry]) -> None:
    t = Telling()
    for entry in entries:
        t.add(entry)
    homes: dict[int, int] = {}
    for row in t.deployments():
        assert row.reports
        for report in row.reports:
            assert report.first not in homes
            homes[report.first] = row.key
    for first, key in homes.items():
        joined = t.get(JOINED, first)
        assert (joined.deployment if joined else first) == key
    told = {
        (e.source, e.data["deployment"], e.data["service"].lower(), e.data["environment"])
        for e in entries
        if e.kind.startswith("deployment.")
    }
    # One report for each name of each source in each place, except where a declaration came in between.
    if not any(e.kind.endswith(".declared") for e in entries):
        assert len(homes) <= len(told)


@LAW
@given(plausible)
def test_the_trail_names_the_report_that_looking_for_it_finds(entries: list[Entry]) -> None:
    rows = MemoryDerived(TABLES).begin()
    foresee_all(0, entries, rows)
    for index, entry in enumerate(entries):
        fold_all(index, entry, rows)
        told = rows.get(TRAIL, index)
        assert told is not None
        # Nothing that a fold has left for another.
        rows.memo.clear()
        assert standing(index, entry, rows) == (told.service, told.environment, told.report)


@LAW
@given(plausible)
def test_a_place_runs_its_last_success(entries: list[Entry]) -> None:
    t = Telling()
    for entry in entries:
        t.add(entry)
    successes: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in t.deployments():
        if row.succeeded:
            successes[row.environment, row.service].append(row)
    places = {(p.environment, p.service): p for p in t.derived.page(PLACES, order="environment", limit=99)}
    for where, rows in successes.items():
        rows.sort(key=lambda row: row.place)
        assert len(rows) <= WINDOW
        place = places[where]
        assert [key for _, _, key in place.ran] == [row.key for row in rows]
        for row, next_ in pairwise(rows):
            assert (t.replaced_by(row.key), next_.replaced) == (next_.key, row.key)
        last = rows[-1]
        assert (rows[0].replaced, t.replaced_by(last.key)) == (None, None)
        gone = place.removed_at is not None and (place.removed_at, place.removed) > last.place
        assert place.current == (None if gone else last.key)
        if not gone:
            assert (place.version, place.since, place.type) == (last.version, last.position, last.type)
    for where, place in places.items():
        assert where in successes or place.current is None
        if place.attempt is not None:
            attempt = t.deployment(place.attempt)
            assert attempt.key == place.attempt
            assert (attempt.status, attempt.version) == (place.attempt_status, place.attempt_version)
