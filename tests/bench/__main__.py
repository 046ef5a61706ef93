"""python -m tests.bench [NAME ...] [--runs N] [--entries N] [--seconds S] [--facts FILE] [--house DIR]"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.bench import goals
from tests.bench.figure import Figure, Sizes, Void, machine
from tests.bench.registry import BENCHMARKS


def main() -> int:
    """0 when everything was measured, 1 when a result was wrong, 2 for wrong use. No figure fails it."""
    asked = _arguments()
    unknown = set(asked.names) - {benchmark.name for benchmark in BENCHMARKS}
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are:", file=sys.stderr)
        for benchmark in BENCHMARKS:
            print(f"  {benchmark.name:<10} {benchmark.words}", file=sys.stderr)
        return 2
    sizes = Sizes(asked.entries, asked.seconds, asked.facts, asked.runs, asked.house)
    chosen = [one for one in BENCHMARKS if not asked.names or one.name in asked.names]
    told, measured, wrong = [], {}, False
    print(_HEAD, file=sys.stderr, flush=True)
    for benchmark in chosen:
        try:
            for figure in benchmark.run(sizes):
                print(_row(figure), file=sys.stderr, flush=True)
                told.append(line(figure))
                measured.update(figure.goals)
        except Void as void:
            wrong = True
            print(f"{benchmark.name}: void, since {void}", file=sys.stderr, flush=True)
    print("\n".join(told), flush=True)
    wanted = asked.names or [goal.benchmark for goal in goals.GOALS]
    print("\n".join(goals.table(measured, wanted)), file=sys.stderr)
    return 1 if wrong else 0


def line(figure: Figure) -> str:
    """One figure as a line of JSON, with the facts of this machine."""
    told: dict[str, Any] = {"name": figure.name, "figure": _short(figure.figure), "unit": figure.unit}
    if figure.ratio is not None:
        told |= {"ratio": _short(figure.ratio), "against": figure.against}
    held = [goals.told(name, value) for name, value in figure.goals.items()]
    more = {**figure.more, "goals": held} if held else figure.more
    return json.dumps({**told, "durability": figure.durability, **more, "machine": machine()})


_HEAD = f"{'name':<20} {'figure':>12} {'unit':<22} {'ratio':>7}  against, and more"


def _row(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}x"
    more = ", ".join(f"{name} {value}" for name, value in figure.more.items())
    return (
        f"{figure.name:<20} {figure.figure:>12,.4g} {figure.unit:<22} {ratio:>7}  "
        f"{'; '.join(filter(None, (figure.against, more, figure.durability)))}"
    )


def _short(value: float) -> float:
    """Four digits: what a measurement can tell."""
    return float(f"{value:.4g}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    parser.add_argument("--runs", type=int, default=5, help="how often comparisons are alternated (5)")
    parser.add_argument("--entries", type=int, help="how many entries or facts to measure on")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default 2)")
    parser.add_argument("--facts", metavar="FILE", help="facts in the direct form, instead of made-up ones")
    parser.add_argument("--house", metavar="DIR", help="keep the house of a million facts here, use it again")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
