"""One entry of every kind, with every field filled and fixed salts. Run it to write golden.jsonl anew.

`python -m tests.facts.golden` from the root of the repository. A change of the file means that entries of
earlier versions would be written otherwise today: raise the schema version, do not simply write it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts.draft import Body, Draft, Person
from deploytrail.facts.kinds import KINDS, body_of
from deploytrail.facts.sealing import SealedFact, seal

FILE: Final = Path(__file__).with_name("golden.jsonl")
NOON: Final = 1_773_748_800_000
_SHA: Final = "9c1d2f3e4a5b60718293a4b5c6d7e8f901234567"
_CAST: Final = ("ada", "ben", "cleo", "dina", "eli")


class Salts:
    """Bytes that follow from a name and a count, in the place of chance."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def __call__(self, count: int) -> bytes:
        self._count += 1
        return hashlib.sha256(f"{self._name} {self._count}".encode()).digest()[:count]


def subject_of(person: Person) -> str:
    """A subject id that follows from the login."""
    return f"s_{person.login}"


def demand_code(refusal: Refused, *codes: str) -> None:
    """Fail unless the refusal has one of these codes."""
    assert refusal.code in codes, refusal


def every_kind() -> list[str]:
    """All kinds of this version, and one of a sender's own."""
    return [*KINDS, "x-example"]


def fact(kind: str) -> SealedFact:
    """The sealed sample of a kind."""
    type_ = body_of(kind)
    assert type_ is not None
    draft = Draft(
        kind=kind,
        body=_filled(type_, 0),
        source="example",
        received_at=NOON + 1_234,
        occurred_at=NOON,
        id=f"golden-{kind}",
        actor=_person(0),
        attribution="authenticated",
        labels={"team": "Cäsar 1", "tier": "2"},
        data='{"free":[1,2.5,null]}',
        unknown='{"odd":"<b>\\u202e"}',
        delivery="ZGVsaXZlcnk=",
    )
    return seal(draft, subject_of, Salts(kind))


def lines() -> Iterator[bytes]:
    """The entries, one a line."""
    for kind in every_kind():
        yield fact(kind).entry + b"\n"


def _filled(type_: type[Body], depth: int) -> Body:
    hints = get_type_hints(type_, include_extras=True)
    plain = {name: _value(name, hint, place + depth) for place, (name, hint) in enumerate(hints.items())}
    return msgspec.convert(plain, type_, from_attributes=True)


def _value(name: str, hint: Any, place: int) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        sort = next((mark.extra["seal"] for mark in marks if getattr(mark, "extra", None)), "clear")
        if sort == "time":
            return "2026-03-17T13:00:00.5+01:00"
        if sort == "ref":
            return "refs/heads/main" if place % 2 else "refs/heads/ada/prices"
        if sort == "sealed":
            return f"{name} of ada <ada@example.org>"
        return _clear(name, base, place)
    if origin in (Union, UnionType):
        arms = [arm for arm in get_args(hint) if arm is not type(None)]
        # Where a count or a list may stand, the list says more.
        return _value(name, arms[-1], place)
    if origin is list:
        return [_value(name, get_args(hint)[0], place + more) for more in range(2)]
    if isinstance(hint, type) and issubclass(hint, Person):
        return msgspec.to_builtins(_person(place))
    if isinstance(hint, type) and issubclass(hint, Body):
        return msgspec.to_builtins(_filled(hint, place))
    return _clear(name, hint, place)


def _clear(name: str, base: Any, place: int) -> Any:
    if get_origin(base) is list:
        return [_value(name, get_args(base)[0], place)]
    if base is bool:
        return True
    if base is int:
        return place + 1
    fixed = {
        "type": "production",
        "digest": f"sha256:{_SHA}",
        "artifact": f"sha256:{_SHA}",
        "vkey": "example.org/log+12345678+AAAA",
    }
    if name in ("sha", "before", "after", "head", "parents", "base_sha", "merge_sha"):
        return f"{_SHA[place % 8 :]}{_SHA[: place % 8]}"
    return fixed.get(name, f"{name} é{place}")


def _person(place: int) -> Person:
    login = _CAST[place % len(_CAST)]
    return Person(login=login, email=f"{login}@example.org", name=login.title(), bot=login == "eli")


if __name__ == "__main__":
    FILE.write_bytes(b"".join(lines()))
