"""Sealing: the newest head is signed and published. A second step after the acknowledgement, safe to run twice.

The signer does not believe the database: it hashes the new entries into the tree it signed last, and signs
only if that gives the head's root. A restored folder or an edited tree therefore cannot be signed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

from deploytrail.app.ports import Clock, Log, Signed, Signer
from deploytrail.app.tiles import TileReader
from deploytrail.errors import Refused
from deploytrail.tlog.proofs import root_at

_BATCH: Final = 2_000
# Something new is signed at most this often, in seconds.
PAUSE: Final = 0.2


class Sealer:
    """Signs and publishes. `state` is "signed", "behind" or "refused"; `words` say why.

    `on_refusal` is called once with words when the signer refuses this history.
    """

    def __init__(self, log: Log, signer: Signer, clock: Clock) -> None:
        self._log, self._signer, self._clock = log, signer, clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiters = threading.Condition()
        self.state = "signed"
        self.words = ""
        self.signed_at: int | None = None
        self.on_refusal: Callable[[str], None] | None = None
        self.listeners: list[Callable[[int], None]] = []

    @property
    def vkey(self) -> str:
        """The verifier key of this log."""
        return self._signer.vkey

    def check(self) -> None:
        """Compare the log with the signer's own record before anything is recorded.

        Refused("untrue") if the log is shorter than what was signed, or another history.
        """
        try:
            self._check()
        except Refused as refusal:
            self._refuse(refusal.words)
            raise

    def seal(self) -> Signed | None:
        """Sign and publish the newest head now; what is published. Refused("untrue") as `check`."""
        with self._lock:
            head = self._log.head()
            last = self._signer.last()
            if last is not None and last.size == head.size and last.root == head.root:
                signed = last
            else:
                start = last.size if last else 0
                try:
                    signed = self._signer.sign(self._bodies(start, head.size), head)
                except Refused as refusal:
                    self._refuse(refusal.words)
                    raise
            published = self._log.checkpoint()
            if published is None or published.size < signed.size:
                self._log.publish(signed)
            self.state, self.words = "signed", ""
            self.signed_at = self._clock.now()
        with self._waiters:
            self._waiters.notify_all()
        for listener in self.listeners:
            listener(signed.size)
        return signed

    def wait(self, size: int, timeout: float) -> bool:
        """Wait until a checkpoint of at least `size` is published; False if it took longer than `timeout` s."""
        self.wake()

        def there() -> bool:
            published = self._log.checkpoint()
            return published is not None and published.size >= size

        with self._waiters:
            return self._waiters.wait_for(there, timeout)

    def wake(self, size: int = 0) -> None:
        """Something new may be in the log."""
        self._wake.set()

    def start(self) -> None:
        """Seal in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Seal a last time, then end."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            self._wake.wait(timeout=5)
            self._wake.clear()
            if self.state != "refused":
                self._try()
            if self._stop.wait(PAUSE):
                if self.state != "refused":
                    self._try()
                return

    def _try(self) -> None:
        try:
            self.seal()
        except Refused as refusal:
            if self.state != "refused":
                self.state, self.words = "behind", refusal.words

    def _refuse(self, words: str) -> None:
        first = self.state != "refused"
        self.state, self.words = "refused", words
        if first and self.on_refusal:
            self.on_refusal(words)

    def _check(self) -> None:
        last, head, published = self._signer.last(), self._log.head(), self._log.checkpoint()
        if last is None:
            if published is not None:
                raise Refused(
                    "untrue",
                    f"This log was signed up to size {published.size}, but the signer has no record of it. "
                    "Bring back the signer's folder; without it this log cannot go on.",
                )
            return
        if last.size > head.size:
            raise Refused(
                "untrue",
                f"The signer signed this log at size {last.size}; the log now ends at {head.size}. It was rolled "
                "back (an older copy of the data folder?). Bring back the newer one; nothing is recorded here.",
            )
        if root_at(last.size, TileReader(self._log)) != last.root:
            raise Refused(
                "untrue",
                f"The first {last.size} entries are not those that were signed: this history was rewritten. "
                "Nothing is recorded here; see `deploytrail fsck`.",
            )
        if published is None or published.size < last.size:
            # We stopped between signing and publishing: publish what was signed.
            self._log.publish(last)

    def _bodies(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, _BATCH):
            for row in self._log.entries(at, min(at + _BATCH, stop)):
                yield row.body
