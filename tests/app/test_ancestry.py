"""What lies between two commits: pushes that follow each other, parents, and honest ignorance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.app import ancestry
from deploytrail.app.ancestry import Between, between, repository_of
from tests.projections.telling import MINUTE, NOON, REPOSITORY, Telling, sha

Graph = dict[str, list[str]]


def push(t: Telling, before: str, *names: str, after: str | None = None, **fields: Any) -> None:
    t.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="refs/heads/main",
        before=sha(before),
        after=sha(after or names[-1]),
        commits=[{"sha": sha(name)} for name in names],
        **fields,
    )


def graph(t: Telling, commits: Graph, dates: dict[str, int] | None = None) -> None:
    """Tell commits with their parents, as an imported history does."""
    for n, (name, parents) in enumerate(commits.items()):
        at = dates[name] if dates else n
        t.tell(
            "commit.pushed",
            repository=REPOSITORY,
            ref="refs/heads/main",
            after=sha(name),
            commits=[
                {
                    "sha": sha(name),
                    "parents": [sha(p) for p in parents],
                    "committed_at": f"2026-03-17T{at // 60:02d}:{at % 60:02d}:00Z",
                }
            ],
        )


def asked(t: Telling, old: str, new: str) -> Between:
    return between(t.derived, REPOSITORY, sha(old), sha(new))


def test_pushes_that_follow_each_other() -> None:
    t = Telling()
    push(t, "a", "b", "c")
    push(t, "c", "d")
    push(t, "d", "e", "f")
    found = asked(t, "a", "f")
    assert (found.known, found.shas) == (True, [sha(n) for n in "fedcb"])
    assert found.pushes == (
        (sha("f"), [sha("e"), sha("f")]),
        (sha("d"), [sha("d")]),
        (sha("c"), [sha("b"), sha("c")]),
    )
    assert asked(t, "c", "d").shas == [sha("d")]


def test_the_same_commit_and_a_way_back_bring_nothing_new() -> None:
    t = Telling()
    push(t, "a", "b")
    push(t, "b", "c")
    assert asked(t, "c", "c") == Between(True, [])
    assert asked(t, "c", "a") == Between(True, [])


def test_a_missing_push_is_a_gap() -> None:
    t = Telling()
    push(t, "a", "b")
    push(t, "c", "d")
    found = asked(t, "a", "d")
    assert not found.known
    assert found.shas == []
    assert found.why is not None
    assert found.why.startswith(f"Not every push between {sha('a')[:7]} and {sha('d')[:7]} has been heard.")


def test_a_push_in_parts_that_is_not_whole_is_a_gap() -> None:
    t = Telling()
    push(t, "a", "b", after="c", part=1, parts=2)
    assert not asked(t, "a", "c").known
    push(t, "a", "c", part=2, parts=2)
    assert asked(t, "a", "c").shas == [sha("c"), sha("b")]


def test_a_forced_push_is_no_way() -> None:
    t = Telling()
    push(t, "a", "b", forced=True)
    assert not asked(t, "a", "b").known


def test_the_middle_of_a_push_is_not_guessed() -> None:
    t = Telling()
    push(t, "a", "b", "c", "d")
    assert not asked(t, "b", "d").known


def test_branches_that_arrive_twice() -> None:
    t = Telling()
    push(t, "x", "b")
    push(t, "a", "b")
    push(t, "b", "c")
    assert asked(t, "a", "c").shas == [sha("c"), sha("b")]


def test_pushes_in_circles_end() -> None:
    t = Telling()
    push(t, "a", "b")
    push(t, "b", "a")
    assert not asked(t, "x", "b").known


def test_parents_on_a_line_and_through_a_merge() -> None:
    t = Telling()
    graph(t, {"a": [], "b": ["a"], "c": ["b"], "x": ["a"], "y": ["x"], "m": ["c", "y"], "d": ["m"]})
    assert asked(t, "b", "c").shas == [sha("c")]
    assert set(asked(t, "c", "d").shas) == {sha(n) for n in "dmyx"}
    assert set(asked(t, "a", "m").shas) == {sha(n) for n in "mycxb"}
    assert asked(t, "d", "b").shas == []


def test_an_unknown_parent_is_a_gap() -> None:
    t = Telling()
    graph(t, {"b": ["lost"], "c": ["b"], "d": ["c"]})
    assert asked(t, "b", "d").shas == [sha("d"), sha("c")]
    assert not asked(t, "a", "d").known


def test_unrelated_histories() -> None:
    t = Telling()
    graph(t, {"a": [], "x": [], "y": ["x"]})
    assert set(asked(t, "a", "y").shas) == {sha("x"), sha("y")}
    # But if the old one's history is not known, neither is what it shares.
    assert not asked(t, "elsewhere", "y").known


def test_too_long_a_way_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "MAX_COMMITS", 5)
    monkeypatch.setattr(ancestry, "MAX_PUSHES", 5)
    t = Telling()
    names = [f"n{n}" for n in range(12)]
    graph(t, {"a": [], **{name: [before] for before, name in zip(["a", *names], names, strict=False)}})
    found = asked(t, "a", names[-1])
    assert not found.known
    assert found.why == "More than 5 commits would have to be followed to know."
    p = Telling()
    for before, name in zip(["a", *names], names, strict=False):
        push(p, before, name)
    assert not asked(p, "a", names[-1]).known
    assert asked(p, names[6], names[-1]).known


def test_short_names_are_completed_only_when_one_commit_begins_so() -> None:
    t = Telling()
    push(t, "a", "b")
    found = between(t.derived, REPOSITORY, sha("a"), sha("b")[:8])
    assert found.shas == [sha("b")]
    assert not between(t.derived, REPOSITORY, sha("a"), "0000000").known


def test_a_repository_by_its_name_without_host() -> None:
    t = Telling()
    push(t, "a", "b")
    assert repository_of(t.derived, "shop/checkout") == (REPOSITORY, True)
    assert repository_of(t.derived, "example.org/shop/checkout") == (REPOSITORY, True)
    assert repository_of(t.derived, "shop/other") == ("shop/other", False)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Graph, dict[str, int], list[str]]:
    """A history of up to ten commits, told in any order, with wrong clocks and some commits never heard."""
    count = draw(st.integers(2, 10))
    names = [f"c{n}" for n in range(count)]
    commits = {
        name: draw(st.lists(st.sampled_from(names[:n]), max_size=2, unique=True)) if n else []
        for n, name in enumerate(names)
    }
    dates = {name: draw(st.integers(0, 60)) + 10 * n for n, name in enumerate(names)}
    lost = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    told = draw(st.permutations(names) | st.just(names) | st.just(names[::-1]))
    return {name: commits[name] for name in told}, dates, lost


def ancestors(commits: Graph, name: str) -> set[str]:
    return {name}.union(*(ancestors(commits, parent) for parent in commits[name]))


@settings(max_examples=400, deadline=None)
@given(histories(), st.data())
def test_what_is_said_to_lie_between_does(
    history: tuple[Graph, dict[str, int], list[str]], data: st.DataObject
) -> None:
    commits, dates, lost = history
    t = Telling()
    graph(t, {name: parents for name, parents in commits.items() if name not in lost}, dates)
    old, new = data.draw(st.sampled_from(list(commits))), data.draw(st.sampled_from(list(commits)))
    found = asked(t, old, new)
    truth = ancestors(commits, new) - ancestors(commits, old)
    if found.known:
        assert set(found.shas) == {sha(name) for name in truth}
    else:
        # Only where something was not heard is anything unknown.
        assert lost
    if not lost:
        assert found.known


def test_the_time_of_telling_does_not_matter() -> None:
    t = Telling()
    push(t, "b", "c", received_at=NOON + MINUTE)
    push(t, "a", "b", received_at=NOON + 2 * MINUTE)
    assert asked(t, "a", "c").shas == [sha("c"), sha("b")]
