"""How a check of `fsck` comes to its answer, whatever it meets."""

from __future__ import annotations

from collections.abc import Callable

from deploytrail.errors import Refused
from deploytrail.evidence.check import Check, Faults


class Unshown(Exception):
    """Something cannot be found out, since something else is wrong. The text is for people."""


def answer(number: int, words: str, find: Callable[[Faults], str]) -> Check:
    """One check: `find` adds faults, and gives words for the case that there are none. Never raises."""
    faults = Faults()
    try:
        good = find(faults)
    except Unshown as reason:
        return Check(number, words, False if faults.count else None, faults.text() or str(reason))
    except Exception as error:
        # Damaged bytes can lead to any error; each is one more thing that is wrong.
        faults.add(told(error))
    if faults.count:
        return Check(number, words, False, faults.text())
    return Check(number, words, True, good)


def told(error: Exception) -> str:
    """An error in words, whatever it is."""
    return error.words if isinstance(error, Refused) else f"{type(error).__name__}: {str(error)[:200]}."
