"""Bad input over real HTTP: a clear answer with a code for each, and nothing lost.

One served house takes everything; what is authentic stands in its log afterwards, as a fact or set aside.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from deploytrail.facts.kinds import KINDS, body_of, from_outside
from tests import postgres
from tests.intake.deliveries import own_samples, sample
from tests.main.running import Answer, Running, delivery_headers, serving, typed

pytestmark = pytest.mark.slow

MIB = 2**20
PUSH = sample("push.branch").body


class Story:
    """One house, and what tells and looks."""

    def __init__(self, running: Running) -> None:
        self.running = running
        running.source()
        self.reporter, self.admin = running.token("reporter", "ci"), running.token("administrator", "root")
        self.cookie = {"cookie": running.sign_in(), "accept": "text/html"}

    def size(self) -> int:
        """Entries in the log."""
        return self.running.size()

    def refused(self) -> int:
        """Deliveries that no secret of `hub` signed."""
        return self.running.figure('deploytrail_deliveries_refused_total{source="hub"}')

    def entry(self, index: int) -> dict[str, Any]:
        """One entry as it stands in the log."""
        answer = self.running.ask("GET", f"/api/v1/entries/{index}", token=self.admin)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def page(self, path: str) -> str:
        """A page as an administrator sees it, once it knows of everything."""
        self.running.ask("GET", f"/api/v1/environments?at_least={self.size() - 1}", token=self.admin)
        answer = self.running.ask("GET", path, None, self.cookie)
        assert answer.status == 200, (path, answer.status, answer.text[:300])
        return answer.text

    def tell(self, fact: dict[str, Any] | bytes) -> Answer:
        return self.running.tell(self.reporter, fact)


@pytest.fixture(scope="module")
def story(lies_in: None) -> Iterator[Story]:
    with serving() as running:
        yield Story(running)
        assert running.stop() == 0
        # A sender who hangs up leaves a trace in the diagnostics, which is noise; nothing else may.
        words = running.words()
        assert "Traceback" not in words, words
        assert typed("fsck", "--all", *running.where).status == 0, "nothing that came harmed the house"


def problem(answer: Answer, status: int, code: str) -> str:
    """The words of a refusal, which must be problem details with this status and code."""
    assert answer.status == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["type"] == f"/api/docs#{code}"
    words: str = said["detail"]
    assert len(words) > 20
    assert words.endswith(".")
    return words


# Deliveries that are not authentic.


@pytest.mark.parametrize(
    "headers",
    [
        {"x-hub-signature-256": None},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
        {"x-hub-signature-256": "sha1=" + "0" * 40},
        {"x-hub-signature-256": "x" * 4000},
        {"x-hub-signature-256": None, "x-hub-signature": "sha1=" + "0" * 40},
        {"x-hub-signature-256": None, "authorization": "Bearer x"},
    ],
)
def test_a_delivery_that_no_live_secret_signed_is_counted_and_not_stored(
    story: Story, headers: dict[str, str | None]
) -> None:
    size, refused = story.size(), story.refused()
    body = PUSH.replace(b"Round", b"forged-by-a-stranger")
    assert b"forged-by-a-stranger" in body
    given = {**delivery_headers("push", body, id="forged"), **headers}
    shown = {name: value for name, value in given.items() if value is not None}
    words = problem(story.running.ask("POST", "/hooks/hub", body, shown), 401, "unauthenticated")
    assert re.search("sign|Signature", words)
    assert (story.size(), story.refused()) == (size, refused + 1)
    for name, data in postgres.stored(story.running.data):
        assert b"forged-by-a-stranger" not in data, name
    assert "forged-by-a-stranger" not in story.running.words()


def test_another_body_than_was_signed_is_not_authentic(story: Story) -> None:
    size, refused = story.size(), story.refused()
    headers = delivery_headers("push", PUSH)
    for body in (PUSH[:-1], PUSH + b" ", b"", PUSH.replace(b"main", b"evil", 1)):
        problem(story.running.ask("POST", "/hooks/hub", body, headers), 401, "unauthenticated")
    problem(story.running.deliver("push", PUSH, secret=b"another secret"), 401, "unauthenticated")
    assert (story.size(), story.refused()) == (size, refused + 5)


@pytest.mark.both
def test_a_source_that_there_is_not(story: Story) -> None:
    size = story.size()
    for name in ("nobody", "HUB", "..%2Fhub", "%00", "%1b%5b2J", "%3Cscript%3E", "x" * 3000):
        answer = story.running.ask("POST", f"/hooks/{name}", PUSH, delivery_headers("push", PUSH))
        words = problem(answer, 404, "not-found")
        assert "<script>" not in words
    assert story.size() == size
    labels = re.findall(
        r'deliveries_refused_total\{source="([^"]*)"', story.running.ask("GET", "/metrics").text
    )
    assert set(labels) <= {"hub"}, "names that strangers make up are no labels"


# Deliveries that are authentic, whatever is in them: nothing is lost.


def set_aside(story: Story, answer: Answer, reason: str) -> dict[str, Any]:
    """The one fact that a delivery set aside has become."""
    assert (answer.status, answer.json()["status"]) == (202, "set_aside"), answer.text
    [index] = answer.json()["entries"]
    entry = story.entry(index)
    assert entry["kind"] == "delivery.set_aside"
    assert reason in entry["data"]["reason"]
    return entry


BODIES = {
    "truncated": PUSH[:700],
    "nothing at all": b"",
    "no JSON": b"Hello",
    "not UTF-8": PUSH.replace(b"refs", b"\xff\xfe"),
    "a hundred thousand keys": b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}",
    "ten thousand deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "ten thousand lists deep": b"[" * 10_000 + b"]" * 10_000,
    "a list": b"[]",
    "no repository": b'{"ref":"refs/heads/main","before":"' + b"0" * 40 + b'","after":"' + b"1" * 40 + b'"}',
    "no fields": b"{}",
    "a lone surrogate": PUSH.replace(b"Round", b"\\ud800"),
    "a huge number": b'{"number":' + b"9" * 5_000 + b"}",
}

WHY = {
    "nothing at all": "is empty",
    "not UTF-8": "is not UTF-8",
    "a hundred thousand keys": "has more than 65536 keys",
    "ten thousand deep": "is nested too deeply",
    "ten thousand lists deep": "is nested too deeply",
    "a list": "is not a JSON object",
    "no repository": "repository",
    "no fields": "does not say which ref it moved",
}


@pytest.mark.parametrize("what", BODIES)
def test_an_authentic_delivery_that_cannot_be_read_is_set_aside(story: Story, what: str) -> None:
    size = story.size()
    answer = story.running.deliver("push", BODIES[what], id=f"unreadable {what}".replace(" ", "-"))
    entry = set_aside(story, answer, WHY.get(what, "is not JSON that can be read"))
    assert entry["data"]["size"] == len(BODIES[what])
    assert story.size() == size + 1
    again = story.running.deliver("push", BODIES[what], id="other-" + what.replace(" ", "-"))
    assert (again.status, again.json()["status"], story.size()) == (200, "repeat", size + 1)


@pytest.mark.parametrize(
    "event", ["marketplace_purchase", "no_such_event", "", "\x01", "a" * 3000, "<b>event</b>"]
)
def test_an_unknown_event_is_set_aside_and_shown(story: Story, event: str) -> None:
    body = json.dumps({"action": "x", "event": event}).encode()
    if event == "\x01":
        # What is no header is no request.
        assert story.running.deliver(event, body).status == 400
        return
    set_aside(story, story.running.deliver(event, body), "not read yet: ")
    page = story.page("/attention")
    harmless(page)
    if event.isidentifier() and len(event) < 100:
        assert event in page


def test_a_delivery_without_the_name_of_its_event(story: Story) -> None:
    body = b'{"event": "has no name"}'
    headers = delivery_headers("x", body)
    del headers["x-github-event"]
    set_aside(story, story.running.ask("POST", "/hooks/hub", body, headers), "not read yet: unknown")


def test_a_repeat_is_known_by_its_bytes(story: Story) -> None:
    first = story.running.deliver("push", PUSH, id="once")
    assert (first.status, first.json()["status"]) == (202, "recorded")
    size = story.size()
    for id in ("once", "another-id", None):
        again = story.running.deliver("push", PUSH, id=id)
        assert (again.status, again.json()["status"]) == (200, "repeat")
        assert again.json()["entries"][0] == first.json()["entries"][0]
    assert story.size() == size
    other = PUSH.replace(b"4be1c60f", b"5be1c60f")
    entry = set_aside(story, story.running.deliver("push", other, id="once"), "another body")
    assert entry["data"]["event"] == "push"
    assert story.size() == size + 1
    assert "another body" in story.page("/attention")
    again = story.running.deliver("push", other, id="once")
    assert (again.status, story.size()) == (200, size + 1)


def test_many_at_once_are_recorded_once(story: Story) -> None:
    body = PUSH.replace(b"4be1c60f", b"6be1c60f")
    connections = [http.client.HTTPConnection("127.0.0.1", story.running.port, timeout=30) for _ in range(12)]
    size = story.size()
    for number, connection in enumerate(connections):
        connection.request(
            "POST", "/hooks/hub", body, delivery_headers("push", body, id=f"at-once-{number % 3}")
        )
    answers = [connection.getresponse() for connection in connections]
    said = [json.loads(answer.read())["status"] for answer in answers]
    for connection in connections:
        connection.close()
    assert sorted(said) == ["recorded"] + ["repeat"] * 11
    assert sorted(answer.status for answer in answers) == [200] * 11 + [202]
    recorded = story.entry(size)
    assert recorded["kind"] == "commit.pushed"


# Sizes.


def parts(total: int) -> Iterator[bytes]:
    """A body in chunks."""
    for _ in range(total // MIB):
        yield b"x" * MIB


def test_a_delivery_of_26_mib_is_too_large(story: Story) -> None:
    size = story.size()
    body = b"x" * (26 * MIB)
    announced = story.running.deliver("push", body)
    assert "26,214,400 bytes" in problem(announced, 413, "too-large")
    chunked = story.running.ask("POST", "/hooks/hub", parts(26 * MIB), delivery_headers("push", body))
    assert "Nothing of this one was kept" in problem(chunked, 413, "too-large")
    assert story.size() == size


def test_a_delivery_of_24_mib_is_not(story: Story) -> None:
    body = b'{"pad":"' + b"x" * (24 * MIB) + b'"}'
    entry = set_aside(story, story.running.deliver("push", body), "does not say which ref it moved")
    assert entry["data"]["size"] == len(body)


def test_a_body_that_breaks_off_leaves_nothing(story: Story) -> None:
    size, refused = story.size(), story.refused()
    for path in ("/hooks/hub", "/api/v1/facts"):
        with socket.create_connection(("127.0.0.1", story.running.port)) as half:
            half.sendall(
                f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {story.reporter}\r\n"
                "content-type: application/json\r\ncontent-length: 500\r\n\r\n".encode()
                + b'{"kind":"x-half"}'
            )
    assert story.tell({"kind": "x-after"}).status == 201
    assert (story.size(), story.refused()) == (size + 1, refused)


@pytest.mark.parametrize(
    "text",
    [
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /hooks/hub HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /hooks/hub HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    ],
    ids=["version", "tls", "two lengths", "negative", "no chunk", "long path", "many headers"],
)
def test_what_is_no_request_harms_nobody(story: Story, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", story.running.port), timeout=10) as strange:
        try:
            strange.sendall(text)
            strange.shutdown(socket.SHUT_WR)
            answer = strange.recv(4096)
        except OSError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert story.running.ask("GET", "/readyz").status == 200


# Told facts.


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (b"", "JSON"),
        (b"Hello", "JSON"),
        (b"[]", "one JSON object"),
        (b"\xff\xfe", "JSON"),
        (b'{"kind":"x-a","data":"\xff"}', "JSON"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ""),
        (b'{"kind":"x-a","data":' + b"[" * 10_000 + b"]" * 10_000 + b"}", ""),
        (b"{}", "kind"),
        (b'{"kind":7}', "kind"),
        (b'{"kind":"deployment.finished"}', "deployment"),
        (b'{"kind":"deployment.finished","deployment":"1","service":"a","environment":7}', "environment"),
        (b'{"kind":"x-a","id":""}', "id"),
        (b'{"kind":"x-a","occurred_at":"tomorrow"}', "RFC 3339"),
        (b'{"kind":"x-a","occurred_at":1700000000}', "occurred_at"),
        (b'{"kind":"x-a","labels":[1]}', "labels"),
        (b'{"kind":"x-a","actor":"ada"}', "actor"),
        (b'{"kind":"x-a","actor":{"id":"s_ada"}}', "given by the house"),
    ],
)
def test_a_fact_that_cannot_be_read_is_answered_with_what_is_wrong(
    story: Story, fact: bytes, words: str
) -> None:
    size = story.size()
    assert words in problem(story.tell(fact), 400, "bad-input")
    assert story.size() == size


def test_a_fact_that_is_too_large(story: Story) -> None:
    size = story.size()
    problem(story.tell(b'{"kind":"x-a","data":"' + b"x" * 300_000 + b'"}'), 413, "too-large")
    keys = b",".join(b'"k%d":1' % n for n in range(100_000))
    problem(story.tell(b'{"kind":"x-a",' + keys + b"}"), 413, "too-large")
    assert story.size() == size
    fewer = b",".join(b'"k%d":1' % n for n in range(15_000))
    assert story.tell(b'{"kind":"x-a",' + fewer + b"}").status == 201, "unknown fields are kept, sealed"


def test_the_same_id_with_other_content_is_a_conflict(story: Story) -> None:
    first = story.tell({"kind": "x-a", "id": "said-once", "data": "one"})
    assert first.status == 201
    size = story.size()
    again = story.tell({"kind": "x-a", "id": "said-once", "data": "one"})
    assert (again.status, again.json()) == (200, {**first.json(), "repeat": True})
    words = problem(story.tell({"kind": "x-a", "id": "said-once", "data": "two"}), 409, "conflict")
    assert f"Entry {first.json()['index']} has this id" in words
    assert "tell a correction under a new id" in words
    assert story.size() == size
    other = story.running.tell(story.admin, {"kind": "x-a", "id": "said-once", "data": "two"})
    assert other.status == 201, "an id is one source's own"


OWN_KINDS = sorted(kind for kind in KINDS if not from_outside(kind))


def test_no_reporter_tells_the_houses_own_kinds(story: Story) -> None:
    size = story.size()
    later = ["approval.given", "permit.issued", "policy.adopted", "role.given", "finding.raised", "x", "x-"]
    assert len(OWN_KINDS) > 20
    for token in (story.reporter, story.admin):
        for kind in [*OWN_KINDS, *later]:
            answer = story.running.tell(token, {"kind": kind, **FILLED.get(kind, {})})
            if kind in ("x", "x-"):
                problem(answer, 400, "bad-input")
            else:
                assert "cannot be told from outside" in problem(answer, 403, "forbidden")
    cookie = {"cookie": story.cookie["cookie"], "sec-fetch-site": "same-origin"}
    for kind in OWN_KINDS:
        answer = story.running.ask("POST", "/api/v1/facts", json.dumps({"kind": kind}).encode(), cookie)
        assert answer.status == 403
    lines = "\n".join(json.dumps({"kind": kind, **FILLED.get(kind, {})}) for kind in OWN_KINDS).encode()
    answer = story.running.ask(
        "POST", "/api/v1/facts", lines, {"content-type": "application/x-ndjson"}, token=story.reporter
    )
    assert [json.loads(line)["code"] for line in answer.body.splitlines()] == ["forbidden"] * len(OWN_KINDS)
    assert story.size() == size


# Times and order.


def deployment(id: str, **more: Any) -> dict[str, Any]:
    return {"deployment": id, "service": "checkout", "environment": "production", **more}


@pytest.mark.parametrize(
    "when",
    [
        "1970-01-01T00:00:00Z",
        "2001-01-01T00:00:00+14:00",
        "2013-05-01T12:00:00Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_times_of_long_ago_and_of_the_future_are_kept_as_they_were_said(story: Story, when: str) -> None:
    answer = story.tell(
        {"kind": "deployment.finished", "occurred_at": when, **deployment(when), "outcome": "failed"}
    )
    assert answer.status == 201, answer.text
    entry = story.entry(answer.json()["index"])
    assert entry["occurred_at"] == when.replace("2001-01-01T00:00:00+14:00", "2000-12-31T10:00:00Z")
    assert entry["received_at"] != entry["occurred_at"], "whose claim a time is stays clear"
    for path in ("/", "/environments", f"/entries/{answer.json()['index']}"):
        harmless(story.page(path))


@pytest.mark.parametrize(
    "when", ["0000-00-00T00:00:00Z", "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z"]
)
def test_times_that_there_are_not_are_refused(story: Story, when: str) -> None:
    problem(story.tell({"kind": "x-a", "occurred_at": when}), 400, "bad-input")


def test_the_order_of_telling_is_free(story: Story) -> None:
    """The end is told before the beginning, and both lie before what was told earlier."""
    told = [
        ("deployment.finished", "2026-01-02T10:05:00Z", {"outcome": "succeeded", "version": "1.42.0"}),
        ("deployment.step", "2026-01-02T10:02:00Z", {"name": "migrate"}),
        ("deployment.started", "2026-01-02T10:00:00Z", {"version": "1.42.0"}),
    ]
    indices = []
    for kind, when, more in told:
        fact = {
            "kind": kind,
            "occurred_at": when,
            "actor": {"login": "ada"},
            **deployment("upside-down", **more),
        }
        answer = story.tell(fact)
        assert answer.status == 201, answer.text
        indices.append(answer.json()["index"])
    assert indices == sorted(indices)
    trail = story.page("/")
    assert "1.42.0" in trail
    page = story.page(f"/deployments/{indices[0]}")
    for words in ("1.42.0", "migrate", "ada"):
        assert words in page


def test_deliveries_out_of_order_are_recorded(story: Story) -> None:
    for name in (
        "workflow_run.completed",
        "workflow_run.requested",
        "deployment_status.success",
        "deployment.created",
    ):
        one = sample(name)
        answer = story.running.deliver(one.event, one.body, id=f"order-{name}")
        assert (answer.status, answer.json()["status"]) == (202, "recorded"), name
    for name in ("push.of-2013", "deployment_status.of-tomorrow"):
        one = sample(name)
        assert story.running.deliver(one.event, one.body, id=f"order-{name}").json()["status"] == "recorded"
    for path in ("/", "/environments", "/attention"):
        harmless(story.page(path))


# Hostile text.

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[2J\x1b]0;owned\x07",
    "user\u202egpj.exe\u2066",
    "=cmd|' /C calc'!A0",
    "javascript:alert(1)",
    "</title></bdi></a>{{ 7*7 }}",
    "zero\u200bwidth\ufeff",
)


class _Reading(HTMLParser):
    """Everything of a page that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not str(given.get("src", "")).startswith("/static/"):
            self.wrong.append("a script of its own")
        if tag in ("iframe", "object", "embed", "base", "style", "img", "plaintext"):
            self.wrong.append(f"an element {tag}")
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{tag} with {name}")
            leads = (value or "").strip().lower()
            if name in ("href", "src", "action") and not leads.startswith(
                ("/", "#", "?", "http://", "https://")
            ):
                self.wrong.append(f"{tag} that leads to {leads[:40]}")

    def handle_data(self, data: str) -> None:
        if found := re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", data):
            self.wrong.append(f"the sign U+{ord(found[0]):04X} as it came")


def harmless(page: str) -> None:
    """No text of a stranger does anything on a page."""
    reading = _Reading()
    reading.feed(page)
    assert reading.wrong == []


def hostile(type_: Any, text: str) -> Any:
    """A value of a type, with `text` wherever a text may stand."""
    if isinstance(type_, inspect.Metadata):
        return hostile(type_.type, text)
    if isinstance(type_, inspect.UnionType):
        return hostile(next(arm for arm in type_.types if not isinstance(arm, inspect.NoneType)), text)
    if isinstance(type_, inspect.StructType):
        return {
            field.encode_name: hostile(field.type, text)
            for field in type_.fields
            if field.encode_name not in ("id", "occurred_at")
        }
    if isinstance(type_, inspect.ListType):
        return [hostile(type_.item_type, text)]
    if isinstance(type_, inspect.LiteralType):
        return type_.values[0]
    if isinstance(type_, inspect.BoolType):
        return True
    if isinstance(type_, inspect.IntType):
        return 1
    if isinstance(type_, inspect.DictType):
        return {"name": text}
    assert isinstance(type_, inspect.StrType), type_
    if type_.pattern is None:
        # Times are texts of at most 40 signs.
        return "2026-01-02T03:04:05Z" if type_.max_length == 40 else text
    good = ("abcdef12", "sha256:" + "ab" * 32, "production", "succeeded", "approved", "forward")
    return next(value for value in good if re.search(type_.pattern, value))


def filled(kind: str, text: str) -> dict[str, Any]:
    """The fields of a kind, every one of them with something in it."""
    body = body_of(kind)
    assert body is not None
    found: dict[str, Any] = hostile(inspect.type_info(body), text)
    return found


FILLED = {kind: filled(kind, "text") for kind in KINDS}
OUTSIDE = [*sorted(kind for kind in KINDS if from_outside(kind)), "x-ours"]


@pytest.mark.parametrize("kind", OUTSIDE)
def test_hostile_text_in_every_field_of_every_kind_is_harmless(story: Story, kind: str) -> None:
    lines = []
    for text in NASTY:
        shared = {
            "actor": {"login": text, "name": text, "email": text},
            "labels": {"name": text},
            "data": {text: text},
            text: text,
        }
        lines.append({"kind": kind, **filled(kind, text), **shared})
    body = b"\n".join(msgspec.json.encode(line) for line in lines)
    answer = story.running.ask(
        "POST", "/api/v1/facts", body, {"content-type": "application/x-ndjson"}, token=story.reporter
    )
    said = [json.loads(line) for line in answer.body.splitlines()]
    taken = [one["index"] for one in said if "index" in one]
    for one in said:
        assert "index" in one or one["code"] == "bad-input", one
    assert taken, said
    for index in taken:
        harmless(story.page(f"/entries/{index}"))
    for path in ("/", "/environments", "/attention", f"/deployments/{taken[0]}"):
        answer = story.running.ask("GET", path, None, story.cookie)
        assert answer.status == 200 or path.startswith("/deployments/")
        harmless(answer.text)


STRUCTURE = re.compile(
    r"[0-9a-f]{40}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+|https?://\S+|[a-z_]{2,20}|refs/\S+|[\w-]+/[\w-]+|[A-Z][a-z]+"
)


def poisoned(value: Any, text: str) -> Any:
    """A delivery with hostile text wherever its source could not have meant a name of its own."""
    if isinstance(value, dict):
        return {
            name: text
            if name in ("name", "login", "title", "message", "body", "description") and isinstance(inner, str)
            else poisoned(inner, text)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [poisoned(inner, text) for inner in value]
    return text if isinstance(value, str) and not STRUCTURE.fullmatch(value) else value


@pytest.mark.parametrize("one", own_samples(), ids=lambda one: one.name)
def test_hostile_text_in_every_delivery_is_harmless(story: Story, one: Any) -> None:
    for number, text in enumerate(NASTY[::3]):
        body = json.dumps(poisoned(one.decoded(), text)).encode()
        answer = story.running.deliver(one.event, body, id=f"nasty-{one.name}-{number}")
        assert answer.status == 202, answer.text
        for index in answer.json()["entries"]:
            harmless(story.page(f"/entries/{index}"))
    for path in ("/", "/environments", "/attention"):
        harmless(story.page(path))
