"""The build hook: a wheel or sdist never leaves without the bundle, and nobody needs Node who has it.

An editable install builds nothing: there `./dev` does, and only when something changed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Bundle(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the front end before packing, if it is not there already."""

    def dependencies(self) -> list[str]:
        """Node, as a package of the isolated build environment, only when there is something to build."""
        builder = _builder(self.root)
        return [builder.NODE] if builder.stale() and not _editable() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless this is an editable install."""
        builder = _builder(self.root)
        if version != "editable" and builder.stale():
            builder.build()


def _builder(root: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("frontend_build", Path(root) / "frontend" / "build.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("frontend/build.py is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _editable() -> bool:
    """Whether an editable install asks. Hatchling does not say, so the question itself is looked at."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code.co_name == "get_requires_for_build_editable":
            return True
    return False
