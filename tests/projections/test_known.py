"""What a service knows by one digest, commit, version or name."""

from deploytrail.projections.known import EARLIEST, ENVIRONMENTS, NEWEST, Known, known_key, mark_of


def test_reports_are_known_by_environment_oldest_first() -> None:
    known = Known.begun(1, 10, "production").and_(11, "staging").and_(12, "production")
    assert known.of("production") == (10, 12)
    assert known.of("staging") == (11,)
    assert known.of("canary") == ()


def test_a_report_is_known_once() -> None:
    known = Known.begun(1, 10, "production").and_(11, "production").and_(10, "production")
    assert known.of("production") == (11, 10)


def test_of_many_reports_the_earliest_and_the_newest_are_known() -> None:
    known = Known.begun(1, 0, "production")
    for report in range(1, 100):
        known = known.and_(report, "production")
    assert known.of("production") == (*range(EARLIEST), *range(100 - NEWEST, 100))


def test_of_many_environments_the_newest_are_known() -> None:
    names = [f"preview-{n}" for n in range(200)]
    known = Known.begun(1, 0, names[0])
    for report, name in enumerate(names[1:], start=1):
        known = known.and_(report, name)
    assert len(known.told) == ENVIRONMENTS + 1
    assert 199 in known.of(names[-1])
    assert 0 not in known.of(names[0])


def test_keys_and_marks_stay_what_they_are() -> None:
    # Rows of other files hold them.
    assert known_key("checkout", "version:1") == known_key("checkout", "version:1")
    assert -(2**63) <= known_key("checkout", "version:1") < 2**63
    assert known_key("checkout", "version:1") != known_key("checkout", "version:2")
    assert 0 <= mark_of("production") < 2**16
