"""The demo from its start to its end: folder, server, town, and everything put away again."""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import secrets
import select
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import Final

from demo.faults import Ended, Fault
from demo.house import House
from demo.hub import FULL_REPOSITORY, Hub
from demo.ledger import Ledger, offered
from demo.memory import Memory, is_marked
from demo.pace import Pace
from demo.pipeline import SERVICE, Place
from demo.post import Post
from demo.repository import Origin
from demo.runs import PLACES, Ground
from demo.town import Town

SOURCE: Final = "hub"
_TEAM: Final = "shop"
_WORD: Final = "ledger"
# name: class, aliases, rank. The last two are those of the ledger that is offered.
_ENVIRONMENTS: Final[dict[str, tuple[str, tuple[str, ...], int]]] = {
    "production": ("production", ("prod", "prd"), 30),
    "staging": ("staging", ("stage",), 20),
    "integration": ("test", (), 10),
    "test": ("test", (), 5),
}


def run(arguments: list[str]) -> int:
    """Runs the demo. Exit status 0; 1 if no deployment was accepted; 2 or 5 with one sentence."""
    given = _given(arguments)
    pace = Pace(given.exit_after)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pace.end)
    try:
        return Show(given, pace).run()
    except Fault as fault:
        print(fault.words, file=sys.stderr, flush=True)
        return fault.status


def _given(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev demo", description="A live trail of real pipelines on this machine, on 127.0.0.1 alone."
    )
    parser.add_argument(
        "--exit-after", type=_seconds, metavar="SECONDS", help="end after this time (for scripts)"
    )
    parser.add_argument("--port", type=_port, default=8420, help="where the server listens (default: 8420)")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", help="load a real ledger too (JSON Lines, .gz)"
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="keep the log in PostgreSQL: an empty database, or the one of this folder's last demo",
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew: remove what earlier demos left")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the chance that makes the stories (default: 1)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="where everything lies (default: .demo)"
    )
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e7:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("1 to 65535")
    return port


def say(line: str) -> None:
    """One line with its time. Ended when nobody reads on."""
    try:
        print(f"{datetime.now():%H:%M:%S}  {line}", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Ended from None


class Show:
    """One run of the demo."""

    def __init__(self, given: argparse.Namespace, pace: Pace) -> None:
        self._given, self._pace = given, pace
        self._folder: Path = given.folder.absolute()
        self._terminal = sys.stdout.isatty()
        self._ledger: Ledger | None = None
        self._ledger_file: Path | None = given.ledger
        self._declaring: list[Popen[str]] = []

    def run(self) -> int:
        """Everything, and the summary. Exit status as `demo.show.run` has it."""
        self._check_means()
        with ExitStack() as stack:
            stack.enter_context(self._own_folder())
            self._memory = Memory(self._folder)
            self._memory.put("seed", self._given.seed)
            self._house = House(self._folder, self._given.port, self._pace, self._given.database_url)
            stack.callback(self._house.stop)
            say(
                f"starting the house on {self._house.url} (127.0.0.1 only); everything lies in {self._folder}"
            )
            self._house.start()
            ground = self._ground(stack)
            try:
                self._house.wait_until_ready()
                self._introduce(ground)
                self._live(ground)
            except Ended:
                pass
            return self._end(ground)

    def _check_means(self) -> None:
        if shutil.which("git") is None:
            raise Fault(2, "The demo needs git; install the package git and try again.")
        if self._ledger_file and not self._ledger_file.is_file():
            raise Fault(2, f"There is no ledger at {self._ledger_file}.")

    @contextmanager
    def _own_folder(self) -> Iterator[None]:
        """The demo's folder, ours alone while we run. Never removes what no demo made."""
        folder = self._folder
        if folder.exists() and not folder.is_dir():
            raise Fault(2, f"{folder} is not a folder.")
        if folder.is_dir() and any(folder.iterdir()) and not is_marked(folder):
            raise Fault(2, f"{folder} was not made by the demo; choose another with --folder.")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Fault(2, f"A demo already runs in {folder}; end it first.") from None
            if self._given.fresh:
                _empty(folder)
            (folder / "home").mkdir(exist_ok=True)
            yield

    def _ground(self, stack: ExitStack) -> Ground:
        folder, pace = self._folder, self._pace
        post = Post(self._house, SOURCE, self._secret(), pace, say)
        stack.callback(post.close)
        places = {}
        for name in PLACES:
            (folder / "run" / name).mkdir(parents=True, exist_ok=True)
            places[name] = Place(name, folder / "run" / name, folder / "home", pace.short)
            stack.callback(places[name].stop)
        return Ground(
            folder=folder,
            origin=Origin(folder / "origin.git", folder / "home", folder / "clones"),
            hub=Hub(_numbers(), lambda: datetime.now(UTC)),
            post=post,
            memory=self._memory,
            pace=pace,
            say=say,
            places=places,
            counts=Counter(),
        )

    def _secret(self) -> bytes:
        """The webhook's secret, in a file that nobody else may read."""
        file = self._folder / "hook-secret"
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_hex(32) + "\n")
        return file.read_text().strip().encode()

    def _introduce(self, ground: Ground) -> None:
        """Tells the house, through its own commands, who will speak to it and about what."""
        house, token = self._house, self._begin_token()
        if not self._memory.get("introduced"):
            secret = str(self._folder / "hook-secret")
            house.finished(house.admin("source", "add", "github", SOURCE, "--secret-file", secret))
            about = ("--repository", FULL_REPOSITORY, "--artifact", SERVICE, "--owner", _TEAM)
            self._declaring.append(house.admin("service", "declare", SERVICE, *about))
            self._declare(PLACES)
            self._memory.put("introduced", True)
        ground.post.token, ground.post.new_token = house.finished(token), self._token

    def _declare(self, names: Iterable[str]) -> None:
        """Declares environments while the town goes on; `_finish_declaring` sees how it went."""
        for name in names:
            class_, aliases, rank = _ENVIRONMENTS[name]
            also = [word for alias in aliases for word in ("--alias", alias)]
            about = ("--class", class_, *also, "--rank", str(rank))
            self._declaring.append(self._house.admin("environment", "declare", name, *about))

    def _finish_declaring(self) -> None:
        while self._declaring:
            self._house.finished(self._declaring.pop())

    def _begin_token(self) -> Popen[str]:
        name = f"runner-{self._memory.count('tokens')}"
        return self._house.admin("token", "create", "--role", "reporter", "--name", name)

    def _token(self) -> str:
        return self._house.finished(self._begin_token())

    def _live(self, ground: Ground) -> None:
        """The first deployments, then how to look at them, then one story after the other."""
        town = Town(ground, random.Random(f"{self._given.seed} {self._memory.get('turn', 0)}"))
        town.open()
        self._finish_declaring()
        self._tell_where(ground)
        if self._ledger_file:
            self._load(ground)
        self._pace.beat = lambda: self._beat(ground)
        town.live()

    def _tell_where(self, ground: Ground) -> None:
        house = self._house
        key = house.finished(house.admin("key", "show"))
        say(
            f"open {house.url} · the first deployments were told {self._pace.seconds():.1f} s after the start"
        )
        if self._terminal:
            say("sign in once, within 15 minutes, with this link:")
        link = house.link(self._terminal)
        if link:
            say(f"sign in once with the link: {link}")
        say(f"verify from outside: .venv/bin/deploytrail verify {house.url}/log --key '{key}'")
        found = offered()
        if found and not self._ledger_file:
            if sys.stdin.isatty() and self._terminal:
                say(f'type "{_WORD}" and Enter to load a real ledger of four years ({found.name})')
            else:
                say(f"load a real ledger of four years with --ledger {os.path.relpath(found)}")

    def _beat(self, ground: Ground) -> None:
        """Looked at a few times a second: server, import, keyboard."""
        self._house.check()
        if self._ledger:
            self._ledger.look()
        elif sys.stdin.isatty() and self._terminal and select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline()
            found = offered()
            if line.strip().lower() == _WORD and found:
                self._ledger_file = found
                self._load(ground)

    def _load(self, ground: Ground) -> None:
        assert self._ledger_file is not None
        self._declare(name for name in _ENVIRONMENTS if name not in PLACES)
        self._finish_declaring()
        self._ledger = Ledger(self._ledger_file, self._house, self._folder, ground.post.token, say)

    def _end(self, ground: Ground) -> int:
        """The summary. Status 0 only if the house still answers and a deployment was accepted."""
        answers, counts = ground.post.answers, ground.counts
        if self._ledger:
            self._ledger.stop()
        for command in self._declaring:
            command.kill()
            command.communicate()
        still = self._house.answers()
        say(f"ended after {self._pace.seconds():.0f} s")
        say(f"  changes: {counts['changes']}, {counts['merged']} merged, {counts['abandoned']} given up")
        say(f"  test runs: {counts['test runs']}, {counts['failed tests']} with failures")
        say(f"  artifacts: {counts['artifacts']}")
        failed, back = counts["failed deployments"], counts["rollbacks"]
        say(f"  deployments: {counts['deployments']}, {failed} failed, {back} rolled back")
        say(
            f"the house took {answers['accepted']} deliveries and {answers['told']} facts, "
            f"knew {answers['repeat']} already and refused {answers['refused']}"
        )
        if not still:
            say("the house does not answer any more")
        elif not answers["deployment"]:
            say("no deployment was accepted yet")
        else:
            say("the trail stays: ./dev demo goes on with it, ./dev demo --fresh begins anew")
        return 0 if still and answers["deployment"] and not answers["refused"] else 1


def _numbers() -> Callable[[], int]:
    """Numbers that no earlier run of the demo has given: they start from the time in milliseconds."""
    last = time.time_ns() // 1_000_000

    def following() -> int:
        nonlocal last
        last += 1
        return last

    return following


def _empty(folder: Path) -> None:
    """Removes everything in a folder that the demo made, but the lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()
