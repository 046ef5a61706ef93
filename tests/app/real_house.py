"""A whole house in a folder, as `main` would put it together: real stores, signer, recorder and receiver."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploytrail.app.access import NAMESPACE, TOKENS
from deploytrail.app.administer import Administer
from deploytrail.app.disclose import Disclose
from deploytrail.app.erase import Erase
from deploytrail.app.follow import TABLES, Follower
from deploytrail.app.fsck import Beside, fsck
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Apart
from deploytrail.app.receive import Receipt, Receiver
from deploytrail.app.record import Recorder
from deploytrail.app.seal import Sealer
from deploytrail.app.searching import Searching
from deploytrail.app.vault import Vault
from deploytrail.evidence.check import Check
from deploytrail.facts.draft import TOLD
from deploytrail.intake.registry import SOURCES
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store.derived_sql import SqlDerived
from deploytrail.store.folder import Folder
from deploytrail.store.inspected import InspectedIndex, InspectedKeys, InspectedLog, InspectedRows
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.places import Places
from deploytrail.store.search_sql import SqlSearch
from deploytrail.tlog.note import SigningKey
from tests import postgres
from tests.app.small_house import ORIGIN, Chance, Clock, draft
from tests.intake.deliveries import SECRET, delivery, own_samples

HOUSE_KEY = b"k" * 32
SOURCE = "our-github"
NAMESPACES = (*SOURCES, TOLD, NAMESPACE, TOKENS)


class RealHouse:
    """Opens or makes the house in FOLDER/data; its signer lies in FOLDER/signer."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.clock, self.chance = Clock(), Chance()
        self.vault = Vault(HOUSE_KEY, self.chance)
        self.places = Places(Folder(self.data), postgres.url_of(self.data))
        self.log = SqlLog(self.places.trail)
        self.keyring = SqlKeyring(self.places.keys, self.vault)
        self.derived = SqlDerived(self.places.derived, TABLES)
        self.index = SqlSearch(self.data / "search.db")
        if not (folder / "signer" / "key").exists():
            FileSigner.create(folder / "signer", ORIGIN, self.chance)
        self.signer = FileSigner(folder / "signer", ORIGIN)
        self.persons = Persons(self.keyring, self.vault, self.chance)
        self.disclose = Disclose(self.log, self.keyring, self.log)
        self.searching = Searching(self.log, self.index, self.disclose, self.clock)
        self.recorder = Recorder(self.log, self.persons, self.disclose)
        self.recorder.start()
        self.receiver = Receiver(
            self.recorder,
            self.log,
            self.vault,
            self.clock,
            self.chance,
            SOURCES,
            lambda name: ("github", [SECRET]) if name == SOURCE else None,
        )
        self.administer = Administer(
            self.log, self.recorder, self.persons, self.vault, self.clock, self.chance, SOURCES
        )
        self.erase = Erase(
            log=self.log,
            keyring=self.keyring,
            persons=self.persons,
            disclose=self.disclose,
            recorder=self.recorder,
            searching=self.searching,
            vault=self.vault,
            clock=self.clock,
            chance=self.chance,
            namespaces=NAMESPACES,
        )
        self.sealer = Sealer(self.log, self.signer, self.clock)
        self.follower = Follower(self.log, self.derived, self.clock)

    def tell(self, kind: str, **fields: Any) -> int:
        """Record one fact, as told by a source; its index."""
        return self.recorder.record([draft(kind, **fields)]).result(timeout=10)[0].index

    def deliver(self, event: str, body: bytes | dict[str, Any], id: int = 0) -> Future[Receipt]:
        """One signed delivery of GitHub; `id` makes its delivery id."""
        sent = delivery(event, body, x_github_delivery=f"72d3162e-cc78-11e3-81ab-{id:012x}")
        return self.receiver.receive(SOURCE, sent.headers, sent.body)

    def deliver_samples(self) -> None:
        """All of the project's own samples."""
        for id, sample in enumerate(own_samples(), 1):
            self.deliver(sample.event, sample.body, id).result(timeout=10)

    def settle(self) -> None:
        """Sign the head, and fold in what is new."""
        self.sealer.seal()
        self.follower.catch_up()
        self.searching.catch_up()

    def close(self) -> None:
        """Record what waits, then let everything go."""
        self.recorder.stop()
        self.derived.close()
        self.index.close()
        self.keyring.close()
        self.log.close()
        self.places.close()


def judge(
    folder: Path,
    everything: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
    apart: Apart | None = None,
) -> list[Check]:
    """What fsck answers about the house in a folder; all is opened anew, and for reading only."""
    data, signer = folder / "data", folder / "signer"
    vkey = SigningKey.from_seed(ORIGIN, (signer / "key").read_bytes()).verifier.vkey()
    with ExitStack() as stack:
        places = Places(Folder(data), postgres.url_of(data), write=False)
        stack.callback(places.close)
        beside = None
        if everything:
            vault = Vault(HOUSE_KEY, Chance())
            keyring = SqlKeyring(places.keys, vault, write=False)
            stack.callback(keyring.close)
            rows, keys = InspectedRows(places.derived, TABLES), InspectedKeys(places.keys)
            beside = Beside(keyring, vault, rows, keys, InspectedIndex(places.search), Chance())
        log = InspectedLog(places.trail)
        return list(
            fsck(log, vkey, lambda: FileSigner(signer, ORIGIN).last(), Chance(), beside, progress, apart)
        )


def wrong(checks: list[Check]) -> dict[int, str]:
    """The checks that do not hold, with what they say."""
    return {check.number: check.detail for check in checks if not check.ok}


def base64_spellings(text: bytes) -> set[bytes]:
    """What stands in base64 wherever these bytes stand, at each of the three places they can begin."""
    found = set()
    for before in range(3):
        whole = b64encode(b"\0" * before + text + b"\0" * 2)
        # Only the characters that the text alone decides.
        start, stop = -(-8 * before // 6), (8 * (before + len(text))) // 6
        found.add(whole[start:stop])
    return found
