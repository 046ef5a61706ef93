"""Every spelling under which a service or an environment stands in rows.

What was told before a name was declared keeps the name that it was told under; who asks for one name, asks
for all of them.
"""

from __future__ import annotations

from typing import Final, Literal

from deploytrail.app.ports import Derived
from deploytrail.projections.names import ENVIRONMENTS, SERVICES, environment_of, service_named
from deploytrail.projections.trail import OPTIONS

# Names that a filter offers, the newest first.
MAX_OPTIONS: Final = 200

Sort = Literal["service", "environment"]


def options(derived: Derived, sort: str) -> list[str]:
    """The names of one sort that were told last."""
    found = derived.page(OPTIONS, where={"sort": sort}, order="last", limit=MAX_OPTIONS)
    return [option.name for option in found]


def declared(derived: Derived, sort: Sort, told: str) -> str:
    """The name that a told one means."""
    return service_named(told, derived) if sort == "service" else environment_of(told, derived)


def spellings(derived: Derived, sort: Sort, *told: str) -> list[str]:
    """The names that told ones mean, and all others that mean the same; case counts in rows, not in names."""
    names: dict[str, None] = {}
    for each in told:
        name = declared(derived, sort, each)
        names |= dict.fromkeys([name, *_aliases(derived, sort, name)])
    alike = {name.lower() for name in names}
    names |= dict.fromkeys(name for name in options(derived, sort) if name.lower() in alike)
    return list(names)


def _aliases(derived: Derived, sort: Sort, name: str) -> list[str]:
    if sort == "service":
        service = derived.get(SERVICES, name)
        return service.aliases if service else []
    environment = derived.get(ENVIRONMENTS, name)
    return environment.aliases if environment else []
