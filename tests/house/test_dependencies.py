"""Every dependency has its reason, and every reason its dependency."""

from __future__ import annotations

import json
import re
import tomllib

from tests.house.documents import ROOT, plain, table

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FRONT_END = json.loads((ROOT / "frontend" / "package.json").read_text("utf-8"))


def name(requirement: str) -> str:
    """The package of a requirement, as PyPI compares names."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[._]", "-", found[0]).lower()


def test_every_dependency_has_a_reason() -> None:
    rows = table(ROOT / "docs" / "adr" / "0012-dependencies.md", "package", "why")
    documented = [plain(row["package"]) for row in rows]
    needed = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(each for group in PROJECT["dependency-groups"].values() for each in group),
    ]
    packages = [name(each) for each in needed]
    packages += [*FRONT_END["dependencies"], *FRONT_END["devDependencies"]]
    assert sorted(documented) == sorted(packages)
    assert all(row["why"] for row in rows)


def test_the_front_end_pins_every_version() -> None:
    versions = [*FRONT_END["dependencies"].values(), *FRONT_END["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def specified(locked: dict[str, str]) -> tuple[str, str]:
    """A requirement of the lock as its name and its bounds, in any order."""
    return locked["name"], ",".join(sorted(locked.get("specifier", "").split(",")))


def required(requirement: str) -> tuple[str, str]:
    """A requirement of pyproject.toml in the same shape; markers and extras aside."""
    bounds = re.sub(r"^[A-Za-z0-9._-]+(\[[^\]]*\])?", "", requirement.partition(";")[0]).replace(" ", "")
    return name(requirement), ",".join(sorted(bounds.split(",")))


def test_the_locks_are_those_of_what_is_asked_for() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    house = next(each for each in lock["package"] if each["name"] == "deploytrail")["metadata"]
    asked = PROJECT["project"]["dependencies"]
    assert sorted(map(specified, house["requires-dist"])) == sorted(map(required, asked))
    for group, packages in PROJECT["dependency-groups"].items():
        assert sorted(map(specified, house["requires-dev"][group])) == sorted(map(required, packages))
    root = json.loads((ROOT / "frontend" / "package-lock.json").read_text("utf-8"))["packages"][""]
    assert root["dependencies"] == FRONT_END["dependencies"]
    assert root["devDependencies"] == FRONT_END["devDependencies"]
