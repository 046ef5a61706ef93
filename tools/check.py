"""`./dev check`: format, lint, import contracts, types, the front end, the documents, and the fast tests.

    python tools/check.py

Everything that does not wait for something else runs side by side, as many at once as there are cores; the
fast tests run last, since they take all cores themselves. Each step prints one line with its time. What the
first failing step said is shown whole, and the exit status is 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
_BIN: Final = Path(sys.executable).parent
_PYTEST: Final = (sys.executable, "-m", "pytest", "--no-header")
# Conversations with real servers; files, faults and hostile inputs at every place; whole large trees;
# benchmarks; and what the step "documents" does already. All of it is for ./dev test.
_NOT_FAST: Final = (
    "tests/browser",
    "tests/stories",
    "tests/main",
    "tests/crash",
    "tests/fuzz",
    "tests/bench",
    "tests/house",
    "tests/contracts",
    "tests/notary",
    "tests/store",
    "tests/app/test_erase.py",
    "tests/app/test_fsck.py",
    "tests/intake/test_github_hostile.py",
    "tests/projections/test_laws.py",
    "tests/tlog/test_whole_trees.py",
    "tests/tools/test_ledger.py",
    "tests/web/test_hostile.py",
)


class Step(NamedTuple):
    """One thing that must hold, and the command that says whether it does."""

    name: str
    command: tuple[str, ...]


class Outcome(NamedTuple):
    """What became of a step; `seconds` of wall-clock time."""

    step: Step
    status: int
    seconds: float
    said: str


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def steps() -> list[Step]:
    """What runs side by side, the longest first."""
    return [
        Step("documents", (*_PYTEST, "tests/house")),
        Step("types", (str(_BIN / "mypy"),)),
        Step("front end", (sys.executable, "frontend/build.py", "--check")),
        Step("import contracts", (str(_BIN / "lint-imports"),)),
        Step("lint", (str(_BIN / "ruff"), "check", ".")),
        Step("format", (str(_BIN / "ruff"), "format", "--check", ".")),
    ]


def fast_tests() -> Step:
    """All tests but the slow ones, on few examples each."""
    left_out = tuple(f"--ignore={path}" for path in _NOT_FAST)
    workers = ("-n", str(cores()), "--dist", "worksteal")
    return Step("fast tests", (*_PYTEST, "-m", "not slow and not browser", *workers, *left_out))


def run(step: Step) -> Outcome:
    """Run one step to its end."""
    began = time.monotonic()
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "quick", "NO_COLOR": "1"}
    done = subprocess.run(
        step.command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(step, done.returncode, time.monotonic() - began, done.stdout)


def outcomes() -> Iterator[Outcome]:
    """Every step's outcome, as it ends."""
    with ThreadPoolExecutor(cores()) as pool:
        for future in as_completed([pool.submit(run, step) for step in steps()]):
            yield future.result()
    yield run(fast_tests())


def report(found: Iterable[Outcome]) -> int:
    """One line for each step, then what the first failing one said; the exit status."""
    began = time.monotonic()
    failed: list[Outcome] = []
    for outcome in found:
        print(
            f"{'failed' if outcome.status else 'ok':6} {outcome.seconds:5.1f} s  {outcome.step.name}",
            flush=True,
        )
        if outcome.status:
            failed.append(outcome)
    print(f"{'failed' if failed else 'ok':6} {time.monotonic() - began:5.1f} s  in all")
    if not failed:
        return 0
    first = failed[0]
    print(f"\n{first.step.name}: {' '.join(first.step.command)}\n\n{first.said.rstrip()}")
    if failed[1:]:
        print(f"\nAlso failed: {', '.join(outcome.step.name for outcome in failed[1:])}.")
    return 1


if __name__ == "__main__":
    sys.exit(report(outcomes()))
