"""The real thing for tests: `deploytrail serve` in a process of its own, HTTP as strangers speak it, and
commands as somebody types them.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from deploytrail import config, main
from deploytrail.cli import commands
from deploytrail.cli.world import World
from deploytrail.store.folder import Folder
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.places import Places
from tests import postgres

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
SECRET = b"a secret of the tests"
OWN = {"sec-fetch-site": "same-origin"}


class Answer(NamedTuple):
    """What a house answers."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Typed(NamedTuple):
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


def typed(*arguments: str, stdin: bytes = b"", file: Mapping[str, Any] | None = None) -> Typed:
    """Run one command in this process, without a terminal; `file` stands for deploytrail.toml."""
    if "--data" in arguments and "--database-url" not in arguments:
        arguments = (*arguments, *database(Path(arguments[arguments.index("--data") + 1])))
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    world = World(
        serve=main.serve,
        now=main.SystemClock().now,
        operate=main.operate,
        write_link=main.write_link,
        inspect=main.inspect,
    )
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = commands.run(arguments, world, lambda: file or {})
    finally:
        sys.stdin = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Typed(status, *texts)


def database(data: Path) -> tuple[str, ...]:
    """The flags that say where the house of a data folder lies, if that is in PostgreSQL."""
    url = postgres.url_of(data)
    return ("--database-url", url) if url else ()


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """Our environment without anybody's settings, and with a state folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEPLOYTRAIL_")}
    return kept | {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(ROOT / "src")} | more


class Running:
    """A house in FOLDER/data with its signer in FOLDER/signer, served on a free port."""

    def __init__(self, folder: Path, *flags: str, data: str = "data") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data, self.signer = folder, folder / data, folder / "signer"
        self.flags = flags
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.said = folder / "said.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it."""
        where = [*self.where, "--port", str(self.port)]
        return [sys.executable, "-m", "deploytrail", "serve", *where, *self.flags]

    def begin(self, before: Iterable[str] = (), **environment: str) -> None:
        """Start it without waiting."""
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [*before, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                env=surroundings(self.folder, **environment),
                start_new_session=True,
                # A shell lets what it starts in the background ignore Ctrl-C, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def start(self, **environment: str) -> Running:
        """Start it, and wait until it answers."""
        self.begin(**environment)
        assert self.answers(), self.words()
        return self

    def answers(self) -> bool:
        """Wait until it answers at all; False if it ended before."""
        assert self.process is not None
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                self.ask("GET", "/healthz")
                return True
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"it does not answer: {self.words()}")

    def words(self) -> str:
        """What it said so far, diagnostics included."""
        return self.said.read_text(errors="replace") if self.said.exists() else ""

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit status, once it has ended by itself."""
        assert self.process is not None
        return self.process.wait(patience_s)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """SIGKILL to it and to whatever it was started with."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
    ) -> Answer:
        """One request over a connection of its own; a body in parts is sent chunked."""
        shown = {"authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, {**shown, **(headers or {})}, encode_chunked=chunked)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def tell(self, token: str, fact: Mapping[str, Any] | bytes, wait: str = "durable") -> Answer:
        """POST one fact."""
        body = fact if isinstance(fact, bytes) else json.dumps(fact).encode()
        headers = {"content-type": "application/json"}
        return self.ask("POST", f"/api/v1/facts?wait={wait}", body, headers, token=token)

    def deliver(
        self, event: str, body: bytes, *, id: str | None = None, secret: bytes = SECRET, source: str = "hub"
    ) -> Answer:
        """POST one delivery as GitHub does, signed."""
        headers = delivery_headers(event, body, id=id, secret=secret)
        return self.ask("POST", f"/hooks/{source}", body, headers)

    def admin(self, *arguments: str, stdin: bytes = b"") -> str:
        """What a command under `admin` prints; the server may run or not."""
        done = typed("admin", *arguments, *self.where, stdin=stdin)
        assert done.status == 0, done.err
        return done.out.strip()

    @property
    def where(self) -> tuple[str, ...]:
        """The flags that name this house on the machine."""
        return ("--data", str(self.data), "--signer", str(self.signer), *database(self.data))

    def token(self, role: str, name: str | None = None, *more: str) -> str:
        """A token of a role."""
        return self.admin("token", "create", "--role", role, "--name", name or f"{role}-bot", *more)

    def source(self, name: str = "hub", secret: bytes = SECRET) -> None:
        """A source of kind github."""
        file = self.folder / "secret"
        file.write_bytes(secret)
        self.admin("source", "add", "github", name, "--secret-file", str(file))

    def sign_in(self, name: str = "ada") -> str:
        """The cookie of a new administrator's session."""
        link = self.link().rpartition("link=")[2]
        body = urlencode({"link": link, "name": name}).encode()
        answer = self.ask("POST", "/sign-in", body, OWN)
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0]

    def link(self) -> str:
        """A new one-time link."""
        return Path(self.admin("link")).read_text().strip()

    def signed(self) -> int:
        """The size of the log, once all of it is signed."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            size = self.size()
            if self.figure("deploytrail_log_signed_entries") >= size:
                return size
            time.sleep(0.02)
        raise AssertionError(f"it does not sign: {self.words()}")

    def size(self) -> int:
        """The size of the log now."""
        return self.figure("deploytrail_log_entries")

    def figure(self, name: str) -> int:
        """A figure of /metrics; 0 while there is none."""
        text = self.ask("GET", "/metrics").text
        found = re.search(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def kinds(self, token: str) -> list[str]:
        """The kind of every entry, in order; for a token that may read entries or with a public log."""
        return [fact["kind"] for fact in self.entries(token)]

    def entries(self, token: str | None = None) -> list[dict[str, Any]]:
        """Every entry of a small log (under 256), once all are signed."""
        size = self.signed()
        data = self.ask("GET", f"/log/tile/entries/000.p/{size}", token=token).body
        found, at = [], 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            found.append(json.loads(data[at + 2 : at + 2 + length]))
            at += 2 + length
        return found

    def in_file(self) -> list[dict[str, Any]]:
        """Every entry in the log's file, signed or not; the server may run or not."""
        with log_of(self.data) as log:
            return [json.loads(row.body) for row in log.entries(0, log.head().size)]


@contextmanager
def log_of(data: Path, *, write: bool = False) -> Iterator[SqlLog]:
    """The log of the house in a data folder; its server may run or not, but not if we `write`."""
    places = Places(Folder(data), postgres.url_of(data), write=write)
    log = SqlLog(places.trail, write=write)
    try:
        yield log
    finally:
        log.close()
        places.close()


def delivery_headers(
    event: str, body: bytes, *, id: str | None = None, secret: bytes = SECRET
) -> dict[str, str]:
    """The headers that GitHub sends with a body."""
    named = {"x-github-delivery": id} if id else {}
    return {
        **named,
        "content-type": "application/json",
        "x-github-event": event,
        "x-hub-signature-256": "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex(),
    }


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder of our own with a short path, since that of a Unix socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="dt-"))
    try:
        yield folder
    finally:
        postgres.forget(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(*flags: str) -> Iterator[Running]:
    """A new house that is served until the end of the block."""
    with short_folder() as folder:
        running = Running(folder, *flags)
        try:
            yield running.start()
        finally:
            running.kill()


def settings_named() -> set[str]:
    """Every environment variable that is a setting."""
    return {setting.variable for setting in config.SETTINGS}
