"""GitHub's deliveries, authentic but altered: read into facts that can be sealed, or refused as unreadable.

An input is header lines, an empty line, and the body; it is signed as it stands.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from deploytrail.errors import Refused
from deploytrail.facts import entry
from deploytrail.intake.delivery import Delivery, Unreadable
from deploytrail.intake.github import GitHub
from tests.fuzz.mutate import mutated, mutated_json
from tests.fuzz.seeds import sealed
from tests.fuzz.target import Target
from tests.intake.deliveries import RECEIVED, SECRET, own_samples

_HEAD = "x-github-event: {}\nx-github-delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\ncontent-type: {}"


@cache
def _seeds() -> list[bytes]:
    found = []
    for number, one in enumerate(own_samples()):
        form = number % 7 == 0
        head = _HEAD.format(one.event, "application/x-www-form-urlencoded" if form else "application/json")
        found.append(head.encode() + b"\n\n" + (_form(one.body) if form else one.body))
    return found


def _form(body: bytes) -> bytes:
    return b"payload=" + body.replace(b"%", b"%25").replace(b"+", b"%2B").replace(b"&", b"%26")


def _altered(data: bytes, chance: Random, pool: Sequence[bytes]) -> bytes:
    """Mostly the body alone; now and then the headers, or another event's body behind these headers."""
    head, _, body = data.partition(b"\n\n")
    turn = chance.random()
    if turn < 0.05:
        return mutated(head, chance, pool).replace(b"\n\n", b"\n") + b"\n\n" + body
    if turn < 0.10:
        return head + b"\n\n" + chance.choice(pool).partition(b"\n\n")[2]
    return head + b"\n\n" + mutated_json(body, chance, pool)


def _delivery(data: bytes) -> Delivery:
    head, _, body = data.partition(b"\n\n")
    # As a server decodes header bytes: Latin-1, names in lower case.
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\n")]
    headers = {name.lower(): value for name, _, value in lines}
    headers["x-hub-signature-256"] = "sha256=" + hmac.digest(SECRET, body, "sha256").hex()
    return Delivery(source="our-github", headers=headers, body=body, received_at=RECEIVED)


def _held(data: bytes) -> None:
    source, delivery = GitHub(), _delivery(data)
    source.authenticate(delivery, [SECRET])
    assert _code(lambda: source.authenticate(delivery, [b"another secret"])) == "unauthenticated"
    try:
        reading = source.read(delivery)
    except Unreadable as unreadable:
        _demand_named(unreadable)
        raise
    except Refused as refusal:
        raise AssertionError("an authentic delivery may only be unreadable") from refusal
    assert reading.drafts or reading.reason
    for draft in reading.drafts:
        assert draft.source == "our-github"
        # The codes on which the receiver sets the delivery aside.
        assert _code(lambda: entry.check(sealed(draft).entry)) in (None, "bad-input", "too-large")  # noqa: B023


def _code(doing: Callable[[], object]) -> str | None:
    """With which code something is refused, if it is."""
    try:
        doing()
    except Refused as refusal:
        return refusal.code
    return None


def _demand_named(unreadable: Unreadable) -> None:
    assert 0 < len(unreadable.event) <= 60
    assert len(unreadable.delivery_id or "") <= 80


TARGET = Target("github", "authentic deliveries of GitHub", _seeds, _held, _altered)
