"""Saved filters of the trail: by name, few enough to look through, one's own to remove."""

from __future__ import annotations

import pytest

from deploytrail.app import saved
from deploytrail.app.access import Session
from deploytrail.app.saved import Saved
from deploytrail.app.views import Filter
from deploytrail.errors import Refused
from deploytrail.store.log_memory import MemoryLog
from tests.app.small_house import Clock

CHECKOUT, WEB = Filter(service="checkout"), Filter(service="web", outcome="failed")


def person(name: str, role: str = "viewer") -> Session:
    return Session(id=name, subject=f"s_{name}", role=role, name=name, expires_at=1)


ADA, BEN, CLEO = person("ada"), person("ben"), person("cleo", "administrator")


@pytest.fixture
def filters() -> Saved:
    return Saved(MemoryLog(), Clock())


def names(filters: Saved) -> list[str]:
    return [one.name for one in filters.every()]


def test_they_stand_by_name_and_come_back_as_they_were(filters: Saved) -> None:
    filters.save(ADA, "web  failures", WEB)
    filters.save(BEN, "Checkout", CHECKOUT)
    assert [(one.name, one.filter, one.by) for one in filters.every()] == [
        ("Checkout", CHECKOUT, "s_ben"),
        ("web failures", WEB, "s_ada"),
    ]


def test_ones_own_is_replaced_another_s_is_not(filters: Saved) -> None:
    filters.save(ADA, "mine", CHECKOUT)
    filters.save(ADA, "Mine", WEB)
    assert [(one.name, one.filter) for one in filters.every()] == [("Mine", WEB)]
    with pytest.raises(Refused, match="Choose another name") as refused:
        filters.save(BEN, "MINE", CHECKOUT)
    assert refused.value.code == "conflict"


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\u202eb", "a\x00b"])
def test_a_name_that_cannot_be(filters: Saved, name: str) -> None:
    with pytest.raises(Refused) as refused:
        filters.save(ADA, name, CHECKOUT)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("wanted", [Filter(), Filter(actor="ada")])
def test_a_filter_that_cannot_be(filters: Saved, wanted: Filter) -> None:
    with pytest.raises(Refused) as refused:
        filters.save(ADA, "mine", wanted)
    assert refused.value.code == "bad-input"


def test_there_are_not_too_many(filters: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "MAX_SAVED", 2)
    filters.save(ADA, "one", CHECKOUT)
    filters.save(ADA, "two", CHECKOUT)
    filters.save(ADA, "two", WEB)
    with pytest.raises(Refused, match="Remove one first"):
        filters.save(ADA, "three", CHECKOUT)


def test_who_removes(filters: Saved) -> None:
    filters.save(ADA, "One", CHECKOUT)
    filters.save(ADA, "two", CHECKOUT)
    with pytest.raises(Refused) as refused:
        filters.remove(BEN, "one")
    assert refused.value.code == "forbidden"
    filters.remove(ADA, "one")
    filters.remove(CLEO, "two")
    assert names(filters) == []
    with pytest.raises(Refused) as refused:
        filters.remove(ADA, "one")
    assert refused.value.code == "not-found"
