"""The house at an address, spoken to over HTTP as anybody does. Safe in one thread at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import msgspec

from deploytrail.client.answers import (
    ArtifactWhole,
    Change,
    ChangeWhole,
    Deployment,
    DeploymentRow,
    Environment,
    LastGood,
    Named,
    Person,
    PersonWhole,
    Placed,
    Problem,
    Service,
    ServiceChanged,
    ServiceWhole,
    TrailRow,
    WhatChanged,
)
from deploytrail.errors import CODES, Refused

T = TypeVar("T")

_CONNECT: Final = 5.0
_READ: Final = 120.0
# Bytes of one answer: a batch of facts, or a page, with some hundred bytes to some thousand for each line.
_ANSWER: Final = 16 * 2**20
# Lines and bytes of one request; the house takes 100,000 and 64 MiB.
MAX_LINES: Final = 2_000
MAX_BYTES: Final = 8 * 2**20
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"

# A time: aware, or a text as RFC 3339 writes it.
Time = datetime | str


class House:
    """The house at `url`, spoken to with `token` if there is one. Use as a context manager, or `close` it.

    Every method may raise Refused with the house's own code and words, or with "unavailable" when the house
    is out of reach; `timeout` is in seconds. `at_least` waits until answers know that entry: so one reads
    what one has told. `index` is how much the newest answer knew.
    """

    def __init__(
        self, url: str = "http://localhost:8420", token: str | None = None, *, timeout: float = _READ
    ) -> None:
        self.url = url.rstrip("/")
        self.index: int | None = None
        if not self.url.startswith(("http://", "https://")):
            raise Refused("bad-input", f"{url} is no address of a house; it begins with http:// or https://.")
        headers = {"User-Agent": "deploytrail"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # No redirects: a token is shown to the house that was named, and to nobody else.
        try:
            self._client = httpx2.Client(
                headers=headers,
                timeout=httpx2.Timeout(timeout, connect=min(_CONNECT, timeout)),
                follow_redirects=False,
                # What stays on this machine goes through no proxy of the environment.
                trust_env=urlsplit(self.url).hostname not in _HERE,
            )
        except ValueError:
            raise Refused("bad-input", "The token has a sign that no token has.") from None

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    # Telling.

    def tell(self, fact: Mapping[str, Any], *, wait: str = "durable") -> Placed:
        """Tell one fact; where it stands. `wait` is durable, signed or projected."""
        body = msgspec.json.encode(fact)
        return self._read(self._post(f"/api/v1/facts?wait={quote(wait)}", body, _JSON), Placed)

    def tell_many(self, facts: Iterable[Mapping[str, Any]]) -> Iterator[Placed | Problem]:
        """Tell many facts; for each, in order, where it stands or why it was refused."""
        batch: list[bytes] = []
        size = 0
        for fact in facts:
            line = msgspec.json.encode(fact)
            if batch and (len(batch) == MAX_LINES or size + len(line) > MAX_BYTES):
                yield from self.tell_lines(batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        if batch:
            yield from self.tell_lines(batch)

    def tell_lines(self, lines: Sequence[bytes]) -> list[Placed | Problem]:
        """Tell lines of JSON in one request, as they are; what became of each, in order."""
        answer = self._post("/api/v1/facts", b"\n".join(lines), _NDJSON)
        found = [self._said(line) for line in answer.splitlines()]
        if len(found) != len(lines):
            raise Refused("unavailable", f"The house answered {len(found)} of {len(lines)} lines.")
        return found

    def _said(self, line: bytes) -> Placed | Problem:
        try:
            return msgspec.json.decode(line, type=Placed)
        except msgspec.ValidationError:
            return self._read(line, Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._no_house() from None

    # Asking.

    def deployments(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        status: str | None = None,
        since: Time | None = None,
        until: Time | None = None,
        at_least: int | None = None,
    ) -> Iterator[DeploymentRow]:
        """Deployments, newest first, as far as they are read."""
        asked = {"service": service, "environment": environment, "status": status}
        asked |= {"since": _text(since), "until": _text(until)}
        return self._every("/api/v1/deployments", "deployments", DeploymentRow, at_least, asked)

    def deployment(self, key: str, *, at_least: int | None = None) -> Deployment:
        """One deployment by its key."""
        return self._one(f"/api/v1/deployments/{_part(key)}", Deployment, at_least)

    def changes(
        self, *, repository: str | None = None, state: str | None = None, at_least: int | None = None
    ) -> Iterator[Change]:
        """Changes, newest first."""
        asked = {"repository": repository, "state": state}
        return self._every("/api/v1/changes", "changes", Change, at_least, asked)

    def change(self, repository: str, number: int, *, at_least: int | None = None) -> ChangeWhole:
        """One change."""
        return self._one(f"/api/v1/changes/{_part(repository)}/{number}", ChangeWhole, at_least)

    def artifact(self, digest: str, *, at_least: int | None = None) -> ArtifactWhole:
        """One artifact by its digest."""
        return self._one(f"/api/v1/artifacts/{_part(digest)}", ArtifactWhole, at_least)

    def service(self, name: str, *, at_least: int | None = None) -> ServiceWhole:
        """One service by a name of it."""
        return self._one(f"/api/v1/services/{_part(name)}", ServiceWhole, at_least)

    def person(self, subject: str, *, at_least: int | None = None) -> PersonWhole:
        """One person by subject id."""
        return self._one(f"/api/v1/people/{_part(subject)}", PersonWhole, at_least)

    def services(self, *, at_least: int | None = None) -> Iterator[Service]:
        """Services by name."""
        return self._every("/api/v1/services", "services", Service, at_least, {})

    def environments(self, *, at_least: int | None = None) -> Iterator[Environment]:
        """Environments by rank, then name, with what runs in them."""
        return self._every("/api/v1/environments", "environments", Environment, at_least, {})

    def people(self, word: str | None = None, *, at_least: int | None = None) -> Iterator[Person]:
        """People, the newest known first; with a word (an id, address, login or name), whom it names."""
        return self._every("/api/v1/people", "people", Person, at_least, {"word": word})

    def trail(
        self,
        *,
        service: str | None = None,
        environment: str | None = None,
        actor: str | None = None,
        kind: str | None = None,
        outcome: str | None = None,
        at_least: int | None = None,
    ) -> Iterator[TrailRow]:
        """Lines of the trail, newest first in the order of the log."""
        asked = {"service": service, "environment": environment, "actor": actor}
        asked |= {"kind": kind, "outcome": outcome}
        return self._every("/api/v1/trail", "rows", TrailRow, at_least, asked)

    def search(self, question: str, *, at_least: int | None = None) -> Iterator[TrailRow]:
        """Lines of the trail that all words of a question match, newest first."""
        return self._every("/api/v1/search", "rows", TrailRow, at_least, {"q": question})

    def named(self, question: str, *, at_least: int | None = None) -> list[Named]:
        """What the words of a question name: services, people, commits, artifacts and so on."""
        page = next(self._pages("/api/v1/search", at_least, {"q": question}))
        return self._convert(page.get("answers", []), list[Named])

    def running(
        self, service: str, environment: str, at: Time | None = None, *, at_least: int | None = None
    ) -> Deployment:
        """The deployment that put there what runs, or what ran at a time."""
        place = f"/api/v1/services/{_part(service)}/environments/{_part(environment)}"
        return self._one(f"{place}/running", Deployment, at_least, {"at": _text(at)})

    def last_good(self, service: str, environment: str, *, at_least: int | None = None) -> LastGood:
        """What to go back to."""
        place = f"/api/v1/services/{_part(service)}/environments/{_part(environment)}"
        return self._one(f"{place}/last-good", LastGood, at_least)

    def what_changed(
        self, environment: str, since: Time, until: Time | None = None, *, at_least: int | None = None
    ) -> WhatChanged:
        """Each service that runs something else at the end than at the beginning."""
        path = f"/api/v1/environments/{_part(environment)}/changed"
        first: WhatChanged | None = None
        services: list[ServiceChanged] = []
        asked = {"since": _text(since), "until": _text(until)}
        for raw in self._pages(path, at_least, asked):
            page = self._convert(raw, WhatChanged)
            # All pages speak of the same time.
            first = first or page
            asked["until"] = _text(first.until)
            services += page.services
        assert first is not None
        return msgspec.structs.replace(first, services=services)

    # Proving.

    def entry(self, index: int) -> bytes:
        """The canonical bytes of an entry."""
        return self.file(f"/api/v1/entries/{index}", _ANSWER)

    def receipt(self, index: int) -> bytes:
        """The tlog-proof of an entry against the newest checkpoint."""
        return self.file(f"/api/v1/entries/{index}/receipt", _ANSWER)

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint."""
        return self.file("/log/checkpoint", 2**20)

    def file(self, path: str, limit: int) -> bytes:
        """A file of the house, of at most `limit` bytes."""
        return self._ask("GET", path, limit)

    # How.

    def _every(
        self, path: str, name: str, type_: type[T], at_least: int | None, asked: dict[str, str | None]
    ) -> Iterator[T]:
        for page in self._pages(path, at_least, asked):
            for each in self._convert(page.get(name, []), list[Any]):
                yield self._convert(each, type_)

    def _pages(
        self, path: str, at_least: int | None, asked: dict[str, str | None]
    ) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._one(path, dict[str, Any], at_least, {**asked, "cursor": cursor})
            yield page
            before, cursor = cursor, page.get("next")
            if cursor is None:
                return
            if not isinstance(cursor, str) or cursor == before:
                raise self._no_house()

    def _one(
        self, path: str, type_: type[T], at_least: int | None, asked: Mapping[str, str | None] | None = None
    ) -> T:
        given = {name: value for name, value in (asked or {}).items() if value is not None}
        if at_least is not None:
            given["at_least"] = str(at_least)
        return self._read(self._ask("GET", f"{path}?{urlencode(given)}" if given else path, _ANSWER), type_)

    def _read(self, data: bytes, type_: type[T]) -> T:
        try:
            return msgspec.json.decode(data, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._no_house() from None

    def _convert(self, value: Any, type_: type[T]) -> T:
        try:
            return msgspec.convert(value, type_)
        except msgspec.ValidationError:
            raise self._no_house() from None

    def _post(self, path: str, body: bytes, media: str) -> bytes:
        return self._ask("POST", path, _ANSWER, content=body, headers={"Content-Type": media})

    def _ask(self, method: str, path: str, limit: int, **more: Any) -> bytes:
        try:
            with self._client.stream(method, f"{self.url}{path}", **more) as answer:
                data = bytearray()
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > limit:
                        raise Refused("too-large", f"{path} has more than {limit:,} bytes.")
                demand_good(answer, bytes(data))
                self.index = _index(answer)
                return bytes(data)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Refused(
                "unavailable", f"The house at {self.url} is out of reach: {error or type(error).__name__}."
            ) from None

    def _no_house(self) -> Refused:
        return Refused("unavailable", f"{self.url} does not answer as a house does.")


def demand_good(answer: httpx2.Response, body: bytes) -> None:
    """Pass on, as it was said, why the house refused."""
    if answer.status_code < 300:
        return
    if answer.status_code < 400:
        raise Refused("unavailable", f"{answer.url} answers with a redirect, which is not followed.")
    try:
        said = msgspec.json.decode(body, type=Problem)
        code, words = said.code, said.detail
    except (msgspec.DecodeError, UnicodeDecodeError):
        code, words = "", f"{answer.url} answered {answer.status_code}."
    if code not in CODES:
        code = "unavailable" if answer.status_code >= 500 else "bad-input"
    raise Refused(code, words)


def _index(answer: httpx2.Response) -> int | None:
    text = answer.headers.get("deploytrail-index", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _part(text: str) -> str:
    """A name as one part of an address; dots alone would lead elsewhere."""
    return "%2E" * len(text) if text in (".", "..") else quote(text, safe="")


def _text(time: Time | None) -> str | None:
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise Refused("bad-input", "A time needs its offset: give an aware datetime, or a text with one.")
        return time.isoformat()
    return time
