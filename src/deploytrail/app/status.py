"""How the house is doing: followers, signing, disk, and what senders came to. For those who run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from deploytrail.app.ask import Sealed
from deploytrail.app.capacity import Capacity, DiskView
from deploytrail.app.follow import Followed
from deploytrail.app.limits import Limits, Used
from deploytrail.app.ports import Clock, Log
from deploytrail.app.views import Moment, View
from deploytrail.facts import times
from deploytrail.facts.entry import read

# What is recorded is signed within a second or two; unsigned for longer than this, somebody should look.
LATE_MS: Final = 60_000
# Warned of a full disk when it is nearer than this many days.
SOON_DAYS: Final = 14
_DAY_MS: Final = 86_400_000


class FollowerView(View, frozen=True, kw_only=True):
    """One follower: how many entries it is behind, and how long the oldest of them waits (ms).

    `words` and `since` (UTC ms) only when it has stopped.
    """

    name: str
    size: int
    behind: int
    behind_ms: int
    words: str = ""
    since: Moment | None = None


class CheckpointView(View, frozen=True, kw_only=True):
    """The newest checkpoint. `unsigned` entries came since, the oldest of which waits for `waiting_ms`.

    `signed_at` (UTC ms) is known for what was signed since the start.
    """

    size: int | None
    unsigned: int
    waiting_ms: int
    late: bool
    signer: str
    words: str = ""
    signed_at: Moment | None = None


class SenderView(View, frozen=True, kw_only=True):
    """What one sender came to under one limit; the sum of all where `sender` is empty."""

    limit: str
    sort: str
    sender: str
    senders: int
    unit: str
    per_second: int
    burst: int
    minute: int
    refused: int
    setting: str


class StatusView(View, frozen=True, kw_only=True):
    """Everything. `state` is the worst that is found; `senders` is empty for whoever may not see them.

    `unsigned` counts deliveries, by source, that no live secret signed, since the start.
    """

    state: Literal["good", "warning", "bad"]
    reasons: list[str]
    at: Moment
    size: int
    recording: bool
    followers: list[FollowerView]
    checkpoint: CheckpointView
    disk: DiskView
    senders: list[SenderView]
    refused: int
    unsigned: dict[str, int]
    set_aside: int


class Status:
    """Answers how the house is doing. `closed` says why nothing is recorded; `unsigned` as in StatusView."""

    def __init__(
        self,
        *,
        log: Log,
        sealer: Sealed,
        followers: Sequence[Followed],
        capacity: Capacity,
        limits: Limits,
        clock: Clock,
        closed: Callable[[], str | None],
        unsigned: Mapping[str, int],
        set_aside: Callable[[int], int],
    ) -> None:
        self._log, self._sealer, self._followers = log, sealer, followers
        self._capacity, self._limits, self._clock = capacity, limits, clock
        self._closed, self._unsigned, self._aside = closed, unsigned, set_aside

    def view(self, *, senders: bool) -> StatusView:
        """How it is now, with names of senders if `senders`. Blocking."""
        size, now = self._log.head().size, self._clock.now()
        followers = self.followers(size, now)
        checkpoint = self.checkpoint(size, now)
        disk = self._capacity.view()
        used = self._limits.used()
        bad, warnings = self._faults(followers, checkpoint, disk)
        return StatusView(
            state="bad" if bad else "warning" if warnings else "good",
            reasons=bad + warnings,
            at=now,
            size=size,
            recording=self._closed() is None and not disk.words,
            followers=followers,
            checkpoint=checkpoint,
            disk=disk,
            senders=[_sender(each) for each in used] if senders else [],
            refused=sum(each.refused for each in used),
            unsigned=dict(sorted(self._unsigned.items())) if senders else {},
            set_aside=self._aside(100),
        )

    def followers(self, size: int, now: int) -> list[FollowerView]:
        """How far each follower is, of a log of `size` at `now` (UTC ms)."""
        found = []
        for state in (follower.state for follower in self._followers):
            found.append(
                FollowerView(
                    name=state.name,
                    size=state.size,
                    behind=max(0, size - state.size),
                    behind_ms=self._waiting(state.size, size, now),
                    words=state.words,
                    since=state.since,
                )
            )
        return found

    def checkpoint(self, size: int, now: int) -> CheckpointView:
        """How signing stands, of a log of `size` at `now` (UTC ms)."""
        signed = self._log.checkpoint()
        upto = signed.size if signed else 0
        waiting = self._waiting(upto, size, now)
        return CheckpointView(
            size=upto if signed else None,
            unsigned=max(0, size - upto),
            waiting_ms=waiting,
            late=waiting > LATE_MS,
            signer=self._sealer.state,
            words=self._sealer.words,
            signed_at=self._sealer.signed_at,
        )

    def disk(self) -> DiskView:
        """How the disk stands."""
        return self._capacity.view()

    def _waiting(self, index: int, size: int, now: int) -> int:
        """How long the entry at `index` has been in the log (ms); 0 if it is not there yet."""
        rows = self._log.entries(index, index + 1) if index < size else []
        return max(0, now - times.parse(read(rows[0].body).received_at)) if rows else 0

    def _faults(
        self, followers: Sequence[FollowerView], checkpoint: CheckpointView, disk: DiskView
    ) -> tuple[list[str], list[str]]:
        """What is bad, and what somebody should look at, as sentences."""
        closed = self._closed()
        bad = [words for words in (closed, disk.words) if words]
        bad += [f"{each.name}: {each.words}" for each in followers if each.words]
        if checkpoint.words and checkpoint.words != closed:
            bad.append(checkpoint.words)
        warnings = []
        if checkpoint.late and not checkpoint.words:
            waiting = checkpoint.waiting_ms // 1000
            warnings.append(f"The oldest entry that is not signed has waited for {waiting:,} s.")
        left = disk.full_in_ms
        if left is not None and left < SOON_DAYS * _DAY_MS and not disk.words:
            warnings.append(f"At the present rate the disk is full in {left // _DAY_MS} days.")
        return bad, warnings


def _sender(used: Used) -> SenderView:
    limit = used.limit
    return SenderView(
        limit=limit.name,
        sort=limit.sort,
        sender=used.sender,
        senders=used.senders,
        unit=limit.unit,
        per_second=limit.per_second,
        burst=limit.burst,
        minute=used.minute,
        refused=used.refused,
        setting=limit.setting,
    )
