"""Search: what questions find and name, in pages, with bounded work, and that erased people are not found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.app import search
from deploytrail.app.asking import MAX_WORDS, SORTS, asked
from deploytrail.app.ports import Found
from deploytrail.app.views import Named, SearchPage
from deploytrail.store.search_memory import MemorySearch
from deploytrail.store.search_sql import SqlSearch
from tests.app.small_house import SmallHouse
from tests.projections.telling import NOON

SHA, OTHER = "4f2c81e09b7d3a55c1e8f20f6a4b9d7e3c2a1b0f", "4f2c81e1" + "0" * 31 + "1"
DIGEST = "sha256:9d1f4ac25be07c1d9f32a4418c6e07d5b0a1e4c29d1f4ac27be0614ff2c3e07b"


class Asking(SmallHouse):
    """A small house that answers questions."""

    def find(self, question: str, below: int | None = None, limit: int = 50) -> SearchPage:
        self.follow()
        self.searching.catch_up()
        return self.ask.search(question, below, limit)

    def found(self, question: str) -> list[int]:
        return [row.index for row in self.find(question).rows]

    def named(self, question: str) -> list[tuple[str, str]]:
        return [(answer.sort, answer.key) for answer in self.find(question).answers]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Asking]:
    index = SqlSearch(tmp_path / "search.db")
    made = Asking(tmp_path, index=index)
    yield made
    made.close()
    index.close()


@pytest.fixture
def told(house: Asking) -> dict[str, int]:
    """One of each, by what it is."""
    commit = {"sha": SHA, "paths": ["src/pay/card.py", "README.md"], "author": {"login": "ben"}}
    push = {"ref": "refs/heads/main", "after": SHA, "commits": [commit]}
    repository = "github.com/shop/checkout"
    return {
        "push": house.tell("commit.pushed", repository=repository, actor="ada", **push),
        "change": house.tell(
            "change.merged", repository=repository, number=12, title="Retry the card-capture (once)", sha=SHA
        ),
        "other change": house.tell("change.opened", repository="github.com/shop/till", number=12),
        "artifact": house.tell("artifact.published", digest=DIGEST, name="checkout", sha=SHA),
        "deployed": house.deploy(
            "run-77",
            version="v1.42.0",
            artifact=DIGEST,
            commits=[{"sha": SHA}],
            labels={"team": "Blue Whale", "tier": "1"},
            actor="ada",
        ),
        "elsewhere": house.tell(
            "deployment.finished",
            deployment="run-78",
            service="till",
            environment="prd",
            outcome="failed",
            actor="eli",
            commits=[{"sha": OTHER}],
        ),
    }


CASES = {
    "4f2c81e09b": ["push", "change", "artifact", "deployed"],
    "4f2c": ["push", "change", "artifact", "deployed", "elsewhere"],
    SHA.upper(): ["push", "change", "artifact", "deployed"],
    f"commit:{OTHER[:8]}": ["elsewhere"],
    "sha256:9d1f4a": ["artifact", "deployed"],
    "9d1f4ac2": ["artifact", "deployed"],
    "artifact:9d1f4ac2": ["artifact", "deployed"],
    "#12": ["change", "other change"],
    "shop/till#12": ["other change"],
    "change:12": ["change", "other change"],
    "v1.42.0": ["deployed"],
    "1.42": ["deployed"],
    "version:v1.42": ["deployed"],
    "checkout": ["push", "change", "artifact", "deployed"],
    "check": ["push", "change", "artifact", "deployed"],
    "service:checkout": ["deployed"],
    "SERVICE:Checkout": ["deployed"],
    "env:production": ["deployed"],
    "run-77": ["deployed"],
    "ada": ["push", "deployed"],
    "person:ada": ["push", "deployed"],
    "by:BEN": ["push"],
    "src/pay/card.py": ["push"],
    "path:src/": ["push"],
    "path:src/pay/": ["push"],
    "card.py": ["push"],
    "path:pay": [],
    "shop/checkout": ["push", "change"],
    "repo:https://github.com/shop/checkout.git": ["push", "change"],
    "team:blue": [],
    'team:"Blue Whale"': ["deployed"],
    "tier:1": ["deployed"],
    "label:tier=1": ["deployed"],
    "whale": ["deployed"],
    "title:whale": ["deployed"],
    "capture": ["change"],
    "card-capture": ["change"],
    "(once)": ["change"],
    "Checkout,": ["push", "change", "artifact", "deployed"],
    "once": ["change"],
    "kind:change.merged": ["change"],
    "outcome:failed": ["elsewhere"],
    "branch:main": ["push"],
    "checkout production": ["deployed"],
    "checkout ada retry": [],
    "ada 4f2c81e0 checkout": ["push", "deployed"],
    "4f2": [],
    "ch": [],
    "zebra": [],
    "": [],
    '""': [],
    "service:": [],
}


@pytest.mark.parametrize("question", CASES)
def test_what_a_question_finds(house: Asking, told: dict[str, int], question: str) -> None:
    assert house.found(question) == [told[name] for name in CASES[question]][::-1]


def test_names_that_mean_the_same_are_found_together(house: Asking, told: dict[str, int]) -> None:
    assert house.found("service:till environment:production") == []
    house.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    assert house.found("service:till environment:production") == [told["elsewhere"]]
    assert told["elsewhere"] in house.found("production")
    assert ("environment", "production") in house.named("prd")


def test_what_words_name(house: Asking, told: dict[str, int]) -> None:
    assert house.named("checkout") == [("service", "checkout")]
    assert house.named("production") == [("environment", "production")]
    assert house.named(SHA[:8]) == [("commit", SHA)]
    assert house.named("4f2c") == [("commit", SHA), ("commit", OTHER)]
    assert house.named(DIGEST) == [("artifact", DIGEST)]
    assert house.named("retry") == house.named("zebra") == house.named("") == []
    changes = house.find("#12").answers
    assert [(a.sort, a.key, a.number) for a in changes] == [
        ("change", "github.com/shop/till", 12),
        ("change", "github.com/shop/checkout", 12),
    ]
    [run] = house.find("deployment:run-77").answers
    assert (run.sort, run.name, run.place) == ("deployment", "checkout", "production")
    assert house.ask.deployment(run.key) is not None
    [ada] = house.find("ada").answers
    assert ada == Named(sort="person", key=house.subject("ada"), who=ada.who)
    assert ada.who is not None
    assert ada.who.login == "ada"


def test_an_erased_person_is_not_found_by_name(house: Asking, told: dict[str, int]) -> None:
    assert house.found("ada") == [told["deployed"], told["push"]]
    subject = house.subject("ada")
    with house.searching.erasing() as searched:
        house.erase("ada")
        searched.forget([subject], [told["push"], told["deployed"]])
    assert house.found("ada") == house.found("person:ada") == []
    assert house.named("ada") == []
    # What is clear stays, and so does the way by the subject id.
    assert told["deployed"] in house.found("checkout")
    assert told["push"] in house.found(subject)


def test_pages_go_on_where_they_ended(house: Asking) -> None:
    indices = [house.deploy(str(n), NOON + n, actor="ada" if n % 2 else "ben") for n in range(25)]
    wanted = indices[1::2][::-1]
    for question in ("ada", "checkout ada", "production checkout ada"):
        page = house.find(question, limit=5)
        assert len(page.answers) > 0
        found = [row.index for row in page.rows]
        while page.older is not None:
            page = house.find(question, page.older, limit=5)
            assert page.answers == []
            found += [row.index for row in page.rows]
        assert found == wanted
    assert (page.up_to, page.size) == (25, 25)


def test_what_is_not_taken_in_yet_is_said(house: Asking, told: dict[str, int]) -> None:
    house.find("ada")
    house.deploy("later", actor="ada")
    page = house.ask.search("ada", None, 50)
    assert (page.up_to, page.size) == (len(told), len(told) + 1)


def test_too_many_words_and_too_many_that_begin_so_are_said(house: Asking) -> None:
    for n in range(30):
        house.tell("incident.opened", incident=str(n), title=f"prefix{n:02}")
    page = house.find("pre")
    assert page.cut == ["pre"]
    assert len(page.rows) == 12
    assert house.find("prefix2").cut == []
    assert len(house.find("prefix2").rows) == 10
    page = house.find(" ".join(f"prefix{n:02}" for n in range(10)))
    assert page.left_out == ["prefix08", "prefix09"]


# Streams.


def streams(lists: list[list[int]]) -> list[search._Stream]:
    """Streams of these indices."""
    index = MemorySearch()
    size = max((max(one, default=0) for one in lists), default=0) + 1
    terms = [" ".join(f"=t{n}" for n, one in enumerate(lists) if index in one) for index in range(size)]
    index.add([Found(n, said, "") for n, said in enumerate(terms)], {}, size, "v1")
    return [search._Stream(index, [f"=t{n}"], []) for n in range(len(lists))]


@given(st.lists(st.sets(st.integers(0, 400), max_size=120).map(sorted), min_size=1, max_size=4))
def test_streams_agree_on_what_all_of_them_have(lists: list[list[int]]) -> None:
    wanted = sorted(set.intersection(*map(set, lists)), reverse=True)
    found, below = [], 401
    some = streams(lists)
    while (agreed := search._agreed(some, below)) is not None:
        below = agreed[0] if agreed[1] else agreed[0] + 1
        if agreed[1]:
            found.append(agreed[0])
        else:
            # As the next page: with new streams, from where this one ended.
            some = streams(lists)
    assert found == wanted


def test_the_work_of_a_page_is_bounded_and_the_rest_is_reached(
    house: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_READS", 6)
    monkeypatch.setattr(search, "_FIRST", 2)
    monkeypatch.setattr(search, "_MOST", 2)
    chance = Random(7)
    both = []
    for n in range(120):
        place = chance.choice(["checkout production", "checkout staging", "till production"])
        service, environment = place.split()
        index = house.tell("deployment.started", deployment=str(n), service=service, environment=environment)
        both += [index] if place == "checkout production" else []
    found: list[int] = []
    pages, page = 1, house.find("service:checkout env:production")
    found += [row.index for row in page.rows]
    while page.older is not None:
        pages, page = pages + 1, house.find("service:checkout env:production", page.older)
        found += [row.index for row in page.rows]
    assert found == both[::-1]
    assert pages > 5


# The language.


def test_words_are_read(house: Asking) -> None:
    words, left_out = asked('service:checkout  "blue whale" service:checkout by:"Ada L"')
    assert [word.text for word in words] == ["service:checkout", '"blue whale"', 'by:"Ada L"']
    assert left_out == []
    assert words[0].terms == ("service:checkout",)
    assert words[2].people == "ada␠l"


def test_every_sort_can_be_asked() -> None:
    for sort in SORTS:
        [word], _ = asked(f"{sort}:value-1")
        assert word.terms or word.words or word.people, sort


@given(st.text(max_size=600))
def test_any_text_is_a_question(question: str) -> None:
    words, _ = asked(question)
    assert len(words) <= MAX_WORDS
    index = MemorySearch()
    for word in words:
        for one in (*word.terms, *word.begins, *word.words, *word.words_begin):
            assert not any(sign in one for sign in "\0 \n\t")
            one.encode()
            assert index.matching([one], [one]) == []


@pytest.mark.parametrize(
    "question", ['" OR x', "a*", "NOT b", "{a}", "^a", "a AND", "-a", "\\", "%", "'", "(a", "*"]
)
def test_no_sign_of_a_database_means_anything(house: Asking, told: dict[str, int], question: str) -> None:
    assert house.found(question) == []
