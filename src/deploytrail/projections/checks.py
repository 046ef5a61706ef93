"""Builds, tests and checks: the latest word of each on each commit."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from deploytrail.facts.entry import Entry
from deploytrail.projections.reading import moment, repository, sha, text, truth, whole
from deploytrail.projections.tables import Rows, Table
from deploytrail.projections.words import outcome


class Check(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One check on one commit. `family` is check, build, test or job: two things may share a name."""

    repository: str
    sha: str
    family: str
    name: str
    kind: str
    at: int
    index: int
    outcome: str | None = None
    status: str | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    duration_ms: int | None = None
    required: bool | None = None


CHECKS: Final = Table(
    "check", Check, ("repository", "sha", "family", "name"), (("repository", "sha", "name"),)
)
_FAMILIES: Final = {
    "check.started": "check",
    "check.finished": "check",
    "build.finished": "build",
    "test.finished": "test",
    "job.started": "job",
    "job.finished": "job",
}
# Sources tell of a build as a job or check that is called one: "build", "Build and push", "build-image".
_BUILD: Final = re.compile(r"(?<![a-z0-9])builds?(?![a-z0-9])", re.ASCII | re.IGNORECASE)


def called_build(name: str) -> bool:
    """Whether a check or job calls itself a build."""
    return _BUILD.search(name) is not None


class Checks:
    """The projection of checks."""

    name = "checks"
    kinds: frozenset[str] | None = frozenset(_FAMILIES)
    version = 2
    tables: tuple[Table[Any], ...] = (CHECKS,)

    def fold(self, index: int, entry: Entry, rows: Rows) -> None:
        """Take in a check, unless a later word of it is known already."""
        family = _FAMILIES.get(entry.kind)
        where, commit = repository(text(entry.data, "repository")), sha(entry.data, "sha")
        if family is None or where is None or commit is None:
            return
        data, at = entry.data, moment(entry)
        name = text(data, "name") or text(data, "app") or family
        # Other jobs tell of their checks by themselves.
        if family == "job" and not called_build(name):
            return
        known = rows.get(CHECKS, where, commit, family, name)
        if known and (at, index) < (known.at, known.index):
            return
        told = truth(data, "required")
        rows.put(
            CHECKS,
            Check(
                repository=where,
                sha=commit,
                family=family,
                name=name,
                kind=entry.kind,
                at=at,
                index=index,
                outcome=outcome(text(data, "outcome")),
                status=text(data, "status"),
                passed=whole(data, "passed"),
                failed=whole(data, "failed"),
                skipped=whole(data, "skipped"),
                duration_ms=whole(data, "duration_ms"),
                required=told if told is not None or known is None else known.required,
            ),
        )
