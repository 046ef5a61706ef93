"""Limits: how fast each sender may come, and what it came to in the last minute and day.

A token bucket for each sender, kept as one number: when it would be full again. All is in memory, bounded,
and gone with the process. Two rules keep a limit from becoming a weapon: a sender's bucket is charged only
once it is known who sent it, so that nobody empties another's; and of an address only what fails is counted,
so that whoever shows a good token or signature is never refused for a neighbour's doing.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter, OrderedDict
from typing import Final, Literal

import msgspec

from deploytrail.app.ports import Clock
from deploytrail.errors import Refused

# What a sender saved up by being quiet: as much as comes in so many seconds at its rate.
BURST_S: Final = 20
# Senders of one sort that are remembered; the one that was quiet longest is forgotten first.
MOST: Final = 10_000
_SECOND: Final = 1000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY_H: Final = 24

Name = Literal["deliveries", "delivery-bytes", "facts", "fact-bytes", "requests", "pages", "attempts"]
# Whose limit it is. Sources and tokens are machines and named; of persons and addresses only sums are told.
Sort = Literal["source", "token", "person", "address"]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What one sender may send in a second. Twenty seconds' worth may come at once."""

    deliveries: int = 500
    facts: int = 20_000
    bytes: int = 64 * 2**20
    requests: int = 1_000
    attempts: int = 10


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit: whose, of what, how much in a second, and the setting that says so."""

    name: Name
    sort: Sort
    unit: str
    per_second: int
    setting: str

    @property
    def burst(self) -> int:
        """How much may come at once."""
        return self.per_second * BURST_S


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender came to. `sender` is empty for the sum of those who are not named, who are `senders`."""

    limit: Limit
    sender: str
    senders: int
    minute: int
    refused: int


def limits_of(rates: Rates) -> tuple[Limit, ...]:
    """Every limit that there is."""
    return (
        _limit("deliveries", "source", "deliveries", rates.deliveries, "limit-deliveries"),
        _limit("delivery-bytes", "source", "bytes", rates.bytes, "limit-bytes"),
        _limit("facts", "token", "facts", rates.facts, "limit-facts"),
        _limit("fact-bytes", "token", "bytes", rates.bytes, "limit-bytes"),
        _limit("requests", "token", "requests", rates.requests, "limit-requests"),
        _limit("pages", "person", "requests", rates.requests, "limit-requests"),
        _limit("attempts", "address", "failed attempts", rates.attempts, "limit-attempts"),
    )


def _limit(name: Name, sort: Sort, unit: str, per_second: int, setting: str) -> Limit:
    return Limit(name=name, sort=sort, unit=unit, per_second=per_second, setting=setting)


class Limits:
    """Every limit with its senders. For any thread; a check costs about a microsecond.

    `refused` counts by (limit, sender, empty for those who are not named) since the start.
    """

    def __init__(self, clock: Clock, rates: Rates | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last, self._now = clock.now(), 0
        self.limits = limits_of(rates or Rates())
        self._buckets = {limit.name: _Buckets(limit) for limit in self.limits}
        self.refused: Counter[tuple[str, str]] = Counter()

    def demand(self, name: Name, sender: str, count: int = 0) -> None:
        """Refused("busy") if this sender has used its limit up; else `count` more is used.

        A count may be larger than what is left: the sender then waits the longer before the next.
        """
        buckets = self._buckets[name]
        with self._lock:
            now = self._time()
            wait = buckets.wait(sender, now)
            if not wait:
                if count:
                    buckets.charge(sender, count, now)
                return
            buckets.refuse(sender, now)
            self.refused[(name, sender if _named(buckets.limit) else "")] += 1
        after = -(-wait // _SECOND)
        raise Refused("busy", _words(buckets.limit, sender, after), after=after)

    def charge(self, name: Name, sender: str, count: int) -> None:
        """So much was used, whatever is left."""
        with self._lock:
            self._buckets[name].charge(sender, count, self._time())

    def failed(self, address: str, refusal: Refused) -> Refused:
        """Count an attempt that failed: what its sender hears, `refusal` or to come later."""
        try:
            self.demand("attempts", address, 1)
        except Refused as later:
            return later
        return refusal

    def used(self) -> list[Used]:
        """What every limit came to: named senders one by one, of all others the sum."""
        with self._lock:
            now = self._time()
            return [used for buckets in self._buckets.values() for used in buckets.used(now)]

    def _time(self) -> int:
        """Milliseconds that never go back: a clock that is set back stands still here for a moment."""
        told = self._clock.now()
        self._now += max(0, told - self._last)
        self._last = told
        return self._now


class _Bucket:
    """One sender: when its bucket is full again, its last two minutes, and refusals by hour."""

    __slots__ = ("before", "count", "full", "minute", "refused")

    def __init__(self) -> None:
        self.full = 0.0
        self.minute = self.count = self.before = 0
        self.refused: dict[int, int] | None = None


class _Buckets:
    """The buckets of one limit."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._each = _SECOND / limit.per_second
        self._span = BURST_S * _SECOND - self._each
        self._senders: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, sender: str, now: int) -> int:
        """Milliseconds until one more is taken."""
        bucket = self._senders.get(sender)
        return 0 if bucket is None else max(0, -int(-(bucket.full - now - self._span) // 1))

    def charge(self, sender: str, count: int, now: int) -> None:
        bucket = self._bucket(sender)
        bucket.full = max(bucket.full, now) + count * self._each
        _turn(bucket, now // _MINUTE)
        bucket.count += count

    def refuse(self, sender: str, now: int) -> None:
        bucket, hour = self._bucket(sender), now // _HOUR
        kept = bucket.refused or {}
        bucket.refused = {at: many for at, many in kept.items() if at > hour - _DAY_H}
        bucket.refused[hour] = bucket.refused.get(hour, 0) + 1

    def used(self, now: int) -> list[Used]:
        found = [(name, _minute(each, now), _day(each, now)) for name, each in self._senders.items()]
        if _named(self.limit):
            return [self._used(name, 1, minute, day) for name, minute, day in sorted(found)]
        return [
            self._used("", len(found), sum(minute for _, minute, _ in found), sum(day for _, _, day in found))
        ]

    def _used(self, sender: str, senders: int, minute: int, refused: int) -> Used:
        return Used(limit=self.limit, sender=sender, senders=senders, minute=minute, refused=refused)

    def _bucket(self, sender: str) -> _Bucket:
        bucket = self._senders.get(sender)
        if bucket is not None:
            self._senders.move_to_end(sender)
            return bucket
        if len(self._senders) >= MOST:
            self._senders.popitem(last=False)
        bucket = self._senders[sender] = _Bucket()
        return bucket


def _turn(bucket: _Bucket, minute: int) -> None:
    """Begin the count of a new minute."""
    if bucket.minute != minute:
        bucket.before = bucket.count if bucket.minute == minute - 1 else 0
        bucket.minute, bucket.count = minute, 0


def _minute(bucket: _Bucket, now: int) -> int:
    """About what was used in the last sixty seconds: this minute, and the part of the one before."""
    minute, since = divmod(now, _MINUTE)
    count = bucket.count if bucket.minute == minute else 0
    before = bucket.before if bucket.minute == minute else bucket.count if bucket.minute == minute - 1 else 0
    return count + before * (_MINUTE - since) // _MINUTE


def _day(bucket: _Bucket, now: int) -> int:
    hour = now // _HOUR
    return sum(many for at, many in (bucket.refused or {}).items() if at > hour - _DAY_H)


def _named(limit: Limit) -> bool:
    return limit.sort in ("source", "token")


def _words(limit: Limit, sender: str, after: int) -> str:
    rate = f"{limit.per_second:,} {limit.unit} a second ({limit.burst:,} at once)"
    if limit.sort == "address":
        return f"More than {rate} came from your address. Correct what you show; try again in {after} s."
    who = {"source": f"The source {sender}", "token": f"The token {sender}", "person": "You"}[limit.sort]
    return (
        f"{who} sent more than {rate}. Nothing of this was kept: send it again in {after} s. "
        f"The setting {limit.setting} says how much is taken."
    )


def address_of(host: str) -> str:
    """By what a client address is counted: IPv4 whole, IPv6 by its /64, since one client has all of that."""
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address) if address else "unknown"


def told_apart(host: str) -> bool:
    """Whether clients can be told from each other by this address.

    Behind a proxy on this machine that does not say for whom it asks, all have the same.
    """
    address = _address(host)
    return address is not None and not address.is_loopback


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
