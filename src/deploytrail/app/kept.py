"""What is kept of a raw delivery, under a key of its own: the salt of its commitment, the headers by which it
is read, and the body. Authenticating headers are never among them.

    salt (32 bytes) | length of the headers (4 bytes, big-endian) | headers as JSON | body
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from deploytrail.app.ports import Chance, RawDelivery
from deploytrail.app.vault import Vault, decrypt, encrypt
from deploytrail.errors import Refused
from deploytrail.facts.sealing import SALT, commitment

_LENGTH: Final = 4
_KEY: Final = "delivery key"


class Kept(NamedTuple):
    """An opened raw delivery. `headers` have lower-case names."""

    salt: bytes
    headers: Mapping[str, str]
    body: bytes


def committed(salt: bytes, digest: bytes) -> str:
    """What an entry says of its delivery: a commitment to the SHA-256 of the body, in base64."""
    return b64encode(commitment(salt, "delivery", digest.hex())).decode()


def mac_of(vault: Vault, source: str, digest: bytes) -> bytes:
    """The keyed hash by which a body with this SHA-256 is known again, if the same source sends it."""
    return vault.mac("delivery", source.encode(), digest)


def id_mac_of(vault: Vault, source: str, delivery_id: str) -> bytes:
    """The keyed hash by which a source's id of a delivery is known again."""
    return vault.mac("delivery id", source.encode(), delivery_id.encode())


def keep(kept: Kept, source: str, key: bytes, vault: Vault, chance: Chance) -> tuple[bytes, bytes]:
    """The wrapped key and the sealed bytes of a raw delivery."""
    headers = msgspec.json.encode(kept.headers)
    plain = kept.salt + len(headers).to_bytes(_LENGTH, "big") + headers + kept.body
    return vault.seal(key, _KEY), encrypt(key, plain, source, chance)


def open_kept(raw: RawDelivery, vault: Vault) -> Kept:
    """What `keep` sealed. Refused("untrue") if it was altered."""
    plain = decrypt(vault.open(raw.key, _KEY), raw.sealed, raw.source)
    start = SALT + _LENGTH
    end = start + int.from_bytes(plain[SALT:start], "big")
    try:
        headers = msgspec.json.decode(plain[start:end], type=dict[str, str])
    except msgspec.DecodeError:
        raise Refused("untrue", "The headers of a kept delivery cannot be read.") from None
    return Kept(plain[:SALT], headers, plain[end:])
