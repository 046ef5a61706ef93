"""A log as a stranger serves it, one file of it altered: `verify_log` finds every difference.

An input is the path of a file in its first line, and behind it the bytes served in that file's stead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from deploytrail.errors import Refused
from deploytrail.evidence.verify_log import verify_log
from deploytrail.facts import canonical
from deploytrail.tlog import checkpoint
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import tree
from tests.fuzz.target import Target
from tests.tlog.trees import KEY

_SINCE = 300


@cache
def _files() -> dict[str, bytes]:
    return tree().files()


@cache
def _older() -> bytes:
    return tree().files(_SINCE)["checkpoint"]


@cache
def _seeds() -> list[bytes]:
    return [path.encode() + b"\n" + data for path, data in _files().items()]


def _altered(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    path, _, rest = data.partition(b"\n")
    return path + b"\n" + mutated(rest, chance, pool)


def _held(data: bytes) -> None:
    first, _, served = data.partition(b"\n")
    path = first.decode("utf-8", "replace")

    def fetch(asked: str) -> bytes:
        if asked == path:
            return served
        if asked not in _files():
            raise Refused("not-found", f"There is no {asked}.")
        return _files()[asked]

    checks = list(verify_log(fetch, [KEY.verifier], _older(), decode=canonical.decode))
    assert [check.number for check in checks] == [1, 2, 3, 4, 5, 6]
    if all(check.ok for check in checks):
        _demand_same(path, served)
    else:
        raise Refused("untrue", next(check.detail for check in checks if not check.ok))


def _demand_same(path: str, served: bytes) -> None:
    """Only other people's signatures may differ in what verifies."""
    if path == "checkpoint":
        same = [checkpoint.open_note(data, [KEY.verifier]) for data in (served, _files()[path])]
        assert same[0] == same[1]
    else:
        assert _files().get(path, served) == served, f"{path} was altered, and every check holds"


TARGET = Target("log", "verify_log over altered files", _seeds, _held, _altered)
