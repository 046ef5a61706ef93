"""The site behind its real door, and bytes as strangers send them."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette

from deploytrail.web.serve import Doors

PATIENCE_S = 30.0


class Open:
    """A door that is open: connect, send, and hear."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._sockets: list[socket.socket] = []

    def connect(self) -> socket.socket:
        """A new connection."""
        made = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        self._sockets.append(made)
        return made

    def begin(self, path: str, *lines: str, method: str = "POST", sender: str = "") -> socket.socket:
        """The head of a request; `sender` is for whom a proxy on this machine says that it asks."""
        named = [f"X-Forwarded-For: {sender}"] if sender else []
        made = self.connect()
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *named, *lines, "", ""]
        made.sendall("\r\n".join(head).encode())
        return made

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def heard(one: socket.socket) -> str:
    """The head of the next answer; empty if the connection ended first."""
    text = b""
    while b"\r\n\r\n" not in text:
        try:
            part = one.recv(65_536)
        except ConnectionError:
            break
        if not part:
            break
        text += part
    return text.decode("latin-1")


def status(one: socket.socket) -> int:
    """The status of the next answer; 0 if the connection ended first."""
    text = heard(one)
    return int(text.split(" ", 2)[1]) if text else 0


def ended(one: socket.socket) -> bool:
    """Wait until the other side has ended the connection."""
    try:
        while one.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@contextmanager
def opened(app: Starlette) -> Iterator[Open]:
    """Serve `app` at its real door, in a thread, to the end of the block."""
    doors = Doors("127.0.0.1", 0, "127.0.0.1,::1")
    port = doors._public.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dt-") as folder:
        control = Path(folder) / "control.sock"
        thread = threading.Thread(
            target=doors.serve, args=(app, Starlette(), control, app.state.end_live), daemon=True
        )
        thread.start()
        door = Open(port)
        try:
            _wait(port)
            yield door
        finally:
            door.close()
            doors.stop(0)
            thread.join(PATIENCE_S)
            doors.close()


def _wait(port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if probe.recv(100).startswith(b"HTTP/1.1 200"):
                return
    raise AssertionError("the door does not open")
