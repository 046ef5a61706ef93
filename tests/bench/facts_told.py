"""Facts of many kinds to look at: pushes, changes, tests, artifacts and deployments of a few services."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

SERVICES: Final = 40
PLACES: Final = ("integration", "staging", "production")
_CAST: Final = ("ada", "ben", "cleo", "dina", "eli")
_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
# One round of a service: what one change leads to.
_ROUND: Final = 9


def told(count: int, prefix: str = "bench") -> Iterator[bytes]:
    """`count` facts in the direct form, each with an id, as one line of JSON."""
    for number in range(count):
        fact = _fact(number // _ROUND, number % _ROUND)
        fact["id"] = f"{prefix}/{number}"
        fact["occurred_at"] = (_START + timedelta(minutes=7 * number)).isoformat().replace("+00:00", "Z")
        yield json.dumps(fact).encode()


def _fact(turn: int, step: int) -> dict[str, Any]:
    service, person = f"service-{turn % SERVICES}", _CAST[turn % len(_CAST)]
    repository = f"github.com/example/{service}"
    sha = hashlib.sha1(f"{turn}".encode(), usedforsecurity=False).hexdigest()
    parent = hashlib.sha1(f"{turn - SERVICES}".encode(), usedforsecurity=False).hexdigest()
    digest = "sha256:" + hashlib.sha256(sha.encode()).hexdigest()
    actor = {"login": person, "email": f"{person}@example.org"}
    if step == 0:
        author = {"sha": sha, "parents": [parent], "author": actor, "title": f"Change {turn} of {service}"}
        told: dict[str, Any] = {
            "ref": "refs/heads/main",
            "after": sha,
            "before": parent,
            "commits": [author],
            "actor": actor,
        }
        return {"kind": "commit.pushed", "repository": repository, **told}
    if step == 1:
        told = {"number": turn, "sha": sha, "author": actor, "title": f"Change {turn}"}
        return {"kind": "change.merged", "repository": repository, **told}
    if step == 2:
        failed = turn % 11 == 0
        told = {"sha": sha, "name": "unit", "outcome": "failed" if failed else "succeeded", "passed": 240}
        return {"kind": "test.finished", "repository": repository, **told}
    if step == 3:
        return {
            "kind": "artifact.published",
            "digest": digest,
            "name": service,
            "repository": repository,
            "sha": sha,
        }
    place = PLACES[(step - 4) // 2 % 3] if step < 8 else "production"
    kind = "deployment.started" if step in (4, 6) else "deployment.finished"
    fact: dict[str, Any] = {
        "kind": kind,
        "deployment": f"{turn}-{place}",
        "service": service,
        "environment": place,
        "artifact": digest,
        "version": f"1.{turn}.0",
        "commits": [{"repository": repository, "sha": sha}],
        "actor": actor,
    }
    if kind == "deployment.finished":
        fact |= {"outcome": "failed" if turn % 17 == 0 else "succeeded", "duration_ms": 61_000}
    return fact
