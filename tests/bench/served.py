"""The real server, told to bear with one sender who stands for many: its limits are raised, nothing else."""

from __future__ import annotations

from typing import Final

from tests.crash.served import Served

_LIMITS: Final = ("DELIVERIES", "FACTS", "BYTES", "REQUESTS")


class Measured(Served):
    """A house whose limits do not hold the one sender of a benchmark back."""

    def environment(self) -> dict[str, str]:
        return super().environment() | {f"DEPLOYTRAIL_LIMIT_{name}": str(10**9) for name in _LIMITS}
