"""A house in a process of its own, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from tests.crash.faults import Faults
from tests.crash.items import Item

START_S: Final = 60.0
ANSWER_S: Final = 20.0


class Server(Protocol):
    """A database server of our own."""

    def halt(self, mode: str = "fast") -> None:
        """Stop it; "immediate": as a crash would."""

    def start(self) -> None:
        """Start it again; it answers on return."""

    def do(self, text: str) -> list[tuple[Any, ...]]:
        """Run one statement."""


class Gone(Exception):
    """No answer came: nobody knows whether it was recorded."""


class Answer(NamedTuple):
    """What the house said. `index` where it stands; None when it was refused, with `words`."""

    index: int | None  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    repeat: bool = False
    words: str = ""


class Victim(ABC):
    """A house whose data lies in `folder`, perhaps with `faults`."""

    def __init__(self, folder: Path, faults: Faults | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data, self.signer = folder, folder / "data", folder / "signer"
        self.faults = faults
        self.process: subprocess.Popen[bytes] | None = None
        self.vkey = ""

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def ready(self) -> bool:
        """Wait until it records; False if it ended before."""

    @abstractmethod
    def tell(self, item: Item) -> Answer:
        """Tell one thing and wait for the answer. Gone if none came."""

    @abstractmethod
    def checkpoint(self) -> bytes | None:
        """The newest published checkpoint; None if there is none. Gone if there was no answer."""

    @abstractmethod
    def prepare(self) -> None:
        """Give the new, running house what it needs before it can be told anything, and learn its `vkey`."""

    @abstractmethod
    def fsck(self) -> None:
        """Let the house's own judge look at the files; it is stopped. Broken if it finds anything."""

    @abstractmethod
    def caught_up(self, acknowledged: Mapping[int, int]) -> None:
        """Wait until whatever follows the log of the running house has all of it, and can find what was told
        (index by number of the item). Broken if it does not; half a house has no followers.
        """

    def tear(self, chance: Random) -> str | None:
        """Spoil a file of the stopped house that can be made again; its name, None if there is none."""
        return None

    @property
    def server(self) -> Server | None:
        """The database server that the house stands on, which can fail too; None for files."""
        return None

    def environment(self) -> dict[str, str]:
        """The environment of its process."""
        return dict(os.environ) | (self.faults.environment if self.faults else {})

    @property
    def words(self) -> Path:
        """Where its diagnostics go."""
        return self.folder / "diagnostics.txt"

    def start(self) -> None:
        """Start it, without waiting."""
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,
                env=self.environment(),
                cwd=Path(__file__).parents[2],
            )

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()
            self._close()

    def stop(self, patience_s: float = 10.0) -> int:
        """SIGTERM; its exit status. TimeoutExpired if it takes longer."""
        assert self.process is not None
        self._signal(signal.SIGTERM)
        status = self.process.wait(patience_s)
        self._close()
        return status

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._signal(signal.SIGTERM)

    def ended(self, patience_s: float) -> int | None:
        """Its exit status if it ends by itself within `patience_s`, else None."""
        assert self.process is not None
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """The end of its diagnostics."""
        return self.words.read_text(errors="replace")[-2_000:] if self.words.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _close(self) -> None:
        assert self.process is not None
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
