"""Generated facts: plausible ones that collide with each other, and hostile ones of any shape."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from deploytrail.facts.entry import Entry
from deploytrail.facts.kinds import KINDS
from tests.projections.telling import MINUTE, NOON, OTHER, SHA, THIRD, entry, raw

SOURCES = ["hub", "cli", "ops"]
# Most facts meet in one place.
SERVICES = ["checkout", "checkout", "checkout", "checkout", "cart", "mailer"]
ENVIRONMENTS = ["production", "production", "production", "production", "prd", "staging"]
OUTCOMES = ["succeeded", "succeeded", "succeeded", "failed", "cancelled"]
REPOSITORIES = ["example.org/shop/checkout", "shop/checkout", "example.org/shop/mailer"]
SHAS = [SHA, OTHER, THIRD, SHA[:8]]
LOGINS = ["ada", "ben", "cleo"]

times = st.integers(-90, 90).map(lambda n: NOON + n * MINUTE)
logins = st.sampled_from(LOGINS)
people = st.fixed_dictionaries({"login": logins})


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def reports(draw: st.DrawFn) -> Entry:
    """One report of a deployment, whose names, times and commits are few enough to meet again."""
    kind = draw(st.sampled_from(["started", "step", "finished", "finished", "finished"]))
    fields = draw(
        _optional(
            version=st.sampled_from(["1", "2", "3"]),
            commits=st.lists(
                st.fixed_dictionaries(
                    {"sha": st.sampled_from(SHAS), "repository": st.sampled_from(REPOSITORIES)}
                ),
                max_size=2,
            ),
            repository=st.sampled_from(REPOSITORIES),
            type=st.sampled_from(["rollback", "hotfix"]),
            status=st.sampled_from(["queued", "in_progress"]),
            creator=people,
        )
    )
    if draw(st.integers(0, 3)) == 0:
        fields["artifact"] = draw(st.sampled_from(["sha256:00112233", "sha256:44556677"]))
    if kind == "finished":
        fields["outcome"] = draw(st.sampled_from(OUTCOMES))
    at = draw(times)
    return entry(
        f"deployment.{kind}",
        at,
        source=draw(st.sampled_from(SOURCES)),
        actor=draw(st.none() | logins),
        received_at=max(at, NOON) + draw(st.sampled_from([0, MINUTE])),
        deployment=draw(st.sampled_from(["1", "2", "3", "4", "5", "6"])),
        service=draw(st.sampled_from(SERVICES)),
        environment=draw(st.sampled_from(ENVIRONMENTS)),
        **fields,
    )


@st.composite
def others(draw: st.DrawFn) -> Entry:
    """A fact that changes what reports mean, or stands beside them."""
    kind = draw(
        st.sampled_from(
            [
                "service.removed",
                "environment.declared",
                "service.declared",
                "reports.separated",
                "reports.separated",
                "commit.pushed",
                "change.merged",
                "change.reviewed",
                "check.finished",
                "subject.erased",
                "delivery.set_aside",
                "job.started",
            ]
        )
    )
    repository = draw(st.sampled_from(REPOSITORIES))
    sha = draw(st.sampled_from(SHAS[:3]))
    service, environment = draw(st.sampled_from(SERVICES)), draw(st.sampled_from(ENVIRONMENTS))
    number = draw(st.integers(1, 3))
    fields: dict[str, dict[str, Any]] = {
        "service.removed": {"service": service, "environment": environment},
        "environment.declared": {
            "environment": environment,
            "type": "production",
            "aliases": draw(st.lists(st.sampled_from(ENVIRONMENTS), max_size=2)),
        },
        "service.declared": {
            "service": service,
            "aliases": draw(st.lists(st.sampled_from(SERVICES), max_size=2)),
            "repositories": draw(st.lists(st.sampled_from(REPOSITORIES), max_size=2)),
        },
        "reports.separated": {
            "deployment": str(draw(st.integers(0, 20))),
            "index": draw(st.integers(0, 20)),
        },
        "commit.pushed": {
            "repository": repository,
            "ref": "refs/heads/main",
            "before": draw(st.sampled_from(SHAS[:3])),
            "after": sha,
            "commits": [{"sha": sha, "author": {"login": draw(logins)}, "title": "Change it"}],
        },
        "change.merged": {"repository": repository, "number": number, "sha": sha, "title": "Change it"},
        "change.reviewed": {
            "repository": repository,
            "number": number,
            "verdict": draw(st.sampled_from(["approved", "dismissed"])),
            "reviewer": {"login": draw(logins)},
        },
        "check.finished": {"repository": repository, "sha": sha, "name": "unit", "outcome": "passed"},
        "subject.erased": {"subject": f"s_{draw(logins)}", "ground": "asked", "entries": 1, "deliveries": 0},
        "delivery.set_aside": {"event": "star", "size": 1, "commitment": "c", "reason": "unknown"},
        "job.started": {
            "repository": repository,
            "run": "1",
            "job": "2",
            "deployment": "1",
            "environment": environment,
        },
    }
    at = draw(times)
    return entry(kind, at, received_at=max(at, NOON), **fields[kind])


plausible = st.lists(reports() | reports() | reports() | others(), max_size=30)

# Anything that canonical JSON can hold, with the field names and values that folds look for.
_NAMES = sorted(
    {name for kind in KINDS.values() for name in kind.body.__struct_fields__} | {"id", "c", "login"}
)
_LEAVES = (
    st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(max_size=8)
    | st.sampled_from([*SHAS, *SERVICES, *REPOSITORIES, "0" * 40, "s_ada", "2026-03-17T12:00:00Z", "\x00"])
)
values = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def hostile(draw: st.DrawFn) -> Entry:
    """An entry that reads as one and holds anything at all."""
    kind = draw(st.sampled_from(sorted(KINDS)) | st.text("ax-.", min_size=1, max_size=6))
    data = draw(st.dictionaries(st.sampled_from(_NAMES), values, max_size=10))
    envelope: dict[str, Any] = {}
    if draw(st.booleans()):
        envelope["actor"] = draw(st.dictionaries(st.sampled_from(["id", "bot", "login"]), values, max_size=3))
    when = st.sampled_from(
        ["2026-03-17T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "", "x"]
    )
    if draw(st.booleans()):
        envelope["occurred_at"] = draw(when)
    return raw(kind, data, received_at=draw(when), v=draw(st.integers(0, 9)), **envelope)
