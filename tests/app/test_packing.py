"""What is packed comes back byte for byte; what is damaged or forged is refused, and fills no memory."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.app.packing import MAX_OPENED, pack, unpack
from deploytrail.errors import Refused
from deploytrail.facts.canonical import MAX_ENTRY
from tests.bench.fact import told

ENTRIES = list(told(50))


@given(st.binary(max_size=3_000))
def test_any_bytes_that_begin_with_a_brace_come_back(data: bytes) -> None:
    assert unpack(pack(b"{" + data)) == b"{" + data


def test_what_is_typical_takes_half_the_room() -> None:
    before = sum(map(len, ENTRIES))
    kept = [pack(entry) for entry in ENTRIES]
    assert [unpack(one) for one in kept] == ENTRIES
    assert sum(map(len, kept)) < 0.65 * before


def test_what_was_kept_before_there_was_packing_is_read_as_it_is() -> None:
    assert [unpack(entry) for entry in ENTRIES] == ENTRIES


def test_what_cannot_be_made_smaller_is_kept_as_it_is() -> None:
    assert pack(b"{}") == b"{}"


def test_the_largest_comes_back_and_a_larger_one_is_kept_as_it_is() -> None:
    largest = b"{" + bytes(MAX_OPENED - 1)
    assert unpack(pack(largest), MAX_OPENED) == largest
    assert pack(largest + b"0") == largest + b"0"


def test_a_flipped_byte_never_raises_anything_but_a_refusal() -> None:
    whole = pack(ENTRIES[0])
    other = 0
    for place in range(1, len(whole)):
        kept = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        try:
            other += unpack(kept) != ENTRIES[0]
        except Refused:
            other += 1
    # Some bits of a frame say nothing about what is in it; the leaf hash judges what comes out.
    assert other > 0.9 * len(whole)


@pytest.mark.parametrize("kept", [b"\x01", b"\x01\0\0", b"\x01\0\0\0", b"\x01\0\0\x05hello"])
def test_what_nobody_packed_is_refused(kept: bytes) -> None:
    with pytest.raises(Refused, match="damaged"):
        unpack(kept)


def test_a_forged_size_is_refused_before_anything_is_unpacked() -> None:
    kept = pack(b"{" + bytes(MAX_ENTRY + 100))
    with pytest.raises(Refused, match="damaged"):
        unpack(kept)
    smaller = kept[:1] + (100).to_bytes(3, "big") + kept[4:]
    with pytest.raises(Refused, match="damaged"):
        unpack(smaller)


def test_many_threads_pack_at_once() -> None:
    wrong: list[bytes] = []

    def again() -> None:
        for _ in range(20):
            wrong.extend(entry for entry in ENTRIES if unpack(pack(entry)) != entry)

    threads = [threading.Thread(target=again) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
