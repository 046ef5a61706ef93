"""What the town remembers between two runs of the demo: one JSON file, written whole each time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from demo.faults import Fault

_FILE: Final = "town.json"


class Memory:
    """Names and values in `.demo/town.json`, which also marks the folder as a demo's own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        self._values: dict[str, Any] = {}
        if self._file.exists():
            try:
                self._values = json.loads(self._file.read_text())
            except (ValueError, OSError):
                raise Fault(2, f"{self._file} cannot be read; begin anew with --fresh.") from None

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A value, or `otherwise`."""
        return self._values.get(name, otherwise)

    def put(self, name: str, value: Any) -> None:
        """Remembers a value, at once."""
        self._values[name] = value
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._values, indent=1))
        os.replace(fresh, self._file)

    def count(self, name: str) -> int:
        """The next number of this name, from 1."""
        self.put(name, self.get(name, 0) + 1)
        return int(self.get(name))


def is_marked(folder: Path) -> bool:
    """Whether a folder was made by the demo."""
    return (folder / _FILE).exists()
