"""Numbers and bytes in addresses and forms: read strictly, written in one way."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

from deploytrail.errors import Refused

# Python's int() takes signs, spaces, underscores and other scripts' digits; addresses do not.
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


def index(text: object, name: str) -> int:
    """An index or size. Refused("bad-input") if it is none."""
    if not isinstance(text, str) or not _INDEX.fullmatch(text):
        raise Refused("bad-input", f'"{name}" must be a number of an entry, counted from 0.')
    return int(text)


def whole(text: object, name: str) -> int:
    """A number that counts from 0. Refused("bad-input") if it is none."""
    if not isinstance(text, str) or not _INDEX.fullmatch(text):
        raise Refused("bad-input", f'"{name}" must be a whole number, such as 7.')
    return int(text)


def maybe(text: object) -> int | None:
    """An index from an address, or None if it is missing or none: an old link still shows something."""
    return int(text) if isinstance(text, str) and _INDEX.fullmatch(text) else None


def base64(data: bytes) -> str:
    """Standard base64 with padding, as checkpoints and receipts write hashes."""
    return b64encode(data).decode("ascii")
