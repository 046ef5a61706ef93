"""Who may do what: one table of actions, deny by default, and the callers that it speaks of.

Every route and every command names one action; a test walks over all of them and fails on one that does
not. "machine" is whoever can run commands on the machine itself; "anyone" needs no signing in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts.draft import Attribution, Draft, Person, builtins

ROLES: Final = ("viewer", "reporter", "administrator")
# Logins of those whom only the house itself knows are told apart from all others by these namespaces: of
# people, and of tokens, whose names nobody may take by signing in under them.
NAMESPACE: Final = "house"
TOKENS: Final = "house-token"
# The source of facts that the house tells about itself, and of those that signed-in people tell.
HOUSE: Final = "house"
PEOPLE: Final = "people"

_EVERY: Final = frozenset(ROLES)

ACTIONS: Final[dict[str, frozenset[str]]] = {
    # Health, hooks (signed by their source), checkpoint, hash tiles, the sign-in page and its assets.
    "open": _EVERY | {"anyone", "machine"},
    "see": frozenset({"viewer", "administrator"}),
    "read-entries": frozenset({"administrator"}),
    "tell": frozenset({"reporter", "administrator"}),
    "administer": frozenset({"administrator", "machine"}),
    "operate": frozenset({"machine"}),
    "sign-out": frozenset({"viewer", "administrator"}),
}


def may(role: str, action: str) -> bool:
    """Whether `role` may do `action`. An action that is not in the table is nobody's."""
    return role in ACTIONS.get(action, frozenset())


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in. `subject` is their subject id; times are UTC milliseconds."""

    # The link proves access to the machine; the name is the visitor's own word.
    attribution: ClassVar[Attribution] = "asserted"
    namespace: ClassVar[str] = NAMESPACE

    id: str
    subject: str
    role: str
    name: str | None
    expires_at: int

    def person(self) -> Person:
        """The actor of what this person does."""
        return Person(id=self.subject)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token lets its holder do. Empty `kinds`, `services` or `environments` limit nothing."""

    attribution: ClassVar[Attribution] = "authenticated"
    namespace: ClassVar[str] = TOKENS

    id: str
    name: str
    role: str
    kinds: list[str]
    services: list[str]
    environments: list[str]
    expires_at: int

    def person(self) -> Person:
        """The actor of what is done with this token: the process that holds it."""
        return Person(login=self.name, bot=True)


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever runs a command on the machine itself, by the name the machine gives."""

    attribution: ClassVar[Attribution] = "asserted"
    namespace: ClassVar[str] = NAMESPACE

    login: str

    def person(self) -> Person:
        """The actor of what this operator does."""
        return Person(login=self.login)


By = Session | Grant | Operator


def demand_scope(grant: Grant, draft: Draft) -> None:
    """Refused("forbidden") if a token does not reach this fact.

    A token that is limited to services or environments may only tell facts that name one of them.
    """
    if grant.kinds and draft.kind not in grant.kinds:
        raise Refused(
            "forbidden", f"This token may not tell {draft.kind}; it may tell {_listed(grant.kinds)}."
        )
    fields = builtins(draft.body)
    for name, allowed in (("service", grant.services), ("environment", grant.environments)):
        if not allowed:
            continue
        named = _named(fields, name)
        if not named or not named <= set(allowed):
            raise Refused("forbidden", f"This token may only tell facts of the {name} {_listed(allowed)}.")


def _named(fields: dict[str, Any], name: str) -> set[str]:
    """The services or environments that a fact names, also in the list of what runs."""
    running = fields.get("running")
    items = [fields, *(running if isinstance(running, list) else [])]
    return {item[name] for item in items if isinstance(item, dict) and isinstance(item.get(name), str)}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(list(names)[:5]) + (" ..." if len(names) > 5 else "")
