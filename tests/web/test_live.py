"""The live feed: order, resume without loss, filters, and its many ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from deploytrail.app.views import Filter
from deploytrail.web import live
from tests.web import cast
from tests.web.asgi import Stream, send
from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse

VIEWER = {"cookie": "deploytrail=viewer"}
PATH = "/api/v1/live"

Story = Callable[[Any], Coroutine[Any, Any, None]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that looks more often, so that tests need not wait."""
    monkeypatch.setattr(live, "_RECHECK", 0.05)


@pytest.fixture
def play(enter: Enter, quick: None) -> Callable[[Story], None]:
    """Run a story against the site, and end its feed."""

    def run(story: Story) -> None:
        app = enter().app

        async def whole() -> None:
            try:
                async with asyncio.timeout(20):
                    await story(app)
            finally:
                app.state.end_live()  # type: ignore[attr-defined]

        asyncio.run(whole())

    return run


def grow(house: FakeHouse, *indices: int, **more: Any) -> None:
    """New lines of the trail."""
    for index in indices:
        house.ask.rows.append(cast.deployed(index, **more))


def test_new_entries_come_in_order_with_their_index_as_id(
    house: FakeHouse, play: Callable[[Story], None]
) -> None:
    async def story(app: Any) -> None:
        stream = Stream(app, f"{PATH}?after=47", VIEWER)
        await stream.until("the trail of")
        assert stream.headers["content-type"].startswith("text/event-stream")
        grow(house, 48, 49)
        await stream.until("id: 49")
        grow(house, 50)
        await stream.until("id: 50")
        assert stream.ids == [48, 49, 50]
        data = [json.loads(line[6:]) for line in stream.text.split("\n") if line.startswith("data: ")]
        assert data[0] == {
            "index": 48,
            "kind": "deployment.finished",
            "service": "checkout",
            "environment": "production-eu",
        }
        await stream.leave()

    play(story)


def test_a_stream_without_a_start_begins_now(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        stream = Stream(app, PATH, VIEWER)
        await stream.until("the trail of")
        grow(house, 48)
        await stream.until("id: 48")
        assert stream.ids == [48]
        await stream.leave()

    play(story)


@pytest.mark.parametrize("resume", ["query", "header", "both"])
def test_resuming_loses_nothing_and_repeats_nothing(
    house: FakeHouse, play: Callable[[Story], None], resume: str
) -> None:
    grow(house, *range(48, 3000))

    async def story(app: Any) -> None:
        path = f"{PATH}?after={'1200' if resume == 'query' else '0'}" if resume != "header" else PATH
        headers = VIEWER if resume == "query" else {**VIEWER, "last-event-id": "1200"}
        stream = Stream(app, path, headers)
        await stream.until("id: 2999")
        grow(house, 3000)
        await stream.until("id: 3000")
        assert stream.ids == list(range(1201, 3001))
        await stream.leave()

    play(story)


def test_from_the_very_beginning(house: FakeHouse, play: Callable[[Story], None]) -> None:
    house.ask.rows = [cast.deployed(index) for index in range(700)]

    async def story(app: Any) -> None:
        stream = Stream(app, f"{PATH}?after=-1", VIEWER)
        await stream.until("id: 699")
        assert stream.ids == list(range(700))
        await stream.leave()

    play(story)


def test_a_flood_beyond_what_is_kept_still_arrives_whole(
    house: FakeHouse, play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_KEPT", 100)

    async def story(app: Any) -> None:
        stream = Stream(app, f"{PATH}?after=47", VIEWER)
        await stream.until("the trail of")
        grow(house, *range(48, 2000))
        await stream.until("id: 1999")
        assert stream.ids == list(range(48, 2000))
        await stream.leave()

    play(story)


def test_filters_are_those_of_the_trail(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        kept = Stream(app, f"{PATH}?after=47&service=checkout&outcome=failed&actor=s_cleo", VIEWER)
        other = Stream(app, f"{PATH}?after=47&environment=staging&kind=deployment.finished", VIEWER)
        await kept.until("the trail of")
        await other.until("the trail of")
        failed = {"fields": {"outcome": "failure"}, "actor": cast.CLEO}
        grow(house, 48)
        grow(house, 49, **failed)
        grow(house, 50, environment="staging")
        grow(house, 51, **failed, service="mailer")
        grow(house, 52, **failed)
        await kept.until("id: 52")
        await other.until("id: 50")
        assert kept.ids == [49, 52]
        assert other.ids == [50]
        await kept.leave()
        await other.leave()

    play(story)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(service="checkout"),
        Filter(environment="production-us"),
        Filter(actor="s_ada"),
        Filter(kind="commit.pushed"),
        Filter(outcome="failed"),
        Filter(outcome="succeeded", service="web-shop"),
    ],
)
def test_an_event_passes_a_filter_exactly_when_the_page_shows_its_row(
    house: FakeHouse, wanted: Filter
) -> None:
    shown = {row.index for row in house.ask.trail(wanted, None, None, 100).rows}
    passed = {row.index for row in house.ask.rows if live.matches(live.event_of(row), wanted)}
    assert passed == shown
    assert shown


def test_a_stream_ends_soon_after_its_session(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        mine = Stream(app, PATH, VIEWER)
        other = Stream(app, PATH, {"cookie": "deploytrail=administrator"})
        machine = Stream(app, PATH, {"authorization": "Bearer viewer-token"})
        for stream in (mine, other, machine):
            await stream.until("the trail of")
        del house.administer.sessions["viewer"]
        await mine.until("event: end")
        await asyncio.wait_for(mine.ended.wait(), 2)
        del house.administer.tokens["viewer-token"]
        await asyncio.wait_for(machine.ended.wait(), 2)
        grow(house, 48)
        await other.until("id: 48")
        await other.leave()

    play(story)


def test_a_role_that_may_not_see_any_more_ends_too(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        stream = Stream(app, PATH, VIEWER)
        await stream.until("the trail of")
        session = house.administer.sessions["viewer"]
        house.administer.sessions["viewer"] = type(session)(id="1", role="reporter")
        await asyncio.wait_for(stream.ended.wait(), 2)

    play(story)


def test_all_streams_end_when_the_house_stops(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        streams = [Stream(app, PATH, VIEWER) for _ in range(20)]
        for stream in streams:
            await stream.until("the trail of")
        app.state.end_live()
        async with asyncio.timeout(1):
            for stream in streams:
                await stream.ended.wait()
        assert all("event: end" not in stream.text for stream in streams)
        late = Stream(app, PATH, VIEWER)
        await asyncio.wait_for(late.ended.wait(), 1)

    play(story)


def test_a_reader_who_leaves_leaves_nothing_behind(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        feed = app.state.web.feed
        streams = [Stream(app, PATH, VIEWER) for _ in range(10)]
        for stream in streams:
            await stream.until("the trail of")
        assert feed.streams == 10
        for stream in streams:
            await stream.leave()
        assert feed.streams == 0
        # Only this story and the one reader of the feed are left.
        assert len(asyncio.all_tasks()) <= 3

    play(story)


def test_a_quiet_stream_says_that_it_is_still_here(
    house: FakeHouse, play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE", 0.05)

    async def story(app: Any) -> None:
        stream = Stream(app, PATH, VIEWER)
        await stream.until(": still here")
        await stream.leave()

    play(story)


def test_500_streams_share_one_reading(house: FakeHouse, play: Callable[[Story], None]) -> None:
    async def story(app: Any) -> None:
        streams = [Stream(app, f"{PATH}?after=47", VIEWER) for _ in range(500)]
        for stream in streams:
            await stream.until("the trail of", 15)
        asked = house.ask.asked
        grow(house, *range(48, 60))
        for stream in streams:
            await stream.until("id: 59", 15)
        assert house.ask.asked - asked <= 12
        assert all(stream.ids == list(range(48, 60)) for stream in streams)

    play(story)


def test_too_many_streams_are_told_to_come_again(
    house: FakeHouse, play: Callable[[Story], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)

    async def story(app: Any) -> None:
        first = Stream(app, PATH, VIEWER)
        await first.until("the trail of")
        status, _ = await send(app, "GET", PATH, VIEWER, [])
        assert status == 429
        await first.leave()

    play(story)


@pytest.mark.parametrize("after", ["x", "-2", "1e3", " 1"])
def test_a_start_that_is_none_is_refused(enter: Enter, after: str) -> None:
    assert enter("viewer").get(PATH, params={"after": after}).status_code == 400
    assert enter("viewer").get(PATH, headers={"last-event-id": after}).status_code == 400


def test_nobody_hears_the_feed(enter: Enter) -> None:
    assert enter().get(PATH).status_code == 401
    assert enter(token="reporter-token").get(PATH).status_code == 403
