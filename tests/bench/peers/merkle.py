"""What pymerkle's proofs take at 100,000 leaves, to relate ours to."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.fact import told

# Milliseconds, as measured with pymerkle 7 on a quiet machine of the same sort (docs/benchmarks.md).
RECORDED_P99: Final = 54.0
# Names the folder of the environment that run.sh made and kept.
VARIABLE: Final = "PEERS"
_FACTS: Final = 2_000


def pymerkle_p99() -> tuple[float, str]:
    """The p99 of its inclusion proofs in milliseconds, and where that is from: this run if $PEERS is set."""
    kept = os.environ.get(VARIABLE)
    if not kept:
        return RECORDED_P99, f"recorded before; set {VARIABLE} to measure it in this run"
    with tempfile.TemporaryDirectory(prefix="deploytrail-peers-") as folder:
        facts = Path(folder) / "told.ndjson"
        facts.write_bytes(b"\n".join(told(_FACTS)) + b"\n")
        program = [
            f"{kept}/bin/python",
            str(Path(__file__).with_name("pymerkle_tree.py")),
            folder,
            str(facts),
        ]
        done = subprocess.run(program, input="prove\n", capture_output=True, text=True, check=True)
    ready, proofs = map(json.loads, done.stdout.splitlines())
    return float(proofs["p99_ms"]), f"{ready['ready']['pymerkle']}, in this run"
