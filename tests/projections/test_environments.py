"""What runs where, what it replaced, and whether it went forward or back."""

import pytest

from deploytrail.projections.environments import MEMBER_LISTS, PLACES, WINDOW
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD, Telling

HOUR = 60 * MINUTE


def versions(t: Telling) -> list[str | None]:
    """The versions that ran in the place, in order, by following what each replaced."""
    current = t.place().current
    assert current is not None
    row, found = t.deployment(current), []
    while True:
        found.append(row.version)
        if row.replaced is None:
            return found[::-1]
        earlier = t.deployment(row.replaced)
        assert t.replaced_by(earlier.key) == row.key
        row = earlier


def test_a_later_success_replaces() -> None:
    t = Telling()
    one = t.deploy("1", version="1.0", sha=SHA, actor="ada")
    two = t.deploy("2", NOON + HOUR, version="1.1", sha=OTHER, actor="ben")
    place = t.place()
    assert (place.current, place.version, place.actor, place.since) == (
        two,
        "1.1",
        "s_ben",
        NOON + HOUR,
    )
    assert t.deployment(two).replaced == one
    assert t.replaced_by(one) == two
    assert t.deployment(two).type == "forward"


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "odd", None])
def test_what_did_not_succeed_replaces_nothing(outcome: str | None) -> None:
    t = Telling()
    one = t.deploy("1", version="1.0")
    two = t.deploy("2", NOON + HOUR, version="1.1", outcome=outcome)
    assert t.place().current == one
    assert t.place().attempt == two
    # What it would have replaced is known all the same.
    assert t.deployment(two).replaced == one


TYPES = [
    # What ran before, oldest first; what is deployed; the type.
    ("nothing ran", [], {"version": "1"}, "forward"),
    ("a new version", [{"version": "1"}], {"version": "2"}, "forward"),
    ("the version before", [{"version": "1"}, {"version": "2"}], {"version": "1"}, "rollback"),
    (
        "a version from long ago",
        [{"version": "1"}, {"version": "2"}, {"version": "3"}],
        {"version": "1"},
        "rollback",
    ),
    ("what runs", [{"version": "1"}, {"version": "2"}], {"version": "2"}, "redeploy"),
    ("an earlier commit", [{"sha": SHA}, {"sha": OTHER}], {"sha": SHA}, "rollback"),
    ("an earlier digest", [{"artifact": DIGEST}, {"sha": OTHER}], {"artifact": DIGEST}, "rollback"),
    (
        "an earlier name for other bytes",
        [{"version": "latest", "sha": SHA}, {"version": "latest", "sha": OTHER}],
        {"version": "latest", "sha": THIRD},
        "forward",
    ),
    (
        "another name for the same commit",
        [{"version": "1", "sha": SHA}],
        {"version": "2", "sha": SHA},
        "redeploy",
    ),
    ("nothing is told", [{}], {}, "forward"),
    ("told types win", [{"version": "1"}], {"version": "2", "type": "hotfix"}, "hotfix"),
    ("told rollback", [], {"version": "2", "type": "Rollback"}, "rollback"),
    ("an unknown type says nothing", [{"version": "1"}], {"version": "1", "type": "odd"}, "redeploy"),
]


@pytest.mark.parametrize(("before", "now", "type_"), [c[1:] for c in TYPES], ids=[c[0] for c in TYPES])
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_forward_rollback_redeploy(
    before: list[dict[str, str]], now: dict[str, str], type_: str, outcome: str
) -> None:
    t = Telling()
    for n, fields in enumerate(before):
        t.deploy(str(n), NOON + n * HOUR, **fields)
    last = t.deploy("last", NOON + 99 * HOUR, outcome=outcome, **now)
    assert t.deployment(last).type == type_


def test_a_failed_version_did_not_run() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.deploy("2", NOON + HOUR, version="2", outcome="failed")
    again = t.deploy("3", NOON + 2 * HOUR, version="2")
    assert t.deployment(again).type == "forward"


def test_a_rollback_is_known_while_it_runs() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.deploy("2", NOON + HOUR, version="2")
    back = t.deploy("3", NOON + 2 * HOUR, kind="started", version="1")
    assert t.deployment(back).type == "rollback"
    t.deploy("3", NOON + 3 * HOUR)
    assert (t.deployment(back).type, t.place().type, t.place().version) == ("rollback", "rollback", "1")


def test_years_old_reports_replace_nothing_newer() -> None:
    t = Telling()
    t.deploy("live", version="9")
    for n in range(40):
        at = NOON - (1000 - n) * HOUR
        t.deploy(f"old-{n}", at, version=f"{n // 10}.{n}", received_at=NOON + MINUTE)
        assert t.place().version == "9"
    assert versions(t) == [f"{n // 10}.{n}" for n in range(40)] + ["9"]


def test_out_of_order_reports_find_their_place() -> None:
    order = [3, 0, 4, 1, 2]
    t = Telling()
    for n in order:
        t.deploy(str(n), NOON + n * HOUR, version=str(n), received_at=NOON + 9 * HOUR)
    assert versions(t) == ["0", "1", "2", "3", "4"]
    assert {row.type for row in t.deployments()} == {"forward"}


def test_a_late_report_between_two_changes_what_the_next_one_was() -> None:
    t = Telling()
    t.deploy("1", NOON, version="1")
    two = t.deploy("2", NOON + 2 * HOUR, version="1")
    assert t.deployment(two).type == "redeploy"
    t.deploy("late", NOON + HOUR, version="2", received_at=NOON + 3 * HOUR)
    assert t.deployment(two).type == "rollback"
    assert versions(t) == ["1", "2", "1"]


def test_of_two_at_the_same_time_the_later_entry_runs() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.deploy("2", version="2")
    assert t.place().version == "2"


def test_a_time_in_the_future_does_not_run_for_ever() -> None:
    t = Telling()
    t.deploy("1", NOON + 9999 * HOUR, version="future", received_at=NOON)
    t.deploy("2", NOON + HOUR, version="2")
    assert t.place().version == "2"


def test_what_is_older_than_all_that_is_remembered_finds_no_place() -> None:
    t = Telling()
    for n in range(WINDOW + 1):
        t.deploy(str(n), NOON + n * HOUR, version=str(n))
    late = t.deploy("late", NOON - HOUR, version="late", received_at=NOON + 99 * HOUR)
    row = t.deployment(late)
    assert (row.replaced, t.replaced_by(late), row.status) == (None, None, "succeeded")
    assert versions(t) == [str(n) for n in range(WINDOW + 1)]


def test_when_all_that_is_remembered_turns_out_failed_the_one_before_runs() -> None:
    t = Telling()
    for n in range(WINDOW + 2):
        t.deploy(str(n), NOON + n * HOUR, version=str(n))
    for n in range(WINDOW + 1, 0, -1):
        t.deploy(str(n), NOON + (99 - n) * HOUR, outcome="failed")
    assert versions(t) == ["0"]


def test_what_is_older_than_the_one_before_all_that_is_remembered_finds_no_place() -> None:
    t = Telling()
    for n in range(WINDOW + 2):
        t.deploy(str(n), NOON + n * HOUR, version=str(n))
    # Now there is room again, but what ran in between is not remembered in order.
    t.deploy(str(WINDOW), NOON + 99 * HOUR, outcome="failed")
    old = t.deploy("old", NOON - HOUR, version="old", received_at=NOON + 100 * HOUR)
    assert t.replaced_by(old) is None
    between = t.deploy("between", NOON + HOUR + MINUTE, version="1b", received_at=NOON + 100 * HOUR)
    assert t.deployment(between).replaced == 1
    assert versions(t) == ["0", "1", "1b", *(str(n) for n in range(2, WINDOW)), str(WINDOW + 1)]


def test_a_success_that_turns_out_failed_gives_way() -> None:
    t = Telling()
    one = t.deploy("1", version="1")
    two = t.deploy("2", NOON + HOUR, version="2")
    three = t.deploy("3", NOON + 2 * HOUR, version="3")
    t.deploy("2", NOON + 3 * HOUR, outcome="failed")
    assert versions(t) == ["1", "3"]
    assert t.deployment(three).replaced == one
    t.deploy("3", NOON + 4 * HOUR, outcome="failed")
    assert t.place().current == one
    # It never ran, so coming to it later is no way back.
    again = t.deploy("4", NOON + 5 * HOUR, version="2")
    assert t.deployment(again).type == "forward"
    assert t.deployment(two).status == "failed"


def test_places_do_not_mix() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.deploy("2", NOON + HOUR, version="2", environment="staging")
    other = t.deploy("3", NOON + HOUR, version="1", service="mailer")
    assert t.place().version == "1"
    assert t.place(environment="staging").version == "2"
    assert t.deployment(other).type == "forward"


def test_a_removed_service_runs_no_more_until_it_is_deployed_again() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.tell("service.removed", NOON + HOUR, service="checkout", environment="production")
    assert (t.place().current, t.place().removed_at) == (None, NOON + HOUR)
    # Told late, from before the removal.
    t.deploy("2", NOON + MINUTE, version="2", received_at=NOON + 2 * HOUR)
    assert t.place().current is None
    t.deploy("3", NOON + 3 * HOUR, version="3")
    assert t.place().version == "3"


def test_an_old_removal_told_late_removes_nothing() -> None:
    t = Telling()
    t.deploy("1", version="1")
    t.tell(
        "service.removed", NOON - HOUR, service="checkout", environment="production", received_at=NOON + HOUR
    )
    assert t.place().version == "1"


def test_the_newest_attempt() -> None:
    t = Telling()
    t.deploy("1", version="1")
    two = t.deploy("2", NOON + HOUR, kind="started", version="2")
    assert (t.place().attempt, t.place().attempt_status) == (two, "running")
    t.deploy("2", NOON + 2 * HOUR, kind="step", status="waiting")
    assert t.place().attempt_status == "waiting"
    t.deploy("2", NOON + 3 * HOUR, outcome="failed")
    assert (t.place().attempt_status, t.place().version) == ("failed", "1")


def test_an_environment_declared_late_takes_in_what_was_told_under_its_alias() -> None:
    t = Telling()
    t.deploy("1", version="1", environment="prd", sha=SHA)
    t.deploy("2", NOON + HOUR, version="2", environment="production", sha=OTHER)
    t.deploy("3", NOON + 2 * HOUR, version="1", environment="prd", sha=SHA)
    t.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    assert versions(t) == ["1", "2", "1"]
    assert t.place().type == "rollback"
    assert t.get(PLACES, "prd", "checkout") is None
    assert t.get(MEMBER_LISTS, "prd") is None
    t.deploy("4", NOON + 3 * HOUR, version="4", environment="PRD")
    assert t.place().version == "4"


def test_a_name_declared_late_takes_in_other_spellings_of_itself() -> None:
    t = Telling()
    t.deploy("1", version="1", service="Checkout", environment="Production", repository="x/Checkout")
    t.tell("environment.declared", environment="production", type="production")
    assert t.place("Checkout").version == "1"
    t.tell("service.declared", service="shop", repositories=["x/checkout"])
    assert t.place("shop").version == "1"


def test_a_service_declared_late_takes_in_its_aliases_and_its_repositorys_name() -> None:
    t = Telling()
    t.deploy("1", version="1", service="checkout-old")
    t.deploy("2", NOON + HOUR, version="2", service="checkout", repository=REPOSITORY)
    t.deploy("3", NOON + 2 * HOUR, version="x", service="checkout", source="other", environment="staging")
    t.tell(
        "service.declared",
        service="shop-checkout",
        aliases=["checkout-old"],
        repositories=["shop/checkout"],
    )
    assert t.place("shop-checkout").version == "2"
    assert t.deployment(1).replaced == 0
    # What came from no known repository may be another service.
    assert t.place("checkout", "staging").version == "x"


def test_a_removal_moves_along_with_a_late_declaration() -> None:
    t = Telling()
    t.deploy("1", version="1", environment="prd")
    t.tell("service.removed", NOON + HOUR, service="checkout", environment="prd")
    t.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    assert t.place().current is None
    assert t.place().removed_at == NOON + HOUR
