"""python -m tests.bench [NAME ...] [--entries N] [--seconds S] [--facts FILE]"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.bench.figure import Figure, Sizes, machine
from tests.bench.registry import BENCHMARKS


def main() -> int:
    """0 when everything was measured, 2 for wrong use."""
    asked = _arguments()
    unknown = set(asked.names) - {benchmark.name for benchmark in BENCHMARKS}
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are:", file=sys.stderr)
        for benchmark in BENCHMARKS:
            print(f"  {benchmark.name:<10} {benchmark.words}", file=sys.stderr)
        return 2
    sizes = Sizes(asked.entries, asked.seconds, asked.facts)
    told = []
    print(_HEAD, file=sys.stderr, flush=True)
    for benchmark in BENCHMARKS:
        if not asked.names or benchmark.name in asked.names:
            for figure in benchmark.run(sizes):
                print(_row(figure), file=sys.stderr, flush=True)
                told.append(line(figure))
    print("\n".join(told))
    return 0


def line(figure: Figure) -> str:
    """One figure as a line of JSON, with the facts of this machine."""
    told: dict[str, Any] = {"name": figure.name, "figure": _short(figure.figure), "unit": figure.unit}
    if figure.ratio is not None:
        told |= {"ratio": _short(figure.ratio), "against": figure.against}
    return json.dumps({**told, "durability": figure.durability, **figure.more, "machine": machine()})


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
    parser.add_argument("--entries", type=int, help="how many entries or facts to measure on")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default 2)")
    parser.add_argument("--facts", metavar="FILE", help="facts in the direct form, instead of made-up ones")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
