"""Telling those who asked to hear, without letting any of them harm what tells."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

diagnostics: Final = logging.getLogger("deploytrail.listeners")


def tell_all(listeners: Iterable[Callable[[T], None]], value: T) -> None:
    """Call each; what one of them raises goes to the diagnostics, and the next is called."""
    for listener in listeners:
        try:
            listener(value)
        except Exception:
            diagnostics.exception("a listener failed")
