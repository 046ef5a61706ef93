"""Recording: acknowledged means there, refused means not there, and nobody is left without an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app import record as recording
from deploytrail.app.disclose import Disclose
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Damaged, Differs, Placed, RawDelivery, Submission
from deploytrail.app.record import Recorder
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.entry import check
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.log_memory import MemoryLog
from deploytrail.store.log_sql import SqlLog
from tests.app.small_house import Chance, draft
from tests.projections.telling import NOON
from tests.store import faults

WAIT = 20


class House:
    """A recorder over a memory log, which can be started again on the same log."""

    def __init__(self, log: Any = None, *, start: bool = True) -> None:
        self.log = MemoryLog() if log is None else log
        self.keyring = MemoryKeyring()
        self.made: list[Recorder] = []
        self.open(start=start)

    def open(self, *, start: bool = True) -> Recorder:
        self.persons = Persons(self.keyring, Vault(b"k" * 32, Chance()), Chance())
        self.disclose = Disclose(self.log, self.keyring, self.log)
        self.recorder = Recorder(self.log, self.persons, self.disclose)
        self.made.append(self.recorder)
        if start:
            self.recorder.start()
        return self.recorder

    def tell(self, *drafts: Draft, **more: Any) -> list[Placed]:
        return self.recorder.record(drafts, **more).result(timeout=WAIT)

    def refused(self, *drafts: Draft, **more: Any) -> Refused:
        found = self.recorder.record(drafts, **more).exception(timeout=WAIT)
        assert isinstance(found, Refused)
        return found

    def ids(self) -> list[str | None]:
        return [check(row.body).id for row in self.log.entries(0, 10**6)]


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    for recorder in made.made:
        recorder.stop()


def fact(id: str | None = None, **more: Any) -> Draft:
    fields = {"deployment": "d", "service": "checkout", "environment": "production", **more}
    return draft("deployment.started", id=id, **fields)


class Gate(MemoryLog):
    """A log whose appends wait until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.open = threading.Event(), threading.Event()

    def append(self, batch: Sequence[Submission], differs: Differs | None = None) -> Any:
        self.entered.set()
        assert self.open.wait(WAIT)
        return super().append(batch, differs)


def test_a_fact_is_acknowledged_when_it_is_there(house: House) -> None:
    assert house.tell(fact("a"), fact("b")) == [Placed(0, False), Placed(1, False)]
    assert house.recorder.record_each([fact("c"), fact("d")]).result(WAIT) == [
        Placed(2, False),
        Placed(3, False),
    ]
    assert house.ids() == ["a", "b", "c", "d"]
    assert house.tell() == []
    assert house.recorder.record_each([]).result(WAIT) == []


def test_facts_that_stand_alone_fail_alone(house: House) -> None:
    bad = msgspec.structs.replace(fact("bad"), received_at=10**18)
    odd = msgspec.structs.replace(fact("odd"), body=object())  # type: ignore[arg-type]
    answers = house.recorder.record_each([fact("a"), bad, odd, fact("b")]).result(WAIT)
    assert [answers[n] for n in (0, 3)] == [Placed(0, False), Placed(1, False)]
    for n in (1, 2):
        refusal = answers[n]
        assert isinstance(refusal, Refused)
        assert refusal.code == "bad-input"
    assert house.refused(fact("c"), bad).code == "bad-input"
    assert house.ids() == ["a", "b"]


def test_guards_are_passed_on(house: House) -> None:
    house.tell(fact("a"))
    relied = {"unless_touched": ["run:checkout/production"]}
    assert house.refused(fact("b"), since=-1, **relied).code == "conflict"
    assert house.tell(fact("b"), since=0, **relied) == [Placed(1, False)]


# Repeats.


def full(**more: Any) -> Draft:
    return fact(
        **{
            "id": "run-7",
            "actor": "ada",
            "labels": {"team": "prices"},
            "url": "https://ci.example.org/7",
            "commits": [{"sha": "abcd"}],
            "creator": {"login": "ben", "email": "ben@example.org"},
            "ref": "topic",
            **more,
        }
    )


def test_a_repeat_is_known_though_told_at_another_time(house: House) -> None:
    house.tell(full())
    later = full(received_at=NOON + 86_400_000)
    assert house.tell(later) == [Placed(0, True)]
    from_delivery = msgspec.structs.replace(later, delivery="ZGVsaXZlcnk=")
    assert house.tell(from_delivery) == [Placed(0, True)]
    assert house.ids() == ["run-7"]


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"service": "basket"}, "data.service"),
        ({"commits": [{"sha": "abcd"}, {"sha": "abce"}]}, "data.commits"),
        ({"commits": [{"sha": "abce"}]}, "data.commits.0.sha"),
        ({"url": "https://ci.example.org/8"}, "data.url"),
        ({"url": None}, "data.url"),
        ({"labels": {"team": "basket"}}, "labels"),
        ({"labels": None}, "labels"),
        ({"actor": "cleo"}, "actor.login"),
        ({"actor": None}, "actor"),
        ({"bot": True}, "actor.bot"),
        ({"creator": {"login": "ben", "email": "b@example.org"}}, "data.creator.email"),
        ({"ref": "other"}, "data.ref"),
        ({"ref": "main"}, "data.ref"),
        ({"production": True}, "data.production"),
        ({"at": NOON + 1}, "occurred_at"),
    ],
    ids=str,
)
def test_the_same_id_with_other_content_is_a_conflict(house: House, more: dict[str, Any], where: str) -> None:
    house.tell(full())
    changed = {name: value for name, value in more.items() if value is not None}
    gone = {name for name, value in more.items() if value is None}
    body = full(**changed)
    if "url" in gone:
        body = msgspec.structs.replace(body, body=msgspec.structs.replace(body.body, url=None))
    body = msgspec.structs.replace(body, **dict.fromkeys(gone - {"url"}))
    if "actor" in gone:
        body = msgspec.structs.replace(body, attribution="authenticated")
    refusal = house.refused(body)
    assert refusal.code == "conflict"
    assert f" in {where}." in refusal.words
    assert house.ids() == ["run-7"]
    # A conflict records nothing of what came with it.
    assert house.refused(fact("new"), body).code == "conflict"
    assert house.ids() == ["run-7"]


def test_another_kind_under_one_id_is_a_conflict(house: House) -> None:
    house.tell(fact("a"))
    other = draft("service.removed", id="a", service="checkout", environment="production")
    assert house.refused(other).code == "conflict"


def test_repeats_within_one_breath_are_compared_too(house: House) -> None:
    [_, same, other] = house.recorder.record_each([full(), full(), full(service="basket")]).result(WAIT)
    assert same == Placed(0, True)
    assert isinstance(other, Refused)
    assert house.refused(fact("x"), fact("x", service="basket")).code == "conflict"
    assert house.ids() == ["run-7"]


@pytest.mark.parametrize("login", ["ada", "ben"])
def test_what_an_erased_person_was_in_is_still_a_repeat(house: House, login: str) -> None:
    house.tell(full())
    subject = house.persons.subject(Person(login=login), "told")
    house.persons.forget(subject)
    house.recorder.settle()
    house.log.erase_disclosures(subject)
    house.disclose.forget(subject)
    assert house.persons.subject(Person(login=login), "told") != subject
    assert house.tell(full(received_at=NOON + 5)) == [Placed(0, True)]
    # What is not erased is still compared.
    assert house.refused(full(service="basket")).code == "conflict"


# Failing stores.


def test_what_failed_is_not_acknowledged_and_can_be_told_again(house: House) -> None:
    house.log.fail("append", "failed")
    refusal = house.refused(fact("a"))
    assert refusal.code == "unavailable"
    assert house.log.head().size == 0
    assert house.recorder.closed is None
    assert house.tell(fact("a")) == [Placed(0, False)]


def test_what_failed_but_persisted_is_a_repeat_afterwards(house: House) -> None:
    told: list[str] = []
    house.recorder.on_damage = told.append
    house.log.fail("append", "persisted")
    refusal = house.refused(fact("a"), fact("b"))
    assert refusal.code == "unavailable"
    assert house.log.head().size == 2
    assert told == [refusal.words]
    # Nothing more is acknowledged until a restart has looked.
    assert house.recorder.closed == refusal.words
    assert house.refused(fact("c")).code == "unavailable"
    house.recorder.stop()
    house.log.reopen()
    house.open()
    assert house.tell(fact("a"), fact("b")) == [Placed(0, True), Placed(1, True)]
    assert house.tell(fact("c")) == [Placed(2, False)]
    assert house.ids() == ["a", "b", "c"]


def test_every_acknowledgement_is_true_whatever_fails() -> None:
    how: list[Any] = [None, "failed", None, "persisted", "failed", "persisted", None]
    house, acknowledged = House(), {}
    for n, fault in enumerate(how * 3):
        if fault:
            house.log.fail("append", fault)
        answers = house.recorder.record_each([fact(f"{n}-{m}") for m in range(5)]).result(WAIT)
        for m, answer in enumerate(answers):
            if isinstance(answer, Placed):
                acknowledged[f"{n}-{m}"] = answer.index
        if house.recorder.closed:
            house.recorder.stop()
            house.log.reopen()
            house.open()
    house.recorder.stop()
    ids = house.ids()
    assert len(ids) == len(set(ids))
    assert acknowledged
    assert all(ids[index] == id for id, index in acknowledged.items())


@pytest.mark.parametrize("fault", ["lost", "kept"])
def test_a_failing_flush_closes_the_house_and_reopening_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    injected = faults.install(monkeypatch)
    log = SqlLog(tmp_path / "log.db")
    house = House(log)
    house.tell(fact("a"))
    injected.commits = [fault]
    assert house.refused(fact("b")).code == "unavailable"
    # The disk answers again, and yet nothing is acknowledged before a restart.
    assert house.refused(fact("c")).words == house.recorder.closed
    house.recorder.stop()
    log.close()
    again = House(SqlLog(tmp_path / "log.db"))
    assert again.tell(fact("a"), fact("b")) == [Placed(0, True), Placed(1, fault == "kept")]
    assert again.tell(fact("c")) == [Placed(2, False)]
    assert again.ids() == ["a", "b", "c"]
    again.recorder.stop()
    again.log.close()


def told_in_parts(house: House, drafts: list[Draft]) -> list[Placed | Refused]:
    futures = [house.recorder.record_each(drafts[at : at + 10]) for at in range(0, len(drafts), 10)]
    return [answer for future in futures for answer in future.result(WAIT)]


def test_a_full_disk_acknowledges_nothing_and_heals_without_a_restart(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    house = House(log)
    faults.limit(log, 40)
    drafts = [fact(str(n), url="x" * 9_000) for n in range(2_000)]
    answers = told_in_parts(house, drafts)
    refusals = [each for each in answers if isinstance(each, Refused)]
    assert {each.code for each in refusals} == {"unavailable"}
    assert house.recorder.closed is None
    assert log.head().size == 2_000 - len(refusals) < 2_000
    faults.limit(log, 100_000)
    places = [each for each in told_in_parts(house, drafts) if isinstance(each, Placed)]
    assert sum(not place.repeat for place in places) == len(refusals)
    assert len(set(house.ids())) == log.head().size == 2_000
    house.recorder.stop()
    log.close()


def test_a_keyring_that_fails_closes_the_house_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(found: Any) -> None:
        raise Damaged("the disk of the keyring failed")

    house.tell(fact("a", actor="ada"))
    monkeypatch.setattr(house.keyring, "learn", fail)
    assert house.refused(fact("b", actor="ben")).code == "unavailable"
    assert house.recorder.closed == "the disk of the keyring failed"
    assert house.refused(fact("c", actor="ada")).code == "unavailable"
    assert house.ids() == ["a"]


def test_nobody_new_is_made_up_for_what_is_not_recorded(house: House) -> None:
    house.recorder.closed = "closed"
    house.refused(fact("a", actor="ada"))
    assert house.keyring.subjects() == []


def test_an_unexpected_error_answers_everybody() -> None:
    class Broken(MemoryLog):
        def append(self, batch: Any, differs: Any = None) -> Any:
            raise KeyError("nobody thought of this")

    house = House(Broken())
    assert house.refused(fact("a")).code == "unavailable"
    assert "not known" in house.refused(fact("b")).words
    house.recorder.stop()


def test_a_store_that_answers_too_little_leaves_nobody_waiting() -> None:
    class Silent(MemoryLog):
        def append(self, batch: Any, differs: Any = None) -> Any:
            return super().append(batch, differs)[:-1]

    house = House(Silent())
    assert house.refused(fact("a")).code == "unavailable"
    assert house.refused(fact("b")).code == "unavailable"
    house.recorder.stop()


# Listeners, and those who wait.


def test_listeners_hear_of_new_entries_and_cannot_harm(house: House) -> None:
    heard: list[int] = []

    def broken(size: int) -> None:
        raise RuntimeError("a broken follower")

    house.recorder.listeners += [broken, heard.append]
    house.tell(fact("a"), fact("b"))
    house.tell(fact("a"))
    house.tell(fact("c"))
    house.recorder.stop()
    assert heard == [2, 3]


def test_a_broken_alarm_does_not_stop_the_answers(house: House) -> None:
    def broken(words: str) -> None:
        raise RuntimeError("a broken alarm")

    house.recorder.on_damage = broken
    house.log.fail("append", "persisted")
    assert house.refused(fact("a")).code == "unavailable"
    assert house.refused(fact("b")).code == "unavailable"


def test_whoever_stops_waiting_harms_nobody() -> None:
    gate = Gate()
    house = House(gate)

    async def impatient() -> None:
        first = house.recorder.record([fact("a")])
        assert await asyncio.to_thread(gate.entered.wait, WAIT)
        second = house.recorder.record([fact("b")])
        waiting = asyncio.ensure_future(asyncio.wrap_future(second))
        await asyncio.sleep(0)
        waiting.cancel()
        assert not first.cancel()
        gate.open.set()
        await asyncio.wrap_future(house.recorder.record([fact("c")]))

    asyncio.run(impatient())
    house.recorder.stop()
    assert house.ids() == ["a", "b", "c"]


def test_an_answer_may_lead_to_more_facts(house: House) -> None:
    done: Future[list[Placed]] = Future()

    def more(first: Future[list[Placed]]) -> None:
        house.recorder.record([fact("b")]).add_done_callback(lambda second: done.set_result(second.result()))

    house.recorder.record([fact("a")]).add_done_callback(more)
    assert done.result(WAIT) == [Placed(1, False)]


# Starting, stopping, and limits.


def test_what_waits_is_recorded_before_stopping() -> None:
    gate = Gate()
    house = House(gate)
    futures = [house.recorder.record([fact(str(n))]) for n in range(50)]
    assert gate.entered.wait(WAIT)
    stopping = threading.Thread(target=house.recorder.stop)
    stopping.start()
    gate.open.set()
    stopping.join(WAIT)
    assert sorted(each.result(WAIT)[0].index for each in futures) == list(range(50))
    assert house.refused(fact("late")).code == "unavailable"
    [late] = house.recorder.record_each([fact("late")]).result(WAIT)
    assert isinstance(late, Refused)
    house.recorder.stop()


def test_what_comes_before_the_start_waits_for_it() -> None:
    house = House(start=False)
    early = house.recorder.record([fact("a")])
    house.recorder.start()
    assert early.result(WAIT) == [Placed(0, False)]
    house.recorder.stop()
    never = House(start=False)
    waiting = never.recorder.record([fact("a")])
    never.recorder.stop()
    assert isinstance(waiting.exception(WAIT), Refused)


def test_a_disk_that_does_not_answer_cannot_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_PATIENCE", 0.1)
    gate = Gate()
    house = House(gate)
    taken = house.recorder.record([fact("a")])
    assert gate.entered.wait(WAIT)
    waiting = house.recorder.record([fact("b")])
    house.recorder.stop()
    for each, words in ((taken, "not known"), (waiting, "Nothing was recorded")):
        refusal = each.exception(WAIT)
        assert isinstance(refusal, Refused)
        assert words in refusal.words
    gate.open.set()


def test_who_records_at_once_is_told_when_the_disk_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    house = House(gate)
    with monkeypatch.context() as short:
        short.setattr(recording, "_PATIENCE", 0.1)
        with pytest.raises(Refused, match="not known whether") as refusal:
            house.recorder.record_now(fact("a"))
    assert refusal.value.code == "busy"
    gate.open.set()
    assert house.recorder.record_now(fact("a")) == Placed(0, True)
    house.recorder.stop()


def test_a_closed_house_records_nothing_more_not_even_what_waits() -> None:
    gate = Gate()
    house = House(gate)
    first = house.recorder.record([fact("a")])
    assert gate.entered.wait(WAIT)
    waiting = house.recorder.record([fact("b")])
    house.recorder.closed = "this history was rewritten"
    gate.open.set()
    assert first.result(WAIT) == [Placed(0, False)]
    refusal = waiting.exception(WAIT)
    assert isinstance(refusal, Refused)
    assert refusal.words == "this history was rewritten"
    assert house.refused(fact("c")).words == "this history was rewritten"
    house.recorder.stop()
    assert house.ids() == ["a"]


@pytest.mark.parametrize(("limit", "value"), [("MAX_WAITING", 3), ("MAX_WAITING_BYTES", 1_500)])
def test_too_much_at_once_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(recording, limit, value)
    gate = Gate()
    house = House(gate)
    house.recorder.record([fact("first")])
    assert gate.entered.wait(WAIT)
    futures = [house.recorder.record_each([fact(str(n))], size=400) for n in range(20)]
    raw = RawDelivery("hub", b"m" * 32, None, 1, "push", b"", b"x" * 1_400)
    delivered = house.recorder.record([fact("delivered")], delivery=raw)
    gate.open.set()
    answers = [future.result(WAIT)[0] for future in futures]
    codes = [answer.code for answer in answers if isinstance(answer, Refused)]
    refusal = delivered.exception(WAIT)
    assert isinstance(refusal, Refused)
    assert refusal.code == "busy"
    assert 1 <= len(codes) < 20
    assert set(codes) == {"busy"}
    assert house.tell(fact("again"))[0].index == 21 - len(codes)
    house.recorder.stop()


def test_many_threads_record_at_once(tmp_path: Path) -> None:
    log = SqlLog(tmp_path / "log.db")
    house = House(log)
    answers: dict[str, int] = {}

    def tell(name: int) -> None:
        for n in range(25):
            drafts = [fact(f"{name}-{n}-{m}", actor=f"p{(name + n) % 7}") for m in range(3)]
            for one, place in zip(drafts, house.tell(*drafts), strict=True):
                answers[str(one.id)] = place.index

    threads = [threading.Thread(target=tell, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    house.recorder.stop()
    assert len(answers) == 450
    ids = house.ids()
    assert all(ids[index] == id for id, index in answers.items())
    assert len(house.keyring.subjects()) == 7
    log.close()
