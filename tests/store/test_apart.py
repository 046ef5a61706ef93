"""Jobs in other processes: the same answers in the same order, and a death that is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from deploytrail.app.fsck_part import Here
from deploytrail.app.ports import Apart
from deploytrail.errors import Refused
from deploytrail.store.apart import Spawned


def doubled(number: int) -> int:
    """A job that is refused for 13 and dies of 666."""
    if number == 13:
        raise Refused("untrue", "Not thirteen.")
    if number == 666:
        os._exit(9)
    return 2 * number


def counted(upto: int) -> Iterator[int]:
    """A stream of doubled numbers."""
    for number in range(upto):
        yield doubled(number)


def dying() -> Iterator[int]:
    """A stream that breaks off."""
    yield 1
    os._exit(9)


def who(_: int) -> int:
    """A job that says where it runs."""
    time.sleep(0.01)
    return os.getpid()


def endless(pid: int) -> Iterator[int]:
    """A stream that never ends by itself."""
    yield os.getpid()
    while True:
        time.sleep(0.01)


@pytest.fixture(params=[Here, lambda: Spawned(2)], ids=["here", "spawned"])
def apart(request: pytest.FixtureRequest) -> Iterator[Apart]:
    with request.param() as found:
        yield found


def test_answers_come_in_the_order_of_the_parts(apart: Apart) -> None:
    assert list(apart.each(doubled, range(50, 90))) == [2 * number for number in range(50, 90)]
    assert list(apart.each(doubled, iter([]))) == []


def test_a_stream_gives_one_thing_after_another(apart: Apart) -> None:
    assert list(apart.stream(counted, 10)) == [2 * number for number in range(10)]


def test_what_a_job_raises_is_raised_here(apart: Apart) -> None:
    with pytest.raises(Refused, match="Not thirteen"):
        list(apart.each(doubled, [1, 13, 2]))
    with pytest.raises(Refused, match="Not thirteen"):
        list(apart.stream(counted, 20))


def test_only_a_few_parts_are_taken_ahead() -> None:
    taken = []

    def parts() -> Iterator[int]:
        for number in range(100, 200):
            taken.append(number)
            yield number

    with Spawned(2) as apart:
        next(apart.each(doubled, parts()))
        assert len(taken) <= 6


def test_parts_are_shared() -> None:
    with Spawned(2) as apart:
        found = set(apart.each(who, range(200)))
    assert len(found) == 2
    assert os.getpid() not in found


def test_a_process_that_dies_is_a_refusal_and_no_wait() -> None:
    with Spawned(2) as apart:
        with pytest.raises(Refused, match="ended before it was done") as refused:
            list(apart.each(doubled, [1, 2, 666, *range(100, 200)]))
        assert refused.value.code == "unavailable"
        with pytest.raises(Refused, match="ended before it was done"):
            list(apart.stream(dying))


def test_leaving_ends_every_process() -> None:
    with Spawned(1) as apart:
        pids = [next(apart.stream(endless, 0)), *apart.each(who, [1])]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_begins_with_little() -> None:
    """It imports the command's entry point, which must not bring pages and doors with it."""
    look = "import deploytrail.__main__, deploytrail.app.fsck_part, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    for heavy in ("deploytrail.main", "starlette", "sqlalchemy", "jinja2", "httpx2"):
        assert heavy not in found.split()
