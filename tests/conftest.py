"""For all tests: nothing is skipped in silence, laws have no deadline, and long tests begin first."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests import postgres

TESTS: Final = Path(__file__).parent
# What shares a worker, so that browsers and whole demos do not fight for the same few cores.
_TOGETHER: Final = {"browser": "browser", "stories": "stories", "crash": "crash"}

# A slow machine is no fault of a law. `quick` is for ./dev check.
settings.register_profile("house", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked `both` runs on each database, whichever one the others run on."""
    if metafunc.definition.get_closest_marker("both") and not postgres.chosen():
        # ./dev check is content with one.
        each = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
        metafunc.parametrize("lies_in", each, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def lies_in(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the houses of a test lie. A fixture that shares a house among tests marked `both` asks for this,
    so that the house is another one on the other database.
    """
    with pytest.MonkeyPatch.context() as patch:
        if name := getattr(request, "param", None):
            patch.setenv(postgres.VARIABLE, name)
        yield


@pytest.fixture(autouse=True)
def no_database_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Databases of houses in the folder of a test go with the test."""
    yield
    folder = getattr(request.node, "funcargs", {}).get("tmp_path")
    if folder is not None:
        postgres.forget(folder)


@pytest.fixture
def database_url() -> Iterator[str]:
    """The address of a new PostgreSQL database, gone after the test."""
    url = postgres.cluster().new()
    yield url
    postgres.cluster().drop(postgres.name_in(url))


def _skips_fail() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1", "yes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first; what must share a worker is told to xdist; no SQLite files where there are none."""
    if postgres.chosen():
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("sqlite")])
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
    for item in items:
        room = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if room in _TOGETHER:
            item.add_marker(pytest.mark.xdist_group(_TOGETHER[room]))
    items.sort(key=_briefness)


def _briefness(item: pytest.Item) -> int:
    if item.get_closest_marker("slow"):
        return 0
    return 1 if item.get_closest_marker("browser") else 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _skips_fail():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """With CI=true a module that skips itself has failed."""
    report = yield
    if report.skipped and _skips_fail():
        report.outcome = "failed"
        words = f"{collector.nodeid} skipped itself, which CI does not allow: {_reason(report.longrepr)}"
        report.longrepr = words
    return report


def _reason(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
