"""What a pipeline really does on this machine: check out, test, build, deploy, and go back."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Final, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from demo.children import Child
from demo.repository import Origin, clean_environment

SERVICE: Final = "checkout"
# What the build packs. Anything else of the repository is not there where the service runs.
PACKED: Final = ("checkout", "config")
_TESTS_S: Final = 60
_HEALTH_S: Final = 5.0
_QUIET: Final = ("-E", "-s", "-B")
# Proxies of the machine are none of the town's business.
_open = build_opener(ProxyHandler({})).open


class Tests(NamedTuple):
    """A run of the tests, as the test runner counted it."""

    passed: int
    failed: int
    skipped: int
    duration_ms: int
    text: str

    @property
    def succeeded(self) -> bool:
        """Whether tests ran and none failed."""
        return self.failed == 0 and self.passed > 0


class Artifact(NamedTuple):
    """A built archive: its digest is the SHA-256 of its bytes."""

    digest: str
    version: str
    sha: str
    file: Path
    size: int
    duration_ms: int = 0


class Step(NamedTuple):
    """One step of a deployment; `words` says what went wrong."""

    name: str
    succeeded: bool
    duration_ms: int
    words: str = ""


class Failed(Exception):
    """A step of a deployment did not succeed, for this reason."""


class Timer:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def ms(self) -> int:
        """Whole milliseconds so far."""
        return round((time.monotonic() - self._since) * 1000)


_RAN: Final = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_COUNT: Final = re.compile(r"(failures|errors|skipped|unexpected successes)=(\d+)")


def run_tests(tree: Path, home: Path) -> Tests:
    """Runs the service's own tests in a checked-out tree."""
    timer = Timer()
    try:
        done = subprocess.run(
            [sys.executable, *_QUIET, "-m", "unittest", "discover", "-s", "tests", "-t", "."],
            cwd=tree,
            env=clean_environment(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TESTS_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Tests(0, 1, 0, timer.ms(), f"The tests took longer than {_TESTS_S} s.")
    return counted(done.stderr.decode(errors="replace"), done.returncode, timer.ms())


def counted(text: str, status: int, duration_ms: int) -> Tests:
    """The counts that unittest prints at its end. A run that says nothing has failed."""
    ran = _RAN.search(text)
    counts = {name: int(number) for name, number in _COUNT.findall(text.rsplit("\n\n", 1)[-1])}
    skipped = counts.pop("skipped", 0)
    failed = sum(counts.values())
    total = int(ran.group(1)) if ran else 0
    if status and not failed:
        failed = 1
    return Tests(max(0, total - failed - skipped), failed, skipped, duration_ms, text)


def build(tree: Path, sha: str, version: str, store: Path) -> Artifact:
    """Packs a tree into an archive whose bytes depend on nothing but its files and the version."""
    timer = Timer()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(found for part in PACKED for found in (tree / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                _add(archive, str(path.relative_to(tree)), path.read_bytes())
        _add(archive, "VERSION", f"{version}\n".encode())
    body = packed.getvalue()
    digest = hashlib.sha256(body).hexdigest()
    store.mkdir(parents=True, exist_ok=True)
    file = store / f"{digest}.tar"
    file.write_bytes(body)
    return Artifact(f"sha256:{digest}", version, sha, file, len(body), timer.ms())


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(body), 0o644
    archive.addfile(entry, io.BytesIO(body))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Place:
    """One environment: a folder of releases, and the service that really runs there."""

    def __init__(self, name: str, folder: Path, home: Path, waiting: Callable[[float], None]) -> None:
        self.name, self.port = name, free_port()
        self._folder, self._home, self._waiting = folder, home, waiting
        self._child: Child | None = None
        self.running: Artifact | None = None
        # Since when nothing has answered here, by the monotonic clock.
        self.down_since: float | None = None

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.port}"

    def deploy(self, artifact: Artifact, told: Callable[[Step], None]) -> Step:
        """Replaces what runs here by an artifact, step by step, each told as it ends. Gives the last one."""
        release = self._folder / artifact.digest.removeprefix("sha256:")[:12]
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("unpack", lambda: unpack(artifact, release)),
            ("replace", lambda: self._start(release)),
            ("health", lambda: self._healthy(artifact)),
            ("smoke", self._quoted),
        )
        step = Step("", True, 0)
        for name, does in steps:
            step = _timed(name, does)
            told(step)
            if not step.succeeded:
                self.stop()
                return step
        self.running, self.down_since = artifact, None
        prune(self._folder, keep=5)
        return step

    def stop(self) -> None:
        """Stops what runs here."""
        if self._child:
            self._child.stop(patience=2)
            self.down_since = self.down_since or time.monotonic()
        self._child, self.running = None, None

    def _start(self, release: Path) -> None:
        self.stop()
        if not _can_listen(self.port):
            self.port = free_port()
        command = [
            sys.executable,
            *_QUIET,
            "-m",
            SERVICE,
            "--environment",
            self.name,
            "--port",
            str(self.port),
        ]
        self._child = Child(
            self.name,
            command,
            folder=release,
            environment=clean_environment(self._home),
            text=self._folder / "output.txt",
        )

    def _healthy(self, artifact: Artifact) -> None:
        """Waits until the service says that it is well, in the version that was deployed."""
        assert self._child is not None
        deadline = time.monotonic() + _HEALTH_S
        while time.monotonic() < deadline:
            if self._child.ended() is not None:
                raise Failed(f"The service ended at once: {self._child.last_words(1)}")
            try:
                answer = ask(f"{self.url}/health")
            except OSError:
                self._waiting(0.04)
                continue
            if answer.get("version") != artifact.version:
                raise Failed(f"The service says it is version {answer.get('version')}.")
            return
        raise Failed(f"The service did not answer within {_HEALTH_S:.0f} s.")

    def _quoted(self) -> None:
        """Asks the running service for a price."""
        try:
            answer = ask(f"{self.url}/quote?items=2x500,1x1250&country=GB&voucher=WELCOME10")
        except HTTPError as refusal:
            raise Failed(f"A quote answered {refusal.code}.") from None
        except OSError as fault:
            words = self._child.last_words(1) if self._child else ""
            raise Failed(f"A quote was not answered: {words or fault}") from None
        if answer.get("subtotal") != 2250:
            raise Failed(f"A quote of 2250 said {answer.get('subtotal')}.")


def ask(url: str) -> dict[str, object]:
    """The JSON object that a running service answers. OSError if it does not."""
    try:
        with _open(url, timeout=2) as answer:
            found = json.load(answer)
    except (ValueError, HTTPException) as fault:
        raise OSError(f"no answer that can be read: {fault}") from None
    return found if isinstance(found, dict) else {}


def answers(url: str) -> bool:
    """Whether something answers there that all is well, in whatever words."""
    try:
        with _open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False


def unpack(artifact: Artifact, release: Path) -> None:
    """Lays out an artifact, if its bytes are still those of its digest."""
    body = artifact.file.read_bytes()
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != artifact.digest:
        raise Failed("The artifact is not what was built.")
    shutil.rmtree(release, ignore_errors=True)
    release.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            target = release / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read() if file else b"")


def prune(folder: Path, keep: int) -> None:
    """Removes all but the newest folders in a folder."""
    found = sorted(
        (path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in found[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


def _timed(name: str, does: Callable[[], None]) -> Step:
    timer = Timer()
    try:
        does()
    except (Failed, OSError) as fault:
        return Step(name, False, timer.ms(), str(fault))
    return Step(name, True, timer.ms())


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_out(origin: Origin, sha: str, work: Path) -> Path:
    """A commit in a fresh folder for one pipeline run."""
    folder = work / sha[:12]
    origin.fresh(sha, folder)
    return folder
