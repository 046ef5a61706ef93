"""A sender that costs little: so many keep-alive connections, each posts a line and waits for its answer.

python -m tests.bench.load PORT CLIENTS SECONDS FILE FIRST COUNT [TOKEN], in a process of its own. At most
COUNT lines of FILE from the number FIRST on are posted to /api/v1/facts, each once. Prints one line of JSON:
`answered`, `seconds`, `p50_ms`, `p99_ms`, and `refused`: the first answer that was not 201, if there was one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import uvloop

from tests.bench.measure import percentile
from tests.bench.wire import Replies


class Sender(Replies):
    """One connection that posts, waits for the answer, and posts again."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self._crowd, self._sent = crowd, 0.0

    def send(self) -> None:
        """Post the next line; end when there is none, or no time."""
        request = self._crowd.next()
        if request is None:
            self.transport.close()
            return
        self._sent = time.perf_counter()
        self.transport.write(request)

    def answered(self, head: bytes, body: bytes) -> None:
        self._crowd.answered(head, body, time.perf_counter() - self._sent)
        self.send()


class Crowd:
    """What all senders share: what is still to be sent, until when, and what came back."""

    def __init__(self, requests: Iterator[bytes], seconds: float) -> None:
        self._requests, self._seconds = requests, seconds
        self.start = self.last = self._end = 0.0
        self.took: list[float] = []
        self.refused = ""

    def begin(self) -> None:
        """The clock starts."""
        self.start = self.last = time.perf_counter()
        self._end = self.start + self._seconds

    def next(self) -> bytes | None:
        """The next request; None when it is over."""
        return None if self.refused or self.last >= self._end else next(self._requests, None)

    def answered(self, head: bytes, body: bytes, took: float) -> None:
        """One answer came."""
        self.last = time.perf_counter()
        if head[9:12] == b"201":
            self.took.append(took * 1000)
        else:
            self.refused = self.refused or f"{head[:12]!r} {body[:300]!r}"


def requests(file: Path, first: int, count: int, token: str) -> list[bytes]:
    """`count` lines from `first` on, each as a whole request."""
    head = (
        "POST /api/v1/facts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + (f"Authorization: Bearer {token}\r\n" if token else "")
        + "Content-Length: "
    ).encode()
    with file.open("rb") as lines:
        return [
            b"%b%d\r\n\r\n%b" % (head, len(line) - 1, line[:-1])
            for line in islice(lines, first, first + count)
        ]


async def _run(port: int, clients: int, crowd: Crowd) -> None:
    loop = asyncio.get_running_loop()
    senders = [
        (await loop.create_connection(lambda: Sender(crowd), "127.0.0.1", port))[1] for _ in range(clients)
    ]
    crowd.begin()
    for sender in senders:
        sender.send()
    await asyncio.gather(*(sender.over for sender in senders))


def main() -> None:
    """As the module says."""
    port, clients, seconds, file, first, count, *token = sys.argv[1:]
    made = requests(Path(file), int(first), int(count), "".join(token))
    crowd = Crowd(iter(made), float(seconds))
    uvloop.run(_run(int(port), int(clients), crowd))
    print(
        json.dumps(
            {
                "answered": len(crowd.took),
                "seconds": crowd.last - crowd.start,
                "p50_ms": percentile(crowd.took, 0.5) if crowd.took else 0,
                "p99_ms": percentile(crowd.took, 0.99) if crowd.took else 0,
                "refused": crowd.refused,
            }
        )
    )


if __name__ == "__main__":
    main()
