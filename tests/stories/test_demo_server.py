"""The demo as people run it: the real server, real pipelines, real deliveries, and a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from demo.pipeline import SERVICE, free_port
from demo.runs import PLACES

from tests.main.running import database

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


class Running:
    """`python -m demo` in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self.lines: list[str] = []
        where = ["--folder", str(folder), *database(folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo", *where, "--port", str(self.port), *arguments],
            cwd=ROOT,
            env={**os.environ, "DEPLOYTRAIL_ORIGIN": "example.invalid/not-for-the-demo"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, words: str) -> str:
        """The first line that has these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return line
        pytest.fail(f"the demo ended without saying {words!r}:\n{''.join(self.lines)}")

    def ended(self) -> int:
        """The exit status, once it has ended."""
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        self.lines.append(rest)
        return self.process.returncode

    def said(self) -> str:
        return "".join(self.lines)

    def command(self, *arguments: str) -> str:
        """What one of the house's own commands prints."""
        where = database(self.folder)
        done = subprocess.run(
            [sys.executable, "-m", "deploytrail", *arguments, *where],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def asked(self, path: str, token: str) -> Any:
        """The JSON that the house answers to a token."""
        request = Request(f"http://localhost:{self.port}{path}", headers={"Authorization": f"Bearer {token}"})
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Running]]:
    running: list[Running] = []
    yield running
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


def programs_of(folder: Path) -> list[tuple[int, str]]:
    """Number and command line of every program that was started for a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in words or where.startswith(str(folder)):
            found.append((int(entry.name), words))
    return found


def _parent(number: int) -> int:
    """Who started a program."""
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def none_left(folder: Path) -> bool:
    """Whether every program of a folder is gone; those that must end by themselves get a moment."""
    for _ in range(100):
        if not programs_of(folder):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.both
def test_the_demo_lives_shows_its_deployments_and_goes_on_after_its_end(
    tmp_path: Path, started: list[Running]
) -> None:
    folder = tmp_path / ".demo"
    first = Running(folder, "--seed", "3")
    started.append(first)
    # The settings of whoever starts the demo are not the demo's.
    assert "not-for-the-demo" not in first.wait_for("verify from outside")
    token = first.command(
        *("admin", "token", "create", "--role", "viewer", "--name", "looker"), "--data", str(folder / "data")
    )
    shown = json.dumps(first.asked("/api/v1/environments", token))
    assert all(place in shown for place in PLACES)
    assert SERVICE in shown
    assert "1.0.0" in shown
    first.process.send_signal(signal.SIGTERM)
    assert first.ended() == 0, first.said()
    assert "refused 0" in first.said()
    assert none_left(folder)

    again = Running(folder, "--exit-after", "12", port=first.port)
    started.append(again)
    assert again.ended() == 0, again.said()
    assert "the town goes on" in again.said()
    assert f"deployed {SERVICE} 1.0.0 to production" in again.said()
    assert "refused 0" in again.said()
    assert none_left(folder)


@pytest.mark.slow
def test_a_dead_server_ends_the_demo_with_one_sentence(tmp_path: Path, started: list[Running]) -> None:
    folder = tmp_path / ".demo"
    running = Running(folder)
    started.append(running)
    running.wait_for("opened change")
    serving = {number for number, words in programs_of(folder) if "deploytrail serve" in words}
    # Its followers are a process of their own, with the same words.
    [server] = [number for number in serving if _parent(number) not in serving]
    os.kill(server, signal.SIGKILL)
    assert running.ended() == 5, running.said()
    assert running.said().splitlines()[-1].startswith("The server ended with status -9")
    assert none_left(folder)


@pytest.mark.slow
def test_killing_the_demo_takes_its_programs_with_it(tmp_path: Path, started: list[Running]) -> None:
    folder = tmp_path / ".demo"
    running = Running(folder)
    started.append(running)
    running.wait_for("to production in")
    assert len(programs_of(folder)) >= 3
    running.process.kill()
    running.process.communicate()
    assert none_left(folder)


@pytest.mark.slow
def test_a_ledger_is_loaded_beside_the_towns_life(tmp_path: Path, started: list[Running]) -> None:
    ledger = tmp_path / "govuk-deployments.jsonl"
    record = {"k": "deployment", "env": "integration", "actor": "p1", "time": "2023-01-01T09:00:00Z"}
    records = [record | {"service": f"service-{number}", "version": "v1"} for number in range(40)]
    ledger.write_text("".join(json.dumps(each) + "\n" for each in records))
    running = Running(tmp_path / ".demo", "--ledger", str(ledger))
    started.append(running)
    assert "40 facts" in running.wait_for("loaded the ledger:")
    running.process.send_signal(signal.SIGINT)
    assert running.ended() == 0, running.said()
