"""Altering inputs: blindly as bytes, or as JSON with its shape kept. Everything follows from one `Random`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

# Nothing longer is tried: each target has its own test for oversized input.
MAX_INPUT: Final = 400_000

TOKENS: Final[tuple[bytes, ...]] = (
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n\n",
    b"\t",
    b"-0",
    b"-1",
    b"0.0",
    b"1e400",
    b"1E2",
    b"9007199254740992",
    b"9223372036854775808",
    b"18446744073709551616",
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b'{"":',
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    "é".encode(),
    "e\u0301".encode(),
    "\u2028".encode(),
    "\u202e".encode(),
    "\U0001f600".encode(),
    "٣".encode(),
    "— ".encode(),
    b"=",
    b"==",
    b"+",
    b"/",
    b"../",
    b"%2e%2e",
    b"\x1b[31m",
    b"<script>",
    b"=cmd()",
)

TEXTS: Final[tuple[str, ...]] = (
    "",
    " ",
    "\x00",
    "\u0130",
    "e\u0301",
    "\ufeff",
    "\u202e",
    "a" * 501,
    "a" * 70_000,
    "0" * 40,
    "refs/heads/main",
    "s_aaaaaaaaaaaaaaaa",
    "2026-03-17T14:32:08Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:60Z",
    "true",
    "<b>&\"'",
    "\x1b]8;;http://x.invalid\x07",
    "=1+1",
    "sha256:" + "a" * 64,
    "\ud800",
)

VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    2**53 - 1,
    2**53,
    2**63,
    -(2**63) - 1,
    10**30,
    1.5,
    -0.0,
    1e308,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"id": "s_aaaaaaaaaaaaaaaa"},
    {"c": "x"},
)

Alter = Callable[[bytes, Random, Sequence[bytes]], bytes]


def mutated(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    """`data` altered in one to six places."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        data = chance.choice(_ALTERATIONS)(data, chance, pool)
    return data[:MAX_INPUT]


def mutated_json(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    """`data` altered as JSON where it is JSON (its values, keys and shape); else as bytes."""
    if chance.random() < 0.25:
        return mutated(data, chance, pool)
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError):
        return mutated(data, chance, pool)
    for _ in range(chance.choice((1, 1, 2, 4))):
        tree = _altered_tree(tree, chance)
    compact = chance.random() < 0.5
    text = json.dumps(
        tree,
        ensure_ascii=chance.random() < 0.3,
        sort_keys=compact,
        separators=(",", ":") if compact else None,
    )
    # Half a surrogate pair can only be told by its escape; written out, it is not UTF-8.
    return text.encode("utf-8", "surrogatepass")[:MAX_INPUT]


def _flip(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x00"
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]


def _overwrite(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    at, token = _place(data, chance), chance.choice(TOKENS)
    return data[:at] + token + data[at + len(token) :]


def _insert(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.choice(TOKENS) + data[at:]


def _cut(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    start = _place(data, chance)
    return data[:start] + data[start + chance.randint(1, 16) :]


def _end_early(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    return data[: _place(data, chance)]


def _repeat(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    start = _place(data, chance)
    part = data[start : start + chance.randint(1, 64)]
    return data[:start] + part * chance.choice((2, 3, 50, 1000)) + data[start + len(part) :]


def _nest(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    at, depth = _place(data, chance), chance.choice((40, 2_000, 20_000))
    return data[:at] + chance.choice((b"[", b'{"a":', b"(")) * depth + data[at:]


def _splice(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    other = chance.choice(pool) if pool else data
    return data[: _place(data, chance)] + other[_place(other, chance) :]


def _swap(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _digit(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    places = [at for at, byte in enumerate(data[:5_000]) if 0x30 <= byte <= 0x39]
    if not places:
        return data
    at = chance.choice(places)
    return data[:at] + str(chance.randrange(10)).encode() + data[at + 1 :]


_ALTERATIONS: Final[tuple[Alter, ...]] = (
    _flip,
    _flip,
    _overwrite,
    _insert,
    _cut,
    _end_early,
    _repeat,
    _nest,
    _splice,
    _swap,
    _digit,
    _digit,
)


def _place(data: bytes, chance: Random) -> int:
    return chance.randrange(len(data) + 1)


def _altered_tree(tree: Any, chance: Random) -> Any:
    """The tree with one thing altered: a value, a key, or a whole branch."""
    spots = _spots(tree)
    if not spots:
        return _copy(chance.choice(VALUES))
    holder, key = chance.choice(spots)
    turn = chance.randrange(7)
    if turn == 0:
        del holder[key]
    elif turn == 1:
        holder[key] = chance.choice(TEXTS)
    elif turn == 2:
        other, there = chance.choice(spots)
        holder[key] = _copy(other[there]) if _small(other[there]) else None
    elif turn == 3 and isinstance(holder, dict):
        holder[chance.choice((*TEXTS, "id", "kind", "data", "actor"))] = holder.pop(key)
    elif turn == 4 and isinstance(holder, list) and _small(holder[key]):
        holder.extend(_copy(holder[key]) for _ in range(chance.choice((1, 10, 2_500))))
    elif turn == 5:
        holder[key] = _wrapped(holder[key], chance.choice((1, 30, 100)))
    else:
        holder[key] = _copy(chance.choice(VALUES))
    return tree


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree that a value stands at, as (holder, key)."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(found) < 5_000:
        holder = waiting.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else list(range(len(holder)) if isinstance(holder, list) else ())
        )
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _copy(value: Any) -> Any:
    """A value that shares nothing with the tree it was taken from: trees must stay trees."""
    return json.loads(json.dumps(value))


def _small(value: Any, depth: int = 0) -> bool:
    """Whether copies of a value keep the input small."""
    if depth > 20:
        return False
    if isinstance(value, dict | list):
        return len(value) < 5 and all(
            _small(v, depth + 1) for v in (value.values() if isinstance(value, dict) else value)
        )
    return not isinstance(value, str) or len(value) < 100


def _wrapped(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value
