"""Who may do what, over real HTTP and as commands are typed: the table of actions decides, nothing else."""

from __future__ import annotations

import hashlib
import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from deploytrail.app.access import ACTIONS, ROLES, may
from deploytrail.app.operate import COMMANDS, ROLE
from deploytrail.cli import commands
from deploytrail.cli.commands import ACTION, Declared, Group, program
from deploytrail.cli.world import World
from deploytrail.web.guard import Door
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import routes
from tests.main.running import OWN, Running, log_of, short_folder
from tools import tables

NOBODY = "anyone"
FILLED = {
    "key": "1",
    "index": "0",
    "name": "checkout",
    "service": "s",
    "environment": "e",
    "source": "hub",
    "path:path": "0/000",
}
BODIES = {
    "/api/v1/facts": b'{"kind": "x-test.told"}',
    "/api/v1/environments/{name:path}": b'{"type": "production"}',
    "/api/v1/services/{name:path}": b"{}",
    "/deployments/{key}/separate": b"index=0",
    "/sign-in": b"link=none",
    "/theme": b"theme=dark",
}
# What a command needs to be typed at all.
ARGUMENTS = {
    "rebuild": (),
    "erase": ("ada@example.org", "--yes"),
    "admin link": (),
    "admin source add": ("github", "hub"),
    "admin source read-again": (),
    "admin source retire": ("hub",),
    "admin token create": ("--role", "viewer", "--name", "looker"),
    "admin token list": (),
    "admin token revoke": ("t_1",),
    "admin key show": (),
    "admin service declare": ("checkout",),
    "admin environment declare": ("production", "--class", "production"),
}


def doors(*, public_log: bool) -> list[Door]:
    found = routes(WebSettings(public_log=public_log))
    assert all(isinstance(each, Door) for each in found)
    return [each for each in found if isinstance(each, Door)]


def address(door: Door) -> str:
    path = door.path
    for name, value in FILLED.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    return path.replace("/static/checkout", "/static/none")


def typed_commands() -> dict[str, click.Command]:
    """Every command that does something, by its whole name."""
    return dict(tables._leaves(program, ()))


class Everybody:
    """One served house, and what each caller shows to it."""

    def __init__(self, running: Running, shown: dict[str, dict[str, str]]) -> None:
        self.running, self.shown = running, shown

    def status(self, door: Door, method: str, who: str) -> tuple[int, str]:
        """Status and beginning of the answer; a stream is not waited for."""
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=30)
        with closing(connection):
            headers = {**self.shown[who], **OWN}
            connection.request(method, address(door), BODIES.get(door.path), headers)
            answer = connection.getresponse()
            stream = answer.getheader("content-type", "").startswith("text/event-stream")
            return answer.status, "" if stream else answer.read().decode(errors="replace")


@pytest.fixture(scope="module", params=[True, False], ids=["public log", "closed log"])
def everybody(request: pytest.FixtureRequest) -> Iterator[tuple[bool, Everybody]]:
    public: bool = request.param
    with short_folder() as folder:
        running = Running(folder, "--public-log" if public else "--no-public-log")
        shown: dict[str, dict[str, str]] = {NOBODY: {}}
        for role in ROLES:
            shown[f"{role} by token"] = {"authorization": f"Bearer {running.token(role)}"}
            shown[f"{role} by cookie"] = {"cookie": f"deploytrail={session(running.data, role)}"}
        running.source()
        try:
            running.start()
            yield public, Everybody(running, shown)
        finally:
            running.kill()


def session(data: Path, role: str) -> str:
    """A session of a role, put where sessions lie: links make administrators only."""
    now = time.time_ns() // 1_000_000
    row = {"id": f"x_{role}", "subject": f"s_{role}", "role": role, "name": None}
    key = hashlib.sha256(role.encode()).hexdigest()
    with log_of(data, write=True) as log:
        log.put("session", key, {**row, "seen_at": now, "expires_at": now + 3_600_000})
    return role


def test_every_route_lets_in_exactly_whom_the_table_names(everybody: tuple[bool, Everybody]) -> None:
    public, people = everybody
    wrong = []
    for door in sorted(doors(public_log=public), key=lambda door: door.path == "/sign-out"):
        for method in sorted((door.methods or set()) - {"HEAD"}):
            for who in people.shown:
                role = who.partition(" ")[0]
                status, words = people.status(door, method, who)
                let_in = "Nobody is signed in. Get a link" not in words and "may not do this" not in words
                expected = 401 if who == NOBODY else 403
                if let_in != may(role, door.action) or (not let_in and status != expected):
                    wrong.append(f"{method} {door.path} answers {status} to {who}")
                if status >= 500:
                    wrong.append(f"{method} {door.path} breaks for {who}: {words}")
    assert not wrong


def test_entries_are_open_only_with_a_public_log(everybody: tuple[bool, Everybody]) -> None:
    public, people = everybody
    size = people.running.ask("GET", "/log/checkpoint").text.split("\n")[1]
    answer = people.running.ask("GET", f"/log/tile/entries/000.p/{size}")
    assert answer.status == (200 if public else 401)


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "bearer", "Bearer"])
def test_only_a_token_that_holds_counts(everybody: tuple[bool, Everybody], scheme: str) -> None:
    running = everybody[1].running
    for secret in ("", "dt_", "dt_" + "A" * 43, "é" * 40):
        shown = {"authorization": f"{scheme} {secret}".encode().decode("latin-1")}
        assert running.ask("GET", "/api/v1/environments", None, shown).status == 401


def test_a_session_is_no_token_and_a_token_no_session(everybody: tuple[bool, Everybody]) -> None:
    running, shown = everybody[1].running, everybody[1].shown
    token = shown["administrator by token"]["authorization"].removeprefix("Bearer ")
    assert running.ask("GET", "/environments", None, {"cookie": f"deploytrail={token}"}).status == 401
    assert running.ask("GET", "/environments", token="administrator").status == 401


def test_a_cookie_does_nothing_from_another_sites_page(everybody: tuple[bool, Everybody]) -> None:
    running = everybody[1].running
    cookie = {"cookie": running.sign_in()}
    for site in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://x"},
        {},
    ):
        answer = running.ask("PUT", "/api/v1/services/checkout", b"{}", {**cookie, **site})
        assert (answer.status, "another site" in answer.text) == (403, True)


def test_every_command_names_an_action_that_the_machine_or_a_token_may_do() -> None:
    found = typed_commands()
    assert len(found) > 10
    for name, command in found.items():
        assert isinstance(command, Declared), name
        assert getattr(command.callback, ACTION) == command.action, name
        assert command.action in ACTIONS, name
        assert may(ROLE, command.action) or command.action in ("tell", "see"), name


def test_a_command_and_what_it_asks_of_the_house_need_the_same_action(tmp_path: Path) -> None:
    asked: list[str] = []

    def operate(given: Mapping[str, Any], command: str, form: bytes) -> dict[str, Any]:
        asked.append(command)
        # The form must be one that the command takes.
        msgspec.json.decode(form, type=COMMANDS[command].form)
        raise click.Abort

    def never(*_: Any) -> Any:
        raise AssertionError

    world = World(serve=never, now=never, operate=operate, write_link=never, inspect=never)
    found = typed_commands()
    for name, arguments in ARGUMENTS.items():
        assert commands.run([*name.split(), *arguments], world, dict) == 130
        assert found[name].action == COMMANDS[asked[-1]].action  # type: ignore[attr-defined]
    assert sorted(asked) == sorted(COMMANDS), "every command of the machine is typed in one way"
    others = set(found) - set(ARGUMENTS)
    here = {"serve", "fsck", "verify", "receipt verify"}
    asking = {"deployments", "changes", "whois", "blame", "what-changed", "last-good"}
    assert others == here | asking | {"record", "import jsonl"}


def test_what_can_be_declared_over_http_needs_what_it_needs_on_the_machine() -> None:
    by_path = {d.path: d.action for d in doors(public_log=True) if "PUT" in (d.methods or ())}
    for thing in ("service", "environment"):
        assert by_path[f"/api/v1/{thing}s/{{name:path}}"] == COMMANDS[f"{thing} declare"].action


def test_a_command_without_an_action_cannot_be_built() -> None:
    group = Group("admin")

    def harmless() -> None:
        """Does nothing."""

    with pytest.raises(ValueError, match="names the action None"):
        group.command("wish")(harmless)
    setattr(harmless, ACTION, "wish")
    with pytest.raises(ValueError, match="names the action wish"):
        group.command("wish")(harmless)
    assert group.commands == {}
    assert isinstance(group.group("inner")(harmless), Group), "what hangs below it is declared too"


def test_nobody_may_do_what_is_not_in_the_table() -> None:
    for role in (*ROLES, NOBODY, ROLE, "", "owner"):
        assert not may(role, "wish")
    assert not may("owner", "open"), "a role that there is not may do nothing"
    assert may(NOBODY, "open")
    assert {action for action, roles in ACTIONS.items() if NOBODY in roles} == {"open"}
    assert all(may("administrator", action) for action in ACTIONS if action != "operate")
