"""`verify` and `receipt verify` as a stranger runs them, on a served log and on a copied one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploytrail.tlog import checkpoint, tiles
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.note import SigningKey
from tests.main.running import Running, serving, typed

pytestmark = pytest.mark.slow

COUNT = 600


class Known:
    """A served log of some hundred entries, with its key, an old checkpoint and a copy of its files."""

    def __init__(self, served: Running, folder: Path) -> None:
        self.served = served
        self.vkey = served.admin("key", "show")
        self.reporter, self.viewer = served.token("reporter", "ci"), served.token("viewer")
        self.old = folder / "old.checkpoint"
        served.signed()
        self.old.write_bytes(served.ask("GET", "/log/checkpoint").body)
        lines = "".join(f'{{"kind":"x-many","id":"n{n}","data":"{n}"}}\n' for n in range(COUNT)).encode()
        told = typed("record", "-", "--url", served.url, "--token", self.reporter, stdin=lines)
        assert told.status == 0, told.err
        self.size = served.signed()
        self.copy = folder / "copy"
        self.fetch_all(self.copy)

    def fetch_all(self, to: Path) -> None:
        """Copy the log's files by HTTP, as anybody can."""
        paths = ["checkpoint"]
        for tile in tiles.widths(self.size):
            paths.append(tiles.path(tile))
            if tile.level == 0:
                paths.append(tiles.path(tile._replace(level=tiles.ENTRIES)))
        for path in paths:
            answer = self.served.ask("GET", f"/log/{path}")
            assert answer.status == 200, path
            file = to / "log" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(answer.body)

    def receipt(self, index: int, to: Path) -> Path:
        """A receipt in a file."""
        answer = self.served.ask("GET", f"/api/v1/entries/{index}/receipt", token=self.viewer)
        assert answer.status == 200, answer.text
        to.write_bytes(answer.body)
        return to


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    with serving() as served:
        yield Known(served, tmp_path_factory.mktemp("known"))


def checks(out: str) -> dict[int, bool | None]:
    """What each numbered check of --json says."""
    return {check["number"]: check["ok"] for check in json.loads(out)["checks"]}


def test_a_served_log_verifies_from_outside(known: Known) -> None:
    for where in ([known.served.url], [f"{known.served.url}/"], [f"{known.served.url}/log"]):
        done = typed("verify", *where, "--key", known.vkey)
        assert (done.status, done.err) == (0, "")
        assert [line[:8] for line in done.out.splitlines()] == [f"ok    {n}." for n in (1, 2, 3, 4, 6)]
        assert f"{known.size:,} entries" in done.out
    by_setting = typed("verify", "--url", known.served.url, "--key", known.vkey, "--json")
    assert (by_setting.status, json.loads(by_setting.out)["ok"]) == (0, True)


def test_a_copied_log_verifies_without_the_house(known: Known) -> None:
    for folder in (known.copy, known.copy / "log"):
        done = typed("verify", str(folder), "--key", known.vkey, "--since", str(known.old))
        assert (done.status, done.out.count("ok  ")) == (0, 6), done.out


def test_a_checkpoint_from_before_is_its_beginning(known: Known) -> None:
    done = typed("verify", known.served.url, "--key", known.vkey, "--since", str(known.old))
    assert done.status == 0
    assert "From " in done.out
    assert f"to {known.size:,}." in done.out


@pytest.mark.parametrize("what", ["foreign", "newer", "forged", "no note", "another history"])
def test_a_checkpoint_that_is_no_beginning_is_found(known: Known, folder: Path, what: str) -> None:
    origin = known.vkey.partition("+")[0]
    key = SigningKey.from_seed(origin, (known.served.signer / "key").read_bytes())
    foreign = SigningKey.from_seed("example.org/other", bytes(32))
    size = known.old.read_bytes().split(b"\n")[1]
    made = {
        "foreign": lambda: checkpoint.sign(Checkpoint("example.org/other", int(size), bytes(32)), foreign),
        "newer": lambda: checkpoint.sign(Checkpoint(origin, known.size + 1, bytes(32)), key),
        "forged": lambda: known.old.read_bytes().replace(b"\n" + size + b"\n", b"\n2\n", 1),
        "no note": lambda: b"hello",
        "another history": lambda: checkpoint.sign(Checkpoint(origin, int(size), bytes(32)), key),
    }
    file = folder / "checkpoint"
    file.write_bytes(made[what]())
    done = typed("verify", known.served.url, "--key", known.vkey, "--since", str(file), "--json")
    assert (done.status, checks(done.out)) == (1, {1: True, 2: True, 3: True, 4: True, 5: False, 6: True})


def test_a_log_of_another_key_is_not_believed(known: Known) -> None:
    origin = known.vkey.partition("+")[0]
    other = SigningKey.from_seed(origin, bytes(32)).verifier.vkey()
    for where in (known.served.url, str(known.copy)):
        done = typed("verify", where, "--key", other, "--json")
        assert (done.status, checks(done.out)) == (1, {1: False, 2: None, 3: None, 4: None, 6: None})


FILES = ["checkpoint", "tile/0/000", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/{rest}"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["altered", "cut", "gone", "empty", "longer"])
def test_a_log_that_was_tampered_with_is_found(known: Known, folder: Path, name: str, how: str) -> None:
    shutil.copytree(known.copy, folder / "copy")
    file = folder / "copy" / "log" / name.format(rest=known.size % 256)
    data = file.read_bytes()
    middle = len(data) // 2
    if how == "gone":
        file.unlink()
    else:
        altered = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        file.write_bytes({"altered": altered, "cut": data[:-1], "empty": b"", "longer": data + b"x"}[how])
    done = typed("verify", str(folder / "copy" / "log"), "--key", known.vkey, "--json")
    assert done.status == 1
    assert json.loads(done.out)["ok"] is False
    assert False in checks(done.out).values()


def test_a_folder_that_holds_no_log(known: Known, folder: Path) -> None:
    empty = typed("verify", str(folder), "--key", known.vkey, "--json")
    assert (empty.status, checks(empty.out)[1]) == (1, False)
    gone = typed("verify", str(folder / "nowhere"), "--key", known.vkey)
    assert (gone.status, "is neither an address nor a folder" in gone.err) == (1, True)


def test_a_log_that_keeps_its_entries_shows_hashes_only() -> None:
    with serving("--no-public-log") as served:
        served.signed()
        vkey = served.admin("key", "show")
        done = typed("verify", served.url, "--key", vkey, "--json")
        assert (done.status, checks(done.out)) == (1, {1: True, 2: True, 3: True, 4: None, 6: None})
        # Whoever may read entries sees them all.
        token = served.token("administrator")
        served.signed()
        done = typed("verify", served.url, "--key", vkey, "--token", token, "--json")
        assert (done.status, set(checks(done.out).values())) == (0, {True})


# Receipts.


@pytest.mark.parametrize("index", [0, 1, 255, 256, 300, COUNT])
def test_a_receipt_verifies_without_the_house(known: Known, folder: Path, index: int) -> None:
    file = known.receipt(index, folder / "entry.tlog-proof")
    done = typed("receipt", "verify", str(file), "--key", known.vkey)
    assert (done.status, "FAIL" in done.out) == (0, False), done.out
    assert json.loads(typed("receipt", "verify", str(file), "--key", known.vkey, "--json").out)["ok"] is True


def test_a_receipt_that_was_altered_is_found(known: Known, folder: Path) -> None:
    file = known.receipt(300, folder / "entry.tlog-proof")
    data = file.read_bytes()
    for at in range(0, len(data), 7):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        done = typed("receipt", "verify", str(file), "--key", known.vkey)
        assert done.status in (1, 2), (at, done.out)
        assert "Traceback" not in done.err


def test_a_receipt_of_another_key_or_another_entry(known: Known, folder: Path) -> None:
    file = known.receipt(300, folder / "entry.tlog-proof")
    other = SigningKey.from_seed(known.vkey.partition("+")[0], bytes(32)).verifier.vkey()
    assert typed("receipt", "verify", str(file), "--key", other).status == 1
    entry = folder / "entry"
    entry.write_bytes(b'{"kind":"x-other"}')
    done = typed("receipt", "verify", str(file), "--key", known.vkey, "--entry", str(entry))
    assert (done.status, "FAIL" in done.out) == (1, True)
    for text in (b"", b"hello\n", b"\xff" * 100):
        file.write_bytes(text)
        assert typed("receipt", "verify", str(file), "--key", known.vkey).status == 1
    file.write_bytes(b"x" * (2**20 + 1))
    assert typed("receipt", "verify", str(file), "--key", known.vkey).status == 2
