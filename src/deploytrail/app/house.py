"""The house as its doors see it: the use cases, put together by `main`."""

from __future__ import annotations

import msgspec

from deploytrail.app.administer import Administer
from deploytrail.app.ask import Ask
from deploytrail.app.capacity import Capacity
from deploytrail.app.limits import Limits
from deploytrail.app.operate import Operate
from deploytrail.app.ports import Clock, Log
from deploytrail.app.receive import Receiver
from deploytrail.app.record import Recorder
from deploytrail.app.saved import Saved
from deploytrail.app.seal import Sealer
from deploytrail.app.status import Status
from deploytrail.app.watch import Watch


class House(msgspec.Struct, frozen=True, kw_only=True):
    """One house: one organisation, one log. `demo` marks the house of the demo."""

    origin: str
    demo: bool
    log: Log
    clock: Clock
    recorder: Recorder
    receiver: Receiver
    sealer: Sealer
    ask: Ask
    watch: Watch
    administer: Administer
    saved: Saved
    operate: Operate
    limits: Limits
    capacity: Capacity
    status: Status

    @property
    def vkey(self) -> str:
        """The verifier key of the log."""
        return self.sealer.vkey

    @property
    def readonly(self) -> str | None:
        """Why nothing is recorded; None while the house records."""
        return self.recorder.closed
