"""Commands as somebody types them: what they print, where, and how they end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploytrail import main
from deploytrail.cli import commands
from deploytrail.cli.world import World
from deploytrail.tlog.note import SigningKey
from tests.main.running import Running, surroundings, typed

Make = Callable[..., Running]


@pytest.fixture
def closed(house: Make) -> Running:
    """A house that nobody serves."""
    return house()


def test_a_token_is_printed_alone(closed: Running) -> None:
    done = typed("admin", "token", "create", "--role", "viewer", "--name", "looker", *closed.where)
    assert done.status == 0
    assert done.out.startswith("dt_")
    assert len(done.out) == 47
    assert done.out.endswith("\n")
    assert done.err.startswith("Made a new house in ")


def test_a_key_is_printed_alone(closed: Running) -> None:
    closed.token("viewer")
    done = typed("admin", "key", "show", *closed.where)
    assert (done.status, done.err) == (0, "")
    assert done.out.count("+") >= 2
    assert done.out.count("\n") == 1
    assert json.loads(typed("admin", "key", "show", "--json", *closed.where).out) == {
        "vkey": done.out.strip()
    }


def test_a_link_goes_to_its_file_where_there_is_no_terminal(closed: Running) -> None:
    for _ in range(2):
        done = typed("admin", "link", *closed.where)
        assert done.out == f"{closed.data}/admin-link\n"
        link = (closed.data / "admin-link").read_text()
        assert link.startswith("http://localhost:8420/sign-in?link=")
        assert link.rpartition("=")[2].strip() not in done.out + done.err


@pytest.mark.slow
def test_a_link_is_shown_on_a_terminal(closed: Running) -> None:
    mine, theirs = pty.openpty()
    environment = surroundings(closed.folder, DEPLOYTRAIL_PUBLIC_URL="https://example.org")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploytrail", "admin", "link", *closed.where],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(theirs)
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(mine, 4096):
            said += more
    _, err = process.communicate(timeout=60)
    os.close(mine)
    assert process.returncode == 0, err
    assert said.decode().strip() == (closed.data / "admin-link").read_text().strip()
    assert said.startswith(b"https://example.org/sign-in?link=")
    assert b"sign-in" not in err


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"secret", b"secret"),
        (b"secret\n", b"secret"),
        (b"secret\r\n", b"secret"),
        (b"secret\n\n", b"secret\n"),
        (b" secret \n", b" secret "),
        (b"sec\nret", b"sec\nret"),
        (b"\xff\x00\n", b"\xff\x00"),
    ],
)
def test_one_newline_at_the_end_of_a_secret_is_dropped(closed: Running, written: bytes, kept: bytes) -> None:
    file = closed.folder / "secret"
    file.write_bytes(written)
    assert secret_taken(file) == kept
    add = ("admin", "source", "add", "github", "hub", *closed.where)
    assert typed(*add, "--secret-file", str(file)).status == 0
    # The same secret, with nothing more at its end: nothing changes.
    file.write_bytes(kept if not kept.endswith(b"\n") else kept + b"\n")
    assert typed(*add, "--secret-file", str(file)).status == 0
    assert typed(*add, "--secret-file", "-", stdin=written).status == 0
    assert [fact["kind"] for fact in closed.in_file()] == ["log.opened", "source.added"]


def secret_taken(file: Path) -> bytes:
    """The secret that the command hands to the house."""
    forms: list[bytes] = []

    def operate(given: Mapping[str, Any], command: str, form: bytes) -> dict[str, Any]:
        forms.append(form)
        return {"url": "http://localhost/hooks/hub", "secret": None}

    world = World(
        serve=main.serve,
        now=main.SystemClock().now,
        operate=operate,
        write_link=main.write_link,
        inspect=main.inspect,
    )
    arguments = ["admin", "source", "add", "github", "hub", "--secret-file", str(file)]
    assert commands.run(arguments, world, dict) == 0
    [form] = forms
    return base64.b64decode(json.loads(form)["secret"])


def test_a_source_says_where_it_delivers_and_shows_a_made_secret_once(closed: Running) -> None:
    done = typed("admin", "source", "add", "github", "hub", *closed.where, file={"port": 9999})
    assert done.status == 0
    first, second = done.out.splitlines()
    assert first == "hub delivers to http://localhost:9999/hooks/hub"
    assert second.startswith("Its secret, shown once: ")
    again = typed("admin", "source", "add", "github", "hub", "--json", *closed.where)
    answer = json.loads(again.out)
    assert answer["secret"]
    assert answer["secret"] not in done.out
    file = closed.folder / "s"
    file.write_text("known")
    given = typed("admin", "source", "add", "github", "hub", "--secret-file", str(file), *closed.where)
    assert given.out.splitlines() == ["hub delivers to http://localhost:8420/hooks/hub"]


def test_tokens_are_listed_one_a_line_and_revoked(closed: Running) -> None:
    empty = typed("admin", "token", "list", *closed.where)
    assert (empty.status, empty.out) == (1, "")
    assert "There is no house in" in empty.err
    for name in ("one", "two", "three"):
        closed.token("reporter", name, "--expires", "2h", "--kind", "x-a", "--service", "checkout")
    listed = typed("admin", "token", "list", *closed.where).out.splitlines()
    assert [line.split()[-1] for line in listed] == ["one", "three", "two"]
    answer = json.loads(typed("admin", "token", "list", "--json", *closed.where).out)["tokens"]
    assert [token["name"] for token in answer] == ["one", "three", "two"]
    assert answer[0]["kinds"] == ["x-a"]
    gone = typed("admin", "token", "revoke", answer[0]["id"], *closed.where)
    assert (gone.status, gone.out) == (0, f"{answer[0]['id']} holds no more.\n")
    again = typed("admin", "token", "revoke", answer[0]["id"], *closed.where)
    assert (again.status, "There is no token" in again.err) == (1, True)
    assert len(typed("admin", "token", "list", *closed.where).out.splitlines()) == 2


def test_declarations_say_where_they_stand(closed: Running) -> None:
    arguments = ("--repository", "shop/checkout", "--alias", "pay", "--owner", "payments")
    done = typed("admin", "service", "declare", "checkout", *arguments, *closed.where)
    assert (done.status, done.out) == (0, "checkout is declared in entry 1.\n")
    environment = ("admin", "environment", "declare", "production", "--class", "production", "--rank", "3")
    assert json.loads(typed(*environment, "--json", *closed.where).out) == {"index": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["wish"],
        ["admin"],
        ["admin", "wish"],
        ["admin", "link", "--wish"],
        ["admin", "token", "create", "--role", "owner", "--name", "x"],
        ["admin", "token", "create", "--role", "viewer"],
        ["admin", "token", "create", "--role", "viewer", "--name", "x", "--expires", "soon"],
        ["admin", "token", "create", "--role", "viewer", "--name", "x", "--expires", "-1h"],
        ["admin", "environment", "declare", "x", "--class", "prod"],
        ["admin", "source", "add", "github"],
        ["admin", "source", "add", "github", "hub", "--secret-file", "/nowhere/at/all"],
        ["record"],
        ["record", "-", "a=b"],
        ["record", "x-y", "novalue"],
        ["record", "x-y", "=novalue"],
        ["record", "x-y", "a=1", "a.b=2"],
        ["record", "x-y", "a=1", "--url", "ftp://example.invalid"],
        ["import", "jsonl"],
        ["import", "jsonl", "/nowhere/at/all"],
        ["verify"],
        ["verify", "--key", "not-a-key"],
        ["receipt", "verify", "/nowhere/at/all", "--key", "x"],
        ["serve", "--port", "many"],
        ["serve", "--port", "0"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    done = typed(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--version"], ["admin", "--help"], ["serve", "-h"]]
)
def test_help_ends_with_0(arguments: list[str]) -> None:
    done = typed(*arguments)
    assert (done.status, done.err) == (0, "")
    assert "deploytrail" in done.out


def test_what_is_refused_ends_with_3(closed: Running) -> None:
    closed.source("hub")
    done = typed("admin", "token", "create", "--role", "viewer", "--name", "hub", *closed.where)
    assert (done.status, done.out) == (3, "")
    assert "is the name of a source" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["record", "x-y", "a=1"],
        ["record", "-"],
        ["verify", "--key", SigningKey.from_seed("example.org/log", bytes(32)).verifier.vkey()],
    ],
)
@pytest.mark.slow
def test_a_house_out_of_reach_ends_with_5(arguments: list[str]) -> None:
    for url in ("http://localhost:1", "http://nowhere.invalid", "http://[::1]:1"):
        done = typed(*arguments, "--url", url, stdin=b'{"kind": "x-y"}\n')
        assert (done.status, done.out) == (5, "")
        assert f"The house at {url}" in done.err
        assert "is out of reach: " in done.err


@pytest.mark.slow
def test_the_environment_is_read_and_the_file_beside(closed: Running) -> None:
    """The real thing, in a folder with a deploytrail.toml."""
    (closed.folder / "deploytrail.toml").write_text(
        f'data = "{closed.data}"\nport = 7777\norigin = "example.org/l"\n'
    )
    command = [sys.executable, "-m", "deploytrail", "admin", "link"]
    environment = surroundings(closed.folder, DEPLOYTRAIL_SIGNER=str(closed.signer))
    done = subprocess.run(command, cwd=closed.folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{closed.data}/admin-link\n"), done.stderr
    assert (closed.data / "admin-link").read_text().startswith("http://localhost:7777/")
    assert (closed.signer / "key").exists()
    (closed.folder / "deploytrail.toml").write_text("dta = 1\n")
    done = subprocess.run(command, cwd=closed.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "deploytrail: deploytrail.toml has settings that there are not: dta.\n"


@pytest.mark.slow
def test_whoever_stops_reading_is_not_told_of_it(closed: Running) -> None:
    unread, written = os.pipe()
    os.close(unread)
    done = subprocess.run(
        [sys.executable, "-m", "deploytrail", "--version"],
        env=surroundings(closed.folder),
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(written)
    assert done.stderr == ""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "deploytrail", "--version"],
        env=surroundings(closed.folder),
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_is_a_sentence(closed: Running, folder: Path) -> None:
    broken = folder / "receipt"
    broken.symlink_to("/proc/self/mem")
    key = closed.admin("link") and closed.admin("key", "show")
    done = typed("receipt", "verify", str(broken), "--key", key)
    assert done.status == 5
    assert done.err.startswith("deploytrail: ")
    assert "Traceback" not in done.err
