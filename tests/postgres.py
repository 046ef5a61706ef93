"""A real PostgreSQL for tests: one throw-away cluster per test process, a fresh database for whoever asks.

The cluster listens on a Unix socket in a temporary folder and on nothing else, keeps PostgreSQL's own
durable settings, and sorts texts by language, so that whoever forgets to ask for byte order is seen. It ends
when its process ends, however that ends, and takes its folder along.
"""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

# Set to "postgresql", every house that a test builds lies in PostgreSQL.
VARIABLE: Final = "DEPLOYTRAIL_TEST_DATABASE"
ROLE: Final = "house"
# Where the cluster lies, for processes that the tests start.
RUNNING: Final = "DEPLOYTRAIL_TEST_CLUSTER"
# What stands beside a database that is empty and nobody's.
_FREE: Final = "free"
# initdb refuses root, so root starts the server as one of these.
_OTHERS: Final = ("postgres", "nobody")
# Ends the server and removes its folder as soon as whoever holds the other end of its input is gone.
_GUARD: Final = """
trap '' INT TERM HUP
read -r never
"$1" stop --pgdata="$2/data" --mode=immediate --silent
rm -rf "$2"
"""
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
}


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server's programs on this machine; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def chosen() -> bool:
    """Whether the houses of these tests lie in PostgreSQL."""
    name = os.environ.get(VARIABLE, "sqlite")
    if name not in ("sqlite", "postgresql"):
        raise ValueError(f"{VARIABLE} is sqlite or postgresql, not {name}")
    return name == "postgresql"


class Cluster:
    """A running server with a folder of its own. `close` ends it and removes everything."""

    def __init__(self, running: Path | None = None) -> None:
        """A new one; or, in a process that the tests started, theirs, which lies in `running`."""
        found = programs()
        if found is None:
            raise RuntimeError("These tests need a PostgreSQL server: install the package postgresql.")
        self._programs = found
        self._as = _somebody()
        self._guard: subprocess.Popen[bytes] | None = None
        if running is not None:
            self.folder = running
            return
        self.folder = Path(tempfile.mkdtemp(prefix="dt-pg-", dir=_room()))
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        # Whoever runs the tests may reach the socket; it listens nowhere else.
        self.folder.chmod(0o711)
        said = ["--no-sync", "--auth=trust", f"--username={ROLE}", "--encoding=UTF8", *_sorting(found)]
        self._run("initdb", f"--pgdata={self.folder / 'data'}", *said)
        self.start()
        guard = ["sh", "-c", _GUARD, "guard", str(self._programs / "pg_ctl"), str(self.folder)]
        # Ctrl-C is for the tests, which then close this.
        self._guard = subprocess.Popen(
            guard, stdin=subprocess.PIPE, cwd=self.folder, start_new_session=True, **self._as
        )

    def start(self) -> None:
        """Start the server; it answers on return."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in settings.items())
        log = self.folder / "said.txt"
        self._run("pg_ctl", "start", *self._where(), "--wait", f"--log={log}", f"--options={options}")

    def halt(self, mode: str = "fast") -> None:
        """Stop the server ("immediate": as a crash would); what it holds stays."""
        self._run("pg_ctl", "stop", *self._where(), "--wait", f"--mode={mode}")

    def close(self) -> None:
        """End the server and remove its folder."""
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://{ROLE}@/{database}?host={self.folder}"

    def new(self, owner: Path | None = None) -> str:
        """An empty database; its address. `owner` is the folder with which it is forgotten.

        Making and removing one makes the server flush everything; so they are emptied and given again.
        """
        free = [name for name, said in self._said().items() if said == _FREE]
        name = free[0] if free else "n" + secrets.token_hex(6)
        if not free:
            self.do(f"CREATE DATABASE {name}")
        self._say(name, str(owner.resolve()) if owner else "taken")
        return self.url(name)

    def of(self, owner: Path) -> str:
        """The address of the database of a folder, made when it is first asked for."""
        mine = [name for name, said in self._said().items() if said == str(owner.resolve())]
        return self.url(mine[0]) if mine else self.new(owner)

    def owned(self) -> dict[str, str]:
        """The databases of folders, by name."""
        return {name: said for name, said in self._said().items() if said.startswith("/")}

    def drop(self, name: str) -> None:
        """Empty a database, whoever still uses it, for the next who asks."""
        self._empty(name)
        self._say(name, _FREE)

    def dump(self, owner: Path) -> bytes:
        """What the database of a folder holds, as pg_dump writes it."""
        asked = [str(self._programs / "pg_dump"), self.of(owner)]
        return subprocess.run(asked, capture_output=True, check=True).stdout

    def restore(self, owner: Path, dump: bytes) -> None:
        """Make the database of a folder what the dump of one was, as psql does."""
        url = self.of(owner)
        self._empty(name_in(url))
        told = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"]
        asked = [str(self._programs / "psql"), *told, url]
        subprocess.run(asked, input=dump, check=True, stdout=subprocess.DEVNULL)

    def files(self, owner: Path) -> Iterator[tuple[str, bytes]]:
        """Every file of the database of a folder: tables, indexes, and what PostgreSQL keeps about them."""
        name = name_in(self.of(owner))
        self.do("CHECKPOINT")
        [(number,)] = self.do(f"SELECT oid FROM pg_database WHERE datname = '{name}'")
        for path in sorted((self.folder / "data" / "base" / str(number)).iterdir()):
            # A copy of its catalogue that the server keeps at hand comes and goes.
            with suppress(FileNotFoundError):
                yield f"{name}/{path.name}", path.read_bytes()

    def _empty(self, name: str) -> None:
        self.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        ours = "nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
        for (schema,) in self.do(f"SELECT nspname FROM pg_namespace WHERE {ours}", name):
            self.do(f'DROP SCHEMA "{schema}" CASCADE', name)
        self.do("CREATE SCHEMA public", name)

    def _said(self) -> dict[str, str]:
        text = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        return {name: said for name, said in self.do(text) if name.startswith("n") and said}

    def _say(self, name: str, words: str) -> None:
        self.do(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), words))

    def do(self, text: str | sql.Composed, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the one who may do everything."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            answer = connection.execute(text if isinstance(text, sql.Composed) else text.encode())
            return answer.fetchall() if answer.description else []

    def _where(self) -> list[str]:
        return [f"--pgdata={self.folder / 'data'}", "--silent"]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
            **self._as,
        )


@functools.cache
def cluster() -> Cluster:
    """The cluster of these tests, started when it is first asked for; processes started by them share it."""
    running = os.environ.get(RUNNING)
    if running:
        return Cluster(Path(running))
    made = Cluster()
    os.environ[RUNNING] = str(made.folder)
    atexit.register(made.close)
    return made


def database_of(folder: Path) -> str:
    """The address of the one database that belongs to a folder, made when it is first asked for."""
    return cluster().of(folder)


def url_of(folder: Path) -> str | None:
    """The address of the database of the house in a data folder; None if its log lies in a file."""
    return database_of(folder) if chosen() else None


def stored(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that lies on the disk of a house, or of everything in a folder: name and bytes of each file, those
    of its databases among them. Write-ahead log is not: docs/state.md says what that means.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
    for owner in _owners(folder):
        yield from cluster().files(owner)


def copy(source: Path, target: Path) -> Path:
    """Copy a folder, closed houses and all; what `target` was before is gone. `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    for owner in _owners(source):
        twin = target / owner.relative_to(source.resolve())
        cluster().restore(twin, cluster().dump(owner))
    return target


def _owners(folder: Path) -> list[Path]:
    """What in a folder has a database, the folder itself included."""
    if not cluster.cache_info().currsize:
        return []
    paths = map(Path, cluster().owned().values())
    return [path for path in paths if path.is_relative_to(folder.resolve())]


def forget(folder: Path) -> None:
    """Remove the databases of everything in a folder, if there is a cluster at all."""
    if cluster.cache_info().currsize:
        for name, owner in cluster().owned().items():
            if Path(owner).is_relative_to(folder.resolve()):
                cluster().drop(name)


def name_in(url: str) -> str:
    """The name of a database, from its address."""
    return urlsplit(url).path.removeprefix("/")


def _room() -> str | None:
    """Memory instead of a disk, if there is enough: it is flushed to as on a disk, and at once."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30 else None


def _somebody() -> dict[str, Any]:
    """As whom to start the server: arguments of subprocess. Nobody else, unless we are root."""
    if os.geteuid() != 0:
        return {}
    for name in _OTHERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise RuntimeError("A PostgreSQL server does not run as root: add a user called postgres.")


def _sorting(found: Path) -> list[str]:
    asked = [str(found / "postgres"), "--version"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True)
    by_language = int(version.stdout.split()[2].split(".")[0]) >= 15
    return ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"] if by_language else ["--locale=C"]
