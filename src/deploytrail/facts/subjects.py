"""Subject keys: what a fact is about, as part of its bytes, so that "was this touched since?" has one answer.

The rule is one table from field names to key prefixes, the same for every kind, so that `fsck` can compute
the keys of any entry from its bytes alone.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

MAX_SUBJECTS: Final = 32
_NESTED: Final = (dict, list)

# Field of `data` (or of an object in a list there) to the prefix of its subject key, in order of importance.
FIELDS: Final = (
    ("deployment", "deployment"),
    ("service", "service"),
    ("environment", "environment"),
    ("artifact", "artifact"),
    ("digest", "artifact"),
    ("repository", "repository"),
    ("sha", "commit"),
    ("after", "commit"),
    ("head", "commit"),
    ("run", "pipeline"),
    ("incident", "incident"),
    ("subject", "actor"),
    ("token", "token"),
    ("session", "session"),
)
_LISTS: Final = ("commits", "running")
# How a person begins in canonical bytes. In a text the quotation marks would be escaped.
_PERSON: Final = b'"id":"s_'


def subject_keys(envelope: dict[str, Any], body: bytes | None = None) -> tuple[str, ...]:
    """The subject keys of an entry, at most 32, the most important first and none twice.

    `body`, its canonical bytes if they are at hand, saves looking for persons in every part of it.
    """
    data = envelope["data"]
    keys: dict[str, None] = {}
    service, environment, repository = data.get("service"), data.get("environment"), data.get("repository")
    if isinstance(service, str) and isinstance(environment, str):
        keys[f"run:{service}/{environment}"] = None
    if isinstance(repository, str) and type(data.get("number")) is int and "run" not in data:
        keys[f"change:{repository}#{data['number']}"] = None
    _from_fields(data, keys)
    for name in _LISTS:
        items = data.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                _from_fields(item, keys)
    if body is None or not _from_bytes(body, keys):
        _from_persons(envelope, keys)
    return tuple(keys)[:MAX_SUBJECTS]


# The same services, repositories and people come again and again.
@lru_cache(maxsize=8192)
def subject_hash(key: str) -> str:
    """The first eight bytes of SHA-256 of a subject key, in hex, as the index has it."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _from_fields(data: dict[str, Any], keys: dict[str, None]) -> None:
    for field, prefix in _present(tuple(data)):
        value = data[field]
        if isinstance(value, str):
            keys[f"{prefix}:{value}"] = None


# Few kinds have few shapes.
@lru_cache(maxsize=256)
def _present(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Those of FIELDS that an object with these names has."""
    return tuple((field, prefix) for field, prefix in FIELDS if field in names)


def _from_bytes(body: bytes, keys: dict[str, None]) -> bool:
    """The one person of an entry, if there is no other: else False, since several have an order."""
    at = body.find(_PERSON)
    if at < 0:
        return True
    end = body.index(b'"', at + len(_PERSON))
    person, named = body[at : end + 1], body.count(_PERSON)
    if b"\\" in person or (named > 1 and named != body.count(person)):
        return False
    keys["actor:" + person[len(_PERSON) - 2 : -1].decode()] = None
    return True


def _from_persons(value: dict[str, Any], keys: dict[str, None]) -> None:
    """Every person of the entry, in the order of the canonical bytes (names sorted)."""
    subject = value.get("id")
    if isinstance(subject, str) and subject.startswith("s_"):
        keys[f"actor:{subject}"] = None
    # Most objects of an entry are sealed fields: they are left out before anything is sorted.
    nested = [name for name, inner in value.items() if type(inner) in _NESTED and not _sealed(inner)]
    for name in sorted(nested):
        _from_nested(value[name], keys)


def _from_nested(value: Any, keys: dict[str, None]) -> None:
    if type(value) is dict:
        _from_persons(value, keys)
    elif type(value) is list:
        for inner in value:
            _from_nested(inner, keys)


def _sealed(value: Any) -> bool:
    return len(value) == 1 and type(value) is dict and type(value.get("c")) is str
