"""The golden house of every version: opened, verified, rebuilt, served; that of the newest made again too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.golden.make import ALWAYS, DATA, HERE, SECRET, VERSIONS, bodies, digests, expected, make
from tests.golden.make import said as said_of
from tests.intake.deliveries import sample
from tests.main.running import Running, typed

# Rows are changed, and the house is read, in its files.
pytestmark = pytest.mark.sqlite

Make = Callable[..., Running]
NEWEST = VERSIONS[-1]


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each version that a house was kept of."""
    return str(request.param)


@pytest.fixture
def said(version: str) -> dict[str, Any]:
    """What was written down of it."""
    return said_of(version)


@pytest.fixture
def golden(house: Make, version: str) -> Running:
    """A copy of it, not running."""
    copy = house()
    for name in ("data", "signer"):
        shutil.copytree(HERE / version / name, copy.folder / name)
    return copy


def test_it_is_small_and_closed(version: str) -> None:
    files = HERE / version
    assert ALWAYS <= {path.name for path in (files / "data").iterdir()} <= set(DATA), "no journal is left"
    assert sorted(path.name for path in (files / "signer").iterdir()) == ["key", "record"]
    assert sum(path.stat().st_size for path in files.rglob("*") if path.is_file()) < 1_000_000
    assert not Path(json.loads((files / "data" / "house.json").read_text())["signer"]).exists()


def test_it_holds_what_was_written_down(golden: Running, said: dict[str, Any]) -> None:
    assert expected(golden.folder) == said
    for kind in ("log.opened", "source.changed", "token.revoked", "session.ended", "delivery.set_aside"):
        assert kind in said["kinds"]
    assert said["kinds"].count("subject.erased") == 1


def test_the_generator_makes_the_same_entries(folder: Path) -> None:
    make(folder)
    again, before = bodies(folder / "data"), bodies(HERE / NEWEST / "data")
    for index, (new, old) in enumerate(zip(again, before, strict=False)):
        assert new == old, f"entry {index}"
    assert len(again) == len(before)
    assert expected(folder) == said_of(NEWEST)


def test_its_own_judge_finds_nothing_wrong(golden: Running) -> None:
    before = (golden.data / "trail.db").read_bytes()
    for flags in ((), ("--all",)):
        done = typed("fsck", *flags, "--json", *golden.where)
        assert (done.status, json.loads(done.out)["ok"]) == (0, True), done.out + done.err
    assert (golden.data / "trail.db").read_bytes() == before, "whoever only looks writes nothing"


def test_its_rows_are_made_anew_as_they_are_made_today(
    golden: Running, said: dict[str, Any], version: str, folder: Path
) -> None:
    done = typed("rebuild", *golden.where)
    assert (done.status, done.out) == (0, f"Made the rows of {said['size']} entries anew.\n"), done.err
    if version == NEWEST:
        make(folder)
        assert digests(golden.data) == digests(folder / "data")
    assert typed("fsck", "--all", *golden.where).status == 0


@pytest.mark.slow
def test_it_is_served_told_and_verified(golden: Running, said: dict[str, Any], version: str) -> None:
    golden.start()
    note = golden.ask("GET", "/log/checkpoint").text
    kept = golden.folder / "checkpoint"
    kept.write_text(note)
    assert note.split("\n")[0] == said["origin"]
    assert golden.admin("key", "show") == said["vkey"]
    cookie = {"cookie": golden.sign_in("otto"), "accept": "text/html"}
    viewer = golden.token("viewer")
    # A secret of then still opens, and what was delivered then is known again.
    again = golden.deliver("push", sample("push.branch").body, secret=SECRET)
    assert (again.status, again.json()["status"]) == (200, "repeat")
    assert again.json()["entries"] == [said["kinds"].index("commit.pushed")]
    told = golden.tell(golden.token("reporter", "ci"), {"kind": "x-later"}, "signed")
    assert told.status == 201
    at = f"?at_least={told.json()['index']}"
    assert golden.ask("GET", f"/api/v1/environments{at}", token=viewer).status == 200
    pages = [golden.ask("GET", path, None, cookie) for path in ("/", "/environments", "/log", "/attention")]
    pages += [golden.ask("GET", f"/entries/{index}", None, cookie) for index in range(said["size"])]
    assert {page.status for page in pages} == {200}
    shown = "\n".join(page.text for page in pages)
    assert "1.42.0" in shown
    assert "naïve ☃" in shown
    assert "Ada Example" in shown, "whoever looks is another"
    assert "dina" not in shown.lower(), "the erased person is named nowhere"
    for where in ([golden.url], [golden.url, "--since", str(kept)]):
        done = typed("verify", *where, "--key", said["vkey"])
        assert done.status == 0, done.out + done.err
    receipt = golden.folder / "receipt"
    receipt.write_bytes(golden.ask("GET", "/api/v1/entries/1/receipt", token=viewer).body)
    assert typed("receipt", "verify", str(receipt), "--key", said["vkey"]).status == 0
    assert golden.stop() == 0
    assert bodies(golden.data)[: said["size"]] == bodies(HERE / version / "data")
    assert typed("fsck", "--all", *golden.where).status == 0
