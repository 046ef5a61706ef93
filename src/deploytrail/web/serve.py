"""Listening: the public address and the control socket, and an end within seconds."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, Literal

import uvicorn
from starlette.types import ASGIApp

from deploytrail.errors import Refused
from deploytrail.web.patient import Patient

# Open requests get so many seconds to end by themselves.
GRACE: Final = 2
_BACKLOG: Final = 2048


class Doors:
    """Binds the public address at once, so that a taken port is known before anything is opened.

    `proxies`: addresses and networks, with commas between, whose word on who asks is taken.
    """

    def __init__(self, host: str, port: int, proxies: str = "") -> None:
        self._proxies = proxies
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._public = socket.create_server((host.strip("[]"), port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise Refused(
                "unavailable",
                f"Port {port} of {host} cannot be listened on: {error.strerror}. Choose another with --port.",
            ) from None
        self._server: _Server | None = None
        self._status = 0

    def serve(self, public: ASGIApp, control: ASGIApp, path: Path, end_live: Callable[[], None]) -> int:
        """Serve both until a signal or `stop`; the exit status. `end_live` ends streams that hold us up."""
        control_server = _Server(_settings(control, "asyncio", ""), lambda: None)
        control_socket = _bind(path)
        thread = threading.Thread(
            target=lambda: control_server.run(sockets=[control_socket]), name="control", daemon=True
        )
        self._server = _Server(_settings(public, "uvloop", self._proxies), end_live)
        if self._status:
            self._server.should_exit = True
        thread.start()
        try:
            self._server.run(sockets=[self._public])
        finally:
            control_server.should_exit = True
            thread.join(timeout=GRACE + 3)
            path.unlink(missing_ok=True)
        return self._status

    def stop(self, status: int) -> None:
        """End with this exit status. For any thread."""
        self._status = status
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Let the public address go."""
        self._public.close()


class _Server(uvicorn.Server):
    """Ends open streams as soon as it is told to stop, not after waiting for them."""

    def __init__(self, settings: uvicorn.Config, end_live: Callable[[], None]) -> None:
        super().__init__(settings)
        self._end_live = end_live

    async def on_tick(self, counter: int) -> bool:
        """In the loop, ten times a second: whether to end."""
        over = await super().on_tick(counter)
        if over:
            self._end_live()
        return over

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End. Unlike uvicorn's own, the signal is not raised again: the log has still to be closed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def _settings(app: ASGIApp, loop: Literal["uvloop", "asyncio"], proxies: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop=loop,
        http=Patient,
        ws="none",
        lifespan="auto",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )


def _bind(path: Path) -> socket.socket:
    """A Unix socket that only its owner can open."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    except OSError as error:
        made.close()
        raise Refused(
            "unavailable", f"The control socket {path} cannot be made ({error}); its path may be too long."
        ) from None
    finally:
        os.umask(before)
    made.listen(16)
    return made
