"""SQLite's own insert into a table of two columns: no history, no proof. WAL, synchronous=FULL."""

from __future__ import annotations

import sqlite3
from itertools import count

from turns import facts, folder, take_turns

connection = sqlite3.connect(folder() / "bare.db", isolation_level=None)
for said in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL"):
    connection.execute(f"PRAGMA {said}")
connection.execute("CREATE TABLE bare (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
numbers = count()


def keep(lines: list[bytes]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO bare VALUES (?, ?)", [(next(numbers), line) for line in lines])
    connection.execute("COMMIT")


take_turns(
    {"sqlite": sqlite3.sqlite_version},
    facts(),
    lambda line: keep([line]),
    keep,
    lambda: int(connection.execute("SELECT count(*) FROM bare").fetchone()[0]),
)
