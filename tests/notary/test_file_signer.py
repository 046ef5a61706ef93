"""The signer: one history for good, whatever happens to the database, the folder or the disk."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploytrail.app.ports import Head, Pending, Signed, Submission
from deploytrail.errors import Refused
from deploytrail.notary import file_signer
from deploytrail.notary.file_signer import FileSigner
from deploytrail.store.log_memory import MemoryLog
from deploytrail.tlog import checkpoint
from deploytrail.tlog.note import Verifier
from tests.app.small_house import ORIGIN, Chance


def grow(log: MemoryLog, *texts: str) -> Head:
    log.append([Submission(tuple(Pending(text.encode(), "ci", None, (), ()) for text in texts))])
    return log.head()


def sign(signer: FileSigner, log: MemoryLog) -> Signed:
    last = signer.last()
    return signer.sign((row.body for row in log.entries(last.size if last else 0, 10**6)), log.head())


def refused(doing: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as refusal:
        doing()
    return refusal.value


@pytest.fixture
def signer(tmp_path: Path) -> FileSigner:
    return FileSigner.create(tmp_path / "signer", ORIGIN, Chance())


@pytest.fixture
def log() -> MemoryLog:
    made = MemoryLog()
    grow(made, "a", "b", "c")
    return made


def test_it_signs_what_grows(signer: FileSigner, log: MemoryLog, tmp_path: Path) -> None:
    assert signer.last() is None
    assert signer.frontier().size == 0
    for size in (3, 4, 300, 70_000):
        head = grow(log, *(str(n) for n in range(log.head().size, size)))
        signed = sign(signer, log)
        opened = checkpoint.open_note(signed.note, [Verifier.parse(signer.vkey)])
        assert (opened.origin, opened.size, opened.root) == (ORIGIN, head.size, head.root)
        assert signer.last() == signed == FileSigner(tmp_path / "signer", ORIGIN).last()
        assert signer.frontier() == head.frontier
    # Nothing new: the same tree may be signed again.
    assert sign(signer, log) == signed


def test_an_empty_log_can_be_signed(signer: FileSigner) -> None:
    assert sign(signer, MemoryLog()).size == 0


def test_the_key_is_made_once_and_for_its_owner_alone(signer: FileSigner, tmp_path: Path) -> None:
    folder = tmp_path / "signer"
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["key"]
    key = (folder / "key").read_bytes()
    assert refused(lambda: FileSigner.create(folder, ORIGIN, Chance())).code == "conflict"
    assert (folder / "key").read_bytes() == key
    # A record without its key must not be signed over.
    sign(signer, MemoryLog())
    (folder / "key").unlink()
    assert refused(lambda: FileSigner.create(folder, ORIGIN, Chance())).code == "conflict"


def test_a_key_left_half_written_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "signer").mkdir()
    (tmp_path / "signer" / "key.new").write_bytes(b"half")
    FileSigner.create(tmp_path / "signer", ORIGIN, Chance())
    assert len((tmp_path / "signer" / "key").read_bytes()) == 32


def test_there_must_be_a_signer(tmp_path: Path) -> None:
    assert refused(lambda: FileSigner(tmp_path, ORIGIN)).code == "not-found"
    (tmp_path / "key").write_bytes(b"short")
    assert refused(lambda: FileSigner(tmp_path, ORIGIN)).code == "untrue"


# Other histories.


def test_a_rewritten_history_is_not_signed(signer: FileSigner, log: MemoryLog) -> None:
    first = sign(signer, log)
    other = MemoryLog()
    grow(other, "a", "B", "c", "d")
    assert refused(lambda: sign(signer, other)).code == "untrue"
    # Nor one in which the new entries are not those of the head.
    grow(log, "d")
    for bodies in ([], [b"D"], [b"d", b"e"], [b"c", b"d"]):
        assert refused(lambda bodies=bodies: signer.sign(bodies, log.head())).code == "untrue"  # type: ignore[misc]
    assert signer.last() == first
    assert sign(signer, log).size == 4


def test_a_rewritten_head_is_not_signed(signer: FileSigner, log: MemoryLog) -> None:
    sign(signer, log)
    head = log.head()
    assert refused(lambda: signer.sign([], head._replace(root=bytes(32)))).code == "untrue"
    assert refused(lambda: signer.sign([], head._replace(size=4))).code == "untrue"


def test_a_log_that_was_rolled_back_is_not_signed(signer: FileSigner, log: MemoryLog) -> None:
    sign(signer, log)
    older = MemoryLog()
    grow(older, "a", "b")
    refusal = refused(lambda: signer.sign([], older.head()))
    assert refusal.code == "untrue"
    assert "rolled back" in refusal.words


def test_a_second_signer_with_the_same_key_stops(signer: FileSigner, log: MemoryLog, tmp_path: Path) -> None:
    twin = FileSigner(tmp_path / "signer", ORIGIN)
    sign(signer, log)
    assert "Somebody else" in refused(lambda: sign(twin, log)).words
    # Also when what it would sign is another history: only one of both is ever signed.
    other = MemoryLog()
    grow(other, "x", "y", "z")
    assert refused(lambda: sign(twin, other)).code == "untrue"
    assert sign(signer, log).root == log.head().root


def test_of_many_signers_of_many_histories_one_wins(signer: FileSigner, tmp_path: Path) -> None:
    twins = [FileSigner(tmp_path / "signer", ORIGIN) for _ in range(6)]
    logs = []
    for n in range(6):
        logs.append(MemoryLog())
        grow(logs[-1], f"history {n}")
    gate = threading.Barrier(6)
    roots: list[bytes] = []
    codes: list[str] = []

    def race(n: int) -> None:
        gate.wait(20)
        try:
            roots.append(sign(twins[n], logs[n]).root)
        except Refused as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(roots), codes) == (1, ["untrue"] * 5)


_TWIN = """
import sys
from pathlib import Path
from deploytrail.errors import Refused
from deploytrail.notary.file_signer import FileSigner
from tests.notary.test_file_signer import grow, sign
from deploytrail.store.log_memory import MemoryLog
log = MemoryLog()
grow(log, sys.argv[2])
signer = FileSigner(Path(sys.argv[1]), "example.org/log")
print("ready", flush=True)
sys.stdin.readline()
try:
    print(sign(signer, log).root.hex())
except Refused as refusal:
    print(refusal.code)
"""


def test_of_two_processes_one_signs(signer: FileSigner, tmp_path: Path) -> None:
    def start(text: str) -> subprocess.Popen[str]:
        args = [sys.executable, "-c", _TWIN, str(tmp_path / "signer"), text]
        return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    twins = [start(text) for text in "ab"]
    for twin in twins:
        assert twin.stdout is not None
        assert twin.stdout.readline() == "ready\n"
    said = sorted(twin.communicate("go\n", timeout=60)[0].strip() for twin in twins)
    assert said.count("untrue") == 1
    last = FileSigner(tmp_path / "signer", ORIGIN).last()
    assert last is not None
    assert last.root.hex() in said


# The record.


def test_a_damaged_record_is_refused(signer: FileSigner, log: MemoryLog, tmp_path: Path) -> None:
    sign(signer, log)
    path = tmp_path / "signer" / "record"
    record = path.read_bytes()
    # One character of every ten, so that every field is hit.
    for place in range(0, len(record), 10):
        path.write_bytes(record[:place] + bytes([record[place] ^ 1]) + record[place + 1 :])
        assert refused(lambda: FileSigner(tmp_path / "signer", ORIGIN)).code == "untrue"
        assert refused(lambda: sign(signer, log)).code == "untrue"
    for broken in (b"", b"{}", record[:-1], record[:40], b"\xff" * 9):
        path.write_bytes(broken)
        assert refused(lambda: FileSigner(tmp_path / "signer", ORIGIN)).code == "untrue"
    path.write_bytes(record)
    assert FileSigner(tmp_path / "signer", ORIGIN).last() == signer.last()


def test_a_record_that_contradicts_itself_is_refused(
    signer: FileSigner, log: MemoryLog, tmp_path: Path
) -> None:
    path = tmp_path / "signer" / "record"
    sign(signer, log)
    three = msgspec.json.decode(path.read_bytes())
    grow(log, "d")
    sign(signer, log)
    four = msgspec.json.decode(path.read_bytes())
    mixed: list[dict[str, Any]] = [four | {name: three[name]} for name in ("size", "frontier", "note")]
    mixed += [four | {"origin": "elsewhere.example.org/log"}, four | {"size": "4"}]
    for record in mixed:
        path.write_bytes(msgspec.json.encode(record))
        assert refused(lambda: FileSigner(tmp_path / "signer", ORIGIN)).code == "untrue"


def test_a_wrong_origin_or_key_is_refused(signer: FileSigner, log: MemoryLog, tmp_path: Path) -> None:
    sign(signer, log)
    assert refused(lambda: FileSigner(tmp_path / "signer", "elsewhere.example.org/log")).code == "untrue"
    other = FileSigner.create(tmp_path / "other", ORIGIN, Chance())
    assert other.vkey != signer.vkey
    shutil.copy(tmp_path / "signer" / "record", tmp_path / "other" / "record")
    assert refused(lambda: FileSigner(tmp_path / "other", ORIGIN)).code == "untrue"


def test_an_older_record_put_back_under_a_running_signer_stops_it(
    signer: FileSigner, log: MemoryLog, tmp_path: Path
) -> None:
    path = tmp_path / "signer" / "record"
    sign(signer, log)
    older = path.read_bytes()
    grow(log, "d")
    sign(signer, log)
    path.write_bytes(older)
    assert refused(lambda: sign(signer, log)).code == "untrue"
    path.unlink()
    assert refused(lambda: sign(signer, log)).code == "untrue"


# The disk.


def broken(*_: Any) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("at", ["fsync", "replace", "flush_folder"])
def test_a_note_is_not_handed_out_before_its_record_is_durable(
    signer: FileSigner, log: MemoryLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    first = sign(signer, log)
    grow(log, "d")
    with monkeypatch.context() as patched:
        if at == "fsync":
            patched.setattr(file_signer.os, "fsync", broken)
        elif at == "replace":
            patched.setattr(Path, "replace", broken)
        else:
            patched.setattr(file_signer, "_flush_folder", broken)
        refusal = refused(lambda: sign(signer, log))
        assert refusal.code == "unavailable"
        assert "nothing was signed" in refusal.words
        if at == "flush_folder":
            # The new record may not be durable: it is not spoken of either.
            assert refused(signer.last).code == "unavailable"
        else:
            assert signer.last() == first
    # As soon as the disk answers again, it goes on without a restart.
    assert sign(signer, log).size == 4
    last = signer.last()
    assert last is not None
    assert last.size == 4
    assert FileSigner(tmp_path / "signer", ORIGIN).last() == last


def test_a_record_left_half_written_is_of_no_account(
    signer: FileSigner, log: MemoryLog, tmp_path: Path
) -> None:
    first = sign(signer, log)
    (tmp_path / "signer" / "record.new").write_bytes(b"half a record")
    again = FileSigner(tmp_path / "signer", ORIGIN)
    assert again.last() == first
    grow(log, "d")
    assert sign(again, log).size == 4


def test_a_folder_that_went_away_is_said(signer: FileSigner, log: MemoryLog, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "signer")
    assert refused(lambda: sign(signer, log)).code == "unavailable"
