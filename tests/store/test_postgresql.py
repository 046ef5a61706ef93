"""PostgreSQL on a real server: what it must grant, what it forgets, and how it is lost and found again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from deploytrail.app.ports import Blob, Damaged, Placed
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store import migrations, postgresql, schema
from deploytrail.store.alone import Alone
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.postgresql import Schema, Server
from tests import postgres
from tests.app.small_house import Chance
from tests.contracts.test_log import add, bodies, one, raw, told, whole


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    made = Server(database_url)
    yield made
    made.close()


@pytest.fixture
def log(server: Server) -> SqlLog:
    return SqlLog(Schema(server, "trail"))


# What it must grant.


def refused(url: str) -> str:
    with pytest.raises(Refused) as refusal:
        Server(url).close()
    assert refusal.value.code == "unavailable"
    return refusal.value.words


def test_every_session_flushes(database_url: str) -> None:
    name = postgres.name_in(database_url)
    postgres.cluster().do(f"ALTER DATABASE {name} SET synchronous_commit = off")
    server = Server(database_url)
    try:
        with server.engine.connect() as tx:
            assert tx.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    finally:
        server.close()
        postgres.cluster().do(f"ALTER DATABASE {name} RESET ALL")


def test_a_database_that_may_not_be_written_is_refused(database_url: str) -> None:
    name = postgres.name_in(database_url)
    postgres.cluster().do(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "default_transaction_read_only" in refused(database_url)
    postgres.cluster().do(f"ALTER DATABASE {name} RESET ALL")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_forgets_is_refused(database_url: str, setting: str) -> None:
    cluster = postgres.cluster()
    try:
        cluster.do(f"ALTER SYSTEM SET {setting} = off")
        cluster.do("SELECT pg_reload_conf()")
        while cluster.do(f"SHOW {setting}") != [("off",)]:
            pass
        assert f"{setting}=off" in refused(database_url)
    finally:
        cluster.do(f"ALTER SYSTEM RESET {setting}")
        cluster.do("SELECT pg_reload_conf()")
        while cluster.do(f"SHOW {setting}") != [("on",)]:
            pass


def test_another_encoding_is_refused() -> None:
    postgres.cluster().do(
        "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
    )
    assert "ENCODING 'UTF8'" in refused(postgres.cluster().url("latin"))
    postgres.cluster().do("DROP DATABASE latin")


GOOD = (150_004, "UTF8", False, "off", "on", "on", "on")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, 120_000, "version 12"), (2, True, "standby"), (6, "local", "synchronous_commit=on")],
)
def test_what_else_is_demanded(place: int, value: Any, words: str) -> None:
    postgresql._demand(GOOD, "here")
    found = [*GOOD]
    found[place] = value
    with pytest.raises(Refused, match=words):
        postgresql._demand(tuple(found), "here")


def test_a_password_is_never_shown() -> None:
    for url in (
        "postgresql://ada:geheim@/house?host=/nowhere",
        "postgresql://ada:ge/heim@nowhere.invalid/house",
        "postgresql://ada:ge@heim@nowhere.invalid/house",
        "postgresql://ada:heim?x@nowhere.invalid/house",
        "postgresql://ada:heim/x",
        "postgresql://ada:geheim@127.0.0.1:1/house?nonsense=1",
        "mysql://ada:geheim@host/house",
    ):
        with pytest.raises(Refused) as refusal:
            Server(url)
        assert "heim" not in refusal.value.words


# Revisions.


@pytest.mark.parametrize(("tables", "name"), [(schema.main, "trail"), (schema.keys, "keys")])
def test_the_steps_lead_to_the_tables(server: Server, tables: sa.MetaData, name: str) -> None:
    Schema(server, name).make(tables)
    Schema(server, name).make(tables)
    with server.engine.begin() as tx:
        tx.exec_driver_sql(f"SET LOCAL search_path TO {name}")
        assert compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), tables) == []


@pytest.mark.parametrize("tables", [schema.main, schema.keys], ids=["trail", "keys"])
def test_steps_and_tables_agree_in_sqlite_too(tables: sa.MetaData) -> None:
    made = []
    for make in (migrations.upgrade, lambda tx, tables: migrations._steps(tx, tables, None)):
        engine = sa.create_engine("sqlite://")
        with engine.begin() as tx:
            make(tx, tables)
            text = "SELECT name, replace(replace(sql, char(10), ''), char(9), '') FROM sqlite_schema"
            found = dict(tx.exec_driver_sql(text).all())
            made.append({name: (sql or "").replace(" ", "") for name, sql in found.items()})
        engine.dispose()
    assert made[0] == made[1]


def test_a_newer_revision_is_refused(server: Server, log: SqlLog) -> None:
    with server.engine.begin() as tx:
        tx.exec_driver_sql("UPDATE trail.revision SET version_num = '9999'")
    with pytest.raises(Refused, match="newer Deploytrail"):
        SqlLog(Schema(server, "trail"))


def test_there_must_be_something_to_read(server: Server) -> None:
    with pytest.raises(Refused) as refusal:
        Schema(server, "trail", write=False)
    assert refusal.value.code == "not-found"
    SqlLog(Schema(server, "trail"))
    log = SqlLog(Schema(server, "trail", write=False), write=False)
    for writing in (lambda: log.append([one(told("a"))]), lambda: log.put("link", "a", {}), log.scrub):
        with pytest.raises(Refused, match="reading only"):
            writing()


# What it forgets.


def on_disk(server: Server) -> bytes:
    """Every byte of every table and index of the database."""
    with server.engine.begin() as tx:
        number = tx.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar()
    postgres.cluster().do("CHECKPOINT")
    files = (postgres.cluster().folder / "data" / "base" / str(number)).iterdir()
    return b"".join(path.read_bytes() for path in files)


def test_erased_bytes_leave_every_table(server: Server, log: SqlLog) -> None:
    secret = bytes(range(1, 200)) + b"SECRET"
    for n in range(20):
        add(log, told(f"{n}", blobs=(Blob("s_a", secret), Blob("s_b", b"kept"))), delivery=raw(b"m%d" % n))
    assert on_disk(server).count(secret) >= 20
    assert log.erase_disclosures("s_a") == 20
    log.scrub()
    log.purge()
    assert secret not in on_disk(server)
    assert len(log.disclosures(range(20))) == 20
    whole(log)


def test_forgotten_keys_leave_every_table(server: Server) -> None:
    keyring = SqlKeyring(Schema(server, "keys"), Vault(b"k" * 32, Chance()))
    mac = bytes(range(100, 132))
    keyring.learn([("s_a", b"a" * 32, [mac]), ("s_b", b"b" * 32, [b"2"])])
    assert mac in on_disk(server)
    keyring.forget("s_a")
    assert mac not in on_disk(server)
    assert keyring.subjects() == ["s_b"]


def test_who_sees_an_older_state_is_waited_for(
    server: Server, log: SqlLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_PATIENCE_S", 0.2)
    add(log, told("a", blobs=(Blob("s_a", b"x"),)))
    with server.readers.connect() as reader:
        reader.exec_driver_sql("SELECT 1 FROM trail.entry").all()
        log.erase_disclosures("s_a")
        with pytest.raises(Refused) as refusal:
            log.purge()
    assert refusal.value.code == "busy"
    log.purge()


def test_what_had_to_be_kept_is_noticed_whoever_it_was(
    server: Server, log: SqlLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A standby's feedback is seen in no session of this database.
    monkeypatch.setattr(Schema, "_older", lambda self, xid: False)
    add(log, told("a", blobs=(Blob("s_a", b"x"),)))
    with server.readers.connect() as reader:
        reader.exec_driver_sql("SELECT 1 FROM trail.entry").all()
        log.erase_disclosures("s_a")
        with pytest.raises(Refused, match="deleted bytes are still there") as refusal:
            log.purge()
    assert refusal.value.code == "busy"
    log.purge()


# How it is lost, and found again.


def kill_all(server: Server) -> None:
    """End every session of this database, as an administrator or a failing server would."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_session_lost_before_the_commit_records_nothing(server: Server, log: SqlLog) -> None:
    add(log, told("a", id="1"))

    def differs(body: bytes, blobs: Any, pending: Any) -> str | None:
        kill_all(server)
        return None

    with pytest.raises(Refused, match="nothing was recorded") as refusal:
        log.append([one(told("a", id="1"), told("b", id="2"))], differs)
    assert not isinstance(refusal.value, Damaged)
    assert bodies(log) == [b"a"]
    assert add(log, told("b", id="2")) == [Placed(1, False)]
    whole(log)


def test_idle_sessions_that_ended_are_not_felt(server: Server, log: SqlLog) -> None:
    add(log, told("a"))
    kill_all(server)
    assert log.head().size == 1
    kill_all(server)
    add(log, told("b"))
    whole(log)


class Lost(psycopg.Connection[Any]):
    """Loses its server at the next commit: before it came there, or before its answer came back."""

    how: ClassVar[list[str]] = []

    def commit(self) -> None:
        how = self.how.pop() if self.how else None
        if how == "kept":
            super().commit()
        if how is not None:
            self.pgconn.finish()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        super().commit()


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(postgresql.psycopg, "connect", Lost.connect)
    Lost.how.clear()
    return Lost.how


def test_a_commit_that_was_lost_is_looked_for(losing: list[str], database_url: str) -> None:
    server = Server(database_url)
    log = SqlLog(Schema(server, "trail"))
    add(log, told("a", id="1"))
    losing.append("kept")
    assert add(log, told("b", id="2", about=("x",))) == [Placed(1, False)]
    losing.append("lost")
    with pytest.raises(Refused, match="Nothing was recorded") as refusal:
        log.append([one(told("c", id="3"))])
    assert not isinstance(refusal.value, Damaged)
    assert bodies(log) == [b"a", b"b"]
    assert add(log, told("c", id="3")) == [Placed(2, False)]
    assert log.touched("x") == [1]
    whole(log)
    server.close()


def test_a_server_that_crashes_is_found_again() -> None:
    cluster = postgres.Cluster()
    try:
        server = Server(cluster.new())
        log = SqlLog(Schema(server, "trail"))
        add(log, told("a", id="1"))
        cluster.halt("immediate")
        with pytest.raises(Refused) as refusal:
            log.append([one(told("b", id="2"))])
        assert refusal.value.code == "unavailable"
        assert not isinstance(refusal.value, Damaged)
        with pytest.raises(Refused):
            log.head()
        cluster.start()
        assert add(log, told("b", id="2")) == [Placed(1, False)]
        assert add(log, told("a", id="1")) == [Placed(0, True)]
        whole(log)
        server.close()
    finally:
        cluster.close()


# Several processes.


def test_two_houses_append_to_one_dense_log(database_url: str) -> None:
    servers = [Server(database_url) for _ in range(2)]
    logs = [SqlLog(Schema(server, "trail")) for server in servers]

    def write(name: str) -> None:
        log = logs["ab".index(name)]
        for n in range(30):
            add(log, told(f"{name}{n}", id=f"{name}{n}"), told(f"same {n}", id=f"same{n}"))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, "ab"))
    assert logs[0].head() == logs[1].head()
    assert logs[0].head().size == 90
    whole(logs[0])
    for server in servers:
        server.close()


def test_of_two_takers_one_gets_it(server: Server, log: SqlLog) -> None:
    log.put("link", "a", {"x": 1})
    start = threading.Barrier(4)

    def take(_: int) -> Any:
        start.wait()
        return log.take("link", "a")

    with ThreadPoolExecutor(4) as pool:
        assert sorted(map(bool, pool.map(take, range(4)))) == [False, False, False, True]


def test_two_that_start_together_make_it_once(database_url: str, tmp_path: Path) -> None:
    def start(_: int) -> None:
        server = Server(database_url)
        SqlLog(Schema(server, "trail"))
        server.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(start, range(3)))


def test_one_serves_and_the_next_takes_over(database_url: str) -> None:
    first, second = Server(database_url), Server(database_url)
    one_, other = Alone(first), Alone(second)
    heard, lost = threading.Event(), threading.Event()
    one_.heard = heard.set
    one_.lost = lambda words: lost.set()
    assert one_.take()
    assert not other.take()
    one_.start()
    # Whoever appends is heard.
    add(SqlLog(Schema(second, "trail")), told("a"))
    assert heard.wait(timeout=30)
    # While the first has lost its session, another is faster.
    assert one_._connection is not None
    number = one_._connection.info.backend_pid
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (number,))
        while not other.take():
            connection.execute("SELECT pg_sleep(0.01)")
    assert lost.wait(timeout=30)
    other.close()
    assert Alone(second).take()
    first.close()
    second.close()


def test_the_lock_is_taken_again_after_the_server_was_away() -> None:
    cluster = postgres.Cluster()
    try:
        server = Server(cluster.new())
        alone = Alone(server)
        assert alone.take()
        alone.start()
        cluster.halt("immediate")
        heard = threading.Event()
        alone.heard = heard.set
        cluster.start()
        assert heard.wait(timeout=60)
        assert not Alone(server).take()
        alone.close()
        server.close()
    finally:
        cluster.close()
