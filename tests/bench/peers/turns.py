"""What a peer and its caller say to each other: lines on standard input and output. Standard library only.

A peer is started as PEER.py FOLDER FACTS and says {"ready": versions}. Then each line it hears is a command:
"single SECONDS" and "batch SECONDS" keep facts for so long, one or a hundred to a durable commit, and are
answered by {"kept", "seconds"}; "count" by {"count"}, all that its store holds, read back; others by whatever
the peer has for them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path

BATCH = 100


def folder() -> Path:
    """Where a peer keeps its files."""
    return Path(sys.argv[1])


def facts() -> Iterator[bytes]:
    """Bench facts without end, the same ones over and over: peers do not look for repeats."""
    return cycle(Path(sys.argv[2]).read_bytes().splitlines())


def take_turns(
    versions: Mapping[str, str],
    lines: Iterator[bytes],
    single: Callable[[bytes], object],
    batch: Callable[[list[bytes]], object],
    count: Callable[[], int],
    more: Mapping[str, Callable[[], object]] | None = None,
) -> None:
    """Answer commands until there are no more. `single` and `batch` return when all of it is durable."""
    _say({"ready": dict(versions)})
    for command in sys.stdin:
        name, *seconds = command.split()
        if name == "single":
            _say(_timed(lambda: (single(next(lines)), 1)[1], float(seconds[0])))
        elif name == "batch":
            _say(_timed(lambda: (batch(list(islice(lines, BATCH))), BATCH)[1], float(seconds[0])))
        elif name == "count":
            _say({"count": count()})
        else:
            _say((more or {})[name]())


def _timed(once: Callable[[], int], seconds: float) -> dict[str, float]:
    kept, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        kept += once()
    return {"kept": kept, "seconds": took}


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)
