"""Deliveries for the tests of intake: samples, signatures, and sealing that can be repeated.

Own samples lie in `samples/SOURCE`, named EVENT.WHAT.json. The public samples of `shared/payloads` beside the
checkout are read as well where that folder exists; no test needs it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from deploytrail.facts import entry
from deploytrail.facts.draft import Draft, Person, builtins
from deploytrail.facts.kinds import body_of
from deploytrail.facts.sealing import Opened, SealedFact, seal
from deploytrail.intake.delivery import Delivery

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "payloads"
SECRET = b"a secret of the tests"
RECEIVED = 1_773_758_000_000


class Sample(NamedTuple):
    """One body with the event it belongs to; `own` if it is of the project's own making."""

    event: str
    name: str
    body: bytes
    own: bool

    def decoded(self) -> dict[str, Any]:
        """The body as plain values; a byte order mark may lead."""
        value: dict[str, Any] = json.loads(self.body.decode("utf-8-sig"))
        return value


@cache
def own_samples() -> list[Sample]:
    """The samples that are part of the project."""
    paths = sorted((HERE / "samples" / "github").glob("*.json"))
    return [Sample(path.name.partition(".")[0], path.stem, path.read_bytes(), True) for path in paths]


@cache
def shared_samples() -> list[Sample]:
    """The public samples, and those written after published schemas; none where the folder is missing."""
    found = []
    for path in sorted((SHARED / "github").rglob("*.json")):
        folder = path.relative_to(SHARED / "github").parts
        # Either COLLECTION/EVENT/....json, or COLLECTION/EVENT.json with dashes.
        event = folder[1] if len(folder) == 3 else path.stem.replace("-", "_")
        found.append(Sample(event, "/".join(folder), path.read_bytes(), False))
    for path in sorted((SHARED / "synthetic" / "github").glob("*.json")):
        found.append(Sample(path.name.partition(".")[0], path.name, path.read_bytes(), False))
    return found


def samples() -> list[Sample]:
    """All there are."""
    return own_samples() + shared_samples()


def sample(name: str) -> Sample:
    """One of the project's own, by its name without .json."""
    return next(one for one in own_samples() if one.name == name)


def delivery(event: str, body: bytes | dict[str, Any], **headers: str) -> Delivery:
    """An authentic delivery as GitHub would send it; `headers` have underscores for dashes."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    sent = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-hub-signature-256": "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest(),
    }
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery(source="our-github", headers=sent, body=body, received_at=RECEIVED)


def subject_of(person: Person) -> str:
    """A subject id that does not show the person, the same for the same person."""
    known = person.login or person.email or person.name or ""
    return "s_" + hashlib.sha256(known.lower().encode()).hexdigest()[:16].translate(_TO_BASE32)


# Hexadecimal digits could spell a name of the cast.
_TO_BASE32 = str.maketrans("0123456789abcdef", "qqqqrrrrttttyyyy")


def sealed(draft: Draft) -> SealedFact:
    """The sealed fact of a draft, checked whole: its kind's limits, and its entry from the bytes alone."""
    body_type = body_of(draft.kind)
    assert body_type is not None
    assert msgspec.convert(msgspec.to_builtins(draft.body), body_type) == draft.body
    salts = iter(range(1, 1_000_000))
    fact = seal(draft, subject_of, lambda count: next(salts).to_bytes(count, "big"))
    read = entry.check(fact.entry)
    assert read.kind == draft.kind
    assert draft.id is not None
    assert len(draft.id) <= 200
    assert all("!" <= character <= "~" for character in draft.id)
    return fact


def opened(fact: SealedFact) -> dict[str, Any]:
    """Every sealed value of a fact by its path."""
    every: Opened = {}
    for one in fact.disclosures.values():
        every |= one
    return {path: value for path, (_, value) in every.items()}


def told(draft: Draft) -> dict[str, Any]:
    """All that a draft says, as plain values, to be looked up by path."""
    return {
        "kind": draft.kind,
        "id": draft.id,
        "occurred_at": draft.occurred_at,
        "actor": msgspec.to_builtins(draft.actor) if draft.actor else None,
        "data": builtins(draft.body),
        "free": json.loads(draft.data) if draft.data else None,
        "unknown": json.loads(draft.unknown) if draft.unknown else {},
    }


def look(value: Any, path: str) -> list[Any]:
    """The values at a path such as `commits[].author.name`; absent ones, null and blank texts left out."""
    found = [value]
    for name in path.split(".") if path else []:
        listed = name.endswith("[]")
        key = name.removesuffix("[]")
        found = [one[key] for one in found if isinstance(one, dict) and key in one]
        if listed:
            found = [item for one in found if isinstance(one, list) for item in one]
    return [one for one in found if one is not None and one != "" and one != {} and one != []]


def texts_in(value: Any) -> Iterator[str]:
    """Every text of an entry that is neither a commitment nor a subject id."""
    if isinstance(value, str):
        if not value.startswith(("s_", "actor:s_")):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "c":
                yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
