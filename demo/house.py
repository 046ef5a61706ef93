"""The real server as a child, and its commands, on settings of our own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from demo.children import Child
from demo.faults import Ended, Fault
from demo.pace import Pace
from demo.pipeline import answers

_READY_S: Final = 60.0
_COMMAND_S: Final = 60
_DEPLOYTRAIL: Final = (sys.executable, "-m", "deploytrail")


class House:
    """Deploytrail on one port of the loopback interface, with its data in one folder."""

    def __init__(self, folder: Path, port: int, pace: Pace, database_url: str | None = None) -> None:
        self.port = port
        self.url = f"http://localhost:{port}"
        self.data = folder / "data"
        self._folder, self._pace, self._database_url = folder, pace, database_url
        self._signer = folder / "signer"
        self._child: Child | None = None

    def environment(self, **more: str) -> dict[str, str]:
        """Our environment without anybody's settings for Deploytrail, but with the demo's own database."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DEPLOYTRAIL_")}
        database = {"DEPLOYTRAIL_DATABASE_URL": self._database_url} if self._database_url else {}
        return kept | database | more

    def start(self) -> None:
        """Starts the server. Fault if the port is taken."""
        if not _is_free(self.port):
            raise Fault(
                2, f"Port {self.port} is in use. End what listens there, or choose another with --port."
            )
        command = [*_DEPLOYTRAIL, "serve", "--demo", "--data", str(self.data), "--signer", str(self._signer)]
        self._child = Child(
            "house",
            [*command, "--port", str(self.port)],
            folder=self._folder,
            environment=self.environment(),
            text=self._folder / "server.txt",
        )

    def wait_until_ready(self) -> None:
        """Waits until the server records. Fault if it ends, or takes more than a minute."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            self.check()
            if self.answers():
                return
            self._pace.short(0.05)
        raise Fault(5, f"The server was not ready within {_READY_S:.0f} s; see {self._folder}/server.txt.")

    def answers(self) -> bool:
        """Whether the server says that it is ready to record."""
        return answers(f"http://127.0.0.1:{self.port}/readyz")

    def check(self) -> None:
        """Fault if the server has ended."""
        if self._child is None:
            raise Fault(5, "The server was not started.")
        status = self._child.ended()
        if status is not None:
            words = self._child.last_words() or "it said nothing"
            raise Fault(5, f"The server ended with status {status}: {words} (see {self._child.text}).")

    def stop(self) -> None:
        """Stops the server."""
        if self._child:
            self._child.stop(patience=10)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts one of the server's own commands; `finished` waits for it."""
        return subprocess.Popen(
            [*_DEPLOYTRAIL, *arguments],
            cwd=self._folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finished(self, command: subprocess.Popen[str]) -> str:
        """What a command printed. Fault with its words if it fails."""
        deadline = time.monotonic() + _COMMAND_S
        while True:
            try:
                printed, words = command.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                self._wait_on(command, deadline)
        if command.returncode:
            said = (words.strip() or printed.strip() or "it said nothing").splitlines()[-1]
            raise Fault(5, f"{_named(command)} ended with status {command.returncode}: {said}")
        return printed.strip()

    def _wait_on(self, command: subprocess.Popen[str], deadline: float) -> None:
        """Lets a command go on, unless the time is over for it or for the demo."""
        try:
            self._pace.check()
            if time.monotonic() > deadline:
                raise Fault(5, f"{_named(command)} did not end within {_COMMAND_S} s.")
        except (Ended, Fault):
            command.kill()
            command.communicate()
            raise

    def admin(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts `deploytrail admin ...` against this house's data."""
        return self.begin("admin", *arguments, "--data", str(self.data))

    def link(self, terminal: bool) -> str:
        """Makes the one-time link: shown on the terminal by the command itself, else the file it is in."""
        command = [*_DEPLOYTRAIL, "admin", "link", "--data", str(self.data)]
        if terminal:
            subprocess.run(command, cwd=self._folder, env=self.environment(), timeout=_COMMAND_S, check=False)
            return ""
        return self.finished(self.admin("link"))


def _named(command: subprocess.Popen[str]) -> str:
    arguments = command.args if isinstance(command.args, list) else []
    return "deploytrail " + " ".join(str(word) for word in arguments[3:5])


def _is_free(port: int) -> bool:
    """Whether nobody listens on the port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
