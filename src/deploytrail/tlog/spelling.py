"""Values that can be written in one way only: decimals, base64, names.

Python's own readers are lenient: int() takes " 12", "1_000" and Arabic digits, b64decode() takes line
breaks and stray bits. Two spellings of one value are two texts under one signature, so they are refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from deploytrail.errors import Refused
from deploytrail.tlog.frontier import MAX_SIZE
from deploytrail.tlog.hashes import HASH_BYTES

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
# Lone surrogates cannot be written as UTF-8; the others break the lines of a note.
_UNWRITABLE: Final = re.compile("[\x00-\x1f\ud800-\udfff]")


def read_decimal(text: str) -> int:
    """An ASCII decimal without sign, spaces or leading zeros, at most 2^63 - 1."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise Refused("bad-input", f"{text[:40]!r} is not a decimal number as the format writes it.")
    return int(text)


def write_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def read_base64(text: str) -> bytes:
    """The bytes of standard base64 with padding, if this is how they are written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if write_base64(data) != text:
        raise Refused("bad-input", f"{text[:40]!r} is not base64 as the format writes it.")
    return data


def read_hash(text: str) -> bytes:
    """The 32 bytes of a hash in base64."""
    data = read_base64(text)
    if len(data) != HASH_BYTES:
        raise Refused("bad-input", f"A hash has {HASH_BYTES} bytes, not {len(data)}.")
    return data


def checked_line(text: str) -> str:
    """`text` itself, if it can stand as one line of a note: not empty, no control characters."""
    if not text or _UNWRITABLE.search(text):
        raise Refused("bad-input", f"{text[:40]!r} cannot stand as a line of a note.")
    return text


def checked_name(name: str) -> str:
    """`name` itself, if it can name a key (signed-note): a line without spaces and without '+'."""
    checked_line(name)
    if "+" in name or any(character.isspace() for character in name):
        raise Refused("bad-input", f"{name[:40]!r} cannot name a key: no spaces and no '+'.")
    return name
