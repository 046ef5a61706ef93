from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import spelling
from deploytrail.tlog.frontier import MAX_SIZE

# What int() takes and the formats do not, and what neither takes.
DECIMAL_TRAPS = [
    "",
    " 12",
    "12 ",
    "12\n",
    "1_000",
    "١٢",
    "１２",
    "²",
    "+1",
    "-1",
    "-0",
    "00",
    "01",
    "0x1",
    "1.0",
    "1e3",
    "\u200b1",
    "\ufeff1",
    str(MAX_SIZE + 1),
    "9" * 19,
    "1" * 5_000,
]

# What b64decode() takes, even when it validates, and the formats do not.
BASE64_TRAPS = [
    "QQ",
    "QQ=",
    "QR==",
    "QUJ=",
    "QQ==\n",
    " QQ==",
    "Q Q==",
    "QQ===",
    "=",
    "QQ==QQ==",
    "Qé==",
    "-_8=",
]


@given(st.integers(0, MAX_SIZE))
def test_decimals(number: int) -> None:
    assert spelling.read_decimal(str(number)) == number


@pytest.mark.parametrize("number", [0, 1, 10, 10**18, MAX_SIZE])
def test_decimals_at_the_limits(number: int) -> None:
    assert spelling.read_decimal(str(number)) == number


@pytest.mark.parametrize("text", DECIMAL_TRAPS)
def test_other_spellings_of_numbers(text: str) -> None:
    with pytest.raises(Refused) as refused:
        spelling.read_decimal(text)
    assert refused.value.code == "bad-input"


@given(st.text())
def test_a_number_that_is_read_prints_the_same(text: str) -> None:
    try:
        number = spelling.read_decimal(text)
    except Refused:
        return
    assert str(number) == text


@given(st.binary(max_size=80))
def test_base64(data: bytes) -> None:
    assert spelling.read_base64(spelling.write_base64(data)) == data


@pytest.mark.parametrize("text", BASE64_TRAPS)
def test_other_spellings_of_base64(text: str) -> None:
    with pytest.raises(Refused) as refused:
        spelling.read_base64(text)
    assert refused.value.code == "bad-input"


@given(st.text("AQZaz09+/=\n ", max_size=12))
def test_base64_that_is_read_prints_the_same(text: str) -> None:
    try:
        data = spelling.read_base64(text)
    except Refused:
        return
    assert spelling.write_base64(data) == text


def test_a_hash_has_32_bytes() -> None:
    assert spelling.read_hash(spelling.write_base64(b"h" * 32)) == b"h" * 32
    for length in (0, 31, 33, 64):
        with pytest.raises(Refused):
            spelling.read_hash(spelling.write_base64(b"h" * length))


@pytest.mark.parametrize("name", ["a", "log.example.org/trail", "größe.example.org", "日本", "a\u200bb"])
def test_names(name: str) -> None:
    assert spelling.checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a+b",
        "+",
        "a\tb",
        "a\n",
        "a\rb",
        "\0",
        "a\u00a0b",
        "a\u2028b",
        "a\u3000",
        "a\x85",
        "\ud800",
    ],
)
def test_names_that_no_key_can_have(name: str) -> None:
    with pytest.raises(Refused) as refused:
        spelling.checked_name(name)
    assert refused.value.code == "bad-input"
