"""What a stranger may hand us of a log: notes, checkpoints, keys, receipts, tile paths, frontiers, bundles.

The law of each: what parses prints back to the same bytes, and what does not verify is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from deploytrail.tlog import checkpoint, note, receipt, tiles
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.proofs import inclusion_proof
from deploytrail.tlog.receipt import Receipt
from deploytrail.tlog.verifier import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Verifier
from tests.fuzz.seeds import tree
from tests.fuzz.target import Target
from tests.tlog.trees import KEY, OTHER

_WITNESSES = [
    CosigningKey.from_seed("witness.example.org/w", bytes(range(32)), ED25519_COSIGNATURE),
    CosigningKey.from_seed("witness.example.org/m", bytes(range(32)), MLDSA44_COSIGNATURE),
]
_TRUSTED = [KEY.verifier, *(key.verifier for key in _WITNESSES)]


@cache
def _texts() -> list[str]:
    grown = tree()
    return [
        checkpoint.Checkpoint(
            KEY.verifier.name, size, Frontier.EMPTY.extend(grown.leaves[:size])[0].root()
        ).text()
        for size in (0, 1, 255, 256, 600)
    ]


@cache
def _notes() -> list[bytes]:
    found = []
    for text in _texts():
        own = KEY.sign(text)
        found.append(note.assemble(text, [own]))
        found.append(note.assemble(text, [own, OTHER.sign(text)]))
        found.append(note.assemble(text, [own, *(key.sign(text, 1_773_758_000) for key in _WITNESSES)]))
    return found


@cache
def _receipts() -> list[bytes]:
    grown, whole = tree(), _notes()[-1]
    found = []
    for index, extra in ((0, None), (255, b"x"), (599, None)):
        proof = tuple(inclusion_proof(index, 600, grown.read))
        found.append(Receipt(index, proof, whole, extra).encode())
    return found


def _note(data: bytes) -> None:
    parsed = note.parse(data)
    assert note.assemble(parsed.text, [each.line() for each in parsed.signatures]) == data
    good = note.check(parsed, _TRUSTED)
    assert good
    if any(key.kind == note.ED25519 for key in good):
        # Nobody but us holds the key: a text under its signature is one that we signed.
        assert parsed.text in _texts()


def _checkpoint(data: bytes) -> None:
    opened = checkpoint.open_note(data, _TRUSTED)
    assert opened.text() in _texts()
    assert checkpoint.parse_text(opened.text()) == opened


def _receipt(data: bytes) -> None:
    parsed = receipt.parse(data)
    assert parsed.encode() == data
    opened = receipt.verify(parsed, tree().leaves[min(parsed.index, 599)], _TRUSTED)
    assert opened.text() in _texts()
    assert parsed.index < opened.size


def _vkey(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert Verifier.parse(text).vkey() == text


def _path(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    tile = tiles.parse_entries(text) if "entries" in text else tiles.parse(text)
    assert tiles.path(tile) == text


def _frontier(data: bytes) -> None:
    found = Frontier.decode(data)
    assert found.encode() == data
    assert len(found.root()) == 32


def _bundle(data: bytes) -> None:
    count, _, rest = data.partition(b"\n")
    if count.isdigit() and len(count) < 5:
        assert tiles.bundle(tiles.unbundle(rest, int(count))) == rest


def _bundles() -> Sequence[bytes]:
    return [b"%d\n" % count + tiles.bundle(tree().entries[:count]) for count in (1, 2, 40)]


def _paths() -> Sequence[bytes]:
    found = [
        tiles.Tile(level, index, width)
        for level in (-1, 0, 5, 63)
        for index in (0, 1_234_067)
        for width in (5, 256)
    ]
    return [tiles.path(tile).encode() for tile in found]


TARGETS = (
    Target("note", "signed notes", _notes, _note),
    Target("checkpoint", "signed checkpoints", _notes, _checkpoint),
    Target("receipt", "receipts (tlog-proof)", _receipts, _receipt),
    Target("vkey", "verifier keys", lambda: [key.vkey().encode() for key in _TRUSTED], _vkey),
    Target("path", "paths of tiles and bundles", _paths, _path),
    Target(
        "frontier",
        "encoded frontiers",
        lambda: [tree().frontier.encode(), Frontier.EMPTY.encode()],
        _frontier,
    ),
    Target("bundle", "entry bundles", _bundles, _bundle),
)
