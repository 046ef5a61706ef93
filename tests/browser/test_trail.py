"""The live trail in a real browser: nothing moves under a reader, and nothing is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import House, Open, shifted
from tests.web import cast

pytestmark = pytest.mark.browser


def grow(house: House, *indices: int) -> None:
    """New lines, now."""
    for index in indices:
        house.ask.rows.append(shifted(cast.deployed(index), house.clock.at - cast.NOW))


def test_new_entries_wait_behind_a_button(house: House, visit: Open) -> None:
    page = visit("/")
    expect(page.locator("#live")).to_contain_text("Live")
    expect(page.locator("#live")).to_contain_text("up to entry 47")
    first = page.locator(".row").first
    place = first.bounding_box()
    grow(house, 48, 49, 50)
    button = page.get_by_role("link", name="Show 3 new entries")
    expect(button).to_be_visible()
    expect(page.locator("[data-live-said]")).to_have_text("3 new entries")
    expect(page).to_have_title("(3) Trail · Deploytrail")
    assert page.locator(".row").count() == len(cast.trail())
    assert place is not None
    button.click()
    expect(page.locator("#e50")).to_be_visible()
    ids = page.eval_on_selector_all(".row", "rows => rows.slice(0, 4).map(row => row.id)")
    assert ids == ["e50", "e49", "e48", "e47"]
    assert page.locator(".row.fresh").count() == 3
    assert page.locator("h3.day").count() == 1
    expect(button).to_be_hidden()
    expect(page).to_have_title("Trail · Deploytrail")
    assert page.evaluate("document.activeElement.closest('.row').id") == "e50"
    grow(house, 51)
    expect(page.get_by_role("link", name="Show 1 new entry")).to_be_visible()


def test_pause_and_go_on(house: House, visit: Open) -> None:
    page = visit("/")
    expect(page.locator("#live")).to_contain_text("Live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live")).to_contain_text("Paused")
    grow(house, 48)
    page.wait_for_timeout(600)
    expect(page.locator("[data-live-news]")).to_be_hidden()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("link", name="Show 1 new entry")).to_be_visible()


def test_a_lost_connection_is_said_and_nothing_is_lost(house: House, visit: Open) -> None:
    page = visit("/", expect_errors=True)
    expect(page.locator("#live")).to_contain_text("Live")
    house.stop()
    expect(page.locator("[data-live-lost]")).to_contain_text("nothing is lost", timeout=15_000)
    expect(page.locator("#live")).to_contain_text("Not live")
    grow(house, 48, 49)
    house.start()
    expect(page.get_by_role("link", name="Show 2 new entries")).to_be_visible()
    expect(page.locator("[data-live-lost]")).to_be_hidden()


def test_the_end_of_a_session_ends_the_page_s_updates(house: House, visit: Open) -> None:
    page = visit("/", expect_errors=True)
    expect(page.locator("#live")).to_contain_text("Live")
    del house.administer.sessions["administrator"]
    expect(page.locator("[data-live-lost]")).to_contain_text("signed out", timeout=8_000)


def test_filters_hold_for_live_entries_too(house: House, visit: Open) -> None:
    page = visit("/?service=checkout&outcome=succeeded")
    expect(page.locator("#live")).to_contain_text("Live")
    house.ask.rows.append(cast.row(48, "log.opened"))
    grow(house, 49)
    expect(page.get_by_role("link", name="Show 1 new entry")).to_be_visible()
    page.get_by_role("link", name="Show 1 new entry").click()
    expect(page.locator("#e49")).to_be_visible()
    assert page.locator("#e48").count() == 0


def test_choosing_a_filter_and_taking_it_away(house: House, visit: Open) -> None:
    page = visit("/")
    page.get_by_label("Service").select_option("checkout")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(f"{house.url}/?service=checkout&environment=&actor=&kind=&outcome=")
    expect(page.locator(".row")).to_have_count(3)
    page.get_by_role("link", name="take this filter away").click()
    expect(page).to_have_url(f"{house.url}/")


def test_an_empty_filter_comes_alive(house: House, visit: Open) -> None:
    page = visit("/?service=mailer")
    expect(page.get_by_role("heading", name="No entry matches")).to_be_visible()
    house.ask.rows.append(shifted(cast.deployed(48, service="mailer"), house.clock.at - cast.NOW))
    page.get_by_role("link", name="Show 1 new entry").click()
    expect(page.locator("#e48")).to_be_visible()


def test_without_script_the_page_is_whole(house: House, visit: Open) -> None:
    page = visit("/", script=False)
    assert page.locator(".row").count() == len(cast.trail())
    expect(page.locator("#live")).to_contain_text("Not live")
    for hidden in ("[data-live-pause]", "[data-live-news]", ".foot [data-keys]", ".copy"):
        for found in page.locator(hidden).all():
            expect(found).to_be_hidden()
    grow(house, 48)
    page.get_by_role("link", name="Load again").first.click()
    expect(page.locator("#e48")).to_be_visible()
    page.locator(".foot").get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(f"{house.url}/")
    page.locator("#e47").get_by_role("link", name="checkout 1.42.0").click()
    expect(page.get_by_role("heading", name="checkout 1.42.0 to production-eu")).to_be_visible()


def test_signing_in_and_out(house: House, visit: Open) -> None:
    house.administer.links.add("L")
    page = visit("/sign-in?link=L", role=None)
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Trail", level=1)).to_be_visible()
    page.locator(".foot").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You need a link")).to_be_visible()
