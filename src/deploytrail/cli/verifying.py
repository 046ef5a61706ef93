"""Verifying from outside: a whole log over HTTP or from a folder, and single receipts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from deploytrail.cli import shown
from deploytrail.client.house import House
from deploytrail.errors import Refused
from deploytrail.evidence.verify_log import verify_log
from deploytrail.evidence.verify_receipt import verify_receipt
from deploytrail.facts import entry as facts
from deploytrail.tlog.verifier import Verifier

# A bundle of 256 entries of 65,535 bytes with their lengths, and some.
LIMIT: Final = 17 * 2**20
_NOTE: Final = 2**20


def log(where: str, key: str, since: Path | None, token: str | None, json: bool) -> int:
    """Check the log at an address or in a folder; 0 if every claim holds, else 1."""
    verifier = Verifier.parse(key)
    old = _small(since) if since else None
    if where.startswith(("http://", "https://")):
        with House(_base(where), token) as house:
            return _checked(lambda path: house.file(f"/{path}", LIMIT), verifier, old, json)
    return _checked(_files(Path(where)), verifier, old, json)


def receipt(file: Path, key: str, entry: Path | None, json: bool) -> int:
    """Check one receipt; 0 if every claim holds, else 1."""
    body = _small(entry) if entry else None
    return 0 if shown.checks(verify_receipt(_small(file), [Verifier.parse(key)], body), json) else 1


def _checked(fetch: Callable[[str], bytes], verifier: Verifier, since: bytes | None, json: bool) -> int:
    bar = shown.Bar("verifying entries", not json)
    found = verify_log(fetch, [verifier], since, decode=facts.check, progress=bar)
    try:
        return 0 if shown.checks(bar.aside(found), json) else 1
    finally:
        bar.end()


def _base(url: str) -> str:
    """The address of the log itself: a house has it under /log."""
    url = url.rstrip("/")
    return url if urlsplit(url).path.rstrip("/").endswith("/log") else f"{url}/log"


def _files(folder: Path) -> Callable[[str], bytes]:
    """Files of a log that was copied into a folder."""
    if not folder.is_dir():
        raise Refused("not-found", f"{folder} is neither an address nor a folder.")
    # What lies above /log is accepted too: a whole site that was copied.
    root = folder if (folder / "checkpoint").exists() else folder / "log"

    def fetch(path: str) -> bytes:
        try:
            with (root / path).open("rb") as file:
                data = file.read(LIMIT + 1)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise Refused("not-found", f"{root / path} is not there.") from None
        except OSError as error:
            raise Refused("unavailable", f"{root / path} cannot be read: {error.strerror}.") from None
        if len(data) > LIMIT:
            raise Refused("too-large", f"{root / path} is larger than any file of a log.")
        return data

    return fetch


def _small(path: Path) -> bytes:
    """A file that a person keeps."""
    with path.open("rb") as file:
        data = file.read(_NOTE + 1)
    if len(data) > _NOTE:
        raise Refused("too-large", f"{path} is larger than any receipt or checkpoint.")
    return data
