"""The real server as a victim: `deploytrail serve`, told over HTTP."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from tests import postgres
from tests.crash.faults import Faults
from tests.crash.items import SECRET, SOURCE, Item, item
from tests.crash.ledger import Broken
from tests.crash.victim import ANSWER_S, START_S, Answer, Gone, Server, Victim
from tests.main.running import database, free_port, surroundings

DEPLOYTRAIL = (sys.executable, "-m", "deploytrail")
_PATIENCE_S = 90.0
# So many items are looked for in the end; the page of a SQLite file.
_FOUND = 20
_PAGE = 8192


class Served(Victim):
    """`vkey`, `reporter` and `viewer` (tokens) are known after `prepare`."""

    def __init__(self, folder: Path, faults: Faults | None = None) -> None:
        super().__init__(folder, faults)
        self.port = free_port()
        self.vkey = self.reporter = self.viewer = ""
        self._mine = threading.local()

    def command(self) -> list[str]:
        """What to run."""
        where = ["--data", str(self.data), "--signer", str(self.signer), "--port", str(self.port)]
        return [*DEPLOYTRAIL, "serve", *where, *database(self.data)]

    def environment(self) -> dict[str, str]:
        """Ours, without anybody's settings for Deploytrail."""
        return surroundings(self.folder, **(self.faults.environment if self.faults else {}))

    def prepare(self) -> None:
        """Add a source and two tokens to the running house."""
        secret = self.folder / "secret"
        secret.write_bytes(SECRET)
        self.admin("source", "add", "github", SOURCE, "--secret-file", str(secret))
        self.reporter = self.admin("token", "create", "--role", "reporter", "--name", "crash")
        self.viewer = self.admin("token", "create", "--role", "viewer", "--name", "looks")
        self.vkey = self.admin("key", "show")

    def admin(self, *arguments: str) -> str:
        """What a command of the house's own administration prints."""
        done = self.deploytrail("admin", *arguments)
        if done.returncode != 0:
            raise Broken(f"deploytrail admin {arguments[:2]} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def fsck(self) -> None:
        """Broken unless `fsck --all` finds everything in order."""
        done = self.deploytrail("fsck", "--all")
        if done.returncode != 0:
            raise Broken(f"fsck ended with status {done.returncode}:\n{done.stdout}{done.stderr}")

    def caught_up(self, acknowledged: Mapping[int, int]) -> None:
        """Every follower has everything; commits of the newest deliveries are found by their first digits."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            told = self.ask("GET", "/metrics")[1].decode()
            followers = re.findall(
                r"^deploytrail_follower_(lag_entries|stopped)\S* (\d+)$", told, re.MULTILINE
            )
            if followers and not any(int(value) for _, value in followers):
                break
            if time.monotonic() > end:
                raise Broken(f"the followers do not catch up: {followers}")
            time.sleep(0.05)
        deliveries = [number for number in sorted(acknowledged) if item(number).headers is not None]
        for number in deliveries[-_FOUND:]:
            asked = f"/api/v1/search?q={item(number).mark[:12]}"
            status, found = self.ask("GET", asked, headers={"authorization": f"Bearer {self.viewer}"})
            rows = [row["index"] for row in json.loads(found)["rows"]] if status == 200 else []
            if acknowledged[number] not in rows:
                raise Broken(f"item {number} stands at {acknowledged[number]}, but is not found: {found!r}")

    def tear(self, chance: Random) -> str | None:
        """Cut derived rows or the search index short, or write rubbish over a page of them."""
        files = [path for name in ("derived.db", "search.db") if (path := self.data / name).exists()]
        if not files:
            return None
        path = chance.choice(files)
        with path.open("r+b") as file:
            pages = max(path.stat().st_size // _PAGE, 1)
            if chance.random() < 0.5:
                file.truncate(chance.randrange(pages) * _PAGE)
            else:
                file.seek(chance.randrange(pages) * _PAGE)
                file.write(chance.randbytes(_PAGE))
        return path.name

    @property
    def server(self) -> Server | None:
        """That of the tests."""
        return postgres.cluster() if postgres.chosen() else None

    def deploytrail(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command against this data folder."""
        return subprocess.run(
            [*DEPLOYTRAIL, *arguments, "--data", str(self.data), *database(self.data)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
            env={**self.environment(), "LD_PRELOAD": ""},
        )

    def ready(self) -> bool:
        """Wait until it says that it records."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process is not None
            if self.process.poll() is not None:
                return False
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    return True
            except Gone:
                pass
            time.sleep(0.02)
        return False

    def tell(self, item: Item) -> Answer:
        """One fact or one delivery; Gone if no answer came."""
        if item.headers is None:
            headers = {"authorization": f"Bearer {self.reporter}", "content-type": "application/json"}
            status, told = self.ask("POST", "/api/v1/facts", item.body, headers)
        else:
            status, told = self.ask("POST", f"/hooks/{SOURCE}", item.body, item.headers)
        answer: dict[str, Any] = json.loads(told)
        if status not in (200, 201, 202):
            return Answer(None, words=f"{status} {answer.get('detail', '')}")
        index = answer["index"] if "index" in answer else answer["entries"][0]
        return Answer(index, status == 200)

    def checkpoint(self) -> bytes | None:
        """The newest published."""
        status, note = self.ask("GET", "/log/checkpoint")
        return note if status == 200 else None

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one answer, over this thread's connection. Gone if there is none."""
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
            self._mine.connection = connection
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self._mine.connection = None
            raise Gone from None
