"""Peers and the house in turn: python -m tests.bench.peers PYTHON [--runs N] [--seconds S] [NAME ...]

PYTHON is that of the environment that run.sh made. In each run everybody keeps facts one by one for SECONDS,
then by a hundred; medians over runs, and ratios to the house within each run, are printed as a table and as
lines of JSON. A store that does not hold as much as it acknowledged voids the run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from tests.bench.fact import told
from tests.bench.figure import demand, machine
from tests.bench.measure import share
from tests.main.running import ROOT
from tests.postgres import Cluster

HERE: Final = Path(__file__).parent
# Facts that are told over and over.
_FACTS: Final = 20_000
OURS: Final = "deploytrail"


class Peer(NamedTuple):
    """A peer: its file, what it is told besides, whether it runs in our environment, and its weak points."""

    name: str
    file: str
    arguments: tuple[str, ...]
    own: bool
    words: str


PEERS: Final = (
    Peer(OURS, "ours.py", (), True, "sealed, in a signed tree, with proofs; followers run meanwhile"),
    Peer("deploytrail, followed", "ours.py", ("followed",), True, "until every page and search knows it"),
    Peer("bare SQLite", "bare.py", (), True, "no history, no proof"),
    Peer("pymerkle", "pymerkle_tree.py", (), False, "tree, unsigned; rollback journal, as shipped"),
    Peer("pymerkle, WAL", "pymerkle_tree.py", ("wal",), False, "tree, unsigned; WAL set by hand"),
    Peer("eventsourcing", "event_sourced.py", (), False, "history, no proof"),
    Peer("django-auditlog", "django_audited.py", (), False, "history, no proof"),
    Peer("PostgreSQL trigger", "postgres_trigger.py", (), True, "history, no proof"),
)


class Running:
    """A peer in a process of its own."""

    def __init__(self, peer: Peer, python: str, folder: Path, facts: Path, *more: str) -> None:
        self.peer, self.kept = peer, 0
        self.rates: dict[str, list[float]] = {"single": [], "batch": []}
        folder.mkdir()
        program = sys.executable if peer.own else python
        command = [program, str(HERE / peer.file), str(folder), str(facts), *peer.arguments, *more]
        # Ours find the project; the others must not find its libraries.
        path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"} if peer.own else {}
        kept = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
        }
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**kept, **path}
        )
        self.versions: dict[str, str] = self._heard()["ready"]

    def ask(self, command: str) -> dict[str, Any]:
        """One command and its answer."""
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        return self._heard()

    def turn(self, sort: str, seconds: float) -> None:
        """Keep facts for so long."""
        answer = self.ask(f"{sort} {seconds}")
        self.kept += answer["kept"]
        self.rates[sort].append(answer["kept"] / answer["seconds"])
        if self.peer.file == "ours.py":
            self.ask("settle")

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        demand(bool(line), f"{self.peer.name} ended with status {self._process.poll()}")
        found: dict[str, Any] = json.loads(line)
        return found


def main() -> int:
    """As the module says."""
    asked = _arguments()
    chosen = [peer for peer in PEERS if not asked.names or peer.name in (*asked.names, OURS)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deploytrail-peers-")))
        facts = folder / "told.ndjson"
        facts.write_bytes(b"\n".join(told(_FACTS)) + b"\n")
        running = []
        for place, peer in enumerate(chosen):
            more: tuple[str, ...] = ()
            if peer.file == "postgres_trigger.py":
                cluster = Cluster()
                stack.callback(cluster.close)
                more += (cluster.new(),)
            one = Running(peer, asked.python, folder / str(place), facts, *more)
            stack.callback(one.close)
            running.append(one)
        for _ in range(asked.runs):
            for sort in ("single", "batch"):
                for one in running:
                    one.turn(sort, asked.seconds)
        for one in running:
            count = one.ask("count")["count"]
            demand(count == one.kept, f"{one.peer.name} acknowledged {one.kept} facts and holds {count}")
        _report(running)
        _proofs(running)
    return 0


def _report(running: list[Running]) -> None:
    ours = running[0].rates
    print(
        f"{'peer':<22} {'one/s':>9} {'of ours':>8} {'by 100/s':>10} {'of ours':>8}  what it gives",
        file=sys.stderr,
    )
    for one in running:
        single, batch = (median(one.rates[sort]) for sort in ("single", "batch"))
        of_single, of_batch = (share(one.rates[sort], ours[sort]) for sort in ("single", "batch"))
        print(
            f"{one.peer.name:<22} {single:>9,.0f} {of_single:>7.3g}x {batch:>10,.0f} {of_batch:>7.3g}x  "
            f"{one.peer.words} ({', '.join(f'{name} {version}' for name, version in one.versions.items())})",
            file=sys.stderr,
        )
        figures = {"single": round(single, 1), "single_of_ours": round(of_single, 4)}
        figures |= {"batch_100": round(batch, 1), "batch_of_ours": round(of_batch, 4)}
        print(json.dumps({"peer": one.peer.name, **figures, "versions": one.versions, "machine": machine()}))


def _proofs(running: list[Running]) -> None:
    for one in running:
        if one.peer.name == "pymerkle":
            found = one.ask("prove")
            print(json.dumps({"peer": "pymerkle proofs", **found, "versions": one.versions}))
            print(
                f"pymerkle's inclusion proofs at {found['leaves']:,} leaves: p50 {found['p50_ms']:.2f} ms, "
                f"p99 {found['p99_ms']:.2f} ms; its first root {found['root_ms']:.0f} ms",
                file=sys.stderr,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("python", help="the Python of the environment that holds the peers")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these peers, and the house")
    parser.add_argument("--runs", type=int, default=5, help="how often everybody has a turn (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="the length of a turn (2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
