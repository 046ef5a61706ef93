"""Bytes of all files of a house per bench fact: log, tree, disclosures, keys, rows, indexes and signer.

A fact in the direct form is not kept raw, so there is no raw body to leave out. The house is stopped and its
journals are part of the files.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.figure import FULL, Benchmark, Figure, Sizes, demand
from tests.bench.large import large, made_in
from tests.bench.whole import bytes_of, rows_of

_BODY_KB = 1.5


def _run(sizes: Sizes) -> Iterator[Figure]:
    folder = large(sizes)
    data, facts = folder / "data", int(made_in(folder)["facts"])
    for file in data.glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    demand(rows_of(data / "trail.db", "entry") >= facts, "entries are missing")
    each = {file.stem: _kb(file, facts) for file in sorted(data.glob("*.db"))}
    whole = bytes_of([data, folder / "signer"]) / facts / 1000
    more = {"facts": facts, **{f"{name}_kb": kb for name, kb in each.items()}}
    yield Figure(
        "disk", whole, "KB per fact", FULL, whole / _BODY_KB, "the fact itself", more, {"disk": whole}
    )
    yield from _made(folder)


def _kb(file: Path, facts: int) -> float:
    return round(file.stat().st_size / facts / 1000, 3)


def _made(folder: Path) -> Iterator[Figure]:
    """How fast the house of so many was made: what ingest comes to when the indexes are large."""
    made = made_in(folder)
    rate = made["facts"] / made["caught_up_s"]
    yield Figure("disk.made", rate, "facts/s", FULL, more={"facts": made["facts"], "once": True})


BENCHMARK = Benchmark("disk", "bytes on disk per bench fact, on a house of a million", _run)
