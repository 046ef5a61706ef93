"""The script of the pages: its types, its own tests, its size, and where it came from."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from deploytrail.web import assets, words
from tests.web.cast import NOW
from tests.web.conftest import Enter

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """frontend/build.py, with its packages installed."""
    spec = spec_from_file_location("frontend_build", FRONTEND / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install()
    return module


def test_the_bundle_is_that_of_these_sources(builder: ModuleType) -> None:
    assert not builder.stale()


def test_types_are_strict_and_clean(builder: ModuleType) -> None:
    done = subprocess.run([sys.executable, FRONTEND / "build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_in_the_browser_holds_its_own_tests(builder: ModuleType) -> None:
    node, _ = builder._node()
    backs = [
        0,
        999,
        4_000,
        59_999,
        240_000,
        7_300_000,
        86_400_000,
        518_400_000,
        604_800_000,
        9 * 10**10,
        -300_000,
    ]
    said = [(NOW - back, NOW, words.ago(NOW - back, NOW)) for back in backs]
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", "test/verify.test.ts"],
        cwd=FRONTEND,
        env={**os.environ, "AGO": json.dumps(said)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert int(re.search(r"tests (\d+)", done.stdout).group(1)) >= 20  # type: ignore[union-attr]


def test_sizes() -> None:
    built = assets.load()
    assert len(built["app.css"].plain) < 30_000
    assert len(gzip.compress(built["app.js"].plain)) < 120_000


def test_two_builds_are_the_same_bytes(builder: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for place in (first, second):
        place.mkdir()
        builder._bundle(place)
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {
        p.name: p.read_bytes() for p in second.iterdir()
    }
    assert "eval(" not in (first / "app.js").read_text("utf-8")


def test_every_package_is_locked_with_its_digest() -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry for entry in packages.values())
    asked = json.loads((FRONTEND / "package.json").read_text("utf-8"))
    for version in {**asked["dependencies"], **asked["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_licences_of_what_is_bundled_come_with_it() -> None:
    text = (ROOT / "src/deploytrail/web/static/THIRD-PARTY.txt").read_text("utf-8")
    for name in json.loads((FRONTEND / "package.json").read_text("utf-8"))["dependencies"]:
        assert name in text
    assert "Permission is hereby granted" in text


def test_assets_are_served_packed_and_for_ever(enter: Enter) -> None:
    client = enter()
    for asset in assets.load().values():
        answer = client.get(asset.url, headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.content == asset.plain
        assert client.get(asset.url, headers={"accept-encoding": "identity"}).content == asset.plain
        page = client.get("/sign-in").text
        assert f'"{asset.url}" integrity="{asset.integrity}"' in page


def test_a_house_whose_front_end_is_not_built_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assets, "files", lambda _: tmp_path)
    with pytest.raises(Exception, match=r"python frontend/build\.py"):
        assets.load()
