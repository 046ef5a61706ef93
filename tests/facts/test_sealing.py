"""Sealing: what stands in an entry, what lies beside it, and whose it is."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.facts import canonical, entry
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.kinds import body_of
from deploytrail.facts.sealing import NOBODY, SealedFact, seal, sealed_paths
from deploytrail.facts.subjects import MAX_SUBJECTS, subject_keys
from tests.facts.golden import NOON, Salts, subject_of

SHA = "9c1d2f3e4a5b60718293a4b5c6d7e8f901234567"


def made(kind: str, *, actor: Person | None = None, checked: bool = True, **fields: Any) -> SealedFact:
    type_ = body_of(kind)
    assert type_ is not None
    shared = {
        name: fields.pop(name) for name in ("labels", "id", "clear_refs", "occurred_at") if name in fields
    }
    body = msgspec.convert(fields, type_) if checked else type_(**fields)
    draft = Draft(kind=kind, body=body, source="hub", received_at=NOON, actor=actor, **shared)
    return seal(draft, subject_of, Salts("x"))


def data(fact: SealedFact) -> dict[str, Any]:
    return dict(json.loads(fact.entry)["data"])


def test_salts_are_never_used_twice() -> None:
    fact = made(
        "change.opened", repository="r", number=1, title="t", author={"login": "ada", "name": "t"}, url="t"
    )
    salts = [salt for one in fact.disclosures.values() for salt, _ in one.values()]
    assert len(set(salts)) == len(salts) == 4
    assert all(len(salt) == 32 for salt in salts)


def test_a_sealed_field_is_about_the_first_person_of_its_object() -> None:
    commits = [{"sha": SHA, "title": "one", "author": {"login": "ben"}}, {"sha": SHA[::-1], "title": "two"}]
    fact = made(
        "commit.pushed",
        actor=Person(login="ada"),
        repository="r",
        ref="topic",
        after=SHA,
        commits=commits,
        url="u",
    )
    assert "data.commits.0.title" in fact.disclosures["s_ben"]
    assert {"actor.login", "data.commits.1.title", "data.url", "data.ref"} <= set(fact.disclosures["s_ada"])
    alone = made("incident.opened", incident="i", title="all is down")
    assert set(alone.disclosures) == {NOBODY}


@pytest.mark.parametrize("kind", ["change.opened", "change.updated", "change.abandoned", "change.merged"])
def test_a_base_is_clear_only_if_it_is_the_default_branch(kind: str) -> None:
    assert data(made(kind, repository="r", number=1, base="main"))["base"] == "main"
    topic = made(kind, repository="r", number=1, base="ben/prices", ref="ben/more")
    assert set(data(topic)["base"]) == set(data(topic)["ref"]) == {"c"}
    assert topic.disclosures[NOBODY]["data.base"][1] == "ben/prices"
    protected = frozenset({"release"})
    assert (
        data(made(kind, repository="r", number=1, base="release", clear_refs=protected))["base"] == "release"
    )


def test_texts_and_labels_are_normal() -> None:
    fact = made("incident.opened", incident="e\u0301", title="e\u0301", labels={"note": "e\u0301"})
    assert data(fact)["incident"] == "é"
    assert fact.disclosures[NOBODY]["data.title"][1] == "é"
    assert fact.disclosures[NOBODY]["labels"][1] == {"note": "é"}


def test_absent_fields_and_empty_lists_of_persons_leave_no_trace() -> None:
    fact = made("change.opened", repository="r", number=1, reviewers=[{"bot": True}], author={"name": ""})
    assert data(fact) == {"repository": "r", "number": 1}
    assert data(made("change.opened", repository="r", number=1, author={"bot": True})) == data(fact)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": 2**53},
        {"number": 1.5},
        {"repository": "\ud800"},
        {"title": "\ud800"},
        {"title": None, "sha": ["\udfff"]},
    ],
    ids=ascii,
)
def test_what_no_entry_can_hold_is_refused_even_from_careless_sources(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        made("change.opened", checked=False, **{"repository": "r", "number": 1, **fields})
    assert refusal.value.code == "bad-input"


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        made("change.merged", repository="r", number=1, merged_at="noon")
    assert refusal.value.code == "bad-input"
    with pytest.raises(Refused):
        made("change.merged", repository="r", number=1, occurred_at=10**18)


def test_sixty_four_kibibytes_are_the_limit() -> None:
    def snapshot(length: int) -> SealedFact:
        running = [{"service": f"{n:300}"} for n in range(160)] + [{"service": "s" * length}]
        return made("environment.snapshot", environment="production", running=running, checked=False)

    room = canonical.MAX_ENTRY - len(snapshot(1).entry) + 1
    largest = snapshot(room)
    assert len(largest.entry) == canonical.MAX_ENTRY
    assert entry.check(largest.entry).kind == "environment.snapshot"
    with pytest.raises(Refused) as refusal:
        snapshot(room + 1)
    assert refusal.value.code == "too-large"


def test_at_most_32_subjects_and_the_important_ones_first() -> None:
    running = [{"service": f"s{n}"} for n in range(50)]
    fact = made("environment.snapshot", actor=Person(login="ada"), environment="production", running=running)
    assert len(fact.subjects) == MAX_SUBJECTS
    assert fact.subjects[0] == "environment:production"
    few = made("deployment.started", actor=Person(login="ada"), deployment="d", service="s", environment="e")
    assert few.subjects[0] == "run:s/e"
    assert "actor:s_ada" in few.subjects
    assert len(set(few.subjects)) == len(few.subjects)
    assert list(few.subjects) == list(subject_keys(json.loads(few.entry)))


@pytest.mark.parametrize(
    "change",
    [
        lambda read: read.update(subjects=[]),
        lambda read: read.update(subjects=read["subjects"][::-1]),
        lambda read: read.update(subjects=[*read["subjects"], "actor:s_x"]),
        lambda read: read["data"].update(service="other"),
        lambda read: read.pop("kind"),
        lambda read: read.update(data=[]),
        lambda read: read.update(v="1"),
        lambda read: read.update(v=1.5),
    ],
)
def test_a_strict_reader_refuses_entries_that_contradict_themselves(change: Any) -> None:
    read = json.loads(made("deployment.started", deployment="d", service="s", environment="e").entry)
    change(read)
    with pytest.raises(Refused) as refusal:
        entry.check(json.dumps(read, sort_keys=True, separators=(",", ":")).encode())
    assert refusal.value.code == "untrue"


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b'{"attribution"', b' {"attribution"'),
        (b'"deployment":"d"', b'"deployment":"\\u0064"'),
        (b'"duration_ms":7', b'"duration_ms":7.0'),
        (b'"duration_ms":7', b'"duration_ms":9007199254740992'),
        (b'"duration_ms":7', b'"duration_ms":null'),
        (b'"kind"', b'"id":null,"kind"'),
        (b'"kind"', b'"kind":"x-first","kind"'),
        (b'"source":"s","subjects"', b'"subjects":[],"source":"s","subjects"'),
    ],
)
def test_a_strict_reader_refuses_every_other_spelling(there: bytes, instead: bytes) -> None:
    line = made("deployment.finished", deployment="d", service="s", environment="e", duration_ms=7).entry
    line = re.sub(rb'"source":"[^"]*"', b'"source":"s"', line)
    assert entry.check(line).data["duration_ms"] == 7
    assert there in line
    with pytest.raises(Refused) as refusal:
        entry.check(line.replace(there, instead, 1))
    assert refusal.value.code == "untrue"


def test_a_field_of_a_later_version_is_no_fault() -> None:
    line = made("deployment.finished", deployment="d", service="s", environment="e").entry
    later = line.replace(b'"kind"', b'"its":{"c":"AA=="},"kind"', 1)
    assert entry.check(later) == entry.read(line)


@pytest.mark.parametrize(
    "strange",
    [
        {"commits": ["x", 7, [1]], "running": [[]]},
        {"service": {"c": "AA=="}, "environment": 7},
        {"repository": [], "number": {}},
        {"commits": {"sha": 1}},
    ],
    ids=repr,
)
def test_strange_entries_of_unknown_kinds_are_read(strange: dict[str, Any]) -> None:
    envelope: dict[str, Any] = {
        "v": 1,
        "kind": "x-later",
        "source": "s",
        "received_at": "2026-03-17T12:00:00Z",
        "attribution": "unknown",
        "data": strange,
    }
    envelope["subjects"] = list(subject_keys(envelope))
    assert entry.check(canonical.encode(envelope)).data == strange


def test_a_commitment_that_is_none_is_named() -> None:
    assert list(sealed_paths({"a": {"c": 7}, "b": {"c": "AA==", "d": 1}})) == []
    with pytest.raises(Refused) as refusal:
        list(sealed_paths({"a": {"c": "not base64"}}))
    assert refusal.value.code == "untrue"


def test_unreadable_bytes_are_untrue() -> None:
    for body in (b"", b"{}", b"\xff", b"[1]", b'{"v":1}', b"x" * 70_000):
        with pytest.raises(Refused) as refusal:
            entry.check(body)
        assert refusal.value.code == "untrue"
    with pytest.raises(Refused):
        entry.read(b'"\xff"')


persons = st.sampled_from(["s_ada", "s_ben", "nobody", 's_"id":"s_eli', "s_\\", "s_ä"])
named = st.recursive(
    st.one_of(st.integers(0, 3), persons, st.builds(lambda id: {"id": id, "login": {"c": "AA=="}}, persons)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "c", "id", "who"]), inner)
    ),
    max_leaves=6,
)


@given(named, st.one_of(st.none(), persons), st.dictionaries(st.sampled_from(["service", "x"]), persons))
def test_subject_keys_are_the_same_from_bytes(value: Any, id: str | None, data: dict[str, Any]) -> None:
    envelope = {"data": {**data, "part": value}} | ({} if id is None else {"id": id})
    assert subject_keys(envelope, canonical.encode(envelope)) == subject_keys(envelope)
