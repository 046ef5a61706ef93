"""`./dev test [--postgresql] [pytest args]`: all tests, a real browser and a real PostgreSQL included.

    python tools/run_tests.py [--postgresql] [pytest args]

What the tests need and this machine has not is installed where that can be done; where it cannot, this ends
with one sentence that names the package, and status 2. Nothing is skipped in silence: a skip is named at
the end, and with CI=true it is a failure (tests/conftest.py). Without arguments, everything runs on all
cores. With --postgresql every house that a test builds lies in PostgreSQL; tests of SQLite's own files are
then left out. Else the arguments are pytest's own, and the status is pytest's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import postgres  # noqa: E402

BROWSER_TESTS: Final = ROOT / "tests" / "browser"
CRASH_TESTS: Final = ROOT / "tests" / "crash"
SERVER_TESTS: Final = tuple(
    ROOT / "tests" / room for room in ("app", "contracts", "main", "store", "stories")
)
# As tests/browser/conftest.py looks for it.
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_LAUNCH: Final = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch(args=["--no-sandbox"]).close()
"""
_INSTALL_S: Final = 600
# Every house that a test builds then lies in PostgreSQL.
_SWITCH: Final = "--postgresql"


def needs_browser(arguments: Sequence[str]) -> bool:
    """Whether these pytest arguments can select a browser test."""
    return _select(BROWSER_TESTS, "browser", arguments)


def needs_server(arguments: Sequence[str]) -> bool:
    """Whether these pytest arguments can select a test that needs a PostgreSQL server."""
    return postgres.chosen() or any(_select(room, "postgresql", arguments) for room in SERVER_TESTS)


def needs_compiler(arguments: Sequence[str]) -> bool:
    """Whether these pytest arguments can select a test that fails calls of a running house."""
    return _select(CRASH_TESTS, "slow", arguments)


def _select(room: Path, mark: str, arguments: Sequence[str]) -> bool:
    if any(f"not {mark}" in argument for argument in arguments):
        return False
    paths = [ROOT / argument.partition("::")[0] for argument in arguments if not argument.startswith("-")]
    named = [path.resolve() for path in paths if path.exists()]
    return not named or any(path.is_relative_to(room) or room.is_relative_to(path) for path in named)


def missing(arguments: Sequence[str]) -> str | None:
    """A sentence that names the package that is missing and could not be installed, else None."""
    if not shutil.which("git") and not _apt("git", "git"):
        return "The tests work on real git repositories: install the package git and run ./dev test again."
    if needs_server(arguments) and not _server() and not (_apt("postgresql", "psql") and _server()):
        return (
            "The tests use a real PostgreSQL server: install the package postgresql and run ./dev test again."
        )
    if needs_browser(arguments) and not _browser():
        return (
            "The tests drive a real browser: install the package chromium, "
            "or name one in DEPLOYTRAIL_CHROMIUM, and run ./dev test again."
        )
    if needs_compiler(arguments) and not _compiles() and not (_apt("gcc libc6-dev", "cc") and _compiles()):
        return (
            "The tests fail single calls of a running house: install the packages gcc and libc6-dev "
            "and run ./dev test again."
        )
    return None


def _server() -> bool:
    """Whether a PostgreSQL server's programs are on this machine."""
    return postgres.programs() is not None


def _compiles() -> bool:
    """Whether a C program that uses the standard library can be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "try.c"
        source.write_text('#include <stdio.h>\nint main(void) { return puts("") < 0; }\n')
        return _quietly(compiler, "-o", f"{folder}/try", str(source))


def _browser() -> bool:
    if "DEPLOYTRAIL_CHROMIUM" in os.environ:
        return bool(shutil.which(os.environ["DEPLOYTRAIL_CHROMIUM"]))
    if any(shutil.which(name) for name in _BROWSERS) or _launches():
        return True
    if _apt("chromium", *_BROWSERS):
        return True
    _say("Installing Playwright's Chromium ...")
    return _quietly(sys.executable, "-m", "playwright", "install", "chromium") and _launches()


def _launches() -> bool:
    """Whether Playwright's own Chromium is there and starts, with all the libraries that it needs."""
    return _quietly(sys.executable, "-c", _LAUNCH)


def _apt(packages: str, *commands: str) -> bool:
    """Install Debian packages, if we may; whether one of their commands is there now."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    _say(f"Installing {packages} ...")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    _quietly("apt-get", "update", "-qq")
    _quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages.split())
    return any(shutil.which(name) for name in commands)


def _quietly(*command: str) -> bool:
    """Run a command to its end without a word; whether it succeeded in time."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=_INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def command(arguments: Sequence[str]) -> list[str]:
    """The pytest command. Browser tests and demo stories each stay on one worker (tests/conftest.py)."""
    everything = ["-n", "auto", "--dist", "loadgroup", "--durations=10"]
    return [sys.executable, "-m", "pytest", "-rs", *(arguments or everything)]


def main(arguments: Sequence[str]) -> int:
    """The exit status: pytest's own, or 2 if something is missing."""
    if _SWITCH in arguments:
        os.environ[postgres.VARIABLE] = "postgresql"
        arguments = [each for each in arguments if each != _SWITCH]
    words = missing(arguments)
    if words:
        _say(words)
        return 2
    return subprocess.run(command(arguments), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
