"""The search index on SQLite: no question reads it whole, nothing forgotten stays in its file, and it begins
anew when the file is no good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app.ports import Found
from deploytrail.store import search_sql
from deploytrail.store.search_sql import SqlSearch


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqlSearch]:
    opened = SqlSearch(tmp_path / "search.db")
    yield opened
    opened.close()


def fill(index: SqlSearch, many: int, *, every: int = 7) -> None:
    """`many` entries; each `every`th has words that nobody else has."""
    for start in range(0, many, 500):
        found = [
            Found(
                n, f"=common kind:k{n % 9}", f"usual{n % 5} {f'qx7oak{n} zw4elm' if n % every == 0 else ''}"
            )
            for n in range(start, min(many, start + 500))
        ]
        index.add(found, {f"s_{n}": [f"vk9ash{n}"] for n in range(3)}, start + len(found), "v1")


def plan(index: SqlSearch, text: str, values: tuple[Any, ...]) -> list[str]:
    with index._reading() as driver:
        return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}", values)]


def test_no_question_reads_the_index_whole(index: SqlSearch) -> None:
    fill(index, 2_000)
    for text in search_sql._MATCHING.values():
        # FTS5 takes the match, the bound and the order itself: no rows are filtered or sorted afterwards.
        [found] = plan(index, text, ("a", 5, 5))
        assert re.search(r"VIRTUAL TABLE INDEX \d+:M\d+<$", found), found
    for text in search_sql._TERMS.values():
        [found] = plan(index, text, ("a", "b"))
        number = re.search(r"VIRTUAL TABLE INDEX (\d+):", found)
        # Of the number that fts5vocab gives its plan: it seeks to the first term.
        assert number is not None
        assert int(number[1]) & 0x200, found
    [found] = plan(index, search_sql._PEOPLE, ("a", "b"))
    assert found == "SEARCH known_as USING PRIMARY KEY (word>? AND word<?)"
    for text in (*search_sql._MATCHING.values(), *search_sql._TERMS.values(), search_sql._PEOPLE):
        assert "OFFSET" not in text


def test_terms_are_sought_one_by_one_and_never_read_through(index: SqlSearch) -> None:
    fill(index, 20_000)
    steps: list[str] = []
    with index._reading() as driver:
        driver.set_trace_callback(steps.append)
    assert index.terms("=", 10) == ["=common"]
    assert index.words("usual", 3) == ["usual0", "usual1", "usual2"]
    asked = [step for step in steps if "_in WHERE" in step]
    assert len(asked) == 2 + 3


@pytest.mark.parametrize("old", [False, True], ids=["contentless", "with a copy"])
def test_no_byte_of_what_was_forgotten_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    if old:
        monkeypatch.setattr(search_sql, "version", lambda: (3, 40, 1))
    index = SqlSearch(tmp_path / "search.db")
    fill(index, 3_000)
    assert b"zw4elm" in (tmp_path / "search.db").read_bytes() + (tmp_path / "search.db-wal").read_bytes()
    index.doubt()
    index.forget(["s_0", "s_1", "s_2"], {n: f"usual{n % 5}" for n in range(0, 3_000, 7)}, "v2")
    assert (index.words("qx7", 5), index.words("zw4", 5), index.people("vk9ash0", 5)) == ([], [], [])
    assert len(index.matching([], ["usual0"], limit=9_999)) == 600
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        # Terms are stored without the start that they share with the one before.
        assert not any(piece in data for piece in (b"x7oak", b"w4elm", b"k9ash0", b"k9ash1")), path
    index.close()


def test_a_reader_of_older_states_holds_forgetting_up(
    index: SqlSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_sql, "_PATIENCE", 0.1)
    fill(index, 100)
    with index._one_view() as driver:
        driver.execute("SELECT count(*) FROM known_as").fetchone()
        with pytest.raises(search_sql.Refused) as refused:
            index.forget(["s_0"], {0: ""}, "v2")
        assert refused.value.code in ("busy", "unavailable")
    index.forget(["s_0"], {0: ""}, "v2")
    assert index.made_by() == "v2"


@pytest.mark.parametrize("harm", ["garbage", "other tables"])
def test_a_file_that_is_no_good_is_begun_anew(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "search.db"
    index = SqlSearch(path)
    fill(index, 100)
    if harm == "other tables":
        index._driver.execute("PRAGMA user_version = 7")
    index.close()
    if harm == "garbage":
        path.write_bytes(b"not a database" * 1_000)
    again = SqlSearch(path)
    assert (again.cursor(), again.matching(["=common"], [])) == (0, [])
    fill(again, 10)
    assert again.matching(["=common"], [], limit=2) == [9, 8]
    again.close()


def test_it_stands_after_a_restart(tmp_path: Path) -> None:
    index = SqlSearch(tmp_path / "search.db")
    fill(index, 100)
    index.close()
    again = SqlSearch(tmp_path / "search.db")
    assert (again.cursor(), again.made_by(), len(again.words("qx7", 99))) == (100, "v1", 15)
    again.close()
