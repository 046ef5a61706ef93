"""What ports.SearchIndex promises, on every index there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.app.ports import Found, SearchIndex
from deploytrail.projections import terms as made
from deploytrail.store.search_memory import MemorySearch
from deploytrail.store.search_sql import SqlSearch

Make = Callable[[], SearchIndex]


@pytest.fixture(params=["memory", "sql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    opened: list[SqlSearch] = []

    def new() -> SearchIndex:
        if request.param == "memory":
            return MemorySearch()
        opened.append(SqlSearch(tmp_path / f"search-{len(opened)}.db"))
        return opened[-1]

    yield new
    for index in opened:
        index.close()


@pytest.fixture
def index(make: Make) -> SearchIndex:
    return make()


def fill(index: SearchIndex, *said: tuple[str, str], by: str = "v1") -> None:
    """Take in one entry for each pair of terms and words."""
    start = index.cursor()
    found = [Found(start + place, terms, words) for place, (terms, words) in enumerate(said)]
    index.add(found, {}, start + len(said), by)


def test_it_begins_empty(index: SearchIndex) -> None:
    assert (index.cursor(), index.made_by()) == (0, "")
    assert index.matching(["=a"], ["a"]) == []
    assert (index.terms("", 9), index.words("", 9), index.people("", 9)) == ([], [], [])


def test_terms_and_words_are_found_newest_first(index: SearchIndex) -> None:
    fill(index, ("=a =b", "x"), ("=a", "y x"), ("=b", ""), ("=a =a", "y"))
    assert (index.cursor(), index.made_by()) == (4, "v1")
    assert index.matching(["=a"], []) == [3, 1, 0]
    assert index.matching([], ["x"]) == [1, 0]
    assert index.matching(["=b"], ["y"]) == [3, 2, 1, 0]
    assert index.matching(["=a", "=b"], ["x", "y"], limit=2) == [3, 2]
    assert index.matching(["=a", "=b"], ["x", "y"], below=3, limit=2) == [2, 1]
    assert index.matching(["=a"], ["x"], below=0) == []
    assert index.matching(["=nothing"], ["nothing"]) == []
    assert index.matching([], []) == []
    # A term is no word, and a word no term.
    assert index.matching(["x"], ["=a"]) == []


def test_a_term_is_whole_or_not_there(index: SearchIndex) -> None:
    fill(index, ("path:src/app/x.py =x.py", "checkout-api"), ("service:checkout", "it's"))
    assert index.matching(["path:src/app/x", "path:src", "src", "x", "=x", "app"], []) == []
    assert index.matching([], ["checkout", "api", "it", "s"]) == []
    assert index.matching(["path:src/app/x.py"], []) == [0]
    assert index.matching([], ["checkout-api", "it's"]) == [1, 0]


def test_terms_that_begin_so(index: SearchIndex) -> None:
    fill(index, *((f"commit:ab{n:02} =same", f"w{n:02}") for n in range(12)), ("commit:ac", "é \U0001f600"))
    assert index.terms("commit:ab", 3) == ["commit:ab00", "commit:ab01", "commit:ab02"]
    assert index.terms("commit:ab1", 9) == ["commit:ab10", "commit:ab11"]
    assert index.terms("commit:ac", 9) == ["commit:ac"]
    assert index.terms("=", 9) == ["=same"]
    assert index.terms("nothing", 9) == []
    assert index.words("w1", 9) == ["w10", "w11"]
    assert index.words("", 99)[-2:] == ["é", "\U0001f600"]


def test_persons_by_words_of_their_names(index: SearchIndex) -> None:
    index.add([], {"s_a": ["ada", "ada@example.org"], "s_b": ["adam", "ben"]}, 0, "v1")
    index.add([], {"s_a": ["ada", "lovelace"]}, 0, "v1")
    assert index.people("ada", 9) == ["s_a", "s_b"]
    assert index.people("adam", 9) == ["s_b"]
    assert index.people("love", 9) == ["s_a"]
    assert index.people("ada", 1) == ["s_a"]
    assert index.people("a%", 9) == []


def test_what_is_forgotten_is_found_no_more(index: SearchIndex) -> None:
    fill(index, ("=a", "secret x"), ("=a", "x"), ("=b", "secret"), ("=b", "other"))
    index.add([], {"s_a": ["ada", "same"], "s_b": ["ben", "same"]}, 4, "v1")
    index.doubt()
    assert index.made_by() == ""
    index.forget(["s_a", "s_never"], {0: "x", 2: ""}, "v2")
    assert (index.cursor(), index.made_by()) == (4, "v2")
    assert index.matching([], ["secret"]) == []
    assert index.matching([], ["x"]) == [1, 0]
    assert index.matching(["=a", "=b"], []) == [3, 2, 1, 0]
    assert index.words("", 9) == ["other", "x"]
    assert (index.people("ada", 9), index.people("same", 9)) == ([], ["s_b"])
    # It goes on as ever.
    fill(index, ("=a", "secret"))
    assert index.matching([], ["secret"]) == [4]


def test_equal_ones_have_equal_digests(make: Make) -> None:
    one, two = make(), make()
    said = [("=a =b", "x y"), ("=b", ""), ("=ä", "y")]
    fill(one, *said)
    for pair in said:
        fill(two, pair)
    one.add([], {"s_a": ["ada", "ben"]}, 3, "v1")
    assert one.digest() != two.digest()
    two.add([], {"s_a": ["ben"]}, 3, "v1")
    two.add([], {"s_a": ["ada"]}, 3, "v1")
    assert one.digest() == two.digest()
    fill(one, ("=a", "x"))
    assert one.digest()["term"] != two.digest()["term"]
    assert one.digest()["name"] == two.digest()["name"]


def test_a_digest_is_the_same_in_every_index(tmp_path: Path) -> None:
    indexes: list[Any] = [MemorySearch(), SqlSearch(tmp_path / "search.db")]
    for index in indexes:
        fill(index, ("=b =a =a", "ü x y"), ("=\U0001f600 =\ud7ff", "y"))
        index.add([], {"s_a": ["ö", "o"]}, 2, "v1")
    assert indexes[0].digest() == indexes[1].digest()
    indexes[1].close()


def test_it_is_made_anew_beside_the_one_that_stands(index: SearchIndex) -> None:
    fill(index, ("=old", "old"))
    fresh = index.rebuild()
    assert fresh.cursor() == 0
    fill(fresh, ("=new", "new"), ("=new", ""), by="v2")
    assert index.matching(["=old"], ["old"]) == [0]
    index.replace(fresh)
    assert (index.cursor(), index.made_by()) == (2, "v2")
    assert index.matching(["=old"], ["old"]) == []
    assert index.matching(["=new"], []) == [1, 0]
    fill(index, ("=new", ""))
    assert index.cursor() == 3


# Texts as hostile as they come, but for half surrogates, which no entry can hold.
hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=60, deadline=None)
@given(st.lists(hostile, min_size=1, max_size=8), st.lists(hostile, min_size=1, max_size=8))
def test_whatever_is_told_its_terms_find_it_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], texts: list[str]
) -> None:
    index = SqlSearch(tmp_path_factory.mktemp("search") / "search.db")
    memory = MemorySearch()
    said = [(made.word(value), "") for value in values]
    said += [("", " ".join(made.words(text))) for text in texts]
    for each in (index, memory):
        fill(each, *said)
    for value in values:
        wanted = [n for n, other in enumerate(values) if made.word(other) == made.word(value)]
        assert index.matching([made.word(value)], [], limit=99) == wanted[::-1]
    for text in texts:
        for word in made.words(text):
            assert index.matching([], [word], limit=99) == memory.matching([], [word], limit=99) != []
    assert index.digest() == memory.digest()
    index.close()
