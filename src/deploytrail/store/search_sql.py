"""The search index in a SQLite file of its own, which can be made again (`made_again`).

Two FTS5 tables without content hold terms and words; a row's id is the entry's index. Such a tree is written
like a log: a posting costs a few bytes, where a B-tree of random terms would move a page for each. Words can
be deleted. FTS5 only marks what is deleted, so after forgetting the tree is merged into one (`optimize`), the
file written anew and the journal cut: then no byte is left.

Terms hold no spaces and no control signs. Every other ASCII sign is made part of a token, so that a token is
a whole term, and a phrase of one token is an exact match.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from time import monotonic, sleep
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from deploytrail.app.ports import Found
from deploytrail.errors import Refused
from deploytrail.store.derived_rows import Digest
from deploytrail.store.made_again import MadeAgain
from deploytrail.store.sqlite import version

# From this version on FTS5 deletes without having kept a copy of what it indexed.
_DELETES_WITHOUT_COPY: Final = (3, 43)
# Postings are small: what SQLite keeps in memory of this file, in KiB.
_CACHE: Final = 8_192
_SCAN: Final = 5_000
# Trees of one size that FTS5 makes into one: fewer would be written again more often, more asked each time.
_MERGED: Final = 8
# Seconds that forgetting waits for readers of older states.
_PATIENCE: Final = 5.0
# Above every character, for the end of a range of texts that share a start.
_LAST: Final = "\U0010ffff"

search = sa.MetaData()
# Words of the names of persons.
_name = sa.Table(
    "known_as",
    search,
    sa.Column("word", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True, index=True),
    info={"state": "derived"},
    sqlite_with_rowid=False,
)
# One row: how many entries were taken in, and by what.
_taken = sa.Table(
    "taken",
    search,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("cursor", sa.Integer, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    info={"state": "derived"},
)
# The FTS5 tables, with their class of state as in store/schema.
INDEXES: Final = {"term": "derived", "word": "derived"}

_SIGNS: Final = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())
_TOKENS: Final = "ascii tokenchars '{}'".format(_SIGNS.replace("'", "''")).replace('"', '""')


class SqlSearch(MadeAgain):
    """Implements ports.SearchIndex on one SQLite file at `path`."""

    def cursor(self) -> int:
        return int(self._row()[0])

    def made_by(self) -> str:
        return str(self._row()[1])

    def add(
        self, found: Sequence[Found], names: Mapping[str, Iterable[str]], cursor: int, made_by: str
    ) -> None:
        learnt = [(word, subject) for subject, words in names.items() for word in words]
        with self._writing, self._engine.begin() as tx:
            driver: Any = tx.connection.driver_connection
            # Only those with something to find them by.
            driver.executemany(_ADD["term"], [(index, terms) for index, terms, _ in found if terms])
            driver.executemany(_ADD["word"], [(index, words) for index, _, words in found if words])
            if learnt:
                driver.executemany(
                    "INSERT INTO known_as (word, subject) VALUES (?, ?) ON CONFLICT DO NOTHING", learnt
                )
            driver.execute("UPDATE taken SET cursor = ?, made_by = ?", (cursor, made_by))

    def matching(
        self, terms: Sequence[str], words: Sequence[str], *, below: int | None = None, limit: int = 50
    ) -> list[int]:
        pages = []
        with self._reading() as driver:
            for text, wanted in ((_MATCHING["term"], terms), (_MATCHING["word"], words)):
                if wanted:
                    asked = " OR ".join(f'"{one}"' for one in (one.replace('"', '""') for one in wanted))
                    last = _NO_BOUND if below is None else below
                    pages.append([row[0] for row in driver.execute(text, (asked, last, limit))])
        merged = heapq.merge(*pages, reverse=True)
        return list(islice(dict.fromkeys(merged), limit))

    def terms(self, prefix: str, limit: int) -> list[str]:
        return self._beginning(_TERMS["term"], prefix, limit)

    def words(self, prefix: str, limit: int) -> list[str]:
        return self._beginning(_TERMS["word"], prefix, limit)

    def people(self, prefix: str, limit: int) -> list[str]:
        found: dict[str, None] = {}
        with self._reading() as driver:
            # A person is known by a few words that may begin alike.
            for row in driver.execute(_PEOPLE, (prefix, prefix + _LAST)):
                found[row[0]] = None
                if len(found) == limit:
                    break
        return list(found)

    def doubt(self) -> None:
        with self._writing:
            # The one state that must survive a power cut: what is erased is not to be answered again.
            self._driver.execute("PRAGMA synchronous=FULL")
            try:
                self._driver.execute("UPDATE taken SET made_by = ''")
            finally:
                self._driver.execute(f"PRAGMA synchronous={self._synchronous}")

    def forget(self, subjects: Iterable[str], instead: Mapping[int, str], made_by: str) -> None:
        with self._writing, _refusing():
            with self._engine.begin() as tx:
                driver: Any = tx.connection.driver_connection
                driver.executemany("DELETE FROM known_as WHERE subject = ?", [(one,) for one in subjects])
                driver.executemany("DELETE FROM word WHERE rowid = ?", [(index,) for index in instead])
                driver.executemany(_ADD["word"], [(i, words) for i, words in instead.items() if words])
            self._driver.execute("INSERT INTO word (word) VALUES ('optimize')")
            self._driver.execute("VACUUM")
            self._cut_journal()
            self._driver.execute("UPDATE taken SET made_by = ?", (made_by,))

    def digest(self) -> dict[str, Any]:
        told = {}
        with self._one_view() as driver:
            for table, text in _EVERY.items():
                digest = Digest()
                found = driver.execute(text)
                while some := found.fetchmany(_SCAN):
                    for row in some:
                        digest.add(row)
                told[table] = digest.told()
        return told

    def rebuild(self) -> SqlSearch:
        # Nobody reads it yet, and a power cut only means to begin again.
        return SqlSearch(self._beside(), synchronous="OFF")

    # Opening.

    def _connected(self) -> None:
        self._driver.execute(f"PRAGMA cache_size=-{_CACHE}")

    def _ddl(self) -> list[str]:
        return ddl()

    def _begin_rows(self) -> list[str]:
        return [
            "INSERT OR IGNORE INTO taken (id, cursor, made_by) VALUES (1, 0, '')",
            *(f"INSERT INTO {table} ({table}, rank) VALUES ('automerge', {_MERGED})" for table in INDEXES),
        ]

    def _trusted(self) -> bool:
        """Not when it was doubted and that was never resolved."""
        cursor, made_by = self._driver.execute("SELECT cursor, made_by FROM taken").fetchone()
        return bool(cursor == 0 or made_by)

    # Reading.

    def _row(self) -> tuple[Any, ...]:
        with self._reading() as driver:
            found: tuple[Any, ...] = driver.execute("SELECT cursor, made_by FROM taken").fetchone()
        return found

    def _beginning(self, text: str, prefix: str, limit: int) -> list[str]:
        """One seek for each term: a scan would read all entries that have it."""
        found: list[str] = []
        start = prefix
        with self._reading() as driver:
            while len(found) < limit and (row := driver.execute(text, (start, prefix + _LAST)).fetchone()):
                found.append(row[0])
                # The least text above this one, since terms hold no control signs.
                start = row[0] + "\x01"
        return found

    @contextmanager
    def _one_view(self) -> Iterator[Any]:
        """A reader that sees one state, whatever is committed meanwhile."""
        with self._reading() as driver:
            driver.execute("BEGIN")
            try:
                yield driver
            finally:
                driver.execute("ROLLBACK")

    def _cut_journal(self) -> None:
        until = monotonic() + _PATIENCE
        while self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] != 0:
            if monotonic() >= until:
                raise Refused(
                    "busy", "The search index is being read; deleted bytes are still there. Try again."
                )
            sleep(0.05)


def ddl() -> list[str]:
    """The statements that make the tables, each harmless when they are there."""
    kept = "content='', contentless_delete=1, " if version() >= _DELETES_WITHOUT_COPY else ""
    found = [_text(CreateTable(table, if_not_exists=True)) for table in (_name, _taken)]
    found += [_text(CreateIndex(index, if_not_exists=True)) for index in _name.indexes]
    return [
        *found,
        "CREATE VIRTUAL TABLE IF NOT EXISTS term USING fts5(terms, content='', columnsize=0, "
        f'detail=none, tokenize="{_TOKENS}")',
        f'CREATE VIRTUAL TABLE IF NOT EXISTS word USING fts5(words, {kept}detail=none, tokenize="{_TOKENS}")',
        # Views of what stands in them, one line for each term and entry.
        "CREATE VIRTUAL TABLE IF NOT EXISTS term_in USING fts5vocab(term, instance)",
        "CREATE VIRTUAL TABLE IF NOT EXISTS word_in USING fts5vocab(word, instance)",
    ]


_ADD: Final = {table: f"INSERT INTO {table} (rowid, {table}s) VALUES (?, ?)" for table in INDEXES}
# Above every index.
_NO_BOUND: Final = 2**62
_MATCHING: Final = {
    table: f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    for table in INDEXES
}
_TERMS: Final = {
    table: f"SELECT term FROM {table}_in WHERE term >= ? AND term < ? LIMIT 1" for table in INDEXES
}
_PEOPLE: Final = "SELECT subject FROM known_as WHERE word >= ? AND word < ? ORDER BY word, subject"
_EVERY: Final = {
    "term": "SELECT term, doc FROM term_in",
    "word": "SELECT term, doc FROM word_in",
    "name": "SELECT word, subject FROM known_as ORDER BY word, subject",
}


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever the database raises, as words for the one who asked to forget."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            "unavailable", f"The search index could not be cleared ({error}). Try again."
        ) from error


def _text(statement: Any) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))
