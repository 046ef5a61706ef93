"""python -m tests.crash.small_child DATA SIGNER: the writing half of a house, spoken to over pipes.

Facts and deliveries come as lines of JSON on standard input; every answer, and every published checkpoint, is
a line on standard output. What the real server adds (HTTP, pages, followers) is left out, so that a cycle is
short and most of it is writing.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from deploytrail.app.receive import Receiver
from deploytrail.app.seal import Sealer
from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.intake.registry import SOURCES
from deploytrail.notary.file_signer import FileSigner
from tests.bench.house import Rooms
from tests.crash.items import SECRET, SOURCE

ORIGIN = "crash.example.org/log"


def main(data: Path, signer_folder: Path) -> None:
    """Run until standard input ends, then stop in order."""
    data.mkdir(parents=True, exist_ok=True)
    lock, rooms = threading.Lock(), Rooms(data)
    log, recorder, chance, clock = rooms.log, rooms.recorder, rooms.chance, rooms.clock
    if not (signer_folder / "key").exists():
        FileSigner.create(signer_folder, ORIGIN, chance)
    sealer = Sealer(log, FileSigner(signer_folder, ORIGIN), clock)
    sealer.check()
    receiver = Receiver(recorder, log, rooms.vault, clock, chance, SOURCES, lambda _: ("github", [SECRET]))
    recorder.listeners.append(sealer.wake)
    sealer.listeners.append(lambda _: say_checkpoint())
    recorder.start()
    sealer.start()

    def say(line: dict[str, Any]) -> None:
        with lock:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def say_checkpoint() -> None:
        published = log.checkpoint()
        if published is not None:
            say({"checkpoint": published.note.decode()})

    def answer(number: int, done: Future[Any], indices: str) -> None:
        try:
            found = done.result()
        except Refused as refusal:
            say({"number": number, "words": refusal.words})
            return
        index = found.indices[0] if indices else found[0].index
        repeat = found.status == "repeat" if indices else found[0].repeat
        say({"number": number, "index": index, "repeat": repeat})

    say({"ready": log.head().size})
    say_checkpoint()
    for line in sys.stdin:
        asked = json.loads(line)
        number, body = asked["number"], asked["body"].encode()
        try:
            if asked["headers"]:
                receiver.receive(SOURCE, asked["headers"], body).add_done_callback(
                    lambda done, number=number: answer(number, done, "indices")  # type: ignore[misc]
                )
            else:
                draft = told.parse(body, source="crash", received_at=clock.now())
                recorder.record([draft]).add_done_callback(
                    lambda done, number=number: answer(number, done, "")  # type: ignore[misc]
                )
        except Refused as refusal:
            say({"number": number, "words": refusal.words})
    recorder.stop()
    sealer.stop()
    rooms.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
