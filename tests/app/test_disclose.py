"""Opening sealed fields: only what was sealed, only while its key is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app import disclose
from deploytrail.app.ports import Blob
from deploytrail.app.views import Who
from tests.app.small_house import SmallHouse, draft
from tests.projections.telling import REPOSITORY, SHA


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    made = SmallHouse(tmp_path)
    yield made
    made.close()


def push(house: SmallHouse, **fields: Any) -> int:
    commits = [
        {"sha": SHA, "author": {"login": "ben", "name": "Ben Example"}, "title": "Round tax per line"},
    ]
    return house.tell(
        "commit.pushed",
        repository=REPOSITORY,
        ref="refs/heads/feature",
        after=SHA,
        commits=commits,
        actor="ada",
        labels={"team": "payments"},
        **fields,
    )


def test_every_sealed_field_opens(house: SmallHouse) -> None:
    index = push(house)
    assert house.disclose.texts([index, 99]) == {
        index: {
            "actor.login": "ada",
            "data.ref": "refs/heads/feature",
            "labels": {"team": "payments"},
            "data.commits.0.author.login": "ben",
            "data.commits.0.author.name": "Ben Example",
            "data.commits.0.title": "Round tax per line",
        },
        99: {},
    }


def test_names(house: SmallHouse) -> None:
    index = push(house)
    ada, ben = house.subject("ada"), house.subject("ben")
    expected = {
        ada: Who(id=ada, login="ada"),
        ben: Who(id=ben, name="Ben Example", login="ben"),
        "s_nobody": Who(id="s_nobody", erased=True),
    }
    asked = [(ada, index), (ben, index), ("s_nobody", index)]
    assert house.disclose.names(asked) == expected
    # Remembered, and the same.
    assert house.disclose.names(asked) == expected
    assert house.disclose.names([]) == {}


def test_somebody_told_by_address_alone_is_shown_by_it(house: SmallHouse) -> None:
    index = house.tell("x-note")
    index = house.tell("change.opened", repository=REPOSITORY, number=1, author={"email": "cleo@example.org"})
    subject = house.ask.entry(index)[0].data["author"]["id"]  # type: ignore[index]
    assert house.disclose.names([(subject, index)]) == {subject: Who(id=subject, name="cleo@example.org")}


def test_erasing_one_person_leaves_the_others(house: SmallHouse) -> None:
    index = push(house)
    assert house.rows()[0].actor == Who(id=house.subject("ada"), login="ada")
    subject = house.erase("ben")
    assert house.disclose.names([(subject, index)]) == {subject: Who(id=subject, erased=True)}
    assert house.disclose.texts([index]) == {
        index: {
            "actor.login": "ada",
            "data.ref": "refs/heads/feature",
            "labels": {"team": "payments"},
        }
    }


def test_a_key_that_is_gone_opens_nothing_even_if_the_disclosure_is_left(house: SmallHouse) -> None:
    index = push(house)
    house.disclose.texts([index])
    subject = house.subject("ben")
    house.keyring.forget(subject)
    house.disclose.forget(subject)
    assert "data.commits.0.title" not in house.disclose.texts([index])[index]


def test_a_disclosure_that_was_altered_is_shown_to_nobody(house: SmallHouse) -> None:
    index = push(house)
    subject = house.subject("ben")
    blob = next(b for b in house.log.disclosures([index])[index] if b.subject == subject)
    house.log.redact(index, Blob(subject, blob.sealed[:-1] + bytes([blob.sealed[-1] ^ 1])))
    assert set(house.disclose.texts([index])[index]) == {"actor.login", "data.ref", "labels"}
    house.log.redact(index, Blob(subject, b"short"))
    assert set(house.disclose.texts([index])[index]) == {"actor.login", "data.ref", "labels"}


def test_a_disclosure_of_another_entry_is_shown_to_nobody(house: SmallHouse) -> None:
    """It opens under the right key, but not what this entry committed to."""
    one, two = push(house), push(house)
    subject = house.subject("ben")
    blob = next(b for b in house.log.disclosures([two])[two] if b.subject == subject)
    house.log.redact(one, blob)
    assert "data.commits.0.title" not in house.disclose.texts([one])[one]
    assert house.disclose.texts([two])[two]["data.commits.0.title"] == "Round tax per line"


def test_opening_before_recording(house: SmallHouse) -> None:
    pending = house.persons.seal(draft("x-note", actor="ada", labels={"a": "b"}))
    assert house.disclose.open(pending.disclosures) == {"actor.login": "ada", "labels": {"a": "b"}}


def test_what_is_remembered_is_bounded(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclose, "_REMEMBERED", 3)
    indices = {name: house.tell("x-note", actor=name) for name in ("ada", "ben", "cleo", "dina", "eli")}
    for _ in range(2):
        for name, index in indices.items():
            subject = house.subject(name)
            assert house.disclose.names([(subject, index)])[subject].login == name
    assert len(house.disclose._keys) <= 3
    assert len(house.disclose._names) <= 3
