"""Questions at a terminal and through the client, answered by a house that is really served."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from deploytrail.app import views
from deploytrail.cli import shown
from deploytrail.client import House, Placed, Problem, Refused, answers
from tests.main.running import PATIENCE_S, Running, Typed, serving, typed

REPOSITORY = "example.org/shop/checkout"
ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
CHANGE: dict[str, Any] = {"repository": REPOSITORY, "number": 7}
HOSTILE = "\x1b[31mred\u202e\x07\r\nfrom everyone"


def fact(kind: str, minute: int, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "occurred_at": f"2026-03-17T12:{minute:02d}:00Z", **fields}


def deployed(number: int, minute: int, **fields: Any) -> dict[str, Any]:
    told = {"service": "checkout", "environment": "production", "outcome": "succeeded", **fields}
    return fact("deployment.finished", minute, id=f"d{number}", deployment=f"d{number}", **told)


HISTORY = [
    fact(
        "commit.pushed", 0, repository=REPOSITORY, ref="refs/heads/main", before=ONE, after=THREE,
        commits=[
            {"sha": TWO, "author": {"login": "ada"}, "title": "Count each refund once"},
            {"sha": THREE, "author": {"login": "ben"}, "title": HOSTILE},
        ],
    ),
    fact("change.opened", 1, **CHANGE, sha=THREE, author={"login": "ben"}, title=HOSTILE),
    fact("change.reviewed", 2, **CHANGE, verdict="approved", reviewer={"login": "cleo"}),
    fact("change.merged", 3, **CHANGE, sha=THREE, merged_by={"login": "dina"}),
    deployed(1, 4, version="1.41", commits=[{"repository": REPOSITORY, "sha": ONE}], actor={"login": "ada"}),
    deployed(2, 5, version="1.42", commits=[{"repository": REPOSITORY, "sha": THREE}],
             actor={"login": "eli", "email": "eli@example.org"}),
    deployed(3, 6, version="1.43", outcome="failed", actor={"login": "ada"}),
    deployed(4, 7, service="mailer", version=HOSTILE, actor={"login": HOSTILE}),
]  # fmt: skip


class Asked:
    """The served house, and commands typed at it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.viewer, self.reporter = running.token("viewer"), running.token("reporter")
        with House(running.url, self.reporter) as house:
            self.told = list(house.tell_many(HISTORY))
        newest = self.told[-1]
        assert isinstance(newest, Placed)
        self.newest = newest.index
        with House(running.url, self.viewer) as house:
            assert next(house.services(at_least=self.newest)).name == "checkout"

    def __call__(self, *arguments: str) -> Typed:
        return typed(*arguments, "--url", self.running.url, "--token", self.viewer)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.out.isascii()
        return json.loads(done.out)


@pytest.fixture(scope="module")
def ask() -> Iterator[Asked]:
    with serving() as running:
        yield Asked(running)


def no_terminal_obeys(text: str) -> bool:
    return all(sign == "\n" or sign.isprintable() for sign in text) and "\u202e" not in text


# Commands.


def test_deployments_as_a_table_and_as_json(ask: Asked) -> None:
    done = ask("deployments")
    assert done.status == 0
    head, *rows = done.out.splitlines()
    assert head.split()[0] == "Ended"
    assert [row.split()[1] for row in rows] == ["12:07:00", "12:06:00", "12:05:00", "12:04:00"]
    assert "1.42" in rows[2]
    assert "eli" in rows[2]
    assert no_terminal_obeys(done.out)
    assert len(ask("deployments", "--limit", "2").out.splitlines()) == 3
    found = ask.json("deployments", "--service", "checkout", "--status", "failed")["deployments"]
    assert [(row["version"], row["at"]) for row in found] == [("1.43", "2026-03-17T12:06:00Z")]


@pytest.mark.parametrize(
    ("since", "count"),
    [("2026-03-17T12:06:00Z", 2), ("2026-03-17T14:06:00+02:00", 2), ("2026-03-17", 4), ("2026-03-18", 0)],
)
def test_since_takes_times_and_days(ask: Asked, since: str, count: int) -> None:
    assert len(ask.json("deployments", "--since", since)["deployments"]) == count


def test_since_takes_how_long_ago(ask: Asked) -> None:
    assert len(ask.json("deployments", "--since", "99999d")["deployments"]) == 4
    assert ask.json("deployments", "--since", "0s")["deployments"] == []


def test_an_empty_answer_says_what_next(ask: Asked) -> None:
    for arguments in (("deployments", "--service", "nothing"), ("changes", "--repository", "no/thing")):
        done = ask(*arguments)
        assert (done.status, len(done.out.splitlines())) == (0, 1)
        assert "deploytrail " in done.out
    with serving() as running:
        done = typed("deployments", "--url", running.url, "--token", running.token("viewer"))
        assert done.out.startswith("No deployment is known yet. Tell one: deploytrail record")


def test_changes(ask: Asked) -> None:
    done = ask("changes", "--state", "merged")
    assert f"{REPOSITORY}#7" in done.out
    assert all(name in done.out for name in ("ben", "cleo", "dina"))
    assert no_terminal_obeys(done.out)
    assert len(done.out.splitlines()) == 2
    assert ask.json("changes")["changes"][0]["number"] == 7


def test_whois_finds_by_login_address_and_subject(ask: Asked) -> None:
    subject = ask.json("whois", "eli")["people"][0]["id"]
    for word in ("eli", "told:eli", "eli@example.org", subject):
        done = ask("whois", word)
        assert (done.status, subject in done.out) == (0, True), word
    nobody = ask("whois", "somebody")
    assert (nobody.status, "Nobody is known as somebody" in nobody.out) == (1, True)
    assert ask.json("whois", "somebody") == {"people": []}


def test_blame_says_who_and_what(ask: Asked) -> None:
    done = ask("blame", "checkout", "production")
    assert done.status == 0
    assert done.out.startswith("checkout 1.42 runs in production, since 2026-03-17 12:05:00 UTC\n")
    for words in ("eli", "Count each refund once", "ada", "cleo", "#7", "in place of", "1.41"):
        assert words in done.out
    assert no_terminal_obeys(done.out)
    then = ask("blame", "checkout", "production", "--at", "2026-03-17T12:04:30Z")
    assert then.out.startswith("checkout 1.41 ran at 2026-03-17T12:04:30Z in production")
    assert ask.json("blame", "checkout", "production")["version"] == "1.42"
    before = ask("blame", "checkout", "production", "--at", "2025-01-01")
    assert (before.status, "ran there" in before.err) == (1, True)


def test_what_changed(ask: Asked) -> None:
    done = ask("what-changed", "--environment", "production", "--since", "2026-03-17T12:04:30Z")
    assert done.status == 0
    assert "1.41" in done.out
    assert "1.42" in done.out
    assert "Count each refund once" in done.out
    assert no_terminal_obeys(done.out)
    found = ask.json("what-changed", "--environment", "production", "--since", "2026-03-17T12:04:30Z")
    assert [each["service"] for each in found["services"]] == ["checkout", "mailer"]
    assert [each["number"] for each in found["services"][0]["changes"]] == [7]
    nothing = ask("what-changed", "--environment", "production", "--since", "0s")
    assert nothing.out.startswith("Nothing changed in production between")


def test_last_good(ask: Asked) -> None:
    done = ask("last-good", "checkout", "production")
    assert done.status == 0
    assert done.out.startswith("1.42 is the last good one of checkout in production. It runs now.\n")
    assert ask.json("last-good", "checkout", "production")["runs"] is True


def test_nothing_good_is_no_success(ask: Asked) -> None:
    with House(ask.running.url, ask.reporter) as house:
        index = house.tell(deployed(9, 9, environment="test", outcome="failed"), wait="projected").index
    assert index > ask.newest
    done = ask("last-good", "checkout", "test")
    assert (done.status, done.out) == (1, "No good deployment of checkout in test is known.\n")
    assert "deployment" not in ask.json("last-good", "checkout", "test")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("deployments", "--limit", "0"), 2),
        (("deployments", "--limit", "x"), 2),
        (("deployments", "--since", "yesterday"), 2),
        (("deployments", "--since", "2026-02-30"), 2),
        (("deployments", "--since", ""), 2),
        (("deployments", "--status", "good"), 2),
        (("deployments", "--service", ""), 2),
        (("deployments", "--service", "x" * 300), 2),
        (("deployments", "production"), 2),
        (("changes", "--state", "closed"), 2),
        (("whois",), 2),
        (("whois", ""), 2),
        (("whois", "x" * 2_000), 2),
        (("blame", "checkout"), 2),
        (("blame", "nothing", "production"), 1),
        (("blame", "checkout", ".."), 1),
        (("blame", "../../log", "checkpoint"), 1),
        (("blame", "checkout", "production", "--at", "now"), 2),
        (("what-changed", "--environment", "production"), 2),
        (("what-changed", "--since", "1d"), 2),
        (("what-changed", "--environment", "nowhere", "--since", "1d"), 1),
        (("what-changed", "--environment", "?", "--since", "1d"), 1),
        (("last-good", "checkout", "\x1b[31m"), 1),
        (("last-good",), 2),
    ],
)
def test_wrong_use_ends_with_its_status_and_a_sentence(
    ask: Asked, arguments: tuple[str, ...], status: int
) -> None:
    done = ask(*arguments)
    assert (done.status, done.out) == (status, "")
    assert len(done.err.strip()) > 15
    assert no_terminal_obeys(done.err)


@pytest.mark.parametrize(("token", "words"), [("dt_wrong", "Nobody is signed in"), ("é\n", "no token has")])
def test_a_token_that_does_not_hold(ask: Asked, token: str, words: str) -> None:
    done = typed("deployments", "--url", ask.running.url, "--token", token)
    assert done.status in (2, 3)
    assert words in done.err


def test_a_reporter_may_not_ask(ask: Asked) -> None:
    done = typed("deployments", "--url", ask.running.url, "--token", ask.reporter)
    assert (done.status, "may not do this" in done.err) == (3, True)


def test_no_house_is_out_of_reach() -> None:
    done = typed("deployments", "--url", "http://localhost:9")
    assert (done.status, "out of reach" in done.err) == (5, True)


# Tables.


def test_a_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    shown.table(
        ("When", "What", "Empty"), [("2026-03-17", "w" * 90, ""), ("x", "日本語" * 20, "")], firm=(0,)
    )
    lines = capsys.readouterr().out.splitlines()
    assert [shown._width(line) <= 40 for line in lines] == [True] * 3
    assert lines[1].startswith("2026-03-17  www")
    assert lines[1].endswith("…")
    assert "Empty" not in lines[0]


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    shown.table(("What",), [("w" * 500,)])
    assert "w" * 500 in capsys.readouterr().out


# The client.


def test_the_client_tells_one_and_many_and_reads_what_it_told(ask: Asked) -> None:
    assert all(isinstance(each, Placed) for each in ask.told)
    with House(ask.running.url, ask.reporter) as house:
        again = house.tell(HISTORY[-1])
        assert (again.repeat, again.index) == (True, ask.newest)
        good, bad = house.tell_many(
            [deployed(4, 7, service="mailer", version="other"), {"kind": "x-y"}][::-1]
        )
        assert isinstance(good, Placed)
        assert isinstance(bad, Problem)
        assert (bad.code, bad.line) == ("conflict", 2)
        with pytest.raises(Refused, match="cannot be told from outside") as refused:
            house.tell({"kind": "subject.erased"})
        assert refused.value.code == "forbidden"


def test_the_client_reads_every_page(ask: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    with House(ask.running.url, ask.viewer) as house:
        whole = [row.index for row in house.trail()]
        assert whole == sorted(whole, reverse=True)
        assert whole[-1] == 0
        assert house.index is not None
        assert house.index >= ask.newest
        assert [row.version for row in house.deployments(service="checkout", environment="production")] == [
            "1.43", "1.42", "1.41",
        ]  # fmt: skip
        since = datetime(2026, 3, 17, 12, 6, tzinfo=UTC)
        assert {row.version for row in house.deployments(since=since, until=since)} == {"1.43"}
        one = house.deployment(next(house.deployments(status="failed", environment="production")).key)
        assert (one.status, one.at) == ("failed", since)
        assert {each.name for each in house.environments()} >= {"production"}
        end = time.monotonic() + PATIENCE_S
        while not (found := list(house.search("checkout 1.42"))):
            # The search index follows the log by itself.
            assert time.monotonic() < end
            time.sleep(0.05)
        assert {row.kind for row in found} == {"deployment.finished"}
        assert [each.sort for each in house.named("checkout")] == ["service"]
        assert list(house.search("nobody said this")) == []
        assert house.service("checkout").deployments.deployments[0].environment
        change = house.change(REPOSITORY, 7)
        assert [(review.who.login, review.approval) for review in change.reviews] == [("cleo", True)]
        subject = next(house.people("eli")).id
        person = house.person(subject)
        assert (person.who.login, person.email) == ("eli", "eli@example.org")
        with pytest.raises(Refused, match="No artifact of this digest"):
            house.artifact("sha256:" + "0" * 64)
        assert house.checkpoint().startswith(b"deploytrail.invalid/")
        assert b"c2sp.org/tlog-proof@v1" in house.receipt(0)
        with pytest.raises(Refused, match="needs its offset"):
            house.deployments(since=datetime(2026, 3, 17))
        with pytest.raises(Refused, match="has no entry"):
            house.deployment("0", at_least=10**9)


def test_names_with_slashes_and_other_signs_are_found(ask: Asked) -> None:
    with House(ask.running.url, ask.reporter) as house:
        told = deployed(20, 20, service="team/shop ü?#%", environment="review/7", version="1")
        index = house.tell(told, wait="projected").index
    with House(ask.running.url, ask.viewer) as house:
        assert house.running("team/shop ü?#%", "review/7", at_least=index).version == "1"
        assert house.last_good("team/shop ü?#%", "review/7").runs
        assert house.service("team/shop ü?#%").name == "team/shop ü?#%"
        assert house.what_changed("review/7", "2026-01-01T00:00:00Z").services[0].service == "team/shop ü?#%"


def test_the_types_of_the_client_are_those_of_the_house() -> None:
    names = {
        "Deployment": "DeploymentView", "Commit": "CommitView", "Check": "CheckView", "Step": "StepView",
        "Artifact": "ArtifactView", "Report": "ReportView", "Cell": "CellView",
        "Environment": "EnvironmentView", "Change": "ChangeRow", "Service": "ServiceRow",
        "Person": "PersonRow", "ServiceWhole": "ServiceView", "ChangeWhole": "ChangeView",
        "ArtifactWhole": "PublishedView", "PersonWhole": "PersonView", "Kept": "KeptView",
        "Review": "ReviewView", "Reached": "ReachedView",
    }  # fmt: skip
    for mine in answers.Said.__subclasses__() + answers.Who.__subclasses__():
        theirs = getattr(views, names.get(mine.__name__, mine.__name__), None)
        if theirs is None:
            assert mine in (Placed, Problem)
            continue
        ours = set(mine.__struct_fields__)
        assert ours <= set(theirs.__struct_fields__), mine
        assert set(theirs.__struct_fields__) - ours <= {"next"}, mine
