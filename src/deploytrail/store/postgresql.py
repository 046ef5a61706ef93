"""PostgreSQL as the house needs it: what it grants is read back, a lost connection is not a lost house.

One database holds the house, in schemas that can be backed up apart: `trail`, `keys`, `derived`. Every
session asks for a flushed commit and is checked when it begins, so that a server that failed over to one
that promises less is refused. Whoever appends locks the one row of `head`; nothing else is locked for long.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import conninfo

from deploytrail.app.ports import Damaged, Unsure
from deploytrail.errors import Refused
from deploytrail.store import migrations

OLDEST: Final = 130_000
# Where every append is told, when it is committed.
CHANNEL: Final = "deploytrail"
# Seconds to reach the server, and to wait for somebody else's lock, or for those who see older states.
_CONNECT_S: Final = 10
_WAIT_S: Final = 20
_PATIENCE_S: Final = 5.0
# A session that stops within a transaction (its machine froze) must not hold the head for ever.
_SESSION: Final = f"""
SELECT set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit')
                  WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('lock_timeout', '{_WAIT_S}s', false),
       set_config('idle_in_transaction_session_timeout', '60s', false),
       set_config('search_path', '', false)
"""
_GRANTED: Final = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_is_in_recovery(),
       current_setting('transaction_read_only'), current_setting('fsync'),
       current_setting('full_page_writes'), current_setting('synchronous_commit')
"""
_TELL: Final = sa.text(f"SELECT pg_notify('{CHANNEL}', :size)")
_SIZES: Final = """
SELECT n.nspname, sum(pg_total_relation_size(c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('trail', 'keys') GROUP BY n.nspname
"""
# SQLSTATEs (PostgreSQL, appendix A): what each means to whoever waits for an acknowledgement.
_BUSY: Final = ("40001", "40P01", "55P03", "57014")
_FULL: Final = ("53100",)
_FORBIDDEN: Final = ("42501",)
_BROKEN: Final = ("58030", "XX001", "XX002", "58P01")
_READ: Final = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


class Server:
    """One database of a PostgreSQL server: the connections that all of its schemas share."""

    def __init__(self, url: str) -> None:
        """Connect. Refused("unavailable") if it is out of reach, or cannot promise durability; "bad-input"
        for what is no address.
        """
        self.url = url
        self._connect_with = _parameters(url)
        self.name = _shown(self._connect_with)
        self.damage: str | None = None
        self.engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self.connect,
            pool_size=8,
            max_overflow=16,
            pool_timeout=_CONNECT_S,
            pool_pre_ping=True,
        )
        self.readers = self.engine.execution_options(**_READ)
        with self.failing():
            self.engine.connect().close()

    def close(self) -> None:
        """Release every connection."""
        self.engine.dispose()

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection, checked."""
        try:
            connection = psycopg.connect(**self._connect_with, autocommit=True)
        except psycopg.Error as error:
            raise Refused(
                "unavailable",
                f"PostgreSQL is out of reach at {self.name}: {first_line(error)}. Nothing was recorded.",
            ) from None
        try:
            connection.execute(_SESSION)
            granted = connection.execute(_GRANTED).fetchone()
            _demand(granted or (), self.name)
        except BaseException:
            connection.close()
            raise
        connection.autocommit = False
        return connection

    def sizes(self) -> dict[str, int]:
        """Bytes of the tables and indexes of each schema of ours; none while the server is away."""
        try:
            with self.failing(), self.readers.connect() as tx:
                return {name: int(size) for name, size in tx.exec_driver_sql(_SIZES)}
        except Refused:
            return {}

    def holds(self, schema: str) -> bool:
        """Whether there is a schema of this name."""
        with self.failing(), self.readers.connect() as tx:
            return _there(tx, schema)

    @contextmanager
    def begin(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """One transaction, as Database.begin."""
        if self.damage is not None:
            raise Damaged(self.damage)
        committing = False
        try:
            with self.failing(), engine.connect() as connection, connection.begin():
                yield connection
                committing = True
        except _Lost as lost:
            if committing:
                raise Unsure(
                    f"The connection to PostgreSQL broke while committing ({lost.why}); it is not known "
                    "whether this was recorded. Send it again."
                ) from lost
            raise

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Errors of the driver become refusals; damage is remembered."""
        try:
            yield
        except sa.exc.TimeoutError as error:
            raise Refused("busy", "Every connection to PostgreSQL is in use. Send it again.") from error
        except (sa.exc.DBAPIError, psycopg.Error) as error:
            refused = refusal(error)
            if isinstance(refused, Damaged):
                self.damage = refused.words
            raise refused from error


class _Lost(Refused):
    """The connection broke; before the commit this means that nothing was written."""

    def __init__(self, error: object) -> None:
        self.why = first_line(error)
        super().__init__(
            "unavailable",
            f"The connection to PostgreSQL broke ({self.why}); nothing was recorded. Send it again.",
        )


class Schema:
    """Implements Database on one schema. Statements name no schema; it is put before every table."""

    def __init__(self, server: Server, name: str, *, write: bool = True) -> None:
        """Refused("not-found") if there is nothing to read and nothing may be made."""
        self.name, self.schema, self.server, self._write = (
            f"{server.name}, schema {name}",
            name,
            server,
            write,
        )
        within: Mapping[str | None, str] = {None: name}
        self._engine = server.engine.execution_options(schema_translate_map=within)
        self._readers = server.readers.execution_options(schema_translate_map=within)
        self._emptied: list[str] = []
        if not write and not server.holds(name):
            raise Refused("not-found", f"There is no schema {name} in {server.name}.")

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process makes connections of its own.
        return _again, (self.server.url, self.schema)

    def make(self, tables: sa.MetaData) -> None:
        forgetting = [t.name for t in tables.sorted_tables if t.info["state"] in ("erasable", "ephemeral")]
        self._emptied = [f'"{self.schema}"."{name}"' for name in forgetting]
        # One at a time: of two processes that start together the second finds everything made.
        lock = sa.text("SELECT pg_advisory_xact_lock(:key)")
        with self.server.begin(self.server.engine) as tx:
            tx.execute(lock, {"key": lock_of(f"make {self.schema}")})
            if not _there(tx, self.schema):
                tx.exec_driver_sql(f'CREATE SCHEMA "{self.schema}"')
            tx.exec_driver_sql(f'SET LOCAL search_path TO "{self.schema}"')
            migrations.upgrade(tx, tables)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        if not self._write:
            raise Refused("unavailable", f"{self.name} was opened for reading only.")
        with self.server.begin(self._engine) as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with self.server.failing(), self._readers.connect() as tx:
            yield tx

    def tell(self, tx: sa.Connection, size: int) -> None:
        tx.execute(_TELL, {"size": str(size)})

    def scrub(self) -> None:
        """What was deleted may be written over from now on."""
        self._vacuum("VACUUM")

    def purge(self) -> None:
        """Write the tables anew. Who still sees an older state is waited for; Refused("busy") after that.

        Write-ahead log, backups and standbys keep what they have: docs/state.md says what that means.
        """
        self._outlive()
        if self._vacuum("VACUUM (FULL, VERBOSE)"):
            # Such as a standby, which tells what it sees without a slot or a session of this database.
            raise _still_read()

    def close(self) -> None:
        """The connections are the server's."""

    def _vacuum(self, how: str) -> int:
        """How many deleted rows had to be kept, as far as VERBOSE tells: somebody still sees them."""
        if not self._write:
            raise Refused("unavailable", f"{self.name} was opened for reading only.")
        with (
            self.server.failing(),
            self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as tx,
        ):
            driver: Any = tx.connection.driver_connection
            kept: list[int] = []

            def hear(said: psycopg.errors.Diagnostic) -> None:
                # "N dead row versions cannot be removed yet", in the server's language.
                kept.extend(map(int, re.findall(r"\d+", said.message_detail or "")[:1]))

            driver.add_notice_handler(hear)
            try:
                for table in self._emptied:
                    tx.exec_driver_sql(f"{how} {table}")
            finally:
                driver.remove_notice_handler(hear)
        return sum(kept)

    def _outlive(self) -> None:
        """Wait until nobody sees a state older than this moment: its rows would be kept by VACUUM FULL."""
        with self.begin() as tx:
            now = tx.exec_driver_sql("SELECT pg_current_xact_id()::xid::text").scalar()
        until = monotonic() + _PATIENCE_S
        while self._older(now):
            if monotonic() >= until:
                raise _still_read()
            sleep(0.05)

    def _older(self, xid: Any) -> bool:
        text = sa.text(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND age(backend_xmin) > age(CAST(:xid AS xid))"
            # The server's own cleaning keeps nothing.
            " AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum))"
            " OR EXISTS (SELECT FROM pg_replication_slots"
            " WHERE age(xmin) > age(CAST(:xid AS xid)))"
        )
        with self.begin() as tx:
            return bool(tx.execute(text, {"xid": xid}).scalar())


def _still_read() -> Refused:
    return Refused(
        "busy",
        "Somebody still reads an older state of the database (pg_stat_activity, pg_replication_slots); "
        "deleted bytes are still there. Try again.",
    )


def _again(url: str, name: str) -> Schema:
    return Schema(Server(url), name, write=False)


def lock_of(name: str) -> int:
    """The number of an advisory lock of ours."""
    return zlib.crc32(f"deploytrail {name}".encode())


def refusal(error: Exception) -> Refused:
    """What a driver's error means to whoever waits for an acknowledgement."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    state = getattr(cause, "sqlstate", None) or ""
    lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    if state in _BUSY:
        return Refused("busy", "The database is busy; nothing was recorded. Send it again.")
    if state in _FORBIDDEN:
        return Refused(
            "unavailable",
            f"PostgreSQL does not let this role do what the house needs ({first_line(cause)}); nothing was "
            "recorded. Make the role the owner of the database, and of the schemas trail and keys in it.",
        )
    if state in _FULL:
        return Refused(
            "unavailable",
            "The database's disk is full; nothing was recorded. Free some space and send it again.",
        )
    if state in _BROKEN:
        return Damaged(
            f"PostgreSQL's disk or files failed ({first_line(cause)}). What was not acknowledged may be "
            "lost; mend it, start the house again and send it again."
        )
    if lost or state[:2] in ("08", "57") or (not state and isinstance(cause, psycopg.OperationalError)):
        return _Lost(cause)
    return Refused("unavailable", f"PostgreSQL refused ({first_line(cause)}); nothing was recorded.")


def _parameters(url: str) -> dict[str, Any]:
    """What libpq reads in an address. The address itself, and so a password in it, is never repeated."""
    words = (
        "--database-url is no address of a PostgreSQL database, such as postgresql://USER@HOST/NAME; "
        "in a password, other characters than letters and digits are written as %40 and the like."
    )
    if not url.startswith(("postgresql://", "postgres://")):
        raise Refused("bad-input", words)
    try:
        found = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise Refused("bad-input", words) from None
    # A password with a character that ends it early makes up a host, a port or a name.
    if "@" in f"{found.get('host')}{found.get('dbname')}" or re.search("[^0-9,]", str(found.get("port", ""))):
        raise Refused("bad-input", words)
    ours = {
        "connect_timeout": _CONNECT_S,
        "fallback_application_name": "deploytrail",
        "client_encoding": "UTF8",
    }
    return {**ours, **found}


def _shown(found: Mapping[str, Any]) -> str:
    """An address for people, without the password."""
    name, host = found.get("dbname") or found.get("user") or "", found.get("host") or "localhost"
    return f"{name} on {host}" + (f":{found['port']}" if found.get("port") else "")


def _demand(granted: tuple[Any, ...], name: str) -> None:
    """Refused("unavailable") unless this session can promise what the house promises."""
    version, encoding, standby, readonly, fsync, pages, commit = granted
    faults = [
        (version < OLDEST, f"is version {version // 10_000}; the house needs {OLDEST // 10_000} or newer."),
        (
            encoding != "UTF8",
            f"has the encoding {encoding}. Make one with: CREATE DATABASE ... ENCODING 'UTF8'.",
        ),
        (standby, "is a standby. Name the primary, or both hosts and target_session_attrs=read-write."),
        (
            readonly != "off",
            "is read-only (default_transaction_read_only). Set that to off for this role and database.",
        ),
        (fsync != "on", "runs with fsync=off: a crash of its machine may lose everything. Set it to on."),
        (pages != "on", "runs with full_page_writes=off: a torn page cannot be mended. Set it to on."),
        (
            commit not in ("on", "remote_apply"),
            f"did not grant synchronous_commit=on (it is {commit}). Let the role set it.",
        ),
    ]
    for wrong, words in faults:
        if wrong:
            raise Refused("unavailable", f"The database {name} {words}")


def _there(tx: sa.Connection, schema: str) -> bool:
    return tx.execute(sa.text("SELECT to_regnamespace(:name)"), {"name": f'"{schema}"'}).scalar() is not None


def first_line(error: object) -> str:
    """What an error says, without the statement that it is about."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
