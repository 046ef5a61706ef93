"""Search in a house of a million facts: one question after the other, each for something else.

Measured is all that the server does for a page of fifty lines but the template: what the words lead to, which
entries match, their lines with names and texts opened, and what the words name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from deploytrail import config, main
from deploytrail.app.ask import Ask
from deploytrail.store.folder import Folder
from tests.bench.fact import fact
from tests.bench.figure import READING, Benchmark, Figure, Sizes, demand
from tests.bench.large import large, made_in
from tests.bench.measure import percentile
from tests.bench.whole import ORIGIN

_ASKED: Final = 300
_PAGE: Final = 50

# From a fact, a question that finds it.
_QUESTIONS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "sha": lambda told: told["commits"][0]["sha"][:7],
    "sha4": lambda told: told["commits"][0]["sha"][:4],
    "person": lambda told: told["actor"]["login"],
    "name": lambda told: told["actor"]["name"].partition(" ")[0],
    "word.rare": lambda told: told["labels"]["change"],
    "word.common": lambda told: told["labels"]["region"],
    "service": lambda told: told["service"],
    "environment": lambda told: told["environment"],
    "begins": lambda told: told["service"][:4],
    "two": lambda told: f"{told['environment']} {told['labels']['region']}",
    "three": lambda told: f"{told['environment']} {told['actor']['login']} {told['outcome']}",
}
# What was promised: a sha prefix, a person, a word, rare or common.
_PROMISED: Final = ("sha", "sha4", "person", "word.rare", "word.common")


def _run(sizes: Sizes) -> Iterator[Figure]:
    made = large(sizes)
    facts = int(made_in(made)["facts"])
    settings = config.settings_of(
        {"data": str(made / "data"), "signer": str(made / "signer"), "origin": ORIGIN}
    )
    # Opened, and nothing started: nothing is recorded in it.
    rooms = main.Rooms(Folder(made / "data"), settings)
    try:
        ask = rooms.house.ask
        times = {name: _asked(ask, name, facts, sizes.times(_ASKED)) for name in _QUESTIONS}
    finally:
        rooms.close()
    worst = max(percentile(times[name], 0.95) for name in _PROMISED)
    index = sum(path.stat().st_size for path in Path(made / "data").glob("search.db*"))
    for name, found in times.items():
        p95 = percentile(found, 0.95)
        more = {"p95_ms": round(p95, 2), "entries": facts, "bytes_per_fact": index // facts}
        goals = {"search.p95": worst} if name == _PROMISED[0] else {}
        yield Figure(f"search.{name}", percentile(found, 0.5), "ms p50", READING, more=more, goals=goals)


def _asked(ask: Ask, name: str, facts: int, times: int) -> list[float]:
    """Milliseconds of each question; the first few, which fill caches, are left out."""
    chance, found = Random(7), []
    for _ in range(times + 5):
        question = _QUESTIONS[name](fact(chance.randrange(facts)))
        start = time.perf_counter()
        page = ask.search(question, None, _PAGE)
        found.append((time.perf_counter() - start) * 1000)
        demand(bool(page.rows), f"nothing matches {question}")
        demand(page.up_to == page.size, f"only {page.up_to} of {page.size} entries can be found")
    return found[5:]


BENCHMARK = Benchmark("search", "search in a house of a million facts", _run)
