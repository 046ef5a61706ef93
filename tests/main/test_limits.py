"""Limits, quotas and trusted proxies of a house that is really served."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploytrail.config import settings_of
from deploytrail.errors import Refused
from tests.main.running import Running

FACT = {"kind": "x-canary.moved"}


def test_limits_are_those_of_the_settings(house: Callable[..., Running]) -> None:
    here = house("--limit-facts", "1", "--limit-attempts", "1").start()
    token = here.token("reporter", "ci")
    statuses = [here.tell(token, {**FACT, "id": str(n)}).status for n in range(40)]
    # A second may pass meanwhile, and let one more in.
    assert statuses[:20] == [201] * 20
    assert 429 in statuses
    assert here.tell(here.token("reporter", "other"), FACT).status == 201
    sent = [here.ask("POST", "/hooks/none", b"x", {"x-forwarded-for": "192.0.2.7"}) for _ in range(40)]
    assert {each.status for each in sent} == {404, 429}
    assert here.ask("POST", "/hooks/none", b"x", {"x-forwarded-for": "192.0.2.8"}).status == 404
    status = here.ask("GET", "/api/v1/status", token=here.token("administrator")).json()
    used = {(each["limit"], each["sender"]): each for each in status["senders"]}
    assert used["facts", "ci"]["refused"] >= 1
    assert used["attempts", ""]["senders"] == 2
    assert status["disk"]["parts"]["trail"] > 0


def test_an_untrusted_proxy_is_not_believed(house: Callable[..., Running]) -> None:
    here = house("--trusted-proxies", "192.0.2.1", "--limit-attempts", "1").start()
    sent = [
        here.ask("POST", "/hooks/none", b"x", {"x-forwarded-for": f"192.0.2.{n}"}).status for n in range(40)
    ]
    assert set(sent) == {404, 429}, "all come from one address, whatever they say"


@pytest.mark.sqlite
def test_a_house_without_room_on_its_disk_says_so_and_lets_people_in(house: Callable[..., Running]) -> None:
    here = house("--disk-reserve", str(2**60)).start()
    answer = here.tell(here.token("reporter"), FACT)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "disk-reserve" in here.ask("GET", "/readyz").text
    # Tokens and sessions are the house's own facts.
    cookie = here.sign_in()
    assert "Nothing new is recorded" in here.ask("GET", "/status", headers={"cookie": cookie}).text
    assert here.signed() >= 3


@pytest.mark.parametrize(
    "given",
    [
        {"limit_deliveries": 0},
        {"limit_facts": -1},
        {"upload_room": 1000},
        {"quota_bytes": 0},
        {"disk_reserve": -1},
        {"trusted_proxies": "example.org"},
        {"trusted_proxies": "10.0.0.1/8"},
    ],
)
def test_settings_that_limit_nothing_or_everything_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(Refused) as caught:
        settings_of(given)
    assert caught.value.code == "bad-input"


def test_no_proxy_may_be_trusted() -> None:
    assert settings_of({"trusted_proxies": ""}).trusted_proxies == ""
    assert settings_of({"trusted_proxies": "10.0.0.0/8, ::1"}).trusted_proxies == "10.0.0.0/8, ::1"
