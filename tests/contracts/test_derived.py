"""What ports.Derived promises, on every store of derived rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.app.ports import Derived
from deploytrail.projections.registry import TABLES
from deploytrail.projections.tables import Table
from deploytrail.store.derived_memory import MemoryDerived
from deploytrail.store.derived_sql import SqlDerived


class Tool(msgspec.Struct, frozen=True):
    """A row with every sort of column."""

    name: str
    number: int
    weight: int | None = None
    sharp: bool = False
    lent: bool | None = None
    maker: str | None = None
    uses: list[tuple[str, int]] = []
    notes: dict[str, str] | None = None


TOOLS = Table("tool", Tool, ("name", "number"), (("maker", "weight"), ("weight",)))
PINS = Table("pin", Tool, ("number",))
# The same rows, with texts that are said again and again.
KITS = Table("kit", Tool, ("number",), (("name", "number"), ("maker", "weight")), words=("name", "maker"))
MADE = (TOOLS, PINS, KITS)

Make = Callable[[], Derived]


@pytest.fixture(params=["memory", "sql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[SqlDerived] = []

    def new() -> Derived:
        if request.param == "memory":
            return MemoryDerived(MADE)
        made.append(SqlDerived(tmp_path / f"derived-{len(made)}.db", MADE))
        return made[-1]

    yield new
    for derived in made:
        derived.close()


@pytest.fixture
def derived(make: Make) -> Derived:
    return make()


def keep(derived: Derived, *rows: Tool, cursor: int = 1) -> None:
    work = derived.begin()
    for row in rows:
        work.put(TOOLS, row)
    derived.commit(work, cursor)


def numbers(rows: list[Tool]) -> list[int]:
    return [row.number for row in rows]


FULL = Tool("saw", 1, 7, True, False, "ada", [("wood", 2), ("", 0)], {"é": "\x00 \U0001f600"})


def test_it_begins_empty(derived: Derived) -> None:
    assert derived.cursor() == 0
    assert derived.get(TOOLS, "saw", 1) is None
    assert derived.page(TOOLS, order="name") == []


def test_rows_come_back_as_they_were(derived: Derived) -> None:
    keep(derived, FULL, Tool("saw", 2))
    assert derived.get(TOOLS, "saw", 1) == FULL
    assert derived.get(TOOLS, "saw", 2) == Tool("saw", 2)
    assert derived.get(TOOLS, "saw", 3) is None
    assert derived.cursor() == 1


def test_a_unit_of_work_sees_what_it_did(derived: Derived) -> None:
    keep(derived, FULL)
    work = derived.begin()
    assert work.get(TOOLS, "saw", 1) == FULL
    work.drop(TOOLS, "saw", 1)
    assert work.get(TOOLS, "saw", 1) is None
    work.put(TOOLS, Tool("saw", 1, 9))
    work.put(TOOLS, Tool("axe", 1))
    work.drop(TOOLS, "axe", 1)
    work.drop(TOOLS, "never", 1)
    assert work.get(TOOLS, "saw", 1) == Tool("saw", 1, 9)
    # Nothing of it is there before the commit.
    assert derived.get(TOOLS, "saw", 1) == FULL
    derived.commit(work, 2)
    assert derived.get(TOOLS, "saw", 1) == Tool("saw", 1, 9)
    assert derived.get(TOOLS, "axe", 1) is None
    assert derived.cursor() == 2


def test_a_unit_of_work_that_is_left_changes_nothing(derived: Derived) -> None:
    keep(derived, FULL)
    work = derived.begin()
    work.drop(TOOLS, "saw", 1)
    assert derived.begin().get(TOOLS, "saw", 1) == FULL
    assert derived.cursor() == 1


def test_the_next_unit_of_work_sees_what_the_last_one_kept(derived: Derived) -> None:
    for weight in range(5):
        work = derived.begin()
        old = work.get(TOOLS, "saw", 1)
        assert (old.weight if old else None) == (weight - 1 if weight else None)
        work.put(TOOLS, Tool("saw", 1, weight))
        derived.commit(work, weight + 1)
    work = derived.begin()
    work.drop(TOOLS, "saw", 1)
    derived.commit(work, 6)
    assert derived.begin().get(TOOLS, "saw", 1) is None


def test_pages_by_key(derived: Derived) -> None:
    keep(derived, *(Tool("saw", n) for n in range(10)), Tool("axe", 99))

    def page(**asked: object) -> list[int]:
        return numbers(derived.page(TOOLS, where={"name": "saw"}, order="number", **asked))  # type: ignore[arg-type]

    assert page(limit=3) == [9, 8, 7]
    assert page(below=7, limit=3) == [6, 5, 4]
    assert page(above=7) == [9, 8]
    assert page(below=6, above=3) == [5, 4]
    assert page(descending=False, above=7) == [8, 9]
    assert page(descending=False, limit=2) == [0, 1]
    assert page(below=0) == []


def test_pages_by_an_index(derived: Derived) -> None:
    rows = [
        Tool("a", 1, 5, maker="ada"),
        Tool("b", 2, 3, maker="ada"),
        Tool("c", 3, 4, maker="ben"),
        Tool("d", 4, None, maker="ada"),
        Tool("e", 5, 1),
    ]
    keep(derived, *rows)
    assert numbers(derived.page(TOOLS, where={"maker": "ada"}, order="weight")) == [1, 2]
    assert numbers(derived.page(TOOLS, order="weight", descending=False)) == [5, 2, 3, 1]
    assert numbers(derived.page(TOOLS, where={"maker": "ada"}, order="weight", below=5)) == [2]


def test_pages_by_the_start_of_a_text(derived: Derived) -> None:
    names = ["a", "ab", "abc", "b", "ab\U0010fffe", "AB", "a%", "a_"]
    keep(derived, *(Tool(name, n) for n, name in enumerate(names)))
    found = derived.page(TOOLS, order="name", prefix=("name", "ab"), descending=False)
    assert [row.name for row in found] == ["ab", "abc", "ab\U0010fffe"]
    assert [row.name for row in derived.page(TOOLS, order="name", prefix=("name", "a%"))] == ["a%"]


def test_words_come_back_and_are_asked_for_by_their_text(derived: Derived) -> None:
    rows = [Tool("saw", n, n, maker=maker) for n, maker in enumerate(["ada", None, "ben", "ada", "é\x00"])]
    for row in rows:
        work = derived.begin()
        work.put(KITS, row)
        derived.commit(work, row.number)
    assert [derived.get(KITS, n) for n in range(5)] == rows
    assert numbers(derived.page(KITS, where={"name": "saw"}, order="number", limit=3)) == [4, 3, 2]
    assert numbers(derived.page(KITS, where={"maker": "ada"}, order="weight")) == [3, 0]
    assert numbers(derived.page(KITS, where={"maker": "é\x00"}, order="weight")) == [4]
    assert derived.page(KITS, where={"maker": "cleo"}, order="weight") == []
    assert derived.page(KITS, where={"name": ""}, order="number") == []
    assert derived.begin().get(KITS, 3) == rows[3]


def test_words_have_no_order() -> None:
    for key, index in ((("name",), ("maker", "weight")), (("number",), ("weight", "name"))):
        with pytest.raises(ValueError, match="words have no order"):
            Table("kit", Tool, key, (index,), words=("name",))


@pytest.mark.parametrize(
    ("where", "order", "prefix"),
    [
        ({"maker": "ada"}, "number", None),
        ({"maker": "ada"}, "name", None),
        ({}, "maker_", None),
        ({}, "sharp", None),
        ({"sharp": 1}, "name", None),
        ({"name": "saw", "maker": "ada"}, "number", None),
        ({}, "weight", ("name", "s")),
    ],
)
def test_a_page_that_would_be_a_scan_is_refused(
    derived: Derived, where: dict[str, str | int], order: str, prefix: tuple[str, str] | None
) -> None:
    with pytest.raises(ValueError, match="no index of tool serves"):
        derived.page(TOOLS, where=where, order=order, prefix=prefix)


def test_equal_rows_have_equal_digests_however_they_came(make: Make) -> None:
    one, other = make(), make()
    keep(one, FULL, Tool("axe", 1))
    keep(other, Tool("axe", 1, 5), Tool("saw", 1), Tool("gone", 1))
    assert one.digest() != other.digest()
    work = other.begin()
    work.put(TOOLS, Tool("axe", 1))
    work.put(TOOLS, FULL)
    work.drop(TOOLS, "gone", 1)
    other.commit(work, 9)
    assert one.digest() == other.digest()
    assert set(one.digest()) == {"tool", "pin", "kit"}


def test_digests_do_not_depend_on_the_store(tmp_path: Path) -> None:
    memory, sql = MemoryDerived(MADE), SqlDerived(tmp_path / "d.db", MADE)
    rows = [
        FULL,
        Tool("a", 2, lent=True),
        Tool("a", 10),
        Tool("Ω", -1),
        Tool("\U0001f600", 1),
        Tool("\uffee", 1),
    ]
    for derived in (memory, sql):
        keep(derived, *rows)
        work = derived.begin()
        for number in (3, 20, 100):
            work.put(PINS, Tool("p", number))
        derived.commit(work, 2)
    assert memory.digest() == sql.digest()
    sql.close()


def test_a_rebuilt_place_takes_the_stead_of_the_old_one(derived: Derived) -> None:
    keep(derived, FULL, cursor=7)
    fresh = derived.rebuild()
    assert fresh.cursor() == 0
    assert fresh.page(TOOLS, order="name") == []
    keep(fresh, Tool("axe", 1), cursor=3)
    # The old one answers until then.
    assert derived.get(TOOLS, "saw", 1) == FULL
    derived.replace(fresh)
    assert derived.cursor() == 3
    assert derived.get(TOOLS, "saw", 1) is None
    assert derived.get(TOOLS, "axe", 1) == Tool("axe", 1)
    # It goes on from there, with nothing remembered of the old one.
    work = derived.begin()
    assert work.get(TOOLS, "saw", 1) is None
    work.put(TOOLS, Tool("axe", 2))
    derived.commit(work, 4)
    assert numbers(derived.page(TOOLS, order="name")) in ([1, 2], [2, 1])


def test_it_can_be_rebuilt_again_and_again(derived: Derived) -> None:
    for n in range(4):
        fresh = derived.rebuild()
        keep(fresh, Tool("saw", n), cursor=n)
        derived.replace(fresh)
        assert numbers(derived.page(TOOLS, order="name")) == [n]


def test_readers_see_whole_states_while_rows_are_written_and_replaced(derived: Derived) -> None:
    keep(derived, *(Tool("saw", n, 0) for n in range(20)))
    stop, wrong = threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            rows = derived.page(TOOLS, where={"name": "saw"}, order="number", limit=50)
            if len(rows) != 20 or len({row.weight for row in rows}) != 1:
                wrong.append(rows)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(1, 40):
        target = derived.rebuild() if round_ % 10 == 0 else derived
        keep(target, *(Tool("saw", n, round_) for n in range(20)), cursor=round_)
        if target is not derived:
            derived.replace(target)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert derived.cursor() == 39


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "commit", "leave"]),
        st.sampled_from(["a", "b", "\x00", "é"]),
        st.integers(0, 3),
        st.integers(-(2**63), 2**63 - 1) | st.none(),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(_ACTS)
def test_all_stores_do_the_same(acts: list[tuple[str, str, int, int | None]]) -> None:

    with TemporaryDirectory() as folder:
        stores: list[Derived] = [MemoryDerived(MADE), SqlDerived(Path(folder) / "d.db", MADE)]
        works = [store.begin() for store in stores]
        for step, (act, name, number, weight) in enumerate(acts):
            for place, store in enumerate(stores):
                if act == "put":
                    works[place].put(TOOLS, Tool(name, number, weight))
                elif act == "drop":
                    works[place].drop(TOOLS, name, number)
                else:
                    if act == "commit":
                        store.commit(works[place], step)
                    works[place] = store.begin()
            assert works[0].get(TOOLS, name, number) == works[1].get(TOOLS, name, number)
        assert stores[0].digest() == stores[1].digest()
        assert stores[0].cursor() == stores[1].cursor()
        pages = [s.page(TOOLS, order="weight", descending=False, limit=50) for s in stores]
        assert [row.weight for row in pages[0]] == [row.weight for row in pages[1]]
        assert isinstance(stores[1], SqlDerived)
        stores[1].close()


# What only a file can suffer.


def reopened(path: Path) -> SqlDerived:
    return SqlDerived(path, MADE)


def test_rows_outlast_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "derived.db"
    one = reopened(path)
    keep(one, FULL, cursor=5)
    one.close()
    two = reopened(path)
    assert (two.cursor(), two.get(TOOLS, "saw", 1)) == (5, FULL)
    two.close()


def test_a_word_whose_row_was_not_kept_is_told_again(tmp_path: Path) -> None:
    one = reopened(tmp_path / "derived.db")
    work = one.begin()
    work.put(KITS, Tool("saw", 1, maker="ada"))
    work.put(KITS, Tool("axe", 2**63, maker="ben"))
    with pytest.raises(OverflowError):
        one.commit(work, 1)
    assert one.get(KITS, 1) is None
    work = one.begin()
    work.put(KITS, Tool("axe", 1, maker="ben"))
    work.put(KITS, Tool("saw", 2, maker="ada"))
    one.commit(work, 2)
    found = [(row.name, row.maker) for row in one.page(KITS, where={"maker": "ada"}, order="weight")]
    one.close()
    assert found == []
    two = reopened(tmp_path / "derived.db")
    rows = [two.get(KITS, number) for number in (1, 2)]
    assert [(row.name, row.maker) for row in rows if row] == [("axe", "ben"), ("saw", "ada")]
    two.close()


def test_rows_outlast_a_kill(tmp_path: Path) -> None:
    one = reopened(tmp_path / "derived.db")
    keep(one, FULL, cursor=5)
    # As a killed process leaves it: database and journal as they lie.
    there = tmp_path / "after"
    there.mkdir()
    for name in ("derived.db", "derived.db-wal"):
        (there / name).write_bytes((tmp_path / name).read_bytes())
    two = reopened(there / "derived.db")
    assert (two.cursor(), two.get(TOOLS, "saw", 1)) == (5, FULL)
    two.close()
    one.close()


@pytest.mark.parametrize("torn", ["not a database", "cut short", "pages of nothing"])
def test_a_torn_file_is_begun_anew(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "derived.db"
    one = reopened(path)
    for cursor in range(1, 30):
        keep(one, *(Tool(f"saw {cursor} {n}", n, maker="x" * 200) for n in range(50)), cursor=cursor)
    one.close()
    whole = path.read_bytes()
    damaged = {
        "not a database": b"no such thing" * 1000,
        "cut short": whole[: len(whole) // 2],
        "pages of nothing": whole[:8192] + b"\0" * (len(whole) - 8192),
    }
    path.write_bytes(damaged[torn])
    # A journal that was left says that the end was not clean, so that the file is looked through.
    Path(f"{path}-wal").write_bytes(b"")
    two = reopened(path)
    assert two.cursor() == 0
    keep(two, FULL)
    assert two.get(TOOLS, "saw", 1) == FULL
    two.close()


def test_a_file_for_other_tables_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "derived.db"
    one = reopened(path)
    keep(one, FULL, cursor=5)
    one.close()
    other = Table("tool", Tool, ("name", "number"), (("weight",),))
    two = SqlDerived(path, (other, PINS))
    assert (two.cursor(), two.get(other, "saw", 1)) == (0, None)
    two.close()


def test_a_half_built_rebuild_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "derived.db"
    one = reopened(path)
    keep(one, FULL, cursor=5)
    left = one.rebuild()
    keep(left, Tool("axe", 1), cursor=1)
    left.close()
    fresh = one.rebuild()
    assert (fresh.cursor(), fresh.get(TOOLS, "axe", 1)) == (0, None)
    assert one.get(TOOLS, "saw", 1) == FULL
    fresh.close()
    one.close()


def test_nothing_of_the_old_file_is_left_after_a_replacement(tmp_path: Path) -> None:
    one = reopened(tmp_path / "derived.db")
    keep(one, FULL, cursor=5)
    fresh = one.rebuild()
    keep(fresh, Tool("axe", 1), cursor=9)
    one.replace(fresh)
    one.close()
    assert [file.name for file in tmp_path.iterdir()] == ["derived.db"]
    two = reopened(tmp_path / "derived.db")
    assert two.cursor() == 9
    two.close()


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_the_houses_own_tables_can_be_stored(tmp_path: Path, table: Table[msgspec.Struct]) -> None:
    store = SqlDerived(tmp_path / "derived.db", [table])
    assert store.page(table, order=table.key[0]) == []
    for index in table.indexes:
        where = dict.fromkeys(index[:-1], "x")
        assert store.page(table, where=where, order=index[-1]) == []
    store.close()


def test_a_page_reads_through_its_index(tmp_path: Path) -> None:
    """SQLite's own words for how it answers: by an index or the key, never a scan with a sort."""
    store = SqlDerived(tmp_path / "derived.db", TABLES)
    for table in TABLES:
        for columns in (table.key, *table.indexes):
            where = dict.fromkeys(columns[:-1], "x")
            store.page(table, where=where, order=columns[-1], below=9, limit=5)
    with store._reading() as connection:
        for statements in store._sql.values():
            for text in statements.pages.values():
                plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", ["x"] * text.count("?")).fetchall()
                words = " ".join(str(row[3]) for row in plan)
                assert "SEARCH" in words, (text, words)
                assert "TEMP B-TREE" not in words, (text, words)
    store.close()
