"""Canonical bytes: one spelling for every value, the one of RFC 8785."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.facts import canonical
from deploytrail.facts.canonical import JOINER, MAX_INTEGER, MAX_MARKS, normal
from tests.facts.golden import demand_code

# Marks of several combining classes, some that come apart when normalised, and letters that take them.
MARKS = "\u0300\u0301\u0323\u0345\u0344\u0f73\u3099\u0958\u05bc\U0001d165\u034f"
texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",))),
    st.text(st.sampled_from(MARKS + "aé가"), max_size=150),
).map(normal)
keys = st.text(st.characters(max_codepoint=127), max_size=12)
values = st.recursive(
    st.one_of(st.booleans(), st.integers(-MAX_INTEGER, MAX_INTEGER), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=25,
)


@given(values)
def test_the_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(values)
def test_values_come_back(value: Any) -> None:
    assert canonical.decode(canonical.encode(value)) == value
    assert canonical.checked(value) is value


@given(st.one_of(values, st.floats(allow_nan=False), st.none()), st.integers(0, 3))
def test_another_spelling_is_refused(value: Any, how: int) -> None:
    ways: list[dict[str, Any]] = [
        {"indent": 0},
        {"separators": (", ", ":")},
        {"separators": (",", ": ")},
        {"ensure_ascii": True, "separators": (",", ":")},
    ]
    data = json.dumps(value, **ways[how]).encode()
    try:
        read = canonical.decode(data)
    except Refused as refusal:
        demand_code(refusal, "bad-input")
    else:
        assert canonical.encode(read) == data


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.one_of(values, st.floats(allow_nan=False, allow_infinity=False), st.none(), st.integers()),
            lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(keys, inner, max_size=2)),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_what_may_not_be_written_is_not_read_either(value: dict[str, Any]) -> None:
    try:
        canonical.checked(value)
    except Refused:
        with pytest.raises(Refused):
            canonical.decode(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    else:
        assert canonical.decode(canonical.encode(value)) == value


@given(st.binary(max_size=80))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        assert canonical.encode(canonical.decode(data)) == data
    except Refused as refusal:
        demand_code(refusal, "bad-input")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b'{"a":null}',
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b" 1",
        b"1\n",
        b"9007199254740992",
        b"-9007199254740992",
        b"9" * 5_000,
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        '{"é":1}'.encode(),
        b'"\\u0061"',
        b'"\\/"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        '"e\u0301"'.encode(),
        ('"a' + "\u0301\u0323" * 40 + '"').encode(),
        b"[" * 40 + b"]" * 40,
        b"[" * 10_000 + b"]" * 10_000,
        b"\xef\xbb\xbf{}",
        b"{}x",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_these_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        canonical.decode(data)
    assert refusal.value.code == "bad-input"


def test_the_limits_themselves_are_allowed() -> None:
    deep: Any = 1
    for _ in range(canonical.MAX_DEPTH):
        deep = [deep]
    for value in (
        MAX_INTEGER,
        -MAX_INTEGER,
        deep,
        "q" + "\u0323" * MAX_MARKS,
        {"": {}},
        [],
        True,
        "\x7f\x00",
    ):
        assert canonical.decode(canonical.encode(value)) == value
    with pytest.raises(Refused):
        canonical.checked([deep])


@pytest.mark.parametrize("value", [1.0, None, b"x", {1: 2}, {"é": 1}, "\ud800", 2**53, {"a": [None]}, {1, 2}])
def test_values_outside_the_subset_are_refused(value: Any) -> None:
    with pytest.raises(Refused) as refusal:
        canonical.checked(value)
    assert refusal.value.code == "bad-input"


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_normal_texts_are_nfc(text: str) -> None:
    if not any(unicodedata.combining(character) for character in text):
        assert normal(text) == unicodedata.normalize("NFC", text)


@given(st.text(st.sampled_from(MARKS + "aeé가\u4e00"), max_size=200))
@example("\u0344" * 31)
@example("a" + "\u0301\u0323" * 60)
def test_normal_is_settled_and_keeps_every_mark(text: str) -> None:
    settled = normal(text)
    assert normal(settled) == settled
    assert unicodedata.is_normalized("NFC", settled)
    assert canonical.checked(settled) == settled

    def decomposed(some: str) -> list[str]:
        return sorted(c for c in unicodedata.normalize("NFD", some) if c != JOINER)

    assert decomposed(settled) == decomposed(text)


def test_long_runs_of_marks_cost_no_more_than_other_texts() -> None:
    # Sorting one run of these would take minutes: the square of 200,000. A test that ends has passed.
    hostile = "a" + "\u0323\u0301" * 100_000
    settled = normal(hostile)
    assert len(settled) >= len(hostile)
    assert canonical.checked(settled) == settled
    with pytest.raises(Refused):
        canonical.checked(hostile)


def test_half_a_surrogate_pair_has_no_normal_form() -> None:
    with pytest.raises(Refused) as refusal:
        normal("a\ud800")
    assert refusal.value.code == "bad-input"
