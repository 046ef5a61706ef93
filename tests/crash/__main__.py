"""python -m tests.crash [--cycles N] [--minutes N] [--seed S] [--postgresql | --small] [--only PART]

Parts: cycles, kills, faults. With --postgresql the cycles alone: the others fail the files of a SQLite house.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from tests import postgres
from tests.crash import sweeps
from tests.crash.faults import Missing
from tests.crash.ledger import Broken
from tests.crash.loop import run
from tests.crash.served import Served
from tests.crash.small import Small
from tests.main.running import short_folder

# Which call of each kind is met, in `--only kills`: dense where everything is made, then ever rarer.
PLACES = (*range(1, 13), 16, 20, 25, 30, 40, 50, 70, 100, 150)
FLUSHES = (1, 2, 3, 4, 6, 8, 12, 20)
SPACE = ((1, 3), (5, 9), (30, 36), (60, 90))
# The signer writes its record anew, flushes it, puts it in the old one's place, and flushes the folder.
SIGNING = (
    ("write", "signer/record.new"),
    ("fsync", "signer/record.new"),
    ("rename", "signer/record.new"),
    ("fsync", "signer"),
)


def main() -> int:
    """0 if every promise was kept, 1 if one was broken, 2 if this machine cannot do what was asked."""
    asked = _arguments()
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "cycles": _cycles,
        "kills": _kills,
        "faults": _faults,
    }
    broken = 0
    for name, part in parts.items():
        if asked.only not in (None, name):
            continue
        try:
            part(asked)
        except Missing as missing:
            print(missing, file=sys.stderr)
            return 2
        except Broken as words:
            broken += 1
            print(f"\nBroken ({name}): {words}\n", flush=True)
    return int(broken > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--cycles", type=int, default=200, help="kill -9 that often (default 200)")
    parser.add_argument("--minutes", type=float, help="for the cycles: as many as fit, instead of --cycles")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--small", action="store_true", help="the writing half alone instead of the real server"
    )
    parser.add_argument(
        "--postgresql",
        action="store_true",
        help="the cycles of a house in a throw-away PostgreSQL, which fails now and then too",
    )
    parser.add_argument("--only", choices=("cycles", "kills", "faults"))
    asked = parser.parse_args()
    if asked.postgresql:
        os.environ[postgres.VARIABLE] = "postgresql"
        asked.only = "cycles"
    return asked


def _say(words: str) -> None:
    print(words, flush=True)


def _cycles(asked: argparse.Namespace) -> None:
    """kill -9 at any moment."""
    end = time.monotonic() + 60 * (asked.minutes or 0)

    def going(cycles: int) -> bool:
        return time.monotonic() < end if asked.minutes else cycles < asked.cycles

    with short_folder() as folder:
        report = run((Small if asked.small else Served)(folder), asked.seed, going, _say)
    moments = ", ".join(f"{many} while {moment}" for moment, many in sorted(report.moments.items()))
    _say(
        f"{report.cycles} cycles ({moments}) in {report.took_s:.0f} s, {report.under_load} of them under "
        f"load: {report.acknowledged:,} acknowledged and each present once, {report.unanswered:,} cut off, "
        f"{report.checkpoints:,} checkpoints, {report.torn.total()} spoilt files made again."
    )


def _kills(asked: argparse.Namespace) -> None:
    """SIGKILL in the midst of single calls, from the first start on."""
    names = count()
    with short_folder() as folder:
        house, places = (Small, PLACES) if asked.small else (Served, PLACES[::3])
        killed = sweeps.kills(house, lambda: folder / str(next(names)), places, tell=_say)
    _say(f"{killed.houses} houses killed in the midst of a call, {len(killed.broken)} broken by it.")
    if killed.broken:
        raise Broken("\n\n".join(killed.broken))


def _faults(asked: argparse.Namespace) -> None:
    """A failing and a full disk."""
    faults: list[tuple[str, Callable[[Path], sweeps.Seen]]] = []
    faults += [(f"flush {first} fails", partial(_flush, first)) for first in FLUSHES]
    faults += [
        (f"no space in writes {first} to {last}", partial(_space, first, last)) for first, last in SPACE
    ]
    faults += [
        (f"the signer's {call} of {about} fails", partial(_signer, call, about)) for call, about in SIGNING
    ]
    faults += [("no file may grow", sweeps.file_limit)]
    for name, meet in faults:
        with short_folder() as folder:
            _tell(name, meet(folder))
    with _small_disk() as disk:
        if disk is None:
            _say("a full disk: not tried, since no small file system can be mounted here.")
            return
        meanwhile, after = sweeps.full_disk(disk)
        _tell("the disk is full", meanwhile)
        _tell("there is room again", after)


def _flush(first: int, folder: Path) -> sweeps.Seen:
    return sweeps.under(folder, "fsync", errno.EIO, first)


def _space(first: int, last: int, folder: Path) -> sweeps.Seen:
    return sweeps.under(folder, "pwrite", errno.ENOSPC, first, last, 120)


def _signer(call: str, about: str, folder: Path) -> sweeps.Seen:
    return sweeps.signer_fails(folder, call, about, 1, 2)


def _tell(name: str, seen: sweeps.Seen) -> None:
    end = "went on" if seen.status is None else f"ended with status {seen.status}"
    words = seen.refused[0] if seen.refused else "nothing refused"
    _say(f"{name}: {seen.acknowledged} acknowledged, {len(seen.refused)} refused, {end}; {words}")


@contextmanager
def _small_disk() -> Iterator[Path | None]:
    """A file system of 24 MB of its own, or None where that is not allowed."""
    mount = shutil.which("mount")
    with short_folder() as folder:
        made = mount and subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if not made or made.returncode:
            yield None
            return
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


if __name__ == "__main__":
    sys.exit(main())
