"""Careful reading of single values: limits, and nothing but a value or None."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.facts import times
from deploytrail.intake import fields

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
READERS: list[Callable[[Any], Any]] = [
    fields.clear,
    fields.sealed,
    fields.word,
    fields.count,
    fields.flag,
    fields.number,
    fields.sha,
    fields.digest,
    fields.moment,
    fields.time,
    fields.inside,
    fields.as_json,
]


@given(anything)
def test_nothing_raises(value: Any) -> None:
    for reader in READERS:
        reader(value)
    fields.duration(value, value)
    assert len(fields.items(value, 2)) <= 2
    fields.texts(value, 3, 20)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=1_500))
def test_clear_texts_keep_their_limits(text: str) -> None:
    found = fields.clear(text)
    if found is None:
        assert not text.strip()
        return
    assert 1 <= len(found) <= fields.CLEAR
    assert fields.json_size(found) <= fields.CLEAR_BYTES + 2
    assert unicodedata.is_normalized("NFC", found)
    assert unicodedata.normalize("NFC", text).startswith(found) or len(text) > fields.CLEAR


def test_short_texts_stay_as_they_are() -> None:
    assert fields.clear("checkout") == "checkout"
    assert fields.clear(" =1+1 ") == " =1+1 "
    assert fields.clear("e\u0301") == "\u00e9"
    assert fields.clear("") is None
    assert fields.clear(" \n") is None
    assert fields.clear("x" * 501) == "x" * 500


def test_a_run_of_marks_ends_a_text() -> None:
    text = "price " + "\u0301\u0316" * 50_000
    found = fields.sealed(text)
    assert found is not None
    assert found.startswith("price ")
    assert len(found) < 100
    assert fields.sealed("Å" * 1_000) == "Å" * 1_000


def test_json_with_a_run_of_marks_is_escaped_and_whole() -> None:
    value = {"note": "\u0301" * 1_000, "n": [1, True, None]}
    text = fields.as_json(value)
    assert text is not None
    assert text.isascii()
    assert json.loads(text) == value
    assert fields.as_json({"note": "\u00e9"}) == '{"note":"é"}'


def test_json_that_cannot_be_written_is_none() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert fields.as_json(deep) is None
    assert fields.as_json("x" * 10, limit=5) is None
    while deep:
        deep = deep.pop()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0, 0),
        (2**53 - 1, 2**53 - 1),
        (2**53, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("1", None),
        (None, None),
    ],
)
def test_count(value: Any, found: int | None) -> None:
    assert fields.count(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (7, "7"),
        ("7", "7"),
        (2**63, "9223372036854775808"),
        (2**64, None),
        (-7, None),
        (True, None),
        (1.5, None),
        ([], None),
    ],
)
def test_number(value: Any, found: str | None) -> None:
    assert fields.number(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ABCDEF01", "abcdef01"),
        ("f" * 40, "f" * 40),
        ("f" * 64, "f" * 64),
        ("f" * 65, None),
        ("abc", None),
        ("0" * 40, None),
        ("g" * 40, None),
        ("\u0660" * 40, None),
        (12345678, None),
    ],
)
def test_sha(value: Any, found: str | None) -> None:
    assert fields.sha(value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("sha256:" + "a" * 64, "sha256:" + "a" * 64),
        ("registry.example.org/app@sha256:" + "a" * 64, "sha256:" + "a" * 64),
        ("registry.example.org/app:1.2", None),
        ("app@latest", None),
        ("sha256:", None),
        ("sha256:" + "a" * 500, None),
        ("@" * 5_000, None),
        (None, None),
    ],
)
def test_digest(value: Any, found: str | None) -> None:
    assert fields.digest(value) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-03-17T14:32:08Z", "2026-03-17T14:32:08Z"),
        ("2021-08-19T12:16:32.000-04:00", "2021-08-19T16:16:32Z"),
        ("2020-10-02T12:42:30.125Z", "2020-10-02T12:42:30.125Z"),
        (1557933657, "2019-05-15T15:20:57Z"),
        (0, "1970-01-01T00:00:00Z"),
        ("2018-04-25 20:42:10", None),
        ("2018-04-25", None),
        ("tomorrow", None),
        ("2026-02-30T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        (10**15, None),
        (True, None),
        (1.5, None),
        (-1, None),
    ],
)
def test_times(value: Any, text: str | None) -> None:
    assert fields.time(value) == text
    assert fields.moment(value) == (None if text is None else times.parse(text))


def test_durations_need_both_ends_in_order() -> None:
    start, end = "2026-03-17T14:32:08Z", "2026-03-17T14:32:09.250Z"
    assert fields.duration(start, end) == 1_250
    assert fields.duration(start, start) == 0
    assert fields.duration(end, start) is None
    assert fields.duration(None, end) is None
    assert fields.duration(start, "later") is None


def test_lists_of_texts_are_cut_by_number_and_by_bytes() -> None:
    assert fields.texts(["a", "b", "a", 7, "", None, "c"], 7, 100) == ["a", "b", "c"]
    assert fields.texts(["a", "b", "c"], 2, 100) == ["a", "b"]
    assert fields.texts(["a" * 10, "b" * 10, "c" * 10], 9, 30) == ["a" * 10, "b" * 10]
    assert fields.texts([], 9, 30) is None
    assert fields.texts("abc", 9, 30) is None


def test_objects_inside() -> None:
    value = {"a": {"b": {"c": 1}}}
    assert fields.inside(value, "a", "b") == {"c": 1}
    assert fields.inside(value, "a", "b", "c") == {}
    assert fields.inside(value, "x", "b") == {}
    assert fields.inside([value], "a") == {}
    assert msgspec.json.encode(fields.inside(value)) == b'{"a":{"b":{"c":1}}}'
