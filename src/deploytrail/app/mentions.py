"""Finding what somebody is called in texts and raw bodies, however it is spelled there.

Looked for are a person's logins, addresses and names: as words of their own, without regard to case; longer
ones and addresses anywhere; very short ones only as a whole value. Escapes of JSON (`\\u0061`), percent
encoding, HTML's numbers and names for characters, and other spaces between the parts of a name do not hide
them. What nobody spells out (a picture, an attachment, base64) is not looked into.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from deploytrail.facts.canonical import normal

# Below this many characters only a whole value counts; from that many on, any place does.
_SHORT: Final = 3
_LONG: Final = 8
# Escapes lie within escapes: JSON in a form, JSON in JSON.
_DEPTH: Final = 3
_ESCAPED: Final = re.compile(r"(?:\\+u[0-9A-Fa-f]{4})+")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_HTML: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8});")


class Mentions:
    """Whether something mentions one of these strings."""

    def __init__(self, strings: Iterable[str]) -> None:
        folded = {_fold(text).strip() for text in strings} - {""}
        self.strings = frozenset(folded)
        self._whole = frozenset(text for text in folded if len(text) < _SHORT)
        longer = sorted(folded - self._whole, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_pattern, longer))) if longer else None

    def within(self, text: str) -> bool:
        """Whether a text mentions one, in whatever spelling."""
        return any(self._found(spelled) for spelled in _spellings(text))

    def in_value(self, value: Any) -> bool:
        """Whether a sealed value does: a text, or anything that holds texts."""
        if isinstance(value, str):
            return self.within(value)
        if isinstance(value, dict):
            return any(self.in_value(inner) for pair in value.items() for inner in pair)
        if isinstance(value, list):
            return any(self.in_value(inner) for inner in value)
        return False

    def in_body(self, body: bytes) -> bool:
        """Whether a raw body does."""
        return self.within(body.decode("utf-8", "replace"))

    def _found(self, text: str) -> bool:
        folded = _fold(text)
        if folded.strip() in self._whole:
            return True
        return self._pattern is not None and self._pattern.search(folded) is not None


def _fold(text: str) -> str:
    return normal(text).casefold()


def _pattern(text: str) -> str:
    parts = [re.escape(part) for part in text.split()]
    # A name may be written with other spaces, as one word, or with a dot between.
    loose = r"[\W_]*".join(parts)
    if len(text) >= _LONG or "@" in text:
        return loose
    return rf"(?<![^\W_]){loose}(?![^\W_])"


def _spellings(text: str) -> Iterator[str]:
    """The text as it is, and with one kind of escape after the other undone, as long as there are any."""
    yield text
    for _ in range(_DEPTH):
        plain = _HTML.sub(_html, _PERCENT.sub(_percent, _ESCAPED.sub(_escaped, text)))
        if plain == text:
            return
        yield plain
        text = plain


def _escaped(found: re.Match[str]) -> str:
    digits = re.sub(r"\\+u", "", found.group())
    return bytes.fromhex(digits).decode("utf-16-be", "replace")


def _percent(found: re.Match[str]) -> str:
    return bytes.fromhex(found.group().replace("%", "")).decode("utf-8", "replace")


def _html(found: re.Match[str]) -> str:
    return html.unescape(found.group())
