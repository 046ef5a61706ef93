"""Child programs on a leash: each ends with the demo, however the demo ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 5.0
_LEASH: Final = Path(__file__).with_name("leash.py")


class Child:
    """A program in a session of its own, so that Ctrl-C reaches it only through us."""

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], text: Path
    ) -> None:
        self.name, self.text = name, text
        with text.open("ab") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-E", "-s", "-S", "-B", str(_LEASH), str(os.getpid()), *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ended(self) -> int | None:
        """The exit status, None while it runs."""
        return self._popen.poll()

    def stop(self, patience: float = _PATIENCE_S) -> None:
        """Asks it to end, then makes it; with everything it started."""
        self._tell(signal.SIGTERM)
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self._tell(signal.SIGKILL)
            self._popen.wait()

    def _tell(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            # It leads its own group; the group is gone when it is.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def last_words(self, lines: int = 3) -> str:
        """The last lines it printed that say anything."""
        with self.text.open("rb") as text:
            text.seek(max(0, self.text.stat().st_size - 4000))
            said = text.read().decode(errors="replace").splitlines()
        words = [line.strip() for line in said if any(letter.isalnum() for letter in line)]
        return " / ".join(words[-lines:])
