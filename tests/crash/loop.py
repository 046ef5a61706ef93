"""The cycles: start, tell from many sides, kill -9 at a random moment, start again; in the end, judge."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.crash.items import item
from tests.crash.judge import judge
from tests.crash.ledger import Broken, Ledger
from tests.crash.victim import Gone, Server, Victim

SENDERS: Final = 6
# When a cycle is killed: while it starts, at a random moment, while a checkpoint is signed and published, or
# while it stops in order.
MOMENTS: Final = ("starting", "telling", "telling", "sealing", "stopping")
# And where a database server is there to fail under it: its connections cut off, or itself killed.
SERVER_MOMENTS: Final = ("cutting off", "halting")
# How often a killed house finds a file spoilt that it can make again.
_TORN: Final = 0.1
_LONGEST_S: Final = 0.7
_SETTLING_S: Final = 60.0


@dataclass
class Report:
    """What a run did. `size` is that of the log in the end; `torn` counts files spoilt between two lives."""

    cycles: int = 0
    torn: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    size: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    checkpoints: int = 0
    took_s: float = 0.0

    @property
    def under_load(self) -> int:
        """How often it was killed while somebody told it something."""
        return self.cycles - self.moments["starting"]


def run(
    victim: Victim,
    seed: int,
    going: Callable[[int], bool],
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Cycles while `going(cycles done)`, then everything unanswered is told again and the folder judged.

    Broken, with the seed, when a promise does not hold.
    """
    chance, ledger, report = Random(seed), Ledger(), Report()
    deck: list[str] = []
    start = time.monotonic()
    try:
        _start(victim)
        startup_s = time.monotonic() - start
        victim.prepare()
        victim.kill()
        while going(report.cycles):
            deck = deck or _shuffled(victim, chance)
            _cycle(victim, ledger, chance, deck.pop(), startup_s, report)
            if report.cycles % 10 == 0:
                tell(f"{report.cycles} cycles, {len(ledger.acknowledged)} acknowledged")
        _settle(victim, ledger)
        report.size = judge(victim.data, victim.vkey, ledger)
        victim.fsck()
    except Exception as error:
        raise Broken(f"after {report.cycles} cycles with seed {seed}: {error}\n{victim.said()}") from error
    finally:
        victim.kill()
    report.acknowledged, report.checkpoints = len(ledger.acknowledged), len(ledger.notes)
    report.took_s = time.monotonic() - start
    return report


def _shuffled(victim: Victim, chance: Random) -> list[str]:
    """Each moment, so that a short run has them all."""
    moments = [*MOMENTS, *SERVER_MOMENTS] if victim.server else [*MOMENTS]
    chance.shuffle(moments)
    return moments


def _cycle(
    victim: Victim, ledger: Ledger, chance: Random, moment: str, startup_s: float, report: Report
) -> None:
    """One life of the house, ended at such a moment."""
    if chance.random() < _TORN and (name := victim.tear(chance)):
        report.torn[name] += 1
    report.cycles += 1
    report.moments[moment] += 1
    if moment == "starting":
        victim.start()
        time.sleep(chance.uniform(0, 1.1 * startup_s))
        victim.kill()
        return
    _start(victim)
    crowd = Crowd(victim, ledger, chance.getrandbits(32))
    time.sleep(chance.uniform(0.02, _LONGEST_S))
    if moment == "sealing":
        _await_sealing(victim.signer)
    elif moment == "stopping":
        victim.terminate()
        time.sleep(chance.uniform(0, 0.3))
    elif moment in SERVER_MOMENTS:
        _fail(victim.server, moment)
        # It is told on, with whatever it makes of that.
        time.sleep(chance.uniform(0.1, _LONGEST_S))
    victim.kill()
    crowd.join()
    report.unanswered += crowd.unanswered


def _fail(server: Server | None, moment: str) -> None:
    """The database server fails under the house, and is there again."""
    assert server is not None
    if moment == "halting":
        server.halt("immediate")
        server.start()
    else:
        others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        server.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


def _start(victim: Victim) -> None:
    victim.start()
    if not victim.ready():
        raise Broken("the house did not start again")


def _await_sealing(signer: Path) -> None:
    """Return in the moment in which the signer's record moves: signed, and most likely not yet published."""
    record, new = signer / "record", signer / "record.new"
    before = record.stat().st_ino if record.exists() else 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if new.exists() or (record.exists() and record.stat().st_ino != before):
            return


class Crowd:
    """Senders and one reader of checkpoints, until the house is gone."""

    def __init__(self, victim: Victim, ledger: Ledger, seed: int, senders: int = SENDERS) -> None:
        self._victim, self._ledger = victim, ledger
        self._broken: list[BaseException] = []
        self.unanswered = 0
        jobs = [lambda n=n: self._send(Random(seed + n)) for n in range(senders)]
        self._threads = [threading.Thread(target=self._guard, args=(job,)) for job in (*jobs, self._look)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for all, and raise what one of them found broken."""
        for thread in self._threads:
            thread.join()
        if self._broken:
            raise self._broken[0]

    def _guard(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Gone:
            return
        except Exception as error:
            self._broken.append(error)

    def _send(self, chance: Random) -> None:
        while True:
            one = self._ledger.draw(chance)
            try:
                self._ledger.told(one, self._victim.tell(one))
            except Gone:
                self.unanswered += 1
                raise

    def _look(self) -> None:
        while True:
            found = self._victim.checkpoint()
            if found is not None:
                self._ledger.saw(found)
            time.sleep(0.01)


def _settle(victim: Victim, ledger: Ledger) -> None:
    """A last life: everything unanswered is told again, the head is signed, and the house stops in order."""
    _start(victim)
    settle(victim, ledger)
    victim.caught_up(ledger.acknowledged)
    status = victim.stop()
    if status != 0:
        raise Broken(f"the house ended with status {status}")


def settle(victim: Victim, ledger: Ledger) -> None:
    """Tell everything unanswered again, and wait for a checkpoint that holds it all."""
    end = time.monotonic() + _SETTLING_S
    for number in sorted(ledger.unknown):
        ledger.told(item(number), victim.tell(item(number)))
    newest = max(ledger.acknowledged.values(), default=-1)
    while max(ledger.notes, default=0) <= newest:
        if time.monotonic() > end:
            raise Broken(f"no checkpoint of more than {newest} entries was published")
        found = victim.checkpoint()
        if found is not None:
            ledger.saw(found)
        time.sleep(0.02)
