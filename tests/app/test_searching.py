"""The follower of the search index: what it takes in, that it can be made anew, and that it forgets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploytrail.app import follow
from deploytrail.app.searching import Searching
from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft, Person
from deploytrail.projections import terms
from deploytrail.store.search_memory import MemorySearch
from deploytrail.store.search_sql import SqlSearch
from tests.app.real_house import RealHouse
from tests.app.small_house import draft

ADA = Person(login="ada-zw4elm", email="ada.zw4@post.example.org", name="Ada Zw4elm")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RealHouse]:
    opened = RealHouse(tmp_path / "house")
    yield opened
    opened.close()


def told(kind: str, actor: Person | None = None, **fields: Any) -> Draft:
    """The draft of a fact by a person with all of their names."""
    made = draft(kind, **fields)
    return made if actor is None else Draft(**{**_as_dict(made), "actor": actor})


def _as_dict(made: Draft) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__struct_fields__}


def record(house: RealHouse, *drafts: Draft) -> list[int]:
    """Record facts, and take them in; their indices."""
    indices = [house.recorder.record_now(one).index for one in drafts]
    house.searching.catch_up()
    return indices


def test_clear_values_titles_labels_and_names_are_found(house: RealHouse) -> None:
    place = {"service": "till", "environment": "production", "outcome": "succeeded"}
    one, two, three = record(
        house,
        told("incident.opened", ADA, incident="7", title="The Till-API is slow (again)"),
        told("deployment.finished", deployment="a", labels={"team": "Blue Whale"}, **place),
        told("commit.pushed", repository="acme/till", ref="refs/heads/ada/try", after="ab" * 20),
    )
    index = house.index
    assert index.matching([terms.word("production")], []) == [two]
    assert index.matching(["commit:" + "ab" * 20], []) == [three]
    assert index.matching([], ["till-api"]) == index.matching([], ["again"]) == [one]
    assert index.matching([], [terms.label("team", "Blue Whale")]) == [two]
    assert index.matching([], ["ada/try"]) == [three]
    [ada] = index.people("zw4elm", 9)
    assert index.people("ada.zw4@", 9) == [ada]
    assert index.people("post", 9) == []
    assert index.matching([f"actor:{ada}"], []) == [one]
    # No name is a word of what was said.
    assert index.words("zw4elm", 9) == index.words("ada-", 9) == []


def test_names_are_learnt_once_and_another_name_as_well(
    house: RealHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(house, told("incident.opened", ADA, incident="1"))
    learnt: list[Any] = []
    add = house.index.add

    def heard(found: Any, names: Any, cursor: int, made_by: str) -> None:
        learnt.append({subject: sorted(words) for subject, words in names.items()})
        add(found, names, cursor, made_by)

    monkeypatch.setattr(house.index, "add", heard)
    [ada] = house.index.people("ada", 9)
    record(house, told("incident.opened", ADA, incident="2"))
    record(house, told("incident.opened", Person(login=ADA.login, name="Ada Qx7"), incident="3"))
    assert learnt[0] == {}
    assert "qx7" in learnt[1][ada]
    assert house.index.people("qx7", 9) == house.index.people("zw4elm", 9) == [ada]


def test_an_index_made_anew_is_equal(house: RealHouse) -> None:
    house.deliver_samples()
    house.searching.catch_up()
    standing = house.index.digest()
    assert min(one["rows"] for one in standing.values()) > 5
    house.searching.rebuild()
    assert house.index.digest() == standing
    other = MemorySearch()
    Searching(house.log, other, house.disclose, house.clock).catch_up()
    assert other.digest() == standing


def test_an_erased_person_is_found_by_nothing(house: RealHouse) -> None:
    place = {"service": "till", "environment": "production", "outcome": "succeeded"}
    own, about, other = record(
        house,
        told("incident.opened", ADA, incident="1", title="Sealed under their own key: zebra"),
        told("incident.opened", Person(login="ben"), incident="2", title=f"{ADA.name} broke the giraffe"),
        told("deployment.finished", deployment="a", labels={"for": ADA.email or "", "team": "blue"}, **place),
    )
    [ada] = house.index.people("zw4elm", 9)
    [ben] = house.index.people("ben", 9)
    house.erase.erase(ada, "asked by the person")
    index = house.index
    assert (index.people("ada", 9), index.people("zw4elm", 9)) == ([], [])
    assert index.people("ben", 9) == [ben]
    assert all("zw4" not in word and word != "ada" for word in index.words("", 999))
    assert index.matching([], ["zebra", "giraffe"]) == []
    # A label is sealed with the others of its entry, and goes with them.
    assert index.matching([], ["team=blue"]) == []
    assert index.matching(["actor:" + ada], []) == [own]
    assert index.matching([terms.word("till")], []) == [other]
    house.searching.catch_up()
    assert index.matching(["kind:incident.opened"], []) == [about, own]
    standing = index.digest()
    house.searching.rebuild()
    assert house.index.digest() == standing


def test_an_erasure_that_breaks_off_leaves_an_index_that_begins_anew(
    house: RealHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(house, told("incident.opened", ADA, incident="1", title="zebra"))
    [ada] = house.index.people("zw4elm", 9)

    def fail() -> None:
        raise Refused("busy", "somebody reads")

    with monkeypatch.context() as patch:
        patch.setattr(house.log, "purge", fail)
        with pytest.raises(Refused, match="somebody reads"):
            house.erase.erase(ada, "asked by the person")
    assert (house.index.cursor(), house.index.people("ada", 9), house.index.words("", 9)) == (0, [], [])
    house.erase.erase(ada, "asked by the person")
    house.searching.catch_up()
    assert house.index.words("zebra", 9) == house.index.people("ada", 9) == []


def test_a_crash_while_erasing_leaves_an_index_that_begins_anew(house: RealHouse) -> None:
    record(house, told("incident.opened", ADA, incident="1", title="zebra"))
    house.index.doubt()
    house.index.close()
    opened = SqlSearch(house.data / "search.db")
    assert (opened.cursor(), opened.words("", 9)) == (0, [])
    searching = Searching(house.log, opened, house.disclose, house.clock)
    assert searching.catch_up() == house.log.head().size
    assert opened.words("zebra", 9) == ["zebra"]
    opened.close()


def test_nothing_is_taken_in_while_persons_are_erased(house: RealHouse) -> None:
    record(house, told("incident.opened", ADA, incident="1"))
    house.recorder.record_now(told("incident.opened", ADA, incident="2"))
    done = threading.Event()
    thread = threading.Thread(target=lambda: (house.searching.catch_up(), done.set()))
    with house.searching.erasing() as searched:
        thread.start()
        assert not done.wait(0.2)
        assert house.index.cursor() == 1
        searched.forget([], [])
    thread.join(timeout=20)
    assert house.index.cursor() == 2


def test_another_version_of_terms_or_another_log_begins_anew(
    house: RealHouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record(house, told("incident.opened", ADA, incident="1", title="zebra"))
    monkeypatch.setattr(terms, "VERSION", terms.VERSION + 1)
    monkeypatch.setattr(terms, "opened_terms", lambda opened: ("lion", ()))
    house.searching.catch_up()
    assert house.index.words("", 9) == ["lion"]
    other = RealHouse(tmp_path / "other")
    record(other, told("incident.opened", ADA, incident="5", title="tiger"))
    monkeypatch.undo()
    index = SqlSearch(tmp_path / "both.db")
    for one, words in ((house, ["zebra"]), (other, ["tiger"])):
        Searching(one.log, index, one.disclose, one.clock).catch_up()
        assert index.words("", 9) == words
    index.close()
    other.close()


def test_what_it_cannot_take_in_stops_it_and_nothing_else(
    house: RealHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "BATCH", 1)
    record(house, told("incident.opened", ADA, incident="1", title="zebra"))
    house.recorder.record_now(told("incident.opened", ADA, incident="2"))

    def broken(entry: Any) -> str:
        raise KeyError("a field that was not there")

    with monkeypatch.context() as patch:
        patch.setattr(terms, "clear_terms", broken)
        assert not house.searching.turn()
    assert house.searching.state.name == "search"
    assert "Search stands still at entry 1" in house.searching.state.words
    assert house.index.words("zebra", 9) == ["zebra"]
    house.recorder.record_now(told("incident.opened", ADA, incident="3"))
    assert house.searching.catch_up() == 3
    assert house.searching.state.words == ""
