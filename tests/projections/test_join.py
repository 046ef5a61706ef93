"""The rule of joining, as a table of cases in plain words."""

import pytest

from deploytrail.projections.join import MINUTE, NAMED_WINDOW, WINDOW, Side, join
from tests.projections.telling import DIGEST, NOON, OTHER, SHA


def side(source: str = "hub", name: str = "1", start: int = NOON, **fields: object) -> Side:
    given = {"service": "checkout", "environment": "production", "end": start, **fields}
    return Side(source=source, name=name, start=start, **given)  # type: ignore[arg-type]


HUB = side("hub", "77", commits=(SHA,))

JOINED = [
    ("the same commit at the same time", side("cli", "a", commits=(SHA,)), HUB, "the same commit 4f2c81e"),
    (
        "the same commit, 30 minutes apart",
        side("cli", "a", NOON + WINDOW, commits=(SHA,)),
        HUB,
        "the same commit 4f2c81e, 30 min apart",
    ),
    (
        "a shortened commit",
        side("lab", "a", commits=(SHA[:8],)),
        HUB,
        "the same commit 4f2c81e, at the same time",
    ),
    (
        "one of several commits",
        side("cli", "a", commits=(OTHER, SHA)),
        HUB,
        "the same commit 4f2c81e, at the same time",
    ),
    (
        "within the time that the other covers",
        side("cli", "a", NOON + 3 * WINDOW, commits=(SHA,)),
        side("hub", "77", NOON, end=NOON + 4 * WINDOW, commits=(SHA,)),
        "the same commit 4f2c81e, at the same time",
    ),
    (
        "the same digest, whatever the commits",
        side("cli", "a", NOON + 40_000, digest=DIGEST, commits=(OTHER,)),
        side("hub", "77", digest=DIGEST, commits=(SHA,)),
        "the same digest, less than a minute apart",
    ),
    (
        "the same name, days apart",
        side("cli", "77", NOON + NAMED_WINDOW),
        HUB,
        "both name the deployment 77",
    ),
]

SEPARATE = [
    ("another service", side("cli", "a", commits=(SHA,), service="mailer"), HUB),
    ("another environment", side("cli", "a", commits=(SHA,), environment="staging"), HUB),
    ("30 minutes and a bit", side("cli", "a", NOON + WINDOW + 1, commits=(SHA,)), HUB),
    ("another commit", side("cli", "a", commits=(OTHER,)), HUB),
    ("nothing in common", side("cli", "a"), side("hub", "77")),
    ("a commit too short to tell", side("cli", "a", commits=(SHA[:6],)), HUB),
    ("one source that names two", side("hub", "78", commits=(SHA,)), HUB),
    (
        "the same commit, other bytes",
        side("cli", "a", digest="sha256:" + "00" * 32, commits=(SHA,)),
        side("hub", "77", digest=DIGEST, commits=(SHA,)),
    ),
    ("the same name, other commits", side("cli", "77", commits=(OTHER,)), HUB),
    ("the same name, weeks apart", side("cli", "77", NOON + NAMED_WINDOW + MINUTE), HUB),
    ("separated before", side("cli", "a", commits=(SHA,), apart=True), HUB),
    ("separated before, the other", side("cli", "a", commits=(SHA,)), HUB._replace(apart=True)),
]


@pytest.mark.parametrize(
    ("report", "other", "why"), [case[1:] for case in JOINED], ids=[c[0] for c in JOINED]
)
def test_joined(report: Side, other: Side, why: str) -> None:
    found = join(report, [other])
    assert found is not None
    assert found.startswith(why)


@pytest.mark.parametrize(("report", "other"), [case[1:] for case in SEPARATE], ids=[c[0] for c in SEPARATE])
def test_not_joined(report: Side, other: Side) -> None:
    assert join(report, [other]) is None


def test_one_contradiction_among_the_others_is_enough() -> None:
    report = side("cli", "a", commits=(SHA,))
    assert join(report, [HUB, side("watcher", "x")]) is not None
    assert join(report, [HUB, side("cli", "b", commits=(SHA,))]) is None


@pytest.mark.parametrize(("one", "other"), [(c[1], c[2]) for c in JOINED], ids=[c[0] for c in JOINED])
def test_the_rule_has_no_direction(one: Side, other: Side) -> None:
    assert join(other, [one]) == join(one, [other])
