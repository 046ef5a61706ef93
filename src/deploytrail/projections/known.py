"""What services know: which reports said one name of a deployment, digest, commit or version."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from deploytrail.projections.deployment_rows import Report
from deploytrail.projections.join import SHORTEST_SHA
from deploytrail.projections.tables import Rows, Table

# Of the reports that said one thing in one environment, so many of the earliest and of the newest are known,
# besides so many other environments.
EARLIEST: Final = 4
NEWEST: Final = 12
ENVIRONMENTS: Final = 63


class Known(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which reports of a service said one name of a deployment, digest, commit or version; `key` as
    `known_key` has it.

    `told` has for each environment its mark (`mark_of`), then the first entries of reports, oldest first.
    Two things may share a key or a mark: whoever follows it looks again.
    """

    key: int
    told: tuple[tuple[int, ...], ...]

    @classmethod
    def begun(cls, key: int, report: int, environment: str) -> Known:
        """With its first report."""
        return cls(key, ((mark_of(environment), report),))

    def of(self, environment: str) -> tuple[int, ...]:
        """The reports in an environment, by their first entries."""
        mark = mark_of(environment)
        for spot in self.told:
            if spot[0] == mark:
                return spot[1:]
        return ()

    def and_(self, report: int, environment: str) -> Known:
        """With one more report: of many the earliest and the newest are kept, of environments the newest."""
        mark = mark_of(environment)
        for spot in self.told:
            if spot[0] == mark:
                break
        else:
            return Known(self.key, (*self.told[-ENVIRONMENTS:], (mark, report)))
        mine: tuple[int, ...] = ()
        others = []
        for spot in self.told:
            if spot[0] == mark:
                mine = tuple(first for first in spot[1:] if first != report)
            else:
                others.append(spot)
        mine = (*mine, report)
        if len(mine) > EARLIEST + NEWEST:
            mine = mine[:EARLIEST] + mine[-NEWEST:]
        return Known(self.key, (*others[-ENVIRONMENTS:], (mark, *mine)))


# One table for all that is looked up by what was said, under short keys: random keys cost a page each. One
# build goes through many environments, so they share a row.
KNOWN: Final = Table("known", Known, ("key",))


# The same fact asks for its keys several times.
@lru_cache(maxsize=8192)
def known_key(service: str, what: str) -> int:
    """Where a service keeps what it knows by `what`: eight bytes of a hash, as a signed integer."""
    told = f"{service}\0{what}".encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=1024)
def mark_of(environment: str) -> int:
    """A short number for an environment: two bytes of a hash, so that others may have the same."""
    return zlib.crc32(environment.encode()) & 0xFFFF


def by_name(environment: str, name: str) -> str:
    """What a deployment's told name is known by: it belongs to its environment alone."""
    return f"name:{environment}\0{name}"


def by_digest(digest: str) -> str:
    """What an artifact is known by."""
    return f"artifact:{digest}"


def by_commit(name: str) -> str:
    """What a commit is known by: as much of its name as the shortest that agrees with it."""
    return f"commit:{name[:SHORTEST_SHA]}"


def by_version(version: str) -> str:
    """What a version is known by."""
    return f"version:{version}"


def joining(artifact: str | None, commits: Sequence[tuple[Any, str]], service: str) -> list[int]:
    """Where a service keeps what reports may be about one deployment by: a digest, commits."""
    found = [known_key(service, by_commit(name)) for _, name in commits]
    if len(found) > 1:
        found = list(dict.fromkeys(found))
    if artifact:
        found.append(known_key(service, by_digest(artifact)))
    return found


def versions(version: str | None, service: str) -> list[int]:
    """Where a service keeps the version that a report says."""
    return [known_key(service, by_version(version))] if version else []


def looked_up(keys: Iterable[int], rows: Rows) -> dict[int, Known | None]:
    """What stands under these keys."""
    return {key: rows.get(KNOWN, key) for key in keys}


def offer(report: Report, service: str, environment: str, rows: Rows) -> None:
    """Let later reports find this one by all that it says."""
    keys = [*joining(report.artifact, report.commits, service), *versions(report.version, service)]
    add(report.first, environment, looked_up(keys, rows), rows)


def add(report: int, environment: str, under: Mapping[int, Known | None], rows: Rows) -> None:
    """Let a report, by its first entry, be found under these keys, where that stands."""
    for key, known in under.items():
        rows.put(KNOWN, known.and_(report, environment) if known else Known.begun(key, report, environment))
