"""How the demo ends early: with one sentence and an exit status, or because it was asked to."""

from __future__ import annotations


class Fault(Exception):
    """Something is not as the demo needs it. Exit status 2: wrong use; 5: the house is out of reach."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Ended(Exception):
    """The time is over, or somebody asked the demo to end."""
