"""SIGTERM with open live pages: they end, and so does the house, in seconds."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator

import pytest

from tests.crash.items import item
from tests.crash.served import Served
from tests.main.running import log_of, short_folder

PAGES = 20
WITHIN_S = 5.0


@pytest.fixture
def house() -> Iterator[Served]:
    with short_folder() as folder:
        served = Served(folder)
        served.start()
        try:
            assert served.ready(), served.said()
            served.prepare()
            yield served
        finally:
            served.kill()


def test_house_with_twenty_live_pages_ends_within_five_seconds(house: Served) -> None:
    pages = [_live(house) for _ in range(PAGES)]
    answer = house.tell(item(1))
    # Each page hears of it, so each is truly live.
    for page in pages:
        _until(page, f"id: {answer.index}")
    # TimeoutExpired if it takes longer.
    assert house.stop(WITHIN_S) == 0
    for page in pages:
        # IncompleteRead if it broke off instead of ending.
        page.read()
        page.close()
    with log_of(house.data) as log:
        assert log.head().size > (answer.index or 0)
    assert not house.data.joinpath("control.sock").exists()


def test_house_that_was_stopped_starts_again_with_all_it_had(house: Served) -> None:
    index = house.tell(item(1)).index
    assert house.stop(WITHIN_S) == 0
    house.start()
    assert house.ready(), house.said()
    answer = house.tell(item(1))
    assert (answer.index, answer.repeat) == (index, True)


def _live(house: Served) -> http.client.HTTPResponse:
    """An open live page, its answer's head already read."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=20)
    connection.request("GET", "/api/v1/live", headers={"authorization": f"Bearer {house.viewer}"})
    answer = connection.getresponse()
    assert answer.status == 200
    return answer


def _until(page: http.client.HTTPResponse, words: str) -> None:
    """Read lines until one has these words."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        line = page.readline().decode()
        if line.strip() == words:
            return
        assert line, "the page ended before its news came"
    raise AssertionError(f"{words} never came")
