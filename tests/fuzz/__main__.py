"""python -m tests.fuzz [NAME ...] [--minutes N] [--seed S] [--input FILE] [--keep FOLDER]"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.registry import TARGETS
from tests.fuzz.run import Outcome, fuzz, keep, tried
from tests.fuzz.target import Target


def main() -> int:
    """0 if every law held, 1 if an input broke one, 2 for wrong use."""
    asked = _arguments()
    unknown = set(asked.names) - {target.name for target in TARGETS}
    if unknown:
        print(f"There is no fuzzer {', '.join(sorted(unknown))}. There are:", file=sys.stderr)
        for target in TARGETS:
            print(f"  {target.name:<12} {target.words}", file=sys.stderr)
        return 2
    chosen = [target for target in TARGETS if not asked.names or target.name in asked.names]
    if asked.input is not None:
        return _again(chosen[0], asked.input) if len(chosen) == 1 else _usage("--input needs one NAME.")
    return _all(chosen, asked.minutes, asked.seed, asked.keep)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these fuzzers")
    parser.add_argument("--minutes", type=float, default=1.0, help="for all together (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs (default 0)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="try one kept input again")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), metavar="FOLDER", help="for failing inputs"
    )
    return parser.parse_args()


def _usage(words: str) -> int:
    print(words, file=sys.stderr)
    return 2


def _all(chosen: list[Target], minutes: float, seed: int, folder: Path) -> int:
    each_s = minutes * 60 / len(chosen)
    print(
        f"{'fuzzer':<12} {'inputs':>9} {'accepted':>9} {'refused':>9} {'per s':>8} {'slowest':>9}  failures"
    )
    failed = False
    for target in chosen:
        start = time.monotonic()
        outcome = fuzz(target, seed, lambda _, end=start + each_s: time.monotonic() < end)  # type: ignore[misc]
        _say(target, outcome, time.monotonic() - start)
        for failure in outcome.failures:
            failed = True
            path = keep(failure, target, folder)
            print(f"\n{failure.words}\nTry it again: python -m tests.fuzz {target.name} --input {path}\n")
    return int(failed)


def _say(target: Target, outcome: Outcome, took_s: float) -> None:
    print(
        f"{target.name:<12} {outcome.inputs:>9,} {outcome.accepted:>9,} {outcome.refused:>9,} "
        f"{outcome.inputs / took_s:>8,.0f} {outcome.slowest_s * 1000:>6,.0f} ms  {len(outcome.failures)}",
        flush=True,
    )


def _again(target: Target, path: Path) -> int:
    outcome = Outcome()
    failure = tried(target, path.read_bytes(), outcome)
    if failure is not None:
        print(failure.words)
        return 1
    print(f"{'accepted' if outcome.accepted else 'refused'} in {outcome.slowest_s * 1000:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
