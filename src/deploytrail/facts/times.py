"""RFC 3339 texts and UTC milliseconds since 1970. A time is always somebody's claim."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from deploytrail.errors import Refused

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BARE_EPOCH: Final = datetime(1970, 1, 1)
_DAY_MS: Final = 86_400_000
_MILLISECOND: Final = timedelta(milliseconds=1)
_SHAPE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
# The years that every database and language we meet can hold.
MIN_MS: Final = -62_135_596_800_000
MAX_MS: Final = 253_402_300_799_999


def parse(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 text. Refused("bad-input") if it is not one.

    A leap second counts as the second after it, as in POSIX (Seconds Since the Epoch).
    """
    if not _SHAPE.fullmatch(text):
        raise Refused("bad-input", "A time must be RFC 3339 with its offset, such as 2026-03-17T14:32:08Z.")
    head, _, fraction = text.partition(".")
    if fraction:
        # fromisoformat keeps six digits at most; a finer claim is cut, never rounded up.
        digits = re.match(r"\d+", fraction).group()  # type: ignore[union-attr]
        text = f"{head}.{digits[:6].ljust(6, '0')}{fraction[len(digits) :]}"
    leap = text[17:19] == "60"
    if leap:
        text = f"{text[:17]}59{text[19:]}"
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("bad-input", "A time must name a day and hour that exist.") from None
    ms = (moment - _EPOCH) // _MILLISECOND
    if leap:
        ms += 1000
        # RFC 3339, section 5.7: only the last second of a UTC day can be one.
        if ms % _DAY_MS >= 1000:
            raise Refused("bad-input", "A leap second comes at the end of a day in UTC.")
    return ms


# What is told together was received together.
@lru_cache(maxsize=1024)
def text(ms: int) -> str:
    """The canonical spelling of a time: UTC, with milliseconds only when there are any."""
    if not MIN_MS <= ms <= MAX_MS:
        raise Refused("bad-input", "A time must lie within the years 1 to 9999.")
    head = (_BARE_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="seconds")
    return f"{head}.{ms % 1000:03d}Z" if ms % 1000 else f"{head}Z"
