"""Changes, commits, and what pushes say about the way between two commits."""

from typing import Any

import pytest

from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.commits import ARRIVALS, COMMITS, HEARD, MAX_PUSHED, Commit
from tests.projections.telling import MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD, Telling, sha


def change(t: Telling, number: int = 9) -> Change:
    found = t.get(CHANGES, REPOSITORY, number)
    assert found is not None
    return found


def commit(t: Telling, name: str) -> Commit:
    found = t.get(COMMITS, REPOSITORY, name)
    assert found is not None
    return found


def review(t: Telling, at: int, verdict: str | None, reviewer: str = "ben", **fields: Any) -> int:
    return t.tell(
        "change.reviewed",
        at,
        repository=REPOSITORY,
        number=9,
        verdict=verdict,
        reviewer={"login": reviewer},
        **fields,
    )


def test_the_life_of_a_change() -> None:
    t = Telling()
    t.tell("change.opened", repository=REPOSITORY, number=9, sha=OTHER, author={"login": "ada"}, title="One")
    review(t, NOON + MINUTE, "approved", head=OTHER)
    t.tell(
        "change.merged",
        NOON + 2 * MINUTE,
        repository=REPOSITORY,
        number=9,
        sha=SHA,
        head=OTHER,
        base="main",
        commits=3,
        merged_by={"login": "cleo"},
        title="One, better",
    )
    t.tell("change.updated", NOON + 3 * MINUTE, repository=REPOSITORY, number=9, sha=OTHER, action="labeled")
    row = change(t)
    assert (row.state, row.author, row.merged_by, row.merged_at) == (
        "merged",
        "s_ada",
        "s_cleo",
        NOON + 2 * MINUTE,
    )
    assert (row.sha, row.head, row.base, row.commits, row.titled) == (SHA, OTHER, "main", 3, 2)
    assert row.approvers() == ["s_ben"]
    assert commit(t, SHA).change == commit(t, OTHER).change == 9


@pytest.mark.parametrize(
    ("words", "approvers"),
    [
        (["approved"], ["s_ben"]),
        (["approved", "commented"], ["s_ben"]),
        (["approved", "changes_requested"], []),
        (["changes requested", "approved"], ["s_ben"]),
        (["approved", "dismissed"], []),
        (["commented"], []),
        ([None], ["s_ben"]),
    ],
)
def test_the_last_word_of_a_reviewer_counts(words: list[str | None], approvers: list[str]) -> None:
    t = Telling()
    for n, word in enumerate(words):
        review(t, NOON + n * MINUTE, word)
    assert change(t).approvers() == approvers


def test_a_review_told_late_does_not_take_back_a_later_one() -> None:
    t = Telling()
    review(t, NOON + MINUTE, "approved")
    review(t, NOON, "changes_requested", received_at=NOON + 2 * MINUTE)
    assert change(t).approvers() == ["s_ben"]


def test_an_author_never_reviews_their_own_change() -> None:
    t = Telling()
    t.tell("change.opened", repository=REPOSITORY, number=9, author={"login": "ada"})
    review(t, NOON + MINUTE, "approved", reviewer="ada")
    assert change(t).approvers() == []


def test_an_abandoned_change_may_come_back() -> None:
    t = Telling()
    t.tell("change.abandoned", NOON + MINUTE, repository=REPOSITORY, number=9)
    t.tell("change.opened", NOON, repository=REPOSITORY, number=9, received_at=NOON + 2 * MINUTE)
    assert change(t).state == "abandoned"
    t.tell("change.updated", NOON + 3 * MINUTE, repository=REPOSITORY, number=9, action="reopened")
    assert change(t).state == "open"


def test_a_merged_change_owns_its_commits() -> None:
    t = Telling()
    t.tell("change.opened", repository=REPOSITORY, number=8, sha=SHA)
    t.tell("change.opened", repository=REPOSITORY, number=9, sha=SHA)
    assert commit(t, SHA).change == 8
    t.tell("change.merged", repository=REPOSITORY, number=9, head=SHA, commits=[{"sha": OTHER}])
    assert commit(t, SHA).change == commit(t, OTHER).change == 9


def push(t: Telling, before: str | None, *shas: str, after: str | None = None, **fields: Any) -> int:
    return t.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="refs/heads/main",
        before=before,
        after=after or shas[-1],
        commits=[{"sha": name} for name in shas],
        **fields,
    )


def test_commits_of_a_push() -> None:
    t = Telling()
    t.tell(
        "commit.pushed",
        repository=REPOSITORY.upper(),
        ref="refs/heads/main",
        after=SHA,
        commits=[
            {"sha": OTHER, "title": "First"},
            {
                "sha": SHA.upper(),
                "parents": [OTHER],
                "author": {"login": "ada"},
                "signed": True,
                "title": "Second",
            },
        ],
    )
    row = commit(t, SHA)
    assert (row.parents, row.author, row.signed) == ([OTHER], "s_ada", True)
    assert (row.index, row.path) == (0, "data.commits.1")
    assert commit(t, OTHER).parents is None
    # A second telling adds what was not known, and changes nothing that was.
    t.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="refs/heads/other",
        after=OTHER,
        commits=[{"sha": OTHER, "parents": [], "author": {"login": "ben"}}, {"sha": SHA, "parents": []}],
    )
    assert (commit(t, OTHER).parents, commit(t, OTHER).author, commit(t, OTHER).index) == ([], "s_ben", 0)
    assert commit(t, SHA).parents == [OTHER]


def test_a_push_in_parts_is_whole_when_all_are_here() -> None:
    t = Telling()
    push(t, THIRD, SHA, part=2, parts=2)
    row = t.get(ARRIVALS, REPOSITORY, SHA, THIRD)
    assert row is not None
    assert not row.whole
    push(t, THIRD, OTHER, after=SHA, part=1, parts=2)
    row = t.get(ARRIVALS, REPOSITORY, SHA, THIRD)
    assert row is not None
    assert row.whole
    assert row.shas == {"1": [OTHER], "2": [SHA]}


@pytest.mark.parametrize(
    "fields",
    [
        {"before": None},
        {"before": "0" * 40},
        {"before": THIRD, "forced": True},
        {"before": THIRD, "commits": None},
        {"before": THIRD, "part": 3, "parts": 2},
        {"before": THIRD, "part": 1, "parts": 100_000},
    ],
    ids=["no before", "a new branch", "forced", "no commits", "an impossible part", "too many parts"],
)
def test_pushes_that_say_nothing_about_the_way(fields: dict[str, Any]) -> None:
    t = Telling()
    fields = {"commits": [{"sha": SHA}], **fields}
    told = {name: value for name, value in fields.items() if value is not None}
    t.tell("commit.pushed", repository=REPOSITORY, ref="main", after=SHA, **told)
    assert t.derived.page(ARRIVALS, order="repository") == []


def test_a_push_that_does_not_list_its_last_commit_is_not_whole() -> None:
    t = Telling()
    push(t, THIRD, OTHER, after=SHA)
    row = t.get(ARRIVALS, REPOSITORY, SHA, THIRD)
    assert row is not None
    assert not row.whole


def test_a_push_that_is_too_long_is_not_followed() -> None:
    t = Telling()
    many = [sha(str(n)) for n in range(800)]
    for part in range(1, MAX_PUSHED // 800 + 2):
        push(t, THIRD, *many, after=SHA, part=part, parts=9)
    row = t.get(ARRIVALS, REPOSITORY, SHA, THIRD)
    assert row is not None
    assert (row.parts, row.shas, row.whole) == (0, {}, False)


def test_a_repository_is_known_with_and_without_its_host() -> None:
    t = Telling()
    t.tell("check.finished", repository="https://EXAMPLE.org/shop/checkout.git", sha=SHA)
    row = t.get(HEARD, "shop/checkout")
    assert row is not None
    assert (row.full, row.pushes) == (REPOSITORY, False)
    push(t, THIRD, SHA)
    row = t.get(HEARD, REPOSITORY)
    assert row is not None
    assert row.pushes


def told(t: Telling, name: str, parents: list[str], minute: int | None = None) -> None:
    commit: dict[str, Any] = {"sha": sha(name), "parents": [sha(parent) for parent in parents]}
    if minute is not None:
        commit["committed_at"] = f"2026-03-17T10:{minute:02d}:00Z"
    t.tell("commit.pushed", repository=REPOSITORY, ref="main", after=sha(name), commits=[commit])


@pytest.mark.parametrize("names", ["abcd", "dcba", "cadb", "bdac"])
def test_orders_lie_above_those_of_parents_however_they_are_told(names: str) -> None:
    parents = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    # The clock of whoever wrote a ran ahead.
    minutes = {"a": 50, "b": 10, "c": 20, "d": 30}
    t = Telling()
    for name in names:
        told(t, name, parents[name], minutes[name])
    rows = {name: commit(t, sha(name)) for name in names}
    for name, row in rows.items():
        assert row.complete
        for parent in parents[name]:
            assert (row.order or 0) > (rows[parent].order or 0) > 0
    heard = t.get(HEARD, REPOSITORY)
    assert heard is not None
    assert not heard.disordered


def test_a_history_with_a_hole_is_not_complete() -> None:
    t = Telling()
    told(t, "b", ["a"])
    told(t, "c", ["b"])
    assert not commit(t, sha("c")).complete
    told(t, "a", [])
    assert commit(t, sha("c")).complete


def test_commits_in_a_circle_end() -> None:
    t = Telling()
    told(t, "a", ["b"])
    told(t, "b", ["c"])
    told(t, "c", ["a"])
    heard = t.get(HEARD, REPOSITORY)
    assert heard is not None
    assert heard.disordered
    # From then on nothing is put in order there, at no cost.
    told(t, "d", ["c"])
    assert commit(t, sha("d")).order is None


def test_a_commit_with_very_many_children_tells_no_order_late() -> None:
    t = Telling()
    for n in range(70):
        told(t, f"child {n}", ["a"])
    assert len(commit(t, sha("a")).children) == 64
    told(t, "a", [])
    heard = t.get(HEARD, REPOSITORY)
    assert heard is not None
    assert heard.disordered
