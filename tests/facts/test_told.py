"""The direct form: everything in it is hostile until it has been read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.facts import entry, told
from deploytrail.facts.canonical import normal
from deploytrail.facts.draft import Draft
from deploytrail.facts.kinds import KINDS
from deploytrail.facts.sealing import SealedFact, seal, sealed_paths
from tests.facts.golden import NOON, Salts, demand_code, subject_of

SHA = "9c1d2f3e4a5b60718293a4b5c6d7e8f901234567"


def parse(line: bytes | dict[str, Any]) -> Draft:
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    return told.parse(raw, source="ci", received_at=NOON)


def sealed(draft: Draft) -> SealedFact:
    return seal(draft, subject_of, Salts("told"))


def refused(line: bytes | dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        sealed(parse(line))
    return caught.value


def deployed(**more: Any) -> dict[str, Any]:
    return {
        "kind": "deployment.finished",
        "deployment": "d-1",
        "service": "checkout",
        "environment": "production",
        **more,
    }


def test_a_fact_is_read() -> None:
    line = deployed(
        id="run-7",
        occurred_at="2026-03-17T13:00:00+01:00",
        actor={"login": "ada", "email": "ada@example.org"},
        outcome="succeeded",
        labels={"team": "prices"},
        data={"free": [1.5, None]},
        colour="blue",
        commits=[{"sha": SHA, "odd": 1}],
    )
    draft = parse(line)
    assert (draft.kind, draft.id, draft.source) == ("deployment.finished", "run-7", "ci")
    assert (draft.occurred_at, draft.received_at, draft.attribution) == (NOON, NOON, "asserted")
    assert draft.labels == {"team": "prices"}
    assert json.loads(draft.data or "") == {"free": [1.5, None]}
    assert json.loads(draft.unknown or "") == {"colour": "blue", "commits.0.odd": 1}
    read = entry.check(sealed(draft).entry)
    assert read.data["outcome"] == "succeeded"
    assert "commit:" + SHA in read.subjects


def test_nobody_is_not_an_actor() -> None:
    draft = parse(deployed(actor={"bot": True}))
    assert draft.actor is None
    assert draft.attribution == "unknown"


@pytest.mark.parametrize("kind", [kind for kind, known in KINDS.items() if not known.outside])
def test_the_houses_own_kinds_are_forbidden(kind: str) -> None:
    assert refused({"kind": kind}).code == "forbidden"


@pytest.mark.parametrize(
    "kind", ["approval.given", "permit.issued", "policy.adopted", "role.granted", "nothing.such"]
)
def test_kinds_of_later_versions_are_forbidden(kind: str) -> None:
    assert refused({"kind": kind}).code == "forbidden"


@pytest.mark.parametrize(
    "kind", [None, 7, "", "x-", "x-A", "deployment", "a.b.c", "x-\u0430", "x-" + "a" * 99, "x-a\n"]
)
def test_what_is_no_kind_is_bad_input(kind: Any) -> None:
    assert refused({"kind": kind}).code == "bad-input"
    assert refused({}).code == "bad-input"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'"deployment.finished"',
        b"{",
        b'{"kind":"x-a"}}',
        b'{"kind":"x-a","note":"\xff"}',
        b'{"kind":"x-a","note":"\xed\xa0\x80"}',
        b'{"kind":"x-a","note":"\\ud800"}',
        b'{"kind":"x-a","note":NaN}',
        b'{"kind":"x-a","note":1e999}',
        b'{"kind":"x-a","note":' + b"9" * 10_000 + b"}",
        b'{"kind":"x-a","note":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"kind":"x-a","note":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
        b"\xef\xbb\xbf{}",
        b"\x00",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_what_is_no_json_is_bad_input(line: bytes) -> None:
    assert refused(line).code == "bad-input"


def test_a_fact_has_a_largest_size() -> None:
    keys = {f"k{n}": n for n in range(100_000)}
    assert refused({"kind": "x-a", **keys}).code == "too-large"
    fits = {"kind": "x-a", **{f"k{n}": n for n in range(15_000)}}
    assert json.loads(parse(fits).unknown or "")["k14999"] == 14_999


def test_an_entry_has_a_largest_size() -> None:
    running = [{"service": f"service-{n}-" + "x" * 450} for n in range(160)]
    assert (
        refused({"kind": "environment.snapshot", "environment": "production", "running": running}).code
        == "too-large"
    )
    # Sealed values lie beside the log: they may be larger.
    assert len(sealed(parse(deployed(note="y" * 200_000))).entry) < 2_000


@pytest.mark.parametrize(
    "more",
    [
        {"deployment": None},
        {"deployment": ""},
        {"deployment": "x" * 501},
        {"service": 7},
        {"duration_ms": -1},
        {"duration_ms": 1.5},
        {"duration_ms": 2**53},
        {"duration_ms": 10**30},
        {"duration_ms": True},
        {"artifact": "latest"},
        {"commits": {"sha": SHA}},
        {"commits": [{"sha": "zz"}]},
        {"commits": [7]},
        {"creator": "ada"},
        {"creator": {"id": "s_ada"}},
        {"actor": {"id": "s_ada"}},
        {"actor": {"login": 7}},
        {"actor": "ada"},
        {"actor": [{"login": "ada"}]},
        {"id": ""},
        {"id": 7},
        {"id": "two words"},
        {"id": "x" * 201},
        {"id": "ü"},
        {"occurred_at": 1773748800},
        {"occurred_at": "noon"},
        {"labels": []},
        {"labels": {"team": 7}},
        {"labels": {"": "x"}},
        {"labels": {"a\nb": "x"}},
        {"labels": {f"l{n}": "x" for n in range(101)}},
    ],
    ids=lambda more: repr(more)[:40],
)
def test_fields_that_do_not_fit_are_bad_input(more: dict[str, Any]) -> None:
    assert refused(deployed(**more)).code == "bad-input"


def test_ids_of_persons_are_refused_wherever_they_stand() -> None:
    commit = {"sha": SHA, "author": {"login": "ada", "id": "s_x"}}
    push = {"kind": "commit.pushed", "repository": "r", "ref": "main", "after": SHA, "commits": [commit]}
    assert refused(push).code == "bad-input"


def test_what_is_unknown_is_kept_and_never_pushes_another_out() -> None:
    draft = parse(deployed(actor={"login": "ada", "badge": 1}, **{"actor.badge": 2, "e\u0301": 3}))
    assert sorted(json.loads(draft.unknown or "").values()) == [1, 2, 3]


def test_odd_numbers_are_kept_where_they_are_unknown() -> None:
    kept = {"huge": 10**40, "fraction": 0.1, "small": -(2**63) - 1, "none": [None]}
    assert json.loads(parse(deployed(odd=kept)).unknown or "") == {"odd": kept}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\x1b[31mred",
        "\u202eevil",
        "=1+1",
        "\x00\x07",
        "\u2028",
        "\U0001f600",
        "e\u0301",
        "q" + "\u0323\u0301" * 500,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_hostile_texts_are_kept_as_text(text: str) -> None:
    fact = sealed(parse(deployed(version=text[:400], description=text, labels={"note": text}, odd=text)))
    read = entry.check(fact.entry)
    kept = normal(text)
    assert kept == text or "\u0301" in text, "only marks are written otherwise"
    assert read.data["version"] == normal(text[:400])
    assert set(read.data["description"]) == {"c"}
    opened = {path: value for one in fact.disclosures.values() for path, (_, value) in one.items()}
    assert opened["data.description"] == kept
    assert opened["labels"] == {"note": kept}
    assert json.loads(opened["unknown"]) == {"odd": kept}


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(kind for kind, known in KINDS.items() if known.outside)),
    st.dictionaries(
        st.sampled_from(
            ["repository", "sha", "number", "actor", "labels", "id", "commits", "running", "ref", "after"]
        ),
        st.recursive(
            st.one_of(
                st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.just(SHA)
            ),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["sha", "login", "id", "service", "c"]), inner, max_size=3),
            ),
            max_leaves=6,
        ),
    ),
)
def test_anything_is_an_entry_or_refused(kind: str, fields: dict[str, Any]) -> None:
    line = json.dumps({**fields, "kind": kind}).encode("utf-8", "surrogatepass")
    try:
        fact = sealed(parse(line))
    except Refused as refusal:
        demand_code(refusal, "bad-input", "too-large")
        return
    read = entry.check(fact.entry)
    assert tuple(read.subjects) == fact.subjects
    opened = [path for one in fact.disclosures.values() for path in one]
    assert sorted(opened) == sorted(path for path, _ in sealed_paths(json.loads(fact.entry)))
