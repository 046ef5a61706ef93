"""Nothing is skipped in silence: with CI=true a skip is a failure, whoever skips."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPING = {
    "test_by_call.py": "import pytest\ndef test_one(): pytest.skip('no chromium')",
    "test_by_mark.py": "import pytest\n@pytest.mark.skip(reason='no chromium')\ndef test_one(): pass",
    "test_by_module.py": "import pytest\npytest.skip('no chromium', allow_module_level=True)",
    "test_by_import.py": "import pytest\npytest.importorskip('no_such_chromium')",
}
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_one(): assert False"


def outcome(folder: Path, files: dict[str, str], ci: str) -> subprocess.CompletedProcess[str]:
    """Run test files under the house's own conftest.py."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    options = [
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        folder,
        "--continue-on-collection-errors",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, folder],
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_skip_is_a_failure_in_ci(tmp_path: Path) -> None:
    done = outcome(tmp_path, SKIPPING, "true")
    assert done.returncode == 1, done.stdout
    # A mark skips while the test is set up, a module while it is collected: pytest calls both errors.
    assert "1 failed, 3 errors" in done.stdout
    summary = [line for line in done.stdout.splitlines() if "CI does not allow" in line]
    assert all(any(name in line for line in summary) for name in SKIPPING), done.stdout


def test_elsewhere_a_skip_is_counted_and_an_expected_failure_is_none(tmp_path: Path) -> None:
    done = outcome(tmp_path, {**SKIPPING, "test_expected.py": EXPECTED_FAILURE}, "")
    assert done.returncode == 0, done.stdout
    assert "4 skipped, 1 xfailed" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    done = outcome(tmp_path, {"test_expected.py": EXPECTED_FAILURE}, "true")
    assert done.returncode == 0, done.stdout
