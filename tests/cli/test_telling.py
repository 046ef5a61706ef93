"""`record` and `import jsonl` against a served house, and against servers that are none."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.main.running import Running, Typed, serving, surroundings, typed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    """A house that tests of this module share."""
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def teller(served: Running) -> Callable[..., Typed]:
    """Types a command with the address of the house and a reporter's token."""
    token = served.token("reporter", "ci")

    def tell(*arguments: str, stdin: bytes = b"") -> Typed:
        return typed(*arguments, "--url", served.url, "--token", token, stdin=stdin)

    return tell


Tell = Callable[..., Typed]


def newest(served: Running) -> dict[str, Any]:
    return served.entries()[-1]


def opened(served: Running, index: int) -> str:
    """What an administrator reads of an entry."""
    cookie = {"cookie": served.sign_in(), "accept": "text/html"}
    return served.ask("GET", f"/entries/{index}", None, cookie).text


def test_one_fact_is_told_with_typed_fields(served: Running, teller: Tell) -> None:
    done = teller(
        *("record", "test.finished", "repository=shop/checkout", "sha=1234567", "name=unit"),
        *("outcome=failed", "required=true", "passed=1210", "failed=2", "duration_ms=41000"),
        *(
            "actor.login=lovelace",
            "actor.bot=false",
            "labels.team=payments",
            "url=https://ci.example.org/1?a=b",
        ),
        *("occurred_at=2026-01-02T03:04:05Z", "odder.thing=kept-whole"),
    )
    assert (done.status, done.err) == (0, "")
    size = served.signed()
    assert done.out == f"Entry {size - 1:,} holds it.\n"
    entry = newest(served)
    told = entry["data"]
    assert (entry["kind"], entry["source"], entry["attribution"]) == ("test.finished", "ci", "asserted")
    assert told["sha"] == "1234567", "a text stays a text, whatever it looks like"
    assert (told["required"], told["passed"], told["failed"], told["duration_ms"]) == (True, 1210, 2, 41000)
    assert entry["occurred_at"] == "2026-01-02T03:04:05Z"
    assert "lovelace" not in json.dumps(entry)
    shown = opened(served, size - 1)
    for text in ("lovelace", "payments", "https://ci.example.org/1?a=b", "odder", "kept-whole"):
        assert text in shown, text


def test_lists_and_objects_are_written_as_json(served: Running, teller: Tell) -> None:
    done = teller(
        *("record", "commit.pushed", "repository=shop/checkout", "ref=main", "after=abcd", "--json"),
        'commits=[{"sha":"abcd","parents":[],"author":{"login":"ada","nick":"a"},"signed":"true"}]',
    )
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert set(said) == {"index", "leaf"}
    commit = served.entries()[said["index"]]["data"]["commits"][0]
    assert (commit["sha"], commit["signed"]) == ("abcd", True)
    assert "nick" in opened(served, said["index"]), "what the kind does not know is kept"


def test_telling_again_under_an_id_repeats_nothing(teller: Tell) -> None:
    first = teller("record", "x-once", "id=only-once", "--json")
    again = teller("record", "x-once", "id=only-once", "--json")
    assert (first.status, again.status) == (0, 0)
    assert json.loads(again.out) == {**json.loads(first.out), "repeat": True}
    assert " already." in teller("record", "x-once", "id=only-once").out
    other = teller("record", "x-once", "id=only-once", "service=other")
    assert (other.status, "says something else" in other.err) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["permit.issued"], 3, "cannot be told from outside"),
        (["log.opened"], 3, "cannot be told from outside"),
        (["test.finished"], 2, "repository"),
        (["test.finished", "repository=a", "sha=abcd", "passed=many"], 2, "passed"),
        (["Not A Kind"], 2, "kind"),
        (["x-y", "occurred_at=yesterday"], 2, "RFC 3339"),
        (["x-y", "actor.id=s_1"], 2, "given by the house"),
        (["x-y", "actor=ada"], 2, "actor"),
    ],
)
def test_what_the_house_refuses_is_said(teller: Tell, arguments: list[str], status: int, words: str) -> None:
    done = teller("record", *arguments)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_who_may_not_tell_is_told_so(served: Running) -> None:
    for token, status, words in (
        (None, 3, "Nobody is signed in"),
        ("dt_unknown", 3, "Nobody is signed in"),
        (served.token("viewer"), 3, "The role viewer may not do this"),
        (served.token("reporter", "narrow", "--kind", "x-other"), 3, "may not tell x-y"),
    ):
        shown = ("--token", token) if token else ()
        done = typed("record", "x-y", "--url", served.url, *shown)
        assert (done.status, words in done.err) == (status, True)
        done = typed("record", "-", "--url", served.url, *shown, stdin=b'{"kind":"x-y"}\n')
        assert (done.status, words in done.err) == (status, True)


def test_lines_of_standard_input(served: Running, teller: Tell) -> None:
    before = served.signed()
    text = b'{"kind":"x-a"}\n\n  {"kind":"x-a"}  \r\n{"kind":"x-a","id":null}\n{"id":"mine","kind":"x-b"}'
    done = teller("record", "-", stdin=text)
    assert (done.status, done.err) == (0, "")
    assert done.out == "4 lines told: 4 new, 0 repeats.\n"
    again = teller("record", "-", "--json", stdin=text)
    assert json.loads(again.out) == {"told": 4, "repeats": 4, "refused": 0}
    assert served.signed() == before + 4
    empty = teller("record", "-")
    assert (empty.status, empty.out) == (0, "0 lines told: 0 new, 0 repeats.\n")


def test_bad_lines_are_named_by_number_and_harm_no_other(served: Running, teller: Tell, folder: Path) -> None:
    lines = [
        b'{"kind":"x-good","n":1}',
        b"not json",
        b'{"kind":"policy.adopted"}',
        b"",
        b'{"kind":"test.finished"}',
        b'"\xff"',
        b"[1]",
        b'{"kind":"x-large","data":"' + b"x" * 300_000 + b'"}',
        b"{" * 50_000,
        b'{"kind":"x-long","data":"' + b"y" * 3_000_000 + b'"}',
        b'{"kind":"x-good","n":2}',
    ]
    file = folder / "facts.jsonl"
    file.write_bytes(b"\n".join(lines))
    before = served.signed()
    done = teller("import", "jsonl", str(file))
    assert done.status == 3, "the worst of its lines: one that was refused"
    assert [line.partition(":")[0] for line in done.err.splitlines()] == [
        f"line {number}" for number in (2, 3, 5, 6, 7, 8, 9, 10)
    ]
    assert done.out == "2 lines told: 2 new, 0 repeats, 8 refused.\n"
    assert served.signed() == before + 2
    many = b"nonsense\n" * 50
    done = teller("record", "-", stdin=many)
    assert (done.status, len(done.err.splitlines())) == (2, 10), "the first ten are enough"
    assert "50 refused" in done.out


def test_importing_again_repeats_nothing(served: Running, teller: Tell, folder: Path) -> None:
    """Lines without ids that are the same text are told as often as they stand there."""
    file = folder / "facts.jsonl"
    file.write_text('{"kind":"x-same"}\n' * 3 + '{"kind":"x-same","a":1}\n')
    assert teller("import", "jsonl", str(file)).out == "4 lines told: 4 new, 0 repeats.\n"
    assert teller("import", "jsonl", str(file)).out == "4 lines told: 0 new, 4 repeats.\n"
    file.write_text('{"kind":"x-same"}\n' * 5)
    assert teller("import", "jsonl", str(file)).out == "5 lines told: 2 new, 3 repeats.\n"


def test_an_import_that_was_killed_goes_on(served: Running, teller: Tell, folder: Path) -> None:
    file = folder / "facts.jsonl"
    count = 9_000
    file.write_text("".join(f'{{"kind":"x-many","n":{n}}}\n' for n in range(count)))
    token = served.token("reporter", "ci")
    before = served.signed()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploytrail", "import", "jsonl", str(file), "--url", served.url],
        env=surroundings(folder, DEPLOYTRAIL_TOKEN=token),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    end = time.monotonic() + 60
    while served.size() == before and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = teller("import", "jsonl", str(file), "--json")
    said = json.loads(done.out)
    assert (done.status, said["told"], said["refused"]) == (0, count, 0)
    assert 0 < said["repeats"] < count
    assert served.signed() == before + count


# Servers that are no house, or a hostile one.


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers everything with this; its address, and the headers of what it was asked."""
    asked: list[dict[str, str]] = []

    class Hostile(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    # So often it looks whether it is to end; the library's own half a second adds up.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


NASTY = "\x1b]0;owned\x07\x1b[2Jred\u202eder\u2028x\x9b31m"
KEY = "example.org/log+4e933303+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"


def harmless(text: str) -> bool:
    return not any(sign in text for sign in "\x1b\x07\x9b\u202e\u2028")


@pytest.mark.parametrize("status", [200, 201, 403, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"code": NASTY, "detail": NASTY, "index": NASTY}).encode(),
        json.dumps({"code": "forbidden", "detail": NASTY}).encode(),
        json.dumps({"index": 5, "leaf": NASTY, "repeat": True, "detail": NASTY}).encode(),
        b"<html>not a house</html>",
        b"\xff\xfe\x1b[2J",
        b"",
        b"[]",
        b"{}",
    ],
)
def test_hostile_answers_are_harmless_on_a_terminal(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _):
        for arguments in (
            ("record", "x-y"),
            ("record", "x-y", "--json"),
            ("record", "-"),
            ("verify", "--key", KEY),
            ("verify", "--key", KEY, "--json"),
        ):
            done = typed(*arguments, "--url", url, "--token", "dt_secret", stdin=b'{"kind":"x-y"}\n')
            assert harmless(done.out + done.err), arguments
            assert done.status in (0, 1, 2, 3, 5)
            assert done.status != 0 or status < 300
            assert "dt_secret" not in done.out + done.err


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_with_a_token(status: int) -> None:
    with (
        answering(200, b'{"index":1}') as (elsewhere, asked),
        answering(status, b"", Location=elsewhere) as (url, _),
    ):
        for arguments in (("record", "x-y"), ("record", "-"), ("verify", "--key", KEY)):
            done = typed(*arguments, "--url", url, "--token", "dt_secret", stdin=b'{"kind":"x-y"}\n')
            assert done.status == 5
            assert "redirect" in done.err
    assert asked == []


def test_a_token_goes_to_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b'{"index":1}') as (proxy, asked), answering(201, b'{"index":7}') as (url, heard):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("ALL_PROXY", proxy)
        done = typed("record", "x-y", "--url", url, "--token", "dt_secret")
        assert (done.status, done.out) == (0, "Entry 7 holds it.\n")
        assert asked == []
        assert heard[0]["Authorization"] == "Bearer dt_secret"


def test_an_answer_without_an_end_is_cut_off() -> None:
    with answering(200, b"x" * 20_000_000) as (url, _):
        done = typed("record", "x-y", "--url", url)
        assert (done.status, "has more than" in done.err) == (2, True)


def test_a_house_that_stops_recording_ends_the_import() -> None:
    """More lines than one request holds: the second is never made."""
    refusal = {"code": "unavailable", "detail": "The disk is full.", "status": 503, "line": 1}
    with answering(200, (json.dumps(refusal).encode() + b"\n") * 2_000) as (url, asked):
        done = typed("record", "-", "--url", url, stdin=b'{"kind":"x-y"}\n' * 2_001)
        assert done.status == 5
        assert "line 1: The disk is full." in done.err
        assert len(asked) == 1
