"""A house with the cast in it, and clients for everybody who may come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from starlette.testclient import TestClient

from deploytrail.facts import told
from deploytrail.web import guard
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site
from tests.web import cast
from tests.web.fakes import FakeHouse, Grant, Session

BASE = "http://localhost"


def tell(house: FakeHouse, count: int = 1, **fields: object) -> None:
    """Record facts as a source would."""
    for _ in range(count):
        given = {
            "kind": "deployment.finished",
            "deployment": f"d{len(house.log.bodies)}",
            "service": "checkout",
            "environment": "production-eu",
            "outcome": "succeeded",
            "actor": {"login": "ada", "email": "ada@example.org"},
            **fields,
        }
        draft = told.parse(msgspec.json.encode(given), source="shop-hub", received_at=cast.NOW)
        house.recorder.record([draft]).result()


@pytest.fixture
def house() -> FakeHouse:
    """60 signed entries, and the sketch's organisation on the pages."""
    made = FakeHouse()
    tell(made, 60, labels={"team": "payments"}, url="https://ci.example.org/1")
    made.log.sign()
    made.ask.rows = cast.trail()
    made.ask.deployments = {"40": cast.a_deployment()}
    made.ask.places = cast.environments()
    made.ask.aside = cast.set_aside()
    made.ask.actors = [cast.ADA, cast.BEN]
    made.administer.sessions = {role: Session(id=role, role=role) for role in ("viewer", "administrator")}
    for role in ("viewer", "reporter", "administrator"):
        made.administer.tokens[f"{role}-token"] = Grant(id=role, role=role, name=f"{role}-bot")
    return made


Enter = Callable[..., TestClient]


@pytest.fixture
def enter(house: FakeHouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """A client: enter("viewer") comes with a session, enter(token="reporter-token") with a token.

    The views of this house stay behind its log; nobody waits long for them.
    """
    monkeypatch.setattr(guard, "_GLANCE", 0.05)
    open_clients: list[TestClient] = []

    def client(role: str | None = None, *, token: str | None = None, **settings: object) -> TestClient:
        made = TestClient(
            site(house, WebSettings(**{"public_url": BASE, **settings})),  # type: ignore[arg-type]
            base_url=str(settings.get("public_url", BASE)),
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        if role:
            made.cookies.set("deploytrail", role)
        if token:
            made.headers["authorization"] = f"Bearer {token}"
        open_clients.append(made)
        return made

    yield client
    for made in open_clients:
        made.close()
