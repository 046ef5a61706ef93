"""The audit trigger that many houses write for PostgreSQL: every change of a table, as jsonb, in another.

Runs in the project's own environment (psycopg), against the throw-away cluster that its address, the third
argument, names. synchronous_commit and fsync as PostgreSQL ships them: on. Single: one INSERT, committed;
batch: a hundred by one executemany in one transaction.
"""

from __future__ import annotations

import sys
from typing import Final

import msgspec
import psycopg
from turns import facts, take_turns

_SETUP: Final = """
CREATE TABLE deployment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL, service text NOT NULL, environment text NOT NULL, body jsonb NOT NULL
);
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL DEFAULT current_user,
    relation text NOT NULL, operation text NOT NULL, before jsonb, after jsonb
);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (relation, operation, before, after)
    VALUES (TG_TABLE_NAME, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, to_jsonb(NEW));
    RETURN NEW;
END $$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON deployment FOR EACH ROW EXECUTE FUNCTION audited();
"""
_INSERT: Final = "INSERT INTO deployment (name, service, environment, body) VALUES (%s, %s, %s, %s)"

connection = psycopg.connect(sys.argv[3])
connection.execute(_SETUP)
connection.commit()
for setting in ("fsync", "synchronous_commit"):
    found = connection.execute(f"SHOW {setting}").fetchone()
    assert found == ("on",), f"{setting} is {found}"


def row(line: bytes) -> tuple[str, str, str, str]:
    told = msgspec.json.decode(line)
    return told["deployment"], told["service"], told["environment"], line.decode()


def keep(lines: list[bytes]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_INSERT, [row(line) for line in lines])


def count() -> int:
    found = connection.execute("SELECT count(*) FROM audit").fetchone()
    assert found is not None
    return int(found[0])


take_turns(
    {
        "psycopg": psycopg.__version__,
        "postgresql": str(connection.info.parameter_status("server_version")),
    },
    facts(),
    lambda line: keep([line]),
    keep,
    count,
)
