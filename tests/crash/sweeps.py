"""Faults of the disk, one at a time: what is acknowledged under them is there after a restart, once."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.crash.faults import CALLS, FOR_EVER, KILL, KILL_IN_HALF, Faults
from tests.crash.items import item
from tests.crash.judge import judge
from tests.crash.ledger import Broken, Ledger
from tests.crash.loop import settle
from tests.crash.served import Served
from tests.crash.victim import Answer, Gone, Victim

# Told one after another; a fault that has not shown itself by then never will.
_MANY: Final = 60


@dataclass
class Seen:
    """What a fault looked like from outside."""

    acknowledged: int = 0
    refused: list[str] = field(default_factory=list)
    gone: bool = False
    status: int | None = None
    diagnostics: str = ""


def told_under(victim: Victim, ledger: Ledger, first: int, count: int = _MANY) -> Seen:
    """Tell `count` items one by one, until the house is gone."""
    seen = Seen()
    for number in range(first, first + count):
        ledger.unknown.add(number)
        try:
            answer: Answer = victim.tell(item(number))
        except Gone:
            seen.gone = True
            break
        ledger.told(item(number), answer)
        if answer.index is None:
            seen.refused.append(answer.words)
        else:
            seen.acknowledged += 1
    seen.status = victim.ended(3.0 if seen.gone or seen.refused else 0.0)
    seen.diagnostics = victim.said()
    return seen


def recovered(victim: Victim, ledger: Ledger) -> None:
    """Without the fault: it starts, takes all that is unanswered, and its files are whole. Else Broken."""
    victim.kill()
    if victim.faults is not None:
        victim.faults.clear()
    victim.start()
    if not victim.ready():
        raise Broken(f"it did not start again after the fault:\n{victim.said()}")
    if not victim.vkey:
        victim.prepare()
    settle(victim, ledger)
    if victim.stop() != 0:
        raise Broken(f"it did not stop in order after the fault:\n{victim.said()}")
    judge(victim.data, victim.vkey, ledger)
    victim.fsck()


def under(
    folder: Path, call: str, error: int, first: int = 1, last: int = FOR_EVER, count: int = _MANY
) -> Seen:
    """A real house in which these calls fail while it runs, told, and recovered from it."""
    faults = Faults(folder / "faults")
    victim, ledger = Served(folder, faults), Ledger()
    try:
        _begin(victim, ledger)
        faults.fail(call, error, first, last)
        seen = told_under(victim, ledger, 4, count)
        recovered(victim, ledger)
    finally:
        victim.kill()
    return seen


def _begin(victim: Victim, ledger: Ledger) -> None:
    """Start a new house and tell it three things, all without faults; it runs."""
    victim.start()
    if not victim.ready():
        raise Broken(f"it does not start at all:\n{victim.said()}")
    victim.prepare()
    told_under(victim, ledger, 1, 3)
    settle(victim, ledger)


def signer_fails(folder: Path, call: str, about: str, first: int, last: int) -> Seen:
    """The signer's disk fails on these occasions, and works again: recording goes on, sealing catches up."""
    faults = Faults(folder / "faults")
    victim, ledger = Served(folder, faults), Ledger()
    try:
        _begin(victim, ledger)
        faults.fail(call, errno.EIO, first, last, about)
        seen = Seen()
        for start in range(4, 24, 5):
            part = told_under(victim, ledger, start, 5)
            seen.acknowledged += part.acknowledged
            seen.refused += part.refused
            # A checkpoint is signed at most five times a second.
            time.sleep(0.3)
        if faults.met < last:
            raise Broken(f"the signer's disk was asked only {faults.met} times")
        settle(victim, ledger)
        seen.status, seen.diagnostics = victim.ended(0.0), victim.said()
        recovered(victim, ledger)
    finally:
        victim.kill()
    return seen


def file_limit(folder: Path, room: int = 64 * 1024) -> Seen:
    """No file of the running house may grow by more than `room` bytes (RLIMIT_FSIZE)."""
    victim, ledger = Served(folder), Ledger()
    try:
        _begin(victim, ledger)
        assert victim.process is not None
        largest = max(path.stat().st_size for path in victim.data.iterdir() if path.is_file())
        resource.prlimit(victim.process.pid, resource.RLIMIT_FSIZE, (largest + room, resource.RLIM_INFINITY))
        seen = told_under(victim, ledger, 4, 400)
        recovered(victim, ledger)
    finally:
        victim.kill()
    return seen


def full_disk(folder: Path) -> tuple[Seen, Seen]:
    """The disk of the data folder is full for a while: what was seen meanwhile, and once there was room.

    `folder` must be a small file system of its own.
    """
    victim, ledger = Served(folder), Ledger()
    ballast = folder / "ballast"
    try:
        _begin(victim, ledger)
        _fill(ballast)
        meanwhile = told_under(victim, ledger, 4, 100)
        ballast.unlink()
        if meanwhile.status is not None:
            victim.start()
            victim.ready()
        after = told_under(victim, ledger, 200, 20)
        recovered(victim, ledger)
    finally:
        ballast.unlink(missing_ok=True)
        victim.kill()
    return meanwhile, after


def _fill(ballast: Path) -> None:
    """Write until the disk takes no more."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


@dataclass
class Killed:
    """How many houses were killed in the midst of a call, and what was broken by it."""

    houses: int = 0
    broken: list[str] = field(default_factory=list)


def kills(
    house: Callable[[Path, Faults], Victim],
    folders: Callable[[], Path],
    places: Iterable[int],
    calls: Iterable[str] = CALLS,
    tell: Callable[[str], None] = lambda _: None,
) -> Killed:
    """Death before the n-th call of each kind that writes, and in the midst of it, from the first start on.

    Each time in a new folder. A kind is done as soon as a house outlives its n-th call.
    """
    killed = Killed()
    for call in calls:
        for nth in places:
            try:
                if _outlives(house, folders(), call, nth):
                    break
                killed.houses += 1
            except Broken as broken:
                killed.broken.append(f"killed in call {nth} of {call}: {broken}")
        tell(f"{call}: {killed.houses} killed so far, {len(killed.broken)} broken")
    return killed


def _outlives(house: Callable[[Path, Faults], Victim], folder: Path, call: str, nth: int) -> bool:
    """One house, killed in its n-th call; True if it outlived all it was told. Broken as `recovered`."""
    faults = Faults(folder / "faults")
    victim, ledger = house(folder, faults), Ledger()
    faults.fail(call, KILL_IN_HALF if call in ("write", "pwrite") and nth % 2 else KILL, nth)
    try:
        victim.start()
        outlived = victim.ready() and _prepared(victim) and not told_under(victim, ledger, 1, 25).gone
        if outlived:
            # What is signed and published in the background may still meet the call.
            outlived = victim.ended(0.5) is None
        recovered(victim, ledger)
    finally:
        victim.kill()
    return outlived


def _prepared(victim: Victim) -> bool:
    """Whether the house lived until it was ready to be told."""
    try:
        victim.prepare()
    except Broken:
        if victim.ended(5.0) is None:
            raise
        return False
    return True
