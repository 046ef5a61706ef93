"""Grants and their facts: what holds, for how long, for whom, and that none holds without its fact."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app.access import Grant, Operator, Session, demand_scope
from deploytrail.app.administer import IDLE_MS, LINK_MS, MAX_TOKEN_MS, SESSION_MS, TOKEN_MS, Administer
from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.facts.kinds import KINDS, from_outside
from tests import postgres
from tests.app.real_house import RealHouse, base64_spellings

ADA = Operator(login="ada")
MINUTE = 60_000


class Office:
    """A real house, and the administering of it."""

    def __init__(self, folder: Path) -> None:
        self.house = RealHouse(folder)
        self.administer = self.house.administer

    def facts(self) -> list[dict[str, Any]]:
        """Every entry."""
        rows = self.house.log.entries(0, self.house.log.head().size)
        return [msgspec.json.decode(row.body) for row in rows]

    def opened(self, index: int) -> dict[str, Any]:
        """The sealed texts of an entry."""
        return self.house.disclose.texts([index])[index]

    def later(self, ms: int) -> None:
        self.house.clock.at += ms

    def grants(self) -> list[dict[str, Any]]:
        """Every row that lets somebody in."""
        areas = ("source", "token", "link", "session")
        return [row for area in areas for row in self.rows(area)]

    def rows(self, area: str) -> list[dict[str, Any]]:
        return [row for _, row in self.house.log.items(area)]

    def sign_in(self, name: str | None = "ada") -> tuple[Session, str]:
        return self.administer.link_use(self.administer.issue_link(ADA).secret, name)

    def kept(self, text: str | bytes) -> bool:
        """Whether a text lies in any file of the house, journals included, as it is or in base64."""
        plain = text.encode() if isinstance(text, str) else text
        ways = (plain, *base64_spellings(plain))
        return any(way in data for _, data in postgres.stored(self.house.data) for way in ways)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.house.close()


def refused(code: str, words: str) -> Any:
    return pytest.raises(Refused, check=lambda error: error.code == code and words in error.words)


# Links and sessions.


def test_a_link_lets_one_administrator_in_once(office: Office) -> None:
    link = office.administer.issue_link(ADA)
    session, cookie = office.administer.link_use(link.secret, "ada")
    assert (session.role, session.name) == ("administrator", "ada")
    assert office.administer.session(cookie) == session
    with refused("unauthenticated", "used before, or is too old"):
        office.administer.link_use(link.secret, "ben")
    assert [fact["kind"] for fact in office.facts()] == ["link.issued", "session.started"]


@pytest.mark.parametrize(("later", "lets_in"), [(LINK_MS - 1, True), (LINK_MS, False)])
def test_a_link_is_good_for_fifteen_minutes(office: Office, later: int, lets_in: bool) -> None:
    assert LINK_MS == 15 * MINUTE
    link = office.administer.issue_link(ADA)
    office.later(later)
    if lets_in:
        office.administer.link_use(link.secret, None)
    else:
        with refused("unauthenticated", "too old"):
            office.administer.link_use(link.secret, None)
        assert office.rows("link") == []
        assert office.rows("session") == []


def test_no_other_link_lets_anyone_in(office: Office) -> None:
    office.administer.issue_link(ADA)
    for secret in ("", "x", "\ud800", "A" * 100_000):
        with refused("unauthenticated", "admin link"):
            office.administer.link_use(secret, "ada")
    assert len(office.facts()) == 1


def test_of_many_at_once_one_link_lets_one_in(office: Office) -> None:
    link = office.administer.issue_link(ADA)
    answers = at_once(8, lambda n: office.administer.link_use(link.secret, f"visitor {n}"))
    won = [answer for answer in answers if not isinstance(answer, Refused)]
    assert len(won) == 1
    assert [fact["kind"] for fact in office.facts()] == ["link.issued", "session.started"]
    assert len(office.rows("session")) == 1


def test_a_session_ends_when_it_is_idle_for_two_hours(office: Office) -> None:
    assert IDLE_MS == 120 * MINUTE
    _, cookie = office.sign_in()
    for _ in range(3):
        office.later(IDLE_MS - 1)
        assert office.administer.session(cookie) is not None, "being seen is enough"
    office.later(IDLE_MS)
    assert office.administer.session(cookie) is None


def test_a_session_ends_after_twelve_hours_however_busy(office: Office) -> None:
    assert SESSION_MS == 12 * 60 * MINUTE
    _, cookie = office.sign_in()
    for _ in range(11):
        office.later(60 * MINUTE)
        assert office.administer.session(cookie) is not None
    office.later(60 * MINUTE - 1)
    seen = office.administer.session(cookie)
    assert seen is not None
    assert seen.expires_at == office.house.clock.now() + 1
    office.later(1)
    assert office.administer.session(cookie) is None


def test_being_seen_is_written_down_once_a_minute(office: Office) -> None:
    _, cookie = office.sign_in()
    [before] = office.rows("session")
    office.later(MINUTE)
    office.administer.session(cookie)
    assert office.rows("session") == [before]
    office.later(1)
    office.administer.session(cookie)
    assert office.rows("session")[0]["seen_at"] == office.house.clock.now()


def test_signing_out_ends_it_and_is_a_fact(office: Office) -> None:
    session, cookie = office.sign_in()
    office.administer.sign_out(cookie)
    office.administer.sign_out(cookie)
    office.administer.sign_out("never was")
    assert office.administer.session(cookie) is None
    facts = office.facts()
    assert [fact["kind"] for fact in facts] == ["link.issued", "session.started", "session.ended"]
    ended = facts[-1]
    assert ended["data"] == {
        "session": session.id,
        "method": "link",
        "role": "administrator",
        "reason": "signed out",
    }
    assert ended["actor"]["id"] == session.subject == facts[1]["actor"]["id"]


def test_sweeping_drops_what_has_expired_and_nothing_else(office: Office) -> None:
    _, gone = office.sign_in()
    office.administer.issue_link(ADA)
    office.administer.create_token(ADA, "viewer", "short", lasts_ms=IDLE_MS)
    office.administer.create_token(ADA, "viewer", "long")
    office.administer.add_source(ADA, "github", "hub", b"secret")
    office.later(IDLE_MS)
    _, stays = office.sign_in("ben")
    before = len(office.facts())
    office.administer.sweep()
    assert [grant.name for grant in office.administer.tokens()] == ["long"]
    assert [row["name"] for row in office.rows("token")] == ["long"]
    assert office.rows("link") == []
    assert office.administer.session(gone) is None
    assert office.administer.session(stays) is not None
    assert office.administer.source("hub") == ("github", [b"secret"])
    [ended] = office.facts()[before:]
    assert (ended["kind"], ended["data"]["reason"]) == ("session.ended", "expired")
    office.administer.sweep()
    assert len(office.facts()) == before + 1


def test_names_lie_sealed_in_the_registry_and_in_the_log(office: Office) -> None:
    session, cookie = office.sign_in("Ada of the tests")
    [row] = office.rows("session")
    assert "Ada" not in str(row)
    assert not office.kept("Ada of the tests")
    assert not office.kept(cookie)
    assert office.opened(1)["data.person.name"] == "Ada of the tests"
    assert office.administer.session(cookie) == session


def test_any_name_a_visitor_types_is_only_a_name(office: Office) -> None:
    for name in (None, "\x1b[31mada\x1b[0m", "<b>ada</b>", "a" * 80, "ådä ☃ \u202eada"):
        session, cookie = office.sign_in(name)
        seen = office.administer.session(cookie)
        assert seen == session
        assert seen is not None
        assert seen.name == name


def test_a_link_does_not_prove_a_name(office: Office) -> None:
    office.sign_in("ada")
    assert [fact["attribution"] for fact in office.facts()] == ["asserted", "asserted"]


# Sources.


def test_two_secrets_live_and_a_third_pushes_the_first_out(office: Office) -> None:
    one, two, three = b"the first secret", b"the second secret", b"the third secret"
    office.administer.add_source(ADA, "github", "hub", one)
    assert office.administer.source("hub") == ("github", [one])
    office.administer.add_source(ADA, "github", "hub", two)
    assert office.administer.source("hub") == ("github", [two, one])
    office.administer.add_source(ADA, "github", "hub", three)
    assert office.administer.source("hub") == ("github", [three, two])
    told = [(fact["kind"], fact["data"]) for fact in office.facts()]
    assert told == [
        ("source.added", {"name": "hub", "type": "github", "secrets": 1}),
        ("source.changed", {"name": "hub", "type": "github", "secrets": 2}),
        ("source.changed", {"name": "hub", "type": "github", "secrets": 2}),
    ]
    assert not any(office.kept(secret) for secret in (one, two, three))


def test_the_older_secret_can_be_ended(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"one")
    assert office.administer.retire_secret(ADA, "hub") is False
    office.administer.add_source(ADA, "github", "hub", b"two")
    assert office.administer.retire_secret(ADA, "hub") is True
    assert office.administer.source("hub") == ("github", [b"two"])
    assert [(fact["kind"], fact["data"]["secrets"]) for fact in office.facts()] == [
        ("source.added", 1),
        ("source.changed", 2),
        ("source.changed", 1),
    ]
    with refused("not-found", "There is no source called other."):
        office.administer.retire_secret(ADA, "other")


def test_a_secret_is_ended_even_if_that_cannot_be_recorded(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"one")
    office.administer.add_source(ADA, "github", "hub", b"two")
    office.house.recorder.closed = "The disk is full."
    with refused("unavailable", "The disk is full."):
        office.administer.retire_secret(ADA, "hub")
    assert office.administer.source("hub") == ("github", [b"two"])


def test_a_secret_that_lives_already_changes_nothing(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"one")
    office.administer.add_source(ADA, "github", "hub", b"two")
    assert office.administer.add_source(ADA, "github", "hub", b"one") is None
    assert office.administer.source("hub") == ("github", [b"two", b"one"])
    assert len(office.facts()) == 2


def test_a_secret_is_made_up_where_none_is_given(office: Office) -> None:
    made = office.administer.add_source(ADA, "github", "hub", None)
    assert made is not None
    assert len(made) == 43
    assert office.administer.source("hub") == ("github", [made.encode()])
    assert not office.kept(made)


def test_secrets_added_at_once_are_not_lost_unseen(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"0")
    at_once(6, lambda n: office.administer.add_source(ADA, "github", "hub", f"secret {n}".encode()))
    found = office.administer.source("hub")
    assert found is not None
    assert len(set(found[1])) == 2
    assert b"0" not in found[1]
    assert [fact["data"]["secrets"] for fact in office.facts()] == [1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("secret", [b"", b"x" * 4097])
def test_a_secret_that_is_none_is_refused(office: Office, secret: bytes) -> None:
    with refused("bad-input", "A secret has 1 to 4096 bytes"):
        office.administer.add_source(ADA, "github", "hub", secret)
    assert office.facts() == office.grants() == []


def test_a_name_that_is_none_is_refused(office: Office) -> None:
    for name in ("", "a b", "-x", ".x", "é", "a" * 64, "a/b", "hub\n", "../x", "\x1b[2J"):
        with refused("bad-input", "The name of a source"):
            office.administer.add_source(ADA, "github", name, b"s")
        with refused("bad-input", "The name of a token"):
            office.administer.create_token(ADA, "viewer", name)
    assert office.facts() == office.grants() == []


def test_an_unknown_kind_of_source_is_refused(office: Office) -> None:
    with refused("bad-input", "known: github"):
        office.administer.add_source(ADA, "gitea", "hub", b"s")


# Tokens.


def test_of_a_token_only_the_hash_is_kept(office: Office) -> None:
    made = office.administer.create_token(ADA, "reporter", "ci")
    assert made.secret.startswith("dt_")
    assert len(made.secret) == 46, "256 random bits in base64"
    grant = office.administer.token(made.secret)
    assert grant == Grant(
        id=made.id,
        name="ci",
        role="reporter",
        kinds=[],
        services=[],
        environments=[],
        expires_at=made.expires_at,
    )
    assert not office.kept(made.secret)
    assert office.kept(made.id)
    [fact] = office.facts()
    assert (fact["kind"], fact["source"], fact["attribution"]) == ("token.created", "house", "asserted")
    assert fact["data"] == {
        "token": made.id,
        "name": "ci",
        "role": "reporter",
        "expires_at": fact["data"]["expires_at"],
    }


@pytest.mark.parametrize("lasts", [None, 1000, MAX_TOKEN_MS])
def test_a_token_holds_until_it_expires(office: Office, lasts: int | None) -> None:
    made = office.administer.create_token(ADA, "viewer", "looker", lasts_ms=lasts)
    office.later((TOKEN_MS if lasts is None else lasts) - 1)
    assert office.administer.token(made.secret) is not None
    office.later(1)
    assert office.administer.token(made.secret) is None
    assert office.administer.tokens() == []


@pytest.mark.parametrize("lasts", [0, -1, MAX_TOKEN_MS + 1])
def test_a_token_lasts_neither_nothing_nor_for_ever(office: Office, lasts: int) -> None:
    with refused("bad-input", "A token lasts from"):
        office.administer.create_token(ADA, "viewer", "looker", lasts_ms=lasts)
    assert office.facts() == office.grants() == []


def test_a_token_has_a_role_that_there_is(office: Office) -> None:
    for role in ("", "owner", "machine", "anyone"):
        with refused("bad-input", "known: viewer, reporter, administrator"):
            office.administer.create_token(ADA, role, "ci")


def test_no_token_is_made_for_the_houses_own_kinds(office: Office) -> None:
    own = [kind for kind in KINDS if not from_outside(kind)]
    assert "token.created" in own
    for kind in [*own, "no.such", "", "X-y"]:
        with refused("bad-input", "no token can tell it"):
            office.administer.create_token(ADA, "reporter", "ci", kinds=["x-ours", kind])
    assert office.facts() == office.grants() == []


def test_two_tokens_of_one_name_are_one_teller_of_one_role(office: Office) -> None:
    old = office.administer.create_token(ADA, "reporter", "ci")
    new = office.administer.create_token(ADA, "reporter", "ci")
    assert office.administer.token(old.secret) is not None, "both live while one takes the place of the other"
    assert office.administer.token(new.secret) is not None
    with refused("conflict", "ci is a reporter already"):
        office.administer.create_token(ADA, "administrator", "ci")
    office.administer.revoke_token(ADA, old.id)
    office.administer.revoke_token(ADA, new.id)
    assert office.administer.create_token(ADA, "administrator", "ci").secret


def test_a_name_belongs_to_a_source_or_a_token_or_the_house(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"s")
    office.administer.create_token(ADA, "reporter", "ci")
    before = len(office.facts())
    for name in ("hub", "house", "people"):
        with refused("conflict", "who"):
            office.administer.create_token(ADA, "reporter", name)
    for name in ("ci", "house", "people"):
        with refused("conflict", "who"):
            office.administer.add_source(ADA, "github", name, b"s")
    assert len(office.facts()) == before


def test_a_name_is_given_once_also_to_two_at_once(office: Office) -> None:
    def give(n: int) -> object:
        if n % 2:
            return office.administer.add_source(ADA, "github", "same", b"s")
        return office.administer.create_token(ADA, "reporter", "same")

    at_once(6, give)
    sources, tokens = office.rows("source"), office.rows("token")
    assert not (sources and tokens)
    assert len(sources) == 1 or len(tokens) == 3


def test_a_revoked_token_holds_no_more(office: Office) -> None:
    made = office.administer.create_token(ADA, "reporter", "ci")
    other = office.administer.create_token(ADA, "reporter", "ci")
    office.administer.revoke_token(ADA, made.id)
    assert office.administer.token(made.secret) is None
    assert office.administer.token(other.secret) is not None
    fact = office.facts()[-1]
    assert (fact["kind"], fact["data"]) == (
        "token.revoked",
        {"token": made.id, "name": "ci", "role": "reporter"},
    )
    with refused("not-found", "admin token list"):
        office.administer.revoke_token(ADA, made.id)


def test_a_token_is_at_hand_for_a_second_after_it_was_looked_up(office: Office) -> None:
    made = office.administer.create_token(ADA, "reporter", "ci")
    at_hand = office.administer.token_at_hand
    assert at_hand(made.secret) is None
    grant = office.administer.token(made.secret)
    assert grant is not None
    assert at_hand(made.secret) == grant
    assert at_hand(made.secret + "x") is None
    office.later(999)
    assert at_hand(made.secret) == grant
    office.later(1)
    assert at_hand(made.secret) is None


def test_a_token_that_ended_is_not_at_hand(office: Office) -> None:
    short = office.administer.create_token(ADA, "reporter", "short", lasts_ms=500)
    made = office.administer.create_token(ADA, "reporter", "ci")
    assert office.administer.token(short.secret)
    assert office.administer.token(made.secret)
    office.administer.revoke_token(ADA, made.id)
    assert office.administer.token_at_hand(made.secret) is None
    office.later(500)
    assert office.administer.token_at_hand(short.secret) is None


def test_revoking_at_once_is_told_once(office: Office) -> None:
    made = office.administer.create_token(ADA, "reporter", "ci")
    at_once(5, lambda n: office.administer.revoke_token(ADA, made.id))
    assert [fact["kind"] for fact in office.facts()] == ["token.created", "token.revoked"]


# Scope.


def fact(**fields: Any) -> Any:
    return told.parse(msgspec.json.encode(fields), source="ci", received_at=0)


def grant(**limits: Any) -> Grant:
    every = {"kinds": [], "services": [], "environments": []}
    return Grant(id="t_1", name="ci", role="reporter", expires_at=1, **{**every, **limits})


SNAPSHOT = {"kind": "environment.snapshot", "environment": "production"}
DEPLOYED = {
    "kind": "deployment.finished",
    "deployment": "1",
    "service": "checkout",
    "environment": "production",
}
REACHES = [
    ({}, DEPLOYED, True),
    ({"kinds": ["deployment.finished"]}, DEPLOYED, True),
    ({"kinds": ["deployment.started"]}, DEPLOYED, False),
    ({"services": ["checkout"]}, DEPLOYED, True),
    ({"services": ["ledger", "checkout"], "environments": ["production"]}, DEPLOYED, True),
    ({"services": ["ledger"]}, DEPLOYED, False),
    ({"services": ["Checkout"]}, DEPLOYED, False),
    ({"services": ["checkout"], "environments": ["staging"]}, DEPLOYED, False),
    ({"environments": ["production"]}, {**SNAPSHOT, "running": [{"service": "a"}]}, True),
    ({"services": ["a"]}, {**SNAPSHOT, "running": [{"service": "a"}]}, True),
    ({"services": ["a"]}, {**SNAPSHOT, "running": [{"service": "a"}, {"service": "b"}]}, False),
    ({"services": ["a"]}, {**SNAPSHOT, "running": []}, False),
    ({"services": ["a"]}, {"kind": "x-note", "service": "a"}, True),
    ({"services": ["a"]}, {"kind": "x-note"}, False),
    ({"services": ["a"]}, {"kind": "x-note", "data": {"service": "a"}}, False),
    ({"environments": ["a"]}, {"kind": "incident.opened", "incident": "i", "service": "b"}, False),
]


@pytest.mark.parametrize(("limits", "fields", "reaches"), REACHES)
def test_a_token_tells_what_it_reaches(limits: Any, fields: Any, reaches: bool) -> None:
    if reaches:
        demand_scope(grant(**limits), fact(**fields))
    else:
        with refused("forbidden", "This token may"):
            demand_scope(grant(**limits), fact(**fields))


def test_limits_stand_in_the_fact_of_the_token(office: Office) -> None:
    limits: dict[str, list[str]] = {
        "kinds": ["x-note", "deployment.finished"],
        "services": ["a"],
        "environments": ["b", "c"],
    }
    made = office.administer.create_token(ADA, "reporter", "ci", **limits)
    assert {name: office.facts()[0]["data"][name] for name in limits} == limits
    found = office.administer.token(made.secret)
    assert found is not None
    assert {name: getattr(found, name) for name in limits} == limits


# Declarations.


def test_declarations_are_facts_of_whoever_made_them(office: Office) -> None:
    session, _ = office.sign_in("ben")
    bot = Grant(
        id="t_1", name="ada", role="administrator", kinds=[], services=[], environments=[], expires_at=1
    )
    services = [
        office.administer.declare_service(by, "checkout", ["shop/checkout"], owner="payments")
        for by in (ADA, session, bot)
    ]
    environment = office.administer.declare_environment(ADA, "production", "production", ["prd"], 3)
    facts = office.facts()
    told = [facts[index] for index in services]
    assert [each["kind"] for each in told] == ["service.declared"] * 3
    assert told[0]["data"] == {"service": "checkout", "repositories": ["shop/checkout"], "owner": "payments"}
    assert [each["attribution"] for each in told] == ["asserted", "asserted", "authenticated"]
    assert told[1]["actor"]["id"] == session.subject
    subjects = {each["actor"]["id"] for each in told}
    assert len(subjects) == 3, "a token is not the person after whom it is named"
    assert [each["actor"].get("bot", False) for each in told] == [False, False, True]
    assert all(each["source"] == "house" for each in facts)
    assert facts[environment]["data"] == {
        "environment": "production",
        "type": "production",
        "aliases": ["prd"],
        "rank": 3,
    }
    assert office.opened(services[2])["actor.login"] == "ada"


@pytest.mark.parametrize(
    ("name", "type"), [("", "production"), ("x" * 501, "test"), ("production", "prod"), ("production", "")]
)
def test_a_declaration_that_does_not_fit_is_refused(office: Office, name: str, type: str) -> None:
    with refused("bad-input", "A value does not fit"):
        office.administer.declare_environment(ADA, name, type)
    assert office.facts() == []


# Nothing is granted without its fact.

GRANTING: dict[str, Callable[[Administer], object]] = {
    "source": lambda it: it.add_source(ADA, "github", "hub", b"s"),
    "token": lambda it: it.create_token(ADA, "viewer", "looker"),
    "link": lambda it: it.issue_link(ADA),
}


@pytest.mark.parametrize("what", GRANTING)
def test_nothing_is_granted_that_could_not_be_recorded(office: Office, what: str) -> None:
    office.house.recorder.closed = "The disk is full."
    with refused("unavailable", "The disk is full."):
        GRANTING[what](office.administer)
    assert office.grants() == []
    office.house.recorder.closed = None
    GRANTING[what](office.administer)
    assert len(office.grants()) == len(office.facts()) == 1


def test_a_further_secret_does_not_live_if_it_could_not_be_recorded(office: Office) -> None:
    office.administer.add_source(ADA, "github", "hub", b"one")
    office.house.recorder.closed = "The disk is full."
    with refused("unavailable", "The disk is full."):
        office.administer.add_source(ADA, "github", "hub", b"two")
    assert office.administer.source("hub") == ("github", [b"one"])


def test_a_link_that_could_not_be_used_stays_good(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    link = office.administer.issue_link(ADA)
    office.house.recorder.closed = "The disk is full."
    with refused("unavailable", "The disk is full."):
        office.administer.link_use(link.secret, "ada")
    office.house.recorder.closed = None
    append = office.house.log.append

    def full(*_: Any, **__: Any) -> Any:
        raise Refused("unavailable", "The disk is full.")

    # Between the look at `closed` and the append.
    monkeypatch.setattr(office.house.log, "append", full)
    with refused("unavailable", "The disk is full."):
        office.administer.link_use(link.secret, "ada")
    assert office.rows("session") == []
    monkeypatch.setattr(office.house.log, "append", append)
    assert office.administer.link_use(link.secret, "ada")[0].name == "ada"


def test_what_is_taken_away_is_gone_even_if_that_cannot_be_recorded(office: Office) -> None:
    made = office.administer.create_token(ADA, "viewer", "looker")
    office.house.recorder.closed = "The disk is full."
    with refused("unavailable", "The disk is full."):
        office.administer.revoke_token(ADA, made.id)
    assert office.administer.token(made.secret) is None


def at_once(count: int, run: Callable[[int], object]) -> list[object]:
    """What each of many threads that begin together got, a refusal included."""
    gate = threading.Barrier(count)

    def go(n: int) -> object:
        gate.wait(timeout=60)
        try:
            return run(n)
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))
