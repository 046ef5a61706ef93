"""The page of one service: whose it is, what runs where, and what is on its way."""

from __future__ import annotations

from typing import Final, NamedTuple

from deploytrail.app.ancestry import between, repository_of
from deploytrail.app.deployed import artifact_view
from deploytrail.app.lists import Lists
from deploytrail.app.places import Places
from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener
from deploytrail.app.views import (
    ArtifactView,
    CellView,
    ChangeRow,
    DeploymentFilter,
    DeploymentRow,
    ServiceView,
)
from deploytrail.projections.artifacts import ARTIFACTS, Artifact
from deploytrail.projections.changes import CHANGES, Change
from deploytrail.projections.deployment_rows import DEPLOYMENTS, Deployment
from deploytrail.projections.environments import PLACES
from deploytrail.projections.names import SERVICES, service_named
from deploytrail.projections.trail import OPTIONS

# The newest changes of each repository that are looked at, and artifacts that are shown.
MAX_CHANGES: Final = 30
MAX_ARTIFACTS: Final = 10
# Repositories and production environments that one page follows.
_REPOSITORIES: Final = 3
_PRODUCTIONS: Final = 3


class _Waiting(NamedTuple):
    """Merged changes that production has not got, and why they are not known."""

    rows: list[Change]
    known: bool
    why: str | None


class Serviced:
    """Reads the page of a service."""

    def __init__(self, derived: Derived, opener: Opener, places: Places, lists: Lists) -> None:
        self._derived, self._opener, self._places, self._lists = derived, opener, places, lists

    def view(self, told: str, cursor: str | None, limit: int) -> ServiceView | None:
        """The service that a name means, with deployments from a cursor on. None: nobody told of it."""
        name = service_named(told, self._derived)
        declared = self._derived.get(SERVICES, name)
        cells = self._places.of([name])[name]
        deployments = self._lists.deployments(DeploymentFilter(service=name), cursor, limit)
        if declared is None and not cells and not deployments.deployments and not self._seen(name):
            return None
        repositories = self._repositories(name, declared.repositories if declared else [], cells)
        changes = [change for where in repositories for change in self._merged(where)]
        waiting = self._waiting(name, changes)
        return ServiceView(
            name=name,
            declared=declared is not None,
            owner=declared.owner if declared else None,
            repositories=repositories,
            artifact_names=declared.artifacts if declared else [],
            aliases=declared.aliases if declared else [],
            cells=cells,
            deployments=deployments,
            waiting=self._changes(waiting.rows),
            waiting_known=waiting.known,
            waiting_why=waiting.why,
            artifacts=self._artifacts(deployments.deployments, changes),
        )

    def _seen(self, name: str) -> bool:
        return self._derived.get(OPTIONS, "service", name) is not None

    def _repositories(self, name: str, declared: list[str], cells: list[CellView]) -> list[str]:
        """Those that are declared, else those from which it runs now, by the names that were heard."""
        told = declared[:_REPOSITORIES]
        if not told:
            running = self._running(name, [cell.environment for cell in cells])
            told = [row.repository for row in running if row.repository]
        return list(dict.fromkeys(repository_of(self._derived, name)[0] for name in told))[:_REPOSITORIES]

    def _running(self, service: str, environments: list[str]) -> list[Deployment]:
        """What runs of it in these environments now."""
        places = [self._derived.get(PLACES, name, service) for name in environments]
        keys = [place.current for place in places if place and place.current is not None]
        return [row for key in keys if (row := self._derived.get(DEPLOYMENTS, key))]

    def _merged(self, repository: str) -> list[Change]:
        found = self._derived.page(
            CHANGES, where={"repository": repository}, order="number", limit=MAX_CHANGES
        )
        return [row for row in found if row.state == "merged"]

    def _waiting(self, name: str, changes: list[Change]) -> _Waiting:
        production = self._places.production()
        if not production:
            return _Waiting([], False, "No environment is declared to be of class production.")
        if not changes:
            return _Waiting([], False, "No merged change of its repositories has been told.")
        running = self._running(name, production[:_PRODUCTIONS])
        if not running:
            return _Waiting([], False, "Nothing of it is known to run in production.")
        missing: set[tuple[str, int]] = set()
        for repository in dict.fromkeys(change.repository for change in changes):
            here = [change for change in changes if change.repository == repository and change.sha]
            for row in running:
                why = self._missing(repository, here, row, missing)
                if why is not None:
                    return _Waiting([], False, why)
        rows = [change for change in changes if (change.repository, change.number) in missing]
        return _Waiting(rows, True, None)

    def _missing(
        self, repository: str, changes: list[Change], row: Deployment, missing: set[tuple[str, int]]
    ) -> str | None:
        """Add the changes that a deployment has not got; why that is not known, if it is not."""
        if row.repository is None or row.sha is None:
            return "No report named the commit that runs in production."
        if repository_of(self._derived, row.repository)[0] != repository or not changes:
            return None
        newest = max(changes, key=lambda change: (change.merged_at or 0, change.number))
        assert newest.sha is not None
        found = between(self._derived, repository, row.sha, newest.sha)
        if not found.known:
            return found.why or "The commits between are not known."
        missing.update((c.repository, c.number) for c in changes if c.sha in found.shas)
        return None

    def _changes(self, rows: list[Change]) -> list[ChangeRow]:
        return self._lists.change_rows(sorted(rows, key=lambda row: -(row.merged_at or 0)))

    def _artifacts(self, deployments: list[DeploymentRow], changes: list[Change]) -> list[ArtifactView]:
        """The newest that are known: what was deployed lately, and what was built from merged changes."""
        found: dict[str, Artifact] = {}
        for digest in dict.fromkeys(row.artifact for row in deployments if row.artifact):
            if artifact := self._derived.get(ARTIFACTS, digest):
                found[digest] = artifact
        for change in changes:
            where = {"repository": change.repository, "sha": change.sha or ""}
            for artifact in self._derived.page(ARTIFACTS, where=where, order="at", limit=2):
                found[artifact.digest] = artifact
        newest = sorted(found.values(), key=lambda one: (one.at, one.index), reverse=True)[:MAX_ARTIFACTS]
        people = self._opener.people(one.actor for one in newest if one.actor)
        return [artifact_view(one, people) for one in newest]
