"""All projections, in one explicit list. Order counts: a fold may read the rows of those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from deploytrail.facts.entry import Entry
from deploytrail.projections.artifacts import Artifacts
from deploytrail.projections.attention import Attention
from deploytrail.projections.changes import Changes
from deploytrail.projections.checks import Checks
from deploytrail.projections.commits import Commits
from deploytrail.projections.deployments import Deployments
from deploytrail.projections.environments import Environments
from deploytrail.projections.names import Names
from deploytrail.projections.people import People
from deploytrail.projections.tables import Foreseeing, Projection, Rows, Table
from deploytrail.projections.trail import Trail

_DEPLOYMENTS: Final = Deployments()
PROJECTIONS: Final[tuple[Projection, ...]] = (
    Names(),
    People(),
    Commits(),
    Changes(),
    Checks(),
    Artifacts(),
    _DEPLOYMENTS,
    Environments(),
    Trail(),
    Attention(),
)
TABLES: Final[tuple[Table[Any], ...]] = tuple(
    table for projection in PROJECTIONS for table in projection.tables
)


# Those with many rows that are looked up for the first time.
FORESEEING: Final[tuple[Foreseeing, ...]] = (_DEPLOYMENTS,)


def foresee_all(start: int, entries: Sequence[Entry], rows: Rows) -> None:
    """Let `rows` get at once what folding these entries, from the index `start` on, is going to read."""
    for projection in FORESEEING:
        projection.foresee(start, entries, rows)


@lru_cache(maxsize=512)
def _folds(among: tuple[Projection, ...], kind: str) -> tuple[Callable[[int, Entry, Rows], None], ...]:
    """How those that make something of entries of a kind fold them, in order."""
    return tuple(one.fold for one in among if one.kinds is None or kind in one.kinds)


def fold_all(index: int, entry: Entry, rows: Rows) -> None:
    """Fold the entry at `index` into the rows of every projection that wants it."""
    for fold in _folds(PROJECTIONS, entry.kind):
        fold(index, entry, rows)


def versions() -> str:
    """The set of projections and their versions. Another text means that the rows must be made anew."""
    return " ".join(f"{projection.name}:{projection.version}" for projection in PROJECTIONS)
