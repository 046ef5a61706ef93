"""Every source there is, in one explicit list, by its kind as in `admin source add KIND NAME`."""

from __future__ import annotations

from typing import Final

from deploytrail.intake.delivery import Source
from deploytrail.intake.github import GitHub

SOURCES: Final[dict[str, Source]] = {"github": GitHub()}
