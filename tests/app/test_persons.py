"""Persons: known again by keyed hashes, and gone for good once erased."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app import persons as people
from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.persons import Persons
from deploytrail.app.vault import Vault, decrypt
from deploytrail.errors import Refused
from deploytrail.facts.draft import Person
from deploytrail.facts.entry import read
from deploytrail.facts.sealing import NOBODY, from_bytes
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.keyring_sql import SqlKeyring
from tests.app.small_house import Chance, draft

ADA = Person(login="ada", email="ada@example.org", name="Ada")


def made(keyring: Any = None) -> Persons:
    return Persons(MemoryKeyring() if keyring is None else keyring, Vault(b"k" * 32, Chance()), Chance())


def change(**more: Any) -> Any:
    return draft("change.opened", repository="r", number=1, **more)


def test_a_person_is_known_again_by_each_identity() -> None:
    persons = made()
    ada = persons.subject(ADA, "github")
    assert ada.startswith("s_")
    assert len(ada) == 18
    for again in (
        Person(login="ada"),
        Person(email="ada@example.org"),
        Person(login="ADA", name="other"),
    ):
        assert persons.subject(again, "github") == ada
    assert persons.subject(Person(email=" Ada@Example.ORG "), "elsewhere") == ada
    assert persons.subject(Person(login="ada"), "gitlab") != ada
    # A name alone is nobody's proof; it is known only as a name.
    named = persons.subject(Person(name="Ada"), "github")
    assert named != ada
    assert persons.subject(Person(name="ada "), "github") == named


def test_identities_told_together_belong_together() -> None:
    persons = made()
    ada = persons.subject(Person(login="ada"), "github")
    assert persons.subject(ADA, "github") == ada
    assert persons.subject(Person(email="ada@example.org"), "told") == ada
    # The login decides, and what belongs to another stays there.
    ben = persons.subject(Person(login="ben", email="ben@example.org"), "github")
    assert persons.subject(Person(login="ada", email="ben@example.org"), "github") == ada
    assert persons.subject(Person(email="ben@example.org"), "github") == ben


def test_the_keyring_is_asked_once_about_somebody_new_and_not_again() -> None:
    class Asked(MemoryKeyring):
        asked: list[int]

        def subject(self, identities: Sequence[bytes]) -> str | None:
            self.asked.append(len(identities))
            return super().subject(identities)

    keyring = Asked()
    keyring.asked = []
    persons = made(keyring)
    ada = persons.subject(ADA, "github")
    assert persons.subject(ADA, "github") == ada
    assert keyring.asked == [2]
    # In another run one of two identities is known, and the other is new.
    again = made(keyring)
    assert again.subject(Person(login="ada", email="new@example.org"), "github") == ada
    assert again.subject(Person(email="new@example.org"), "github") == ada


def test_a_given_subject_is_kept() -> None:
    keyring = MemoryKeyring()
    persons = made(keyring)
    subject = persons.subject(Person(login="ada"), "house")
    assert keyring.key(subject) is not None
    assert persons.subject(Person(id=subject, name="Ada"), "house") == subject
    assert keyring.subjects() == [subject]


def test_another_run_knows_the_same_persons(tmp_path: Path) -> None:
    vault = Vault(b"k" * 32, Chance())
    keyring = SqlKeyring(tmp_path / "keys.db", vault)
    ada = Persons(keyring, vault, Chance()).subject(ADA, "github")
    keyring.close()
    keyring = SqlKeyring(tmp_path / "keys.db", vault)
    assert Persons(keyring, vault, Chance()).subject(Person(email="ada@example.org"), "x") == ada
    keyring.close()
    assert b"ada" not in (tmp_path / "keys.db").read_bytes().lower()


def test_disclosures_open_with_the_subjects_key_alone() -> None:
    keyring = MemoryKeyring()
    persons = made(keyring)
    pending = persons.seal(change(actor="ada", title="Add vouchers", author={"login": "ben"}))
    opened = {}
    for blob in pending.disclosures:
        key = keyring.key(blob.subject)
        assert key is not None
        said = from_bytes(unpack(decrypt(key, blob.sealed, blob.subject), MAX_OPENED))
        opened[blob.subject] = {path: value for path, (_, value) in said.items()}
    ada, ben = persons.subject(Person(login="ada"), "told"), persons.subject(Person(login="ben"), "told")
    assert opened == {
        ada: {"actor.login": "ada"},
        ben: {"data.author.login": "ben", "data.title": "Add vouchers"},
    }


def test_new_persons_are_durable_before_their_facts() -> None:
    class Counting(MemoryKeyring):
        writes = 0

        def learn(self, found: Any) -> None:
            self.writes += 1
            super().learn(found)

    keyring = Counting()
    persons = made(keyring)
    sealed = persons.seal_each([change(actor=f"p{n % 40}") for n in range(100)])
    for pending in sealed:
        assert not isinstance(pending, Refused)
        actor = read(pending.entry).actor or {}
        assert keyring.key(actor["id"]) is not None
    # Many new persons cost one flush.
    assert keyring.writes == 1
    assert len(keyring.subjects()) == 40
    persons.seal(change(actor="p1"))
    assert keyring.writes == 1


def test_a_keyring_that_fails_lets_nothing_through() -> None:
    class Failing(MemoryKeyring):
        failing = True

        def learn(self, found: Any) -> None:
            if self.failing:
                raise Refused("unavailable", "The disk is full.")
            super().learn(found)

    keyring = Failing()
    persons = made(keyring)
    refusals = persons.seal_each([change(actor="ada"), change(actor="ben")])
    assert [each.code for each in refusals if isinstance(each, Refused)] == ["unavailable"] * 2
    with pytest.raises(Refused, match="disk is full"):
        persons.subject(ADA, "github")
    keyring.failing = False
    # Nobody is remembered who was not written.
    pending = persons.seal(change(actor="ada"))
    assert keyring.subjects() == [(read(pending.entry).actor or {})["id"]]
    assert len(pending.disclosures) == 1


def test_only_so_many_are_remembered_and_the_least_asked_for_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people, "_CACHED", 10)

    class Asked(MemoryKeyring):
        asked = 0

        def subject(self, identities: Any) -> str | None:
            self.asked += 1
            return super().subject(identities)

    keyring = Asked()
    persons = made(keyring)
    first = persons.subject(Person(login="p0"), "x")
    for n in range(1, 40):
        persons.subject(Person(login=f"p{n}"), "x")
        assert persons.subject(Person(login="p0"), "x") == first
    assert keyring.asked == 40
    assert persons.subject(Person(login="p5"), "x") == keyring.subject(
        persons.identities(Person(login="p5"), "x")
    )
    assert len(persons._subjects) <= 10
    assert len(persons._keys) <= 10


def test_many_threads_meet_the_same_persons(tmp_path: Path) -> None:
    vault = Vault(b"k" * 32, Chance())
    keyring = SqlKeyring(tmp_path / "keys.db", vault)
    persons = made(keyring)

    def meet(n: int) -> tuple[int, str]:
        return n % 12, persons.subject(Person(login=f"p{n % 12}", email=f"p{n % 12}@example.org"), "github")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(meet, range(240)))
    assert len(found) == 12
    assert len(keyring.subjects()) == 12
    keyring.close()


# Erasure.


def test_whoever_is_forgotten_is_somebody_new() -> None:
    keyring = MemoryKeyring()
    persons = made(keyring)
    ada = persons.subject(ADA, "github")
    persons.forget(ada)
    assert keyring.subjects() == []
    again = persons.subject(ADA, "github")
    assert again != ada
    assert keyring.subjects() == [again]
    # Whatever still names the old subject is sealed without anything of it.
    late = change(author={"login": "ben"}, title="t")
    sealed = persons.seal(msgspec.structs.replace(late, actor=Person(id=ada, name="Ada")))
    assert [blob.subject for blob in sealed.disclosures] == [persons.subject(Person(login="ben"), "told")]


def test_an_identity_learnt_meanwhile_does_not_bring_a_key_back() -> None:
    class Slow(MemoryKeyring):
        def forget(self, subject: str) -> None:
            meeting.start()
            # It has to wait for the end of this.
            meeting.join(0.2)
            super().forget(subject)

    keyring = Slow()
    persons = made(keyring)
    ada = persons.subject(Person(login="ada"), "github")
    found: list[str] = []
    meeting = threading.Thread(target=lambda: found.append(persons.subject(ADA, "github")))
    persons.forget(ada)
    meeting.join(30)
    assert keyring.subjects() == found
    assert found != [ada]


def test_nobody_cannot_be_forgotten() -> None:
    persons = made()
    with pytest.raises(Refused) as refusal:
        persons.forget(NOBODY)
    assert refusal.value.code == "bad-input"


def test_erasing_while_sealing_leaves_no_key(tmp_path: Path) -> None:
    vault = Vault(b"k" * 32, Chance())
    keyring = SqlKeyring(tmp_path / "keys.db", vault)
    persons = made(keyring)
    stop = threading.Event()
    sealed: list[Any] = []
    erased: set[str] = set()

    def seal() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            sealed.append(persons.seal(change(author={"login": "ada", "email": f"ada{n}@example.org"})))

    with ThreadPoolExecutor(3) as pool:
        sealing = [pool.submit(seal) for _ in range(3)]
        try:
            for _ in range(15):
                ada = persons.subject(Person(login="ada"), "told")
                persons.forget(ada)
                erased.add(ada)
        finally:
            stop.set()
        for each in sealing:
            each.result(timeout=30)
    assert sealed
    assert not erased & set(keyring.subjects())
    keyring.close()
