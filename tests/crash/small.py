"""The writing half of a house as a victim: see `small_child`."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, TimeoutError
from typing import Any

from deploytrail.notary.file_signer import FileSigner
from tests.crash.items import Item
from tests.crash.small_child import ORIGIN
from tests.crash.victim import ANSWER_S, START_S, Answer, Gone, Victim


class Small(Victim):
    """Spoken to over pipes: the end of its output is the end of all waiting."""

    def command(self) -> list[str]:
        """What to run."""
        return [sys.executable, "-m", "tests.crash.small_child", str(self.data), str(self.signer)]

    def start(self) -> None:
        """Start it, and read what it says."""
        super().start()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Answer]] = {}
        self._ready: Future[bool] = Future()
        self._over = False
        self._newest: bytes | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def prepare(self) -> None:
        """Learn its verifier key."""
        self.vkey = FileSigner(self.signer, ORIGIN).vkey

    def fsck(self) -> None:
        """Half a house has no commands; `judge` has looked."""

    def caught_up(self, acknowledged: Mapping[int, int]) -> None:
        """Half a house has no followers."""

    def ready(self) -> bool:
        """Wait until it records."""
        return self._ready.result(START_S)

    def tell(self, item: Item) -> Answer:
        """Write a line, wait for its answer."""
        assert self.process is not None
        assert self.process.stdin is not None
        line = {"number": item.number, "body": item.body.decode(), "headers": item.headers}
        future: Future[Answer] = Future()
        with self._lock:
            if self._over:
                raise Gone
            if item.number in self._waiting:
                future = self._waiting[item.number]
            self._waiting[item.number] = future
            try:
                self.process.stdin.write(json.dumps(line).encode() + b"\n")
                self.process.stdin.flush()
            except (OSError, ValueError):
                raise Gone from None
        try:
            return future.result(ANSWER_S)
        except TimeoutError:
            raise Gone from None

    def checkpoint(self) -> bytes | None:
        """The newest that it told of."""
        if self._over:
            raise Gone
        return self._newest

    def stop(self, patience_s: float = 10.0) -> int:
        """End its input; its exit status."""
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        status = self.process.wait(patience_s)
        self._close()
        return status

    def terminate(self) -> None:
        """End its input, without waiting."""
        assert self.process is not None
        assert self.process.stdin is not None
        with self._lock, contextlib.suppress(OSError):
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                with contextlib.suppress(json.JSONDecodeError):
                    self._take(json.loads(line))
        self._end()

    def _take(self, said: dict[str, Any]) -> None:
        if "ready" in said:
            self._ready.set_result(True)
        elif "checkpoint" in said:
            self._newest = said["checkpoint"].encode()
        else:
            with self._lock:
                waiting = self._waiting.pop(said["number"], None)
            if waiting is not None:
                waiting.set_result(
                    Answer(said.get("index"), said.get("repeat", False), said.get("words", ""))
                )

    def _end(self) -> None:
        with self._lock:
            self._over = True
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(Gone())
        if not self._ready.done():
            self._ready.set_result(False)
