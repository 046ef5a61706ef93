"""Settings: where they come from, which one wins, and what each of them may be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploytrail import config
from deploytrail.cli import commands
from deploytrail.cli.world import World
from deploytrail.config import SETTINGS, loopback, settings_of
from deploytrail.errors import Refused


def never(*_: object) -> Any:
    """What must not be asked for."""
    raise AssertionError


def given_to_serve(arguments: list[str], file: Mapping[str, Any]) -> dict[str, Any]:
    """What `serve` is given."""
    got: dict[str, Any] = {}

    def serve(given: Mapping[str, Any], say: object, show: object) -> int:
        got.update(given)
        return 0

    world = World(serve=serve, now=never, operate=never, write_link=never, inspect=never)
    assert commands.run(["serve", *arguments], world, lambda: file) == 0
    return got


def test_a_flag_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = {"data": "from-file", "port": 1001, "public_log": False, "origin": "example.org/file"}
    assert given_to_serve([], {})["data"] is None
    got = given_to_serve([], file)
    assert {name: got[name] for name in file} == file
    monkeypatch.setenv("DEPLOYTRAIL_DATA", "from-environment")
    monkeypatch.setenv("DEPLOYTRAIL_PORT", "1002")
    monkeypatch.setenv("DEPLOYTRAIL_PUBLIC_LOG", "true")
    got = given_to_serve([], file)
    assert (got["data"], got["port"], got["public_log"]) == ("from-environment", 1002, True)
    assert got["origin"] == "example.org/file"
    got = given_to_serve(["--data", "from-flag", "--port", "1003", "--no-public-log"], file)
    assert (got["data"], got["port"], got["public_log"]) == ("from-flag", 1003, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["admin", "link"],
        ["admin", "source", "add", "github", "hub"],
        ["admin", "token", "create", "--role", "viewer", "--name", "x"],
        ["rebuild"],
        ["erase", "ada", "--yes"],
    ],
)
def test_every_command_that_may_open_a_house_has_its_settings(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link has the public address, and the signer is where `serve` would look for it."""
    got: dict[str, Any] = {}

    def operate(given: Mapping[str, Any], command: str, form: bytes) -> dict[str, Any]:
        got.update(given)
        raise Refused("busy", "Enough.")

    world = World(serve=never, now=never, operate=operate, write_link=never, inspect=never)
    monkeypatch.setenv("DEPLOYTRAIL_SIGNER", "signer-of-environment")
    file = {"public_url": "https://example.org", "origin": "example.org/log", "signer": "signer-of-file"}
    assert commands.run([*arguments, "--data", "from-flag"], world, lambda: file) == 5
    assert got == {
        **{setting.name: None for setting in SETTINGS if setting.name not in ("url", "token")},
        **file,
        "data": "from-flag",
        "signer": "signer-of-environment",
    }


def test_the_file_is_read_where_the_command_runs(folder: Path) -> None:
    path = folder / config.FILE
    assert config.read_file(path) == {}
    path.write_text('data = "here"\nport = 9\npublic_log = true\ntoken = "dt_x"\n')
    assert config.read_file(path) == {"data": "here", "port": 9, "public_log": True, "token": "dt_x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"dta = 1\nsiner = 2\n", "has settings that there are not: dta, siner."),
        (b"[serve]\nport = 1\n", "has settings that there are not: serve."),
        (b"port = \n", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"port = [1]\n", "port is one text, one whole number"),
        (b"port = 1.5\n", "port is one text, one whole number"),
        (b"data = 2026-01-01\n", "data is one text"),
        (b"demo = true\n", "there are not: demo"),
    ],
)
def test_a_file_that_is_wrong_is_named(folder: Path, text: bytes, words: str) -> None:
    path = folder / config.FILE
    path.write_bytes(text)
    with pytest.raises(Refused) as caught:
        config.read_file(path)
    assert caught.value.code == "bad-input"
    assert words in caught.value.words
    assert str(path) in caught.value.words


@pytest.mark.parametrize("file", [{"port": "many"}, {"public_log": "perhaps"}])
def test_a_value_of_the_wrong_kind_is_wrong_use(
    file: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(serve=never, now=never, operate=never, write_link=never, inspect=never)
    assert commands.run(["serve"], world, lambda: file) == 2
    assert "Invalid value" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        {"port": 0},
        {"port": 65536},
        {"port": -1},
        {"public_url": "example.org"},
        {"public_url": "ftp://example.org"},
        {"public_url": "https://"},
        {"public_url": "https://example.org?x=1"},
        {"public_url": "https://example.org#x"},
        {"public_url": "https://ada:secret@example.org"},
        {"host": "0.0.0.0"},
        {"host": "example.org", "public_url": "http://example.org"},
        {"origin": "https://example.org"},
        {"origin": "Example.org"},
        {"origin": ""},
        {"origin": "a b"},
        {"origin": "example.org/x+y"},
        {"port": "x"},
    ],
)
def test_what_a_setting_may_not_be(given: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        settings_of(given)
    assert caught.value.code == "bad-input"
    assert len(caught.value.words) > 20


def test_what_settings_mean() -> None:
    plain = settings_of({"data": None})
    assert (plain.data, plain.host, plain.port) == (Path("data"), "127.0.0.1", 8420)
    assert plain.address == "http://localhost:8420"
    assert plain.open_log
    assert settings_of({"port": 9}).address == "http://localhost:9"
    public = settings_of({"host": "0.0.0.0", "public_url": "https://Example.org:444/"})
    assert public.address == "https://Example.org:444"
    assert public.hosts == {"localhost", "127.0.0.1", "[::1]", "example.org:444"}
    assert not public.open_log
    assert not settings_of({"public_url": "https://example.org"}).open_log, "a proxy may stand before it"
    assert settings_of({"public_url": "http://127.0.0.1:9"}).open_log
    assert settings_of({"public_url": "https://example.org", "public_log": True}).open_log
    assert not settings_of({"public_log": False}).open_log


def test_an_address_that_cannot_name_a_log_asks_for_an_origin() -> None:
    settings = settings_of({"public_url": "https://example.org/a+b"})
    with pytest.raises(Refused, match="--origin"):
        settings.first_origin("0" * 16)
    assert settings_of({"public_url": "https://example.org/Log/"}).first_origin("") == "example.org/Log"
    assert settings_of({}).first_origin("0123") == "deploytrail.invalid/0123"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("192.0.2.1", False),
    ],
)
def test_what_is_this_machine_alone(host: str, expected: bool) -> None:
    assert loopback(host) is expected


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = [setting.name for setting in SETTINGS]
    assert len(set(names)) == len(names)
    assert all(setting.variable == f"DEPLOYTRAIL_{setting.name.upper()}" for setting in SETTINGS)
    assert all(setting.words for setting in SETTINGS)
