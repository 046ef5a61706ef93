"""When two reports are about the same deployment: a pure rule, with its reason in words.

Reports of one roll-out are one deployment when service and environment agree and
1. the sources name the same deployment, at most seven days apart, or
2. the artifact's digest is the same, at most 30 minutes apart, or
3. a commit is the same, at most 30 minutes apart, and no digest says otherwise.

A source that tells two deployments apart is believed: its reports are never joined with each other. What an
administrator separated stays apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

MINUTE: Final = 60_000
# 30 minutes for things that merely agree; a name is stronger, and approvals may take days.
WINDOW: Final = 30 * MINUTE
NAMED_WINDOW: Final = 7 * 24 * 60 * MINUTE
# A short commit name agrees with a long one from this many signs on.
SHORTEST_SHA: Final = 7


class Side(NamedTuple):
    """What the rule looks at in one report. `start` and `end`: the time that it covers, UTC milliseconds."""

    source: str
    name: str
    service: str
    environment: str
    start: int
    end: int
    digest: str | None = None
    commits: tuple[str, ...] = ()
    apart: bool = False


def join(report: Side, others: Sequence[Side]) -> str | None:
    """Why `report` is about the same deployment as `others`, which are joined already; None if it is not."""
    if report.apart or any(other.apart or _told_apart(report, other) for other in others):
        return None
    return next((why for other in others if (why := _agree(report, other))), None)


def distance(one: Side, other: Side) -> int:
    """Milliseconds between the times that two reports cover; 0 if they overlap."""
    return max(0, one.start - other.end, other.start - one.end)


def same_commit(one: str, other: str) -> bool:
    """Whether two commit names, perhaps shortened, are one."""
    short, long = sorted((one, other), key=len)
    return len(short) >= SHORTEST_SHA and long.startswith(short)


def _told_apart(one: Side, other: Side) -> bool:
    return one.source == other.source and one.name != other.name


def _agree(one: Side, other: Side) -> str | None:
    if one.service != other.service or one.environment != other.environment:
        return None
    away = distance(one, other)
    differs = one.digest is not None and other.digest is not None and one.digest != other.digest
    shared = next((a for a in one.commits for b in other.commits if same_commit(a, b)), None)
    contradicts = differs or (shared is None and bool(one.commits) and bool(other.commits))
    if one.name == other.name and away <= NAMED_WINDOW and not contradicts:
        return f"both name the deployment {one.name}"
    if away > WINDOW:
        return None
    if one.digest is not None and one.digest == other.digest:
        return f"the same digest, {_apart(away)}"
    if shared is not None and not differs:
        return f"the same commit {shared[:7]}, {_apart(away)}"
    return None


def _apart(away: int) -> str:
    if away < MINUTE:
        return "at the same time" if away == 0 else "less than a minute apart"
    return f"{away // MINUTE} min apart"
