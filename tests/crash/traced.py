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


class Missing(Exception):
    """A program of this machine that a fault needs is not there; the words name its package."""


@cache
def strace() -> str:
    """Where strace is. Missing if it is not there."""
    found = shutil.which("strace")
    if found is None:
        raise Missing("System calls are made to fail with strace. Install the package strace.")
    return found


def failing(calls: str, what: str, when: str, only: Path | None = None) -> list[str]:
    """The command to put before a house: `calls` (joined by commas) meet `what` (error=EIO, signal=KILL) on
    those occasions that `when` names (`7`, `7+`, `7..9`), counted in each thread by itself.

    With `only`, nothing but calls about this one file counts.
    """
    about = ["-P", str(only)] if only is not None else []
    # Not with --seccomp-bpf: it is faster, and then nothing but the first occasion is met.
    inject = f"inject={calls}:{what}:when={when}"
    return [strace(), "-f", "-qq", *about, "-e", f"trace={calls}", "-e", inject, "-o", os.devnull]
