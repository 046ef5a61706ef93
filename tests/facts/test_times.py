"""Times: RFC 3339 in, UTC milliseconds out, one spelling back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.facts import times
from tests.facts.golden import demand_code


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-03-17T14:32:08Z", "2026-03-17T14:32:08Z"),
        ("2026-03-17t14:32:08z", "2026-03-17T14:32:08Z"),
        ("2026-03-17 14:32:08Z", "2026-03-17T14:32:08Z"),
        ("2026-03-17T14:32:08+05:30", "2026-03-17T09:02:08Z"),
        ("2026-03-17T14:32:08+0530", "2026-03-17T09:02:08Z"),
        ("2026-03-17T00:32:08+14:00", "2026-03-16T10:32:08Z"),
        ("2026-03-17T14:32:08-00:00", "2026-03-17T14:32:08Z"),
        ("2026-03-17T14:32:08.5Z", "2026-03-17T14:32:08.500Z"),
        ("2026-03-17T14:32:08.000Z", "2026-03-17T14:32:08Z"),
        ("2026-03-17T14:32:08.999999999Z", "2026-03-17T14:32:08.999Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999Z"),
        ("2024-02-29T23:59:59-01:00", "2024-03-01T00:59:59Z"),
        # Years old, and far in the future: a time is somebody's claim.
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("1998-05-04T01:02:03Z", "1998-05-04T01:02:03Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        # Leap seconds, in UTC and elsewhere.
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T15:59:60.25-08:00", "2017-01-01T00:00:00.250Z"),
    ],
)
def test_times_have_one_spelling(told: str, kept: str) -> None:
    assert times.text(times.parse(told)) == kept


@pytest.mark.parametrize(
    "told",
    [
        "",
        "yesterday",
        "2026-03-17",
        "2026-03-17T14:32:08",
        "2026-03-17T14:32Z",
        "2026-02-29T14:32:08Z",
        "2026-13-01T14:32:08Z",
        "2026-03-17T24:00:01Z",
        "2026-03-17T14:60:08Z",
        "2026-03-17T14:32:61Z",
        "2026-03-17T14:32:60Z",
        "2016-12-31T23:59:60+01:00",
        "9999-12-31T23:59:60Z-",
        "2026-03-17T14:32:08.Z",
        "2026-03-17T14:32:08.1234567890Z",
        "2026-03-17T14:32:08+24:00",
        "2026-03-17T14:32:08+99:99",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-03-17T14:32:08Z\n",
        " 2026-03-17T14:32:08Z",
        "2026-03-17T14:32:08Z\x00",
        "２０２６-03-17T14:32:08Z",
        "2026-W12-2T14:32:08Z",
    ],
)
def test_what_is_no_time_is_refused(told: str) -> None:
    with pytest.raises(Refused) as refusal:
        times.parse(told)
    assert refusal.value.code == "bad-input"


def test_a_leap_second_beyond_the_last_year_cannot_be_written() -> None:
    with pytest.raises(Refused):
        times.text(times.parse("9999-12-31T23:59:60Z"))
    for ms in (times.MIN_MS - 1, times.MAX_MS + 1, 10**30):
        with pytest.raises(Refused):
            times.text(ms)


@given(st.integers(times.MIN_MS, times.MAX_MS))
def test_every_time_comes_back(ms: int) -> None:
    assert times.parse(times.text(ms)) == ms


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),
    st.integers(-23 * 60, 23 * 60),
)
def test_an_offset_is_only_another_spelling(moment: datetime, minutes: int) -> None:
    away = moment + timedelta(minutes=minutes)
    sign, hours, rest = "-" if minutes < 0 else "+", *divmod(abs(minutes), 60)
    told = f"{away.isoformat(timespec='microseconds')}{sign}{hours:02d}:{rest:02d}"
    exact = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert times.parse(told) == exact


@given(st.text(max_size=45))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        times.text(times.parse(text))
    except Refused as refusal:
        demand_code(refusal, "bad-input")
