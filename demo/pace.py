"""Time in the town: pauses between what people do, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from demo.faults import Ended

_TICK_S: Final = 0.25


class Pace:
    """Waits, and ends every wait when the demo is to end.

    `beat` is called a few times a second while nothing else happens; it may raise.
    """

    def __init__(self, exit_after: float | None) -> None:
        self._asked = False
        self._deadline = None if exit_after is None else time.monotonic() + exit_after
        self.started = time.monotonic()
        self.beat: Callable[[], None] = lambda: None

    def end(self, number: int, frame: FrameType | None) -> None:
        """A signal asked the demo to end."""
        self._asked = True

    def seconds(self) -> float:
        """Seconds since the demo started."""
        return time.monotonic() - self.started

    def check(self) -> None:
        """Ended if it is time."""
        if self._asked or (self._deadline is not None and time.monotonic() >= self._deadline):
            raise Ended

    def short(self, seconds: float) -> None:
        """A wait of a few hundredths of a second."""
        self.check()
        time.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Waits as people do. Ended when it is time."""
        until = time.monotonic() + seconds
        while True:
            self.check()
            self.beat()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _TICK_S))
