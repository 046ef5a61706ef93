"""Changes (pull and merge requests): who wrote, reviewed and merged them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import items, moment, person, repository, sha, text, whole
from deploytrail.projections.tables import Rows, Table
from deploytrail.projections.words import verdict

MAX_REVIEWERS: Final = 50


class Review(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The last word of one reviewer: when, in which entry, on which commit."""

    reviewer: str
    at: int
    index: int
    verdict: str | None = None
    sha: str | None = None


class Change(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A change. `titled` is the entry that holds its newest title; `state` is open, merged or abandoned.

    `commits` is how many it had when it was merged; `sha` what it was merged as, `head` its last own commit.
    """

    repository: str
    number: int
    first: int
    last: int
    state: str = "open"
    state_at: int = -1
    titled: int | None = None
    author: str | None = None
    merged_by: str | None = None
    merged_at: int | None = None
    sha: str | None = None
    head: str | None = None
    base: str | None = None
    commits: int | None = None
    reviews: list[Review] = []

    def approvers(self) -> list[str]:
        """Those whose last word was yes, or who are said to have reviewed it; never the author."""
        return [r.reviewer for r in self.reviews if r.verdict in _YES and r.reviewer != self.author]


_YES: Final = ("approved", None)
_STATES: Final = {"change.merged": "merged", "change.abandoned": "abandoned"}
# Words of a reviewer that do not take back what they said before.
_REMARKS: Final = ("commented",)

CHANGES: Final = Table("change", Change, ("repository", "number"), (("first",),))


class Changes:
    """The projection of changes."""

    name = "changes"
    kinds: frozenset[str] | None = None
    version = 1
    tables: tuple[Table[Any], ...] = (CHANGES,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a fact about a change, in whatever order they come."""
        if not entry.kind.startswith("change."):
            return
        where, number = repository(text(entry.data, "repository")), whole(entry.data, "number")
        if where is not None and number is not None:
            old = rows.get(CHANGES, where, number) or Change(where, number, index, index)
            rows.put(CHANGES, _extended(old, index, entry))


def _extended(old: Change, index: int, entry: Entry) -> Change:
    data, at = entry.data, moment(entry)
    found: dict[str, Any] = {"last": index, "author": person(data, "author") or old.author}
    if "title" in data:
        found["titled"] = index
    if entry.kind == "change.reviewed":
        found["head"] = old.head or sha(data, "head")
    else:
        found |= _state(old, entry.kind, data, at)
    if (reviewer := person(data, "reviewer")) is not None:
        said = Review(reviewer, at, index, verdict(text(data, "verdict")), sha(data, "sha"))
        found["reviews"] = _heard(old.reviews, said)
    return msgspec.structs.replace(old, **found)


def _state(old: Change, kind: str, data: dict[str, Any], at: int) -> dict[str, Any]:
    found: dict[str, Any] = {"base": text(data, "base") or old.base}
    merged = kind == "change.merged"
    head = sha(data, "head") if merged else sha(data, "sha")
    # What was merged stays merged, whatever is told later about it.
    if merged or (old.state != "merged" and at >= old.state_at):
        found |= {"state": _STATES.get(kind, "open"), "state_at": at, "head": head or old.head}
    if merged:
        found |= {
            "sha": sha(data, "sha") or old.sha,
            "merged_by": person(data, "merged_by") or old.merged_by,
            "merged_at": at,
            "commits": whole(data, "commits") or len(items(data, "commits")) or old.commits,
        }
    return found


def _heard(reviews: list[Review], said: Review) -> list[Review]:
    """The last word of each reviewer; a mere remark does not take back a verdict."""
    mine = next((r for r in reviews if r.reviewer == said.reviewer), None)
    if mine and (said.at, said.index) < (mine.at, mine.index):
        return reviews
    if mine and said.verdict in _REMARKS:
        return reviews
    return [*(r for r in reviews if r.reviewer != said.reviewer), said][-MAX_REVIEWERS:]
