"""Golden entries: what this version writes, byte for byte, and what every later one must read."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from deploytrail.facts import entry
from deploytrail.facts.kinds import KINDS
from deploytrail.facts.sealing import commitment, from_bytes, sealed_paths, to_bytes
from tests.facts import golden

LINES = golden.FILE.read_bytes().splitlines()


def test_the_generator_reproduces_the_file() -> None:
    assert b"".join(golden.lines()) == golden.FILE.read_bytes()


def test_every_kind_has_a_line() -> None:
    assert [entry.read(line).kind for line in LINES] == [*KINDS, "x-example"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: entry.read(line).kind)
def test_golden_entries_are_read_strictly(line: bytes) -> None:
    read = entry.check(line)
    assert read.v == 1
    assert read.at == "2026-03-17T12:00:00Z"
    assert 1 <= len(read.subjects) <= 32


@pytest.mark.parametrize("kind", golden.every_kind())
def test_every_sealed_path_opens_to_its_commitment(kind: str) -> None:
    fact = golden.fact(kind)
    opened = {
        path: both for one in fact.disclosures.values() for path, both in from_bytes(to_bytes(one)).items()
    }
    sealed = dict(sealed_paths(json.loads(fact.entry)))
    assert sealed.keys() == opened.keys()
    assert {"labels", "free", "unknown", "actor.login"} <= sealed.keys()
    for path, (salt, value) in opened.items():
        assert commitment(salt, path, value) == sealed[path]
        assert commitment(salt, path + "x", value) != sealed[path]
        assert commitment(bytes(32), path, value) != sealed[path]


@pytest.mark.parametrize("kind", golden.every_kind())
def test_nothing_personal_stands_in_an_entry(kind: str) -> None:
    text = golden.fact(kind).entry.decode()
    for name in ("@example.org", "Ada", "Ben", "Cleo", "Dina", "Eli", "ada/prices", "Cäsar"):
        assert name not in text


def test_a_commitment_is_the_formula_of_the_documentation() -> None:
    import hashlib
    import hmac

    message = b'deploytrail/commit/v1\ndata.title\n"Add vouchers"'
    # Salts are 32 bytes long; a block of the hash is 64.
    for size in (0, 1, 32, 63, 64, 65, 200):
        salt = bytes(range(size))
        expected = hmac.new(salt, message, hashlib.sha256).digest()
        assert commitment(salt, "data.title", "Add vouchers") == expected
    [first] = [dict(sealed_paths(json.loads(LINES[0])))["actor.login"]]
    assert first == b64decode(json.loads(LINES[0])["actor"]["login"]["c"])
