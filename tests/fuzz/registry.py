"""Every fuzzer there is, in one explicit list."""

from __future__ import annotations

from typing import Final

from tests.fuzz import canonical, entry, github, log_files, notes, times, told
from tests.fuzz.target import Target

TARGETS: Final[tuple[Target, ...]] = (
    canonical.TARGET,
    entry.TARGET,
    told.TARGET,
    github.TARGET,
    *notes.TARGETS,
    log_files.TARGET,
    times.TARGET,
)
