"""The composition root: opens the house, wires every room to the next, and starts what was asked for.

It knows every room and holds no rule. Time and chance enter here and nowhere else.
"""

from __future__ import annotations

import ctypes
import gc
import getpass
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from deploytrail import config
from deploytrail.app import follow
from deploytrail.app.access import HOUSE, NAMESPACE, TOKENS
from deploytrail.app.administer import Administer
from deploytrail.app.ask import Ask
from deploytrail.app.capacity import Capacity, Quotas
from deploytrail.app.disclose import Disclose
from deploytrail.app.erase import Erase
from deploytrail.app.follow import Facts, Followed, Follower, InOrder
from deploytrail.app.fsck import Beside, fsck
from deploytrail.app.house import House
from deploytrail.app.limits import Limits, Rates
from deploytrail.app.operate import Operate
from deploytrail.app.persons import Persons
from deploytrail.app.receive import Receiver
from deploytrail.app.record import Recorder
from deploytrail.app.saved import Saved
from deploytrail.app.seal import Sealer
from deploytrail.app.searching import Searched, Searching
from deploytrail.app.status import Status
from deploytrail.app.sweep import Sweep
from deploytrail.app.vault import Vault
from deploytrail.app.watch import Watch
from deploytrail.cli import commands, on_machine
from deploytrail.cli.world import World
from deploytrail.config import Settings
from deploytrail.errors import Refused
from deploytrail.evidence.check import Check
from deploytrail.facts.draft import TOLD, Draft
from deploytrail.facts.entry import read
from deploytrail.facts.kinds import LogOpened
from deploytrail.intake.registry import SOURCES
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store.apart import Spawned
from deploytrail.store.claim import (
    claim,
    demand_database,
    gone,
    house_key,
    keyed,
)
from deploytrail.store.derived_sql import SqlDerived
from deploytrail.store.folder import Folder
from deploytrail.store.following import File, Following
from deploytrail.store.inspected import InspectedIndex, InspectedKeys, InspectedLog, InspectedRows
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.places import Places, sort_of
from deploytrail.store.postgresql import Schema
from deploytrail.store.search_sql import SqlSearch
from deploytrail.web.control import control
from deploytrail.web.serve import Doors
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site

T = TypeVar("T")

diagnostics: Final = logging.getLogger("deploytrail")

# A command that finds the house locked asks its server; one that is only starting gets this many seconds.
_PATIENCE: Final = 20.0
_SWEEP: Final = 600.0
# New objects after which Python looks for circles among them; every 700 it would cost a fifth of an import.
_ALLOCATIONS: Final = 200_000
# A house with more entries than this has been used.
_FEW: Final = 100
# Commands that make no house where there is none.
_LOOKING: Final = ("key show", "source read-again", "token list", "token revoke", "erase", "rebuild")


class SystemClock:
    """Implements ports.Clock."""

    def now(self) -> int:
        """UTC milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class SystemChance:
    """Implements ports.Chance."""

    def bytes(self, count: int) -> bytes:
        """Bytes of the operating system's generator."""
        return secrets.token_bytes(count)


class Followers:
    """The followers with what they work on: alone in their process, or lent by a house that is not served."""

    def __init__(self, settings: Settings) -> None:
        """Open them in a process of their own, beside the one that writes to the log."""
        folder, clock, chance = Folder(settings.data), SystemClock(), SystemChance()
        mark = folder.mark()
        assert mark is not None
        with ExitStack() as stack:
            places = Places(folder, settings.database_url, write=False)
            stack.callback(places.close)
            log = SqlLog(places.trail, write=False)
            stack.callback(log.close)
            vault = Vault(house_key(folder, mark, empty=False, chance=chance), chance)
            keyring = SqlKeyring(places.keys, vault, write=False)
            stack.callback(keyring.close)
            derived = SqlDerived(places.derived, follow.TABLES)
            stack.callback(derived.close)
            index = SqlSearch(places.search)
            stack.callback(index.close)
            self._stack = stack.pop_all()
        self.facts = Facts(log)
        self.follower = Follower(log, derived, clock, self.facts)
        self.searching = Searching(log, index, Disclose(log, keyring, log), clock, self.facts)
        self.followers: tuple[InOrder[Any], ...] = (self.follower, self.searching)
        self.files: dict[str, File] = {self.follower.name: derived, self.searching.name: index}
        _collect_seldom()

    def close(self) -> None:
        """Let everything go."""
        self._stack.close()


def following(settings: Settings) -> Following:
    """The process of the followers of a house that is going to be served, which waits to be started.

    Called before there are threads, and by the one who holds the folder's lock: it is held until both ended.
    """
    names = (Follower.name, Searching.name)
    # What nobody looks through any more stays in memory that both share.
    _collect_seldom()
    return Following(partial(Followers, settings), names, SystemClock())


class Rooms:
    """One opened house, of which this process is the only writer. `close` records what waits and lets go.

    `following` is the process of its followers, if the house is served.
    """

    def __init__(self, folder: Folder, settings: Settings, following: Following | None = None) -> None:
        self.settings, self.folder = settings, folder
        self._following = following
        self._clock, self._chance = SystemClock(), SystemChance()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        with ExitStack() as stack:
            settled = folder.mark()
            self.new = settled is None
            self._places = places = Places(folder, settings.database_url)
            stack.callback(places.close)
            self._alone = places.alone()
            if self._alone is not None:
                stack.callback(self._alone.close)
            self.warning = places.warning()
            self.mark = claim(
                folder,
                origin=settings.origin,
                signer=settings.signer,
                demo=settings.demo,
                database=sort_of(settings.database_url),
                found=places.origin(),
                first=self._first,
            )
            self._log = _opened(places.trail, SqlLog)
            stack.callback(self._log.close)
            self._empty = self._log.head().size == 0
            key = house_key(folder, self.mark, empty=self._empty, chance=self._chance)
            self._vault = Vault(key, self._chance)
            self.mark = keyed(self.mark, self._vault)
            self._keyring = _opened(places.keys, lambda where: SqlKeyring(where, self._vault))
            stack.callback(self._keyring.close)
            self._derived = SqlDerived(places.derived, follow.TABLES, write=following is None)
            stack.callback(self._derived.close)
            self._index = SqlSearch(places.search, write=following is None)
            stack.callback(self._index.close)
            self._signer = self._open_signer()
            # Only now: another signer or key that does not fit must not be written down as ours.
            if self.mark != settled:
                folder.settle(self.mark)
            if following is not None:
                following.start({Follower.name: self._derived, Searching.name: self._index})
                stack.callback(following.stop)
            self._stack = stack.pop_all()
        self.house = self._put_together()

    def start(self) -> None:
        """Check the history, then record and seal; when it is served also sweep now and then."""
        recorder, sealer = self.house.recorder, self.house.sealer
        recorder.listeners.append(sealer.wake)
        if self._following is not None:
            recorder.listeners.append(self._following.wake)
        sealer.on_refusal = self._close_log
        recorder.start()
        try:
            sealer.check()
            if self._log.head().size == 0:
                recorder.record_now(self._opening())
        except Refused as refusal:
            # Looked at it can be, and served; recorded in it nothing is.
            self._close_log(refusal.words)
        sealer.start()
        if self._following is None:
            return
        _collect_seldom()
        self._begin("sweeper", self._sweep)
        if self._alone is not None:
            self._alone.heard, self._alone.lost = self._heard, self._taken_over
            self._alone.start()

    def close(self) -> None:
        """End in the order of the arrows: what waits is recorded, then sealed, then files are let go."""
        self._stop.set()
        self.house.recorder.stop()
        self.house.sealer.stop()
        for thread in self._threads:
            thread.join(timeout=10)
        self._stack.close()

    def web(self) -> WebSettings:
        """What the web door needs to know."""
        settings = self.settings
        return WebSettings(
            public_url=settings.address,
            allowed_hosts=settings.hosts,
            public_log=settings.open_log,
            upload_room=settings.upload_room,
        )

    def untouched(self) -> bool:
        """Whether nobody has used this house yet: then the one who starts it must be let in, even if an
        earlier start was cut short, or its link has become too old.
        """
        size = self._log.head().size
        kinds = (read(row.body).kind for row in self._log.entries(0, _FEW))
        return size < _FEW and all(kind in ("log.opened", "link.issued") for kind in kinds)

    def write_link(self) -> str:
        """Make a one-time link and put it in its file; the link."""
        link: str = self.house.operate.do("link", b"{}", _login())["url"]
        self.folder.keep_link(link)
        return link

    def _put_together(self) -> House:
        log, clock, chance = self._log, self._clock, self._chance
        persons = Persons(self._keyring, self._vault, chance)
        disclose = Disclose(log, self._keyring, log)
        self._follower, self._searching = self._followers(disclose)
        recorder = Recorder(log, persons, disclose)
        administer = Administer(log, recorder, persons, self._vault, clock, chance, SOURCES)
        receiver = Receiver(recorder, log, self._vault, clock, chance, SOURCES, administer.source)
        sealer = Sealer(log, self._signer, clock)
        watch = Watch(self._derived.cursor())
        self._follower.listeners.append(watch.advanced)
        ask = Ask(
            log=log,
            derived=self._derived,
            index=self._index,
            disclose=disclose,
            sealer=sealer,
            clock=clock,
            origin=self.mark.origin,
            followers=[self._follower, self._searching],
            refused=lambda: receiver.refused.total(),
            whom=lambda word: [(found.subject, found.known_as) for found in self._erase.find(word)],
        )
        self._erase = Erase(
            log=log,
            keyring=self._keyring,
            persons=persons,
            disclose=disclose,
            recorder=recorder,
            searching=self._searching,
            vault=self._vault,
            clock=clock,
            chance=chance,
            namespaces=[*SOURCES, TOLD, NAMESPACE, TOKENS],
        )
        operate = Operate(
            administer=administer,
            erase=self._erase,
            rebuild=self._rebuild,
            read_again=receiver.read_again,
            vkey=lambda: sealer.vkey,
            address=self.settings.address,
        )
        settings = self.settings
        quotas = Quotas(
            entries=settings.quota_entries, bytes=settings.quota_bytes, reserve=settings.disk_reserve
        )
        self._capacity = Capacity(self._places, log, log, clock, quotas)
        recorder.full = self._capacity.full
        limits = Limits(
            clock,
            Rates(
                deliveries=settings.limit_deliveries,
                facts=settings.limit_facts,
                bytes=settings.limit_bytes,
                requests=settings.limit_requests,
                attempts=settings.limit_attempts,
            ),
        )
        status = Status(
            log=log,
            sealer=sealer,
            followers=[self._follower, self._searching],
            capacity=self._capacity,
            limits=limits,
            clock=clock,
            closed=lambda: recorder.closed,
            unsigned=receiver.refused,
            set_aside=ask.set_aside,
        )
        return House(
            origin=self.mark.origin,
            demo=self.mark.demo,
            log=log,
            clock=clock,
            recorder=recorder,
            receiver=receiver,
            sealer=sealer,
            ask=ask,
            watch=watch,
            administer=administer,
            saved=Saved(log, clock),
            operate=operate,
            limits=limits,
            capacity=self._capacity,
            status=status,
        )

    def _followers(self, disclose: Disclose) -> tuple[Followed, Searched]:
        """Those in the other process, or, where nothing follows, such as make anew and erase when told to."""
        if self._following is not None:
            there = self._following.followers
            return there[Follower.name], there[Searching.name]
        follower = Follower(self._log, self._derived, self._clock)
        return follower, Searching(self._log, self._index, disclose, self._clock)

    def _open_signer(self) -> FileSigner:
        """The signer of this log. A new one only for a log that nothing was ever recorded in."""
        folder = Path(self.mark.signer)
        if not (folder / "key").exists():
            if not self._empty:
                gone("The signer's key", self.folder, self.mark)
            return FileSigner.create(folder, self.mark.origin, self._chance)
        return FileSigner(folder, self.mark.origin)

    def _first(self) -> tuple[str, Path]:
        """Origin and signer of a house that begins now."""
        origin = self.settings.first_origin(self._chance.bytes(8).hex())
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return origin, config.signer_folder(origin, state)

    def _opening(self) -> Draft:
        body = LogOpened(origin=self.mark.origin, vkey=self.house.vkey)
        return Draft(kind="log.opened", body=body, source=HOUSE, received_at=self._clock.now())

    def _heard(self) -> None:
        """Somebody appended, here or elsewhere."""
        if self._following is not None:
            self._following.wake(0)
        self.house.sealer.wake()

    def _taken_over(self, words: str) -> None:
        """Another process serves this house now: record no more, and end."""
        self._close_log(words)
        if self.house.recorder.on_damage is not None:
            self.house.recorder.on_damage(words)

    def _close_log(self, words: str) -> None:
        if self.house.recorder.closed != words:
            self.house.recorder.closed = words
            diagnostics.error("nothing is recorded: %s", words)

    def _rebuild(self) -> int:
        self._follower.rebuild()
        self._searching.rebuild()
        return self._derived.cursor()

    def _begin(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _sweep(self) -> None:
        """A round at once, then one now and then."""
        sweep = Sweep(self.house.administer, self._erase, self._log, self._clock)
        while not self._stop.is_set():
            try:
                sweep.round()
                self._capacity.sample()
            except Refused as refusal:
                diagnostics.warning("sweeping was put off: %s", refusal.words)
            except Exception:
                # The next round may do better; without rounds nothing old would ever be forgotten.
                diagnostics.exception("sweeping broke")
            self._stop.wait(_SWEEP)


def _opened(where: Path | Schema, open_: Callable[[Path | Schema], T]) -> T:
    """What `open_` opens; a refusal names the file or the schema."""
    try:
        return open_(where)
    except Refused as refusal:
        name = where.name if isinstance(where, Schema) else where
        raise Refused(refusal.code, f"{name} cannot be opened. {refusal.words}") from None


@contextmanager
def _open(folder: Folder, settings: Settings, following: Following | None = None) -> Iterator[Rooms]:
    """The house of a folder whose lock is held, until the end of the block."""
    rooms = Rooms(folder, settings, following)
    try:
        rooms.start()
        yield rooms
    finally:
        rooms.close()


def serve(given: Mapping[str, Any], say: Callable[[str], None], show: Callable[[str], None] | None) -> int:
    """Serve until told to stop. `show`, if there is a terminal, takes what only a terminal may see."""
    settings = config.settings_of(given)
    _few_heaps()
    _diagnose()
    folder = Folder(settings.data)
    folder.make()
    with ExitStack() as stack:
        stack.callback(folder.unlock)
        _become_writer(folder)
        # Before the doors: their port would be held by both.
        beside = following(settings)
        stack.callback(beside.stop)
        doors = Doors(settings.host, settings.port, settings.trusted_proxies)
        stack.callback(doors.close)
        mark = folder.mark()
        if mark is not None and mark.demo != settings.demo:
            what = "is the demo's; it starts with ./dev demo" if mark.demo else "is not the demo's"
            raise Refused("forbidden", f"The house in {folder.path} {what}.")
        with _open(folder, settings, beside) as rooms:
            if rooms.warning:
                diagnostics.warning(rooms.warning)
            if rooms.untouched() and rooms.house.readonly is None:
                link = rooms.write_link()
                say(f"A link for the first administrator lies in {folder.link}, good for 15 minutes, once.")
                if show:
                    show(link)
            rooms.house.recorder.on_damage = lambda words: _stop(doors, words)
            app = site(rooms.house, rooms.web())
            say(f"Deploytrail serves {rooms.mark.origin} on {settings.address}")
            return doors.serve(app, control(rooms.house.operate), folder.control, app.state.end_live)


def _stop(doors: Doors, words: str) -> None:
    """End with the status of a house that is out of reach; a restart looks at what the disk holds."""
    diagnostics.error("stopping: %s", words)
    doors.stop(5)


def _become_writer(folder: Folder) -> None:
    """Take the writer's lock; a command that has it for a moment is waited for, a server is not."""
    deadline = time.monotonic() + _PATIENCE
    while not folder.lock():
        if folder.served() or time.monotonic() > deadline:
            raise Refused("unavailable", f"Another process writes to {folder.path}. Only one may.")
        time.sleep(0.05)


def operate(given: Mapping[str, Any], command: str, form: bytes) -> dict[str, Any]:
    """Run one command of the machine's operators: here if the lock is free, else by the server that has it.

    A house that there is not yet is made by every command but those that only look.
    """
    settings = config.settings_of(given)
    folder = Folder(settings.data)
    if command in _LOOKING and folder.mark() is None:
        raise Refused("not-found", f"There is no house in {folder.path}. Start one with: deploytrail serve.")
    folder.make()
    deadline = time.monotonic() + _PATIENCE
    while True:
        if folder.lock():
            try:
                return _operate_here(folder, settings, command, form)
            finally:
                folder.unlock()
        answer = on_machine.command(folder.control, command, form, _login())
        if answer is not None:
            return answer
        if time.monotonic() > deadline:
            raise Refused("unavailable", f"Another process holds {folder.path} and does not answer.")
        time.sleep(0.05)


def _operate_here(folder: Folder, settings: Settings, command: str, form: bytes) -> dict[str, Any]:
    with _open(folder, settings) as rooms:
        if rooms.new:
            print(f"Made a new house in {folder.path}: {rooms.mark.origin}.", file=sys.stderr)
        return rooms.house.operate.do(command, form, _login())


def write_link(given: Mapping[str, Any], url: str) -> Path:
    """Put a one-time link in its file; the file."""
    return Folder(config.settings_of(given).data).keep_link(url)


def inspect(given: Mapping[str, Any], everything: bool, progress: Callable[..., None]) -> Iterator[Check]:
    """The checks of fsck over a house, whether its server runs or not."""
    settings = config.settings_of(given)
    folder = Folder(settings.data)
    mark = folder.mark()
    if mark is None:
        raise Refused("not-found", f"There is no house in {folder.path}.")
    signer = settings.signer or Path(mark.signer)
    vkey = FileSigner.verifier_key(signer, mark.origin)
    demand_database(mark, sort_of(settings.database_url))
    with ExitStack() as stack:
        places = Places(folder, settings.database_url, write=False)
        stack.callback(places.close)
        beside, chance = None, SystemChance()
        if everything:
            vault = Vault(house_key(folder, mark, empty=False, chance=chance), chance)
            keyring = SqlKeyring(places.keys, vault, write=False)
            stack.callback(keyring.close)
            rows, keys = InspectedRows(places.derived, follow.TABLES), InspectedKeys(places.keys)
            beside = Beside(keyring, vault, rows, keys, InspectedIndex(places.search), chance)
        log, cores = InspectedLog(places.trail), os.cpu_count() or 1
        apart = Spawned(cores) if cores > 1 else None
        yield from fsck(
            log, vkey, lambda: FileSigner(signer, mark.origin).last(), chance, beside, progress, apart
        )


def _few_heaps() -> None:
    """Let threads share two heaps (glibc's M_ARENA_MAX, see mallopt(3)): each of dozens would keep one of its
    own, with whatever was free in it. Other C libraries have no such setting and need none.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(-8, 2)


def _collect_seldom() -> None:
    """What stands now stays, and facts come and go without circles: looking for those may wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)


def _diagnose() -> None:
    """Diagnostics go to standard error, with their time and no names of people."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("deploytrail").setLevel(logging.INFO)


def _login() -> str:
    """Whom the machine says that we are."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid-{os.getuid()}"


def run() -> None:
    """The command `deploytrail`; ends the process with its exit status."""
    # Whatever it writes is its owner's alone.
    os.umask(0o077)
    world = World(serve=serve, now=SystemClock().now, operate=operate, write_link=write_link, inspect=inspect)
    sys.exit(commands.run(sys.argv[1:], world, lambda: config.read_file(Path(config.FILE))))
