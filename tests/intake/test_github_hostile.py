"""Hostile bytes and values: either drafts that seal, or Unreadable with words; quickly, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploytrail.intake.delivery import Delivery, Reading, Unreadable
from deploytrail.intake.github import READERS, GitHub
from tests.intake.deliveries import RECEIVED, delivery, own_samples, sample, samples, sealed, told

OWN = [one for one in own_samples() if one.event in READERS]
# One sample for each kind that an event becomes, for what is tried on every value of it.
EACH = list(
    {(one.event, GitHub().read(delivery(one.event, one.body)).drafts[0].kind): one for one in OWN}.values()
)
EVERY = [one for one in samples() if one.event in READERS]

DEEP = 10_000
MANY = 100_000

BODIES = {
    "nothing": b"",
    "blanks": b" \n\t ",
    "only a byte order mark": b"\xef\xbb\xbf",
    "not JSON": b"Hello, World!",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "a text": b'"push"',
    "truncated": sample("push.branch").body[:700],
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a deep repository": b'{"repository":' * DEEP + b"1" + b"}" * DEEP,
    "many keys": b"{" + b",".join(b'"k%d":1' % place for place in range(MANY)) + b"}",
    "many keys inside": b'{"changes":{'
    + b",".join(b'"k%d":{"from":1}' % place for place in range(MANY))
    + b"}}",
    "keys in many objects": b'{"commits":[' + b",".join([b'{"a":1}'] * MANY) + b"]}",
    "not UTF-8": b'{"ref":"\xff\xfe"}',
    "overlong UTF-8": b'{"ref":"\xc0\xa0"}',
    "surrogate in UTF-8": b'{"ref":"\xed\xa0\x80"}',
    "lone surrogate": b'{"ref":"\\ud800"}',
    "reversed surrogates": b'{"ref":"\\udc00\\ud800"}',
    "UTF-16": json.dumps({"ref": "refs/heads/main"}).encode("utf-16"),
    "a huge integer": b'{"number":' + b"9" * 100_000 + b"}",
    "a huge float": b'{"number":1e99999}',
    "not a number": b'{"number":NaN}',
    "a form without payload": b"body=%7B%7D",
    "an empty form": b"payload=",
    "a form of nonsense": b"payload=%ff%fe%",
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "zeros": b"\x00" * 1_000,
}


def heard(sent: Delivery) -> Reading | Unreadable:
    """The reading or the one error that there may be."""
    try:
        return GitHub().read(sent)
    except Unreadable as error:
        return error


def read(event: str, body: bytes, **headers: str) -> Reading | None:
    """The reading, every draft of it sealed and checked; None if it is unreadable in words."""
    found = heard(delivery(event, body, **headers))
    assert found.event == event
    assert found.delivery_id
    if isinstance(found, Unreadable):
        assert found.code == "bad-input"
        assert 10 < len(found.words) < 300
        assert found.words.isprintable()
        return None
    assert found.drafts
    for draft in found.drafts:
        sealed(draft)
    return found


@pytest.mark.parametrize("event", sorted(READERS))
@pytest.mark.parametrize("name", sorted(BODIES))
def test_hostile_bodies_are_unreadable(event: str, name: str) -> None:
    assert read(event, BODIES[name]) is None


@pytest.mark.parametrize("name", sorted(BODIES))
def test_hostile_bodies_of_events_that_are_not_read_are_set_aside(name: str) -> None:
    assert GitHub().read(delivery("star", BODIES[name])).reason == "not read yet: star"


@pytest.mark.parametrize("event", sorted(READERS))
def test_an_empty_object_says_too_little(event: str) -> None:
    alone = (
        "ping",
        "member",
        "team",
        "membership",
        "organization",
        "branch_protection_rule",
        "repository_ruleset",
    )
    assert (read(event, b"{}") is None) is (event not in alone)


def test_no_headers_at_all() -> None:
    reading = GitHub().read(Delivery(source="our-github", headers={}, body=b"{}", received_at=RECEIVED))
    assert (reading.event, reading.delivery_id) == ("unknown", None)


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_a_sample_cut_anywhere_is_unreadable(one: Any) -> None:
    for at in range(1, len(one.body.rstrip()) - 1, max(1, len(one.body) // 23)):
        assert read(one.event, one.body.rstrip()[:at]) is None


# One value at a time.

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "nothing": "",
    "beyond 64 bits": 2**70,
    "a float": 1.5,
    "a list": [],
    "objects": {"a": {"login": {}}},
    "zeros": "0" * 40,
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values inside a value, containers included."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += leaves(one, (*path, key))
    return found


def put(body: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace the value at a path, in place."""
    for key in path[:-1]:
        body = body[key]
    body[path[-1]] = value


@pytest.mark.parametrize("name", sorted(VALUES))
def test_any_value_may_stand_anywhere(name: str) -> None:
    for one in EACH:
        whole = one.decoded()
        for path in leaves(whole):
            body = copy.deepcopy(whole)
            put(body, path, VALUES[name])
            read(one.event, json.dumps(body).encode())


@pytest.mark.parametrize("name", sorted(VALUES))
def test_one_value_everywhere(name: str) -> None:
    for one in OWN:
        whole = one.decoded()
        for depth in (1, 2, 3):
            body = copy.deepcopy(whole)
            for path in [path for path in leaves(whole) if len(path) == depth]:
                put(body, path, VALUES[name])
            read(one.event, json.dumps(body).encode())


# Texts.

HOSTILE = {
    "HTML": "<script>alert('&lt;')</script>",
    "ANSI": "\x1b[2J\x1b]0;title\x07",
    "bidi": "\u202eevil\u2066\u200b\ufeff",
    "CSV": '=HYPERLINK("http://example.invalid","x")',
    "SQL": "'; DROP TABLE entry; --",
    "zero": "a\x00b",
    "lines": "a\r\nb\u2028c",
    "braces": "{{7*7}}${7*7}%s%n",
}

# Where people write as they like: sample, path in the body, place in the told draft.
FREE = [
    ("push.branch", ("commits", 0, "message"), ("data", "commits", 0, "title")),
    ("push.branch", ("commits", 0, "added", 0), ("data", "commits", 0, "paths", 0)),
    ("push.branch", ("commits", 0, "author", "name"), ("data", "commits", 0, "author", "name")),
    ("push.branch", ("commits", 0, "author", "email"), ("data", "commits", 0, "author", "email")),
    ("push.branch", ("ref",), ("data", "ref")),
    ("push.branch", ("sender", "login"), ("actor", "login")),
    ("pull_request.opened", ("pull_request", "title"), ("data", "title")),
    ("pull_request.opened", ("pull_request", "head", "ref"), ("data", "ref")),
    ("pull_request.opened", ("pull_request", "html_url"), ("data", "url")),
    ("pull_request_review.approved", ("review", "body"), ("data", "comment")),
    ("check_run.completed", ("check_run", "name"), ("data", "name")),
    ("check_run.completed", ("check_run", "output", "summary"), ("data", "summary")),
    ("status.success", ("context",), ("data", "name")),
    ("status.success", ("description",), ("data", "title")),
    ("workflow_run.completed", ("workflow", "name"), ("data", "name")),
    ("workflow_run.completed", ("workflow_run", "display_title"), ("data", "title")),
    ("workflow_job.completed", ("workflow_job", "name"), ("data", "name")),
    ("workflow_job.completed", ("workflow_job", "runner_name"), ("data", "runner")),
    ("workflow_job.completed", ("workflow_job", "steps", 0, "name"), ("data", "steps", 0, "name")),
    ("workflow_job.completed", ("workflow_job", "labels", 0), ("data", "tags", 0)),
    ("deployment.created", ("deployment", "environment"), ("data", "environment")),
    ("deployment.created", ("deployment", "description"), ("data", "description")),
    ("deployment.created", ("deployment", "task"), ("data", "task")),
    ("deployment.created", ("deployment", "payload", "requested_for"), ("free", "requested_for")),
    ("deployment_status.success", ("deployment_status", "log_url"), ("data", "log_url")),
    ("deployment_review.approved", ("comment",), ("data", "comment")),
    ("release.published", ("release", "tag_name"), ("data", "tag")),
    ("release.published", ("release", "name"), ("data", "title")),
    ("create.branch", ("ref",), ("data", "ref")),
    ("member.edited", ("member", "login"), ("data", "member", "login")),
    ("membership.added", ("team", "slug"), ("data", "name")),
    ("branch_protection_rule.edited", ("rule", "name"), ("data", "name")),
    ("ping.hook", ("hook", "config", "url"), ("data", "url")),
]


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize(
    ("name", "path", "place"),
    FREE,
    ids=lambda value: str(value) if isinstance(value, str) else ".".join(map(str, value)),
)
def test_hostile_text_survives_as_text(
    name: str, path: tuple[Any, ...], place: tuple[Any, ...], kind: str
) -> None:
    one = sample(name)
    body = one.decoded()
    put(body, path, HOSTILE[kind])
    reading = read(one.event, json.dumps(body).encode())
    assert reading is not None
    found: Any = told(reading.drafts[0])
    for key in place:
        found = found[key]
    title = path[-1] == "message"
    assert found == (HOSTILE[kind].partition("\n")[0].rstrip("\r") if title else HOSTILE[kind])


# Size.

LONG = {
    "letters": "x" * 70_000,
    "controls": "\x01" * 70_000,
    "wide": "\U0001f600" * 70_000,
    "growing": "\U0001d160" * 70_000,
    "marks": "\u0301\u0316" * 35_000,
    "quotes": '"\\' * 35_000,
    "lines": "a\nCo-authored-by: x <x@example.org>" * 2_000,
}


def _everywhere(value: Any, text: str, times: int) -> Any:
    """The same shape with every free text long, and every list many times as long."""
    if isinstance(value, dict):
        return {name: _everywhere(inner, text, times) for name, inner in value.items()}
    if isinstance(value, list):
        return [_everywhere(inner, f"{place}{text}", 1) for place in range(times) for inner in value]
    if isinstance(value, str) and not _shaped(value):
        return text
    return value


def _shaped(text: str) -> bool:
    """A commit's name, a time, or one of the short words that choose a reader's way."""
    return (
        len(text) == 40
        or text[:4].isdigit()
        or text in ("completed", "closed", "approved", "branch", "tag", "Team")
    )


@pytest.mark.parametrize("name", sorted(LONG))
@pytest.mark.parametrize("one", EACH, ids=lambda one: one.name)
def test_texts_and_lists_of_any_length_still_fit_an_entry(one: Any, name: str) -> None:
    body = _everywhere(one.decoded(), LONG[name][:2_000], 60)
    assert read(one.event, json.dumps(body).encode()) is not None


@pytest.mark.parametrize("name", sorted(LONG))
def test_one_text_of_any_length(name: str) -> None:
    for sample_name, path, _ in FREE:
        one = sample(sample_name)
        body = one.decoded()
        put(body, path, LONG[name])
        assert read(one.event, json.dumps(body).encode()) is not None


# Anything.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _deep(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = {"login": value, "from": [value] if depth < 8 else None}
    return value


MUTATIONS: list[Callable[[Random, Any], Any]] = [
    lambda random, value: None,
    lambda random, value: [value],
    lambda random, value: {"id": value, "sha": value, "login": value},
    lambda random, value: str(value),
    lambda random, value: _deep(value, random.randrange(1, 200)),
    lambda random, value: value * 3 if isinstance(value, str | list) else -1,
    lambda random, value: random.choice([2**64, -(2**40), 1e300, True, "\ud7ff\ufffe", "a" * 600]),
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EVERY), st.randoms(use_true_random=False), json_values)
def test_mutated_samples_seal_or_are_unreadable(one: Any, random: Random, other: Any) -> None:
    body = one.decoded()
    for _ in range(random.randrange(1, 6)):
        paths = leaves(body)
        if not paths:
            break
        path = random.choice(paths)
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        choice = random.randrange(len(MUTATIONS) + 2)
        if choice == len(MUTATIONS):
            del holder[path[-1]]
        elif choice > len(MUTATIONS):
            # A copy: the same object put inside itself would be a circle, which JSON cannot say.
            holder[path[-1]] = copy.deepcopy(other)
        else:
            holder[path[-1]] = MUTATIONS[choice](random, holder[path[-1]])
    read(one.event, json.dumps(body).encode("utf-8", "surrogatepass"))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EVERY), st.randoms(use_true_random=False))
def test_mutated_bytes_seal_or_are_unreadable(one: Any, random: Random) -> None:
    body = bytearray(one.body)
    for _ in range(random.randrange(1, 8)):
        place = random.randrange(len(body))
        body[place : place + random.randrange(3)] = random.randbytes(random.randrange(3))
    event = random.choice([one.event, *sorted(READERS)])
    read(event, bytes(body))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(READERS)), json_values)
def test_any_json_seals_or_is_unreadable(event: str, value: Any) -> None:
    read(event, json.dumps(value).encode())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*sorted(READERS), "star"]), st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_and_headers(event: str, body: bytes, text: str) -> None:
    found = heard(delivery(event, body, content_type=text, x_github_delivery=text))
    assert found.event == event
    for draft in found.drafts if isinstance(found, Reading) else ():
        sealed(draft)
