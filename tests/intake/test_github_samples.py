"""All samples there are: accepted with a valid signature, read or set aside, sealed, and nobody named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploytrail.facts import entry
from deploytrail.intake.github import READERS, GitHub
from tests.intake.deliveries import (
    SECRET,
    Sample,
    delivery,
    look,
    opened,
    own_samples,
    sealed,
    shared_samples,
    subject_of,
    texts_in,
    told,
)

# Bots are no persons: GitHub's own committer, and what stands between its brackets.
NOBODY = ("GitHub", "noreply@github.com", "web-flow")


def people(body: Any) -> set[str]:
    """Login, address and name of everybody whom a body calls sender, author, committer and the like."""
    found: set[str] = set()
    if isinstance(body, dict):
        for name, value in body.items():
            if name in PEOPLE and isinstance(value, dict):
                found |= {text for key in ("login", "email", "name", "username") if (text := value.get(key))}
            found |= people(value)
    elif isinstance(body, list):
        for value in body:
            found |= people(value)
    return {text for text in found if text not in NOBODY and "[bot]" not in text and len(text) > 2}


PEOPLE = (
    "actor",
    "approver",
    "author",
    "committer",
    "creator",
    "member",
    "merged_by",
    "pusher",
    "requestor",
    "sender",
    "triggering_actor",
    "user",
)


def read_and_seal(one: Sample) -> int:
    """Everything that must hold for a sample; how many facts it told."""
    sent = delivery(one.event, one.body)
    source = GitHub()
    source.authenticate(sent, [SECRET])
    reading = source.read(sent)
    if not reading.drafts:
        assert one.event not in READERS
        assert reading.reason is not None
        assert reading.reason.startswith("not read yet: ")
    names = people(one.decoded())
    for draft in reading.drafts:
        fact = sealed(draft)
        nobody_is_named(fact.entry, names)
        everything_is_kept(told(draft), json.loads(fact.entry), opened(fact))
    return len(reading.drafts)


def nobody_is_named(body: bytes, names: set[str]) -> None:
    """No text of an entry holds what somebody is called, but for the name of a repository."""
    read = entry.check(body)
    plain = json.loads(body)
    repository = read.data.get("repository", "")
    for text in texts_in(plain):
        left = text.replace(repository, "") if repository else text
        for name in names:
            assert name.lower() not in left.lower(), f"{name} stands in {text}"


def everything_is_kept(draft: dict[str, Any], plain: dict[str, Any], values: dict[str, Any]) -> None:
    """What a draft says is in the entry or in its disclosures, with the persons under their subject ids."""
    assert plain["kind"] == draft["kind"]
    for path, value in flat(draft["data"], "data"):
        here: Any = plain
        for name in path.split("."):
            here = here[int(name)] if isinstance(here, list) else here.get(name)
        if isinstance(here, dict) and set(here) == {"c"}:
            assert values[path] == value
        else:
            assert here == value
    if draft["actor"]:
        assert plain["actor"]["id"].startswith("s_")
        assert values["actor.login"] == draft["actor"]["login"]
    if draft["free"] is not None:
        assert json.loads(values["free"]) == draft["free"]
    if draft["unknown"]:
        assert json.loads(values["unknown"]) == draft["unknown"]


def flat(value: Any, path: str) -> list[tuple[str, Any]]:
    """The leaves of a value with their paths, absent ones left out."""
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in flat(inner, f"{path}.{name}")]
    if isinstance(value, list):
        return [leaf for place, inner in enumerate(value) for leaf in flat(inner, f"{path}.{place}")]
    return [] if value is None else [(path, value)]


@pytest.mark.parametrize("one", own_samples(), ids=lambda one: one.name)
def test_own_samples(one: Sample) -> None:
    told_facts = read_and_seal(one)
    assert told_facts == (0 if one.event == "star" else 2 if one.name == "deployment_review.approved" else 1)


def test_public_samples() -> None:
    for one in shared_samples():
        assert read_and_seal(one) >= (1 if one.event in READERS else 0), one.name


def test_there_is_a_sample_for_every_event_that_is_read() -> None:
    assert {one.event for one in own_samples()} == {*READERS, "star"}


def test_the_test_itself_sees_a_name_in_an_entry() -> None:
    one = next(one for one in own_samples() if one.name == "push.branch")
    assert {"ada", "ben", "Ada Example", "ada@example.org"} <= people(one.decoded())
    fact = sealed(GitHub().read(delivery(one.event, one.body)).drafts[0])
    with pytest.raises(AssertionError):
        nobody_is_named(fact.entry, {"prices"})


def test_the_same_person_has_the_same_subject_wherever_named() -> None:
    one = next(one for one in own_samples() if one.name == "push.branch")
    [draft] = GitHub().read(delivery(one.event, one.body)).drafts
    plain = json.loads(sealed(draft).entry)
    assert draft.actor is not None
    assert plain["actor"]["id"] == subject_of(draft.actor)
    assert plain["actor"]["id"] in look(plain, "data.commits[].author.id")
