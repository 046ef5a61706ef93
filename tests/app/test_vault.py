"""Sealing with the house key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.app.vault import KEY, Vault, decrypt, encrypt
from deploytrail.errors import Refused
from tests.app.small_house import Chance

VAULT = Vault(b"k" * KEY, Chance())


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_again(plain: bytes, about: str) -> None:
    sealed = VAULT.seal(plain, about)
    assert VAULT.open(sealed, about) == plain
    assert sealed != VAULT.seal(plain, about)
    assert len(plain) < 8 or plain not in sealed


@given(st.integers(0, 39), st.integers(1, 255))
def test_any_altered_byte_is_untrue(place: int, flip: int) -> None:
    sealed = bytearray(VAULT.seal(b"twelve bytes", "a secret"))
    assert len(sealed) == 40
    sealed[place] ^= flip
    with pytest.raises(Refused) as refusal:
        VAULT.open(bytes(sealed), "a secret")
    assert refusal.value.code == "untrue"


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 11, b"x" * 12, b"x" * 27])
def test_what_is_too_short_is_untrue(sealed: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        VAULT.open(sealed, "a secret")
    assert refusal.value.code == "untrue"


def test_only_the_same_key_and_purpose_open() -> None:
    sealed = VAULT.seal(b"x", "subject s_a")
    for vault, about in ((VAULT, "subject s_b"), (Vault(b"j" * KEY, Chance()), "subject s_a")):
        with pytest.raises(Refused):
            vault.open(sealed, about)
    key = Chance().bytes(KEY)
    with pytest.raises(Refused):
        decrypt(key, encrypt(key, b"x", "a", Chance()), "b")


def test_a_house_key_has_32_bytes() -> None:
    for key in (b"", b"k" * 31, b"k" * 33):
        with pytest.raises(Refused) as refusal:
            Vault(key, Chance())
        assert refusal.value.code == "bad-input"


def test_keyed_hashes_depend_on_key_purpose_and_every_part() -> None:
    told = [
        ("identity", b"ab", b"c"),
        ("identity", b"a", b"bc"),
        ("identity", b"abc"),
        ("delivery", b"ab", b"c"),
    ]
    told += [("identity", b"ab", b"c", b""), ("identity",)]  # type: ignore[list-item]
    macs = [VAULT.mac(purpose, *parts) for purpose, *parts in told]
    macs.append(Vault(b"j" * KEY, Chance()).mac("identity", b"ab", b"c"))
    assert len(set(macs)) == len(macs)
    assert {len(mac) for mac in macs} == {32}
    assert VAULT.mac("identity", b"ab", b"c") == macs[0]
