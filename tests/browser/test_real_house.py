"""The whole walk in a real browser against the real server: deliveries in, a provable trail on the screen."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from deploytrail.app.packing import pack, unpack
from tests import postgres
from tests.browser.test_hands import violations
from tests.browser.test_verify import bend, verify
from tests.browser.visits import Visits
from tests.intake.deliveries import own_samples, sample
from tests.main.running import ROOT, Running, serving, typed
from tests.raw import Raw

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHA = "4f2c81e09b7d3a55c1e8f20f6a4b9d7e3c2a1b0f"
DIGEST = "sha256:" + "9d" * 32
REPOSITORY = "example.org/shop/checkout"


class Real:
    """A real house that heard GitHub's samples and a story of its own."""

    def __init__(self, running: Running) -> None:
        self.running = running
        running.source()
        self.teller = running.token("reporter", "runner")
        self.reader = running.token("administrator", "reader")
        self.count = 0
        for one in own_samples():
            self.deliver(one.event, one.body)
        self.first = self.deploy("1", version="1.41.3")
        self.tell("artifact.published", digest=DIGEST, name="checkout", repository=REPOSITORY, sha=SHA)
        self.deployment = self.deploy(
            "2",
            version="1.42.0",
            artifact=DIGEST,
            commits=[{"repository": REPOSITORY, "sha": SHA}],
            url="https://ci.example.org/runs/2",
            labels={"team": "payments"},
        )
        self.leaver = self.deploy("3", service="ledger", actor={"login": "eli", "email": "eli@example.org"})
        self.cookie = running.sign_in("dina")

    def deliver(self, event: str, body: bytes) -> list[int]:
        """One delivery by GitHub; its entries."""
        self.count += 1
        answer = self.running.deliver(event, body, id=f"72d3162e-cc78-11e3-81ab-{self.count:012x}")
        assert answer.status in (200, 202), answer.text
        found: list[int] = answer.json()["entries"]
        return found

    def tell(self, kind: str, **fields: Any) -> int:
        """One fact in the direct form, shown on the pages; its index."""
        answer = self.running.tell(self.teller, {"kind": kind, **fields}, "projected")
        assert answer.status == 201, answer.text
        index: int = answer.json()["index"]
        return index

    def deploy(self, name: str, **fields: Any) -> int:
        """One deployment of checkout to production by ada, ended well; its entry."""
        told = {
            "service": "checkout",
            "environment": "production",
            "outcome": "succeeded",
            "actor": {"login": "ada"},
            **fields,
        }
        return self.tell("deployment.finished", deployment=name, **told)

    def html(self, path: str) -> str:
        """A page as a machine's token gets it."""
        answer = self.running.ask("GET", path, token=self.reader)
        assert answer.status == 200, answer.text
        return answer.text

    def one_of_each_kind(self) -> dict[str, int]:
        """An entry of every kind that the house holds."""
        return {kind: index for index, kind in enumerate(self.running.kinds(self.reader))}


@pytest.fixture(scope="module")
def shared() -> Iterator[Real]:
    """One house for all tests that only look at it, or add to it."""
    with serving() as running:
        yield Real(running)


@pytest.fixture
def own() -> Iterator[Running]:
    """A fresh house for one test."""
    with serving() as running:
        yield running


Go = Callable[..., Page]


@pytest.fixture
def visits(browser: Browser) -> Iterator[Callable[[Running], Go]]:
    """visits(house)("/log"): pages of a house. What the browser complains of fails the test."""
    with ExitStack() as stack:
        every: list[Visits] = []

        def of(house: Running) -> Go:
            made = Visits(browser, house.url)
            every.append(made)
            stack.callback(made.end)
            return made.go

        yield of
        assert [words for made in every for words in made.end()] == []


@pytest.fixture
def visit(shared: Real, visits: Callable[[Running], Go]) -> Go:
    """visit("/log", cookie=...): a page of the shared house."""
    return visits(shared.running)


# Coming in.


def test_a_link_signs_one_person_in_once(shared: Real, visit: Go) -> None:
    link = shared.running.link().removeprefix(shared.running.url)
    page = visit(link)
    page.get_by_label("Your name").focus()
    page.keyboard.type("cleo")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Trail", level=1)).to_be_visible()
    expect(page.locator(".foot .out")).to_contain_text("cleo")
    expect(page.locator(".row").first).to_contain_text("cleo signed in as administrator")
    page.locator(".foot").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="You need a link")).to_be_visible()
    again = visit(link, expect_errors=True)
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("heading", level=1)).to_have_text("Nobody is signed in")
    expect(again.locator("main")).to_contain_text("This link was used before")


def test_nobody_sees_the_trail_without_signing_in(visit: Go) -> None:
    page = visit("/", expect_errors=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody is signed in")
    assert page.locator(".row").count() == 0


# Live.


def test_a_delivery_is_seen_at_once(shared: Real, visit: Go) -> None:
    page = visit("/?kind=change.merged", cookie=shared.cookie)
    expect(page.locator("#live")).to_contain_text("Live")
    body = json.loads(sample("pull_request.merged").body)
    body["pull_request"]["number"] = body["number"] = body["pull_request"]["id"] = 4711
    [index] = shared.deliver("pull_request", json.dumps(body).encode())
    page.get_by_role("link", name="Show 1 new entry").click()
    row = page.locator(f"#e{index}")
    expect(row).to_contain_text("merged change #4711 into")
    expect(row).to_have_class(re.compile("fresh"))
    row.locator(".proof").click()
    expect(page.get_by_role("heading", name=f"Entry {index}", level=1)).to_be_visible()


def test_a_house_that_comes_back_is_found_again_and_nothing_is_lost(
    own: Running, visits: Callable[[Running], Go]
) -> None:
    token = own.token("reporter")
    cookie = own.sign_in()

    def tell(name: str) -> int:
        fact = {"kind": "x-note", "id": name, "service": "checkout"}
        index: int = own.tell(token, fact, "projected").json()["index"]
        return index

    page = visits(own)("/?kind=x-note", cookie=cookie, expect_errors=True)
    expect(page.locator("#live")).to_contain_text("Live")
    before = tell("before")
    expect(page.get_by_role("link", name="Show 1 new entry")).to_be_visible()
    assert own.stop() == 0
    expect(page.locator("#live")).to_contain_text("Not live", timeout=15_000)
    own.start()
    missed = [tell(f"missed-{n}") for n in range(3)]
    expect(page.get_by_role("link", name="Show 4 new entries")).to_be_visible(timeout=25_000)
    page.get_by_role("link", name="Show 4 new entries").click()
    expect(page.locator(f"#e{missed[-1]}")).to_be_visible()
    ids = page.eval_on_selector_all(".row", "rows => rows.map(row => row.id)")
    assert ids == [f"e{index}" for index in (*reversed(missed), before)]


# A deployment.


def test_a_deployment_is_told_whole(shared: Real, visit: Go) -> None:
    page = visit(f"/deployments/{shared.deployment}", cookie=shared.cookie)
    main = page.locator("main")
    expect(page.get_by_role("heading", level=1)).to_have_text("checkout 1.42.0 to production")
    expect(main).to_contain_text("ada deployed it")
    expect(main).to_contain_text("It replaced 1.41.3.")
    expect(page.locator(".graph")).to_contain_text("published as 9d9d9d9d…9d9d")
    expect(page.locator(".graph")).to_contain_text("from 4f2c81e")
    expect(main).to_contain_text("payments")
    expect(page.get_by_role("link", name="https://ci.example.org/runs/2").first).to_be_visible()
    page.get_by_role("link", name="Open what it replaced").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("checkout 1.41.3 to production")


def test_a_joined_report_is_separated_by_an_administrator(shared: Real, visit: Go) -> None:
    common = {"service": "till", "artifact": DIGEST, "version": "2.0.0"}
    shared.deploy("till-1", **common)
    # Another source tells of the same roll-out.
    other = shared.running.tell(
        shared.reader,
        {
            "kind": "deployment.finished",
            "deployment": "cluster-7",
            "environment": "production",
            "outcome": "succeeded",
            **common,
        },
        "projected",
    ).json()["index"]
    page = visit(f"/deployments/{other}", cookie=shared.cookie)
    expect(page.get_by_role("heading", name="2 reports joined")).to_be_visible()
    page.locator("li", has_text="cluster-7").get_by_role("button", name="Separate this report").click()
    # The page that comes next knows of it already.
    expect(page.get_by_role("heading", name="1 report", exact=True)).to_be_visible()
    page.goto(f"{shared.running.url}/deployments/{other}")
    expect(page.get_by_role("heading", name="1 report", exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text("an administrator separated it")
    page.goto(f"{shared.running.url}/?kind=reports.separated")
    expect(page.locator(".row")).to_contain_text("separated the report of entry")


# Proof.


def test_the_log_is_verified_in_the_browser(shared: Real, visit: Go) -> None:
    size = shared.running.signed()
    page = visit("/log", cookie=shared.cookie)
    said = verify(page)
    assert "Proof broken" not in said
    signed = int(re.search(r"signed a log of ([\d,]+) entries", said)[1].replace(",", ""))  # type: ignore[index]
    assert signed >= size
    shared.deploy("grown")
    shared.running.signed()
    page.reload()
    assert f"The {signed} entries that this browser saw on" in verify(page)


def test_an_entry_is_verified_and_its_receipt_proves_it_elsewhere(
    shared: Real, visit: Go, tmp_path: Path
) -> None:
    shared.running.signed()
    page = visit(f"/entries/{shared.deployment}", cookie=shared.cookie)
    said = verify(page)
    assert f"The bytes of entry {shared.deployment} give the leaf shown here" in said
    with page.expect_download() as download:
        page.get_by_role("link", name="Download receipt").click()
    file = tmp_path / "entry.tlog-proof"
    download.value.save_as(file)
    key = shared.running.admin("key", "show")
    assert typed("receipt", "verify", str(file), "--key", key).status == 0
    page.goto(f"{shared.running.url}/deployments/{shared.deployment}")
    assert "Proof broken" not in verify(page)


@pytest.mark.parametrize("part", ["/log/tile/0/000", "/log/tile/entries/000", "/log/checkpoint"])
def test_a_byte_altered_on_the_way_is_found(shared: Real, visit: Go, part: str) -> None:
    shared.running.signed()
    page = visit("/log", cookie=shared.cookie)
    bend(page, f"{part}.p/*" if "tile" in part else part, 60)
    said = verify(page)
    assert "Proof broken" in said


def _renamed(body: bytes) -> bytes:
    before = unpack(body)
    after = before.replace(b"checkout", b"checkin_")
    assert after != before
    return pack(after)


@pytest.mark.parametrize(
    ("column", "change"), [("body", _renamed), ("leaf", lambda leaf: bytes(32))], ids=["body", "leaf"]
)
def test_a_byte_altered_in_the_database_is_found(
    own: Running, visits: Callable[[Running], Go], column: str, change: Callable[[bytes], bytes]
) -> None:
    token = own.token("reporter")
    fact = {
        "kind": "deployment.finished",
        "deployment": "1",
        "service": "checkout",
        "environment": "production",
        "outcome": "succeeded",
    }
    index = own.tell(token, fact, "signed").json()["index"]
    own.tell(token, {**fact, "deployment": "2"}, "projected")
    cookie = own.sign_in()
    own.signed()
    with Raw(own.data, "trail.db") as raw:
        altered = change(raw.one(f"SELECT {column} FROM entry WHERE idx = {index}"))
        assert raw.do(f"UPDATE entry SET {column} = ? WHERE idx = {index}", (altered,)) == 1
    page = visits(own)("/log", cookie=cookie, expect_errors=True)
    said = verify(page)
    assert "Proof broken" in said
    assert f"The stored bytes of entry {index} are not those that were recorded" in said
    page.goto(own.url + "/")
    expect(page.locator(f"#e{index} .proof")).to_have_text("Proof broken")
    page.locator(f"#e{index} .proof").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A check does not hold")
    expect(page.locator("main")).to_contain_text(f"Entry {index} is damaged")


def test_a_house_restored_from_an_older_copy_says_so_on_every_page(
    own: Running, visits: Callable[[Running], Go]
) -> None:
    token = own.token("reporter")
    cookie = own.sign_in()
    own.signed()
    assert own.stop() == 0
    copy = postgres.copy(own.data, own.folder / "copy")
    own.start()
    own.tell(token, {"kind": "x-note"}, "signed")
    assert own.stop() == 0
    postgres.copy(copy, own.data)
    own.start()
    go = visits(own)
    for path in ("/", "/log", "/environments"):
        page = go(path, cookie=cookie)
        expect(page.locator(".main-note")).to_contain_text("This house is not recording")
        expect(page.locator(".main-note")).to_contain_text("rolled back")
        expect(page.locator(".whole b")).to_have_text("Log is not signed any more")
        assert violations(page) == []
    expect(go("/log", cookie=cookie).get_by_role("heading", level=1)).to_have_text(
        "The log is not signed any more"
    )
    assert own.tell(token, {"kind": "x-note"}).status == 503


# A fresh house.


def test_the_commands_of_a_fresh_house_do_what_they_say(
    own: Running, visits: Callable[[Running], Go]
) -> None:
    page = visits(own)("/", cookie=own.sign_in())
    expect(page.get_by_role("heading", name="Let it hear something")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Live")
    commands = [found.inner_text() for found in page.locator("[data-do]").all()]
    assert len(commands) == 2
    for command in commands:
        done = _typed_in_a_shell(command, own)
        assert done.returncode == 0, done.stderr
    expect(page.get_by_role("link", name="Show 3 new entries")).to_be_visible()
    answer = own.deliver(
        "ping",
        sample("ping.hook").body,
        secret=(own.folder / "secret.txt").read_bytes().rstrip(b"\n"),
        source="github-main",
    )
    assert answer.status == 202
    page.get_by_role("link", name="Show 4 new entries").click()
    rows = page.locator("[data-rows]")
    expect(rows).to_contain_text("github-main said hello")
    expect(rows).to_contain_text("checkout was deployed to staging")
    page.reload()
    expect(page.get_by_role("heading", name="Let it hear something")).to_have_count(0)


def _typed_in_a_shell(command: str, house: Running) -> subprocess.CompletedProcess[str]:
    """What the page says to type, typed where the house was started."""
    settings = {
        "DEPLOYTRAIL_DATA": str(house.data),
        "DEPLOYTRAIL_SIGNER": str(house.signer),
        "PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin",
        "HOME": str(house.folder),
    }
    return subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=house.folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Everybody can read it.


PLACES = ("/", "/?service=nobody", "/environments", "/log", "/attention", "/sign-in", "/nothing")


def paths(shared: Real) -> list[str]:
    """Every kind of page, of entries one of each kind."""
    entries = [f"/entries/{index}" for index in shared.one_of_each_kind().values()]
    return [*PLACES, f"/deployments/{shared.deployment}", *entries]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_on_real_pages(shared: Real, visit: Go, width: int, dark: bool) -> None:
    page = visit("/", cookie=shared.cookie, width=width, dark=dark, expect_errors=True)
    found = {}
    for path in paths(shared):
        page.goto(shared.running.url + path)
        if wrong := violations(page):
            found[path] = wrong
    assert found == {}


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_real_page_scrolls_sideways(shared: Real, visit: Go, width: int) -> None:
    page = visit("/", cookie=shared.cookie, width=width, expect_errors=True)
    found = {}
    for path in paths(shared):
        page.goto(shared.running.url + path)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            found[path] = over
    assert found == {}


def test_no_page_breaks_the_policy_or_complains(shared: Real, visit: Go) -> None:
    page = visit("/", cookie=shared.cookie)
    for path in paths(shared):
        if path != "/nothing":
            page.goto(shared.running.url + path)
            assert page.evaluate("window.violations") == []


def test_an_entry_of_every_kind_opens_what_was_sealed(shared: Real) -> None:
    kinds = shared.one_of_each_kind()
    assert len(kinds) > 25
    for kind, index in kinds.items():
        html = shared.html(f"/entries/{index}")
        assert kind in html
        assert "sealed; erased" not in html, (kind, index)
        assert "name erased" not in html, (kind, index)
        for part in ("Download receipt", "data-verify", "Recorded as"):
            assert part in html, (kind, index)


def test_an_erased_person_is_shown_as_erased(shared: Real, visit: Go) -> None:
    path = f"/entries/{shared.leaver}"
    assert "eli@example.org" in shared.html(path)
    done = typed("erase", "eli@example.org", "--yes", *shared.running.where)
    assert done.status == 0, done.err
    page = visit(path, cookie=shared.cookie)
    expect(page.locator("main")).to_contain_text("an erased person deployed ledger to production")
    expect(page.locator("main")).to_contain_text("name erased or never told")
    assert "eli@" not in page.content()
    shared.running.signed()
    assert "Proof broken" not in verify(page)
    page.goto(f"{shared.running.url}/deployments/{shared.leaver}")
    expect(page.locator("main")).to_contain_text("an erased person deployed it")


def test_the_keyboard_alone_goes_from_the_trail_to_a_proof(shared: Real, visit: Go) -> None:
    index = shared.deploy("by-keyboard", service="keys")
    shared.running.signed()
    page = visit("/", cookie=shared.cookie)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shared.running.url}/deployments/{index}")
    button = page.get_by_role("button", name="Verify in this browser")
    for _ in range(80):
        page.keyboard.press("Tab")
        if button.evaluate("e => e === document.activeElement"):
            break
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-verdict]")).to_contain_text("Proven")


def test_without_script_everything_can_be_read(shared: Real, visit: Go) -> None:
    page = visit("/", cookie=shared.cookie, script=False)
    expect(page.locator(".row")).to_have_count(50)
    page.get_by_role("link", name="Older entries").click()
    expect(page).to_have_url(re.compile(r"/\?below="))
    expect(page.locator(".row").first).to_be_visible()
    page.goto(shared.running.url)
    page.get_by_label("Service").select_option("checkout")
    page.get_by_label("Outcome").select_option("succeeded")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"service=checkout&.*outcome=succeeded"))
    expect(page.locator(".row").first).to_contain_text("checkout")
    page.locator(f"#e{shared.deployment}").get_by_role("link", name="checkout 1.42.0").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("checkout 1.42.0 to production")
    expect(page.get_by_role("link", name="Download receipt")).to_be_visible()
    expect(page.get_by_role("button", name="Verify in this browser")).to_be_hidden()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Log").click()
    expect(page.locator("section noscript p")).to_be_visible()
    assert page.locator("section noscript p").inner_text().startswith("This needs script")
    page.locator(".foot").get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
