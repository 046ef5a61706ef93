"""pymerkle's SqliteTree: a Merkle tree over entries in SQLite, unsigned. Needs pymerkle.

As shipped it keeps SQLite's rollback journal and synchronous=FULL. With WAL as third argument the journal is
set to WAL by hand (synchronous stays FULL), which it has no setting for.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from importlib.metadata import version
from random import Random

from pymerkle import SqliteTree, verify_inclusion
from turns import facts, folder, take_turns

_LEAVES = 100_000
_PROOFS = 500

tree = SqliteTree(str(folder() / "tree.db"), algorithm="sha256")
if "wal" in sys.argv[3:]:
    tree.con.execute("PRAGMA journal_mode=WAL")


def prove() -> dict[str, float]:
    """Milliseconds of inclusion proofs at 100,000 leaves of a tree of its own, each verified.

    Its first root, which computes what proofs remember from then on, is told apart.
    """
    grown = SqliteTree(str(folder() / "grown.db"), algorithm="sha256")
    lines = facts()
    grown.append_entries([next(lines) + b" %d" % n for n in range(_LEAVES)])
    drawn, took = Random(1), []
    start = time.perf_counter()
    root = grown.get_root()
    first = (time.perf_counter() - start) * 1000
    for _ in range(_PROOFS):
        index = drawn.randrange(_LEAVES) + 1
        start = time.perf_counter()
        proof = grown.prove_inclusion(index)
        took.append((time.perf_counter() - start) * 1000)
        verify_inclusion(grown.get_leaf(index), root, proof)
    took.sort()
    return {
        "leaves": _LEAVES,
        "p50_ms": took[len(took) // 2],
        "p99_ms": took[len(took) * 99 // 100],
        "root_ms": first,
    }


take_turns(
    {"pymerkle": version("pymerkle"), "sqlite": sqlite3.sqlite_version},
    facts(),
    tree.append_entry,
    tree.append_entries,
    tree.get_size,
    {"prove": prove},
)
