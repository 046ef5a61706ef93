"""Views as JSON: moments are written as RFC 3339 texts in UTC, everything else as it is."""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from starlette.responses import Response

from deploytrail.facts import times


def answer(value: Any) -> Response:
    """A view, or a plain value, as an answer."""
    return Response(encode(value), headers={"Cache-Control": "no-store"}, media_type="application/json")


def encode(value: Any) -> bytes:
    """A view as JSON."""
    return msgspec.json.encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {
            name: times.text(held) if moment and held is not None else _plain(held)
            for name, default, moment in _fields(type(value))
            if (held := getattr(value, name)) != default
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


@cache
def _fields(type_: type[msgspec.Struct]) -> list[tuple[str, Any, bool]]:
    """Each field, the default that is left out, and whether it holds a moment."""
    hints = get_type_hints(type_, include_extras=True)
    omit = type_.__struct_config__.omit_defaults
    found = []
    for field in msgspec.structs.fields(type_):
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        found.append((field.name, default if omit else msgspec.NODEFAULT, is_moment(hints[field.name])))
    return found


def is_moment(hint: Any) -> bool:
    """Whether a type is a moment, or a moment or None."""
    if get_origin(hint) in (Union, UnionType):
        return any(is_moment(arm) for arm in get_args(hint))
    if get_origin(hint) is Annotated:
        kind, *metas = get_args(hint)
        return kind is int and any(
            (getattr(meta, "extra_json_schema", None) or {}).get("format") == "date-time" for meta in metas
        )
    return False
