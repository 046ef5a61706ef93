"""Loads a real ledger: converts its records and imports them over HTTP, beside the town's own life."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from demo.house import House
from demo.pipeline import Timer

_ROOT: Final = Path(__file__).parents[1]
_CONVERTER: Final = _ROOT / "tools" / "ledger_to_facts.py"
# A real ledger of four years that may lie beside the checkout.
OFFERED: Final = _ROOT.parent / "shared" / "histories" / "govuk-deployments-to-2024.jsonl.gz"


def offered() -> Path | None:
    """The ledger beside the checkout, if there is one."""
    return OFFERED if OFFERED.exists() else None


class Ledger:
    """One import, in two programs one after the other: the converter, then `deploytrail import jsonl`."""

    def __init__(
        self, file: Path, house: House, folder: Path, token: str, say: Callable[[str], None]
    ) -> None:
        self._house, self._say, self._token = house, say, token
        self._facts = folder / "ledger.jsonl"
        self._text = folder / "import.txt"
        self._timer = Timer()
        self._count = 0
        self._out = self._text.open("wb")
        self._importing = False
        self._step: subprocess.Popen[bytes] | None = self._begin(
            [sys.executable, str(_CONVERTER), str(file.resolve()), "--out", str(self._facts)], {}
        )
        say(f"loading the ledger {file.name}")

    def look(self) -> None:
        """Goes on to the next step if the one before has ended. Called now and then."""
        if self._step is None or self._step.poll() is None:
            return
        status, self._step = self._step.returncode, None
        if status:
            self._say(f"the ledger was not loaded (status {status}): {self._last_words()}")
        elif self._importing:
            seconds = self._timer.ms() / 1000
            self._facts.unlink(missing_ok=True)
            self._say(f"loaded the ledger: {self._count} facts in {seconds:.0f} s")
        else:
            self._import()

    def _import(self) -> None:
        with self._facts.open("rb") as facts:
            self._count = sum(1 for _ in facts)
        self._importing, self._timer = True, Timer()
        self._say(f"importing {self._count} facts over HTTP")
        command = [sys.executable, "-m", "deploytrail", "import", "jsonl", str(self._facts)]
        self._step = self._begin([*command, "--url", self._house.url], {"DEPLOYTRAIL_TOKEN": self._token})

    def _begin(self, command: list[str], more: dict[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self._facts.parent,
            env=self._house.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _last_words(self) -> str:
        lines = self._text.read_text(errors="replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """Ends an import that has not ended."""
        if self._step and self._step.poll() is None:
            self._step.terminate()
            try:
                self._step.wait(5)
            except subprocess.TimeoutExpired:
                self._step.kill()
                self._step.wait()
        self._out.close()
