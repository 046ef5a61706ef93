"""The direct form of a fact, as `record`, `import jsonl` and `POST /api/v1/facts` take it.

One JSON object: `kind`, the kind's own fields, and the shared fields `id`, `occurred_at`, `actor`,
`labels`, `data`. Unknown fields are kept, sealed as one JSON text. Everything here is hostile until it
has been read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.facts.draft import Body, Draft, Person
from deploytrail.facts.kinds import body_of, from_outside

# A told fact may be larger than its entry, since sealed values lie beside the log.
MAX_TOLD: Final = 262_144
_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
_KIND: Final = re.compile(r"(x-[a-z0-9][a-z0-9.-]{0,60}|[a-z]+\.[a-z_]+)")
_LABEL: Final = re.compile(r"[\x20-\x7e]{1,100}")
_NESTED: Final = (dict, list)
_SHARED: Final = ("kind", "id", "occurred_at", "actor", "labels", "data")


def parse(line: bytes, *, source: str, received_at: int, attribution: Any = "asserted") -> Draft:
    """The draft of one JSON object in the direct form, told by `source` at `received_at` (UTC ms).

    Refused: "too-large" above 256 KiB, "forbidden" for a kind that is not told from outside, "bad-input"
    with the field's name for everything else.
    """
    if len(line) > MAX_TOLD:
        raise Refused("too-large", f"One fact may have {MAX_TOLD} bytes; this one has {len(line)}.")
    return from_fields(_object(line), source=source, received_at=received_at, attribution=attribution)


def from_fields(
    fields: Mapping[str, Any], *, source: str, received_at: int, attribution: Any = "asserted"
) -> Draft:
    """The draft of a fact whose JSON object is already decoded; refusals as `parse`."""
    kind = _kind(fields)
    body_type = body_of(kind)
    if body_type is None or not from_outside(kind):
        raise Refused(
            "forbidden",
            f"The kind {kind} cannot be told from outside. Tell one of the listed kinds, or x-NAME.",
        )
    own = {name: value for name, value in fields.items() if name not in _SHARED}
    unknown: dict[str, Any] = {}
    known = _known(own, body_type, "", unknown)
    actor = _actor(fields.get("actor"), unknown)
    body = _convert(known, body_type)
    _no_ids(known)
    return Draft(
        kind=kind,
        body=body,
        source=source,
        received_at=received_at,
        occurred_at=_time(fields.get("occurred_at")),
        id=_id(fields.get("id")),
        actor=actor,
        attribution=attribution if actor else "unknown",
        labels=_labels(fields.get("labels")),
        data=_text(fields["data"]) if fields.get("data") is not None else None,
        unknown=_text(unknown) if unknown else None,
    )


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except RecursionError:
        raise Refused("bad-input", "The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("bad-input", f"This is not JSON that can be read: {error}.") from None
    if not isinstance(value, dict):
        raise Refused("bad-input", "A fact is one JSON object.")
    return value


def _kind(fields: Mapping[str, Any]) -> str:
    kind = fields.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise Refused("bad-input", 'The field "kind" must name a kind, such as deployment.finished.')
    return kind


def _known(
    raw: Mapping[str, Any], type_: type[Body | Person], path: str, unknown: dict[str, Any]
) -> dict[str, Any]:
    """What of `raw` the type knows; the rest goes to `unknown` under its path. Null counts as absent."""
    known = {}
    fields = _fields(type_)
    for name, value in raw.items():
        # JSON's null has no place in an entry; absent says the same.
        if value is None:
            continue
        if name not in fields:
            _keep(unknown, f"{path}{name}", value)
            continue
        inner = fields[name]
        if inner is not None and isinstance(value, dict):
            value = _known(value, inner, f"{path}{name}.", unknown)
        elif inner is not None and isinstance(value, list):
            value = [
                _known(item, inner, f"{path}{name}.{place}.", unknown) if isinstance(item, dict) else item
                for place, item in enumerate(value)
            ]
        known[name] = value
    return known


def _keep(unknown: dict[str, Any], path: str, value: Any) -> None:
    """Keep an unknown field. A name with a dot in it must not push out the field whose path it looks like."""
    while path in unknown:
        path += "'"
    unknown[path] = value


@cache
def _fields(type_: type[Body | Person]) -> dict[str, type[Body | Person] | None]:
    """The fields of a type, each with the structured type inside it, if any."""
    return {name: _inner(hint) for name, hint in get_type_hints(type_, include_extras=True).items()}


def _inner(hint: Any) -> type[Body | Person] | None:
    origin = get_origin(hint)
    if origin is Annotated:
        return _inner(get_args(hint)[0])
    if origin in (Union, UnionType, list):
        return next((found for arm in get_args(hint) if (found := _inner(arm))), None)
    if isinstance(hint, type) and issubclass(hint, (Body, Person)):
        return hint
    return None


def _convert(known: dict[str, Any], type_: type[Body]) -> Body:
    try:
        return msgspec.convert(known, type_)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refused("bad-input", f"A field does not fit its kind: {error}.") from None


def _actor(raw: Any, unknown: dict[str, Any]) -> Person | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise Refused("bad-input", 'The field "actor" must be an object with email, login, name or bot.')
    known = _known(raw, Person, "actor.", unknown)
    _no_ids(known)
    try:
        person = msgspec.convert(known, Person)
    except msgspec.ValidationError as error:
        raise Refused("bad-input", f'The field "actor" cannot be read: {error}.') from None
    return person if person.named() else None


def _no_ids(value: Iterable[Any]) -> None:
    """Subject ids are given by the house; a sender who writes one would be naming somebody else's."""
    if isinstance(value, dict):
        if "id" in value:
            raise Refused(
                "bad-input", 'A person is told by email, login or name; "id" is given by the house.'
            )
        value = value.values()
    for inner in value:
        if isinstance(inner, _NESTED):
            _no_ids(inner)


def _time(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused("bad-input", 'The field "occurred_at" must be an RFC 3339 text.')
    return times.parse(value)


def _id(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Refused("bad-input", 'The field "id" must be 1 to 200 visible ASCII characters.')
    return value


def _labels(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if (
        not isinstance(value, dict)
        or len(value) > 100
        or not all(_LABEL.fullmatch(name) and isinstance(text, str) for name, text in value.items())
    ):
        raise Refused("bad-input", 'The field "labels" must map at most 100 ASCII names to texts.')
    return value or None


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
