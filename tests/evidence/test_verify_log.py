from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploytrail.errors import Refused
from deploytrail.evidence import verify_log as room
from deploytrail.evidence.check import Check
from deploytrail.evidence.verify_log import verify_log
from deploytrail.tlog import checkpoint, note
from deploytrail.tlog.checkpoint import Checkpoint
from deploytrail.tlog.hashes import EMPTY_ROOT
from deploytrail.tlog.note import SigningKey
from tests.tlog.trees import KEY, OTHER, Folder, Tree, flips, write

VERIFIERS = [KEY.verifier]
ENTRIES = [b'{"entry":%d}' % i for i in range(600)]
TREE = Tree(ENTRIES)
FILES = TREE.files()
OLDER = TREE.files(300)["checkpoint"]


def decode(entry: bytes) -> None:
    if not (entry.startswith(b'{"entry":') and entry.endswith(b"}")):
        raise Refused("untrue", "It is not canonical.")


def serve(files: dict[str, bytes]) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        if path not in files:
            raise Refused("not-found", f"There is no {path}.")
        return files[path]

    return fetch


def checks_of(files: dict[str, bytes], since: bytes | None = OLDER) -> dict[int, Check]:
    checks = list(verify_log(serve(files), VERIFIERS, since, decode=decode))
    assert [check.number for check in checks] == ([1, 2, 3, 4, 6] if since is None else [1, 2, 3, 4, 5, 6])
    assert all(check.words == room.WORDS[check.number] for check in checks)
    return {check.number: check for check in checks}


def outcomes(files: dict[str, bytes], since: bytes | None = OLDER) -> dict[int, bool | None]:
    return {number: check.ok for number, check in checks_of(files, since).items()}


def signed(size: int, root: bytes, key: SigningKey = KEY) -> bytes:
    return checkpoint.sign(Checkpoint(key.verifier.name, size, root), key)


# A log that is as it should be.


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600])
def test_a_whole_log_on_disk(size: int, tmp_path: Path) -> None:
    files = TREE.files(size)
    write(files, tmp_path)
    folder = Folder(tmp_path)
    older = TREE.files(size // 2)["checkpoint"]
    checks = list(verify_log(folder, VERIFIERS, older, decode=decode))
    assert [(check.number, check.ok) for check in checks] == [(number, True) for number in range(1, 7)]
    assert set(folder.fetched) == set(files)


def test_each_file_is_fetched_once_and_no_more_than_one_bundle_is_held() -> None:
    """Apart from the first bundle, which is asked for to know whether entries are offered at all."""
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return FILES[path]

    assert all(check.ok for check in verify_log(fetch, VERIFIERS))
    assert sorted(fetched) == sorted([*FILES, "tile/entries/000"])


def test_three_tile_levels() -> None:
    large = Tree([b"%d" % i for i in range(65_536 + 300)])
    files = large.files()
    assert [check.ok for check in verify_log(serve(files), VERIFIERS)] == [True] * 4
    for path in ("tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1", "tile/0/077", "tile/0/256"):
        changed = {**files, path: flips(files[path], 31)[1]}
        checks = {check.number: check for check in verify_log(serve(changed), VERIFIERS)}
        assert checks[2].ok is False
        assert path in checks[2].detail


def test_what_is_not_asked_is_not_answered() -> None:
    assert [check.number for check in verify_log(serve(FILES), VERIFIERS)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "Tiles looked at: 0."),
        (1, "Tiles looked at: 1."),
        (256, "Tiles looked at: 2."),
        (600, "Tiles looked at: 4."),
    ],
)
def test_what_was_looked_at_is_counted(size: int, told: str) -> None:
    checks = {check.number: check for check in verify_log(serve(TREE.files(size)), VERIFIERS)}
    assert checks[2].detail == told
    assert checks[4].detail == f"Entries looked at: {size}."


def test_all_that_is_wrong_in_one_tile_is_one_fault() -> None:
    changed = {**FILES, "tile/1/000.p/2": bytes(64)}
    detail = checks_of(changed)[2].detail
    assert detail == "tile/1/000.p/2 disagrees with tile/0/000. So do 1 more of its hashes."


def test_a_missing_hash_tile_leaves_its_entries_without_a_place() -> None:
    files = {path: data for path, data in FILES.items() if path != "tile/0/001"}
    checks = checks_of(files)
    assert checks[2].detail == "tile/0/001: There is no tile/0/001."
    assert checks[4].detail == "tile/entries/001: its hash tile could not be read."
    assert checks[3].ok is None


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    list(verify_log(serve(FILES), VERIFIERS, progress=lambda done, size: told.append((done, size))))
    assert told == [(256, 600), (512, 600), (600, 600)]


def test_a_partial_tile_may_have_become_full() -> None:
    """A log that grew may have dropped the partial tiles of an older checkpoint."""
    larger = TREE.files(512)
    del larger["tile/1/000.p/2"]
    grown = {**larger, "tile/1/000.p/1": TREE.files(400)["tile/1/000.p/1"]}
    assert set(outcomes({**grown, "checkpoint": TREE.files(400)["checkpoint"]}).values()) == {True}


# Tampering, file by file.


def damages(data: bytes) -> list[bytes]:
    return [*flips(data, max(1, len(data) // 7)), b"", data[:-1], data[:-32], data + b"\0", data + bytes(32)]


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("tile/0/")])
def test_a_damaged_leaf_tile_is_found_and_named(path: str) -> None:
    for damaged in damages(FILES[path]):
        checks = checks_of({**FILES, path: damaged})
        assert checks[1].ok
        assert not checks[3].ok
        assert checks[4].ok is False
        if len(damaged) != len(FILES[path]):
            assert checks[2].ok is False
            assert path in checks[2].detail
            assert checks[3].ok is None
        else:
            assert checks[3].ok is False
            assert "does not have the hash in the tree" in checks[4].detail


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("tile/1/")])
def test_a_damaged_upper_tile_is_found_and_named(path: str) -> None:
    for damaged in damages(FILES[path]):
        checks = checks_of({**FILES, path: damaged})
        assert checks[2].ok is False
        assert path in checks[2].detail
        assert (checks[1].ok, checks[3].ok, checks[4].ok, checks[6].ok) == (True, True, True, True)


@pytest.mark.parametrize("path", [path for path in FILES if path.startswith("tile/entries/")])
def test_a_damaged_bundle_is_found_and_named(path: str) -> None:
    for damaged in damages(FILES[path]):
        checks = checks_of({**FILES, path: damaged})
        assert checks[4].ok is False
        assert path in checks[4].detail or "does not have the hash in the tree" in checks[4].detail
        assert (checks[1].ok, checks[2].ok, checks[3].ok, checks[5].ok) == (True, True, True, True)


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_missing_file_is_found_and_named(path: str, tmp_path: Path) -> None:
    write(FILES, tmp_path)
    (tmp_path / path).unlink()
    checks = {check.number: check for check in verify_log(Folder(tmp_path), VERIFIERS, decode=decode)}
    number = 1 if path == "checkpoint" else 4 if "entries" in path else 2
    assert checks[number].ok is False
    assert path in checks[number].detail


def test_every_flipped_byte_of_the_checkpoint_is_found() -> None:
    for damaged in flips(FILES["checkpoint"]):
        found = outcomes({**FILES, "checkpoint": damaged})
        assert found == {1: False, 2: None, 3: None, 4: None, 5: None, 6: None}


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
def test_an_edited_entry_is_named(index: int) -> None:
    """The classic: the value changes, the tree does not, and a consistency proof alone would pass."""
    entries = [*ENTRIES[:index], b'{"entry":-1}', *ENTRIES[index + 1 :]]
    forged = Tree(entries).files()
    bundles = {path: data for path, data in forged.items() if "entries" in path}
    checks = checks_of({**FILES, **bundles})
    assert [check.ok for check in checks.values()] == [True, True, True, False, True, True]
    assert checks[4].detail == f"Entry {index:,} does not have the hash in the tree."


def test_two_entries_exchanged() -> None:
    entries = [*ENTRIES[:3], ENTRIES[4], ENTRIES[3], *ENTRIES[5:]]
    bundles = {path: data for path, data in Tree(entries).files().items() if "entries" in path}
    assert "Entry 3 does not have" in checks_of({**FILES, **bundles})[4].detail
    assert "1 more, up to entry 4" in checks_of({**FILES, **bundles})[4].detail


def test_a_rewritten_history_has_its_own_root() -> None:
    """Everything made anew but the signature; then everything made anew and signed."""
    rewritten = Tree([*ENTRIES[:7], b'{"entry":-1}', *ENTRIES[8:]]).files()
    unsigned = outcomes({**rewritten, "checkpoint": FILES["checkpoint"]})
    assert unsigned == {1: True, 2: True, 3: False, 4: True, 5: False, 6: True}
    assert outcomes(rewritten) == {1: True, 2: True, 3: True, 4: True, 5: False, 6: True}


def test_an_undecodable_entry_is_named() -> None:
    odd = Tree([*ENTRIES[:7], b"odd", *ENTRIES[8:300]]).files()
    checks = checks_of(odd, None)
    assert [check.ok for check in checks.values()] == [True, True, True, True, False]
    assert checks[6].detail == "Entry 7: It is not canonical."


def test_a_server_that_changes_its_answers_gains_nothing() -> None:
    """Forged tiles the first time, true ones whenever the root might be asked for again."""
    forged = Tree([*ENTRIES[:7], b'{"entry":-1}', *ENTRIES[8:]]).files()
    seen: set[str] = set()

    def fetch(path: str) -> bytes:
        first = path not in seen
        seen.add(path)
        return forged[path] if first and path != "checkpoint" else FILES[path]

    found = {check.number: check.ok for check in verify_log(fetch, VERIFIERS, decode=decode)}
    assert found[3] is False


# Entries that are not offered.


@pytest.mark.parametrize("code", ["not-found", "forbidden", "unauthenticated"])
def test_withheld_entries_are_not_called_good(code: str) -> None:
    def fetch(path: str) -> bytes:
        if "entries" in path:
            raise Refused(code, "Not for you.")
        return FILES[path]

    checks = {check.number: check for check in verify_log(fetch, VERIFIERS, OLDER, decode=decode)}
    assert {number: check.ok for number, check in checks.items()} == {
        1: True,
        2: True,
        3: True,
        4: None,
        5: True,
        6: None,
    }
    assert checks[4].detail == "Entries were not offered: hashes only."


@pytest.mark.parametrize("kept", ["tile/entries/000", "tile/entries/002.p/88"])
def test_some_withheld_entries_are_missing_entries(kept: str) -> None:
    files = {path: data for path, data in FILES.items() if "entries" not in path or path == kept}
    checks = checks_of(files)
    assert checks[4].ok is False
    assert "tile/entries/001" in checks[4].detail
    assert checks[6].ok is None


@pytest.mark.parametrize("code", ["unavailable", "busy"])
@pytest.mark.parametrize(
    "at", ["checkpoint", "tile/0/001", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001"]
)
def test_a_log_out_of_reach_is_not_called_false(code: str, at: str) -> None:
    def fetch(path: str) -> bytes:
        if path == at:
            raise Refused(code, "Try again later.")
        return FILES[path]

    with pytest.raises(Refused) as refused:
        list(verify_log(fetch, VERIFIERS))
    assert refused.value.code == code


def test_entries_out_of_reach_are_not_called_withheld() -> None:
    def fetch(path: str) -> bytes:
        if "entries" in path:
            raise Refused("unavailable", "Try again later.")
        return FILES[path]

    with pytest.raises(Refused) as refused:
        list(verify_log(fetch, VERIFIERS))
    assert refused.value.code == "unavailable"


def test_a_log_that_goes_out_of_reach_before_the_last_checks() -> None:
    """The consistency proof reads tiles a second time."""
    fetched: set[str] = set()

    def fetch(path: str) -> bytes:
        if path in fetched and path.startswith("tile/0"):
            raise Refused("unavailable", "Try again later.")
        fetched.add(path)
        return FILES[path]

    checks = verify_log(fetch, VERIFIERS, OLDER)
    assert [next(checks).ok for _ in range(4)] == [True] * 4
    with pytest.raises(Refused) as refused:
        next(checks)
    assert refused.value.code == "unavailable"


def test_a_decoder_that_cannot_work_is_not_a_false_entry() -> None:
    def broken(entry: bytes) -> None:
        raise Refused("unavailable", "No decoder.")

    with pytest.raises(Refused) as refused:
        list(verify_log(serve(FILES), VERIFIERS, decode=broken))
    assert refused.value.code == "unavailable"


def test_a_refused_hash_tile_is_not_called_false() -> None:
    def fetch(path: str) -> bytes:
        if path == "tile/0/001":
            raise Refused("forbidden", "Not for you.")
        return FILES[path]

    with pytest.raises(Refused) as refused:
        list(verify_log(fetch, VERIFIERS))
    assert refused.value.code == "forbidden"


# Older checkpoints.


def test_a_log_that_lost_entries_is_found() -> None:
    checks = checks_of(TREE.files(299))
    assert [check.ok for check in checks.values()] == [True, True, True, True, False, True]
    assert checks[5].detail == "The log had 300 entries and now shows 299."


def test_another_root_at_the_same_size_is_found() -> None:
    other = signed(600, b"r" * 32)
    checks = checks_of(FILES, other)
    assert checks[5].ok is False
    assert "rewritten" in checks[5].detail


@pytest.mark.parametrize(
    "since",
    [
        b"",
        OLDER[:-1],
        signed(300, TREE.root, OTHER),
        signed(300, TREE.root),
        note.assemble("no checkpoint\n", [KEY.sign("no checkpoint\n")]),
    ],
)
def test_an_older_checkpoint_that_does_not_fit(since: bytes) -> None:
    assert outcomes(FILES, since) == {1: True, 2: True, 3: True, 4: True, 5: False, 6: True}


def test_an_older_checkpoint_of_another_log() -> None:
    foreign = SigningKey.from_seed("log.example.org/other", bytes(range(32)))
    since = signed(0, EMPTY_ROOT, foreign)
    checks = list(verify_log(serve(FILES), [KEY.verifier, foreign.verifier], since))
    assert [check.ok for check in checks] == [True, True, True, True, False]
    assert "log.example.org/other" in checks[4].detail


def test_an_empty_older_checkpoint_is_the_beginning_of_every_log() -> None:
    assert set(outcomes(FILES, TREE.files(0)["checkpoint"]).values()) == {True}


# Limits.


def test_a_claimed_size_without_tiles_ends_soon() -> None:
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return serve({"checkpoint": signed(2**62, b"r" * 32)})(path)

    checks = {check.number: check for check in verify_log(fetch, VERIFIERS, decode=decode)}
    assert {number: check.ok for number, check in checks.items()} == {
        1: True,
        2: False,
        3: None,
        4: None,
        6: None,
    }
    assert "And 95 more." in checks[2].detail
    assert len(fetched) < 200


def test_a_log_of_false_entries_ends_soon_and_calls_nothing_good_that_it_did_not_see() -> None:
    large = Tree([b"%d" % i for i in range(256 * 150)])
    files = {path: data if "entries" not in path else b"\0\0" * 256 for path, data in large.files().items()}
    checks = {check.number: check.ok for check in verify_log(serve(files), VERIFIERS)}
    assert checks == {1: True, 2: None, 3: None, 4: False}


def test_without_a_trusted_key_nothing_is_good() -> None:
    for verifiers in ([], [OTHER.verifier]):
        assert [check.ok for check in verify_log(serve(FILES), verifiers)] == [False, None, None, None]
