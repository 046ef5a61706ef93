"""The first start of a house: what it makes, for whom, and that it can be cut short at any moment."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploytrail.notary.file_signer import FileSigner
from tests import postgres
from tests.main.running import Running, log_of, surroundings, typed

pytestmark = pytest.mark.slow

Make = Callable[..., Running]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def origin(house: Running) -> str:
    found: str = json.loads((house.data / "house.json").read_text())["origin"]
    return found


def test_a_house_is_its_owners_alone_and_its_link_lies_in_a_file(house: Make) -> None:
    first = house()
    first.start()
    link = (first.data / "admin-link").read_text().strip()
    assert re.fullmatch(rf"http://localhost:{first.port}/sign-in\?link=[\w-]{{43}}", link)
    assert mode(first.data) == mode(first.signer) == 0o700
    # Until all is signed, the signer's files come and go.
    first.signed()
    for path in [*first.data.iterdir(), *first.signer.iterdir()]:
        assert mode(path) == 0o600, path
    # The link goes to a terminal or to the file, never to diagnostics.
    assert str(first.data / "admin-link") in first.words()
    assert link.rpartition("=")[2] not in first.words()
    assert re.fullmatch(r"deploytrail\.invalid/[0-9a-f]{16}", origin(first))
    assert not any(path.is_relative_to(first.data) for path in first.signer.iterdir())

    [opened, issued] = first.entries()
    assert (opened["kind"], issued["kind"]) == ("log.opened", "link.issued")
    assert opened["data"] == {"origin": origin(first), "vkey": first.admin("key", "show")}
    cookie = first.sign_in()
    assert first.ask("GET", "/", None, {"cookie": cookie}).status == 200

    before = (first.data / "admin-link").stat().st_mtime_ns
    assert first.stop() == 0
    first.start()
    assert (first.data / "admin-link").stat().st_mtime_ns == before, (
        "only a house that nobody has used makes one"
    )
    assert first.words().count("for the first administrator") == 1
    assert first.stop() == 0
    assert typed("fsck", *first.where).status == 0


def test_while_nobody_has_signed_in_every_start_makes_a_link(house: Make) -> None:
    unused = house()
    links = set()
    for _ in range(2):
        unused.start()
        links.add((unused.data / "admin-link").read_text())
        (unused.data / "admin-link").unlink()
        assert unused.stop() == 0
    assert len(links) == 2
    unused.token("viewer")
    unused.start()
    assert not (unused.data / "admin-link").exists()


def test_a_terminal_sees_the_link(house: Make) -> None:
    first = house()
    mine, theirs = pty.openpty()
    first.process = subprocess.Popen(
        first.command(), stderr=theirs, stdout=theirs, start_new_session=True, env=surroundings(first.folder)
    )
    os.close(theirs)
    said = b""
    end = time.monotonic() + 60
    while b"serves" not in said and time.monotonic() < end:
        said += os.read(mine, 4096)
    os.close(mine)
    assert (first.data / "admin-link").read_text().strip() in said.decode()


def test_without_a_signers_folder_it_lies_in_the_persons_state(house: Make, folder: Path) -> None:
    data = folder / "d"
    env = surroundings(folder)
    done = subprocess.run(
        [*house().command()[:3], "admin", "link", "--data", str(data)],
        env=env,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, f"{data}/admin-link\n")
    assert re.fullmatch(rf"Made a new house in {data}: deploytrail.invalid/[0-9a-f]{{16}}.\n", done.stderr)
    [signer] = (folder / "state" / "deploytrail" / "signers").iterdir()
    assert json.loads((data / "house.json").read_text())["signer"] == str(signer.resolve())
    assert mode(signer) == 0o700
    assert {path.name: mode(path) for path in signer.iterdir()} == dict.fromkeys(
        ("key", "lock", "record"), 0o600
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--origin", "example.org/log"], "example.org/log"),
        (["--public-url", "https://Deploytrail.Example.org/"], "deploytrail.example.org"),
        (["--public-url", "https://example.org:8443/Trail"], "example.org:8443/Trail"),
        (["--public-url", "https://example.org", "--origin", "example.org/1"], "example.org/1"),
    ],
)
def test_what_the_origin_is(folder: Path, flags: list[str], expected: str) -> None:
    where = ["--data", str(folder / "d"), "--signer", str(folder / "s")]
    done = typed("admin", "link", *where, *flags)
    assert done.status == 0, done.err
    assert json.loads((folder / "d" / "house.json").read_text())["origin"] == expected
    assert typed("admin", "key", "show", *where).out.startswith(f"{expected}+")
    other = typed("admin", "link", *where, "--origin", "example.org/other")
    assert (other.status, "it was fixed at the first start" in other.err) == (3, True)


@pytest.mark.parametrize("signer", ["d", "d/signer", ".", "e/../d/x"])
def test_the_signer_never_lies_with_the_data(folder: Path, signer: str) -> None:
    where = ["--data", str(folder / "d"), "--signer", str(folder / signer)]
    for _ in range(2):
        done = typed("admin", "link", *where)
        assert (done.status, "must not lie in the data folder" in done.err) == (2, True)
        assert not (folder / "d" / "trail.db").exists()
    good = ["--data", str(folder / "d"), "--signer", str(folder / "s")]
    assert typed("admin", "link", *good).status == 0
    assert typed("admin", "link", *where).status == 2, "nor may it be moved there later"
    assert typed("admin", "link", *good).status == 0


# The moments of a first start at which something has just been made.
MOMENTS = [
    ("data/house.json.*.new", "the mark is being written"),
    ("data/house.json", "the mark is there"),
    ("data/trail.db", "the log is being made"),
    ("data/house.key", "the key is there"),
    ("data/keys.db", "the keyring is being made"),
    ("data/derived.db", "the rows are being made"),
    ("signer/key", "the signer has its key"),
    ("signer/record", "the first head is signed"),
    ("data/admin-link", "the link is there"),
    ("data/control.sock", "it listens"),
]


LINKLESS = "signer/record"


def test_a_first_start_may_be_killed_at_any_moment(house: Make) -> None:
    for number, (pattern, what) in enumerate(MOMENTS):
        if postgres.chosen() and pattern in ("data/trail.db", "data/keys.db"):
            continue
        first = house(at=str(number))
        first.begin()
        assert first.process is not None
        end = time.monotonic() + 60
        met, serves = False, False
        while not met and not serves and time.monotonic() < end and first.process.poll() is None:
            met, serves = any(first.folder.glob(pattern)), (first.data / "control.sock").exists()
        first.kill()
        # Only what is soon renamed may be missed.
        assert pattern.endswith(".new") or any(first.folder.glob(pattern)), f"{what}: never seen"
        if pattern == LINKLESS:
            # Whoever starts it again gets in, though the log was opened before.
            first.start()
            assert first.stop() == 0
            assert (first.data / "admin-link").exists()
        done = typed("admin", "link", *first.where)
        assert done.status == 0, f"{what}: {done.err}"
        kinds = [fact["kind"] for fact in first.in_file()]
        assert kinds[0] == "log.opened", what
        assert set(kinds[1:]) == {"link.issued"}, what
        done = typed("fsck", "--all", *first.where)
        assert done.status == 0, f"{what}: {done.out}{done.err}"


def test_a_signers_key_that_is_empty_is_named(house: Make) -> None:
    first = house()
    first.signer.mkdir()
    (first.signer / "key").write_bytes(b"")
    done = typed("admin", "link", *first.where)
    assert (done.status, f"The signer's key in {first.signer} is damaged" in done.err) == (1, True)
    (first.signer / "key").unlink()
    assert typed("admin", "link", *first.where).status == 0


# Later starts, when something is gone or is another's.


@pytest.fixture
def made(house: Make) -> Running:
    """A house with a few entries, not running."""
    old = house()
    old.token("viewer", None, "--origin", "example.org/log")
    old.source()
    return old


def refused(house: Running, status: int, words: str, *, start: bool = False) -> None:
    """A command that is refused with these words, and a start."""
    done = typed("admin", "token", "list", *house.where)
    assert (done.status, done.out) == (status, ""), done.err
    assert words in done.err
    if start:
        house.begin()
        assert house.ended() == status, house.words()
        assert words in house.words()
        assert "Traceback" not in house.words()


def opens(house: Running) -> bool:
    """Whether it can be opened."""
    return typed("admin", "token", "list", *house.where).status == 0


def test_a_lost_house_key_is_named(made: Running) -> None:
    (made.data / "house.key").rename(made.folder / "kept")
    refused(made, 5, "house.key of this house is gone, but its log is not empty. Bring it back", start=True)
    (made.folder / "kept").rename(made.data / "house.key")
    assert opens(made)


def test_another_houses_key_is_known(made: Running) -> None:
    kept = (made.data / "house.key").read_bytes()
    (made.data / "house.key").write_bytes(bytes(32))
    refused(made, 1, "house.key is the key of another house")
    (made.data / "house.key").write_bytes(b"short")
    refused(made, 1, "has 5 bytes instead of 32")
    (made.data / "house.key").write_bytes(kept)
    assert opens(made)


def test_a_lost_signer_is_named(made: Running) -> None:
    made.signer.rename(made.folder / "kept")
    refused(made, 5, "The signer's key of this house is gone, but its log is not empty. Bring it back")
    assert not (made.signer / "key").exists()
    (made.folder / "kept").rename(made.signer)
    assert opens(made)


def test_a_signer_that_moved_is_found_where_it_is_said_to_be(made: Running) -> None:
    new = made.signer.rename(made.folder / "moved")
    made.signer = new
    assert opens(made)
    assert typed("admin", "token", "list", "--data", str(made.data)).status == 0


def test_a_signer_of_another_log_is_refused_and_not_remembered(made: Running, house: Make) -> None:
    other = house(at="other")
    other.token("viewer", None, "--origin", "example.org/other")
    ours, made.signer = made.signer, other.signer
    refused(made, 1, "signer's record")
    made.signer = ours
    assert json.loads((made.data / "house.json").read_text())["signer"] == str(ours.resolve())
    assert opens(made)


def test_a_signer_without_its_record_signs_nothing(made: Running) -> None:
    (made.signer / "record").rename(made.folder / "kept")
    made.start()
    assert made.ask("GET", "/readyz").status == 503
    assert "the signer has no record of it" in made.ask("GET", "/readyz").text
    assert made.stop() == 0
    assert not (made.signer / "record").exists()
    (made.folder / "kept").rename(made.signer / "record")
    assert made.start().ask("GET", "/readyz").status == 200


def test_a_mark_that_is_gone_damaged_or_of_a_later_version_is_named(made: Running) -> None:
    mark = made.data / "house.json"
    good = mark.read_bytes()
    mark.unlink()
    refused(made, 1, "house.json is gone, but there is a log. Bring the file back")
    for bad, status, words in [
        (b"", 1, "is damaged"),
        (b"\xff", 1, "is damaged"),
        (b"{}", 1, "is damaged"),
        (good.replace(b'"version": 1', b'"version": 2'), 5, "is of version 2"),
    ]:
        mark.write_bytes(bad)
        refused(made, status, words)
    mark.write_bytes(good)
    assert opens(made)


def test_the_demo_and_a_house_keep_apart(made: Running, house: Make) -> None:
    made.flags = ("--demo",)
    made.begin()
    assert made.ended() == 3
    assert "is not the demo's" in made.words()
    demo = house("--demo", at="demo")
    demo.start()
    demo.kill()
    assert json.loads((demo.data / "house.json").read_text())["demo"] is True
    demo.flags = ()
    demo.begin()
    assert demo.ended() == 3
    assert "is the demo's; it starts with ./dev demo" in demo.words()


def test_a_house_that_a_killed_server_left_behind_starts_again(made: Running) -> None:
    made.start()
    size = len(made.entries())
    assert made.process is not None
    made.process.send_signal(signal.SIGKILL)
    made.process.wait()
    assert (made.data / "control.sock").exists(), "left behind"
    made.admin("service", "declare", "checkout")
    made.start()
    assert len(made.entries()) == size + 1
    last = FileSigner(made.signer, "example.org/log").last()
    assert last is not None
    with log_of(made.data) as log:
        assert log.head().size == last.size == size + 1
