"""A house that is served: one writer, its own names only, an end within seconds, and no second history."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.main.running import OWN, Running, free_port, serving, surroundings, typed

pytestmark = pytest.mark.slow

Make = Callable[..., Running]


@pytest.fixture(scope="module")
def served(lies_in: None) -> Iterator[Running]:
    """A house that tests of this module share; none of them ends it."""
    with serving() as running:
        yield running


# One writer.


@pytest.mark.both
def test_a_second_server_is_refused_and_harms_nothing(served: Running) -> None:
    second = subprocess.run(
        [*served.command()[:-1], str(free_port())],
        env=surroundings(served.folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 5
    assert second.stderr == f"deploytrail: Another process writes to {served.data}. Only one may.\n"
    assert served.ask("GET", "/readyz").status == 200
    assert served.admin("service", "declare", "after-the-second")


def test_a_taken_port_is_named_before_anything_is_made(served: Running, folder: Path) -> None:
    done = typed(
        *("serve", "--data", str(folder / "d"), "--signer", str(folder / "s"), "--port", str(served.port))
    )
    assert done.status == 5
    assert f"Port {served.port} of 127.0.0.1 cannot be listened on" in done.err
    assert "--port" in done.err
    assert not (folder / "d" / "house.json").exists()
    assert not (folder / "s").exists()


def test_only_the_owner_reaches_the_control_socket(served: Running) -> None:
    socket_mode = (served.data / "control.sock").stat().st_mode
    assert stat.S_ISSOCK(socket_mode)
    assert stat.S_IMODE(socket_mode) == 0o600


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'{"command": "wish", "form": {}, "login": "ada"}', 404),
        (b'{"command": "link", "form": {"x": 1}, "login": "ada"}', 400),
        (b'{"command": "link", "form": {}, "login": "ada", "role": "machine"}', 400),
        (b"\xff" * 100, 400),
        (b"[" * 100_000, 400),
        (b'{"x": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_the_control_socket_refuses_what_is_no_command(served: Running, body: bytes, status: int) -> None:
    channel = socket.socket(socket.AF_UNIX)
    channel.connect(str(served.data / "control.sock"))
    connection = http.client.HTTPConnection("house")
    connection.sock = channel
    connection.request("POST", "/", body)
    answer = connection.getresponse()
    assert answer.status == status
    assert answer.getheader("content-type") == "application/problem+json"
    connection.close()


@pytest.mark.both
def test_commands_at_once_are_all_done_whether_a_server_runs_or_not(house: Make) -> None:
    """Three while the house is closed, then three more while it opens and serves."""
    busy = house()
    busy.token("viewer", "first")

    def create(number: int) -> subprocess.Popen[str]:
        arguments = ("admin", "token", "create", "--role", "reporter", "--name", f"ci-{number}")
        return subprocess.Popen(
            [*busy.command()[:3], *arguments, *busy.where],
            env=surroundings(busy.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    begun = [create(number) for number in range(3)]
    busy.begin()
    begun += [create(number) for number in range(3, 6)]
    ended = [each.communicate(timeout=90) for each in begun]
    assert [each.returncode for each in begun] == [0] * 6, ended
    assert busy.answers(), busy.words()
    assert len({out for out, _ in ended}) == 6
    names = sorted(fact["data"]["name"] for fact in busy.entries() if fact["kind"] == "token.created")
    assert names == ["ci-0", "ci-1", "ci-2", "ci-3", "ci-4", "ci-5", "first"]
    for out, _ in ended:
        assert busy.tell(out.strip(), {"kind": "x-hello"}).status == 201


# Names and addresses.


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("127.0.0.1:{port}", 200),
        ("[::1]:{port}", 200),
        ("LOCALHOST", 200),
        ("localhost:1", 200),
        ("evil.example.org", 421),
        ("localhost.evil.example.org", 421),
        ("127.0.0.1.evil.example.org:{port}", 421),
        ("localhost:{port}@evil.example.org", 400),
        ("localhost/evil", 400),
        ("", 400),
    ],
)
def test_only_requests_for_this_house_are_answered(served: Running, host: str, status: int) -> None:
    for path in ("/healthz", "/log/checkpoint"):
        answer = served.ask("GET", path, None, {"host": host.format(port=served.port)})
        assert answer.status == status, path


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
@pytest.mark.parametrize("public", [None, "http://example.org"])
def test_another_host_than_loopback_needs_https(folder: Path, host: str, public: str | None) -> None:
    flags = ["--public-url", public] if public else []
    done = typed("serve", "--data", str(folder / "d"), "--host", host, *flags)
    assert done.status == 2
    assert f"Listening on {host} needs --public-url https://" in done.err
    assert not (folder / "d").exists()


def test_behind_https_the_log_is_closed_and_cookies_are_bound(house: Make) -> None:
    public = house("--public-url", "https://deploytrail.example.org", "--host", "0.0.0.0")
    public.start()
    host = {"host": "deploytrail.example.org"}
    assert public.ask("GET", "/log/checkpoint", None, host).status == 200
    size = public.signed()
    assert public.ask("GET", f"/log/tile/entries/000.p/{size}", None, host).status == 401
    link = public.link()
    assert link.startswith("https://deploytrail.example.org/sign-in?link=")
    body = b"name=ada&link=" + link.rpartition("=")[2].encode()
    from_us = {"host": "deploytrail.example.org", "origin": "https://deploytrail.example.org"}
    answer = public.ask("POST", "/sign-in", body, from_us)
    assert answer.status == 303
    assert re.match(
        r"__Host-deploytrail=.*; HttpOnly; .*Path=/; SameSite=lax; Secure", answer.headers["set-cookie"]
    )


def test_on_loopback_anyone_may_verify(served: Running) -> None:
    assert served.entries(None)[0]["kind"] == "log.opened"


# Ends.


def test_sigterm_ends_open_live_pages_within_seconds(house: Make) -> None:
    live = house().start()
    token = live.token("viewer")
    streams = []
    for _ in range(3):
        stream = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
        stream.request("GET", "/api/v1/live", headers={"authorization": f"Bearer {token}"})
        answer = stream.getresponse()
        assert answer.status == 200
        streams.append((stream, answer))
    idle = http.client.HTTPConnection("127.0.0.1", live.port)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    half = socket.create_connection(("127.0.0.1", live.port))
    half.sendall(b"POST /api/v1/facts HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
    begun = time.monotonic()
    assert live.stop() == 0
    # Two seconds of grace, and some for a machine that is busy with other tests.
    assert time.monotonic() - begun < 20
    for stream, answer in streams:
        answer.read()
        stream.close()
    idle.close()
    half.close()
    assert not (live.data / "control.sock").exists()
    assert "Traceback" not in live.words()
    assert typed("fsck", *live.where).status == 0


@pytest.mark.both
def test_what_was_acknowledged_before_sigterm_is_there(house: Make) -> None:
    busy = house().start()
    token = busy.token("reporter")
    told: list[int] = []

    def tell() -> None:
        try:
            while True:
                answer = busy.tell(token, {"kind": "x-busy", "id": f"fact-{len(told)}"})
                if answer.status != 201:
                    return
                told.append(answer.json()["index"])
        except (OSError, http.client.HTTPException):
            return

    teller = threading.Thread(target=tell)
    teller.start()
    while len(told) < 20 and teller.is_alive():
        time.sleep(0.01)
    assert busy.stop() == 0
    teller.join(timeout=30)
    assert not teller.is_alive()
    assert len(told) >= 20
    entries = busy.in_file()
    found = [(entries[index]["kind"], entries[index]["id"]) for index in told]
    assert found == [("x-busy", f"fact-{number}") for number in range(len(told))]
    busy.start()
    assert busy.signed() >= len(told) + 2
    busy.kill()
    assert typed("fsck", *busy.where).status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_opens_ends_it_too(house: Make, number: signal.Signals) -> None:
    early = house()
    early.begin()
    assert early.process is not None
    while not (early.data / "house.key").exists():
        assert early.process.poll() is None, early.words()
        time.sleep(0.005)
    early.process.send_signal(number)
    assert early.ended() in (0, 130, -number)
    assert typed("admin", "key", "show", *early.where).status == 0


# What cannot be written, and what must not be.


@pytest.mark.parametrize("where", ["file", "file/inside", "/proc/self/deploytrail", "/proc/self"])
def test_a_folder_that_cannot_be_written_is_named(folder: Path, where: str) -> None:
    (folder / "file").write_text("")
    data = str(folder / where)
    for command in (("serve", "--port", str(free_port())), ("admin", "link")):
        done = typed(*command, "--data", data, "--signer", str(folder / "s"))
        assert done.status == 5
        assert re.fullmatch(rf"deploytrail: The folder {data} cannot be (made|written): [^\n]+\n", done.err)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["trail.db", "keys.db"])
def test_a_damaged_database_is_named(house: Make, name: str) -> None:
    damaged = house()
    damaged.token("viewer")
    path = damaged.data / name
    path.write_bytes(b"this is no database" * 1000)
    done = typed("admin", "token", "list", *damaged.where)
    assert done.status in (1, 5), done.err
    assert name in done.err
    assert len(done.err.splitlines()) == 1


def test_damaged_rows_are_made_anew(house: Make) -> None:
    damaged = house()
    damaged.admin("environment", "declare", "production", "--class", "production")
    (damaged.data / "derived.db").write_bytes(b"this is no database" * 1000)
    token = damaged.token("viewer")
    damaged.start()
    damaged.signed()
    answer = damaged.ask("GET", "/api/v1/environments?at_least=1", token=token)
    assert (answer.status, "production" in answer.text) == (200, True)


@pytest.mark.both
def test_a_restored_older_folder_is_shown_and_not_written(house: Make) -> None:
    older = house()
    token, seer = older.token("reporter"), older.token("viewer")
    older.source()
    older.start()
    cookie = {"cookie": older.sign_in()}
    assert older.tell(token, {"kind": "x-told"}).status == 201
    older.signed()
    assert older.stop() == 0
    backup = postgres.copy(older.data, older.folder / "backup")
    older.start()
    for number in range(3):
        assert older.tell(token, {"kind": "x-lost", "id": str(number)}).status == 201
    newest = older.signed()
    assert older.stop() == 0
    postgres.copy(backup, older.data)

    older.start()
    words = (
        f"The signer signed this log at size {newest}; the log now ends at {newest - 3}. It was rolled back"
    )
    ready = older.ask("GET", "/readyz")
    assert (ready.status, words in ready.text) == (503, True)
    assert "Bring back the newer one; nothing is recorded here" in ready.text
    assert older.ask("GET", "/healthz").status == 200
    html = {**cookie, "accept": "text/html"}
    for page in ("/", "/log", "/environments", "/attention"):
        shown = older.ask("GET", page, None, html)
        assert shown.status == 200
        assert "It was rolled back" in shown.text, page
    refusals = [
        older.tell(token, {"kind": "x-new"}),
        older.deliver("ping", b'{"zen": "new"}'),
        older.ask("PUT", "/api/v1/services/new", b"{}", {**cookie, **OWN}),
    ]
    for refusal in refusals:
        assert (refusal.status, refusal.json()["code"]) == (503, "unavailable")
        assert words in refusal.json()["detail"]
        assert refusal.headers["retry-after"]
    lines = older.ask(
        "POST",
        "/api/v1/facts",
        b'{"kind":"x-a"}\n{"kind":"x-b"}\n',
        {"content-type": "application/x-ndjson"},
        token=token,
    )
    assert (lines.status, lines.text.count('"code":"unavailable"')) == (200, 2)
    for command in (
        ("service", "declare", "new"),
        ("link",),
        ("token", "create", "--role", "viewer", "--name", "x"),
    ):
        done = typed("admin", *command, *older.where)
        assert (done.status, words in done.err) == (5, True)
    assert older.ask("GET", "/api/v1/environments", token=seer).status == 200
    checkpoint = older.ask("GET", "/log/checkpoint").text.split("\n")[1]
    assert int(checkpoint) == newest - 3, "no second history was signed"
    assert older.stop() == 0
    assert older.words().count("nothing is recorded: ") == 1


@pytest.mark.sqlite
def test_a_failing_disk_ends_the_server_with_status_5(house: Make) -> None:
    """Every write to the log fails from some moment on (a limit on the size of files)."""
    full = house()
    token = full.token("reporter")
    limit = (full.data / "trail.db").stat().st_size + 3_000_000
    full.begin(("/bin/sh", "-c", f'ulimit -f {limit // 512}; exec "$@"', "sh"))
    assert full.answers(), full.words()
    told, refusal = 0, None
    for number in range(400):
        try:
            answer = full.tell(token, {"kind": "x-large", "id": str(number), "data": "x" * 200_000})
        except (OSError, http.client.HTTPException):
            break
        if answer.status != 201:
            refusal = answer
            break
        told += 1
    assert 0 < told < 400
    assert refusal is None or refusal.json()["code"] == "unavailable"
    assert full.ended() == 5, full.words()
    assert "Traceback" not in full.words()
    full.start()
    assert full.signed() >= told
    sizes = [fact for fact in full.entries() if fact["kind"] == "x-large"]
    assert len(sizes) >= told, "everything acknowledged is there"
    assert full.tell(token, {"kind": "x-after"}).status == 201
    assert full.stop() == 0
    assert typed("fsck", *full.where).status == 0


def test_who_runs_a_command_is_who_the_machine_says(house: Make) -> None:
    named = house()
    done = subprocess.run(
        [*named.command()[:3], "admin", "service", "declare", "checkout", *named.where],
        env=surroundings(named.folder, LOGNAME="lovelace", USER="lovelace"),
        check=True,
        capture_output=True,
    )
    assert done.stdout
    assert os.environ.get("LOGNAME") != "lovelace"
    fact = named.start().entries()[-1]
    assert (fact["kind"], fact["attribution"], fact["source"]) == ("service.declared", "asserted", "house")
    assert "lovelace" not in str(fact)
    cookie = {"cookie": named.sign_in("ben")}
    named.ask("GET", f"/api/v1/environments?at_least={named.size() - 1}", None, cookie)
    page = named.ask("GET", "/", None, {**cookie, "accept": "text/html"}).text
    assert "lovelace" in page
