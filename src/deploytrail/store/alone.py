"""Being the one process that serves a house in PostgreSQL, and hearing what others append to it.

Appends are safe from any number of processes, since each holds the head. But what a person's erasure must
reach lies in the memory and the files of the process that serves; so only one does, and another takes its
place when it is gone. The lock is that of a session: the server gives it free when the process ends, its
machine stops, or the connection breaks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

from deploytrail.errors import Refused
from deploytrail.store.postgresql import CHANNEL, Server, lock_of

# Seconds between two looks whether the connection still stands.
_LOOK_S: Final = 1.0
_TAKE: Final = f"SELECT pg_try_advisory_lock({lock_of('serve')})"


class Alone:
    """Holds the lock of a database from `take` to `close`.

    `heard` is called when somebody appended; `lost` once, with words, when another process has the lock.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: psycopg.Connection[Any] | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.heard: Callable[[], None] = lambda: None
        self.lost: Callable[[str], None] = lambda words: None

    def take(self) -> bool:
        """Become the one; False if another process is."""
        connection = self._server.connect()
        connection.autocommit = True
        taken = connection.execute(_TAKE).fetchone() == (True,)
        if not taken:
            connection.close()
            return False
        connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection
        return True

    def start(self) -> None:
        """Listen from now on, and take the lock again after the connection broke."""
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the lock free."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._connection is not None:
            self._connection.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (psycopg.Error, Refused):
                # The server is away. It may come back, and others may be faster.
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                self._ended.wait(_LOOK_S)

    def _listen(self) -> None:
        if self._connection is None:
            if not self.take():
                self._ended.set()
                self.lost("Another process has taken over this house while the database was away.")
                return
            self.heard()
        assert self._connection is not None
        for _ in self._connection.notifies(timeout=_LOOK_S, stop_after=1):
            self.heard()
        self._connection.execute("SELECT 1")
