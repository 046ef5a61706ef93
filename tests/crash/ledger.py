"""What the senders know: what they sent, what was acknowledged where, and every checkpoint they saw."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random

from deploytrail.tlog import checkpoint, note
from tests.crash.items import Item, item
from tests.crash.victim import Answer


class Broken(AssertionError):
    """A promise of the house was broken."""


class Ledger:
    """Safe for many senders. Indices by item number; `notes` the checkpoints by size, as seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 1
        self._newest_seen = -1
        self.acknowledged: dict[int, int] = {}
        self.unknown: set[int] = set()
        self.notes: dict[int, bytes] = {}
        self.refused: Counter[str] = Counter()

    def draw(self, chance: Random) -> Item:
        """Mostly something new; now and then something unanswered, or long acknowledged, once more."""
        with self._lock:
            turn = chance.random()
            if turn < 0.15 and self.unknown:
                number = chance.choice(sorted(self.unknown))
            elif turn < 0.20 and self.acknowledged:
                number = chance.choice(list(self.acknowledged))
            else:
                number, self._next = self._next, self._next + 1
            if number not in self.acknowledged:
                self.unknown.add(number)
            return item(number)

    def told(self, one: Item, answer: Answer) -> None:
        """Note an answer. Broken if it contradicts an earlier one."""
        with self._lock:
            if answer.index is None:
                self.refused[answer.words] += 1
                return
            before = self.acknowledged.setdefault(one.number, answer.index)
            self.unknown.discard(one.number)
        if before != answer.index:
            raise Broken(f"item {one.number} was acknowledged at {before} and at {answer.index}")

    def saw(self, data: bytes) -> None:
        """Note a published checkpoint. Broken if one seen before is larger, or another of its size."""
        opened = checkpoint.parse_text(note.parse(data).text)
        with self._lock:
            before = self.notes.setdefault(opened.size, data)
            newest, self._newest_seen = self._newest_seen, max(self._newest_seen, opened.size)
        if opened.size < newest:
            raise Broken(f"a checkpoint of {opened.size} was published after one of {newest}")
        if note.parse(before).text != note.parse(data).text:
            raise Broken(f"two checkpoints of size {opened.size} were published")
