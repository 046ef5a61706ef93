"""A house in PostgreSQL as who runs it meets it: what is refused, in words; a server that goes and comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests import postgres
from tests.main.running import Running, Typed, free_port, typed

pytestmark = pytest.mark.slow

Make = Callable[..., Running]
LINK = ("admin", "link")


@pytest.fixture(autouse=True)
def in_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever database the other tests run on."""
    monkeypatch.setenv(postgres.VARIABLE, "postgresql")


def told(at: Running, url: str, *command: str) -> Typed:
    """How a command against a house in the database at `url` ends: with one sentence, if it is refused."""
    where = ("--data", str(at.data), "--signer", str(at.signer), "--database-url", url)
    done = typed(*command, *where)
    if done.status == 5:
        assert len(done.err.splitlines()) == 1, done.err
        assert "Traceback" not in done.err
    return done


# What is refused.


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://house@/nowhere?host=/nowhere", "PostgreSQL is out of reach at nowhere on /nowhere"),
        ("postgresql://house@127.0.0.1:1/nowhere", "Connection refused"),
        ("postgresql://house@nowhere.invalid/nowhere", "nowhere.invalid"),
    ],
)
def test_a_server_that_is_not_there_is_named(house: Make, url: str, words: str) -> None:
    for command in (LINK, ("serve", "--port", str(free_port()))):
        done = told(house(), url, *command)
        assert (done.status, words in done.err) == (5, True), done.err


@pytest.mark.parametrize("url", ["mysql://ada:geheim@example.org/house", "house"])
def test_what_is_no_address_is_wrong_use(house: Make, url: str) -> None:
    done = told(house(), url, *LINK)
    assert done.status == 2
    assert "postgresql://USER@HOST/NAME" in done.err
    assert "geheim" not in done.err


def test_a_database_that_is_not_there_is_named(house: Make) -> None:
    done = told(house(), postgres.cluster().url("none_such"), *LINK)
    assert done.status == 5
    assert 'database "none_such" does not exist' in done.err


def test_a_wrong_password_is_said_and_not_repeated(house: Make) -> None:
    cluster = postgres.Cluster()
    try:
        cluster.do("CREATE ROLE ada LOGIN PASSWORD 'right'")
        rules = cluster.folder / "data" / "pg_hba.conf"
        rules.write_text("local all ada scram-sha-256\nlocal all all trust\n")
        cluster.do("SELECT pg_reload_conf()")
        url = cluster.url("postgres").replace("house@", "ada:geheim@")
        done = told(house(), url, *LINK)
        assert done.status == 5
        assert 'password authentication failed for user "ada"' in done.err
        assert "geheim" not in done.err
    finally:
        cluster.close()


@pytest.fixture
def stranger() -> Iterator[str]:
    """A role that may do nothing."""
    cluster = postgres.cluster()
    cluster.do("CREATE ROLE eli LOGIN")
    yield "eli"
    for name in cluster.owned():
        cluster.do("DROP OWNED BY eli", name)
    cluster.do("DROP ROLE eli")


def test_a_role_without_rights_is_told_what_it_needs(house: Make, stranger: str) -> None:
    new, made = house(), house(at="made")
    made.token("viewer")
    for at in (new, made):
        url = postgres.database_of(at.data).replace("house@", f"{stranger}@")
        done = told(at, url, *LINK)
        assert done.status == 5
        assert "does not let this role do what the house needs (permission denied for" in done.err
        assert "Make the role the owner of the database" in done.err
    seen = told(made, url, "fsck", "--all")
    assert seen.status == 1
    assert "This role may not read" in seen.out.splitlines()[0]


def test_fsck_needs_to_read_and_no_more(house: Make, stranger: str) -> None:
    made = house()
    made.token("viewer")
    url = postgres.database_of(made.data)
    name = postgres.name_in(url)
    postgres.cluster().do(f"GRANT USAGE ON SCHEMA trail, keys TO {stranger}", name)
    postgres.cluster().do(f"GRANT SELECT ON ALL TABLES IN SCHEMA trail, keys TO {stranger}", name)
    assert told(made, url.replace("house@", f"{stranger}@"), "fsck", "--all").status == 0


@pytest.mark.parametrize("table", ["trail.revision", "keys.keyring_revision"])
def test_a_newer_house_is_not_opened(house: Make, table: str) -> None:
    made = house()
    made.token("viewer")
    url = postgres.database_of(made.data)
    postgres.cluster().do(f"UPDATE {table} SET version_num = '0999'", postgres.name_in(url))
    done = told(made, url, *LINK)
    assert done.status == 5
    assert f"schema {table.partition('.')[0]} cannot be opened" in done.err
    assert "revision 0999, which a newer Deploytrail has made" in done.err


def test_the_database_of_another_house_is_refused_and_an_empty_one_records_nothing(house: Make) -> None:
    one, other = house(), house(at="other")
    one.token("viewer")
    other.token("viewer")
    done = told(one, postgres.database_of(other.data), *LINK)
    assert done.status == 3
    assert "is not of that house" in done.err
    empty = typed(*LINK, *one.where[:4], "--database-url", postgres.cluster().new(one.data / "empty"))
    assert empty.status == 5
    assert "It was rolled back" in empty.err


# Damage that only PostgreSQL knows. What somebody alters in the tables: tests/app/test_fsck.py.


def test_what_fsck_cannot_read_is_said_and_the_rest_is_read(house: Make) -> None:
    made = house()
    made.token("viewer")
    url = postgres.database_of(made.data)
    postgres.cluster().do("DROP TABLE trail.node", postgres.name_in(url))
    done = told(made, url, "fsck", "--all")
    assert done.status == 1
    failed = [line for line in done.out.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1
    assert 'relation "node" does not exist' in failed[0]
    postgres.cluster().do("DROP SCHEMA trail CASCADE", postgres.name_in(url))
    done = told(made, url, "fsck")
    assert (done.status, "There is no schema trail in" in done.err) == (1, True)


def test_pages_of_rubbish_are_found(house: Make) -> None:
    cluster = postgres.Cluster()
    try:
        made, url = house(), cluster.new()
        assert told(made, url, "admin", "token", "create", "--role", "viewer", "--name", "a").status == 0
        [(path,)] = cluster.do("SELECT pg_relation_filepath('trail.entry')", postgres.name_in(url))
        cluster.halt()
        with (cluster.folder / "data" / path).open("r+b") as file:
            file.write(bytes(range(256)) * 32)
        cluster.start()
        done = told(made, url, "fsck", "--all")
        assert done.status == 1
        assert "invalid page in block 0" in done.out
        assert "Traceback" not in done.out + done.err
        assert told(made, url, *LINK).status == 5
    finally:
        cluster.close()


def test_indexes_are_looked_at_where_amcheck_is_installed(house: Make) -> None:
    made = house()
    made.token("viewer")
    url = postgres.database_of(made.data)
    assert "CREATE EXTENSION amcheck" in told(made, url, "fsck").out
    postgres.cluster().do("CREATE EXTENSION amcheck", postgres.name_in(url))
    done = told(made, url, "fsck", "--all")
    assert done.status == 0
    assert "Nothing found." in done.out.splitlines()[0]


# What is known of its disk.


def test_the_house_tells_its_size_and_that_a_server_does_not_tell_what_is_free(house: Make) -> None:
    here = house().start()
    disk = here.ask("GET", "/api/v1/status", token=here.token("viewer")).json()["disk"]
    assert disk["parts"]["trail"] > 0
    assert disk["parts"]["keys"] > 0
    assert disk.get("free") is None
    page = here.ask("GET", "/status", None, {"cookie": here.sign_in(), "accept": "text/html"}).text
    assert "not known here: a database server does not tell; watch its disk" in page


# A server that goes and comes.


def test_a_database_that_goes_away_and_comes_back_is_found_again_while_serving(house: Make) -> None:
    cluster = postgres.Cluster()
    try:
        here = house("--database-url", cluster.new())
        token = _token(here, "reporter")
        seer = _token(here, "administrator")
        here.start()
        first = here.tell(token, {"kind": "x-told", "id": "1"}, "projected")
        assert first.status == 201
        for turn, mode in enumerate(("fast", "immediate"), 2):
            cluster.halt(mode)
            away = here.tell(token, {"kind": "x-told", "id": str(turn)})
            assert (away.status, away.json()["code"]) == (503, "unavailable"), away.text
            assert "PostgreSQL" in away.text
            assert here.ask("GET", "/healthz").status == 200
            ready = here.ask("GET", "/readyz")
            assert (ready.status, "PostgreSQL" in ready.text) == (503, True)
            cluster.start()
            index = _told_in_the_end(here, token, str(turn))
            # Whatever follows the log has found it again too.
            path = f"/api/v1/environments?at_least={index}"
            assert here.ask("GET", path, token=seer).status == 200
            _followed(here, seer)
        assert here.ask("GET", "/readyz").status == 200
        here.signed()
        assert here.stop() == 0
        assert "Traceback" not in here.words()
        assert told(here, here.flags[1], "fsck", "--all").status == 0
    finally:
        cluster.close()


def _token(here: Running, role: str) -> str:
    done = told(here, here.flags[1], "admin", "token", "create", "--role", role, "--name", role)
    assert done.status == 0, done.err
    return done.out.strip()


def _followed(here: Running, token: str) -> None:
    """Wait until every follower has all of the log, and none says why it has not."""
    end = time.monotonic() + 60
    while True:
        status = here.ask("GET", "/api/v1/status", token=token).json()
        if all(not each.get("words") and each["behind"] == 0 for each in status["followers"]):
            return
        assert time.monotonic() < end, status["followers"]
        time.sleep(0.05)


def _told_in_the_end(here: Running, token: str, id: str) -> int:
    """The index of a fact that is told until it is taken."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = here.tell(token, {"kind": "x-told", "id": id})
        if answer.status in (200, 201):
            return int(answer.json()["index"])
        assert answer.status == 503, answer.text
        time.sleep(0.1)
    raise AssertionError(f"it takes nothing any more: {here.words()}")
