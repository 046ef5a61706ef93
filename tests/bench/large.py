"""The house of a million bench facts, made once for all benchmarks that look at one, and its making measured.

Made the way facts come in: recorded durably by a hundred, followed and signed meanwhile. With `--house DIR`
it is kept there and found again; else it lies among temporary files until the end of the process.
"""

from __future__ import annotations

import atexit
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.fact import told
from tests.bench.figure import Sizes
from tests.bench.whole import caught_up, hand_in, judge, whole

MANY: Final = 1_000_000
_DONE: Final = "bench.json"
_made: dict[int, Path] = {}


def large(sizes: Sizes) -> Path:
    """The folder of a stopped house of a million facts (or `--entries`): data in `data`, signer in `signer`.

    Whoever adds to it or moves things in it works on a copy.
    """
    count = sizes.of(MANY)
    if count not in _made:
        kept = Path(sizes.house) if sizes.house else _temporary()
        if not _fits(kept, count):
            _make(kept, count)
        _made[count] = kept
    return _made[count]


def made_in(folder: Path) -> dict[str, float]:
    """How its making went: `facts`, `recorded_s` and `caught_up_s` (seconds)."""
    found: dict[str, float] = json.loads((folder / _DONE).read_text("utf-8"))
    return found


def _fits(folder: Path, count: int) -> bool:
    return (folder / _DONE).exists() and made_in(folder)["facts"] == count


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _make(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} holds something else than a house of {count} bench facts.")
    print(f"making a house of {count:,} bench facts ...", file=sys.stderr, flush=True)
    lines = folder / "told.ndjson"
    # Written first, so that making them up is not measured with taking them in.
    with lines.open("wb") as file:
        file.writelines(line + b"\n" for line in told(count))
    with whole(folder) as house, lines.open("rb") as file:
        start = time.perf_counter()
        hand_in(house, (line.rstrip() for line in file))
        recorded = time.perf_counter() - start
        caught_up(house)
        took = time.perf_counter() - start
        judge(house, count)
    lines.unlink()
    done = {"facts": count, "recorded_s": round(recorded, 1), "caught_up_s": round(took, 1)}
    (folder / _DONE).write_text(json.dumps(done), "utf-8")
