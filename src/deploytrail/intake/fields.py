"""Careful reading: every value that a source sends is optional, of any type, and hostile.

Each function gives a value within the limits of the kinds (`facts/kinds.py`), or None. None of them raises.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from unicodedata import combining

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.facts.canonical import MAX_INTEGER, normal

# Characters of a clear text, and the bytes it may take in an entry, where a control character takes six.
CLEAR: Final = 500
CLEAR_BYTES: Final = 1_000
# Characters of a sealed text, which lies beside the log. GitHub's own longest texts have 65,536.
SEALED: Final = 65_536
PERSON: Final = 200
_MAX_ID: Final = 2**64
# Putting marks in order takes time that grows with the square of a run of them.
_MAX_MARKS: Final = 64

_SHA: Final = re.compile(r"[0-9a-fA-F]{4,64}")
_NULL_SHA: Final = re.compile(r"0+")
_DIGEST: Final = re.compile(r"[A-Za-z0-9+._-]{1,60}:[0-9A-Fa-f]{6,130}")


def inside(value: Any, *path: str) -> dict[str, Any]:
    """The object at a path inside `value`, empty if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any, limit: int) -> list[Any]:
    """The first `limit` items of a list, none if it is not one."""
    return value[:limit] if isinstance(value, list) else []


def clear(value: Any, limit: int = CLEAR, room: int = CLEAR_BYTES) -> str | None:
    """A text for a clear field: at most `limit` characters and `room` bytes of JSON, cut at the end."""
    text = sealed(value, limit)
    if text is None:
        return None
    if len(text) <= room and text.isascii() and text.isprintable():
        return text
    while (size := json_size(text)) > room:
        text = text[: min(len(text) - 1, len(text) * room // size)]
    return text or None


def sealed(value: Any, limit: int = SEALED) -> str | None:
    """A text of at most `limit` characters in Unicode normalisation form C; None if it is blank."""
    if not isinstance(value, str):
        return None
    text = value[:limit]
    if not text.isascii():
        text = normal(_few_marks(text))[:limit]
    return text if text and not text.isspace() else None


def _few_marks(text: str) -> str:
    """`text` up to the first run of combining marks that no writing system has."""
    if len(text) <= _MAX_MARKS:
        return text
    run = 0
    for place, character in enumerate(text):
        run = run + 1 if character > "\u02ff" and combining(character) else 0
        if run > _MAX_MARKS:
            return text[:place]
    return text


def json_size(value: Any) -> int:
    """How many bytes a value takes as JSON."""
    return len(msgspec.json.encode(value))


def as_json(value: Any, limit: int = SEALED) -> str | None:
    """A decoded JSON value as compact text; None if it is longer than `limit` or nested too deeply."""
    try:
        text = msgspec.json.encode(value).decode()
        if not text.isascii() and len(_few_marks(text)) < len(text):
            text = json.dumps(value, separators=(",", ":"))
    except RecursionError:
        return None
    return text if len(text) <= limit else None


def word(value: Any) -> str | None:
    """One of the source's own words for a state, in lower case."""
    text = clear(value, 100)
    return text.lower() if text and text.isascii() else text


def count(value: Any) -> int | None:
    """A whole number from 0 that an entry can hold."""
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None


def flag(value: Any) -> bool | None:
    """True or False, nothing that merely looks like it."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> str | None:
    """An id, which sources write as a number or as a text, as text."""
    if type(value) is int:
        return str(value) if 0 <= value < _MAX_ID else None
    return clear(value, 100)


def sha(value: Any) -> str | None:
    """A commit's name, in lower case; None for git's name for no commit, which is all zeros."""
    if not isinstance(value, str) or not _SHA.fullmatch(value) or _NULL_SHA.fullmatch(value):
        return None
    return value.lower()


def digest(value: Any) -> str | None:
    """The digest of an artifact, such as sha256:9c1d..., also at the end of an image's name."""
    if not isinstance(value, str):
        return None
    name = value.rpartition("@")[2] if len(value) < 1_000 else ""
    return name if _DIGEST.fullmatch(name) else None


def moment(value: Any) -> int | None:
    """UTC milliseconds of an RFC 3339 text, or of a whole number of seconds since 1970."""
    if isinstance(value, str):
        try:
            ms = times.parse(value) if len(value) <= 40 else None
        except Refused:
            return None
    else:
        seconds = count(value)
        ms = seconds * 1000 if seconds is not None else None
    return ms if ms is not None and times.MIN_MS <= ms <= times.MAX_MS else None


def time(value: Any) -> str | None:
    """A time as text for a field of a kind, or None if `moment` cannot read it."""
    ms = moment(value)
    return None if ms is None else times.text(ms)


def duration(start: Any, end: Any) -> int | None:
    """Milliseconds between two times of the source; None unless both are given and in order."""
    first, last = moment(start), moment(end)
    if first is None or last is None or last < first:
        return None
    return last - first


def texts(value: Any, limit: int, room: int) -> list[str] | None:
    """The texts of a list, at most `limit` of them and `room` bytes of JSON, none twice."""
    kept: dict[str, None] = {}
    for item in items(value, limit):
        text = clear(item)
        if text is None or text in kept:
            continue
        room -= json_size(text) + 1
        if room < 0:
            break
        kept[text] = None
    return list(kept) or None
