"""What the command line is given by `main`: it opens no house by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from deploytrail.evidence.check import Check

# (done, of how many, words)
Progress = Callable[[int, int, str], None]


class Serve(Protocol):
    """Starts the house and serves it until told to stop; the exit status."""

    def __call__(
        self, given: Mapping[str, Any], say: Callable[[str], None], show: Callable[[str], None] | None
    ) -> int: ...


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The doors that commands go through. `given` holds settings by name, None meaning not said."""

    serve: Serve
    # UTC milliseconds since 1970
    now: Callable[[], int]
    # (given, command, form as JSON) -> answer
    operate: Callable[[Mapping[str, Any], str, bytes], dict[str, Any]]
    # (given, link) -> the file that holds it
    write_link: Callable[[Mapping[str, Any], str], Path]
    # (given, everything, progress) -> checks
    inspect: Callable[[Mapping[str, Any], bool, Progress], Iterator[Check]]
