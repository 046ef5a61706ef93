"""Sealing: the newest head is signed and published, a step of its own after recording, safe to run twice.

The signer does not believe the database: it hashes the new entries into the tree it signed last, and signs
only if that gives the head's root. A restored folder or an edited tree therefore cannot be signed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from deploytrail.app.listeners import tell_all
from deploytrail.app.ports import Clock, Log, Signed, Signer
from deploytrail.app.tiles import TileReader
from deploytrail.errors import Refused
from deploytrail.tlog.proofs import root_at

diagnostics = logging.getLogger("deploytrail.seal")

_BATCH: Final = 2_000
# Something new is signed at most this often, in seconds.
PAUSE: Final = 0.2
_OLD_RECORD: Final = (
    "A checkpoint of size {published} was published, but the signer remembers {signed} as the last one it "
    "signed: its folder is an older copy. Bring back the newer one; nothing is recorded until then."
)
T = TypeVar("T")


class Sealer:
    """Signs and publishes. `state` is "signed", "behind" or "refused"; `words` say why.

    "refused" is for good: this history is not the one that was signed, until somebody looked at it and
    started the house again. `on_refusal` is called once with the words. `listeners` are called with the size
    of each checkpoint that was published; neither can harm the sealing, whatever they raise. `signed_at` (UTC
    ms) is when something was signed last, in this run.
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
        with self._lock:
            self._guarded(self._check)

    def seal(self) -> Signed | None:
        """Sign and publish the newest head now; the newest published checkpoint.

        Refused("untrue") as `check`; Refused("unavailable") or "busy" when it can be tried again.
        """
        with self._lock:
            if self.state == "refused":
                raise Refused("untrue", self.words)
            signed, new = self._guarded(self._seal)
            self.state, self.words = "signed", ""
        if new:
            with self._waiters:
                self._waiters.notify_all()
            tell_all(self.listeners, signed.size)
        return signed

    def wait(self, size: int, timeout: float) -> bool:
        """Wait until a checkpoint of at least `size` is published.

        False if that takes longer than `timeout` seconds, or will not come since the signer refuses.
        """
        self.wake()

        def settled() -> bool:
            return self.state == "refused" or self._published() >= size

        with self._waiters:
            self._waiters.wait_for(settled, timeout)
        return self._published() >= size

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
            self._try()
            if self._stop.wait(PAUSE):
                self._try()
                return

    def _try(self) -> None:
        if self.state == "refused":
            return
        try:
            self.seal()
        except Refused as refusal:
            self._behind(refusal.words)
        except Exception as error:
            diagnostics.exception("sealing failed")
            self._behind(f"Sealing failed ({type(error).__name__}). It is tried again.")

    def _behind(self, words: str) -> None:
        if self.state != "refused":
            self.state, self.words = "behind", words

    def _published(self) -> int:
        published = self._log.checkpoint()
        return -1 if published is None else published.size

    def _guarded(self, step: Callable[[], T]) -> T:
        """Do `step`; a refusal that says "untrue" is for good, any other may pass."""
        try:
            return step()
        except Refused as refusal:
            if refusal.code == "untrue":
                self._refuse(refusal.words)
            raise

    def _refuse(self, words: str) -> None:
        first = self.state != "refused"
        self.state, self.words = "refused", words
        with self._waiters:
            self._waiters.notify_all()
        if first and self.on_refusal:
            tell_all([self.on_refusal], words)

    def _seal(self) -> tuple[Signed, bool]:
        """The newest checkpoint, and whether it was published only now."""
        head, last = self._log.head(), self._signer.last()
        if last is not None and (last.size, last.root) == (head.size, head.root):
            signed = last
        else:
            signed = self._signer.sign(self._bodies(last.size if last else 0, head.size), head)
            self.signed_at = self._clock.now()
        published = self._log.checkpoint()
        if published is not None and (published.size, published.root) == (signed.size, signed.root):
            return signed, False
        if published is not None and published.size > signed.size:
            raise Refused("untrue", _OLD_RECORD.format(published=published.size, signed=signed.size))
        self._log.publish(signed)
        return signed, True

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
        if published is not None and published.size > last.size:
            raise Refused("untrue", _OLD_RECORD.format(published=published.size, signed=last.size))
        if last.size > head.size:
            raise Refused(
                "untrue",
                f"The signer signed this log at size {last.size}; the log now ends at {head.size}. It was "
                "rolled back (an older copy of the data folder?). Bring back the newer one; "
                "nothing is recorded here.",
            )
        if self._root_at(last.size) != last.root:
            raise Refused(
                "untrue",
                f"The first {last.size} entries are not those that were signed: this history was rewritten. "
                "Nothing is recorded here; see `deploytrail fsck`.",
            )
        if published is None or (published.size, published.root) != (last.size, last.root):
            # We stopped between signing and publishing: publish what was signed.
            self._log.publish(last)

    def _root_at(self, size: int) -> bytes | None:
        """The root that the log's tree had at a size; None if parts of the tree are gone."""
        try:
            return root_at(size, TileReader(self._log))
        except Refused as refusal:
            if refusal.code == "not-found":
                return None
            raise

    def _bodies(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, _BATCH):
            for row in self._log.entries(at, min(at + _BATCH, stop)):
                yield row.body
