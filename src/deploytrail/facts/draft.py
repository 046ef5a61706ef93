"""A fact before it is sealed: what a source said, in the house's words, with the persons still named."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

# How strongly a fact is tied to its actor, strongest first.
Attribution = Literal["signed", "authenticated", "asserted", "unknown"]

# Marks on the fields of kinds. A field without one is clear: its value stands in the entry.
Sealed = Annotated[str, msgspec.Meta(extra={"seal": "sealed"})]
# A ref is clear only if it is the default branch or protected; other names are often personal.
Ref = Annotated[str, msgspec.Meta(extra={"seal": "ref"})]

# An RFC 3339 text; the entry holds its canonical UTC spelling.
Time = Annotated[str, msgspec.Meta(max_length=40, extra={"seal": "time"})]

# The namespace of logins that come with told facts, which name no system they are of.
TOLD: Final = "told"

# Without a source's word these are taken for default branches.
DEFAULT_BRANCHES: Final = frozenset({"main", "master", "trunk"})


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person, bot or workload as a source names it. All of it but `bot` is sealed.

    `id` is the subject id of somebody the house already knows; senders may not give it.
    """

    login: str | None = None
    email: str | None = None
    name: str | None = None
    bot: bool = False
    id: str | None = None

    def named(self) -> bool:
        """Whether anything identifies this person at all."""
        return bool(self.login or self.email or self.name or self.id)


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of one kind; every kind's type derives from it."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as told by `source`, not yet sealed.

    `occurred_at` (the source's claim) and `received_at` (ours) are UTC milliseconds since 1970.
    `id` makes a repeat harmless: the same source and id is the same fact. `namespace` is where logins
    are unique (a source's kind). `labels`, `data` and `unknown` are sealed whole; the latter two are
    JSON texts. `delivery` names the raw delivery by its salted commitment.
    """

    kind: str
    body: Body
    source: str
    received_at: int
    occurred_at: int | None = None
    id: str | None = None
    actor: Person | None = None
    attribution: Attribution = "unknown"
    labels: dict[str, str] | None = None
    data: str | None = None
    unknown: str | None = None
    delivery: str | None = None
    namespace: str = TOLD
    clear_refs: frozenset[str] = DEFAULT_BRANCHES


def builtins(body: Body) -> dict[str, Any]:
    """The fields of a body as plain dicts and lists, absent ones left out."""
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in plain.items() if value is not None}
