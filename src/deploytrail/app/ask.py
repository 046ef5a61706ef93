"""Questions of pages, answered from rows by key or index, with sealed texts opened for those who may look.

No question scans a table, counts rows or skips over them, so that it takes as long in a large house as in a
small one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from deploytrail.app.changed import Changed
from deploytrail.app.deployed import Deployed
from deploytrail.app.disclose import Disclosing
from deploytrail.app.follow import Followed
from deploytrail.app.known import Known
from deploytrail.app.lists import Lists, Whom
from deploytrail.app.places import Places
from deploytrail.app.ports import Clock, Derived, Log, SearchIndex
from deploytrail.app.published import Published
from deploytrail.app.questions import Questions
from deploytrail.app.search import Search
from deploytrail.app.serviced import Serviced
from deploytrail.app.shown import Opener
from deploytrail.app.tiles import TileReader
from deploytrail.app.trails import Trails
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
)
from deploytrail.errors import Refused
from deploytrail.facts.entry import Entry, read
from deploytrail.projections.attention import SET_ASIDE
from deploytrail.tlog.hashes import leaf_hash
from deploytrail.tlog.proofs import inclusion_proof
from deploytrail.tlog.receipt import Receipt


class Sealed(Protocol):
    """How signing stands: `state` is "signed", "behind" or "refused"; `signed_at` in UTC milliseconds."""

    state: str
    words: str
    signed_at: int | None

    @property
    def vkey(self) -> str:
        """The verifier key of the log."""


class Ask:
    """Answers questions. All methods block; call them in threads.

    `refused` gives how many deliveries were turned away since the start; `whom` finds people by a word of
    theirs. Lists and questions about what ran when have rooms of their own: `lists` and `questions`.
    """

    def __init__(
        self,
        *,
        log: Log,
        derived: Derived,
        index: SearchIndex,
        disclose: Disclosing,
        sealer: Sealed,
        clock: Clock,
        origin: str,
        followers: Sequence[Followed] = (),
        refused: Callable[[], int] = lambda: 0,
        whom: Whom = lambda word: (),
    ) -> None:
        self._log, self._derived, self._index, self._disclose = log, derived, index, disclose
        self._sealer, self._clock, self._origin = sealer, clock, origin
        self._followers, self._refused = followers, refused
        self._tiles = TileReader(log)
        self._opener = Opener(log, derived, disclose)
        self._trails = Trails(derived, self._opener)
        self._deployed = Deployed(derived, self._opener)
        self._places = Places(derived, self._opener)
        self._search = Search(index, log, derived, self._trails, self._opener)
        self.lists = Lists(derived, self._opener, self._places, whom)
        self._serviced = Serviced(derived, self._opener, self._places, self.lists)
        self._changed = Changed(derived, self._opener, self._trails, self._deployed, self.lists)
        self._published = Published(derived, self._opener, self._deployed, self.lists)
        self._known = Known(derived, self._opener, self._trails, clock)
        self.questions = Questions(derived, self._deployed, self.lists, clock)

    def trail(self, filter: Filter, below: int | None, above: int | None, limit: int) -> TrailPage:
        """Lines of the trail that match, newest first, with above < index < below."""
        return self._trails.page(filter, below, above, limit, self._signed())

    def _signed(self) -> int:
        signed = self._log.checkpoint()
        return signed.size if signed else 0

    def cells(self, services: Sequence[str]) -> dict[str, list[CellView]]:
        """Where each of these services runs or ran, the environments as on their page."""
        return self._places.of(services)

    def service(self, name: str, cursor: str | None = None, limit: int = 20) -> ServiceView | None:
        """One service, by its name or another name of it, with deployments from a cursor of `lists` on."""
        return self._serviced.view(name, cursor, limit)

    def change(self, repository: str, number: int, below: int | None = None) -> ChangeView | None:
        """One change of a repository, with the lines about it below an index."""
        return self._changed.view(repository, number, below, self._signed())

    def artifact(self, digest: str, below: int | None = None) -> PublishedView | None:
        """One artifact by its digest, with deployments that entries below an index told of."""
        return self._published.view(digest, below)

    def person(
        self, subject: str, below: int | None = None, kept_below: int | None = None
    ) -> PersonView | None:
        """One person by subject id: what they did, and what is kept of them, below an index each."""
        return self._known.view(subject, below, kept_below, self._signed())

    def search(self, question: str, below: int | None, limit: int) -> SearchPage:
        """What a question finds, newest first, with index < below, and what its words name."""
        signed = self._log.checkpoint()
        return self._search.find(question, below, limit, signed.size if signed else 0)

    def deployment(self, key: str) -> DeploymentView | None:
        """One deployment by its key, also by the key of a report that was joined into it."""
        return self._deployed.view(key, self._log.checkpoint())

    def running(self, service: str, environment: str, at: int | None) -> DeploymentView | None:
        """The deployment that put there what runs, or what ran at a time; None: nothing did."""
        row = self.questions.running(service, environment, at)
        return self.deployment(str(row.key)) if row else None

    def environments(self) -> list[EnvironmentView]:
        """What runs where, by rank, then name; environments that nobody declared last."""
        return self._places.views()

    def log(self) -> LogView:
        """The state of the log, of signing and of the followers."""
        head, signed = self._log.head(), self._log.checkpoint()
        at = self._sealer.signed_at
        return LogView(
            origin=self._origin,
            vkey=self._sealer.vkey,
            size=head.size,
            root=b64encode(head.root).decode(),
            checkpoint_size=signed.size if signed else None,
            checkpoint_root=b64encode(signed.root).decode() if signed else None,
            checkpoint_note=signed.note.decode() if signed else None,
            signed_ms_ago=max(0, self._clock.now() - at) if at is not None else None,
            signer=self._sealer.state,
            signer_words=self._sealer.words,
            followers=[(s.name, s.size, s.words) for f in self._followers if (s := f.state)],
            refused_deliveries=self._refused(),
        )

    def attention(self, below: int | None, limit: int) -> list[AttentionView]:
        """Deliveries that were set aside, newest first."""
        rows = self._derived.page(SET_ASIDE, order="index", below=below, limit=max(1, limit))
        return [
            AttentionView(
                index=row.index,
                source=row.source,
                event=row.event,
                reason=row.reason,
                size=row.size,
                received_at=row.received_at,
                delivery_id=row.delivery_id,
                kept=self._disclose.kept(row.index),
            )
            for row in rows
        ]

    def set_aside(self, most: int) -> int:
        """How many deliveries were set aside, counted up to `most`."""
        return len(self._derived.page(SET_ASIDE, order="index", limit=most))

    def entry(self, index: int) -> tuple[Entry, bytes, bytes] | None:
        """One entry, its leaf hash and its bytes. Refused("untrue") if the bytes do not give the hash."""
        rows = self._log.entries(index, index + 1)
        if not rows:
            return None
        row = rows[0]
        if leaf_hash(row.body) != row.leaf:
            raise Refused(
                "untrue",
                f"Entry {index} is damaged: its bytes do not give its hash. See `deploytrail fsck`.",
            )
        return read(row.body), row.leaf, row.body

    def opened(self, index: int) -> dict[str, Any]:
        """What the sealed fields of an entry open to, by path ("data.title", "labels")."""
        return self._disclose.texts([index]).get(index, {})

    def receipt(self, index: int) -> bytes:
        """The .tlog-proof of an entry, which carries the entry itself in its extra line.

        Refused: "not-found", or "unavailable" while it is not signed.
        """
        found = self.entry(index) if index >= 0 else None
        if found is None:
            raise Refused("not-found", f"The log has no entry {index} yet.")
        signed = self._log.checkpoint()
        if signed is None or index >= signed.size:
            raise Refused(
                "unavailable", f"Entry {index} is recorded, but not signed yet. Ask again in a second."
            )
        proof = inclusion_proof(index, signed.size, self._tiles)
        return Receipt(index, tuple(proof), signed.note, extra=found[2]).encode()

    def projected(self) -> int:
        """How many entries the pages know of."""
        return self._derived.cursor()

    def searched(self) -> int:
        """How many entries can be found."""
        return self._index.cursor()
