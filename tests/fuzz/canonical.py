"""Canonical bytes: what decodes encodes back to the same bytes, and RFC 8785 agrees."""

from __future__ import annotations

import rfc8785

from deploytrail.facts import canonical
from tests.fuzz.mutate import mutated_json
from tests.fuzz.seeds import entries
from tests.fuzz.target import Target

_PLAIN = (
    b"{}",
    b"[]",
    b'"\xc3\xa9"',
    b"0",
    b"-9007199254740991",
    b'{"a":[true,false,{"b":"\\u0000\\n\\\\\\""}],"b":1}',
)


def _held(data: bytes) -> None:
    value = canonical.decode(data)
    assert canonical.encode(value) == data
    assert rfc8785.dumps(value) == data


TARGET = Target("canonical", "canonical.decode", lambda: [*_PLAIN, *entries()], _held, mutated_json)
