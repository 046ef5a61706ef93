"""The page of one artifact: from which source it was built, who published it, and where it ran."""

from __future__ import annotations

from typing import Final

from deploytrail.app.ancestry import repository_of, whole
from deploytrail.app.deployed import Deployed, artifact_view
from deploytrail.app.lists import Lists
from deploytrail.app.ports import Derived
from deploytrail.app.shown import Opener
from deploytrail.app.views import CommitView, PublishedView
from deploytrail.projections.artifacts import ARTIFACTS, Artifact
from deploytrail.projections.deployment_rows import Deployment, deployment_of
from deploytrail.projections.environments import PLACES
from deploytrail.projections.names import environment_of, service_of
from deploytrail.projections.reading import text
from deploytrail.projections.trail import TRAIL

# Entries about an artifact that are looked at for one page.
LOOKED: Final = 200


class Published:
    """Reads the page of an artifact."""

    def __init__(self, derived: Derived, opener: Opener, deployed: Deployed, lists: Lists) -> None:
        self._derived, self._opener, self._deployed, self._lists = derived, opener, deployed, lists

    def view(self, digest: str, below: int | None) -> PublishedView | None:
        """The artifact, its deployments below an index. None: nobody told of this digest."""
        row = self._derived.get(ARTIFACTS, digest)
        indices = self._opener.about(f"artifact:{digest}", below, LOOKED)
        if row is None and not indices and below is None:
            return None
        deployments = self._deployments(indices)
        people = self._opener.people([row.actor] if row and row.actor else [])
        told = self._opener.entries([row.index]).get(row.index) if row else None
        return PublishedView(
            digest=digest,
            published=artifact_view(row, people) if row else None,
            service=service_of(told.entry.data, self._derived) if told else None,
            repository=row.repository if row else None,
            provenance=text(told.entry.data, "provenance") if told else None,
            url=told.text("url") if told else None,
            commit=self._commit(row) if row else None,
            deployments=self._lists.rows(deployments),
            runs_in=self._runs_in(deployments),
            older=indices[-1] if len(indices) == LOOKED else None,
        )

    def _deployments(self, indices: list[int]) -> list[Deployment]:
        """The deployments that these entries are reports of, each once, in this order."""
        found: dict[int, Deployment] = {}
        for index in indices:
            line = self._derived.get(TRAIL, index)
            if line is not None and line.report is not None:
                row = deployment_of(line.report, self._derived)
                if row is not None:
                    found[row.key] = row
        return list(found.values())

    def _runs_in(self, deployments: list[Deployment]) -> list[str]:
        """The environments in which one of these deployments is what runs now."""
        found = []
        for row in deployments:
            place = self._derived.get(PLACES, row.environment, row.service)
            if place is not None and place.current == row.key:
                found.append(environment_of(row.environment, self._derived))
        return list(dict.fromkeys(found))

    def _commit(self, row: Artifact) -> CommitView | None:
        if row.sha is None or row.repository is None:
            return None
        repository = repository_of(self._derived, row.repository)[0]
        return self._deployed.commits_of(repository, [whole(self._derived, repository, row.sha)])[0]
