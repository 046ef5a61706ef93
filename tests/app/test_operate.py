"""Commands of the machine's operators: known ones, with forms that fit, and answers that say all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app.operate import COMMANDS, Operate
from deploytrail.app.receive import Again
from deploytrail.errors import Refused
from deploytrail.facts.entry import read
from tests.app.real_house import RealHouse

VKEY = "example.org/log+00000000+AAAA"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RealHouse]:
    made = RealHouse(tmp_path)
    yield made
    made.close()


@pytest.fixture
def operate(house: RealHouse) -> Operate:
    return Operate(
        administer=house.administer,
        erase=house.erase,
        rebuild=lambda: 7,
        read_again=lambda: Again(read=3, aside=2),
        vkey=lambda: VKEY,
        address="https://deploytrail.example.org",
    )


def do(operate: Operate, name: str, /, **form: Any) -> dict[str, Any]:
    return operate.do(name, json.dumps(form).encode(), "ada")


def test_the_key_rebuilding_and_reading_again(operate: Operate) -> None:
    assert operate.do("key show", b"", "ada") == {"vkey": VKEY}
    assert do(operate, "rebuild") == {"entries": 7}
    assert do(operate, "source read-again") == {"read": 3, "aside": 2}


def test_a_link_leads_to_the_public_address(operate: Operate) -> None:
    answer = do(operate, "link")
    assert answer["url"] == f"https://deploytrail.example.org/sign-in?link={answer['secret']}"
    assert operate.administer.link_use(answer["secret"], "ada")


def test_a_source_and_where_it_delivers(operate: Operate) -> None:
    answer = do(operate, "source add", kind="github", name="hub", secret="b25l")
    assert answer == {
        "name": "hub",
        "kind": "github",
        "secret": None,
        "url": "https://deploytrail.example.org/hooks/hub",
    }
    assert operate.administer.source("hub") == ("github", [b"one"])
    made = do(operate, "source add", kind="github", name="other")["secret"]
    assert operate.administer.source("other") == ("github", [made.encode()])


def test_tokens_are_made_listed_and_revoked(operate: Operate) -> None:
    made = do(operate, "token create", role="reporter", name="ci", services=["checkout"], lasts_ms=60_000)
    assert set(made) == {"id", "secret", "expires_at"}
    [listed] = do(operate, "token list")["tokens"]
    assert listed == {
        **{name: made[name] for name in ("id", "expires_at")},
        "name": "ci",
        "role": "reporter",
        "kinds": [],
        "services": ["checkout"],
        "environments": [],
    }
    assert made["secret"] not in json.dumps(listed)
    assert do(operate, "token revoke", id=made["id"]) == {"id": made["id"]}
    assert do(operate, "token list") == {"tokens": []}


def test_declarations_say_where_they_stand(operate: Operate) -> None:
    assert do(operate, "service declare", name="checkout", aliases=["pay"]) == {"index": 0}
    assert do(operate, "environment declare", name="prod", type="production", rank=3) == {"index": 1}


def test_a_command_that_there_is_not(operate: Operate) -> None:
    for name in ("", "wish", "LINK", "__class__", "link "):
        with pytest.raises(Refused, match="There is no command called") as caught:
            do(operate, name)
        assert caught.value.code == "not-found"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("link", b'{"role": "administrator"}'),
        ("token create", b"{}"),
        ("token create", b'{"role": "viewer", "name": 5}'),
        ("token create", b'{"role": "viewer", "name": "x", "lasts_ms": "1h"}'),
        ("source add", b'{"kind": "github", "name": "hub", "secret": "not base64!"}'),
        ("environment declare", b'{"name": "prod"}'),
        ("link", b"[]"),
        ("link", b"\xff"),
        ("link", b"{" * 100_000),
        ("erase", b'{"who": "ada", "ground": ""}'),
    ],
)
def test_a_form_that_does_not_fit_is_refused(operate: Operate, name: str, form: bytes) -> None:
    with pytest.raises(Refused, match=f"What {name} was given does not fit") as caught:
        operate.do(name, form, "ada")
    assert caught.value.code == "bad-input"
    assert do(operate, "token list") == {"tokens": []}


def test_every_command_refuses_fields_that_it_does_not_know(operate: Operate) -> None:
    for name in COMMANDS:
        with pytest.raises(Refused, match="does not fit"):
            do(operate, name, surprise=1)


def test_who_ordered_an_erasure_stands_in_its_fact(house: RealHouse, operate: Operate) -> None:
    index = house.tell("deployment.finished", actor="ben", deployment="1", service="s", environment="e")
    subject = read(house.log.entries(index, index + 1)[0].body).actor["id"]  # type: ignore[index]
    answer = do(operate, "erase", who="told:ben")
    assert (answer["subject"], answer["entries"]) == (subject, 1)
    [row] = house.log.entries(index + 1, index + 2)
    fact = read(row.body)
    assert (fact.kind, fact.attribution, fact.data["subject"]) == ("subject.erased", "asserted", subject)
    assert house.disclose.texts([index + 1])[index + 1]["actor.login"] == "ada"
