"""What the senders tell: facts with ids, and signed deliveries, each known by a mark in its entry."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tests.intake.deliveries import sample

SECRET: Final = b"a secret of the crash tests"
SOURCE: Final = "our-github"
_PEOPLE: Final = ("ada", "ben", "cleo", "dina", "eli")


class Item(NamedTuple):
    """One thing to tell. `mark` stands in its entry and in no other; `headers` only for deliveries."""

    number: int
    mark: str
    body: bytes
    headers: Mapping[str, str] | None


def item(number: int) -> Item:
    """The item of a number, always the same: every third is a delivery."""
    return _delivery(number) if number % 3 == 0 else _fact(number)


def marks_in(entry: Mapping[str, Any]) -> str | None:
    """The mark of a decoded entry, if it came from here."""
    after = entry["data"].get("after")
    return str(after) if entry["kind"] == "commit.pushed" and after else entry.get("id")


def _fact(number: int) -> Item:
    mark = f"crash/{number}"
    # Now and then somebody new, so that keys are written too.
    login = f"person-{number}" if number % 5 == 1 else _PEOPLE[number % len(_PEOPLE)]
    told = {
        "kind": "deployment.finished",
        "id": mark,
        "deployment": f"d-{number}",
        "service": f"service-{number % 7}",
        "environment": "production",
        "outcome": "succeeded",
        "actor": {"login": login},
        "occurred_at": "2026-03-17T14:32:08Z",
    }
    return Item(number, mark, json.dumps(told).encode(), None)


def _delivery(number: int) -> Item:
    after = hashlib.sha1(f"crash/{number}".encode(), usedforsecurity=False).hexdigest()
    push = sample("push.branch").decoded()
    push["after"] = after
    push["commits"][-1]["id"] = after
    body = json.dumps(push).encode()
    headers = {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": f"{number:08x}-0000-4000-8000-000000000000",
        "x-hub-signature-256": "sha256=" + hmac.digest(SECRET, body, "sha256").hex(),
    }
    return Item(number, after, body, headers)
