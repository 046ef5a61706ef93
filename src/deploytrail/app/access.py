"""Who may do what: one table of actions, deny by default.

Every route and every command names one action; a test walks over all of them and fails on one that does
not. "machine" is whoever can run commands on the machine itself; "anyone" needs no signing in.
"""

from __future__ import annotations

from typing import Final

ROLES: Final = ("viewer", "reporter", "administrator")

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
