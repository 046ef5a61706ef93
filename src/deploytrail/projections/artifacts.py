"""Artifacts: which bytes were published, from which commit, and where that was told."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import moment, person, repository, sha, text
from deploytrail.projections.tables import Rows, Table


class Artifact(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One digest, as it was told first; `at` in UTC milliseconds. `actor` is a subject id."""

    digest: str
    at: int
    index: int
    source: str
    repository: str | None = None
    sha: str | None = None
    name: str | None = None
    version: str | None = None
    actor: str | None = None


ARTIFACTS: Final = Table("artifact", Artifact, ("digest",), (("repository", "sha", "at"),))


class Artifacts:
    """The projection of artifacts."""

    name = "artifacts"
    kinds: frozenset[str] | None = frozenset({"artifact.published"})
    version = 1
    tables: tuple[Table[Any], ...] = (ARTIFACTS,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in an artifact that was published."""
        digest = text(entry.data, "digest")
        if entry.kind != "artifact.published" or digest is None:
            return
        data = entry.data
        told = Artifact(
            digest=digest,
            at=moment(entry),
            index=index,
            source=entry.source,
            repository=repository(text(data, "repository")),
            sha=sha(data, "sha"),
            name=text(data, "name"),
            version=text(data, "version"),
            actor=person({"actor": entry.actor}, "actor"),
        )
        known = rows.get(ARTIFACTS, digest)
        rows.put(ARTIFACTS, _completed(known, told) if known else told)


def _completed(known: Artifact, told: Artifact) -> Artifact:
    """What was told first in the log stands; later tellings only add. A commit goes with its repository."""
    missing = {
        name: getattr(told, name) for name in ("name", "version", "actor") if getattr(known, name) is None
    }
    if known.sha is None and told.sha is not None:
        missing |= {"sha": told.sha, "repository": told.repository or known.repository}
    return msgspec.structs.replace(known, **missing)
