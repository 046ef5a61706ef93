"""The cluster that tests are given is a real one, of its own, and durable as PostgreSQL comes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests import postgres
from tests.main.running import ROOT


def test_each_test_has_a_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        asked = ("fsync", "synchronous_commit", "full_page_writes", "server_encoding", "listen_addresses")
        found = {name: connection.execute(f"SHOW {name}").fetchone() for name in asked}
        connection.execute("CREATE TABLE here (id int)")
    assert found == {
        "fsync": ("on",),
        "synchronous_commit": ("on",),
        "full_page_writes": ("on",),
        "server_encoding": ("UTF8",),
        "listen_addresses": ("",),
    }
    with psycopg.connect(postgres.cluster().new()) as other:
        assert other.execute("SELECT to_regclass('here')").fetchone() == (None,)


def test_a_folder_keeps_its_database(tmp_path: Path) -> None:
    url = postgres.database_of(tmp_path / "data")
    assert postgres.database_of(tmp_path / "data") == url != postgres.database_of(tmp_path / "more")
    postgres.forget(tmp_path)
    assert not {postgres.name_in(url)} & postgres.cluster().owned().keys()


_CHILD = """
import os, signal
from tests import postgres
print(postgres.cluster().folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_its_process() -> None:
    alone = {name: text for name, text in os.environ.items() if name != postgres.RUNNING}
    child = [sys.executable, "-c", _CHILD]
    ran = subprocess.run(child, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=120, check=False)
    folder = Path(ran.stdout.strip())
    assert folder.name.startswith("dt-pg-")
    until = time.monotonic() + 60
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()
