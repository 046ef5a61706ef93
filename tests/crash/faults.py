"""Making calls to the system fail in a running house, through a small library put before libc: `faults.c`."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

# Every call by which something reaches the disk, by its bit in faults.c.
CALLS: Final = {
    "fsync": 1,
    "pwrite": 2,
    "write": 4,
    "ftruncate": 8,
    "rename": 16,
    "unlink": 32,
    "mkdir": 64,
}
# Instead of an error: die before the call, or in the midst of a write.
KILL: Final = -1
KILL_IN_HALF: Final = -2
FOR_EVER: Final = 2**62
_SHAPE: Final = struct.Struct("=qqqqq216s")
_SOURCE: Final = Path(__file__).with_name("faults.c")


class Missing(Exception):
    """A program of this machine that a fault needs is not there; the words name its package."""


class Faults:
    """Faults of one house. `environment` must be in its process's; nothing fails until `fail`."""

    def __init__(self, folder: Path) -> None:
        """Compile the library into `folder`. Missing without a C compiler."""
        folder.mkdir(parents=True, exist_ok=True)
        library, control = folder / "faults.so", folder / "faults.control"
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise Missing(
                "Calls are made to fail by a small C library. Install the packages gcc and libc6-dev."
            )
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(_SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"The C library of the faults cannot be made: {done.stderr.strip()}")
        control.write_bytes(bytes(_SHAPE.size))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), _SHAPE.size)
        self.environment = {"LD_PRELOAD": str(library), "CRASH_CONTROL": str(control)}

    def fail(self, call: str, error: int, first: int = 1, last: int = FOR_EVER, about: str = "") -> None:
        """From now on `call` (of any thread) gives `error` (or KILL) on its `first` to `last` occasion.

        Only calls about a path that ends with `about` count.
        """
        self.clear()
        self._control[:] = _SHAPE.pack(CALLS[call], error, first, last, 0, about.encode())

    def clear(self) -> None:
        """Nothing fails any more."""
        self._control[:] = bytes(_SHAPE.size)

    @property
    def met(self) -> int:
        """How often a call was made since `fail`."""
        return int(_SHAPE.unpack(self._control[:])[4])
