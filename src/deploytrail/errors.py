"""The one exception that callers may catch, and its codes.

Each code is mapped once to an HTTP status (RFC 9457 problem details) and once to an exit status of the
command line. A code is a promise to callers; the words are for people and say what to do next.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple


class Meaning(NamedTuple):
    """What a code means at each door: HTTP and exit status, a short title, when it is said, what to do."""

    http: int
    exit: int
    title: str
    when: str
    then: str


CODES: Final[dict[str, Meaning]] = {
    "bad-input": Meaning(
        400,
        2,
        "The input cannot be read",
        "a field, a parameter, a setting or a line is not what it must be; the sentence names it",
        "correct it and send it again",
    ),
    "unauthenticated": Meaning(
        401,
        3,
        "Nobody is signed in",
        "no session or token, one that has ended, or a delivery that no live secret signed",
        "sign in with a link from `deploytrail admin link`; show a token; compare the secret at the source "
        "with `admin source add`",
    ),
    "forbidden": Meaning(
        403,
        3,
        "Not allowed",
        "the role or the token's scope does not reach so far, the kind is the house's own, or a page of "
        "another site sent it",
        "ask an administrator; tell one of the kinds that may be told",
    ),
    "not-found": Meaning(
        404,
        1,
        "Not found",
        "no such source, entry, deployment, service, person, file, address or command",
        "look at the name; add the source first",
    ),
    "conflict": Meaning(
        409,
        3,
        "It contradicts what is recorded",
        "the same `id` told something else, a name is taken, or something that was relied on has changed",
        "tell a correction under a new `id`; read again and decide anew",
    ),
    "too-large": Meaning(
        413,
        2,
        "Too large",
        "a body, line, fact or entry is above its limit; the sentence says which",
        "send less at once, or cut it",
    ),
    "busy": Meaning(
        429,
        5,
        "Too much at once",
        "a sender came faster than its limit, more waits than can be recorded now, too many live pages are "
        "open, or the quota of the day is used up",
        "send it again after `Retry-After`",
    ),
    "untrue": Meaning(
        500,
        1,
        "A check does not hold",
        "a proof, a signature, or what the house has stored is not what it must be",
        "run `deploytrail fsck --all`; do not go on with this copy before it is understood",
    ),
    "unavailable": Meaning(
        503,
        5,
        "The house cannot do that now",
        "full or failing disk, less free than the reserve, another writer, a history that the signer "
        "refuses, a log that is not signed yet, or an entry that answers do not know yet",
        "free space, or do what the sentence says; nothing was acknowledged, so send it again",
    ),
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

    def __reduce__(self) -> tuple[Any, ...]:
        # From another process it comes as what its callers may know of it.
        return partial(Refused, after=self.after), (self.code, self.words)

    def __repr__(self) -> str:
        return f"Refused({self.code!r}, {self.words!r})"
