"""eventsourcing's application on SQLite: an aggregate for each deployment, whose first event holds the fact.

Needs eventsourcing. It sets WAL itself and leaves SQLite's synchronous=FULL. Single: `save` of one aggregate;
batch: `save` of a hundred, which is one transaction.
"""

from __future__ import annotations

import sqlite3
import warnings
from importlib.metadata import version
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from turns import facts, folder, take_turns

warnings.simplefilter("ignore")


class Deployment(Aggregate):
    @event("Told")
    def __init__(self, body: str) -> None:
        self.body = body


app: Any = Application(
    {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(folder() / "events.db"),
    }
)


def keep(lines: list[bytes]) -> None:
    app.save(*(Deployment(line.decode()) for line in lines))


take_turns(
    {"eventsourcing": version("eventsourcing"), "sqlite": sqlite3.sqlite_version},
    facts(),
    lambda line: keep([line]),
    keep,
    lambda: int(app.recorder.max_notification_id() or 0),
)
