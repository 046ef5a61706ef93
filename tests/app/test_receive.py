"""Receiving: what is authentic is never lost, whatever is wrong with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from deploytrail.app.disclose import Disclose
from deploytrail.app.kept import open_kept
from deploytrail.app.persons import Persons
from deploytrail.app.ports import RawDelivery
from deploytrail.app.receive import Again, Receipt, Receiver
from deploytrail.app.record import Recorder
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.facts.entry import Entry, check
from deploytrail.intake.delivery import Delivery, Reading, Unreadable
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.log_memory import MemoryLog
from tests.app.small_house import Chance, Clock, draft
from tests.projections.telling import NOON

WAIT = 20
SECRET = b"secret"
SOURCES = {
    "hub": ("plain", [b"old", SECRET]),
    "hub-2": ("plain", [b"old", SECRET]),
    "odd": ("unheard-of", [SECRET]),
}


def read_plainly(delivery: Delivery) -> Reading:
    """Bodies are {"id": delivery id, "facts": [[id, deployment], ...]}."""
    told = json.loads(delivery.body)
    drafts = [
        draft(
            "deployment.started", id=id, deployment=name, service="s", environment="e", source=delivery.source
        )
        for id, name in told["facts"]
    ]
    return Reading(event="deployment", delivery_id=told.get("id"), drafts=drafts)


class Plain:
    """A source whose reading can be put in the place of the plain one."""

    kind = "plain"
    headers = ("x-event",)

    def __init__(self) -> None:
        self.reads: Callable[[Delivery], Any] = read_plainly

    def authenticate(self, delivery: Delivery, secrets: Sequence[bytes]) -> None:
        if delivery.headers.get("secret", "").encode() not in secrets:
            if "explode" in delivery.headers:
                raise KeyError("explode")
            raise Refused("unauthenticated", "No live secret signed this.")

    def read(self, delivery: Delivery) -> Reading:
        return self.reads(delivery)  # type: ignore[no-any-return]


class House:
    """A receiver over a memory log."""

    def __init__(self) -> None:
        self.log, self.clock, self.source = MemoryLog(), Clock(), Plain()
        keyring, vault = MemoryKeyring(), Vault(b"k" * 32, Chance())
        self.vault = vault
        self.recorder = Recorder(
            self.log, Persons(keyring, vault, Chance()), Disclose(self.log, keyring, self.log)
        )
        self.recorder.start()
        self.receiver = Receiver(
            self.recorder,
            self.log,
            vault,
            self.clock,
            Chance(),
            {"plain": self.source},
            SOURCES.get,
        )

    def send(self, body: bytes | dict[str, Any], **headers: str) -> Receipt:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.receiver.receive("hub", {"secret": "secret", **headers}, sent).result(WAIT)

    def entry(self, index: int) -> Entry:
        [row] = self.log.entries(index, index + 1)
        return check(row.body)

    def aside(self, receipt: Receipt) -> dict[str, Any]:
        assert receipt.status == "set_aside"
        [index] = receipt.indices
        entry = self.entry(index)
        assert entry.kind == "delivery.set_aside"
        assert entry.delivery == entry.data["commitment"]
        return entry.data


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.recorder.stop()


def opened(house: House, raw: RawDelivery) -> bytes:
    return open_kept(raw, house.vault).body


def body(*facts: str, id: str | None = "d1") -> dict[str, Any]:
    return {"id": id, "facts": [[f"run:{name}", name] for name in facts]}


def test_a_delivery_becomes_facts_and_its_body_is_kept(house: House) -> None:
    sent = json.dumps(body("a", "b")).encode()
    assert house.send(sent) == Receipt("recorded", [0, 1])
    [(_, raw, first)] = list(house.log.deliveries())
    assert first == 0
    assert sent not in raw.sealed
    assert opened(house, raw) == sent
    assert (raw.event, raw.received_at) == ("deployment", NOON)
    assert house.entry(0).delivery == house.entry(1).delivery
    altered = raw._replace(sealed=raw.sealed[:-1] + bytes([raw.sealed[-1] ^ 1]))
    with pytest.raises(Refused) as refusal:
        opened(house, altered)
    assert refusal.value.code == "untrue"


def test_ids_from_deliveries_do_not_stand_in_clear(house: House) -> None:
    house.send(body("a"))
    id = house.entry(0).id or ""
    assert id.startswith("k_")
    assert len(id) == 28
    assert b"run:a" not in house.log.entries(0, 1)[0].body
    assert house.log.find("hub", "run:a") is None
    assert house.log.find("hub", id) == 0
    # The same report in another delivery is still known again.
    assert house.send(body("a", id="d2") | {"more": 1}) == Receipt("known", [0])
    # Another source's report of this name is another one.
    sent = json.dumps(body("a")).encode()
    receipt = house.receiver.receive("hub-2", {"secret": "secret"}, sent).result(WAIT)
    assert receipt == Receipt("recorded", [1])
    assert house.entry(1).id != id


def test_repeats_are_known(house: House) -> None:
    house.send(body("a"))
    assert house.send(body("a")) == Receipt("repeat", [0])
    # Old facts and a new one, under a new delivery id.
    assert house.send(body("a", "b", id="d2")) == Receipt("recorded", [0, 1])
    assert house.send(body("a", "b", id="d2")) == Receipt("repeat", [1])
    assert house.log.head().size == 2


def test_unauthentic_deliveries_are_counted_and_never_stored(house: House) -> None:
    for headers in ({"secret": "wrong"}, {}, {"explode": "1"}):
        with pytest.raises(Refused) as refusal:
            house.receiver.receive("hub", headers, b"{}")
        assert refusal.value.code == "unauthenticated"
    assert house.receiver.refused == {"hub": 3}
    assert house.log.head().size == 0
    assert list(house.log.deliveries()) == []
    assert (
        house.receiver.receive("hub", {"secret": "old"}, b'{"facts":[]}').result(WAIT).status == "set_aside"
    )


def test_sources_that_are_not_there(house: House) -> None:
    with pytest.raises(Refused) as refusal:
        house.receiver.receive("nobody", {"secret": "secret"}, b"{}")
    assert refusal.value.code == "not-found"
    with pytest.raises(Refused) as refusal:
        house.receiver.receive("odd", {"secret": "secret"}, b"{}")
    assert refusal.value.code == "unavailable"
    assert house.receiver.refused == {}


# What is wrong with a delivery.


def raises(error: BaseException) -> Callable[[Delivery], Any]:
    def read(delivery: Delivery) -> Any:
        raise error

    return read


def lazily(delivery: Delivery) -> Any:
    def drafts() -> Iterator[Draft]:
        yield draft("deployment.started", id="x", deployment="x", service="s", environment="e")
        raise IndexError("in the middle")

    return Reading(event="deployment", drafts=drafts())  # type: ignore[arg-type]


def unwritable(delivery: Delivery) -> Any:
    reading = read_plainly(delivery)
    return msgspec.structs.replace(
        reading, drafts=[msgspec.structs.replace(reading.drafts[0], received_at=10**20)]
    )


def enormous(delivery: Delivery) -> Any:
    running = [{"service": f"{n}" + "x" * 400} for n in range(200)]
    return Reading(
        event="deployment",
        delivery_id="d1",
        drafts=[draft("environment.snapshot", environment="e", running=running)],
    )


def odd_id(delivery: Delivery) -> Any:
    return Reading(event="e", drafts=[draft("service.removed", id="\ud800", service="s", environment="e")])


def odd_names(delivery: Delivery) -> Any:
    return Reading(event="\ud800" * 9_000, delivery_id="\ud800", reason="\ud800" * 9_000)


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        (raises(Unreadable("no JSON", event="push", delivery_id="d7")), "no JSON"),
        (raises(Unreadable("", event="")), "nothing in it is read yet"),
        (raises(Refused("conflict", "of its own")), "Refused"),
        (raises(RecursionError()), "RecursionError"),
        (raises(MemoryError()), "MemoryError"),
        (raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")), "UnicodeDecodeError"),
        (lambda _: None, "AttributeError"),
        (lambda _: Reading(event=7, drafts=[]), "TypeError"),  # type: ignore[arg-type]
        (lambda _: Reading(event="e", drafts=["no draft"]), "AttributeError"),  # type: ignore[list-item]
        (lambda _: Reading(event="ping"), "nothing in it is read yet"),
        (lambda _: Reading(event="ping", reason="not read yet: ping"), "not read yet: ping"),
        (lazily, "IndexError"),
        (unwritable, "years 1 to 9999"),
        (enormous, "65535"),
        (odd_id, "UnicodeEncodeError"),
        (odd_names, "???"),
    ],
)
def test_whatever_a_source_does_an_authentic_delivery_is_kept(
    house: House, reads: Callable[[Delivery], Any], said: str
) -> None:
    house.source.reads = reads
    sent = json.dumps(body("a")).encode()
    receipt = house.send(sent)
    aside = house.aside(receipt)
    assert said in aside["reason"]
    assert aside["size"] == len(sent)
    [(_, raw, _)] = list(house.log.deliveries())
    assert opened(house, raw) == sent
    assert house.send(sent) == Receipt("repeat", receipt.indices)


def test_one_delivery_id_with_another_body_is_set_aside(house: House) -> None:
    house.send(body("a"))
    receipt = house.send(body("b"))
    aside = house.aside(receipt)
    assert "same delivery id" in aside["reason"]
    assert aside["delivery_id"] == "d1"
    assert house.send(body("b")) == Receipt("repeat", receipt.indices)
    # Also when the other body says nothing new, and when it cannot be read.
    assert house.aside(house.send(body("a") | {"more": 1}))["delivery_id"] == "d1"
    house.source.reads = raises(Unreadable("no JSON", event="push", delivery_id="d1"))
    assert "same delivery id" in house.aside(house.send(b"{"))["reason"]
    assert len(list(house.log.deliveries())) == 4


def test_a_report_that_contradicts_an_earlier_one_is_recorded_too(house: House) -> None:
    house.send({"id": "d1", "facts": [["run:1", "first"]]})
    receipt = house.send({"id": "d2", "facts": [["run:2", "more"], ["run:1", "second"]]})
    assert receipt == Receipt("recorded", [1, 2])
    assert [house.entry(n).data["deployment"] for n in range(3)] == ["first", "more", "second"]
    # What was told before is told again without harm, by whichever delivery.
    assert house.send({"id": "d3", "facts": [["run:1", "first"]]}) == Receipt("known", [0])
    # That delivery's id is taken now.
    assert "same delivery id" in house.aside(house.send({"id": "d2", "facts": []}))["reason"]


def test_one_id_with_two_bodies_at_once(house: House) -> None:
    gate = threading.Barrier(8)
    receipts: list[Receipt] = []

    def send(n: int) -> None:
        gate.wait(WAIT)
        receipts.append(house.send(body(f"a{n % 4}")))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(receipt.status for receipt in receipts) == ["recorded"] + ["repeat"] * 4 + ["set_aside"] * 3
    assert house.log.head().size == 4


# What is wrong with the house.


@pytest.mark.parametrize("how", ["failed", "persisted"])
@pytest.mark.parametrize("readable", [True, False])
def test_a_failing_store_acknowledges_nothing(house: House, how: Any, readable: bool) -> None:
    if not readable:
        house.source.reads = raises(Unreadable("no JSON", event="push", delivery_id="d1"))
    house.log.fail("append", how)
    sent = json.dumps(body("a")).encode()
    refusal = house.receiver.receive("hub", {"secret": "secret"}, sent).exception(WAIT)
    assert isinstance(refusal, Refused)
    assert refusal.code == "unavailable"
    assert house.log.head().size == (1 if how == "persisted" else 0)
    house.log.reopen()
    house.recorder.closed = None
    # Sent again, it is recorded once.
    assert house.send(sent).status == (
        "repeat" if how == "persisted" else "recorded" if readable else "set_aside"
    )
    assert house.log.head().size == 1


def test_a_store_that_fails_while_setting_aside_is_told(house: House) -> None:
    house.source.reads = unwritable
    house.log.fail("append", "failed")
    refusal = house.receiver.receive("hub", {"secret": "secret"}, json.dumps(body("a")).encode()).exception(
        WAIT
    )
    assert isinstance(refusal, Refused)
    assert refusal.code == "unavailable"
    assert house.log.head().size == 0


def test_a_house_that_stopped_refuses(house: House) -> None:
    house.recorder.stop()
    refusal = house.receiver.receive("hub", {"secret": "secret"}, b'{"facts":[]}').exception(WAIT)
    assert isinstance(refusal, Refused)
    assert refusal.code == "unavailable"


# Reading again.


def test_what_was_set_aside_is_read_again_after_an_upgrade(house: House) -> None:
    house.source.reads = raises(Unreadable("not yet", event="deployment", delivery_id="d1"))
    aside = house.send(body("a", "b"), **{"x-event": "deployment", "authorization": "never kept"})
    assert house.receiver.read_again() == Again(0, 1)
    seen: list[Delivery] = []

    def upgraded(delivery: Delivery) -> Reading:
        seen.append(delivery)
        return read_plainly(delivery)

    house.source.reads = upgraded
    house.clock.at += 1000
    assert house.receiver.read_again() == Again(1, 0)
    [delivery] = seen
    assert (dict(delivery.headers), delivery.received_at) == ({"x-event": "deployment"}, NOON)
    facts = [house.entry(1), house.entry(2)]
    assert [fact.data["deployment"] for fact in facts] == ["a", "b"]
    assert {fact.delivery for fact in facts} == {house.entry(aside.indices[0]).delivery}
    # Again does no harm, and a later delivery of the same reports repeats them.
    assert house.receiver.read_again() == Again(0, 0)
    assert house.send(body("a", id="d9")) == Receipt("known", [1])
    assert house.log.head().size == 3


def test_facts_without_ids_are_read_again_only_once(house: House) -> None:
    def nameless(delivery: Delivery) -> Reading:
        drafts = [msgspec.structs.replace(one, id=None) for one in read_plainly(delivery).drafts]
        return Reading(event="deployment", delivery_id="d1", drafts=drafts)

    house.source.reads = raises(Unreadable("not yet", event="deployment", delivery_id="d1"))
    house.send(body("a", "b"))
    house.source.reads = nameless
    assert house.receiver.read_again() == Again(1, 0)
    assert house.receiver.read_again() == Again(0, 0)
    assert house.log.head().size == 3


def test_what_came_under_anothers_id_stays_aside(house: House) -> None:
    house.send({"id": "d1", "facts": [["run:1", "first"]]})
    house.aside(house.send({"id": "d1", "facts": [["run:9", "under a taken id"]]}))
    assert house.receiver.read_again() == Again(0, 0)
    assert house.log.head().size == 2


def test_altered_or_foreign_kept_bytes_are_named(house: House) -> None:
    house.source.reads = raises(Unreadable("not yet", event="deployment"))
    house.send(b"{}")
    [(_, raw, _)] = list(house.log.deliveries())
    with pytest.raises(Refused) as refusal:
        open_kept(raw._replace(source="other"), house.vault)
    assert refusal.value.code == "untrue"
