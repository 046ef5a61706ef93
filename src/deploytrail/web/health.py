"""Liveness, readiness, and figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from deploytrail.app.house import House
from deploytrail.errors import Refused
from deploytrail.web.context import Context

_Labels = tuple[tuple[str, str], ...]


def alive(request: Request) -> Response:
    """GET /healthz: the process answers."""
    return PlainTextResponse("alive\n")


def ready(request: Request) -> Response:
    """GET /readyz: 200 if the house can record now, else 503 with the reason."""
    house = request.app.state.web.house
    words = house.readonly or house.recorder.closed or _unwilling(house)
    return PlainTextResponse(f"not ready: {words}\n", 503) if words else PlainTextResponse("ready\n")


def _unwilling(house: House) -> str | None:
    """Why a house that is not closed takes nothing now: its disk is full, or its database is away."""
    try:
        house.log.head()
        full = house.capacity.full()
    except Refused as refusal:
        return refusal.words
    return full.words if full else None


def metrics(request: Request) -> Response:
    """GET /metrics, in the text form of Prometheus."""
    text = "".join(_figures(request.app.state.web))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _figures(web: Context) -> Iterator[str]:
    house = web.house
    signed = house.log.checkpoint()
    yield from _figure("log_entries", "gauge", "Entries in the log.", house.log.head().size)
    yield from _figure(
        "log_signed_entries", "gauge", "Entries in the newest checkpoint.", signed.size if signed else 0
    )
    size, now = house.log.head().size, house.clock.now()
    checkpoint, disk = house.status.checkpoint(size, now), house.capacity.view()
    yield from _figure(
        "checkpoint_unsigned_seconds",
        "gauge",
        "How long the oldest unsigned entry waits.",
        checkpoint.waiting_ms // 1000,
    )
    if checkpoint.signed_at is not None:
        age = max(0, now - checkpoint.signed_at) // 1000
        yield from _figure("checkpoint_age_seconds", "gauge", "How long ago the newest was signed.", age)
    followers = house.status.followers(size, now)
    yield from _family(
        "follower_lag_entries",
        "gauge",
        "Entries a follower is behind.",
        {(("follower", each.name),): each.behind for each in followers},
    )
    yield from _family(
        "follower_lag_seconds",
        "gauge",
        "How long the oldest entry that it has not seen waits.",
        {(("follower", each.name),): each.behind_ms // 1000 for each in followers},
    )
    yield from _family(
        "follower_stopped",
        "gauge",
        "1 if a follower has stopped.",
        {(("follower", each.name),): int(bool(each.words)) for each in followers},
    )
    yield from _family(
        "disk_bytes",
        "gauge",
        "Bytes on the disk.",
        {(("part", name),): count for name, count in disk.parts.items()},
    )
    if disk.free is not None:
        yield from _figure("disk_free_bytes", "gauge", "Bytes free where the log lies.", disk.free)
    if disk.full_in_ms is not None:
        seconds = disk.full_in_ms // 1000
        yield from _figure("disk_full_seconds", "gauge", "Time until nothing more is taken.", seconds)
    yield from _figure("projected_entries", "gauge", "Entries the pages know of.", house.ask.projected())
    yield from _figure("live_streams", "gauge", "Live pages open.", web.feed.streams)
    yield from _figure(
        "recording", "gauge", "1 if the house records.", int(not (house.readonly or house.recorder.closed))
    )
    refused: dict[_Labels, int] = {
        (("source", name),): count for name, count in sorted(house.receiver.refused.items())
    }
    yield from _family("deliveries_refused_total", "counter", "Deliveries no live secret signed.", refused)
    # Open to all: names of tokens are for administrators, on the status page.
    slowed: Counter[_Labels] = Counter()
    for (limit, sender), count in house.limits.refused.copy().items():
        of = sender if limit.startswith("deliver") else ""
        slowed[(("limit", limit), ("sender", of))] += count
    yield from _family("refusals_total", "counter", "Requests beyond the limit of their sender.", slowed)
    answers: dict[_Labels, int] = {
        (("method", method), ("path", path), ("status", str(status))): count
        for (method, path, status), count in sorted(web.answers.items())
    }
    yield from _family("http_answers_total", "counter", "Answers by route.", answers)


def _figure(name: str, type_: str, words: str, value: int) -> Iterator[str]:
    yield from _family(name, type_, words, {(): value})


def _family(name: str, type_: str, words: str, values: Mapping[_Labels, int]) -> Iterator[str]:
    """One figure with its labels, as Prometheus reads it."""
    yield f"# HELP deploytrail_{name} {words}\n# TYPE deploytrail_{name} {type_}\n"
    for labels, value in values.items():
        inner = ",".join(f'{label}="{_quoted(text)}"' for label, text in labels)
        yield f"deploytrail_{name}{{{inner}}} {value}\n" if inner else f"deploytrail_{name} {value}\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
