"""A small house for the web door: a real log with a real signature in memory, and views that tests set."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import msgspec

from deploytrail.app.access import may
from deploytrail.app.capacity import Capacity, Quotas
from deploytrail.app.deployed import Deployed
from deploytrail.app.follow import FollowerState
from deploytrail.app.limits import Limits, Rates
from deploytrail.app.lists import Lists
from deploytrail.app.places import Places
from deploytrail.app.ports import Head, Placed, Row, Signed
from deploytrail.app.questions import Questions
from deploytrail.app.saved import Saved
from deploytrail.app.shown import Opener
from deploytrail.app.status import Status
from deploytrail.app.views import (
    AttentionView,
    CellView,
    ChangeView,
    DeploymentView,
    EnvironmentView,
    Filter,
    LogView,
    PersonView,
    PublishedView,
    SearchPage,
    ServiceView,
    TrailPage,
    TrailRow,
    Who,
)
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.entry import Entry, read
from deploytrail.facts.sealing import seal
from deploytrail.projections.registry import TABLES, fold_all
from deploytrail.projections.words import outcome
from deploytrail.store.derived_memory import MemoryDerived
from deploytrail.store.log_memory import MemoryLog as RealLog
from deploytrail.tlog import checkpoint, note
from deploytrail.tlog.checkpoint_text import Checkpoint
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.proofs import inclusion_proof
from deploytrail.tlog.receipt import Receipt as Proof
from deploytrail.tlog.spelling import write_base64
from deploytrail.tlog.tiles import Tile
from tests.web import cast
from tests.web.cast import NOW

ORIGIN = "deploytrail.invalid/0011223344556677"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in."""

    id: str
    role: str
    subject: str = "s_ada"
    name: str | None = "ada"
    expires_at: int = NOW + 3_600_000

    def may(self, action: str) -> bool:
        """As the table of actions says."""
        return may(self.role, action)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's token."""

    id: str
    role: str
    name: str
    kinds: list[str] | None = None
    services: list[str] | None = None
    environments: list[str] | None = None
    expires_at: int = NOW + 3_600_000

    def may(self, action: str) -> bool:
        """As the table of actions says."""
        return may(self.role, action)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        """UTC milliseconds."""
        return self.at


class MemoryLog:
    """Entries, tree and checkpoint in memory, as the port promises them to readers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.leaf_hashes: list[bytes] = []
        self.frontier = Frontier.EMPTY
        self.above: dict[tuple[int, int], bytes] = {}
        self.key = note.SigningKey.from_seed(ORIGIN, bytes(range(32)))
        self.signed: Signed | None = None

    def add(self, body: bytes) -> int:
        """Append one entry."""
        self.bodies.append(body)
        self.leaf_hashes.append(leaf_hash(body))
        self.frontier, nodes = self.frontier.extend(self.leaf_hashes[-1:])
        self.above.update({(n.level, n.index): n.hash for n in nodes})
        return len(self.bodies) - 1

    def sign(self) -> None:
        """Publish a checkpoint of everything."""
        found = Checkpoint(ORIGIN, len(self.bodies), self.frontier.root())
        self.signed = Signed(found.size, found.root, checkpoint.sign(found, self.key))

    def head(self) -> Head:
        """The newest head."""
        return Head(len(self.bodies), self.frontier.root(), self.frontier)

    def checkpoint(self) -> Signed | None:
        """The newest checkpoint."""
        return self.signed

    def entries(self, start: int, stop: int) -> list[Row]:
        """Rows of a range."""
        return [
            Row(n, self.leaf_hashes[n], self.bodies[n]) for n in range(start, min(stop, len(self.bodies)))
        ]

    def at(self, indices: Iterable[int]) -> list[Row]:
        """Rows at indices."""
        return [row for index in sorted(set(indices)) for row in self.entries(index, index + 1)]

    def leaves(self, start: int, stop: int) -> bytes:
        """Leaf hashes of a range."""
        return b"".join(self.leaf_hashes[start:stop])

    def nodes(self, level: int, start: int, stop: int) -> bytes:
        """Hashes of a level."""
        return b"".join(self.above[(level, n)] for n in range(start, stop))

    def tile(self, tile: Tile) -> bytes:
        """The hashes of a tile."""
        start = tile.index * 256
        stop = start + tile.width
        return self.nodes(tile.level, start, stop) if tile.level else self.leaves(start, stop)


class Recorder:
    """Seals and appends at once, and remembers ids."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._count = 0
        self.ids: dict[tuple[str, str], tuple[int, Draft]] = {}
        self.drafts: list[Draft] = []
        self.opened: dict[int, dict[str, Any]] = {}
        self.closed: str | None = None
        self.failing: Refused | None = None

    def record(self, drafts: Sequence[Draft], *, size: int = 0) -> Future[list[Placed]]:
        """Record all of them."""
        future: Future[list[Placed]] = Future()
        try:
            future.set_result([self._place(draft) for draft in drafts])
        except Refused as refusal:
            future.set_exception(refusal)
        return future

    def record_each(self, drafts: Sequence[Draft], *, size: int = 0) -> Future[list[Placed | Refused]]:
        """Record each by itself."""
        answers: list[Placed | Refused] = []
        for draft in drafts:
            try:
                answers.append(self._place(draft))
            except Refused as refusal:
                answers.append(refusal)
        future: Future[list[Placed | Refused]] = Future()
        future.set_result(answers)
        return future

    def _place(self, draft: Draft) -> Placed:
        if self.failing:
            raise self.failing
        if draft.id is not None and (draft.source, draft.id) in self.ids:
            index, before = self.ids[(draft.source, draft.id)]
            if msgspec.structs.replace(before, received_at=draft.received_at) != draft:
                raise Refused("conflict", f"Entry {index} has this id and says something else.")
            return Placed(index, True)
        sealed = seal(draft, _subject, self._random)
        index = self._log.add(sealed.entry)
        self.drafts.append(draft)
        self.opened[index] = {
            path: value for told in sealed.disclosures.values() for path, (_, value) in told.items()
        }
        if draft.id is not None:
            self.ids[(draft.source, draft.id)] = (index, draft)
        return Placed(index, False)

    def _random(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_128(self._count.to_bytes(8, "big")).digest(count)


def _subject(person: Person) -> str:
    text = person.login or person.email or person.name or ""
    return "s_" + hashlib.sha256(text.encode()).hexdigest()[:16]


class Receipt(msgspec.Struct, frozen=True):
    """What became of a delivery."""

    status: str
    indices: list[int]


class Receiver:
    """Knows one source, "github-main", whose deliveries are signed with the word "good"."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self.headers: Mapping[str, str] = {}

    def demand(self, name: str) -> None:
        """Only that one."""
        if name != "github-main":
            raise Refused("not-found", "There is no source of this name.")

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Future[Receipt]:
        """Take a delivery in."""
        self.demand(name)
        if headers.get("x-signature") != "good":
            self.refused[name] += 1
            raise Refused("unauthenticated", "The signature matches no live secret.")
        self.headers = headers
        future: Future[Receipt] = Future()
        status = "repeat" if body in self.bodies else "set_aside" if body == b"odd" else "recorded"
        self.bodies.append(body)
        future.set_result(Receipt(status, [len(self.bodies)]))
        return future


class Ask:
    """Answers with what tests put here; the trail is filtered and paged as the real one is."""

    def __init__(self, log: MemoryLog, recorder: Recorder) -> None:
        self._log, self._recorder = log, recorder
        self.can_find: int | None = None
        self.rows: list[TrailRow] = []
        self.deployments: dict[str, DeploymentView] = {}
        self.places: list[EnvironmentView] = []
        self.aside: list[AttentionView] = []
        self.actors: list[Who] = []
        self.found: SearchPage | None = None
        self.state = ("signed", "")
        self.size = 0
        self.asked = 0

    def trail(self, filter: Filter, below: int | None, above: int | None, limit: int) -> TrailPage:
        """Newest first."""
        self.asked += 1
        found = [
            row
            for row in sorted(self.rows, key=lambda row: -row.index)
            if (below is None or row.index < below)
            and (above is None or row.index > above)
            and _fits(row, filter)
        ]
        shown = found[:limit]
        return TrailPage(
            rows=shown,
            up_to=self.projected(),
            older=shown[-1].index if len(found) > limit else None,
            services=sorted({row.service for row in self.rows if row.service}),
            environments=sorted({row.environment for row in self.rows if row.environment}),
            actors=self.actors,
            kinds=sorted({row.kind for row in self.rows}),
        )

    def search(self, question: str, below: int | None, limit: int) -> SearchPage:
        """What tests put here, else the rows of whose service the first word is."""
        if self.found is not None:
            return self.found
        wanted = Filter(service=question.split(" ")[0] or "-")
        page = self.trail(wanted, below, None, limit)
        return SearchPage(
            question=question,
            rows=page.rows,
            older=page.older,
            up_to=self.projected(),
            size=self.projected(),
        )

    def deployment(self, key: str) -> DeploymentView | None:
        """One deployment."""
        return self.deployments.get(key)

    def running(self, service: str, environment: str, at: int | None) -> DeploymentView | None:
        """The deployment that the log's own rows name, as the page of it is here."""
        row = self.questions.running(service, environment, at)
        return next(iter(self.deployments.values()), None) if row else None

    @property
    def lists(self) -> Lists:
        """The real ones, on rows of what is in the log, with nobody's name opened."""
        return self._rooms()[0]

    @property
    def questions(self) -> Questions:
        """As the lists."""
        return self._rooms()[1]

    def _rooms(self) -> tuple[Lists, Questions]:
        derived = MemoryDerived(TABLES)
        rows = derived.begin()
        for index, body in enumerate(self._log.bodies):
            fold_all(index, read(body), rows)
        derived.commit(rows, len(self._log.bodies))
        opener = Opener(self._log, derived, Nameless())  # type: ignore[arg-type]
        lists = Lists(derived, opener, Places(derived, opener), lambda word: ())
        return lists, Questions(derived, Deployed(derived, opener), lists, Clock())

    def environments(self) -> list[EnvironmentView]:
        """All environments."""
        return self.places

    def cells(self, services: Sequence[str]) -> dict[str, list[CellView]]:
        """Where services run."""
        return {
            name: [c for each in self.places for c in each.cells if c.service == name] for name in services
        }

    def service(self, name: str, cursor: str | None, limit: int) -> ServiceView | None:
        """One service."""
        return None if name == "none" else cast.a_service(name=name)

    def change(self, repository: str, number: int, below: int | None) -> ChangeView | None:
        """One change."""
        return None if repository == "none" else cast.a_change(repository=repository, number=number)

    def artifact(self, digest: str, below: int | None) -> PublishedView | None:
        """One artifact."""
        return None if digest == "none" else cast.an_artifact(digest=digest)

    def person(self, subject: str, below: int | None, kept_below: int | None) -> PersonView | None:
        """One person."""
        if subject == "s_gone":
            return cast.an_erased_person()
        if not subject.startswith("s_"):
            return None
        return cast.a_person(who=next((one for one in cast.EVERYBODY if one.id == subject), Who(id=subject)))

    def log(self) -> LogView:
        """The state of the log."""
        signed = self._log.signed
        return LogView(
            origin=ORIGIN,
            vkey=self._log.key.verifier.vkey(),
            size=len(self._log.bodies),
            root=write_base64(self._log.frontier.root()),
            checkpoint_size=signed.size if signed else None,
            checkpoint_root=write_base64(signed.root) if signed else None,
            checkpoint_note=signed.note.decode() if signed else None,
            signed_ms_ago=3_000 if signed else None,
            signer=self.state[0],
            signer_words=self.state[1],
            followers=[("projections", len(self._log.bodies), "")],
            refused_deliveries=0,
        )

    def attention(self, below: int | None, limit: int) -> list[AttentionView]:
        """What was set aside."""
        return [each for each in self.aside if below is None or each.index < below][:limit]

    def set_aside(self, most: int) -> int:
        """How many, at most `most`."""
        return min(len(self.aside), most)

    def entry(self, index: int) -> tuple[Entry, bytes, bytes] | None:
        """One entry, hashed again."""
        rows = self._log.entries(index, index + 1)
        if not rows:
            return None
        if leaf_hash(rows[0].body) != rows[0].leaf:
            raise Refused("untrue", f"The stored bytes of entry {index} are not those that were recorded.")
        return read(rows[0].body), rows[0].leaf, rows[0].body

    def opened(self, index: int) -> dict[str, Any]:
        """What its sealed fields open to, by path."""
        return self._recorder.opened.get(index, {})

    def receipt(self, index: int) -> bytes:
        """The tlog-proof of an entry."""
        signed = self._log.signed
        if signed is None or index >= signed.size:
            raise Refused("unavailable", f"Entry {index} is not signed yet. Ask again in a second.")
        proof = inclusion_proof(index, signed.size, self._log.tile)
        return Proof(index, tuple(proof), signed.note).encode()

    def searched(self) -> int:
        """How many entries can be found: all, or what tests put here."""
        return self.projected() if self.can_find is None else self.can_find

    def projected(self) -> int:
        """How many entries the views know of."""
        return self.size or max([row.index + 1 for row in self.rows], default=0)


class Nameless:
    """Opens nothing."""

    def names(self, subjects: Iterable[tuple[str, int]]) -> dict[str, Who]:
        """Nobody has a name."""
        return {subject: Who(id=subject) for subject, _ in subjects}

    def texts(self, indices: Iterable[int], bodies: object = None) -> dict[int, dict[str, Any]]:
        """Nothing is opened."""
        return {}


def _fits(row: TrailRow, filter: Filter) -> bool:
    told = row.fields.get("outcome")
    return (
        filter.service in (None, row.service)
        and filter.environment in (None, row.environment)
        and filter.actor in (None, row.actor.id if row.actor else "")
        and filter.kind in (None, row.kind)
        and filter.outcome in (None, outcome(told) if isinstance(told, str) else "")
    )


class Watch:
    """Looks at the size a few hundred times a second."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def wait(self, after: int, timeout: float) -> int:
        """The size once it is above `after`, or what it is after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while (size := self._ask.projected()) <= after and loop.time() < end:
            await asyncio.sleep(0.005)
        return size


class Administer:
    """Sessions and tokens that tests hand out."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.tokens: dict[str, Grant] = {}
        self.links: set[str] = set()
        self.done: list[tuple[Any, ...]] = []
        self.until = NOW + 3_600_000

    def session(self, secret: str) -> Session | None:
        """By cookie."""
        return self.sessions.get(secret)

    def token(self, secret: str) -> Grant | None:
        """By bearer."""
        return self.tokens.get(secret)

    def token_at_hand(self, secret: str) -> Grant | None:
        """Nothing is remembered."""
        return None

    def link_use(self, link: str, name: str | None) -> tuple[Session, str]:
        """Once."""
        if link not in self.links:
            raise Refused("unauthenticated", "This link was used before, or is too old. Make a new one.")
        self.links.remove(link)
        session = Session(id="1", role="administrator", name=name, expires_at=self.until)
        self.sessions["fresh"] = session
        return session, "fresh"

    def sign_out(self, secret: str) -> None:
        """End it."""
        self.sessions.pop(secret, None)

    def separate(self, *arguments: Any) -> None:
        """Undo a joining."""
        self.done.append(("separate", *arguments))

    def declare_service(self, *arguments: Any) -> int:
        """Declare."""
        self.done.append(("service", *arguments))
        return 7

    def declare_environment(self, *arguments: Any) -> int:
        """Declare."""
        self.done.append(("environment", *arguments))
        return 8


class Sealer:
    """Signs when asked to wait."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def wait(self, size: int, timeout: float) -> bool:
        """Sign now."""
        self._log.sign()
        return self._log.signed is not None and self._log.signed.size >= size


class Disk:
    """A disk whose sizes tests set."""

    def __init__(self) -> None:
        self.parts = {"trail": 40_000_000, "derived": 12_000_000, "keys": 1_000_000}
        self.left: int | None = 9_000_000_000

    def sizes(self) -> dict[str, int]:
        """By part."""
        return self.parts

    def free(self) -> int | None:
        """What is left."""
        return self.left


class Followed:
    """A follower that says of itself what tests set; by default it has seen all."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.stopped: FollowerState | None = None

    @property
    def state(self) -> FollowerState:
        """How far it is."""
        return self.stopped or FollowerState(size=len(self._log.bodies))


class Signing:
    """How signing stands, as tests set it."""

    def __init__(self) -> None:
        self.state, self.words = "signed", ""
        self.signed_at: int | None = NOW - 3_000
        self.vkey = ""


class FakeHouse:
    """All of it together."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.recorder = Recorder(self.log)
        self.receiver = Receiver()
        self.ask = Ask(self.log, self.recorder)
        self.watch = Watch(self.ask)
        self.administer = Administer()
        self.clock = Clock()
        self.saved = Saved(RealLog(), self.clock)
        self.sealer = Sealer(self.log)
        self.origin = ORIGIN
        self.vkey = self.log.key.verifier.vkey()
        self.demo = False
        self.readonly: str | None = None
        self.disk, self.samples = Disk(), RealLog()
        self.followed, self.signing = Followed(self.log), Signing()
        self.allow()

    def allow(self, rates: Rates | None = None, quotas: Quotas | None = None) -> None:
        """Other limits and quotas than by default."""
        self.limits = Limits(self.clock, rates)
        log: Any = self.log
        self.capacity = Capacity(self.disk, self.samples, log, self.clock, quotas or Quotas())
        self.status = Status(
            log=log,
            sealer=self.signing,
            followers=[self.followed],
            capacity=self.capacity,
            limits=self.limits,
            clock=self.clock,
            closed=lambda: self.readonly,
            unsigned=self.receiver.refused,
            set_aside=self.ask.set_aside,
        )
