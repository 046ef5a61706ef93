"""Declared services and environments, and which of them a told name means.

The newest declaration of a name holds. A service is found by the repository that exactly one declared
service has, then by name or alias; an environment by name or alias, whatever the case. What nobody declared
keeps the name it was told under.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import own_name, repository, tail, text, texts, whole
from deploytrail.projections.tables import Readable, Rows, Table

# A declaration may name this many of each.
MAX_NAMES: Final = 200


class DeclaredService(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A service as it was declared last, by the entry at `index`."""

    service: str
    index: int
    repositories: list[str] = []
    artifacts: list[str] = []
    aliases: list[str] = []
    owner: str | None = None


class DeclaredEnvironment(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """An environment as it was declared last; `type` is its class."""

    environment: str
    index: int
    type: str | None = None
    aliases: list[str] = []
    rank: int | None = None


class Name(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What a told name means. `own`: it is the declared name itself, which no alias takes away."""

    sort: str
    told: str
    declared: str
    own: bool = False


class Repository(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The declared services that live in a repository."""

    repository: str
    services: list[str] = []


SERVICES: Final = Table("declared_service", DeclaredService, ("service",))
ENVIRONMENTS: Final = Table("declared_environment", DeclaredEnvironment, ("environment",))
NAMES: Final = Table("name", Name, ("sort", "told"))
REPOSITORIES: Final = Table("declared_repository", Repository, ("repository",))


def environment_of(told: str, rows: Readable) -> str:
    """The environment that a told name means."""
    found = rows.get(NAMES, "environment", told.lower())
    return found.declared if found else told


def service_named(told: str, rows: Readable) -> str:
    """The service that a told name means."""
    found = rows.get(NAMES, "service", told.lower())
    return found.declared if found else told


def service_of(data: dict[str, Any], rows: Readable) -> str | None:
    """The service that a fact is about, as far as it says; at last the repository's own name."""
    told, where = text(data, "service"), repository(text(data, "repository"))
    by_repository = services_in(where, rows) if where else []
    if len(by_repository) == 1:
        return by_repository[0]
    if told:
        return service_named(told, rows)
    artifact = text(data, "name") if "digest" in data else None
    if artifact and (found := rows.get(NAMES, "artifact", artifact.lower())):
        return found.declared
    name = own_name(text(data, "repository") or "")
    return service_named(name, rows) if name and where and not by_repository else None


def services_in(where: str, rows: Readable) -> list[str]:
    """The declared services of a repository, in its one spelling."""
    found = rows.get(REPOSITORIES, where)
    if found is None and (short := tail(where)) != where:
        found = rows.get(REPOSITORIES, short)
    return found.services if found else []


def place_of(entry: Entry, rows: Readable) -> tuple[str | None, str | None]:
    """The service and the environment that an entry is about, as far as it says."""
    environment = text(entry.data, "environment")
    return service_of(entry.data, rows), environment_of(environment, rows) if environment else None


def place_in(entry: Entry, rows: Rows) -> tuple[str | None, str | None]:
    """As `place_of`, worked out once for all that say the same in a unit of work."""
    data = entry.data
    said = data.get
    key = said("service"), said("environment"), said("repository"), said("name"), "digest" in data
    try:
        found: tuple[str | None, str | None] | None = rows.memo.get(key)
    except TypeError:
        # Something that is no text.
        return place_of(entry, rows)
    if found is None:
        found = rows.memo[key] = place_of(entry, rows)
    return found


class Names:
    """The projection of declarations."""

    name = "names"
    kinds: frozenset[str] | None = frozenset({"service.declared", "environment.declared"})
    version = 1
    tables: tuple[Table[Any], ...] = (SERVICES, ENVIRONMENTS, NAMES, REPOSITORIES)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a declaration; the one before it no longer counts."""
        if entry.kind == "service.declared":
            _service(index, entry.data, rows)
            rows.memo.clear()
        elif entry.kind == "environment.declared":
            _environment(index, entry.data, rows)
            rows.memo.clear()


def _service(index: int, data: dict[str, Any], rows: Rows) -> None:
    service = text(data, "service")
    if service is None:
        return
    old = rows.get(SERVICES, service)
    new = DeclaredService(
        service=service,
        index=index,
        repositories=_all(repository(told) for told in texts(data, "repositories")),
        artifacts=_all(texts(data, "artifacts")),
        aliases=_all(texts(data, "aliases")),
        owner=text(data, "owner"),
    )
    if old:
        _forget("service", old.aliases, service, rows)
        _forget("artifact", old.artifacts, service, rows)
        for where in old.repositories:
            _move_out(where, service, rows)
    rows.put(SERVICES, new)
    _own("service", service, rows)
    _learn("service", new.aliases, service, rows)
    _learn("artifact", new.artifacts, service, rows)
    for where in new.repositories:
        _move_in(where, service, rows)


def _environment(index: int, data: dict[str, Any], rows: Rows) -> None:
    environment = text(data, "environment")
    if environment is None:
        return
    old = rows.get(ENVIRONMENTS, environment)
    new = DeclaredEnvironment(
        environment=environment,
        index=index,
        type=text(data, "type"),
        aliases=_all(texts(data, "aliases")),
        rank=whole(data, "rank"),
    )
    if old:
        _forget("environment", old.aliases, environment, rows)
    rows.put(ENVIRONMENTS, new)
    _own("environment", environment, rows)
    _learn("environment", new.aliases, environment, rows)


def _all(told: Any) -> list[str]:
    return list(dict.fromkeys(name for name in told if name))[:MAX_NAMES]


def _own(sort: str, declared: str, rows: Rows) -> None:
    rows.put(NAMES, Name(sort, declared.lower(), declared, own=True))


def _learn(sort: str, told: list[str], declared: str, rows: Rows) -> None:
    for name in told:
        known = rows.get(NAMES, sort, name.lower())
        if known is None or not known.own:
            rows.put(NAMES, Name(sort, name.lower(), declared))


def _forget(sort: str, told: list[str], declared: str, rows: Rows) -> None:
    for name in told:
        known = rows.get(NAMES, sort, name.lower())
        if known and known.declared == declared and not known.own:
            rows.drop(NAMES, sort, name.lower())


def _move_in(where: str, service: str, rows: Rows) -> None:
    known = rows.get(REPOSITORIES, where)
    services = [*(known.services if known else ()), service]
    rows.put(REPOSITORIES, Repository(where, list(dict.fromkeys(services))[-MAX_NAMES:]))


def _move_out(where: str, service: str, rows: Rows) -> None:
    known = rows.get(REPOSITORIES, where)
    left = [other for other in (known.services if known else ()) if other != service]
    if left:
        rows.put(REPOSITORIES, Repository(where, left))
    else:
        rows.drop(REPOSITORIES, where)
