"""Limits: how fast a sender may come, and what is told of it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.app import limits as room
from deploytrail.app.limits import BURST_S, Limits, Rates, Used, address_of, told_apart
from deploytrail.errors import Refused
from tests.app.small_house import Clock

TEN = Rates(deliveries=10, facts=10, bytes=1000, requests=10, attempts=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(clock, TEN)


def spent(limits: Limits, sender: str = "hub", name: room.Name = "deliveries") -> Refused:
    """Use all that may come at once; the refusal of the next."""
    for _ in range(100_000):
        try:
            limits.demand(name, sender, 1)
        except Refused as refusal:
            return refusal
    raise AssertionError("nothing was refused")


def used(limits: Limits, name: str, sender: str = "") -> Used:
    [found] = [each for each in limits.used() if each.limit.name == name and each.sender == sender]
    return found


def test_what_was_saved_up_may_come_at_once_and_then_no_more(limits: Limits) -> None:
    for _ in range(10 * BURST_S):
        limits.demand("deliveries", "hub", 1)
    with pytest.raises(Refused) as caught:
        limits.demand("deliveries", "hub", 1)
    assert (caught.value.code, caught.value.after) == ("busy", 1)
    assert "The source hub sent more than 10 deliveries a second (200 at once)" in caught.value.words
    assert "send it again in 1 s" in caught.value.words
    assert "limit-deliveries" in caught.value.words


def test_one_more_is_taken_when_it_was_said(limits: Limits, clock: Clock) -> None:
    spent(limits)
    clock.at += 100
    limits.demand("deliveries", "hub", 1)
    with pytest.raises(Refused):
        limits.demand("deliveries", "hub", 1)


def test_each_sender_has_a_bucket_of_its_own(limits: Limits) -> None:
    spent(limits, "hub")
    limits.demand("deliveries", "other", 1)
    limits.demand("facts", "hub", 1)


def test_a_large_count_is_taken_and_paid_for_afterwards(limits: Limits, clock: Clock) -> None:
    limits.demand("fact-bytes", "ci", 50_000)
    with pytest.raises(Refused) as caught:
        limits.demand("fact-bytes", "ci")
    assert caught.value.after == 31
    clock.at += 31_000
    limits.demand("fact-bytes", "ci")


def test_asking_alone_uses_nothing(limits: Limits) -> None:
    for _ in range(1000):
        limits.demand("deliveries", "hub")
    assert used_of(limits, "deliveries") == []


def used_of(limits: Limits, name: str) -> list[Used]:
    return [each for each in limits.used() if each.limit.name == name]


def test_a_clock_that_is_set_back_locks_nobody_out(limits: Limits, clock: Clock) -> None:
    spent(limits)
    clock.at -= 3_600_000
    with pytest.raises(Refused) as caught:
        limits.demand("deliveries", "hub", 1)
    assert caught.value.after == 1
    clock.at += 1_000
    limits.demand("deliveries", "hub", 1)


def test_the_senders_that_are_remembered_are_bounded(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 3)
    spent(limits, "a")
    for name in ("b", "c", "d"):
        limits.demand("deliveries", name, 1)
    assert [each.sender for each in used_of(limits, "deliveries")] == ["b", "c", "d"]
    limits.demand("deliveries", "b", 1)
    limits.demand("deliveries", "e", 1)
    assert [each.sender for each in used_of(limits, "deliveries")] == ["b", "d", "e"]


def test_the_last_minute_and_the_last_day(limits: Limits, clock: Clock) -> None:
    for _ in range(60):
        limits.demand("deliveries", "hub", 1)
    assert used(limits, "deliveries", "hub").minute == 60
    clock.at += 60_000
    limits.demand("deliveries", "hub", 6)
    # The count of a minute is spread evenly over it, so the one before counts for the part that it covers.
    assert 6 <= used(limits, "deliveries", "hub").minute <= 66
    clock.at += 120_000
    assert used(limits, "deliveries", "hub").minute == 0
    spent(limits)
    assert used(limits, "deliveries", "hub").refused == 1
    clock.at += 23 * 3_600_000
    spent(limits)
    assert used(limits, "deliveries", "hub").refused == 2
    clock.at += 2 * 3_600_000
    assert used(limits, "deliveries", "hub").refused == 1


def test_of_persons_and_addresses_only_sums_are_told(limits: Limits) -> None:
    spent(limits, "s_ada", "pages")
    limits.demand("pages", "s_ben", 1)
    found = used(limits, "pages")
    assert (found.senders, found.minute, found.refused) == (2, 201, 1)
    assert limits.refused == {("pages", ""): 1}
    assert "s_ada" not in str(limits.used())


def test_a_failed_attempt_hears_why_and_after_too_many_to_come_later(limits: Limits) -> None:
    why = Refused("unauthenticated", "No live secret signed it.")
    heard = [limits.failed("192.0.2.7", why) for _ in range(21)]
    assert heard[:20] == [why] * 20
    assert (heard[20].code, heard[20].after) == ("busy", 1)
    assert "192.0.2.7" not in heard[20].words
    assert limits.failed("192.0.2.8", why) is why


def test_defaults_refuse_no_import_and_no_burst_of_a_real_source(clock: Clock) -> None:
    limits = Limits(clock)
    for _ in range(10):
        clock.at += 1000
        for _ in range(3):
            limits.demand("facts", "ci")
            limits.demand("fact-bytes", "ci")
            limits.charge("facts", "ci", 2_000)
            limits.charge("fact-bytes", "ci", 2_000 * 1_500)
    for _ in range(9_000):
        limits.demand("deliveries", "hub")
        limits.demand("delivery-bytes", "hub")
        limits.charge("deliveries", "hub", 1)
        limits.charge("delivery-bytes", "hub", 30_000)
    assert not limits.refused


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 50)), max_size=200))
def test_no_more_is_taken_than_the_rate_and_what_was_saved_up(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    limits, taken, begun = Limits(clock, TEN), 0, clock.at
    for pause, tries in steps:
        clock.at += pause
        for _ in range(tries):
            with suppress(Refused):
                limits.demand("deliveries", "hub", 1)
                taken += 1
        assert taken <= 10 * BURST_S + 10 * (clock.at - begun) / 1000
    if not steps:
        assert not taken


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_by_what_an_address_is_counted(host: str, counted: str) -> None:
    assert address_of(host) == counted


def test_clients_behind_this_machines_own_address_cannot_be_told_apart() -> None:
    assert not any(map(told_apart, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "", "somebody")))
    assert all(map(told_apart, ("192.0.2.7", "10.0.0.1", "2001:db8::1")))
