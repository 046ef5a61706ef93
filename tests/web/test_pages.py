"""Pages: what stands on them, what they are called, and what they say when there is nothing."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

import deploytrail.web
from deploytrail.app.views import (
    ArtifactView,
    CellView,
    CheckView,
    DeploymentView,
    EnvironmentView,
    TrailRow,
)
from deploytrail.web.render import log_state
from deploytrail.web.trail import by_day
from tests.web import cast
from tests.web.conftest import Enter, tell
from tests.web.fakes import FakeHouse
from tests.web.reading import Page

PAGES = (*cast.PAGES, "/?below=45", "/environments?show=differences", "/entries/3")


def text(html: str) -> str:
    """What a reader sees, with single spaces."""
    return " ".join("".join(Page(html).text).split())


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_one_title_and_no_level_skipped(enter: Enter, path: str) -> None:
    html = enter("administrator").get(path, headers={"accept": "text/html"}).text
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", html.partition("<dialog")[0])]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert re.search(r"<title>[^<]+ · Deploytrail</title>", html)
    assert '<html lang="en"' in html
    assert '<a class="skip" href="#main">' in html
    page = Page(html)
    labelled = [name for names in page.values.get("aria-labelledby", []) for name in names.split()]
    assert set(labelled) <= set(page.ids)
    assert page.left_open == []


@pytest.mark.parametrize("path", PAGES)
def test_every_link_on_a_page_leads_somewhere(enter: Enter, path: str) -> None:
    client = enter("administrator")
    page = Page(client.get(path, headers={"accept": "text/html"}).text)
    for link in set(page.links):
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif link.startswith("/") and not link.startswith(("/deployments/", "/entries/")):
            assert client.get(link.partition("#")[0]).status_code == 200, link
        else:
            assert link.startswith(("/deployments/", "/entries/", "https://ci.example.org/")), link


def test_the_trail_shows_each_row_with_its_time_state_and_proof(enter: Enter) -> None:
    html = enter("viewer").get("/").text
    seen = text(html)
    assert "Today, Tuesday 17 March 2026" in seen
    assert "14:23:00 ada deployed checkout 1.42.0 to production-eu 13 min ago authenticated 4f2c81e" in seen
    assert "in place of 1.41.3 took 1 min 52 s told by shop-hub Signed entry 47" in seen
    assert html.count('<li class="row"') == len(cast.trail())


def test_a_late_row_keeps_its_place_and_shows_its_date(house: FakeHouse) -> None:
    groups = by_day(house.ask.rows, cast.NOW)
    assert [group.head for group in groups] == ["Today, Tuesday 17 March 2026"]
    late = next(line for line in groups[0].lines if line.row.index == 38)
    assert late.clock == "16 Mar"
    assert any("reported 1 day" in detail for detail in late.under)


def test_days_are_grouped_in_the_order_of_the_log() -> None:
    rows = [cast.row(n, "log.opened", received_at=cast.NOW - n * 8 * 60 * cast.MINUTE) for n in range(9)]
    groups = by_day(rows, cast.NOW)
    assert [group.head.partition(",")[0] for group in groups[:2]] == ["Today", "Yesterday"]
    assert [line.row.index for group in groups for line in group.lines] == list(range(9))


def test_a_claim_about_the_future_is_said_to_be_one() -> None:
    ahead = cast.row(1, "log.opened", occurred_at=cast.NOW + 86_400_000, received_at=cast.NOW)
    line = by_day([ahead], cast.NOW)[0].lines[0]
    assert any("ahead of ours" in detail for detail in line.under)


def test_filters_are_kept_as_chips_that_can_be_taken_away(enter: Enter) -> None:
    html = enter("viewer").get("/?service=checkout&outcome=succeeded&actor=s_ada").text
    page = Page(html)
    assert html.count('<li class="row"') == 1
    for rest in ("/?environment", "/?actor=s_ada&outcome=succeeded", "/?service=checkout&outcome=succeeded"):
        assert (rest in page.links) == (rest != "/?environment")
    assert '<option value="checkout" selected>' in html
    assert 'data-query="service=checkout&amp;actor=s_ada&amp;outcome=succeeded"' in html


def test_older_entries_go_on_below_the_last_row(house: FakeHouse, enter: Enter) -> None:
    house.ask.rows = [cast.deployed(index) for index in range(130)]
    client = enter("viewer")
    seen: list[int] = []
    path: str | None = "/?service=checkout"
    while path:
        page = Page(client.get(path).text)
        seen += [int(value) for value in page.values.get("data-index", [])]
        path = next((link for link in page.links if "below=" in link), None)
    assert seen == list(range(129, -1, -1))


def test_new_rows_come_as_the_same_rows(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    fragment = client.get("/trail/rows?above=45")
    assert fragment.status_code == 200
    whole = client.get("/").text
    rows = re.findall(r'<li class="row fresh".*?</li>', fragment.text, re.S)
    assert len(rows) == 2
    assert all(row.replace("row fresh", "row") in whole for row in rows)
    assert 'data-up-to="48"' in fragment.text
    assert client.get("/trail/rows?above=45&service=nobody").text.count("<li") == 0
    assert client.get("/trail/rows").status_code == 400


def test_a_young_house_says_how_to_let_it_hear_something(house: FakeHouse, enter: Enter) -> None:
    assert "Let it hear something" not in enter("viewer").get("/").text
    house.ask.rows = [cast.row(0, "log.opened", fields={"origin": "o"}), cast.row(1, "session.started")]
    html = enter("viewer").get("/").text
    assert "Let it hear something" in html
    assert "http://localhost/hooks/github-main" in html


def test_empty_pages_say_why_and_what_next(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    house.ask.places, house.ask.aside = [], []
    assert "No environment is known yet" in client.get("/environments").text
    assert "Nothing needs attention" in client.get("/attention").text
    assert "No entry matches" in client.get("/?service=nobody").text


@pytest.mark.parametrize(
    ("count", "said"), [(0, []), (2, ["2 set aside"]), (99, ["99 set aside"]), (100, ["99+ set aside"])]
)
def test_every_page_says_how_many_deliveries_were_set_aside(
    house: FakeHouse, enter: Enter, count: int, said: list[str]
) -> None:
    house.ask.aside = cast.set_aside()[:1] * count
    assert re.findall(r"[\d+]+ set aside", text(enter("viewer").get("/environments").text)) == said


def test_what_was_set_aside_is_counted_again_when_something_was_recorded(
    house: FakeHouse, enter: Enter
) -> None:
    client = enter("viewer")
    assert "2 set aside" in text(client.get("/log").text)
    house.ask.aside.pop()
    house.ask.size = house.ask.projected() + 1
    house.clock.at += 1_000
    assert "1 set aside" in text(client.get("/log").text)


def test_a_deployment_tells_its_whole_story(enter: Enter) -> None:
    seen = text(enter("administrator").get("/deployments/40").text)
    for words in (
        "checkout 1.42.0 to production-eu",
        "ada deployed it, 4 min ago (17 Mar 2026, 14:32:00 UTC). It replaced 1.41.3. It took 1 min 52 s.",
        "It runs there now.",
        "2 commits since 1.41.3",
        "Retry card capture once on timeout",
        "migrate: success",
        "2 migrations applied",
        "reported 1 min 5 s later",
        "same digest within 30 minutes",
        "Separate this report",
        "team",
        "In the signed checkpoint of 60 entries",
        "Not witnessed",
    ):
        assert words in seen, words


def test_unknown_things_are_said_to_be_unknown(house: FakeHouse, enter: Enter) -> None:
    house.ask.deployments["1"] = DeploymentView(
        key="1",
        service="checkout",
        environment="staging",
        mark="running",
        status="running",
        type="forward",
        attribution="unknown",
        at=cast.NOW,
        commits_why="No push was told. Connect the source, or run: deploytrail import git PATH",
    )
    seen = text(enter("viewer").get("/deployments/1").text)
    for words in (
        "Commits unknown",
        "deploytrail import git PATH",
        "It started just now (17 Mar 2026, 14:36:00 UTC); nobody said who began it.",
        "its commit is unknown",
        "No step was reported",
        "Not yet in a signed checkpoint",
    ):
        assert words in seen, words


@pytest.mark.parametrize(
    ("known", "word", "lede"),
    [
        ({}, "Succeeded", "ada deployed it, 4 min ago"),
        ({"mark": "rolledback", "type": "rollback"}, "Rolled back", "ada rolled it back, 4 min ago"),
        ({"type": "redeploy"}, "Succeeded", "ada deployed it again, 4 min ago"),
        ({"mark": "failed", "status": "failed"}, "Failed", "ada tried to deploy it; it failed, 4 min ago"),
        ({"mark": "note", "status": "cancelled"}, "Cancelled", "it was cancelled, 4 min ago"),
        ({"mark": "note", "status": "finished"}, "Ended", "nobody said how it ended."),
        ({"mark": "running", "status": "running", "actor": None}, "Running", "nobody said who began it."),
        ({"mark": "waiting", "status": "waiting"}, "Waiting", "ada started it, 4 min ago"),
        ({"actor": None}, "Succeeded", "nobody said by whom."),
    ],
)
def test_each_outcome_has_its_word_and_its_sentence(
    house: FakeHouse, enter: Enter, known: dict[str, object], word: str, lede: str
) -> None:
    house.ask.deployments["40"] = cast.a_deployment(**known)
    html = enter("viewer").get("/deployments/40").text
    assert f">{word}</span>" in html
    assert lede in text(html)


def test_what_failed_is_not_said_to_have_replaced_anything(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    for status, mark in (("failed", "failed"), ("cancelled", "failed"), ("running", "running")):
        house.ask.deployments["40"] = cast.a_deployment(status=status, mark=mark, outcome=status)
        seen = text(client.get("/deployments/40").text)
        assert "It replaced" not in seen
        assert "Ran before" in seen
        assert "Open what ran before" in seen
    for outcome, said in (("failed", False), ("success", True)):
        house.ask.rows = [cast.deployed(47, fields={"outcome": outcome})]
        assert ("in place of 1.41.3" in text(client.get("/").text)) is said


def test_a_broken_proof_is_never_hidden(house: FakeHouse, enter: Enter) -> None:
    house.ask.deployments["40"] = cast.a_deployment(proof="broken")
    house.ask.rows = [cast.deployed(47, proof="broken")]
    client = enter("viewer")
    assert 'data-p="broken"' in client.get("/").text
    assert "The stored bytes do not match the log" in client.get("/deployments/40").text


PUBLISHED = ArtifactView(digest=cast.DIGEST, source="runner", at=cast.NOW, index=39, sha=cast.SHA)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"checks": []}, "Build none told"),
        ({}, "Build 1 passed 2 min 10 s"),
        ({"published": PUBLISHED}, "Build published as 9d1f4ac2…e07b from 4f2c81e"),
        (
            {"published": PUBLISHED, "sha": "e" * 40},
            "Build published as 9d1f4ac2…e07b from 4f2c81e, another commit",
        ),
        (
            {"published": PUBLISHED, "artifact": None},
            "Build published as 9d1f4ac2…e07b from this commit; which one runs is unknown",
        ),
        (
            {"published": msgspec.structs.replace(PUBLISHED, sha=None)},
            "Build published as 9d1f4ac2…e07b its commit was not told",
        ),
        (
            {
                "published": PUBLISHED,
                "checks": [CheckView(name="image", kind="build.finished", outcome="failed")],
            },
            "Build 1 of 1 failed published as 9d1f4ac2…e07b",
        ),
        (
            {"checks": [CheckView(name="Build and push", kind="check.finished", outcome="succeeded")]},
            "Build 1 passed Tests none told",
        ),
        (
            {"checks": [CheckView(name="build", kind="job.started", status="in_progress")]},
            "Build 1 running Tests none told",
        ),
        (
            {"checks": [CheckView(name="build", kind="test.finished", outcome="succeeded")]},
            "Build none told Tests 1 passed",
        ),
    ],
)
def test_the_path_says_what_is_known_of_the_build(
    house: FakeHouse, enter: Enter, known: dict[str, Any], said: str
) -> None:
    house.ask.deployments["40"] = cast.a_deployment(**known)
    assert said in text(enter("viewer").get("/deployments/40").text)


def test_no_signature_is_claimed_or_denied(house: FakeHouse, enter: Enter) -> None:
    assert "2 by ada and dina 1 signed" in text(enter("viewer").get("/deployments/40").text)
    commit = msgspec.structs.replace(cast.a_deployment().commits[1], attribution="asserted")
    house.ask.deployments["40"] = cast.a_deployment(commits=[commit])
    assert "1 by dina no signature known" in text(enter("viewer").get("/deployments/40").text)


def test_only_administrators_are_offered_to_separate(house: FakeHouse, enter: Enter) -> None:
    assert "Separate this report" not in enter("viewer").get("/deployments/40").text
    answer = enter("administrator").post(
        "/deployments/40/separate", content=b"index=46", headers={"sec-fetch-site": "same-origin"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/deployments/40")
    assert [(done[0], *done[2:]) for done in house.administer.done] == [("separate", "40", 46)]


def test_the_matrix_can_show_differences_only(enter: Enter) -> None:
    client = enter("viewer")
    assert text(client.get("/environments").text).count("Rolled back") == 1
    assert "ledger-api" in client.get("/environments?show=differences").text


def many_services(count: int) -> EnvironmentView:
    """An environment that runs many services, of which every tenth was removed."""
    cells = [
        CellView(service=f"service-{n:03}", environment="production", mark="note", word="Removed")
        if n % 10 == 0
        else CellView(
            service=f"service-{n:03}",
            environment="production",
            mark="succeeded",
            word="Running",
            version="1.0.0",
            deployment=str(n),
        )
        for n in range(count)
    ]
    return EnvironmentView(name="production", services=count, cells=cells)


def test_hundreds_of_services_are_read_page_by_page(house: FakeHouse, enter: Enter) -> None:
    house.ask.places = [many_services(300)]
    client = enter("viewer")
    seen: list[str] = []
    path: str | None = "/environments"
    while path:
        found = Page(client.get(path).text)
        seen += [link.removeprefix("/services/") for link in found.links if link.startswith("/services/")]
        path = next((link for link in found.links if "after=" in link), None)
    assert seen == [f"service-{n:03}" for n in range(300) if n % 10]
    removed = text(client.get("/environments?show=removed").text)
    assert "service-290" in removed
    assert "service-291" not in removed


def test_a_service_is_found_by_a_part_of_its_name(house: FakeHouse, enter: Enter) -> None:
    house.ask.places = [many_services(300)]
    client = enter("viewer")
    found = Page(client.get("/environments?find=Service-25").text)
    assert sum(link.startswith("/services/") for link in found.links) == 9
    assert "No service is called so" in client.get("/environments?find=nothing").text
    odd = Page(client.get("/environments?find=%22%3E%3Cscript%3E").text)
    assert odd.inline == []


@pytest.mark.parametrize(("name", "shown"), [("live", "live"), ("$(reboot)", "NAME"), ("a b", "NAME")])
def test_a_command_to_copy_never_holds_what_a_shell_reads(
    house: FakeHouse, enter: Enter, name: str, shown: str
) -> None:
    house.ask.places = [EnvironmentView(name=name)]
    html = enter("administrator").get("/environments").text
    assert f"environment declare {shown} --class production" in html
    assert "environment declare" not in enter("viewer").get("/environments").text


def test_the_log_page_says_what_can_be_checked_and_how(house: FakeHouse, enter: Enter) -> None:
    html = enter("viewer").get("/log").text
    assert f"deploytrail verify http://localhost --key {house.vkey}" in text(html)
    assert "The log is whole: 60 entries are signed" in html
    assert "data-open-entries" in html
    assert "data-open-entries" not in enter("viewer", public_log=False).get("/log").text
    assert "data-open-entries" in enter("administrator", public_log=False).get("/log").text


@pytest.mark.parametrize(
    ("state", "headline", "foot"),
    [
        (("signed", ""), "The log is whole", "Log is whole"),
        (("behind", "the key is away"), "The log is behind with signing", "Not signed for"),
        (("refused", "It was rolled back."), "The log is not signed any more", "Log is not signed any more"),
    ],
)
def test_the_state_of_the_log_is_at_the_foot_of_every_page(
    house: FakeHouse, enter: Enter, state: tuple[str, str], headline: str, foot: str
) -> None:
    house.ask.state = state
    client = enter("viewer")
    assert headline in client.get("/log").text
    assert foot in client.get("/environments").text
    assert foot in client.get("/pulse").text


@pytest.mark.parametrize(
    ("view", "state", "foot"),
    [
        ({}, "whole", "Log is whole 60 entries, signed 3 s ago, no witness yet"),
        ({"size": 63}, "signing", "Log is whole up to entry 59; 3 more being signed, no witness yet"),
        (
            {"size": 63, "signed_ms_ago": 11_000},
            "behind",
            "Not signed for 11 s 63 entries, 60 of them",
        ),
        ({"size": 63, "signed_ms_ago": None}, "behind", "Not signed since the start 63 entries"),
        ({"signer": "behind"}, "behind", "Not signed for 3 s"),
        ({"checkpoint_size": None}, "unsigned", "Log is not signed yet"),
        ({"signer": "refused"}, "refused", "Log is not signed any more"),
    ],
)
def test_the_log_is_called_whole_only_while_it_is_signed_to_its_end(
    house: FakeHouse, enter: Enter, view: dict[str, Any], state: str, foot: str
) -> None:
    found = msgspec.structs.replace(house.ask.log(), **view)
    house.ask.log = lambda: found  # type: ignore[method-assign]
    assert log_state(found) == state
    client = enter("viewer")
    assert foot in text(client.get("/pulse").text)
    assert ("The log is whole" in client.get("/log").text) is (state in ("whole", "signing"))


def test_an_entry_shows_all_of_its_fields_and_its_bytes(house: FakeHouse, enter: Enter) -> None:
    tell(
        house,
        commits=[{"repository": "shop/checkout", "sha": cast.SHA}],
        description="2 migrations applied",
        url="https://ci.example.org/1",
        labels={"team": "payments"},
        data={"free": [1, 2]},
        surprise="kept",
        version="1.42.0",
    )
    html = enter("viewer").get("/entries/60").text
    seen = text(html)
    for words in (
        *("commits.0.sha", cast.SHA, "2 migrations applied", "https://ci.example.org/1", "team payments"),
        *('{"free":[1,2]}', '{"surprise":"kept"}', "1.42.0", "ada@example.org", "asserted", "shop-hub"),
    ):
        assert words in seen, words
    assert '"kind": "deployment.finished"' in seen
    assert '"kind": "deployment.finished"' not in text(
        enter("viewer", public_log=False).get("/entries/60").text
    )
    assert (
        "The bytes of entries are for administrators"
        in enter("viewer", public_log=False).get("/entries/60").text
    )


def test_erased_texts_are_said_to_be_erased(house: FakeHouse, enter: Enter) -> None:
    house.recorder.opened[3] = {}
    seen = text(enter("viewer").get("/entries/3").text)
    assert "name erased or never told" in seen
    assert "sealed; erased, or never disclosed to us" in seen


def test_banners(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    assert "This is the demo" not in client.get("/").text
    house.demo, house.readonly = True, "The signer refuses this history."
    for path in ("/", "/log", "/sign-in"):
        html = client.get(path).text
        assert "This is the demo" in html
        assert "The signer refuses this history." in html


def test_what_is_declared_goes_to_the_house(house: FakeHouse, enter: Enter) -> None:
    client = enter(token="administrator-token")
    answer = client.put(
        "/api/v1/services/checkout", json={"repositories": ["shop/checkout"], "owner": "payments"}
    )
    assert answer.json() == {"service": "checkout", "index": 7}
    answer = client.put("/api/v1/environments/production-eu", json={"type": "production", "rank": 2})
    assert answer.json() == {"environment": "production-eu", "index": 8}
    assert house.administer.done[0][2:] == ("checkout", ["shop/checkout"], [], [], "payments")
    assert house.administer.done[1][2:] == ("production-eu", "production", [], 2)
    for bad in ({"type": "moon"}, {"type": "test", "colour": "red"}, [], {"type": "test", "aliases": [""]}):
        assert client.put("/api/v1/environments/x", json=bad).status_code == 400
    assert client.put("/api/v1/environments/x", content=b"{").status_code == 400
    assert client.put("/api/v1/services/x", content=b"[" * 100_000).status_code == 400


def test_markup_is_only_made_of_constants() -> None:
    """Everything that is not a constant of ours passes through escaping: no Markup(variable) anywhere."""
    allowed = {"sentences.py": 3}
    for path in Path(deploytrail.web.__file__).parent.glob("*.py"):
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup"
        ]
        loose = [call for call in calls if not all(constant(argument) for argument in call.args)]
        assert len(loose) == allowed.get(path.name, 0), path.name


def constant(node: ast.expr) -> bool:
    """A literal, or a choice between literals."""
    if isinstance(node, ast.IfExp):
        return constant(node.body) and constant(node.orelse)
    return isinstance(node, ast.Constant)


def test_templates_trust_nothing() -> None:
    for path in (Path(deploytrail.web.__file__).parent / "templates").glob("*.html"):
        source = path.read_text("utf-8")
        assert "|safe" not in source.replace(" ", "")
        assert "autoescape" not in source
        assert "style=" not in source


def test_pages_ask_the_trail_once(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    client.get("/")
    before = house.ask.asked
    client.get("/")
    assert house.ask.asked - before == 1


def test_the_row_of_every_proof_state(house: FakeHouse, enter: Enter) -> None:
    rows: list[TrailRow] = [
        cast.deployed(n, proof=proof)
        for n, proof in enumerate(("recorded", "signed", "witnessed", "unproven", "broken"))
    ]
    house.ask.rows = rows
    seen = text(enter("viewer").get("/").text)
    for word in ("Recorded", "Signed", "Witnessed", "Unproven", "Proof broken"):
        assert word in seen
