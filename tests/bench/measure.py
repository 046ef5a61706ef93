"""Taking times."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from statistics import median


def rate(once: Callable[[], int], seconds: float) -> float:
    """How many per second, where `once()` does some and says how many; repeated for about `seconds`."""
    once()
    done, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        done += once()
    return done / took


def alternated(runs: int, *each: Callable[[], float]) -> list[list[float]]:
    """What every one of `each` gave, run after run: all of them in turn, so that each run sees the same
    neighbours.
    """
    found: list[list[float]] = [[] for _ in each]
    for _ in range(runs):
        for place, once in enumerate(each):
            found[place].append(once())
    return found


def share(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, run by run."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of `values` does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def crowd(senders: int, seconds: float, send: Callable[[int, int], None]) -> tuple[float, list[float]]:
    """`senders` threads each call `send(sender, nth)` again and again: how many per second, and their
    milliseconds.
    """
    times: list[list[float]] = [[] for _ in range(senders)]
    begin, end = threading.Event(), [0.0]

    def run(sender: int) -> None:
        mine, nth, now = times[sender], 0, 0.0
        begin.wait()
        # At least once, however late this thread came to its turn.
        while now < end[0]:
            start = time.perf_counter()
            send(sender, nth)
            now = time.perf_counter()
            mine.append((now - start) * 1000)
            nth += 1

    threads = [threading.Thread(target=run, args=(n,)) for n in range(senders)]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    end[0] = start + seconds
    begin.set()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - start
    every = [ms for mine in times for ms in mine]
    return len(every) / took, every
