"""Erasing: no byte of a person anywhere, every proof still good, nobody else harmed, a crash no hindrance."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest

from deploytrail.app.access import Operator, Session
from deploytrail.app.erase import Erased
from deploytrail.app.follow import Follower
from deploytrail.app.kept import open_kept
from deploytrail.app.mentions import Mentions
from deploytrail.app.packing import MAX_OPENED, unpack
from deploytrail.app.saved import Saved
from deploytrail.app.tiles import TileReader
from deploytrail.app.vault import decrypt
from deploytrail.app.views import Filter
from deploytrail.errors import Refused
from deploytrail.evidence.verify_log import verify_log
from deploytrail.evidence.verify_receipt import verify_receipt
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.entry import check, read
from deploytrail.projections.people import PEOPLE
from deploytrail.tlog.proofs import inclusion_proof
from deploytrail.tlog.receipt import Receipt
from deploytrail.tlog.verifier import Verifier
from tests import postgres
from tests.app.real_house import NAMESPACES, RealHouse, base64_spellings, judge, wrong
from tests.app.small_house import draft
from tests.app.test_fsck import fetch
from tests.intake.deliveries import own_samples, sample, texts_in
from tests.raw import Raw


class Somebody(NamedTuple):
    """Distinctive spellings, so that finding one means that something was left."""

    login: str
    email: str
    name: str


BEN = Somebody("ben-qx7oak", "ben.qx7@post.example.org", "Ben Qx7öak")
ADA = Somebody("ada-zw4elm", "ada.zw4@post.example.org", "Ada Zw4elm")
CLEO = Somebody("cleo-vk9ash", "cleo.vk9@post.example.org", "Cleo Vk9ash")
STRINGS = [*BEN]


def renamed(body: bytes) -> bytes:
    """A sample with the cast under their distinctive names; every other body with its texts escaped."""
    text = body.decode()
    for short, somebody in (("ben", BEN), ("ada", ADA), ("cleo", CLEO)):
        text = text.replace(f"{short}@example.org", somebody.email)
        text = text.replace(f"{short.capitalize()} Example", somebody.name)
        text = re.sub(rf"(?<![A-Za-z0-9.]){short}(?![A-Za-z0-9.])", somebody.login, text)
    return text.encode()


class Erasing(RealHouse):
    """A real house in which much is told of the cast."""

    def live(self) -> None:
        """All that can name somebody: samples, mentions in others' words, bodies with escapes, a session."""
        for id, one in enumerate(own_samples(), 1):
            self.deliver(one.event, renamed(one.body), id).result(timeout=10)
        pull = json.loads(renamed(sample("pull_request.opened").body))
        for id, spelled in enumerate(spellings(BEN.login) + spellings(BEN.name), 100):
            # Others say it: title and comment are sealed under Ada's key.
            pull["sender"]["login"] = pull["pull_request"]["user"]["login"] = ADA.login
            pull["number"] = pull["pull_request"]["number"] = id
            pull["pull_request"]["title"] = f"As {spelled} asked"
            self.deliver("pull_request", json.dumps(pull).encode(), id).result(timeout=10)
        form = "payload=" + quote(json.dumps({"zen": f"by {BEN.name}", "hook_id": 7, "x": BEN.login}))
        self.deliver("star", form.encode(), 200).result(timeout=10)
        self.tell("incident.opened", actor=ADA.login, incident="1", title=f"{BEN.name} is away", id="i1")
        self.tell("incident.opened", actor=ADA.login, incident="2", title="The till is slow", id="i2")
        told = {"service": "till", "environment": "production", "outcome": "succeeded"}
        self.tell("deployment.finished", actor=CLEO.login, deployment="a", labels={"for": BEN.email}, **told)
        self.tell("deployment.finished", actor=CLEO.login, deployment="b", labels={"for": "all"}, **told)
        self.tell("deployment.finished", deployment="c", url=f"https://ci.example.org/{BEN.login}/1", **told)
        self.settle()

    def sign_in(self, name: str) -> str:
        """Sign somebody in by a link; the cookie's secret."""
        link = self.administer.issue_link(Operator(login="root"))
        assert link.secret
        return self.administer.link_use(link.secret, name)[1]

    def subject(self, namespace: str, somebody: Somebody) -> str:
        """The subject id of somebody who is known."""
        found = self.keyring.subject(self.persons.identities(Person(login=somebody.login), namespace))
        assert found
        return found

    def everything_open(self, keys: dict[str, bytes]) -> Iterator[bytes]:
        """Every plaintext that can be had of what stands, with these keys and the house's own."""
        for _, blob in self.log.every_disclosure():
            for about, key in keys.items():
                try:
                    yield unpack(decrypt(key, blob.sealed, about), MAX_OPENED)
                except Refused:
                    continue
        for _, raw, _ in self.log.deliveries():
            yield open_kept(raw, self.vault).body
        for _, row in self.log.items("session"):
            if row["name"]:
                yield self.vault.open(b64decode(row["name"]), f"session {row['id']}")
        for row in self.log.entries(0, self.log.head().size):
            yield row.body


def spellings(text: str) -> list[str]:
    """How a text may stand in somebody else's words."""
    return [
        text,
        text.upper(),
        f"(@{text})",
        "".join(f"\\u{ord(character):04x}" for character in text),
        "".join(f"%{byte:02X}" for byte in text.encode()),
        unicodedata.normalize("NFD", text),
        f"https://example.org/{quote(text)}?x=1",
    ]


def traces(data: bytes, strings: list[str]) -> list[str]:
    """Which of these strings lie in some bytes, in any of many spellings."""
    low = data.lower()
    found = []
    for text in strings:
        for form in {text, text.lower(), unicodedata.normalize("NFD", text.lower())}:
            plain = form.encode()
            ways = {plain, form.encode("utf-16-le"), form.encode("utf-16-be"), plain.hex().encode()}
            ways |= {json.dumps(form)[1:-1].encode(), quote(form).lower().encode()}
            if any(way in low for way in ways) or any(way in data for way in base64_spellings(form.encode())):
                found.append(text)
    return found


def keys_of(house: RealHouse) -> dict[str, bytes]:
    """Every subject's key, unwrapped."""
    return {subject: key for subject in house.keyring.subjects() if (key := house.keyring.key(subject))}


def wrapped_keys(folder: Path) -> dict[str, bytes]:
    """Every subject's key as it lies in its database."""
    with Raw(folder / "data", "keys.db") as raw:
        return dict(raw.rows("SELECT subject, key FROM subject_key"))


def all_of(house: Erasing, who: str, ground: str = "asked by the person") -> Erased:
    """Erase somebody, and then whatever else goes by the same strings."""
    erased = house.erase.person(who, ground)
    for other in erased.namesakes:
        house.erase.erase(other, ground)
    return erased


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Erasing]:
    opened = Erasing(tmp_path / "house")
    opened.live()
    yield opened
    opened.close()


def test_nothing_of_a_person_is_left_and_every_proof_holds(
    house: Erasing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = house.sign_in(BEN.login)
    house.settle()
    # Before: what must be gone afterwards, and what must go on holding.
    assert set(traces(b"\n".join(house.everything_open(keys_of(house))), STRINGS)) == set(STRINGS)
    keys, wrapped = keys_of(house), wrapped_keys(house.folder)
    blobs = {(index, blob.subject): blob.sealed for index, blob in house.log.every_disclosure()}
    bodies = {row: raw for row, raw, _ in house.log.deliveries()}
    entries = [row.body for row in house.log.entries(0, house.log.head().size)]
    older = house.log.checkpoint()
    assert older
    receipts = [receipt(house, index, older.note) for index in range(0, older.size, 7)]
    if postgres.chosen():
        # Its statistics keep values of what the tables hold.
        with Raw(house.data, "trail.db") as raw:
            raw.do("ANALYZE")

    erased = all_of(house, f"github:{BEN.login}")
    assert erased.entries
    assert erased.deliveries
    assert erased.redacted
    house.settle()

    # (a) In no file, in no spelling.
    for path, data in postgres.stored(house.folder):
        assert traces(data, STRINGS) == [], path
    # (b) In nothing that any key ever opened; and of what was deleted no piece lies anywhere.
    after = keys_of(house)
    gone = set(keys) - set(after)
    assert house.subject("github", ADA) in after
    assert traces(b"\n".join(house.everything_open(keys | after)), STRINGS) == []
    stands = {(index, blob.subject): blob.sealed for index, blob in house.log.every_disclosure()}
    kept = {row: raw for row, raw, _ in house.log.deliveries()}
    deleted = [sealed for key, sealed in blobs.items() if stands.get(key) != sealed]
    deleted += [part for row, raw in bodies.items() if row not in kept for part in (raw.key, raw.sealed)]
    deleted += [keys[subject] for subject in gone] + [wrapped[subject] for subject in gone]
    assert len(deleted) > 100
    for path, data in postgres.stored(house.folder):
        assert left_in(data, deleted) == set(), path
    # (c) In no diagnostics.
    assert traces(caplog.text.encode(), STRINGS) == []
    # (d) Every proof holds, old ones too.
    assert [row.body for row in house.log.entries(0, len(entries))] == entries
    assert all(row.ok for data, body in receipts for row in verify_receipt(data, [verifier(house)], body))
    newest = house.log.checkpoint()
    assert newest
    assert newest.size > older.size
    checks = verify_log(fetch(house.log, newest), [verifier(house)], older.note, decode=check)
    assert all(found.ok for found in checks)
    assert wrong(judge(house.folder)) == {}
    # The session is over.
    assert house.administer.session(cookie) is None


def receipt(house: RealHouse, index: int, note: bytes) -> tuple[bytes, bytes]:
    """A receipt of an entry, and the entry."""
    signed = house.log.checkpoint()
    assert signed
    proof = inclusion_proof(index, signed.size, TileReader(house.log))
    return Receipt(index, tuple(proof), note).encode(), house.log.entries(index, index + 1)[0].body


def verifier(house: RealHouse) -> Verifier:
    """Who signs the house's checkpoints."""
    return Verifier.parse(house.signer.vkey)


def left_in(data: bytes, deleted: list[bytes]) -> set[bytes]:
    """Which pieces of what was deleted, 16 bytes in every 96, stand anywhere in some bytes."""
    assert min(map(len, deleted)) >= 16
    pieces = {whole[at : at + 16] for whole in deleted for at in range(0, len(whole) - 15, 96)}
    # All places of the bytes once, not once for every piece.
    return pieces.intersection(data[at : at + 16] for at in range(len(data) - 15))


def test_what_was_deleted_is_gone_from_a_large_file_too(tmp_path: Path) -> None:
    """Rows that move between pages while a tree grows and shrinks leave no copy behind."""
    house = Erasing(tmp_path / "house")
    logins = [BEN.login, ADA.login, CLEO.login]
    drafts = [
        draft(
            "incident.opened",
            actor=logins[number * 7 % 3],
            incident=str(number),
            title="x" * (number * 37 % 4000 if number % 50 == 0 else number * 37 % 400),
            id=f"n{number}",
        )
        for number in range(4000)
    ]
    for start in range(0, len(drafts), 500):
        answers = house.recorder.record_each(drafts[start : start + 500]).result(timeout=30)
        assert not any(isinstance(answer, Refused) for answer in answers)
    subject = house.subject("told", BEN)
    own = [blob.sealed for _, blob in house.log.every_disclosure() if blob.subject == subject]
    assert len(own) > 1000
    house.erase.erase(subject, "asked by the person")
    for path, data in postgres.stored(house.folder):
        assert left_in(data, own) == set(), path
    house.close()


def test_others_keep_what_is_theirs(house: Erasing) -> None:
    ada, cleo = house.subject("github", ADA), house.subject("github", CLEO)
    before = opened(house)
    all_of(house, BEN.email)
    after = opened(house)
    mentions = Mentions(STRINGS)
    for index, said in before.items():
        for path, value in said.items():
            about_ben = mentions.in_value(value)
            assert (path in after.get(index, {})) or about_ben or index in ben_entries(house), (index, path)
    titles = {value for said in after.values() for value in said.values() if isinstance(value, str)}
    assert {"The till is slow", ADA.login, CLEO.login, ADA.email} <= titles
    names = house.disclose.names(
        [(ada, people(house, ada).named or 0), (cleo, people(house, cleo).named or 0)]
    )
    assert [names[who].login for who in (ada, cleo)] == [ADA.login, CLEO.login]


def opened(house: RealHouse) -> dict[int, dict[str, Any]]:
    """All sealed values that can be opened, by entry and path."""
    house.settle()
    return house.disclose.texts(range(house.log.head().size))


def ben_entries(house: RealHouse) -> set[int]:
    """The entries about somebody erased."""
    gone = {
        subject
        for row in house.log.entries(0, house.log.head().size)
        if (entry := read(row.body)).kind == "subject.erased" and (subject := entry.data["subject"])
    }
    return {index for subject in gone for index in house.log.touched(f"actor:{subject}", limit=10_000)}


def people(house: RealHouse, subject: str) -> Any:
    """A person's row."""
    found = house.derived.get(PEOPLE, subject)
    assert found
    return found


def test_saved_filters_of_a_person_or_about_them_go(house: Erasing) -> None:
    ben, cleo = house.subject("github", BEN), house.subject("told", CLEO)
    saved = Saved(house.log, house.clock)
    by = {
        subject: Session(id=subject, subject=subject, role="viewer", name=None, expires_at=0)
        for subject in (ben, cleo)
    }
    saved.save(by[ben], "Mine", Filter(service="till"))
    saved.save(by[cleo], "One person", Filter(actor=ben))
    saved.save(by[cleo], f"What {BEN.name} does"[:40], Filter(service="till"))
    saved.save(by[cleo], "Till", Filter(service="till"))
    house.erase.erase(ben, "asked")
    assert [one.name for one in saved.every()] == ["Till"]


def test_the_person_is_shown_as_erased_and_rows_made_anew_are_the_same(house: Erasing) -> None:
    subject = house.subject("github", BEN)
    named = people(house, subject).named
    assert house.disclose.names([(subject, named)])[subject].login == BEN.login
    house.erase.erase(subject, "asked by the person")
    house.settle()
    assert people(house, subject).erased is not None
    assert house.disclose.names([(subject, named)])[subject].erased
    standing = house.derived.digest()
    Follower(house.log, house.derived, house.clock).rebuild()
    assert house.derived.digest() == standing


def test_no_derived_column_ever_holds_a_sealed_value(house: Erasing) -> None:
    everybody = [*BEN, *ADA, *CLEO, "is away", "The till is slow"]
    sealed = {
        value
        for said in opened(house).values()
        for value in said.values()
        if isinstance(value, str) and len(value) > 5
    }
    house.derived.close()
    data = (house.data / "derived.db").read_bytes()
    assert traces(data, everybody) == []
    # Some sealed texts are also said in clear by another field, such as a URL that is a repository's name.
    clear = {text for row in house.log.entries(0, 999) for text in texts_in(json.loads(row.body))}
    assert [text for text in sealed if text.encode() in data and not any(text in one for one in clear)] == []


def test_no_clear_field_of_the_samples_names_a_person(house: Erasing) -> None:
    """What is clear stays for ever. An owner in a repository's name is the one known way in."""
    found = set()
    for row in house.log.entries(0, house.log.head().size):
        envelope = json.loads(row.body)
        if traces("\n".join(texts_in(envelope)).encode(), [*BEN, *ADA, *CLEO]):
            found.add((envelope["kind"], row.index))
    assert found == set()


# Whom a name means.


def test_a_person_is_found_by_id_address_login_and_name(tmp_path: Path) -> None:
    house = Erasing(tmp_path)
    house.deliver("push", renamed(sample("push.branch").body)).result(timeout=10)
    house.recorder.record([told_by(draft("incident.opened", incident="1"), name=ADA.name)]).result(timeout=10)
    ben = house.subject("github", BEN)
    for who in (ben, BEN.email, BEN.email.upper(), f"github:{BEN.login}", BEN.login, f" {BEN.login} "):
        assert house.erase.whom(who) == ben
    assert house.erase.find(ADA.name)
    house.close()


def told_by(made: Draft, **person: str) -> Draft:
    """The same draft with another actor."""
    return msgspec.structs.replace(made, actor=Person(**person))


@pytest.mark.parametrize(
    "who", ["", "nobody-at-all", "s_aaaaaaaaaaaaaaaa", "told:", "github:eli", "x@example.invalid"]
)
def test_nobody_is_found_where_nobody_is(house: Erasing, who: str) -> None:
    assert house.erase.find(who) == []
    with pytest.raises(Refused, match="NAMESPACE:LOGIN") as refusal:
        house.erase.person(who, "asked by the person")
    assert refusal.value.code == "not-found"


def test_several_of_one_name_are_listed_and_none_is_erased(house: Erasing) -> None:
    size = house.log.head().size
    hub, told = house.subject("github", ADA), house.subject("told", ADA)
    assert hub != told
    with pytest.raises(Refused) as refusal:
        house.erase.person(ADA.login, "asked by the person")
    assert refusal.value.code == "conflict"
    assert hub in refusal.value.words
    assert told in refusal.value.words
    assert house.log.head().size == size
    erased = house.erase.erase(told, "asked by the person")
    assert erased.namesakes == (hub,)
    assert house.keyring.key(hub)


def test_nobody_is_no_subject_that_can_be_erased(house: Erasing) -> None:
    for subject in ("nobody", "s_aaaaaaaaaaaaaaaa"):
        with pytest.raises(Refused) as refusal:
            house.erase.erase(subject, "asked by the person")
        assert refusal.value.code == "not-found"


def test_the_ground_must_not_mention_the_person(house: Erasing) -> None:
    size = house.log.head().size
    with pytest.raises(Refused, match="ground"):
        house.erase.person(f"github:{BEN.login}", f"{BEN.name} asked")
    assert house.log.head().size == size


def test_one_person_under_one_address_is_erased_as_one(tmp_path: Path) -> None:
    house = Erasing(tmp_path)

    def told(number: int, **person: str) -> str:
        made = told_by(draft("incident.opened", incident=str(number)), **person)
        index = house.recorder.record([made]).result(timeout=10)[0].index
        actor = read(house.log.entries(index, index + 1)[0].body).actor
        assert actor
        return str(actor["id"])

    alone = told(1, email=BEN.email)
    with_login = told(2, login=BEN.login)
    assert told(3, login=BEN.login, email=BEN.email) == with_login != alone
    team = "team@example.org"
    first, second = told(4, login="ada"), told(5, login="cleo")
    assert [told(6, login="ada", email=team), told(7, login="cleo", email=team)] == [first, second]
    mailbox_owner = house.erase.whom(team)
    assert mailbox_owner == first != second

    erased = house.erase.person(BEN.email, "asked by the person")
    assert {erased.subject, *erased.linked} == {alone, with_login}
    erased = house.erase.erase(second, "asked by the person")
    assert erased.linked == ()
    assert erased.namesakes == (first,)
    assert house.keyring.key(first)
    house.close()


# Again, and after a crash.


def test_erasing_again_does_no_harm(house: Erasing) -> None:
    subject = house.subject("github", BEN)
    house.erase.erase(subject, "asked by the person")
    size = house.log.head().size
    again = house.erase.erase(subject, "asked again")
    assert (again.entries, again.deliveries, again.redacted) == (0, 0, 0)
    assert house.log.head().size == size
    with pytest.raises(Refused) as refusal:
        house.erase.whom(f"github:{BEN.login}")
    assert refusal.value.code == "not-found"


def test_the_same_login_told_later_is_somebody_new(house: Erasing) -> None:
    subject = house.subject("github", BEN)
    house.erase.erase(subject, "asked by the person")
    house.deliver("push", renamed(sample("push.forced").body) + b" ", 900).result(timeout=10)
    assert house.subject("github", BEN) != subject
    house.settle()
    assert wrong(judge(house.folder)) == {}


class _Crash(BaseException):
    """The process is gone."""


STEPS: list[tuple[str, str, int]] = [
    ("log", "redact", 1),
    ("log", "redact", 3),
    ("log", "forget_deliveries", 1),
    ("log", "take", 1),
    ("recorder", "record", 1),
    ("log", "erase_disclosures", 1),
    ("log", "purge", 1),
    ("persons", "forget", 1),
    ("disclose", "forget", 1),
    ("recorder", "settle", 1),
    ("log", "erase_disclosures", 2),
]


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("part", "step", "time"), STEPS)
def test_a_crash_at_any_step_is_finished_by_erasing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, step: str, time: int, late: bool
) -> None:
    house = Erasing(tmp_path)
    house.live()
    house.sign_in(ADA.login)
    house.sign_in(BEN.login)
    subject = house.subject("house", BEN) if step == "take" else house.subject("github", BEN)
    who = f"house:{BEN.login}" if step == "take" else f"github:{BEN.login}"
    owner = getattr(house, part)
    real: Callable[..., Any] = getattr(owner, step)
    left = [time]

    def crash(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0]:
            return real(*given, **named)
        if late:
            answer = real(*given, **named)
            if step == "record":
                answer.result(timeout=10)
        raise _Crash

    monkeypatch.setattr(owner, step, crash)
    with pytest.raises(_Crash):
        house.erase.person(who, "asked by the person")
    monkeypatch.undo()
    house.close()

    house = Erasing(tmp_path)
    decided = house.log.find("house", f"erased/{subject}") is not None
    if house.keyring.key(subject) is not None:
        assert (subject in house.erase.unfinished()) == decided
        house.erase.person(who, "asked by the person")
    else:
        house.erase.erase(subject, "asked by the person")
    house.settle()
    # Before others of the same name are erased, for whom all is gone through once more.
    assert house.keyring.key(subject) is None
    assert subject not in {blob.subject for _, blob in house.log.every_disclosure()}
    kept = [open_kept(raw, house.vault).body for _, raw, _ in house.log.deliveries()]
    assert traces(b"\n".join(kept), STRINGS) == []
    for other in [house.erase.whom(f"{space}:{BEN.login}") for space in NAMESPACES if found(house, space)]:
        house.erase.erase(other, "asked by the person")
    house.settle()
    for path, data in postgres.stored(house.folder):
        assert traces(data, STRINGS) == [], path
    assert traces(b"\n".join(house.everything_open(keys_of(house))), STRINGS) == []
    assert house.erase.unfinished() == []
    assert wrong(judge(house.folder)) == {}
    facts = [read(row.body) for row in house.log.entries(0, house.log.head().size)]
    assert sum(fact.kind == "subject.erased" and fact.data["subject"] == subject for fact in facts) == 1
    house.close()


def found(house: Erasing, namespace: str) -> bool:
    """Whether Ben is known there."""
    return bool(house.erase.find(f"{namespace}:{BEN.login}"))


def test_nothing_is_begun_while_nothing_can_be_recorded(house: Erasing) -> None:
    before = [blob for _, blob in house.log.every_disclosure()]
    house.recorder.closed = "The signer refuses this history."
    with pytest.raises(Refused, match="signer refuses"):
        house.erase.person(f"github:{BEN.login}", "asked by the person")
    assert [blob for _, blob in house.log.every_disclosure()] == before


@pytest.mark.parametrize("when", ["destroy", "purge"])
def test_what_is_recorded_meanwhile_is_gone_through_too(
    house: Erasing, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Somebody is named while they are being erased: before the fact by others too."""
    owner, step = (house.log, "purge") if when == "purge" else (house.log, "forget_deliveries")
    real = getattr(owner, step)
    late: list[bytes] = []

    def meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        if when == "destroy":
            title = f"{BEN.login} again"
            house.tell("incident.opened", actor=ADA.login, incident="9", title=title, id="late")
        # Of a commit not told before, so that it is no repeat.
        pushed = renamed(sample("push.forced").body).replace(b"9c1d2f3e", b"00000000")
        assert house.deliver("push", pushed, 901).result(timeout=10).status == "recorded"
        late.extend([raw.sealed for _, raw, _ in house.log.deliveries()][-1:])
        real(*given)

    monkeypatch.setattr(owner, step, meanwhile)
    erased = house.erase.person(f"github:{BEN.login}", "asked by the person")
    # Before others of the same name are erased, for whom all is gone through once more.
    assert erased.subject not in {blob.subject for _, blob in house.log.every_disclosure()}
    kept = [open_kept(raw, house.vault).body for _, raw, _ in house.log.deliveries()]
    assert traces(b"\n".join(kept), STRINGS) == []
    for path, data in postgres.stored(house.folder):
        assert left_in(data, late) == set(), path
    for other in erased.namesakes:
        house.erase.erase(other, "asked by the person")
    house.settle()
    for path, data in postgres.stored(house.folder):
        assert traces(data, STRINGS) == [], path
    assert traces(b"\n".join(house.everything_open(keys_of(house))), STRINGS) == []
    assert wrong(judge(house.folder)) == {}


def test_fsck_names_an_erasure_that_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Erasing(tmp_path)
    house.live()
    subject = house.subject("github", BEN)

    def crash(subject: str) -> int:
        raise _Crash

    monkeypatch.setattr(house.log, "erase_disclosures", crash)
    with pytest.raises(_Crash):
        house.erase.erase(subject, "asked by the person")
    house.close()
    assert f"{subject} was erased by entry" in wrong(judge(tmp_path))[11]


# Mentions.


@pytest.mark.parametrize("spelled", spellings(BEN.login) + spellings(BEN.name) + spellings(BEN.email))
def test_a_mention_is_found_however_it_is_spelled(spelled: str) -> None:
    mentions = Mentions(STRINGS)
    assert mentions.within(f"thanks, {spelled}!")
    assert mentions.in_body(json.dumps({"text": f"thanks, {spelled}!"}).encode())
    assert mentions.in_body(quote(json.dumps({"text": spelled})).encode())
    assert mentions.in_value({"a": ["x", {"b": spelled}]})
    assert mentions.in_value({spelled: "x"})


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("ben did it", True),
        ("Ben's work", True),
        ("BEN", True),
        ("fix_ben_1", True),
        ("ben/fix", True),
        ("a bench in the garden", False),
        ("reuben", False),
        ("ben2", False),
        ("", False),
    ],
)
def test_a_short_name_counts_as_a_word_only(text: str, mentioned: bool) -> None:
    assert Mentions(["ben"]).within(text) == mentioned


def test_a_very_short_name_counts_as_a_whole_value_only() -> None:
    mentions = Mentions(["Bo"])
    assert mentions.in_value("bo")
    assert mentions.in_value({"by": " BO "})
    assert not mentions.in_value("bo did it")
    assert not Mentions([]).within("anything")
    assert not Mentions(["", " "]).within(" ")


def test_a_name_is_found_in_other_joinings() -> None:
    mentions = Mentions(["Ada Zw4elm"])
    for text in ("ada.zw4elm", "Ada  Zw4elm", "ada_zw4elm", "adazw4elm", "Ada+Zw4elm"):
        assert mentions.within(text), text
    assert not mentions.within("Ada, not Zw4elm")
