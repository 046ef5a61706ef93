"""Makes the golden data folder of this version: `python -m tests.golden.make`.

The keys, the clock and chance are fixed, so that the same version makes the same entries, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from deploytrail import config, main
from deploytrail.app import follow
from deploytrail.facts import told
from deploytrail.store.folder import Folder
from deploytrail.store.inspected import InspectedRows
from deploytrail.store.log_sql import SqlLog
from tests.intake.deliveries import sample
from tests.main.running import delivery_headers

HERE: Final = Path(__file__).parent
# Every version that was kept, the oldest first. The newest is the one that this generator makes again.
VERSIONS: Final = sorted(
    (path.parent.name for path in HERE.glob("*/expected.json")),
    key=lambda name: [int(part) for part in name.split(".")],
)
ORIGIN: Final = "example.org/golden"
SECRET: Final = b"a secret of the golden house"
BEGIN: Final = 1_773_758_000_000
# What a data folder may hold when nobody has it open, and what it must.
DATA: Final = ("derived.db", "house.json", "house.key", "keys.db", "search.db", "trail.db")
ALWAYS: Final = frozenset(DATA) - {"search.db"}

SAMPLES: Final = (
    "ping.hook",
    "push.branch",
    "pull_request.opened",
    "pull_request_review.approved",
    "pull_request.merged",
    "workflow_run.requested",
    "workflow_run.completed",
    "check_run.completed",
    "deployment.created",
    "deployment_status.success",
    "release.published",
    "star.created",
)
ADA: Final = {"login": "ada", "email": "ada@example.org", "name": "Ada Example"}
DINA: Final = {"login": "dina", "email": "dina@example.org", "name": "Dina Example"}
PAYMENT: Final = {"service": "checkout", "environment": "production"}
FACTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "deployment.started", "deployment": "41", **PAYMENT, "version": "1.42.0", "actor": ADA},
    {"kind": "deployment.step", "deployment": "41", **PAYMENT, "name": "migrate", "duration_ms": 4_100},
    {
        "kind": "deployment.finished",
        "id": "run-41",
        "deployment": "41",
        **PAYMENT,
        "version": "1.42.0",
        "outcome": "succeeded",
        "occurred_at": "2026-03-17T15:30:00+01:00",
        "actor": ADA,
        "labels": {"team": "payments"},
        "url": "https://ci.example.org/41",
        "data": {"region": "eu", "hosts": [1, 2, 3]},
        "odd": "kept, sealed",
    },
    {
        "kind": "deployment.finished",
        "deployment": "42",
        **PAYMENT,
        "version": "1.42.1",
        "outcome": "failed",
        "actor": DINA,
    },
    {
        "kind": "deployment.finished",
        "deployment": "43",
        **PAYMENT,
        "version": "1.42.0",
        "outcome": "succeeded",
        "type": "rollback",
        "actor": DINA,
    },
    {
        "kind": "environment.snapshot",
        "environment": "production",
        "running": [{"service": "checkout", "digest": "sha256:" + "ab" * 32, "image": "checkout:1.42.0"}],
    },
    {"kind": "incident.opened", "incident": "7", "service": "checkout", "title": "Checkout fails for dina"},
    {"kind": "x-canary.moved", "service": "checkout", "data": {"share": 5, "by": "cleo"}},
    {
        "kind": "test.finished",
        "repository": "shop/checkout",
        "sha": "4be1c60f",
        "name": "naïve ☃",
        "outcome": "failed",
    },
)


class FixedClock:
    """Stands still until it is moved."""

    at = BEGIN

    def now(self) -> int:
        return self.at


class FixedChance:
    """The same bytes every time: SHA-256 of a counter."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), 0

    def bytes(self, count: int) -> bytes:
        found = b""
        with self._lock:
            while len(found) < count:
                found += hashlib.sha256(b"golden %d" % self._count).digest()
                self._count += 1
        return found[:count]


@contextmanager
def opened(folder: Path) -> Iterator[tuple[main.Rooms, FixedClock]]:
    """A house in FOLDER/data with its signer in FOLDER/signer, whose time and chance are fixed."""
    clock, chance = FixedClock(), FixedChance()
    kept = main.SystemClock, main.SystemChance
    main.SystemClock, main.SystemChance = (lambda: clock), (lambda: chance)  # type: ignore[misc, assignment]
    try:
        data = Folder(folder / "data")
        data.make()
        assert data.lock()
        settings = config.settings_of(
            {"data": str(folder / "data"), "signer": str(folder / "signer"), "origin": ORIGIN}
        )
        rooms = main.Rooms(data, settings)
        rooms.start()
        yield rooms, clock
        rooms.house.sealer.seal()
        rooms._follower.catch_up()
        rooms.close()
        data.unlock()
    finally:
        main.SystemClock, main.SystemChance = kept  # type: ignore[misc]


def fill(rooms: main.Rooms, clock: FixedClock) -> None:
    """What happens in the golden house."""
    house = rooms.house

    def operate(name: str, /, **form: Any) -> dict[str, Any]:
        clock.at += 1_000
        return house.operate.do(name, json.dumps(form).encode(), "ada")

    def tell(fact: dict[str, Any]) -> None:
        clock.at += 1_000
        draft = told.parse(msgspec.json.encode(fact), source="ci", received_at=clock.now())
        house.recorder.record([draft]).result(timeout=30)

    operate("source add", kind="github", name="hub", secret=b64encode(SECRET).decode())
    operate("source add", kind="github", name="hub", secret=b64encode(SECRET + b", newer").decode())
    operate("token create", role="reporter", name="ci", services=["checkout"])
    gone = operate("token create", role="viewer", name="looker", lasts_ms=3_600_000)
    operate("token revoke", id=gone["id"])
    operate("environment declare", name="production", type="production", aliases=["prod"], rank=3)
    operate("service declare", name="checkout", repositories=["shop/checkout"], owner="payments")
    link = operate("link")
    session, cookie = house.administer.link_use(link["secret"], "ben")
    clock.at += 60_000
    house.administer.declare_service(session, "ledger", artifacts=["ledger-api"])
    house.administer.sign_out(cookie)
    for number, name in enumerate(SAMPLES):
        clock.at += 1_000
        one = sample(name)
        headers = delivery_headers(one.event, one.body, id=f"golden-{number}", secret=SECRET)
        house.receiver.receive("hub", headers, one.body).result(timeout=30)
    for fact in FACTS:
        tell(fact)
    operate("erase", who="dina@example.org", ground="asked by the person")
    tell({"kind": "deployment.finished", "deployment": "44", **PAYMENT, "outcome": "cancelled", "actor": ADA})


def make(folder: Path) -> None:
    """Make the golden house in an empty folder."""
    with opened(folder) as (rooms, clock):
        fill(rooms, clock)
    for path in (folder / "data").glob("*.db"):
        database = sqlite3.connect(path)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("VACUUM")
        database.close()


def bodies(data: Path) -> list[bytes]:
    """The bytes of every entry."""
    log = SqlLog(data / "trail.db", write=False)
    found = [row.body for row in log.entries(0, log.head().size)]
    log.close()
    return found


def digests(data: Path) -> dict[str, str]:
    """A digest of the rows of every derived table, but of the one about the deriving itself."""
    found = {}
    with InspectedRows(data / "derived.db", follow.TABLES) as rows:
        for name, _, _ in rows.tables:
            if name != follow.FOLLOWING.name:
                digest = hashlib.sha256()
                for row in rows.rows(name):
                    digest.update(repr(row).encode() + b"\n")
                found[name] = digest.hexdigest()
    return found


def expected(folder: Path) -> dict[str, Any]:
    """What every later version must find in the golden house."""
    entries = bodies(folder / "data")
    log = SqlLog(folder / "data" / "trail.db", write=False)
    signed = log.checkpoint()
    log.close()
    assert signed is not None
    began = json.loads(entries[0])["data"]
    return {
        "origin": began["origin"],
        "vkey": began["vkey"],
        "size": len(entries),
        "root": signed.root.hex(),
        "kinds": [json.loads(entry)["kind"] for entry in entries],
        "entries": hashlib.sha256(b"\n".join(entries)).hexdigest(),
    }


def said(version: str) -> dict[str, Any]:
    """What was written down of the house of a version."""
    found: dict[str, Any] = json.loads((HERE / version / "expected.json").read_text())
    # What derived rows look like is each version's own affair.
    found.pop("derived", None)
    return found


def write(version: str) -> None:
    """Put it where that of a version is committed."""
    files = HERE / version
    with tempfile.TemporaryDirectory(prefix="dt-") as name:
        made = Path(name)
        make(made)
        found = expected(made)
        shutil.rmtree(files, ignore_errors=True)
        for part, names in (("data", DATA), ("signer", ("key", "record"))):
            (files / part).mkdir(parents=True)
            for each in names:
                if (made / part / each).exists():
                    shutil.copyfile(made / part / each, files / part / each)
    mark = files / "data" / "house.json"
    fields = json.loads(mark.read_text())
    # Where it lies differs everywhere: whoever opens it says --signer.
    mark.write_text(json.dumps({**fields, "signer": "/nowhere/signer"}, indent=2) + "\n")
    (files / "expected.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    [asked] = sys.argv[1:] or VERSIONS[-1:]
    write(asked)
    sys.stdout.write(f"made {HERE / asked}\n")
