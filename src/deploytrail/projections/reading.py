"""Careful reading of entries: data may come from a later version or a hostile hand, and folds never raise.

Each function gives the value if it is there and of its type, else None or nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from deploytrail.facts.entry import Entry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NESTED: Final = (dict, list)
_NO_COMMIT: Final = frozenset("0")
# Lists in rows stay short, whatever was told.
MAX_COMMITS: Final = 20


def text(data: dict[str, Any], name: str) -> str | None:
    """A clear text that is not empty."""
    value = data.get(name)
    return value if value and isinstance(value, str) else None


def whole(data: dict[str, Any], name: str) -> int | None:
    """An integer."""
    value = data.get(name)
    return value if type(value) is int else None


def truth(data: dict[str, Any], name: str) -> bool | None:
    """True or false."""
    value = data.get(name)
    return value if isinstance(value, bool) else None


def items(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list."""
    value = data.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(data: dict[str, Any], name: str) -> list[str]:
    """The texts of a list."""
    value = data.get(name)
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


def sha(data: dict[str, Any], name: str) -> str | None:
    """A commit's name in lower case; None for git's name for no commit, which is all zeros."""
    value = text(data, name)
    return value.lower() if value and not _NO_COMMIT.issuperset(value) else None


def person(data: dict[str, Any], name: str) -> str | None:
    """The subject id of a person."""
    value = data.get(name)
    return text(value, "id") if isinstance(value, dict) else None


def actor_of(entry: Entry) -> str | None:
    """The subject id of who did it, where the source names somebody."""
    return None if entry.actor is None else text(entry.actor, "id")


def persons(values: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every person in values of an entry: subject id and the person's object."""
    found = []
    waiting: list[Any] = [values]
    # Grows while it is walked.
    for value in waiting:
        inside = value
        if type(value) is dict:
            subject = value.get("id")
            if type(subject) is str and subject[:2] == "s_":
                found.append((subject, value))
            inside = value.values()
        for inner in inside:
            # Most are texts, and of the rest most are sealed fields, of one text.
            if type(inner) is not str and type(inner) in _NESTED and not (len(inner) == 1 and "c" in inner):
                waiting.append(inner)
    return found


# An entry's times are asked for by several projections.
@lru_cache(maxsize=256)
def milliseconds(value: str | None) -> int | None:
    """UTC milliseconds since 1970 of a canonical time."""
    if value is None:
        return None
    try:
        return (datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND
    except (ValueError, TypeError, OverflowError):
        return None


def moment(entry: Entry) -> int:
    """When it happened, as far as it can be true: what is told cannot lie after its telling.

    So a clock that runs ahead, or a hostile time, never makes a fact newer than what comes after it.
    """
    received = milliseconds(entry.received_at) or 0
    told = milliseconds(entry.occurred_at)
    return received if told is None else min(told, received)


# A source tells about a few repositories.
@lru_cache(maxsize=1024)
def repository(told: str | None) -> str | None:
    """A repository in one spelling: lower case, without scheme, user, `.git` and slashes at the ends."""
    if told is None:
        return None
    name = told.lower().partition("://")[2] or told.lower()
    name = name.rpartition("@")[2] if "@" in name.partition("/")[0] else name
    return name.strip("/").removesuffix(".git").strip("/") or None


def own_name(told: str) -> str | None:
    """The last part of a repository's name, as it was told: what a service is called that nobody declared."""
    return told.rstrip("/").rpartition("/")[2].removesuffix(".git") or None


def tail(repository: str) -> str:
    """A repository without its host, where it names one: "github.com/acme/web" is also "acme/web"."""
    host, _, rest = repository.partition("/")
    return rest if "/" in rest and "." in host else repository
