"""Making single calls to the system fail in a running house, with strace."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Final

# Every call by which something reaches the disk, as SQLite and the signer make them.
WRITING: Final = (
    "pwrite64",
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "openat",
    "rename",
    "unlink",
    "mkdir",
)


@cache
def strace() -> str:
    """Where strace is. SystemExit with the package to install if it is not there or may not trace."""
    found = shutil.which("strace")
    if found is None:
        raise SystemExit("These tests make system calls fail with strace; install the package strace.")
    return found


def failing(calls: str, what: str, when: str, words: Path | str = os.devnull) -> list[str]:
    """The command to put before a house: `calls` (joined by commas) meet `what` (error=EIO, signal=KILL) on
    those occasions that `when` names (`7`, `7+`, `7..9`), counted in each thread by itself.
    """
    inject = f"inject={calls}:{what}:when={when}"
    return [strace(), "-f", "-qq", "-e", f"trace={calls}", "-e", inject, "-o", str(words)]
