"""A real server and a real Chromium, with the cast's house behind them."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from deploytrail.tlog.spelling import write_base64
from deploytrail.web import guard
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site
from tests.browser.visits import Visits
from tests.web import cast
from tests.web.conftest import tell
from tests.web.fakes import FakeHouse, Session

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A busy machine is slow, not wrong.
expect.set_options(timeout=20_000)


class House(FakeHouse):
    """The cast's house, with an address, that can be stopped and started again."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.settings = WebSettings()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    def start(self, **settings: Any) -> None:
        """Serve, on the same port as before."""
        taken = socket.create_server(("127.0.0.1", self._port))
        self._port = taken.getsockname()[1]
        self.url = f"http://localhost:{self._port}"
        self.settings = WebSettings(public_url=self.url, **settings)
        app = site(self, self.settings)  # type: ignore[arg-type]
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        server = self._server = uvicorn.Server(config)
        self._end = app.state.end_live
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
        self._thread.start()
        until(lambda: server.started, "the server starts")

    def stop(self) -> None:
        """Stop serving; open live pages are ended first."""
        if self._server and self._thread:
            self._end()
            self._server.should_exit = True
            self._thread.join(10)


def until(true: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Wait for something outside of the page."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.01)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A running house with 600 entries, 600 of them signed. Its views know of 48: nobody waits for more."""
    monkeypatch.setattr(guard, "_GLANCE", 0.05)
    made = House()
    tell(made, 600, labels={"team": "payments"})
    made.log.sign()
    made.clock.at = int(time.time() * 1000)
    made.administer.until = made.clock.at + 3_600_000
    shift = made.clock.at - cast.NOW
    made.ask.rows = [shifted(row, shift) for row in cast.trail()]
    made.ask.deployments = {"40": of_entry(made, 47)}
    made.ask.places = cast.environments()
    made.ask.aside = cast.set_aside()
    made.ask.actors = [cast.ADA, cast.BEN]
    made.administer.sessions = {role: Session(id=role, role=role) for role in ("viewer", "administrator")}
    made.start()
    yield made
    made.stop()


def of_entry(house: FakeHouse, index: int) -> Any:
    """The sketch's deployment, with the proof of a real entry."""
    view = house.ask.log()
    found = house.ask.entry(index)
    assert found is not None
    return cast.a_deployment(
        index=index,
        leaf=write_base64(found[1]),
        checkpoint_size=view.checkpoint_size,
        checkpoint_root=view.checkpoint_root,
    )


def shifted(row: Any, by: int) -> Any:
    """A line of the trail, moved in time."""
    occurred = row.occurred_at + by if row.occurred_at is not None else None
    return msgspec.structs.replace(row, received_at=row.received_at + by, occurred_at=occurred)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of this folder. Its loop runs in this thread, so it ends with them: other
    tests of the same worker have loops of their own.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=os.environ.get("DEPLOYTRAIL_CHROMIUM", path), args=list(_ARGUMENTS)
        )
        yield launched
        launched.close()


Open = Callable[..., Page]


@pytest.fixture
def visit(house: House, browser: Browser) -> Iterator[Open]:
    """visit("/log", role="viewer", width=360, dark=True): a page in a context of its own.

    What the browser complains of, in its console or for the policy, fails the test.
    """
    visits = Visits(browser, house.url)

    def go(path: str, *, role: str | None = "administrator", **options: Any) -> Page:
        return visits.go(path, cookie=f"deploytrail={role}" if role else None, **options)

    yield go
    assert visits.end() == []
