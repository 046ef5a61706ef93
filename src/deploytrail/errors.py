"""The one exception that callers may catch, and its codes.

Each code is mapped once to an HTTP status (RFC 9457 problem details) and once to an exit status of the
command line. A code is a promise to callers; the words are for people and say what to do next.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What a code means at each door: HTTP status, exit status, and a short title."""

    http: int
    exit: int
    title: str


CODES: Final[dict[str, Meaning]] = {
    "bad-input": Meaning(400, 2, "The input cannot be read"),
    "unauthenticated": Meaning(401, 3, "Nobody is signed in"),
    "forbidden": Meaning(403, 3, "Not allowed"),
    "not-found": Meaning(404, 1, "Not found"),
    "conflict": Meaning(409, 3, "It contradicts what is recorded"),
    "too-large": Meaning(413, 2, "Too large"),
    "busy": Meaning(429, 5, "Too much at once"),
    "untrue": Meaning(500, 1, "A check does not hold"),
    "unavailable": Meaning(503, 5, "The house cannot record now"),
}


class Refused(Exception):
    """Something was not done, on purpose. `code` is one of CODES; `words` is a sentence for people.

    `after`: seconds after which trying again makes sense, where that is known.
    """

    def __init__(self, code: str, words: str, *, after: int | None = None) -> None:
        if code not in CODES:
            raise ValueError(f"unknown code {code}")
        super().__init__(words)
        self.code = code
        self.words = words
        self.after = after

    @property
    def meaning(self) -> Meaning:
        """The statuses and the title that belong to this code."""
        return CODES[self.code]

    def __repr__(self) -> str:
        return f"Refused({self.code!r}, {self.words!r})"
