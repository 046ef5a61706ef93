"""GitHub's deliveries, each authenticated, read, sealed, encrypted and recorded before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from deploytrail.app.receive import Receiver
from deploytrail.intake.registry import SOURCES
from tests.bench.append import bare_rows
from tests.bench.figure import FULL, MEMORY, Benchmark, Figure, Sizes
from tests.bench.house import rooms
from tests.bench.measure import crowd, percentile, rate
from tests.intake.deliveries import delivery, own_samples
from tests.main.running import delivery_headers

SECRET = b"a secret of the benchmarks"
SENDERS = (1, 32)


def _run(sizes: Sizes) -> Iterator[Figure]:
    samples = own_samples()
    github = SOURCES["github"]
    yield Figure(
        "receive.read",
        rate(lambda: len([github.read(delivery(one.event, one.body)) for one in samples]), sizes.seconds),
        "deliveries/s",
        MEMORY,
        more={"samples": len(samples), "bytes": sum(len(one.body) for one in samples) // len(samples)},
    )
    with rooms() as house:
        bare = bare_rows(house.folder / "bare.db", [one.body for one in samples], 1, sizes.seconds)
        receiver = Receiver(
            house.recorder,
            house.log,
            house.vault,
            house.clock,
            house.chance,
            SOURCES,
            lambda _: ("github", [SECRET]),
        )
        house.recorder.start()
        numbers = count()

        def send(sender: int, nth: int) -> None:
            number = next(numbers)
            one = samples[number % len(samples)]
            # White space makes another body of it, so that nothing is a repeat.
            body = one.body + b" " * (number // len(samples)) if number >= len(samples) else one.body
            id = f"{number:08x}-0000-4000-8000-000000000000"
            headers = delivery_headers(one.event, body, id=id, secret=SECRET)
            receiver.receive("our-github", headers, body).result()

        for senders in SENDERS:
            found, times = crowd(senders, sizes.seconds, send)
            more = {"p50_ms": round(percentile(times, 0.5), 3), "p99_ms": round(percentile(times, 0.99), 3)}
            yield Figure(
                f"receive.{senders}", found, "deliveries/s", FULL, found / bare, "bare commits", more
            )


BENCHMARK = Benchmark("receive", "GitHub's deliveries, from signature to acknowledgement", _run)
