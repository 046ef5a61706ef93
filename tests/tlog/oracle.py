"""A second, naive implementation: the literal recursion of RFC 6962 and the formats spelled out by hand.

It imports nothing of Deploytrail. `python -m tests.tlog.oracle` prints tests/tlog/vectors.json, with the same
keys as the shared vectors; a test demands that the committed file is what it prints.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

Leaves = tuple[bytes, ...]

ORIGIN = "log.example.org/own-vectors"
WITNESS = "witness.example.org/w"
SIZES = (*range(18), 31, 32, 33, 255, 256, 257, 511, 512, 513, 600)
TREES = (0, 1, 2, 255, 256, 257, 600)
SMALL = range(1, 10)
TIME = 1_700_000_000
# ML-DSA signatures are randomised, so one of many is kept: `python -m tests.tlog.oracle line` prints another.
MLDSA_LINE = Path(__file__).with_name("mldsa-line.txt")


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def mth(leaves: Leaves) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    n = len(leaves)
    if n == 0:
        return sha(b"")
    if n == 1:
        return leaves[0]
    k = split(n)
    return sha(b"\x01", mth(leaves[:k]), mth(leaves[k:]))


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def inclusion(m: int, leaves: Leaves) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    n = len(leaves)
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return [*inclusion(m, leaves[:k]), mth(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), mth(leaves[:k])]


def consistency(m: int, leaves: Leaves) -> list[bytes]:
    """PROOF of RFC 6962, section 2.1.2."""
    return [] if m in (0, len(leaves)) else subproof(m, leaves, True)


def subproof(m: int, leaves: Leaves, whole: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if whole else [mth(leaves)]
    k = split(n)
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def tile_path(level: str, index: int, width: int) -> str:
    """The path of tlog-tiles, written from the digits of the index."""
    digits = str(index).zfill((len(str(index)) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < 256 else "")


def files(entries: list[bytes]) -> dict[str, bytes]:
    """Every tile and bundle of the tree over these entries, by path, straight from the definition:
    hash i of tile (L, N) is MTH(D[(N*256+i) * 256^L : (N*256+i+1) * 256^L])."""
    leaves = tuple(sha(b"\x00", entry) for entry in entries)
    found: dict[str, bytes] = {}
    level = 0
    while (span := 256**level) <= len(leaves):
        row = [mth(leaves[at * span : (at + 1) * span]) for at in range(len(leaves) // span)]
        for index in range(0, len(row), 256):
            part = row[index : index + 256]
            found[tile_path(str(level), index // 256, len(part))] = b"".join(part)
        level += 1
    for index in range(0, len(entries), 256):
        bundled = entries[index : index + 256]
        data = b"".join(len(entry).to_bytes(2, "big") + entry for entry in bundled)
        found[tile_path("entries", index // 256, len(bundled))] = data
    return found


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Key:
    """A key of signed-note, by hand."""

    def __init__(self, name: str, seed: bytes, kind: int) -> None:
        self.name, self.seed, self.kind = name, seed, kind
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes_raw()
        self.id = sha(name.encode(), b"\n", bytes([kind]), self.public)[:4]

    def line(self, message: str, before: bytes = b"") -> str:
        return f"\u2014 {self.name} {b64(self.id + before + self.private.sign(message.encode()))}\n"

    def facts(self) -> dict[str, str]:
        return {
            "name": self.name,
            "seed_hex": self.seed.hex(),
            "public_hex": self.public.hex(),
            "key_id_hex": self.id.hex(),
            "vkey": f"{self.name}+{self.id.hex()}+{b64(bytes([self.kind]) + self.public)}",
        }


ENTRIES = [f"E{i}".encode() for i in range(max(SIZES))]


def mldsa_key() -> tuple[MLDSA44PrivateKey, bytes, bytes]:
    """The private key, its key ID under ORIGIN, and type and public key."""
    private = MLDSA44PrivateKey.from_seed_bytes(bytes(range(128, 160)))
    public = b"\x06" + private.public_key().public_bytes_raw()
    return private, sha(ORIGIN.encode(), b"\n", public)[:4], public


def mldsa_message() -> bytes:
    """What a log signs of its own checkpoint of 8 (tlog-cosignature)."""
    name = bytes([len(ORIGIN)]) + ORIGIN.encode()
    root = mth(tuple(sha(b"\x00", entry) for entry in ENTRIES[:8]))
    start_and_end = (0).to_bytes(8, "big") + (8).to_bytes(8, "big")
    return b"subtree/v1\n\x00" + name + TIME.to_bytes(8, "big") + name + start_and_end + root


def mldsa_line() -> str:
    private, key_id, _ = mldsa_key()
    signature = TIME.to_bytes(8, "big") + private.sign(mldsa_message())
    return f"\u2014 {ORIGIN} {b64(key_id + signature)}\n"


def mldsa() -> dict[str, Any]:
    _, key_id, public = mldsa_key()
    vkey = f"{ORIGIN}+{key_id.hex()}+{b64(public)}"
    return {
        "seed_hex": bytes(range(128, 160)).hex(),
        "public_sha256": sha(public[1:]).hex(),
        "key_id_hex": key_id.hex(),
        "vkey_sha256": sha(vkey.encode()).hex(),
        "vkey_length": len(vkey),
        "cosigned_message_hex": mldsa_message().hex(),
        "one_valid_line_of_many": MLDSA_LINE.read_text(encoding="utf-8"),
    }


def vectors() -> dict[str, Any]:
    entries = ENTRIES
    leaves = tuple(sha(b"\x00", entry) for entry in entries)
    log, witness = Key(ORIGIN, bytes(range(64, 96)), 1), Key(WITNESS, bytes(range(96, 128)), 4)

    def text(size: int) -> str:
        return f"{ORIGIN}\n{size}\n{b64(mth(leaves[:size]))}\n"

    def checkpoint(size: int) -> str:
        return f"{text(size)}\n{log.line(text(size))}"

    def hexes(hashes: list[bytes]) -> list[str]:
        return [hash.hex() for hash in hashes]

    cosigned_message = f"cosignature/v1\ntime {TIME}\n{text(8)}"
    cosignature = witness.line(cosigned_message, TIME.to_bytes(8, "big"))
    committed = '{"actor":{"email":{"c":"A6KBlfAKR/3HJXRt5jZSbQ5GOJ2obUTr/hMMf/2KowU="}},"v":1}'
    pairs = [(m, n) for n in SMALL for m in range(n)] + [(0, 600), (255, 600), (256, 600), (599, 600)]
    growths = [(m, n) for n in SMALL for m in range(1, n + 1)] + [
        (255, 256),
        (256, 257),
        (300, 600),
        (599, 600),
    ]
    plain = "deploy 7 approved\n\nwith an empty line inside\n"
    growth = "".join(b64(hash) + "\n" for hash in consistency(3, leaves[:7]))
    proof = "".join(b64(hash) + "\n" for hash in inclusion(5, leaves[:8]))
    return {
        "about": "printed by python -m tests.tlog.oracle; entries are the ASCII bytes E0, E1, ...",
        "entry_prefix": "E",
        "leaf_hashes": {str(i): leaves[i].hex() for i in range(9)},
        "roots": {str(n): {"hex": mth(leaves[:n]).hex(), "base64": b64(mth(leaves[:n]))} for n in SIZES},
        "inclusion": [
            {"index": m, "size": n, "leaf_hash": leaves[m].hex(), "proof": hexes(inclusion(m, leaves[:n]))}
            for m, n in pairs
        ],
        "consistency": [{"old": m, "new": n, "proof": hexes(consistency(m, leaves[:n]))} for m, n in growths],
        "tile_paths": [
            {"level": level, "index": index, "width": width, "path": tile_path(str(level), index, width)}
            for level in (0, 1, 9, 10, 63, "entries")
            for index in (0, 7, 999, 1000, 1234067, 999_999, 1_000_000, 2**62)
            for width in (1, 112, 255, 256)
        ],
        "tree_files": {
            str(size): {
                path: {"bytes": len(data), "sha256": sha(data).hex()}
                for path, data in files(entries[:size]).items()
            }
            for size in TREES
        },
        # Of 70,000 leaves: 274 tiles at level 0, over them 273 hashes, over them 1.
        "tree_files_count_70000": {"level 0": 274, "level 1": 2, "level 2": 1, "entries": 274},
        "bundle_8_hex": files(entries[:8])["tile/entries/000.p/8"].hex(),
        "log_key": log.facts(),
        "witness_key": witness.facts(),
        **{f"checkpoint_{size}": checkpoint(size) for size in (0, 3, 7, 8)},
        "cosignature_8": {"time": TIME, "signed_message": cosigned_message, "line": cosignature},
        "checkpoint_8_cosigned": checkpoint(8) + cosignature,
        "add_checkpoint_3_to_7": f"old 3\n{growth}\n{checkpoint(7)}",
        "tlog_proof_5_of_8": f"c2sp.org/tlog-proof@v1\nindex 5\n{proof}\n{checkpoint(8)}{cosignature}",
        "ml_dsa_44": mldsa(),
        "salted_commitment": {"entry": committed, "leaf_hash": sha(b"\x00", committed.encode()).hex()},
        "plain_note": {"text": plain, "note": f"{plain}\n{log.line(plain)}"},
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["line"]:
        print(mldsa_line(), end="")
    else:
        print(json.dumps(vectors(), indent=1, ensure_ascii=False))
