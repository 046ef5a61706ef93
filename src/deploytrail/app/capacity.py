"""Capacity: how much of the disk the house takes, how long it lasts, and when it takes nothing new.

Facts from outside are refused before the disk is full, so that the database never meets that in the middle
of a write; what the house itself records (a checkpoint, a session, an erasure) goes on from the reserve.
One sample an hour is kept for eight days, from which the growth is told.
"""

from __future__ import annotations

from typing import Final

import msgspec

from deploytrail.app.ports import Clock, Disk, Log, Registry
from deploytrail.app.views import View
from deploytrail.errors import Refused

_SECOND: Final = 1000
_HOUR: Final = 3600 * _SECOND
_DAY: Final = 24 * _HOUR
# Samples in the registry, by their hour.
AREA: Final = "size"
_KEEP_H: Final = 8 * 24
# Growth over less than this says nothing about days to come.
LEAST_MS: Final = 6 * _HOUR
# The disk is looked at at most this often.
_LOOK_MS: Final = _SECOND
# Seconds after which a sender who was refused for lack of disk may try again.
_AFTER: Final = 60
_LONGEST: Final = 3600


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """`entries` a day (UTC), `bytes` of all files of the house, and the `reserve`: bytes that stay free.

    None and 0 limit nothing.
    """

    entries: int | None = None
    bytes: int | None = None
    reserve: int = 256 * 2**20


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The house at a time (UTC ms): bytes on the disk, entries in the log."""

    at: int
    bytes: int
    entries: int


class DiskView(View, frozen=True, kw_only=True):
    """What lies where, in bytes by part, and what is left.

    `grown` bytes in `over_ms` since the oldest sample of the last days; at that rate the disk or the quota is
    `full_in_ms`, None if that is not known or it does not grow. `today`: entries since midnight UTC. `words`
    say why nothing from outside is taken.
    """

    parts: dict[str, int]
    total: int
    free: int | None
    quotas: Quotas
    today: int
    grown: int | None = None
    over_ms: int | None = None
    full_in_ms: int | None = None
    words: str = ""


class Capacity:
    """Asked before anything from outside is recorded; for any thread."""

    def __init__(self, disk: Disk, registry: Registry, log: Log, clock: Clock, quotas: Quotas) -> None:
        self._disk, self._registry, self._log = disk, registry, log
        self._clock, self._quotas = clock, quotas
        self._looked: tuple[int, Refused | None] | None = None
        self._day, self._before = self._midnight()

    @property
    def fresh(self) -> bool:
        """Whether `full` answers at once, without looking at the disk."""
        looked = self._looked
        return looked is not None and 0 <= self._clock.now() - looked[0] < _LOOK_MS

    def full(self) -> Refused | None:
        """Why nothing more from outside is taken now; None while there is room. Looks once a second."""
        looked = self._looked
        if looked is None or not self.fresh:
            now = self._clock.now()
            looked = self._looked = (now, self._look(now))
        return looked[1]

    def sample(self) -> None:
        """Keep the sizes of this hour, once, and forget those of more than eight days ago."""
        now = self._clock.now()
        hour, kept = now // _HOUR, dict(self._registry.items(AREA))
        if _key(hour) not in kept:
            found = Sample(at=now, bytes=sum(self._disk.sizes().values()), entries=self._log.head().size)
            self._registry.put(AREA, _key(hour), msgspec.to_builtins(found))
        for key in kept:
            if key <= _key(hour - _KEEP_H):
                self._registry.take(AREA, key)

    def view(self) -> DiskView:
        """How it stands."""
        parts, free, now = self._disk.sizes(), self._disk.free(), self._clock.now()
        total = sum(parts.values())
        refused = self._look(now)
        first = min(self._samples(), key=lambda each: each.at, default=None)
        grown = over = None
        if first is not None and now - first.at >= LEAST_MS:
            grown, over = total - first.bytes, now - first.at
        return DiskView(
            parts=dict(sorted(parts.items())),
            total=total,
            free=free,
            quotas=self._quotas,
            today=self._today(now),
            grown=grown,
            over_ms=over,
            full_in_ms=_full_in(self._left(total, free), grown, over),
            words=refused.words if refused else "",
        )

    def _look(self, now: int) -> Refused | None:
        quotas, free = self._quotas, self._disk.free()
        if free is not None and free < quotas.reserve:
            return Refused(
                "unavailable",
                f"Only {_mb(free)} are free where the house lies, less than the reserve of "
                f"{_mb(quotas.reserve)} (setting disk-reserve). Nothing new is recorded until some space is "
                "freed; send it again then.",
                after=_AFTER,
            )
        if quotas.bytes and (total := sum(self._disk.sizes().values())) >= quotas.bytes:
            return Refused(
                "unavailable",
                f"The house has {_mb(total)} on the disk; its quota is {_mb(quotas.bytes)} (setting "
                "quota-bytes). Nothing new is recorded until that is raised; send it again then.",
                after=_AFTER,
            )
        if quotas.entries and self._today(now) >= quotas.entries:
            left = (_DAY - now % _DAY) // _SECOND + 1
            return Refused(
                "busy",
                f"The log has grown by {quotas.entries:,} entries today, its quota (setting quota-entries). "
                "Send it again after midnight UTC.",
                after=min(left, _LONGEST),
            )
        return None

    def _today(self, now: int) -> int:
        """Entries since midnight UTC, or since the house began to look."""
        size = self._log.head().size
        if now // _DAY != self._day:
            self._day, self._before = now // _DAY, size
        return size - self._before

    def _midnight(self) -> tuple[int, int]:
        """This day, and the size of the log at its beginning as far as samples know."""
        day = self._clock.now() // _DAY
        sizes = [each.entries for each in self._samples() if each.at // _DAY == day]
        return day, min(sizes, default=self._log.head().size)

    def _samples(self) -> list[Sample]:
        return [msgspec.convert(row, Sample) for _, row in self._registry.items(AREA)]

    def _left(self, total: int, free: int | None) -> int | None:
        """Bytes until nothing new is taken; None if nothing bounds it."""
        left = [] if free is None else [free - self._quotas.reserve]
        left += [self._quotas.bytes - total] if self._quotas.bytes else []
        return max(0, min(left)) if left else None


def _full_in(left: int | None, grown: int | None, over_ms: int | None) -> int | None:
    if left is None or grown is None or over_ms is None or grown <= 0:
        return None
    return left * over_ms // grown


def _mb(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"


def _key(hour: int) -> str:
    return f"{hour:09d}"
