"""Authentic or not: X-Hub-Signature-256 over the raw bytes, under any of the live secrets."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from deploytrail.errors import Refused
from deploytrail.intake.delivery import Delivery
from deploytrail.intake.github import GitHub
from tests.intake.deliveries import RECEIVED, SECRET, SHARED, delivery, samples

OTHER = b"the secret from before"

# GitHub's documented vector.
VECTOR = (
    b"It's a Secret to Everybody",
    b"Hello, World!",
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
)


def _vectors() -> list[tuple[bytes, bytes, str]]:
    path = SHARED / "synthetic" / "signature-vectors.json"
    told = json.loads(path.read_bytes()) if path.exists() else []
    of_github = [one for one in told if one["scheme"].startswith("github")]
    return [VECTOR, *((one["secret"].encode(), one["body"].encode(), one["header"]) for one in of_github)]


def _signed(body: bytes, header: str | None) -> Delivery:
    headers = {} if header is None else {"x-hub-signature-256": header}
    return Delivery(source="our-github", headers=headers, body=body, received_at=RECEIVED)


def _refused(one: Delivery, *secrets: bytes) -> str:
    with pytest.raises(Refused) as caught:
        GitHub().authenticate(one, secrets)
    assert caught.value.code == "unauthenticated"
    return caught.value.words


@pytest.mark.parametrize(("secret", "body", "header"), _vectors())
def test_known_vectors_are_authentic(secret: bytes, body: bytes, header: str) -> None:
    GitHub().authenticate(_signed(body, header), [secret])
    _refused(_signed(body + b"!", header), secret)
    _refused(_signed(body, header), secret + b"x")


def test_every_sample_is_authentic_and_one_flipped_byte_is_not() -> None:
    for one in samples():
        sent = delivery(one.event, one.body)
        GitHub().authenticate(sent, [SECRET])
        altered = bytes([one.body[0] ^ 1]) + one.body[1:]
        _refused(_signed(altered, sent.headers["x-hub-signature-256"]), SECRET)


@pytest.mark.parametrize("secrets", [[SECRET, OTHER], [OTHER, SECRET]])
def test_either_of_two_live_secrets_will_do(secrets: list[bytes]) -> None:
    GitHub().authenticate(delivery("ping", b"{}"), secrets)


def test_no_live_secret_authenticates_nothing() -> None:
    empty = "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    _refused(_signed(b"{}", empty))
    _refused(_signed(b"{}", empty), b"")


def test_a_missing_signature_is_refused_also_with_the_old_one() -> None:
    assert "X-Hub-Signature-256" in _refused(_signed(b"{}", None), SECRET)
    old = "sha1=" + hmac.new(SECRET, b"{}", hashlib.sha1).hexdigest()
    only_old = Delivery(
        source="our-github", headers={"x-hub-signature": old}, body=b"{}", received_at=RECEIVED
    )
    _refused(only_old, SECRET)
    _refused(_signed(b"{}", old), SECRET)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha256=xyz",
        "sha256=" + "0" * 63,
        "sha256=" + "0" * 65,
        "sha256=" + "0" * 62 + " 0",
        "sha256=" + "g" * 64,
        "sha256=" + "\u0660" * 64,
        "SHA256=" + "0" * 64,
        "0" * 64,
        "sha256=" + "0" * 64 + "\n",
    ],
)
def test_what_is_not_hexadecimal_is_refused(header: str) -> None:
    _refused(_signed(b"{}", header), SECRET)


def test_the_words_do_not_tell_the_right_signature() -> None:
    right = hmac.new(SECRET, b"{}", hashlib.sha256).hexdigest()
    words = _refused(_signed(b"{}", "sha256=" + "0" * 64), SECRET)
    assert right not in words
    assert SECRET.decode() not in words
