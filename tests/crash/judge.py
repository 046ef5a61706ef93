"""The last word on a data folder: read from its files alone, with the house stopped."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from deploytrail.app.tiles import TileReader
from deploytrail.facts import canonical, entry
from deploytrail.store.log_sql import SqlLog
from deploytrail.tlog import checkpoint
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.proofs import consistency_proof, verify_consistency
from deploytrail.tlog.verifier import Verifier
from tests.crash.items import item, marks_in
from tests.crash.ledger import Broken, Ledger
from tests.main.running import log_of


def judge(data: Path, vkey: str, ledger: Ledger) -> int:
    """The log's size. Broken at the first promise that does not hold.

    Everything sent was acknowledged in the end, so that nothing else of it may be there.
    """
    with log_of(data) as log:
        marks, prefix_roots = _entries(log, set(ledger.notes))
        _everything_once(marks, ledger)
        _checkpoints(log, Verifier.parse(vkey), ledger, prefix_roots)
        return log.head().size


def _entries(log: SqlLog, sizes: set[int]) -> tuple[dict[str, list[int]], dict[int, bytes]]:
    """Where each mark stands, and the roots at `sizes`; every entry, its hash and the head checked."""
    head, frontier = log.head(), Frontier.EMPTY
    marks: dict[str, list[int]] = defaultdict(list)
    roots = {}
    for start in range(0, head.size, 1000):
        rows = log.entries(start, start + 1000)
        for row in rows:
            if row.index in sizes:
                roots[row.index] = frontier.root()
            _demand(row.index == frontier.size, f"entry {frontier.size} is missing")
            _demand(leaf_hash(row.body) == row.leaf, f"entry {row.index} does not hash to its leaf")
            entry.check(row.body)
            if mark := marks_in(canonical.decode(row.body)):
                marks[mark].append(row.index)
            frontier, _ = frontier.extend([row.leaf])
    roots[frontier.size] = frontier.root()
    _demand(not log.entries(head.size, head.size + 10), "there are entries behind the head")
    _demand((frontier.size, frontier.root()) == (head.size, head.root), "the head is not that of the entries")
    _demand(head.frontier == frontier, "the stored frontier is not that of the entries")
    return marks, roots


def _everything_once(marks: dict[str, list[int]], ledger: Ledger) -> None:
    twice = {mark: at for mark, at in marks.items() if len(at) > 1}
    _demand(not twice, f"recorded more than once: {list(twice.items())[:3]}")
    for number, index in ledger.acknowledged.items():
        found = marks.get(item(number).mark, [])
        _demand(
            found == [index], f"item {number} was acknowledged at {index} and stands at {found or 'no place'}"
        )
    _demand(not ledger.unknown, f"{len(ledger.unknown)} items were never acknowledged")
    strange = set(marks) - {item(number).mark for number in ledger.acknowledged}
    _demand(not strange, f"recorded, but nobody's answer told of it: {sorted(strange)[:3]}")


def _checkpoints(log: SqlLog, key: Verifier, ledger: Ledger, roots: dict[int, bytes]) -> None:
    """Each checkpoint seen is signed, is of this history, and the beginning of the next one."""
    tiles, before = TileReader(log), None
    for size in sorted(ledger.notes):
        opened = checkpoint.open_note(ledger.notes[size], [key])
        _demand(opened.root == roots.get(size), f"the checkpoint of size {size} is not of this history")
        if before is not None:
            proof = consistency_proof(before.size, opened.size, tiles)
            verify_consistency(before.size, opened.size, before.root, opened.root, proof)
        before = opened
    published = log.checkpoint()
    if before is not None:
        _demand(published is not None and published.size >= before.size, "a published checkpoint was lost")


def _demand(holds: bool, words: str) -> None:
    if not holds:
        raise Broken(words)
