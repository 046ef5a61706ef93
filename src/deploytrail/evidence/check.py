"""One numbered answer of a verification, and faults gathered for it."""

from __future__ import annotations

from typing import Final, NamedTuple

from deploytrail.errors import Refused

# Refusals that say something about what was verified. All others (out of reach, too busy, not allowed) say
# that nothing could be found out, and are passed on.
FALSE: Final = frozenset({"bad-input", "not-found", "too-large", "untrue"})

_SHOWN: Final = 5


class Check(NamedTuple):
    """`words` claims something; `ok` says whether it holds: True, False, or None if it could not be shown.

    What could not be shown counts as little as what is false: `all(check.ok for check in checks)`.
    """

    number: int
    words: str
    ok: bool | None
    detail: str


class Faults:
    """What was found wrong about one claim: how often, and the first few in words."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, words: str) -> None:
        """Count one fault."""
        self.count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(words)

    def join(self, more: Faults) -> None:
        """Count those of another part as well."""
        self.count += more.count
        self._shown += more._shown[: _SHOWN - len(self._shown)]

    def text(self) -> str:
        """The first few, and how many more there are."""
        more = self.count - len(self._shown)
        return " ".join(self._shown) + (f" And {more:,} more." if more else "")


def demand_false(refusal: Refused) -> None:
    """Pass a refusal on unless it says something about what was verified."""
    if refusal.code not in FALSE:
        raise refusal
