"""The button that verifies: it proves, says what it did not prove, and finds what was altered."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import House, Open, of_entry
from tests.web.conftest import tell

pytestmark = pytest.mark.browser


def verify(page: Page) -> str:
    """Press the button, and what it says in the end."""
    page.get_by_role("button", name="Verify in this browser").click()
    verdict = page.locator("[data-verdict]")
    expect(verdict.locator(".verdict").first).to_be_visible(timeout=15_000)
    return verdict.inner_text()


def bend(page: Page, path: str, at: int = 100) -> None:
    """Alter one byte of a file on its way to the page."""

    def altered(route: Route) -> None:
        answer = route.fetch()
        body = bytearray(answer.body())
        body[at % len(body)] ^= 1
        route.fulfill(response=answer, body=bytes(body))

    page.route(f"**{path}", altered)


def test_the_log_is_proven_and_the_limits_are_said(house: House, visit: Open) -> None:
    said = verify(page := visit("/log"))
    assert "Proven" in said
    assert "signed a log of 600 entries" in said
    assert "Each of the 600 entries hashes to its place" in said
    assert "This browser remembers this checkpoint now" in said
    assert "Not proven" in said
    assert "no witness from outside" in said
    expect(page.locator("[data-progress-words]")).to_have_text("600 of 600 entries")


def test_the_next_look_sees_that_the_log_only_grew(house: House, visit: Open) -> None:
    page = visit("/log")
    verify(page)
    tell(house, 5)
    house.log.sign()
    page.reload()
    said = verify(page)
    assert "signed a log of 605 entries" in said
    assert "The 600 entries that this browser saw on" in said


def test_a_rewritten_history_is_seen(house: House, visit: Open) -> None:
    page = visit("/log")
    verify(page)
    other = type(house.log)()
    for body in house.log.bodies:
        other.add(body.replace(b"checkout", b"checkin_", 1))
    other.sign()
    house.log.__dict__.update(other.__dict__)
    page.reload()
    said = verify(page)
    assert "Proof broken" in said
    assert "the history was rewritten" in said


def test_entries_that_were_taken_away_are_missed(house: House, visit: Open) -> None:
    page = visit("/log")
    verify(page)
    other = type(house.log)()
    for body in house.log.bodies[:590]:
        other.add(body)
    other.sign()
    house.log.__dict__.update(other.__dict__)
    page.reload()
    assert "Entries were taken away" in verify(page)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/log/tile/0/001", "The bytes of entry 259 do not match their place in the tree"),
        ("/log/tile/1/000.p/2", "The file tile/1/000.p/2 is not what the tiles below it give"),
        ("/log/tile/entries/001", "The bytes of entry 256 do not match"),
        ("/log/checkpoint", ""),
    ],
)
def test_one_altered_byte_breaks_the_proof(house: House, visit: Open, path: str, words: str) -> None:
    page = visit("/log")
    bend(page, path, 60 if "checkpoint" in path else 100)
    said = verify(page)
    assert "Proof broken" in said
    assert words in said
    assert "Not proven" not in said


def test_hashes_alone_say_that_they_are_hashes_alone(house: House, visit: Open) -> None:
    house.stop()
    house.start(public_log=False)
    page = visit("/log", role="viewer")
    said = verify(page)
    assert "The 600 leaf hashes give the signed root" in said
    assert "That the entries' bytes match their hashes" in said


def test_what_cannot_be_fetched_is_not_called_broken(house: House, visit: Open) -> None:
    page = visit("/log", expect_errors=True)
    page.route("**/log/tile/0/002.p/88", lambda route: route.abort())
    said = verify(page)
    assert "Not checked" in said
    assert "Proof broken" not in said


def test_a_deployment_is_proven_to_be_in_the_log(house: House, visit: Open) -> None:
    said = verify(visit("/deployments/40"))
    assert "The bytes of entry 47 give the leaf shown here" in said
    assert "entry 47 of the 600" in said


@pytest.mark.parametrize("path", ["/api/v1/entries/47", "/api/v1/entries/47/receipt"])
def test_an_altered_deployment_is_not(house: House, visit: Open, path: str) -> None:
    page = visit("/deployments/40")
    bend(page, path, 90)
    assert "Proof broken" in verify(page)


def test_another_entry_is_not_taken_for_it(house: House, visit: Open) -> None:
    house.ask.deployments["40"] = of_entry(house, 46)
    page = visit("/deployments/40")
    page.route(
        "**/api/v1/entries/46/receipt",
        lambda route: route.continue_(url=route.request.url.replace("/46/", "/47/")),
    )
    said = verify(page)
    assert "The receipt is of entry 47" in said


def test_a_viewer_proves_the_leaf_when_bytes_are_for_administrators(house: House, visit: Open) -> None:
    house.stop()
    house.start(public_log=False)
    said = verify(visit("/entries/47", role="viewer"))
    assert "The leaf is entry 47 of the 600" in said
    assert "here they are for administrators" in said
