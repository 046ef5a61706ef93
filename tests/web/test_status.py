"""The status page, its JSON and its figures: one truth for people and machines, names for administrators."""

from __future__ import annotations

import re
from html import unescape

import pytest

from deploytrail.app.capacity import AREA, Quotas
from deploytrail.app.follow import FollowerState
from deploytrail.app.limits import BURST_S, Rates
from tests.web.cast import NOW
from tests.web.conftest import Enter, tell
from tests.web.fakes import FakeHouse

HOUR = 3_600_000
DAY = 24 * HOUR
GOOD = {"x-signature": "good"}
ONE = Rates(deliveries=1, facts=1, requests=1, attempts=1)


def text(html: str) -> str:
    """What a reader sees, each cell apart from the next."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def sampled(house: FakeHouse, before_ms: int, size: int) -> None:
    """The house had `size` bytes so long ago."""
    row = {"at": NOW - before_ms, "bytes": size, "entries": 0}
    house.samples.put(AREA, "1", row)


def test_a_house_that_is_well_says_so(house: FakeHouse, enter: Enter) -> None:
    page = text(enter("viewer").get("/status").text)
    assert "The house records, signs and shows everything" in page
    assert "up to date with 60 entries" in page
    assert "Not signed nothing" in page
    assert "Log, disclosures and raw deliveries 40.0 MB" in page
    assert "In all 53.0 MB" in page
    assert "Free 9.0 GB, of which 268.4 MB are the reserve" in page
    assert "Not known yet: a forecast needs samples of six hours at least." in page
    assert "To look at" not in page


def test_a_follower_that_stopped_says_why_and_since_when(house: FakeHouse, enter: Enter) -> None:
    words = "The pages stand still at entry 50."
    house.followed.stopped = FollowerState(size=50, words=words, since=NOW - 2 * HOUR)
    page = text(enter("viewer").get("/status").text)
    assert "The house records, but its pages stand still" in page
    assert f"{words} Since 2 h ago" in page
    assert "10 entries behind, the oldest for under 1 s" in page
    told = enter("viewer").get("/api/v1/status").json()
    assert told["state"] == "bad"
    assert told["followers"] == [
        {
            "name": "projections",
            "size": 50,
            "behind": 10,
            "behind_ms": 0,
            "words": words,
            "since": "2026-03-17T12:36:00Z",
        }
    ]


def test_entries_that_wait_for_a_signature_are_late_after_a_minute(house: FakeHouse, enter: Enter) -> None:
    tell(house, 3)
    house.clock.at += 60_000
    assert "signs and shows everything" in enter("viewer").get("/status").text
    house.clock.at += 1_000
    page = text(enter("viewer").get("/status").text)
    assert "The house records, but does not sign" in page
    assert "The oldest entry that is not signed has waited for 61 s." in page
    assert "Not signed 3 entries, the oldest for 1 min 1 s" in page
    figures = enter().get("/metrics").text
    assert "\ndeploytrail_checkpoint_unsigned_seconds 61\n" in figures
    assert "\ndeploytrail_checkpoint_age_seconds 64\n" in figures


@pytest.mark.parametrize(
    ("before", "grown", "words"),
    [
        (5 * HOUR, 20_000_000, "Not known yet"),
        (2 * DAY, 0, "It has not grown in the last 2 days."),
        (2 * DAY, -5_000_000, "It has not grown in the last 2 days."),
        (2 * DAY, 20_000_000, "Full in about 873 days at the present rate."),
        (2 * DAY, 10_000, "At the present rate it lasts for more than ten years."),
        (DAY, 9_000_000_000, "Full within a day at the present rate."),
    ],
)
def test_how_long_the_disk_lasts(house: FakeHouse, enter: Enter, before: int, grown: int, words: str) -> None:
    sampled(house, before, 53_000_000 - grown)
    assert words in text(enter("viewer").get("/status").text)


def test_a_disk_that_is_full_soon_is_a_warning_and_a_full_one_is_bad(house: FakeHouse, enter: Enter) -> None:
    sampled(house, DAY, 53_000_000 - 1_000_000_000)
    told = enter("viewer").get("/api/v1/status").json()
    assert (told["state"], told["recording"]) == ("warning", True)
    assert "its disk will be full soon" in enter("viewer").get("/status").text
    house.disk.left = 1_000
    told = enter("viewer").get("/api/v1/status").json()
    assert (told["state"], told["recording"]) == ("bad", False)
    page = text(enter("viewer").get("/status").text)
    assert "Nothing new is recorded" in page
    assert "Only 0.0 MB are free" in page


def test_quotas_are_shown_with_what_is_used(house: FakeHouse, enter: Enter) -> None:
    house.allow(quotas=Quotas(entries=500, bytes=2_000_000_000))
    tell(house, 7)
    page = text(enter("viewer").get("/status").text)
    assert "Today 7 entries of a quota of 500" in page
    assert "In all 53.0 MB of a quota of 2.0 GB" in page


def test_where_nothing_is_known_of_the_disk(house: FakeHouse, enter: Enter) -> None:
    house.disk.parts, house.disk.left = {}, None
    sampled(house, DAY, -5)
    page = text(enter("viewer").get("/status").text)
    assert "Free not known here" in page
    assert "how much is free cannot be asked here" in page
    assert "deploytrail_disk_free_bytes" not in enter().get("/metrics").text


def test_senders_are_named_to_administrators_only(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    for n in range(BURST_S + 2):
        enter().post("/hooks/github-main", content=b"%d" % n, headers=GOOD)
        enter(token="reporter-token").post("/api/v1/facts", content=b'{"kind":"x-a.b","id":"%d"}' % n)
        enter().post("/hooks/nowhere", content=b"x")
    for client in (enter("viewer"), enter(token="viewer-token")):
        assert client.get("/api/v1/status").json()["senders"] == []
        assert client.get("/api/v1/status").json()["refused"] == 6
        assert "github-main" not in client.get("/status").text
    found = {
        (each["limit"], each["sender"]): (each["minute"], each["refused"])
        for each in enter("administrator").get("/api/v1/status").json()["senders"]
    }
    assert found["deliveries", "github-main"] == (BURST_S, 2)
    assert found["facts", "reporter-bot"] == (BURST_S, 2)
    assert found["attempts", ""] == (BURST_S, 2)
    page = text(enter("administrator").get("/status").text)
    assert "github-main deliveries 1 20 20 2" in page
    assert "reporter-bot facts 1 20 20 2" in page


def test_figures_name_sources_but_no_token_person_or_address(house: FakeHouse, enter: Enter) -> None:
    house.allow(ONE)
    for n in range(BURST_S + 1):
        enter().post("/hooks/github-main", content=b"%d" % n, headers=GOOD)
        enter(token="reporter-token").post("/api/v1/facts", content=b'{"kind":"x-a.b","id":"%d"}' % n)
    figures = enter().get("/metrics").text
    assert 'deploytrail_refusals_total{limit="deliveries",sender="github-main"} 1\n' in figures
    assert 'deploytrail_refusals_total{limit="facts",sender=""} 1\n' in figures
    assert "reporter" not in figures
    assert 'deploytrail_follower_lag_entries{follower="projections"} ' in figures
    assert 'deploytrail_follower_lag_seconds{follower="projections"} ' in figures
    assert 'deploytrail_disk_bytes{part="trail"} 40000000\n' in figures
    assert "\ndeploytrail_disk_free_bytes 9000000000\n" in figures


def test_nobody_sees_it_without_signing_in(enter: Enter) -> None:
    assert enter().get("/status").status_code == 401
    assert enter(token="reporter-token").get("/api/v1/status").status_code == 403


def test_a_hostile_name_is_harmless(house: FakeHouse, enter: Enter) -> None:
    house.receiver.refused["<script>alert(1)</script>\u202e"] = 3
    html = enter("administrator").get("/status").text
    assert "<script>alert" not in html
    assert "\u202e" not in html
