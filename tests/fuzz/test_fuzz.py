"""A short run of each fuzzer, the same every time; longer ones with `./dev fuzz`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from deploytrail.errors import Refused
from tests.fuzz.mutate import MAX_INPUT, mutated, mutated_json
from tests.fuzz.registry import TARGETS
from tests.fuzz.run import Outcome, fuzz, inputs, keep, tried
from tests.fuzz.target import Target

SHORT = {"github": 300, "log": 120}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_law_holds_over_some_hundred_inputs(target: Target) -> None:
    outcome = fuzz(target, 0, lambda count: count < SHORT.get(target.name, 500))
    assert [failure.words for failure in outcome.failures] == []
    assert outcome.accepted
    assert outcome.refused


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_seed_is_accepted_as_it_is(target: Target) -> None:
    outcome = Outcome()
    for data in target.seeds():
        assert tried(target, data, outcome) is None
    assert outcome.refused == 0


def test_same_seed_gives_the_same_inputs_and_another_others() -> None:
    def drawn(seed: int) -> list[bytes]:
        stream = inputs(TARGETS[0], seed, Outcome())
        return [next(stream) for _ in range(60)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_alterations_alter_and_stay_within_their_size() -> None:
    chance, data = Random(3), b'{"a":[1,"two",{"three":null}],"b":"2026-03-17T14:32:08Z"}'
    for alter in (mutated, mutated_json):
        found = {alter(data, chance, [data]) for _ in range(300)}
        assert len(found) > 200
        large = b'["' + b"x" * MAX_INPUT + b'"]'
        assert max(len(alter(large, chance, [data])) for _ in range(20)) == MAX_INPUT


def _breaks(data: bytes) -> None:
    if b"2" in data:
        raise KeyError("a fuzzer must see this")
    raise Refused("bad-input", "no")


def _hangs(data: bytes) -> None:
    while True:
        pass


def test_broken_law_is_found_once_and_kept_in_a_file(tmp_path: Path) -> None:
    target = Target("breaks", "for this test", lambda: [b"1", b"2", b"22"], _breaks)
    outcome = fuzz(target, 0, lambda count: count < 3)
    assert (outcome.inputs, outcome.refused, len(outcome.failures)) == (3, 1, 1)
    path = keep(outcome.failures[0], target, tmp_path / "kept")
    assert path.read_bytes() == b"2"
    assert "KeyError" in outcome.failures[0].words


def test_input_that_never_ends_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run.LIMIT_S", 0.1)
    failure = tried(Target("hangs", "for this test", list, _hangs), b"", Outcome())
    assert failure is not None
    assert "TooSlow" in failure.words


def test_command_tries_one_kept_input_again(tmp_path: Path) -> None:
    kept = tmp_path / "input"
    kept.write_bytes(b"2026-03-17T14:32:08Z")
    root = Path(__file__).parents[2]

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.fuzz", *arguments]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    done = ran("times", "--input", str(kept))
    assert (done.returncode, done.stdout.split()[0]) == (0, "accepted")
    assert ran("nothing").returncode == 2
