"""Texts from outside, made harmless to look at: isolated, their unseen signs made visible, cut.

Escaping alone keeps a text from breaking out of its element; it does not keep it from turning the words
around it (bidi), from hiding (zero width) or from running over the page.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

# Longer texts are cut, with the rest one click away on the entry's own page.
LIMIT: Final = 200

# Control signs, bidi marks, zero-width and filler signs, tags, interlinear marks, half surrogates.
# Joiners (U+200C, U+200D) stay: whole scripts and most emoji need them.
_UNSEEN: Final = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff"
)
# A sign may carry a few marks above and below it; a tower of them is there to cover its neighbours.
_MARKS: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_ODD: Final = re.compile(f"(?P<tower>[{_MARKS}]{{5,}})|(?P<unseen>[{_UNSEEN}])")
_ODD_BUT_LINES: Final = re.compile(f"(?P<tower>[{_MARKS}]{{5,}})|(?P<unseen>[{_UNSEEN}])(?<![\\n\\t])")


def shown(text: object, limit: int = LIMIT) -> Markup:
    """A text as one isolated line of HTML, at most `limit` signs of it."""
    return Markup("<bdi>{}</bdi>").format(_visible(_cut(str(text).strip(), limit), _ODD))


def lines(text: object, limit: int = 100_000) -> Markup:
    """A text of many lines for a `pre`: line ends and tabs stay."""
    return _visible(_cut(str(text), limit), _ODD_BUT_LINES)


def plain(text: object, limit: int = LIMIT) -> str:
    """A text for places that hold no markup (titles, options, labels): unseen signs as [U+202E]."""
    return _ODD.sub(lambda found: f"[{_name(found)}]", _cut(str(text).strip(), limit))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rstrip("\u200c\u200d") + "…"


def _visible(text: str, odd: re.Pattern[str]) -> Markup:
    if text.isascii() and text.isprintable():
        return escape(text)
    parts = []
    at = 0
    for found in odd.finditer(text):
        parts += [
            escape(text[at : found.start()]),
            Markup('<span class="sign">{}</span>').format(_name(found)),
        ]
        at = found.end()
    parts.append(escape(text[at:]))
    return Markup("").join(parts)


def _name(found: re.Match[str]) -> str:
    """The name of what was found; of a tower its first mark and its height."""
    name = f"U+{ord(found.group()[0]):04X}"
    return f"{name} ×{len(found.group())}" if found["tower"] else name


def link(url: str | None, text: str | None, limit: int = 80) -> Markup | None:
    """A link to a source's page, with its host in plain sight; anything but http and https stays text."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        good = False
    if not good:
        return shown(url, max(limit, LIMIT))
    label = Markup("{} ({})").format(text, shown(parts.hostname, 60)) if text else shown(url, limit)
    return Markup('<a href="{}" rel="noopener noreferrer external">{}</a>').format(url, label)
