"""The query plan of all that pages ask of the databases: no table scan, no sorting, no OFFSET, no count.

Every page is opened on a house with data, and every statement on the derived rows and the log is explained
by SQLite itself. A walk over a whole table or index is fine in one case only: it has a LIMIT, no condition
that could make it pass rows over, and comes in order without sorting. Then it reads what it gives.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from starlette.testclient import TestClient

from deploytrail.app import keyset
from deploytrail.app.access import Session
from deploytrail.app.follow import TABLES
from deploytrail.app.saved import Saved
from deploytrail.app.views import Filter
from deploytrail.store import sqlite
from deploytrail.store.derived_sql import SqlDerived
from deploytrail.store.search_sql import SqlSearch
from deploytrail.web.guard import Door
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import routes, site
from tests.app.small_house import SmallHouse
from tests.projections.telling import DIGEST, MINUTE, NOON, OTHER, REPOSITORY, SHA, THIRD
from tests.web.fakes import FakeHouse
from tests.web.fakes import Session as FakeSession

# What is there once and never again, whatever the house holds; the last are settings of a full-text table.
ONE_ROW: Final = ("head", "derivation", "following", "taken", "main.subject_config")
# Doors that are no pages: for machines, of the log, of health; those of forms answer with a redirection.
# Search is looked at for machines too, who go on by a cursor of their own.
_OTHERS: Final = re.compile(r"/(api(?!/v1/search$)|hooks|log/|static|healthz|readyz|metrics)")
# How each page is opened: plain, further on, and filtered. A page that is missing here fails the test.
ADDRESSES: Final[dict[str, tuple[str, ...]]] = {
    "/": (
        "/",
        "/?below=60",
        "/?service=checkout",
        "/?service=checkout&environment=production&outcome=failed",
        "/?actor={ada}&kind=deployment.finished&below=100",
    ),
    "/trail/rows": ("/trail/rows?above=100", "/trail/rows?above=5&service=checkout&actor={ada}"),
    "/trail.atom": ("/trail.atom", "/trail.atom?environment=production&kind=deployment.finished"),
    "/pulse": ("/pulse",),
    "/deployments/{key}": ("/deployments/{deployment}",),
    "/environments": ("/environments", "/environments?show=removed&find=check"),
    "/services": ("/services", "/services?cursor={service_cursor}"),
    "/services/{name:path}": ("/services/checkout", "/services/checkout?cursor={deployment_cursor}"),
    "/changes": (
        "/changes",
        "/changes?state=open",
        f"/changes?repository={REPOSITORY}&state=merged",
        "/changes?cursor={change_cursor}",
    ),
    "/changes/{repository:path}/{number}": (f"/changes/{REPOSITORY}/7", f"/changes/{REPOSITORY}/7?below=50"),
    "/artifacts/{digest}": (f"/artifacts/{DIGEST}", f"/artifacts/{DIGEST}?below=90"),
    "/people": ("/people", "/people?cursor={person_cursor}"),
    "/people/{subject}": ("/people/{ada}", "/people/{ada}?below=90&kept=90"),
    "/log": ("/log",),
    "/status": ("/status",),
    "/search": (
        "/search",
        "/search?q=checkout",
        "/search?q=e08b7d&below=100",
        "/search?q=round+tax+by:ada",
        "/search?q=service:checkout+outcome:failed",
    ),
    "/api/v1/search": (
        "/api/v1/search?q=checkout&at_least=3",
        "/api/v1/search?q=round+tax+by:ada&limit=2",
        "/api/v1/search?q=checkout&limit=3&cursor={search_cursor}",
    ),
    "/attention": ("/attention", "/attention?below=5"),
    "/entries/{index}": ("/entries/3",),
    "/sign-in": ("/sign-in",),
}


class Heard(NamedTuple):
    """One statement, with its values, and the file that it was run on."""

    path: Path
    sql: str


class Plans:
    """A house with data, open to a client, and every statement that is run in it."""

    def __init__(self, folder: Path, heard: list[Heard]) -> None:
        self.heard = heard
        self.derived = SqlDerived(folder / "derived.db", TABLES)
        self.index = SqlSearch(folder / "search.db")
        self.small = SmallHouse(folder, self.derived, self.index)
        _fill(self.small)
        saved = Saved(self.small.log, self.small.clock)
        self.ada = self.small.subject("ada")
        session = Session(id="1", subject=self.ada, role="administrator", name="ada", expires_at=NOON)
        saved.save(session, "Production", Filter(environment="production"))
        house = FakeHouse()
        house.ask, house.log, house.saved = self.small.ask, self.small.log, saved
        house.administer.sessions = {"ada": FakeSession(id="1", role="administrator", subject=self.ada)}
        self.client = TestClient(
            site(house, WebSettings(public_url="http://localhost")),
            base_url="http://localhost",
            raise_server_exceptions=True,
        )
        self.client.cookies.set("deploytrail", "ada")
        lists = self.small.ask.lists
        page = self.small.ask.service("checkout", None, 3)
        assert page is not None
        self.words = {
            "ada": self.ada,
            "deployment": page.deployments.deployments[0].key,
            "deployment_cursor": page.deployments.next or "",
            "service_cursor": lists.services(None, 1).next or "",
            "change_cursor": lists.changes(None, None, None, 2).next or "",
            "search_cursor": keyset.written(self.small.ask.search("checkout", None, 3).older),
            "person_cursor": lists.people(None, None, 1).next or "",
        }
        assert all(self.words.values())

    def open(self, address: str) -> list[Heard]:
        """What is asked of the databases for one page."""
        for name, value in self.words.items():
            address = address.replace(f"{{{name}}}", value)
        self.heard.clear()
        answer = self.client.get(address, headers={"accept": "text/html"})
        assert answer.status_code == 200, address
        return list(self.heard)

    def close(self) -> None:
        """Let the files go."""
        self.client.close()
        self.small.close()
        self.derived.close()
        self.index.close()


def _fill(house: SmallHouse) -> None:
    """Something of everything that pages show, and more than fits into a page of some lists."""
    ada = {"login": "ada", "email": "ada@example.org"}
    house.tell("environment.declared", environment="production", type="production", aliases=["prod"])
    house.tell("service.declared", service="checkout", repositories=[REPOSITORY], aliases=["shop"])
    for before, after in ((SHA, OTHER), (OTHER, THIRD)):
        commits = [{"sha": after, "parents": [before], "author": ada, "title": "Round tax"}]
        house.tell(
            "commit.pushed",
            repository=REPOSITORY,
            ref="refs/heads/main",
            before=before,
            after=after,
            commits=commits,
            actor="ada",
        )
        house.tell("test.finished", repository=REPOSITORY, sha=after, name="unit", outcome="succeeded")
    for number in range(1, 12):
        here = {"repository": REPOSITORY, "number": number}
        house.tell("change.opened", NOON - MINUTE, **here, title="Round", author=ada, head=OTHER)
        house.tell("change.reviewed", NOON - MINUTE, **here, verdict="approved", reviewer={"login": "ben"})
        if number % 2:
            merged = THIRD if number > 7 else OTHER
            house.tell("change.merged", NOON, **here, sha=merged, head=OTHER, base_sha=SHA, merged_by=ada)
    house.tell(
        "artifact.published", digest=DIGEST, name="checkout", repository=REPOSITORY, sha=OTHER, actor="ada"
    )
    for number in range(30):
        house.deploy(
            str(number),
            NOON + number * MINUTE,
            service="checkout" if number % 3 else f"web-{number}",
            environment="prod" if number % 2 else "staging",
            outcome="failed" if number % 5 == 0 else "succeeded",
            artifact=DIGEST,
            commits=[{"repository": REPOSITORY, "sha": OTHER}],
            actor="ada",
        )
    for number in range(12):
        house.tell(
            "delivery.set_aside", event="odd", reason="nobody reads it", size=number, commitment="c2FsdA=="
        )
    house.publish()
    house.follow()
    house.searching.catch_up()


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plans]:
    heard: list[Heard] = []
    connect: Callable[..., sqlite3.Connection] = sqlite._connect

    def listening(path: Path, *rest: object, **more: object) -> sqlite3.Connection:
        connection = connect(path, *rest, **more)
        connection.set_trace_callback(lambda sql: heard.append(Heard(Path(path), sql)))
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_connect", listening)
        made = Plans(tmp_path_factory.mktemp("plans"), heard)
        yield made
        made.close()


def pages() -> list[str]:
    """The paths of every page, from the routes themselves."""
    found = [door for door in routes(WebSettings()) if isinstance(door, Door)]
    return [door.path for door in found if "GET" in (door.methods or ()) and not _OTHERS.match(door.path)]


def faults(path: Path, sql: str) -> list[str]:
    """What is wrong with one statement, as SQLite itself would run it."""
    plain = re.sub(r"'(?:[^']|'')*'", "''", sql)
    if not re.match(r"\s*(SELECT|WITH)\b", plain, re.IGNORECASE):
        return []
    # SQLAlchemy writes OFFSET 0, which skips nothing.
    found = [
        f"{bad}: {sql}" for bad in (r"OFFSET (?!0\b)", r"COUNT\(", r"\bOVER\b") if re.search(bad, plain, re.I)
    ]
    connection = sqlite._driver.connect(str(path))
    try:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    finally:
        connection.close()
    walks = re.search(r"\bLIMIT\b", plain, re.IGNORECASE) and not re.search(
        r"\bWHERE\b", plain, re.IGNORECASE
    )
    for step in steps:
        if "TEMP B-TREE" in step:
            found.append(f"{step}: {sql}")
        scanned = re.match(r"SCAN (\S+)", step)
        # A virtual table says which of its ways is taken: 0 is to read it all, unless it is MATCHed.
        looked_up = "VALUES" in step or re.search(r"VIRTUAL TABLE INDEX (?!0:(?!M))", step)
        if scanned and scanned[1] not in ONE_ROW and not looked_up and not walks:
            found.append(f"{step}: {sql}")
    return found


def test_every_page_is_opened_here() -> None:
    assert set(pages()) == set(ADDRESSES)


@pytest.mark.parametrize("address", [a for each in ADDRESSES.values() for a in each])
def test_no_page_scans_sorts_or_counts(plans: Plans, address: str) -> None:
    heard = plans.open(address)
    assert [fault for path, sql in heard for fault in faults(path, sql)] == []


def test_what_is_asked_is_really_heard(plans: Plans) -> None:
    names = {path.name for path, _ in plans.open("/deployments/{deployment}")}
    assert names == {"derived.db", "log.db"}


def test_the_entries_of_a_page_are_opened_with_one_question(plans: Plans) -> None:
    asked = [sql for path, sql in plans.open("/?actor={ada}") if path.name == "log.db" and "entry" in sql]
    assert len(asked) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM trail WHERE outcome <> 'failed' LIMIT 5",
        "SELECT * FROM trail",
        'SELECT * FROM trail ORDER BY "index" DESC LIMIT 5 OFFSET 10',
        "SELECT count(*) FROM trail",
        "SELECT * FROM trail WHERE kind = 'a' ORDER BY outcome LIMIT 5",
    ],
)
def test_what_is_wrong_is_found(plans: Plans, sql: str) -> None:
    assert faults(plans.derived.path, sql)


def test_a_search_that_reads_all_is_found(plans: Plans) -> None:
    assert faults(plans.index.path, "SELECT rowid FROM term WHERE terms LIKE 'a%' LIMIT 5")
    assert faults(plans.index.path, "SELECT rowid FROM term WHERE term MATCH 'a' LIMIT 5") == []


def test_what_is_right_is_left_alone(plans: Plans) -> None:
    assert faults(plans.derived.path, 'SELECT * FROM trail ORDER BY "index" DESC LIMIT 5') == []
    assert (
        faults(plans.derived.path, "SELECT * FROM trail WHERE kind = 'OFFSET' ORDER BY \"index\" LIMIT 5")
        == []
    )
