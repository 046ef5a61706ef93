"""From a draft to an entry and its disclosures, and back for those who hold the salts.

A sealed field stands in the entry as {"c": commitment}. The commitment is
HMAC-SHA256(key = 32 random bytes, "deploytrail/commit/v1\\n" + path + "\\n" + canonical JSON of the value):
whoever holds salt and value can prove it, nobody else can even guess. Salts and values of one entry and
one data subject form one disclosure, which lies beside the log and can be erased.

Who a sealed field is about: the first person named in the same object, else the fact's actor, else nobody
(NOBODY), whose disclosures are erased only by name.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.facts.canonical import MAX_ENTRY, MAX_INTEGER, encode, normal
from deploytrail.facts.draft import Body, Draft, Person, builtins
from deploytrail.facts.subjects import subject_keys

VERSION: Final = 1
NOBODY: Final = "nobody"
SALT: Final = 32

# Of HMAC-SHA256: the bytes of a block, and every byte XORed with the two pads.
_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))

# One disclosure: path to (salt, value).
Opened = dict[str, tuple[bytes, Any]]
# The subject id of a person; the caller makes one up for somebody never seen before.
SubjectOf = Callable[[Person], str]
# n random bytes.
Random = Callable[[int], bytes]

_NESTED: Final = (dict, list)
_PERSON_FIELDS: Final = ("email", "login", "name")


class SealedFact(msgspec.Struct, frozen=True):
    """A fact ready to be appended: canonical bytes, subject keys, and the disclosures by data subject."""

    entry: bytes
    kind: str
    source: str
    id: str | None
    subjects: tuple[str, ...]
    disclosures: dict[str, Opened]


def commitment(salt: bytes, path: str, value: Any) -> bytes:
    """The 32-byte salted commitment to `value` at `path` of its entry."""
    message = b"deploytrail/commit/v1\n" + path.encode() + b"\n" + encode(value)
    if len(salt) > _BLOCK:
        return hmac.digest(salt, message, "sha256")
    # RFC 2104 written out: the library lets other threads in at each of a fact's fields, and then waits for
    # them to come back.
    key = salt.ljust(_BLOCK, b"\0")
    inner = sha256(key.translate(_INNER) + message).digest()
    return sha256(key.translate(_OUTER) + inner).digest()


def seal(draft: Draft, subject_of: SubjectOf, random: Random) -> SealedFact:
    """Seal a draft. Refused("too-large") if the entry would exceed 65,535 bytes; Refused("bad-input") for
    a time that is none, and for what canonical bytes cannot hold."""
    work = _Sealing(subject_of, random, draft.clear_refs)
    envelope: dict[str, Any] = {
        "v": VERSION,
        "kind": draft.kind,
        "source": draft.source,
        "received_at": times.text(draft.received_at),
        "attribution": draft.attribution,
    }
    owner = NOBODY
    if draft.actor is not None and draft.actor.named():
        envelope["actor"] = work.person(draft.actor, "actor")
        owner = envelope["actor"]["id"]
    if draft.id is not None:
        envelope["id"] = normal(draft.id)
    if draft.occurred_at is not None:
        envelope["occurred_at"] = times.text(draft.occurred_at)
    if draft.delivery is not None:
        envelope["delivery"] = draft.delivery
    data = builtins(draft.body)
    work.walk(data, plan_of(type(draft.body)), "data", owner)
    envelope["data"] = data
    for name, value in (("labels", draft.labels), ("free", draft.data), ("unknown", draft.unknown)):
        if value is not None:
            envelope[name] = work.sealed(value, name, owner)
    # Finding the one person of most facts in their bytes takes less time than looking through their parts.
    keys = subject_keys(envelope, encode(envelope))
    envelope["subjects"] = list(keys)
    entry = encode(envelope)
    if len(entry) > MAX_ENTRY:
        raise Refused(
            "too-large", f"The fact's entry would have {len(entry)} bytes; the log takes {MAX_ENTRY}."
        )
    return SealedFact(entry, draft.kind, draft.source, envelope.get("id"), keys, work.disclosures)


def sealed_paths(value: Any) -> list[tuple[str, bytes]]:
    """Every sealed field of an entry's value: its path and its commitment."""
    found: list[tuple[str, bytes]] = []
    _gather(value, "", found)
    return found


def _gather(value: Any, path: str, found: list[tuple[str, bytes]]) -> None:
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("c"), str):
            found.append((path, _commitment_of(value["c"], path)))
            return
        for name, inner in value.items():
            if isinstance(inner, _NESTED):
                _gather(inner, f"{path}.{name}" if path else name, found)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            if isinstance(inner, _NESTED):
                _gather(inner, f"{path}.{place}", found)


def _commitment_of(text: str, path: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise Refused("untrue", f"The commitment at {path} is not base64.") from None


def to_bytes(opened: Opened) -> bytes:
    """A disclosure as bytes (canonical JSON): path to [salt in base64, value]."""
    return encode({path: [_base64(salt), value] for path, (salt, value) in opened.items()})


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def from_bytes(data: bytes) -> Opened:
    """A disclosure from its bytes."""
    raw: dict[str, list[Any]] = msgspec.json.decode(data)
    return {path: (b64decode(salt), value) for path, (salt, value) in raw.items()}


def values_of(data: bytes) -> dict[str, Any]:
    """Path to value of a disclosure, without its salts."""
    return {path: value for path, (_, value) in _disclosed.decode(data).items()}


# The salts are not even decoded.
_disclosed: Final = msgspec.json.Decoder(dict[str, tuple[msgspec.Raw, Any]])


class _Sealing:
    """The state of sealing one draft: which subject's disclosure each value goes to."""

    def __init__(self, subject_of: SubjectOf, random: Random, clear_refs: frozenset[str]) -> None:
        self.subject_of = subject_of
        self.random = random
        self.clear_refs = clear_refs
        self.disclosures: dict[str, Opened] = {}

    def sealed(self, value: Any, path: str, owner: str) -> dict[str, str]:
        if isinstance(value, str):
            value = normal(value)
        elif isinstance(value, dict):
            value = {name: normal(text) for name, text in value.items()}
        salt = self.random(SALT)
        self.disclosures.setdefault(owner, {})[path] = (salt, value)
        return {"c": _base64(commitment(salt, path, value))}

    def person(self, person: Person, path: str) -> dict[str, Any]:
        subject = self.subject_of(person)
        named: dict[str, Any] = {"id": subject}
        if person.bot:
            named["bot"] = True
        for field in _PERSON_FIELDS:
            if value := getattr(person, field):
                named[field] = self.sealed(value, f"{path}.{field}", subject)
        return named

    def told(self, raw: dict[str, Any], path: str) -> dict[str, Any]:
        return self.person(msgspec.convert(raw, Person), path)

    def ref(self, value: str, path: str, owner: str) -> Any:
        if value.removeprefix("refs/heads/") in self.clear_refs:
            return normal(value)
        return self.sealed(value, path, owner)

    def walk(self, data: dict[str, Any], plan: Plan, path: str, owner: str) -> None:
        """Replace, in place, what `plan` says is not clear."""
        for name in plan.persons:
            raw = data.pop(name, None)
            if isinstance(raw, list):
                if named := [one for one in raw if _named(one)]:
                    data[name] = [self.told(one, f"{path}.{name}.{i}") for i, one in enumerate(named)]
            elif raw and _named(raw):
                data[name] = self.told(raw, f"{path}.{name}")
        first = next((data[n] for n in plan.owners if n in data), None)
        owner = first["id"] if first else owner
        for name, value in data.items():
            sort = plan.sorts[name]
            if sort == "clear":
                data[name] = _clear(value)
            elif sort == "sealed":
                data[name] = self.sealed(value, f"{path}.{name}", owner)
            elif sort == "ref":
                data[name] = self.ref(value, f"{path}.{name}", owner)
            elif sort == "time":
                data[name] = times.text(times.parse(value))
            elif sort == "inner" and isinstance(value, list):
                for place, item in enumerate(value):
                    self.walk(item, plan.inner[name], f"{path}.{name}.{place}", owner)


def _clear(value: Any) -> Any:
    """A clear value as entries hold it."""
    if isinstance(value, str):
        return value if value.isascii() else normal(value)
    if isinstance(value, int) and -MAX_INTEGER <= value <= MAX_INTEGER:
        return value
    if isinstance(value, list):
        return [_clear(item) for item in value]
    raise Refused("bad-input", "A clear field holds text, whole numbers within 2^53 - 1, or yes and no.")


def _named(raw: dict[str, Any]) -> bool:
    return any(raw.get(field) for field in (*_PERSON_FIELDS, "id"))


class Plan(msgspec.Struct, frozen=True):
    """What a type's fields are, computed once per type from its annotations.

    `sorts` says of each field whether it is "clear", "sealed", a "ref", a "time", a "person" (or several) or
    "inner", a list of objects with a plan of their own. `owners` are the fields that hold one person.
    """

    sorts: dict[str, str]
    persons: tuple[str, ...]
    owners: tuple[str, ...]
    inner: dict[str, Plan]


@cache
def plan_of(body: type[Body]) -> Plan:
    """The plan of a body's type."""
    sorts: dict[str, str] = {}
    inner: dict[str, Plan] = {}
    owners = []
    for name, hint in get_type_hints(body, include_extras=True).items():
        sort, type_, many = _sort(hint)
        sorts[name] = sort
        if sort == "inner":
            inner[name] = plan_of(type_)
        if sort == "person" and not many:
            owners.append(name)
    persons = tuple(name for name, sort in sorts.items() if sort == "person")
    return Plan(sorts=sorts, persons=persons, owners=tuple(owners), inner=inner)


def _sort(hint: Any, many: bool = False) -> tuple[str, Any, bool]:
    """What one annotation says: its sort, its innermost type, and whether it is a list."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *marks = get_args(hint)
        for mark in marks:
            if isinstance(mark, msgspec.Meta) and mark.extra and "seal" in mark.extra:
                return str(mark.extra["seal"]), base, many
        return _sort(base, many)
    if origin in (Union, UnionType):
        found = [_sort(arm, many) for arm in get_args(hint) if arm is not type(None)]
        return next((f for f in found if f[0] != "clear"), found[0])
    if origin is list:
        return _sort(get_args(hint)[0], many=True)
    if isinstance(hint, type) and issubclass(hint, Person):
        return "person", hint, many
    if isinstance(hint, type) and issubclass(hint, Body):
        return "inner", hint, many
    return "clear", hint, many
