"""What fsck finds: a change in any column of each evidential and derived table, and rewritten histories."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app.follow import TABLES
from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.ports import Signed
from deploytrail.app.tiles import TileReader
from deploytrail.app.vault import decrypt, encrypt
from deploytrail.errors import Refused
from deploytrail.evidence.verify_log import verify_log
from deploytrail.facts.sealing import from_bytes, to_bytes
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store import schema
from deploytrail.store.apart import Spawned
from deploytrail.store.derived_rows import columns_of
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.search_sql import SqlSearch
from deploytrail.tlog import tiles
from deploytrail.tlog.checkpoint import Checkpoint, sign
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.note import SigningKey
from deploytrail.tlog.verifier import Verifier
from tests import postgres
from tests.app.real_house import RealHouse, judge, wrong
from tests.app.small_house import ORIGIN, Chance
from tests.main.running import log_of
from tests.raw import Raw, add, change, remove

# Which checks answer for a table of the log's database.
ANSWERS = {
    "entry": {2, 3},
    "node": {5},
    "head": {6, 7},
    "checkpoint": {7},
    "subject": {9},
    "repeat": {10},
}
# How the words of a check name a row by its key.
NAMES = {
    "entry": r"Entry {}\b",
    "node": r"Node level {} index {}\b",
    "checkpoint": r"size {}\b",
}
LOG_TABLES = [
    table for table in schema.main.sorted_tables if table.info["state"] in ("evidential", "derived")
]
ROW_TABLES = {"derivation": ("id", "cursor")} | {
    table.name: tuple(column.name for column in columns_of(table)) for table in TABLES
}
# Rows that no sample leads to are made by these facts of the house.
DECLARED = [
    (
        "service.declared",
        {"service": "checkout", "repositories": ["example.org/ada/till"], "aliases": ["till"]},
    ),
    (
        "environment.declared",
        {"environment": "production", "type": "production", "aliases": ["prod"], "rank": 1},
    ),
]


@pytest.fixture(scope="module")
def whole(lies_in: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A house of some 330 entries with three checkpoints, closed. Nobody writes to it: copy it."""
    folder = tmp_path_factory.mktemp("whole")
    house = RealHouse(folder)
    for kind, fields in DECLARED:
        house.tell(kind, source="house", **fields)
    house.settle()
    house.deliver_samples()
    house.settle()
    for number in range(130):
        told = {"service": "till", "environment": "prod", "outcome": "succeeded", "version": f"1.{number}"}
        house.tell("deployment.finished", actor="ada", deployment=f"d{number}", id=f"t{number}", **told)
    for number in range(130):
        told = {"repository": "example.org/ada/till", "sha": f"{number:040x}", "outcome": "passed"}
        house.tell("test.finished", actor="ben", id=f"c{number}", labels={"run": "night"}, **told)
    for number in range(3):
        told = {"name": "till", "repository": "example.org/ada/till", "sha": f"{number:040x}", "version": "1"}
        house.tell("artifact.published", actor="ada", digest=f"sha256:{number:064x}", **told)
    # Two sources tell of one deployment, and are joined.
    for source, name in (("hub", "a"), ("cd", "b")):
        house.tell(
            "deployment.finished",
            source=source,
            deployment=name,
            service="till",
            environment="prod",
            outcome="succeeded",
            artifact="sha256:" + "ab" * 32,
        )
    house.settle()
    house.close()
    yield folder
    postgres.forget(folder)


@pytest.fixture
def house(whole: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return postgres.copy(whole, tmp_path / "house")


def raw(house: Path, name: str) -> Raw:
    """A connection past all of the house's own code."""
    return Raw(house / "data", name)


@pytest.mark.both
def test_a_whole_house_passes_every_check(whole: Path) -> None:
    checks = judge(whole)
    assert [check.number for check in checks] == list(range(1, 17))
    assert wrong(checks) == {}
    assert [check.number for check in judge(whole, everything=False)] == list(range(1, 11))


def test_progress_is_told(whole: Path) -> None:
    told: list[tuple[int, int, str]] = []
    judge(whole, progress=lambda *step: told.append(step))
    assert {words for _, _, words in told} == {"entries", "deliveries", "derived rows"}
    assert all(0 <= done <= total for done, total, _ in told)


def test_every_table_that_fsck_answers_for_has_rows(whole: Path) -> None:
    empty = []
    for name, tables in (("trail.db", [table.name for table in LOG_TABLES]), ("derived.db", ROW_TABLES)):
        with raw(whole, name) as connection:
            empty += [table for table in tables if not connection.count(table)]
    assert not empty
    assert set(ANSWERS) == {table.name for table in LOG_TABLES}


@pytest.mark.both
@pytest.mark.parametrize(
    ("table", "column"), [(table.name, column.name) for table in LOG_TABLES for column in table.columns]
)
def test_a_changed_column_of_the_log_is_found_and_named(house: Path, table: str, column: str) -> None:
    with raw(house, "trail.db") as connection:
        key = change(connection, table, column)
    found = wrong(judge(house))
    mine = " ".join(found[number] for number in ANSWERS[table] if number in found)
    assert mine, found
    if table in NAMES:
        assert re.search(NAMES[table].format(*key), mine), mine


@pytest.mark.both
@pytest.mark.parametrize("table", [table.name for table in LOG_TABLES])
@pytest.mark.parametrize("harm", [remove, add])
def test_a_removed_or_added_row_of_the_log_is_found(
    house: Path, table: str, harm: Callable[[Raw, str], None]
) -> None:
    with raw(house, "trail.db") as connection:
        harm(connection, table)
    assert ANSWERS[table] & set(wrong(judge(house, everything=False)))


@pytest.mark.parametrize("table", ["entry", "node", "checkpoint", "subject", "repeat"])
@pytest.mark.parametrize("end", [lambda count: 0, lambda count: count - 1], ids=["first", "last"])
def test_a_row_removed_at_an_end_is_found(house: Path, table: str, end: Callable[[int], int]) -> None:
    with raw(house, "trail.db") as connection:
        remove(connection, table, end)
    assert ANSWERS[table] & set(wrong(judge(house, everything=False)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in ROW_TABLES.items() for column in columns]
)
def test_a_changed_column_of_the_rows_is_found_and_named(house: Path, table: str, column: str) -> None:
    with raw(house, "derived.db") as connection:
        change(connection, table, column)
    found = wrong(judge(house))
    assert list(found) == [15]
    assert table in found[15]


@pytest.mark.parametrize("table", ROW_TABLES)
@pytest.mark.parametrize("harm", [remove, add])
def test_a_removed_or_added_row_of_the_rows_is_found(
    house: Path, table: str, harm: Callable[[Raw, str], None]
) -> None:
    with raw(house, "derived.db") as connection:
        harm(connection, table)
    found = wrong(judge(house))
    assert list(found) == [15]
    assert table in found[15]


# PostgreSQL lets no column hold a number that is one of bytes.
@pytest.mark.parametrize(
    "value", ["'text'", "NULL", pytest.param("7", marks=pytest.mark.sqlite), "zeroblob(40)"]
)
def test_a_value_of_another_sort_is_found(house: Path, value: str) -> None:
    with raw(house, "trail.db") as connection:
        # The declared NOT NULL is no hindrance to a hand that writes past it.
        connection.nullable("entry", "body")
    with raw(house, "trail.db") as connection:
        connection.do(f"UPDATE entry SET body = {value} WHERE idx = 41")
    assert "Entry 41" in wrong(judge(house))[3]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "harm", ["SET block = zeroblob(40)", "SET block = substr(block, 1, 9)", "SET id = id + 7"]
)
def test_a_subject_index_that_is_broken_within_is_found(house: Path, harm: str) -> None:
    with raw(house, "trail.db") as connection:
        assert connection.do(f"UPDATE subject_data {harm} WHERE id = (SELECT max(id) FROM subject_data)") == 1
    assert {1, 9} & set(wrong(judge(house, everything=False)))


# PostgreSQL lets no column hold a text that is one of numbers.
@pytest.mark.sqlite
@pytest.mark.parametrize("table", ["head", "checkpoint", "repeat"])
def test_text_where_numbers_belong_is_found(house: Path, table: str) -> None:
    column = {"head": "size", "checkpoint": "size", "repeat": "idx"}[table]
    with raw(house, "trail.db") as connection:
        value = connection.one(f"SELECT min({column}) FROM {table}")
        connection.do(f"UPDATE {table} SET {column} = 'no' WHERE {column} = ?", (value,))
    assert ANSWERS[table] & set(wrong(judge(house)))


def test_names_that_are_no_text_are_found(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        value = "?" if postgres.chosen() else "CAST(? AS TEXT)"
        assert connection.do(f"UPDATE repeat SET id = {value} WHERE id = 't7'", (b"\xffff",)) == 1
    found = wrong(judge(house))
    assert set(found) == {10}


def test_an_absurd_size_does_not_make_it_count_for_ever(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        connection.do("UPDATE head SET size = ?", (1 << 60,))
    assert {2, 6} <= set(wrong(judge(house)))


def test_an_entry_moved_far_away_is_found(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        connection.do("UPDATE entry SET idx = ? WHERE idx = 41", (1 << 60,))
    found = wrong(judge(house))
    assert "Entry 41 is missing." in found[2]
    assert str(1 << 60) in found[2]


# Beside the log.


@pytest.mark.both
def test_a_disclosure_altered_moved_or_missing_is_named(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        rows = connection.rows("SELECT idx, subject, sealed FROM disclosure WHERE idx > 100 ORDER BY idx")
        (first, ada, sealed), (second, _, _), (third, other, _) = rows[0], rows[1], rows[2]
        broken = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
        connection.do("UPDATE disclosure SET sealed = ? WHERE idx = ? AND subject = ?", (broken, first, ada))
        connection.do("DELETE FROM disclosure WHERE idx = ?", (second,))
        connection.do("UPDATE disclosure SET idx = 9999 WHERE idx = ? AND subject = ?", (third, other))
    found = wrong(judge(house))
    # Which words it should have, nobody can tell then.
    assert set(found) == {12, 13, 16}
    assert "disclosures are missing or do not open" in found[16]
    assert f"Entry {first}: the disclosure of '{ada}' does not open" in found[12]
    assert "for entry 9999, which does not exist" in found[12]
    assert f"Entry {second}: " in found[13]
    assert f"Entry {third}: " in found[13]


def test_a_disclosure_that_says_something_else_is_named(house: Path) -> None:
    opened_house = RealHouse(house)
    index, blob = next(found for found in opened_house.log.every_disclosure(100))
    key = opened_house.keyring.key(blob.subject)
    assert key
    said = from_bytes(unpack(decrypt(key, blob.sealed, blob.subject), MAX_OPENED))
    path, (salt, _) = next(iter(said.items()))
    forged = said | {path: (salt, "somebody else"), "data.made_up": (salt, "x")}
    sealed = encrypt(key, to_bytes(forged), blob.subject, Chance())
    opened_house.log.redact(index, blob._replace(sealed=sealed))
    opened_house.close()
    found = wrong(judge(house))
    assert (
        f"Entry {index}: {path} in the disclosure of {blob.subject} does not equal its commitment."
        in found[12]
    )
    assert "data.made_up" in found[12]


def test_a_disclosure_that_opens_less_than_is_sealed_is_named(house: Path) -> None:
    opened_house = RealHouse(house)
    # The last ones name one person each, and seal some fields of theirs.
    index, blob = list(opened_house.log.every_disclosure(100))[-9]
    key = opened_house.keyring.key(blob.subject)
    assert key
    said = from_bytes(unpack(decrypt(key, blob.sealed, blob.subject), MAX_OPENED))
    path = sorted(said)[-1]
    less = {name: opened for name, opened in said.items() if name != path}
    assert less
    sealed = encrypt(key, to_bytes(less), blob.subject, Chance())
    opened_house.log.redact(index, blob._replace(sealed=sealed))
    opened_house.close()
    found = wrong(judge(house))
    assert f"Entry {index}: {path} cannot be opened" in found[13]
    assert "has no opening" in found[13]
    assert 12 not in found


@pytest.mark.both
@pytest.mark.parametrize(
    "harm", ["DELETE FROM subject_key WHERE subject <> 'nobody'", "UPDATE subject_key SET key = zeroblob(60)"]
)
def test_lost_and_altered_keys_are_named(house: Path, harm: str) -> None:
    with raw(house, "keys.db") as connection:
        connection.do(harm)
    found = wrong(judge(house))
    assert 12 in found
    assert 11 in found


@pytest.mark.parametrize(
    "harm",
    [
        "source = 'another'",
        "mac = zeroblob(32)",
        "id_mac = zeroblob(7)",
        "received_at = received_at + 1",
        "idx = idx + 1000",
        "idx = 1",
        "key = NULL",
        "key = zeroblob(60)",
        "sealed = NULL",
        "sealed = zeroblob(99)",
    ],
)
def test_a_delivery_that_does_not_fit_is_named(house: Path, harm: str) -> None:
    with raw(house, "trail.db") as connection:
        connection.do(f"UPDATE delivery SET {harm} WHERE id = 7")
    found = wrong(judge(house))
    assert set(found) == {14}
    assert "Delivery 7" in found[14]


@pytest.mark.parametrize("harm", ["event = 'push'", "id_mac = zeroblob(32)"])
def test_what_was_set_aside_has_its_event_and_its_id(house: Path, harm: str) -> None:
    with raw(house, "trail.db") as connection:
        connection.do(
            f"UPDATE delivery SET {harm} WHERE idx = (SELECT max(idx) FROM delivery WHERE event LIKE 'star%')"
        )
    assert set(wrong(judge(house))) == {14}


def test_a_second_body_under_one_id_is_no_fault_as_long_as_the_first_is_there(house: Path) -> None:
    with closing(RealHouse(house)) as again:
        first = again.deliver("star", {"a": 1}, 900).result(timeout=10)
        second = again.deliver("star", {"a": 2}, 900).result(timeout=10)
        again.settle()
    assert (first.status, second.status) == ("set_aside", "set_aside")
    assert wrong(judge(house)) == {}
    with raw(house, "trail.db") as connection:
        connection.do("UPDATE delivery SET id_mac = NULL WHERE idx = ?", (first.indices[0],))
    assert "no other delivery came under that id" in wrong(judge(house))[14]


@pytest.mark.both
def test_a_removed_delivery_is_found(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        index = connection.one("SELECT idx FROM delivery WHERE id = 7")
        connection.do("DELETE FROM delivery WHERE id = 7")
    assert wrong(judge(house)) == {14: f"The delivery that led to entry {index} is missing."}


def test_what_was_forgotten_in_time_is_no_fault(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        connection.do("UPDATE delivery SET key = NULL, sealed = NULL WHERE id < 20")
    assert wrong(judge(house)) == {}


def test_rows_that_lag_behind_are_no_fault(house: Path) -> None:
    opened = RealHouse(house)
    opened.tell("deployment.finished", deployment="z", service="till", environment="prod", outcome="failed")
    opened.sealer.seal()
    opened.close()
    checks = judge(house)
    assert wrong(checks) == {}
    assert "The last 1 entries are not folded in yet." in checks[14].detail
    assert "The last 1 entries are not taken in yet." in checks[15].detail


# The search index.


def indexed(house: Path, *harm: str) -> dict[int, str]:
    """What is wrong after statements past all of the index's own code."""
    index = SqlSearch(house / "data" / "search.db")
    for text in harm:
        index._driver.execute(text)
    index.close()
    return wrong(judge(house))


TAKEN = (
    "INSERT INTO term (term, rowid, terms)"
    " SELECT 'delete', max(doc), 'service:till' FROM term_in WHERE term = 'service:till'"
)
PUT = "INSERT INTO term (rowid, terms) VALUES "
TITLED = "(SELECT min(doc) FROM word_in WHERE term = 'run=night')"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ([TAKEN], "clear terms where the entries give"),
        ([PUT + "(50, 'service:nowhere')"], "clear terms where the entries give"),
        ([TAKEN, PUT + "(50, 'service:nowhere')"], "as many clear terms as the entries give, but not"),
        ([TAKEN, PUT + "(1, 'service:till')"], "as many clear terms as the entries give, but not"),
        ([PUT + "(5000, 'service:till')"], "1 clear terms for entries that were not taken in"),
        ([PUT + "(-7, 'service:till')"], "1 clear terms for entries that were not taken in"),
        ([f"DELETE FROM word WHERE rowid = {TITLED}"], "words of sealed texts where the entries give"),
        (["INSERT INTO word (rowid, words) VALUES (2, 'secret')"], "words of sealed texts where"),
        (["DELETE FROM known_as WHERE word = 'ada'"], " is missing (table known_as)"),
        (["INSERT INTO known_as VALUES ('boss', 's_nobody')"], "s_nobody is too much (table known_as)"),
        (["UPDATE known_as SET word = 'adam' WHERE word = 'ada'"], " is missing (table known_as)"),
        (["UPDATE taken SET cursor = cursor - 1"], "for entries that were not taken in"),
        (["UPDATE taken SET cursor = cursor + 9"], "entries, but the log has"),
        (["UPDATE taken SET cursor = 'x'"], "(table taken)"),
        (["DELETE FROM taken"], "(table taken)"),
        (["UPDATE taken SET made_by = substr(made_by, 1, 30)"], "made of another log"),
    ],
)
def test_a_spoilt_search_index_is_found(house: Path, harm: list[str], words: str) -> None:
    found = indexed(house, *harm)
    assert list(found) == [16]
    assert words in found[16]
    assert "ada" not in found[16]


def test_what_is_no_entry_at_all_hinders_no_other_check(house: Path) -> None:
    with raw(house, "trail.db") as connection:
        connection.do("UPDATE entry SET body = ? WHERE idx = 41", (b'{"data":{},"kind":7}',))
    found = wrong(judge(house))
    assert "Entry 41" in found[4]
    assert "Not looked at" in found[16]
    assert found[12] == "Not shown for the entries that are missing or cannot be read."


def test_an_index_that_the_next_start_makes_anew_is_no_fault(house: Path) -> None:
    for by, words in (("'terms:0 ' || substr(made_by, 9)", "another version"), ("''", "broken off")):
        assert indexed(house, "UPDATE taken SET made_by = " + by, PUT + "(1, 'service:x')") == {}
        assert words in judge(house)[15].detail
    (house / "data" / "search.db").unlink()
    assert wrong(judge(house)) == {}


def test_the_index_of_an_erased_person_is_what_is_left(house: Path) -> None:
    opened = RealHouse(house)
    ada = opened.index.people("ada", 9)[0]
    opened.erase.erase(ada, "asked by the person")
    opened.settle()
    opened.close()
    assert wrong(judge(house)) == {}
    found = indexed(house, f"INSERT INTO known_as VALUES ('ada', '{ada}')")
    assert list(found) == [16]


# Files that are no longer what they were. Those of a server: tests/app/test_fsck_postgresql.py.
DATABASES = [
    pytest.param("trail.db", marks=pytest.mark.sqlite),
    "derived.db",
    "search.db",
    pytest.param("keys.db", marks=pytest.mark.sqlite),
]


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("part", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_page_of_rubbish_never_raises_and_is_found(house: Path, name: str, part: float) -> None:
    path = house / "data" / name
    data = bytearray(path.read_bytes())
    page = int(part * (len(data) // 8192)) * 8192
    assert any(data[page : page + 8192])
    data[page : page + 8192] = bytes(range(256)) * 32
    path.write_bytes(data)
    assert wrong(judge(house))


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("left", [0.0, 0.01, 0.2, 0.5, 0.9])
def test_a_file_cut_short_never_raises_and_is_found(house: Path, name: str, left: float) -> None:
    path = house / "data" / name
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data))])
    assert wrong(judge(house))


@pytest.mark.parametrize(
    ("name", "number"),
    [pytest.param("trail.db", 1, marks=pytest.mark.sqlite), ("derived.db", 15)],
)
def test_a_missing_file_is_found(house: Path, name: str, number: int) -> None:
    (house / "data" / name).unlink()
    checks = judge(house)
    assert f"There is no {name}." in wrong(checks)[number]
    assert [check.number for check in checks] == list(range(1, 17))


# Histories.


def fetch(log: SqlLog, signed: Signed) -> Callable[[str], bytes]:
    """The files of a log as it serves them."""
    reader = TileReader(log)

    def get(path: str) -> bytes:
        if path == "checkpoint":
            return signed.note
        if path.startswith("tile/entries/"):
            return reader.entries(tiles.parse_entries(path))
        return reader(tiles.parse(path))

    return get


def rewrite(house: Path, index: int = 5) -> tuple[int, bytes]:
    """Change an early entry and make leaf, nodes, head and frontier fit; the size and the new root."""
    with raw(house, "trail.db") as connection:
        kept = connection.one("SELECT body FROM entry WHERE idx = ?", (index,))
        body = unpack(bytes(kept))
        forged = body.replace(b'"source":"our-github"', b'"source":"her-github"')
        assert forged != body
        connection.do("UPDATE entry SET body = ?, leaf = ? WHERE idx = ?", (forged, leaf_hash(forged), index))
        leaves = [row[0] for row in connection.rows("SELECT leaf FROM entry ORDER BY idx")]
        frontier, nodes = Frontier.EMPTY.extend(leaves)
        for node in nodes:
            connection.do(
                "UPDATE node SET hash = ? WHERE level = ? AND idx = ?", (node.hash, node.level, node.index)
            )
        connection.do("UPDATE head SET root = ?, frontier = ?", (frontier.root(), frontier.encode()))
        connection.do("UPDATE repeat SET source = 'her-github' WHERE idx = ?", (index,))
    return frontier.size, frontier.root()


def verified(house: Path, signed: Signed, since: bytes) -> dict[int, bool | None]:
    """What verification from outside says."""
    key = Verifier.parse(FileSigner(house / "signer", ORIGIN).vkey)
    with log_of(house / "data") as log:
        return {check.number: check.ok for check in verify_log(fetch(log, signed), [key], since)}


def test_an_older_checkpoint_holds_against_the_log_as_it_grew_and_not_against_a_rewritten_one(
    house: Path,
) -> None:
    opened = RealHouse(house)
    checkpoints = list(opened.log.checkpoints())
    opened.close()
    older, newest = checkpoints[1], checkpoints[-1]
    assert older.size < newest.size
    assert all(verified(house, newest, older.note).values())

    size, root = rewrite(house)
    # Even if the signer's key itself is made to sign the rewritten history.
    key = SigningKey.from_seed(ORIGIN, (house / "signer" / "key").read_bytes())
    forged = Signed(size, root, sign(Checkpoint(ORIGIN, size, root), key))
    answers = verified(house, forged, older.note)
    assert answers[5] is False
    assert all(ok for number, ok in answers.items() if number != 5)


@pytest.mark.both
def test_a_rewritten_history_is_found_and_not_signed(house: Path) -> None:
    rewrite(house)
    found = wrong(judge(house, everything=False))
    assert set(found) == {7, 8}
    assert "rewritten" in found[8]
    opened = RealHouse(house)
    with pytest.raises(Refused, match="rewritten"):
        opened.sealer.check()
    opened.tell("incident.opened", incident="one")
    with pytest.raises(Refused, match="rewritten"):
        opened.sealer.seal()
    opened.close()


@pytest.mark.both
def test_a_restored_folder_that_grew_differently_is_found_and_not_signed(house: Path, tmp_path: Path) -> None:
    older = postgres.copy(house / "data", tmp_path / "older")
    opened = RealHouse(house)
    opened.tell("incident.opened", incident="one")
    opened.settle()
    opened.close()
    assert wrong(judge(house)) == {}

    postgres.copy(older, house / "data")
    found = wrong(judge(house))
    assert set(found) == {8}
    assert "rolled back" in found[8]
    restored = RealHouse(house)
    with pytest.raises(Refused, match="rolled back"):
        restored.sealer.check()
    with pytest.raises(Refused, match="rolled back"):
        restored.sealer.seal()
    # Somebody records in it all the same.
    for incident in ("two", "three"):
        restored.tell("incident.opened", incident=incident)
    with pytest.raises(Refused, match="rewritten"):
        restored.sealer.check()
    with pytest.raises(Refused, match="rewritten"):
        restored.sealer.seal()
    restored.close()
    found = wrong(judge(house))
    assert "rewritten" in found[8]


def test_an_older_copy_of_the_signers_record_is_found(house: Path) -> None:
    record = (house / "signer" / "record").read_bytes()
    opened = RealHouse(house)
    opened.tell("incident.opened", incident="one")
    opened.settle()
    opened.close()
    (house / "signer" / "record").write_bytes(record)
    assert "older copy" in wrong(judge(house))[8]
    (house / "signer" / "record").unlink()
    assert "no record" in wrong(judge(house))[8]
    (house / "signer" / "record").write_bytes(record[:-9])
    assert "damaged" in wrong(judge(house))[8]


def test_what_was_signed_but_not_yet_published_is_no_fault(house: Path) -> None:
    opened = RealHouse(house)
    opened.tell("incident.opened", incident="one")
    head, last = opened.log.head(), opened.signer.last()
    assert last
    opened.signer.sign([row.body for row in opened.log.entries(last.size, head.size)], head)
    opened.close()
    assert wrong(judge(house, everything=False)) == {}


def test_fsck_looks_at_one_moment_while_the_house_goes_on_writing(house: Path) -> None:
    opened = RealHouse(house)
    before = opened.log.head().size

    def write(done: int, total: int, words: str) -> None:
        opened.tell("incident.opened", incident=f"{words} {done}")
        opened.settle()

    assert wrong(judge(house, progress=write)) == {}
    assert opened.log.head().size > before
    opened.close()


# Shared with other processes.


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    """Other processes, which even this small house is shared with."""
    monkeypatch.setattr("deploytrail.app.fsck.FEW", 0)
    return Spawned(2)


@pytest.mark.both
def test_shared_it_answers_word_for_word_the_same(whole: Path, house: Path, shared: Spawned) -> None:
    assert judge(whole, apart=shared) == judge(whole)
    with raw(house, "trail.db") as connection:
        for table in ("entry", "node", "subject", "repeat", "disclosure"):
            remove(connection, table)
        change(connection, "entry", "leaf")
        connection.do("UPDATE entry SET body = 'text' WHERE idx = 200")
    with raw(house, "derived.db") as connection:
        remove(connection, "trail")
    assert judge(house, apart=Spawned(2)) == judge(house)
    assert len(wrong(judge(house))) > 6


def test_shared_progress_is_told(whole: Path, shared: Spawned) -> None:
    told: list[tuple[int, int, str]] = []
    judge(whole, progress=lambda *step: told.append(step), apart=shared)
    assert {words for _, _, words in told} == {"entries", "deliveries", "derived rows"}
    assert all(0 <= done <= total for done, total, _ in told)


def test_a_process_that_dies_is_said_and_nothing_waits_for_it(
    whole: Path, shared: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploytrail.app.fsck_walk.look", dies)
    checks = judge(whole, apart=shared)
    assert [check.number for check in checks] == list(range(1, 17))
    assert "A process that shared the work ended" in wrong(checks)[2]
    assert not any(check.ok for check in checks if check.number in (3, 4, 9, 10))


def dies(part: Any) -> Any:
    """Instead of looking at a part."""
    os._exit(9)
