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
