"""Every benchmark runs, on little, and tells figures with their durability; none is held to a size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.bench import fact
from tests.bench.__main__ import line
from tests.bench.facts_told import told
from tests.bench.figure import Benchmark, Sizes, Void
from tests.bench.goals import GOALS, Goal, table
from tests.bench.house import draft
from tests.bench.measure import crowd, percentile
from tests.bench.registry import BENCHMARKS
from tests.bench.whole import caught_up, hand_in, judge, whole

# Those that start the real server.
SLOW = ("fsck", "import", "live", "memory", "pages", "posts")
# Those that start it on a house which another run may have made, and which lies in files.
OF_FILES = ("memory",)
MARKS = ((SLOW, pytest.mark.slow), (OF_FILES, pytest.mark.sqlite))
EACH = [
    pytest.param(one, id=one.name, marks=[mark for names, mark in MARKS if one.name in names])
    for one in BENCHMARKS
]


@pytest.mark.parametrize("benchmark", EACH)
def test_benchmark_tells_figures_as_lines_of_json(benchmark: Benchmark) -> None:
    figures = list(benchmark.run(Sizes(entries=300, seconds=0.02)))
    assert figures
    for figure in figures:
        read = json.loads(line(figure))
        assert read["name"].replace(".", " ").split()[0] == benchmark.name
        assert read["figure"] > 0
        assert {one["goal"] for one in read.get("goals", [])} == set(figure.goals)
        assert read["unit"]
        assert read["durability"]
        assert (figure.ratio is None) == (figure.against is None)
        assert set(read["machine"]) == {"cores", "load", "python", "sqlite", "system"}


def test_names_are_told_apart_and_each_has_its_row_in_the_documents() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    measured = page.partition("## What is measured")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", measured, re.MULTILINE) == names


def test_every_goal_stands_in_the_documents_with_its_floor_and_aim() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text("utf-8")
    promised = page.partition("## What is promised")[2].partition("## ")[0]
    rows = re.findall(
        r"^\| `([\w.]+)` \|.*\| at (most|least) ([\d.,]+) \| ([\d.,]+) \|$", promised, re.MULTILINE
    )
    assert rows == [
        (goal.name, "most" if goal.most else "least", f"{goal.floor:,g}", f"{goal.aim:,g}") for goal in GOALS
    ]


def test_a_goal_is_met_on_its_own_side_of_its_floor() -> None:
    least, most = Goal("a", "b", "c", "x", 2, 4), Goal("a", "b", "c", "x", 4, 2, most=True)
    assert [least.met(value, least.floor) for value in (1.9, 2, 5)] == [False, True, True]
    assert [most.met(value, most.floor) for value in (1, 4, 4.1)] == [True, True, False]
    lines = table({"disk": 2.0, "ingest.rate": 5_999}, ["disk", "ingest"])
    said = {line.split()[0]: line for line in lines[1:]}
    assert " met " in said["disk"]
    assert "NOT MET" in said["ingest.rate"]
    assert "unknown" in said["ingest.share"]


def test_a_wrong_result_voids_the_run(tmp_path: Path) -> None:
    with whole(tmp_path) as house:
        count = hand_in(house, list(fact.told(150)))
        size = caught_up(house)
        judge(house, count)
        with pytest.raises(Void, match="told"):
            judge(house, size + 1)
        with pytest.raises(Void, match="repeat"):
            hand_in(house, list(fact.told(1)))


def test_made_up_facts_can_be_told_and_are_all_different() -> None:
    drafts = [draft(one) for one in told(500)]
    assert len({one.id for one in drafts}) == 500
    assert len({one.kind for one in drafts}) == 6


def test_percentile_is_the_nearest_rank() -> None:
    values = list(map(float, range(1, 101)))
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == 7.0


def test_crowd_counts_what_every_sender_sent() -> None:
    sent: list[tuple[int, int]] = []
    rate, times = crowd(3, 0.05, lambda sender, nth: sent.append((sender, nth)))
    assert len(times) == len(sent) == len(set(sent))
    assert {sender for sender, _ in sent} == {0, 1, 2}
    assert rate > 0
