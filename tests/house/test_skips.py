"""Nothing is skipped in silence: with CI=true a skip is a failure, whoever skips."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPING = {
    "a test": "import pytest\ndef test_one(): pytest.skip('no chromium')",
    "a mark": "import pytest\n@pytest.mark.skip(reason='no chromium')\ndef test_one(): pass",
    "a module": "import pytest\npytest.skip('no chromium', allow_module_level=True)",
    "a missing package": "import pytest\npytest.importorskip('no_such_chromium')",
}


def outcome(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run one test file under the house's own conftest.py."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_it.py").write_text(text + "\n")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            "--rootdir",
            folder,
            folder,
        ],
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", SKIPPING.values(), ids=SKIPPING.keys())
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, text: str) -> None:
    done = outcome(tmp_path, text, "true")
    assert done.returncode in (1, 2), done.stdout
    assert "CI does not allow" in done.stdout
    assert "chromium" in done.stdout


def test_a_skip_elsewhere_is_none(tmp_path: Path) -> None:
    done = outcome(tmp_path, SKIPPING["a test"], "")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_one(): assert False"
    done = outcome(tmp_path, text, "true")
    assert done.returncode == 0, done.stdout
