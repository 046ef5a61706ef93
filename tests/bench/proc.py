"""What Linux says of a process: the CPU it used, the memory it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.crash.victim import Victim

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


def pid_of(victim: Victim) -> int:
    """The process of a house that runs."""
    assert victim.process is not None
    return victim.process.pid


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used with all its threads."""
    # The name may hold spaces; what follows its bracket does not (proc(5): utime and stime are 14 and 15).
    told = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) * _TICK_S


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional memory (RSS and PSS) in megabytes of 1,000,000 bytes, of a process with its
    children: of theirs, RSS counts what they share with nobody, since they were forked from it.
    """
    own = _rollup(pid)
    rss, pss = own["Rss"], own["Pss"]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
        theirs = _rollup(int(child))
        rss += theirs["Private_Clean"] + theirs["Private_Dirty"]
        pss += theirs["Pss"]
    return rss * 1024 / 1e6, pss * 1024 / 1e6


def _rollup(pid: int) -> dict[str, int]:
    told = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return {line.split(":")[0]: int(line.split()[1]) for line in told.splitlines()[1:]}
