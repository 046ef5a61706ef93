"""What ./dev check prints and how it ends, on steps of our own."""

from __future__ import annotations

import sys

import pytest
from tools.check import _NOT_FAST, ROOT, Outcome, Step, report, run


def step(name: str, text: str) -> Step:
    return Step(name, (sys.executable, "-c", text))


def test_one_line_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([Outcome(step("lint", ""), 0, 1.24, "fine"), Outcome(step("types", ""), 0, 0.1, "")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok       1.2 s  lint", "ok       0.1 s  types"]
    assert len(lines) == 3


def test_the_first_failure_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    said = "\n".join(f"line {number}" for number in range(500))
    found = [Outcome(step("lint", ""), 0, 1, "fine"), Outcome(step("types", ""), 1, 1, said)]
    assert report([*found, Outcome(step("fast tests", ""), 2, 1, "other words")]) == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert "other words" not in printed
    assert "Also failed: fast tests." in printed


def test_a_step_is_run_and_heard() -> None:
    done = run(step("two streams", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"))
    assert done.status == 3
    assert sorted(done.said.split()) == ["one", "two"]


def test_what_is_left_out_exists() -> None:
    assert [path for path in _NOT_FAST if not (ROOT / path).exists()] == []
