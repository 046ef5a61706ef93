"""What is promised: for each figure a floor, which decides, and an aim, which is worth publishing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class Goal(NamedTuple):
    """One promise. `most`: the measured value may be at most the floor; else it must be at least that."""

    name: str
    benchmark: str
    words: str
    unit: str
    floor: float
    aim: float
    most: bool = False

    def met(self, measured: float, bound: float) -> bool:
        """Whether a measured value keeps a bound."""
        return measured <= bound if self.most else measured >= bound


GOALS: Final[tuple[Goal, ...]] = (
    Goal("ingest.share", "ingest", "bulk ingest, every follower caught up, of bare rows", "x", 0.10, 0.22),
    Goal("ingest.rate", "ingest", "the same, absolute", "facts/s", 6_000, 15_000),
    Goal("posts.1", "posts", "single posts of 1 client, of a bare one-row handler", "x", 0.40, 0.6),
    Goal("posts.32", "posts", "of 32 clients", "x", 1.2, 2.0),
    Goal("posts.128", "posts", "of 128 clients", "x", 1.6, 2.8),
    Goal("import.seconds", "import", "59,183 facts over HTTP", "s", 30, 12, most=True),
    Goal("pages.p95", "pages", "server time of the slowest page, p95", "ms", 100, 40, most=True),
    Goal("pages.growth", "pages", "list pages with 20 times as much", "x", 1.5, 1.3, most=True),
    Goal("live.p95", "live", "a delivery on 200 open pages, p95", "ms", 300, 120, most=True),
    Goal("search.p95", "search", "search at a million facts, p95", "ms", 100, 30, most=True),
    Goal("proof.p50", "proof", "inclusion proof at a million entries, p50", "ms", 5, 1, most=True),
    Goal("proof.pymerkle", "proof", "its p99 against pymerkle's at 100,000", "x faster", 20, 60),
    Goal("fsck", "fsck", "fsck of a million entries", "s", 20, 8, most=True),
    Goal("fsck.all", "fsck", "fsck --all of a million entries", "s", 120, 60, most=True),
    Goal("memory.idle", "memory", "memory of an idle house", "MB", 130, 90, most=True),
    Goal("memory.million", "memory", "with a million facts, pages looked at", "MB", 300, 150, most=True),
    Goal("disk", "disk", "bytes on disk per bench fact", "KB", 2.5, 1.6, most=True),
)

_BY_NAME: Final = {goal.name: goal for goal in GOALS}


def told(name: str, measured: float) -> dict[str, object]:
    """A goal beside what was measured, for a line of JSON."""
    goal = _BY_NAME[name]
    return {
        "goal": name,
        "measured": float(f"{measured:.4g}"),
        "unit": goal.unit,
        "floor": goal.floor,
        "aim": goal.aim,
        "met": goal.met(measured, goal.floor),
        "reached": goal.met(measured, goal.aim),
    }


def table(measured: Mapping[str, float], asked: Iterable[str]) -> list[str]:
    """Every goal of the benchmarks `asked` for, with what was measured and whether the floor is met."""
    wanted = set(asked)
    lines = [f"{'goal':<16} {'measured':>10} {'floor':>9} {'aim':>9}  {'':<8} what"]
    for goal in GOALS:
        if goal.benchmark in wanted:
            lines.append(_line(goal, measured.get(goal.name)))
    return lines if len(lines) > 1 else []


def _line(goal: Goal, value: float | None) -> str:
    sign = "<=" if goal.most else ">="
    found = "-" if value is None else f"{value:,.4g}"
    if value is None:
        said = "unknown"
    elif goal.met(value, goal.aim):
        said = "aim met"
    else:
        said = "met" if goal.met(value, goal.floor) else "NOT MET"
    floor, aim = f"{sign}{goal.floor:,g}", f"{sign}{goal.aim:,g}"
    return f"{goal.name:<16} {found:>10} {floor:>9} {aim:>9}  {said:<8} {goal.words} ({goal.unit})"
