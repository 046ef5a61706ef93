"""RFC 3339 times: what parses has one canonical spelling, which means the same moment."""

from __future__ import annotations

from deploytrail.facts import times
from tests.fuzz.target import Target

_SEEDS = (
    b"2026-03-17T14:32:08Z",
    b"2026-03-17t14:32:08.123456789z",
    b"2026-03-17 14:32:08+05:30",
    b"2026-03-17T14:32:08-0800",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59.999Z",
    b"1970-01-01T00:00:00.001+00:00",
    b"2024-02-29T23:59:59.9Z",
)


def _held(data: bytes) -> None:
    ms = times.parse(data.decode("utf-8", "replace"))
    written = times.text(ms)
    assert times.parse(written) == ms


TARGET = Target("times", "RFC 3339 times", lambda: _SEEDS, _held)
