"""Commits, and how they arrived: what lies between two commits is known only where it was told.

Two things tell it: a commit's own parents, and a push that lists what it brought from `before` to `after`.
A chain of such pushes says exactly what came between its ends, also where parents are unknown.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections import reading
from deploytrail.projections.reading import items, person, repository, sha, tail, text, truth, whole
from deploytrail.projections.tables import Rows, Table

# A push of more commits, or in more parts, says no more than that it happened. GitHub lists 2,048.
MAX_PUSHED: Final = 4_000
MAX_PARTS: Final = 400
MAX_PARENTS: Final = 32
MAX_CHILDREN: Final = 64
# So many descendants are put right for one entry, when commits are told after them.
MAX_RAISED: Final = 5_000


class Commit(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A commit by repository and full name. `parents` is None when nobody told them.

    The texts about it open from entry `index` under `path` ("data.commits.3"). `change` is the number of the
    change that it is the head or the merge of, or that lists it. `order` is its time, corrected to lie above
    those of its parents (git's corrected commit date), whatever order commits are told in; for that it knows
    its `children`, unless it is `crowded` with more of them than are kept. `complete`: so it is known to the
    first commit of all, with every parent on the way.
    """

    repository: str
    sha: str
    parents: list[str] | None = None
    author: str | None = None
    signed: bool | None = None
    authored_at: int | None = None
    committed_at: int | None = None
    order: int | None = None
    children: list[str] = []
    crowded: bool = False
    complete: bool = False
    index: int | None = None
    path: str | None = None
    change: int | None = None


class Arrival(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What one push brought: the commits that are in `after` and not in `before`, once all parts are here.

    `shas` lists them by part; `parts` is 0 for a push that is too long to be followed.
    """

    repository: str
    after: str
    before: str
    index: int
    parts: int = 1
    shas: dict[str, list[str]] = {}

    @property
    def whole(self) -> bool:
        """Whether every part is here, and what it ends in among it."""
        return len(self.shas) == self.parts > 0 and any(self.after in some for some in self.shas.values())


class Heard(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A repository, also by its name without host, under the name that was heard last; whether it pushes.

    `disordered`: more commits were told out of order than could be put right, so orders decide nothing.
    """

    repository: str
    full: str
    pushes: bool = False
    disordered: bool = False


COMMITS: Final = Table("commit", Commit, ("repository", "sha"))
ARRIVALS: Final = Table("arrival", Arrival, ("repository", "after", "before"))
HEARD: Final = Table("heard", Heard, ("repository",))


class Commits:
    """The projection of commits."""

    name = "commits"
    kinds: frozenset[str] | None = None
    version = 1
    tables: tuple[Table[Any], ...] = (COMMITS, ARRIVALS, HEARD)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a push, or what a change says about commits."""
        where = repository(text(entry.data, "repository"))
        if where is None:
            return
        pushed = entry.kind == "commit.pushed"
        _hear(where, pushed, rows)
        if pushed:
            _arrive(where, index, entry.data, rows)
        if pushed or entry.kind == "ref.moved":
            _commits(where, index, entry.data, rows)
        elif entry.kind.startswith("change."):
            _of_change(where, entry.kind, entry.data, rows)


def _hear(where: str, pushes: bool, rows: Rows) -> None:
    for name in {where, tail(where)}:
        known = rows.get(HEARD, name)
        if known is None or known.full != where or (pushes and not known.pushes):
            known = known or Heard(name, where)
            rows.put(HEARD, msgspec.structs.replace(known, full=where, pushes=pushes or known.pushes))


def _commits(where: str, index: int, data: dict[str, Any], rows: Rows) -> None:
    told = data.get("commits")
    left = MAX_RAISED
    for place, item in enumerate(told if isinstance(told, list) else ()):
        name = sha(item, "sha") if isinstance(item, dict) else None
        if name is None:
            continue
        old = rows.get(COMMITS, where, name) or Commit(where, name)
        new = _extended(old, index, f"data.commits.{place}", item)
        rows.put(COMMITS, new)
        if old.parents is None and new.parents is not None:
            for parent in new.parents:
                _add_child(where, parent, name, rows)
            left = _order(where, name, left, rows)


def _order(where: str, name: str, left: int, rows: Rows) -> int:
    """Give a commit its order, and its descendants what follows from it; how many more may be changed."""
    heard = rows.get(HEARD, where) or Heard(where, where)
    waiting = [] if heard.disordered else [name]
    while waiting:
        row = rows.get(COMMITS, where, waiting.pop())
        if row is None or (new := _placed(row, rows)) == row:
            continue
        rows.put(COMMITS, new)
        left -= 1
        if left < 0 or new.crowded:
            # Some descendants may now have too low an order.
            rows.put(HEARD, msgspec.structs.replace(heard, disordered=True))
            break
        waiting += new.children
    return left


def _placed(commit: Commit, rows: Rows) -> Commit:
    """The commit with its order above its parents', and whether it is known to the first of all."""
    if commit.parents is None:
        return commit
    parents = [rows.get(COMMITS, commit.repository, name) for name in commit.parents]
    orders = [parent.order + 1 for parent in parents if parent is not None and parent.order is not None]
    return msgspec.structs.replace(
        commit,
        order=max([commit.committed_at or 0, commit.order or 0, *orders]),
        complete=all(parent is not None and parent.complete for parent in parents),
    )


def _add_child(where: str, name: str, child: str, rows: Rows) -> None:
    """Let a parent, perhaps not told itself yet, know its child."""
    row = rows.get(COMMITS, where, name) or Commit(where, name)
    if child not in row.children:
        if len(row.children) < MAX_CHILDREN:
            row = msgspec.structs.replace(row, children=[*row.children, child])
        else:
            row = msgspec.structs.replace(row, crowded=True)
        rows.put(COMMITS, row)


def _extended(old: Commit, index: int, path: str, item: dict[str, Any]) -> Commit:
    """A commit with what one more telling says; what was said once stays. Its texts are the first told."""
    parents = [p.lower() for p in reading.texts(item, "parents")[:MAX_PARENTS]] if "parents" in item else None
    texts_here = old.index is None
    return msgspec.structs.replace(
        old,
        parents=old.parents if old.parents is not None else parents,
        author=old.author or person(item, "author"),
        signed=old.signed if old.signed is not None else truth(item, "signed"),
        authored_at=old.authored_at or reading.milliseconds(text(item, "authored_at")),
        committed_at=old.committed_at or reading.milliseconds(text(item, "committed_at")),
        index=index if texts_here else old.index,
        path=path if texts_here else old.path,
    )


def _arrive(where: str, index: int, data: dict[str, Any], rows: Rows) -> None:
    """Only a push that goes forward from a known commit says what lies between."""
    after, before = sha(data, "after"), sha(data, "before")
    if after is None or before is None or truth(data, "forced") or "commits" not in data:
        return
    part, parts = whole(data, "part") or 1, whole(data, "parts") or 1
    if not 1 <= part <= parts <= MAX_PARTS:
        return
    known = rows.get(ARRIVALS, where, after, before)
    if known and known.parts == 0:
        return
    if known is None or known.parts != parts:
        known = Arrival(where, after, before, index, parts)
    here = [name for item in items(data, "commits") if (name := sha(item, "sha"))]
    shas = {**known.shas, str(part): here}
    if sum(map(len, shas.values())) > MAX_PUSHED:
        parts, shas = 0, {}
    rows.put(ARRIVALS, msgspec.structs.replace(known, parts=parts, shas=shas))


def _of_change(where: str, kind: str, data: dict[str, Any], rows: Rows) -> None:
    number = whole(data, "number")
    if number is None:
        return
    merged = kind == "change.merged"
    named = [sha(data, "sha"), sha(data, "head"), *(sha(item, "sha") for item in items(data, "commits"))]
    # A review may be about a commit that left the change since.
    if kind == "change.reviewed":
        named = [sha(data, "head")]
    for name in dict.fromkeys(n for n in named if n):
        old = rows.get(COMMITS, where, name) or Commit(where, name)
        # A commit may be the head of several changes; the one that was merged is the one it came by.
        if old.change is None or merged:
            rows.put(COMMITS, msgspec.structs.replace(old, change=number))
