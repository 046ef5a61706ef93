"""Three hands: the keyboard alone, a phone, and assistive technology."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deploytrail.app.follow import FollowerState
from deploytrail.app.limits import Rates
from deploytrail.errors import Refused
from tests.browser.conftest import House, Open
from tests.web import cast

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """What axe-core finds, as words."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})"
        ".then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))",
        RULES,
    )
    return list(found)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", cast.PAGES)
def test_axe_finds_nothing(house: House, visit: Open, path: str, width: int, dark: bool) -> None:
    page = visit(path, width=width, dark=dark, expect_errors=path == "/nothing")
    assert violations(page) == []


def test_axe_finds_nothing_in_what_script_adds(house: House, visit: Open) -> None:
    page = visit("/log")
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.locator(".verdict").first).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(page) == []


def test_axe_finds_nothing_in_banners_and_notices(house: House, visit: Open) -> None:
    house.demo, house.readonly = True, "The signer refuses this history."
    house.ask.state = ("refused", "It was rolled back.")
    for dark in (False, True):
        assert violations(visit("/log", dark=dark)) == []


def test_axe_finds_nothing_in_a_status_that_is_bad(house: House, visit: Open) -> None:
    _trouble(house)
    for dark in (False, True):
        page = visit("/status", dark=dark, width=360 if dark else 1280)
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing new is recorded")
        assert violations(page) == []


def test_the_table_of_senders_is_reached_by_keyboard(house: House, visit: Open) -> None:
    _trouble(house)
    page = visit("/status", width=700)
    region = page.get_by_role("region", name="Senders and their limits")
    for _ in range(60):
        page.keyboard.press("Tab")
        if region.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError("the table is not reached")


def _trouble(house: House) -> None:
    """A full disk, a follower that stopped, and senders that came too fast."""
    house.allow(Rates(deliveries=1))
    for sender in ("github-main", "a-source-with-a-name-that-is-as-long-as-names-of-sources-may-be"):
        house.limits.charge("deliveries", sender, 20)
        with pytest.raises(Refused):
            house.limits.demand("deliveries", sender)
    house.disk.left = 1_000_000
    house.followed.stopped = FollowerState(
        size=3, words="The pages stand still at entry 3.", since=house.clock.at
    )


@pytest.mark.parametrize("width", [320, 360, 767, 768, 1023, 1024, 1600])
@pytest.mark.parametrize("path", cast.PAGES)
def test_nothing_scrolls_sideways(house: House, visit: Open, path: str, width: int) -> None:
    page = visit(path, width=width, expect_errors=True)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_targets_are_large_enough_for_a_thumb(house: House, visit: Open) -> None:
    page = visit("/", width=360, has_touch=True, is_mobile=True)
    small = page.eval_on_selector_all(
        ".nav a, .filters select, .filters .btn, .me-small .btn",
        "found => found.filter(e => e.offsetParent && e.getBoundingClientRect().height < 43.5)"
        ".map(e => e.outerHTML)",
    )
    assert [html for html in small if "small" not in html] == []
    tiny = page.eval_on_selector_all(
        "button, select, .btn, .chip",
        "found => found.filter(e => e.offsetParent && e.getBoundingClientRect().height < 24)"
        ".map(e => e.outerHTML)",
    )
    assert tiny == []


def test_a_phone_has_its_places_at_the_bottom(house: House, visit: Open) -> None:
    page = visit("/", width=360)
    nav = page.get_by_role("navigation", name="Main")
    box = nav.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] == 800
    assert nav.get_by_role("link").count() == 5
    nav.get_by_role("link", name="Environments").click()
    expect(page.get_by_role("heading", name="Environments", level=1)).to_be_visible()


def test_the_keyboard_alone_reaches_everything(house: House, visit: Open) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 60)"))
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none" or page.evaluate("document.activeElement === document.body")
    for words in ('href="/deployments/40"', 'name="service"', 'href="/entries/47#proof"', "data-live-pause"):
        assert any(words in html for html in reached), words


def test_single_keys_go_to_places_and_rows(house: House, visit: Open) -> None:
    page = visit("/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('[data-index]').id") == "e46"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('[data-index]').id") == "e47"
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{house.url}/deployments/40")
    places = (("e", "/environments"), ("s", "/services"), ("c", "/changes"), ("p", "/people"))
    for key, path in (*places, ("l", "/log"), ("a", "/attention"), ("t", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(f"{house.url}{path}")
    page.keyboard.press("j")
    page.keyboard.press("p")
    expect(page).to_have_url(f"{house.url}/entries/47#proof")


def test_single_keys_can_be_switched_off(house: House, visit: Open) -> None:
    page = visit("/environments")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    page.get_by_role("button", name="Single keys are on").click()
    page.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    page.keyboard.press("?")
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(dialog).to_be_hidden()
    expect(page).to_have_url(f"{house.url}/environments")
    page.reload()
    page.locator(".foot").get_by_role("button", name="Keys").click()
    page.get_by_role("button", name="Single keys are off").click()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page).to_have_url(f"{house.url}/log")


def test_keys_do_nothing_while_somebody_types(house: House, visit: Open) -> None:
    house.administer.links.add("L")
    page = visit("/sign-in?link=L", role=None)
    page.get_by_label("Your name").focus()
    page.keyboard.type("g t ? j")
    expect(page.get_by_label("Your name")).to_have_value("g t ? j")
    assert "/sign-in" in page.url


def test_copying_the_whole_identifier(house: House, visit: Open) -> None:
    page = visit("/deployments/40", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the whole digest").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").startswith("sha256:9d1f4ac25be0")


def test_the_theme_changes_at_once_and_stays(house: House, visit: Open) -> None:
    page = visit("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    with page.expect_response("**/theme") as kept:
        page.locator(".foot").get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) != light
    assert kept.value.status == 303
    page.goto(f"{house.url}/log")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator(".foot").get_by_role("button", name="System").click()
    assert page.evaluate(ground) == light


def test_reduced_motion_stops_what_turns(house: House, visit: Open) -> None:
    page = visit("/", reduced_motion="reduce")
    running = page.locator("[data-s=running]").first
    assert running.evaluate("e => getComputedStyle(e, '::before').animationName") == "none"


def test_nothing_shifts_while_the_page_loads(house: House, visit: Open) -> None:
    page = visit("/")
    page.wait_for_timeout(500)
    shift = page.evaluate(
        "new Promise(done => new PerformanceObserver(list => done(list.getEntries()"
        ".reduce((sum, e) => sum + e.value, 0))).observe({type: 'layout-shift', buffered: true}) "
        "|| setTimeout(() => done(0), 300))"
    )
    assert shift < 0.02


def test_paper_has_no_buttons_and_says_what_it_proves(house: House, visit: Open) -> None:
    page = visit("/deployments/40", dark=True)
    page.emulate_media(media="print")
    for selector in (".bar", ".acts", ".copy", ".me-small"):
        for found in page.locator(selector).all():
            expect(found).to_be_hidden()
    expect(page.locator(".paper")).to_contain_text("Paper proves nothing by itself")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )


def test_a_slash_leads_to_the_search_box_and_enter_asks(house: House, visit: Open) -> None:
    page = visit("/environments")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("checkout by/ada")
    # Within the box it is a sign like any other.
    expect(page.locator("#q")).to_have_value("checkout by/ada")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{house.url}/search?q=checkout+by%2Fada")
    expect(page.locator("#q")).to_have_value("checkout by/ada")
    expect(page.get_by_role("heading", level=1)).to_contain_text("checkout by/ada")
