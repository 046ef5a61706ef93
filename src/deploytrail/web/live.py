"""The live feed: GET /api/v1/live, server-sent events whose id is the log index.

One task reads what is new, at most ten times a second, and encodes each event once; streams that ask for
the same share the same bytes. A stream that is behind (a resume after a pause) reads the log itself, window
by window, until it has caught up: nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploytrail.app.access import may
from deploytrail.app.house import House
from deploytrail.app.views import Filter, TrailRow
from deploytrail.errors import Refused
from deploytrail.projections.words import outcome
from deploytrail.web import numbers
from deploytrail.web.described import Answer, Described, Word, described
from deploytrail.web.guard import Caller, caller_of
from deploytrail.web.trail import filter_of

diagnostics = logging.getLogger("deploytrail.web")

# Events kept in memory, and entries read at once by a stream that is behind.
_KEPT: Final = 2048
_WINDOW: Final = 512
# Seconds: a comment keeps connections open, and sessions are looked at again.
_KEEP_ALIVE: Final = 15.0
_RECHECK: Final = 2.0
# Seconds of rest for each stream that was woken: waking one takes less than a fifth of it, so that many
# viewers of a busy house leave it the time to record.
_REST: Final = 0.0004
MAX_STREAMS: Final = 2000

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that buffer would hold events back.
    (b"x-accel-buffering", b"no"),
    # A stream that ends takes its connection with it.
    (b"connection", b"close"),
]


class Event(NamedTuple):
    """One entry as the feed tells it: what filters ask by (names as told and as declared), and its frame."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    service: tuple[object, ...]
    environment: tuple[object, ...]
    actor: tuple[object, ...]
    kind: tuple[object, ...]
    outcome: tuple[object, ...]
    frame: bytes


def event_of(row: TrailRow) -> Event:
    """The event of one line of the trail."""
    data = {"index": row.index, "kind": row.kind, "service": row.service, "environment": row.environment}
    frame = b"id: %d\ndata: %s\n\n" % (row.index, msgspec.json.encode(data))
    told = row.fields.get("outcome")
    return Event(
        row.index,
        (row.service, row.fields.get("service")),
        (row.environment, row.fields.get("environment")),
        (row.actor.id,) if row.actor else (),
        (row.kind,),
        (outcome(told),) if isinstance(told, str) else (),
        frame,
    )


def matches(event: Event, wanted: Filter) -> bool:
    """Whether a filter lets an event through; as the trail's own page decides."""
    return all(
        asked in getattr(event, name)
        for name in ("service", "environment", "actor", "kind", "outcome")
        if (asked := getattr(wanted, name)) is not None
    )


class _Key(NamedTuple):
    """By what a caller is known: a person's session or a machine's token."""

    person: bool
    secret: str


def _key(caller: Caller) -> _Key:
    return _Key(caller.session is not None, caller.secret)


class Feed:
    """What all streams share: the newest events, one reader, and the end."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        # Entries below `_from` may be missing from what is kept; those below `size` have been read.
        self._from = 0
        self.size = -1
        self._reader: asyncio.Task[None] | None = None
        self._tick: asyncio.Future[None] | None = None
        self._shared: dict[tuple[Filter, int], bytes] = {}
        self._callers: Counter[_Key] = Counter()
        self._ended: set[_Key] = set()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._callers.total()

    def close(self) -> None:
        """End all streams now and take no more. Safe from any thread, and while a signal is taken."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def events(self, caller: Caller, wanted: Filter, after: int | None) -> AsyncGenerator[bytes, None]:
        """Frames for one stream, from the entry behind `after` (or from now) until somebody ends it."""
        await self._start()
        cursor = self.size - 1 if after is None else after
        quiet_since = asyncio.get_running_loop().time()
        key = _key(caller)
        self._callers[key] += 1
        try:
            yield b"retry: 2000\n: the trail of %s\n\n" % self._house.origin.encode()
            while not self._over(key):
                tick = self._next()
                chunk, cursor = await self._since(wanted, cursor)
                now = asyncio.get_running_loop().time()
                if chunk or now - quiet_since >= _KEEP_ALIVE:
                    quiet_since = now
                    yield chunk or b": still here\n\n"
                if cursor >= self.size - 1:
                    await asyncio.wait([tick], timeout=_KEEP_ALIVE)
            if key in self._ended:
                yield b"event: end\ndata: signed out\n\n"
        finally:
            self._callers[key] -= 1
            if not self._callers[key]:
                del self._callers[key]
                self._ended.discard(key)

    def _over(self, key: _Key) -> bool:
        return self._closed or key in self._ended

    async def _start(self) -> None:
        """Begin to read with the first stream."""
        if self._reading():
            return
        size = await run_in_threadpool(self._house.ask.projected)
        if not self._reading():
            self._loop = asyncio.get_running_loop()
            self._tick = self._loop.create_future()
            self._kept.clear()
            self._from = self.size = size
            self._reader = asyncio.create_task(self._read(), name="live feed")

    def _reading(self) -> bool:
        return (
            self._reader is not None and not self._reader.done() and self._loop is asyncio.get_running_loop()
        )

    def _next(self) -> asyncio.Future[None]:
        assert self._tick is not None
        return self._tick

    def _wake(self) -> None:
        """Let every stream look again."""
        self._shared.clear()
        if self._tick is not None and not self._tick.done():
            self._tick.set_result(None)
        if self._loop is not None:
            self._tick = self._loop.create_future()

    async def _read(self) -> None:
        """Read what is new for as long as there are streams."""
        checked = asyncio.get_running_loop().time()
        idle = 0
        while not self._closed and idle < 30:
            idle = idle + 1 if not self._callers else 0
            try:
                size = await self._house.watch.wait(self.size, _RECHECK)
                if size > self.size:
                    await self._take_in(size)
                now = asyncio.get_running_loop().time()
                if now - checked >= _RECHECK:
                    checked = now
                    await self._look_again()
            except Refused as refusal:
                diagnostics.warning("the live feed waits: %s", refusal.words)
                await asyncio.sleep(1)
            except Exception:
                diagnostics.exception("the live feed stumbled")
                await asyncio.sleep(1)
            else:
                await asyncio.sleep(self.streams * _REST)

    async def _take_in(self, size: int) -> None:
        if size - self.size > _KEPT:
            # Too far to keep it all; streams catch up by themselves.
            self._kept.clear()
            self._from = self.size = size - _KEPT
        while self.size < size:
            stop = min(self.size + _WINDOW, size)
            rows = await run_in_threadpool(self._rows, Filter(), self.size - 1, stop)
            self._kept.extend(event_of(row) for row in rows)
            self.size = stop
        self._from = max(self._from, self.size - _KEPT)
        self._wake()

    def _rows(self, wanted: Filter, after: int, stop: int) -> list[TrailRow]:
        """The lines after < index < stop that match, oldest first."""
        page = self._house.ask.trail(wanted, below=stop, above=after, limit=stop - after)
        return page.rows[::-1]

    async def _since(self, wanted: Filter, cursor: int) -> tuple[bytes, int]:
        """The frames behind `cursor` as far as they are known, and the new cursor."""
        if cursor + 1 >= self._from:
            return self._kept_since(wanted, cursor), max(cursor, self.size - 1)
        stop = min(cursor + 1 + _WINDOW, self.size)
        rows = await run_in_threadpool(self._rows, wanted, cursor, stop)
        return b"".join(event_of(row).frame for row in rows), stop - 1

    def _kept_since(self, wanted: Filter, cursor: int) -> bytes:
        key = (wanted, cursor)
        if key not in self._shared:
            self._shared[key] = b"".join(
                event.frame for event in self._kept if event.index > cursor and matches(event, wanted)
            )
        return self._shared[key]

    async def _look_again(self) -> None:
        """End the streams of those whose session or token is over, asking once for each."""
        over = await run_in_threadpool(self._over_among, list(self._callers))
        if over:
            self._ended |= over & set(self._callers)
            self._wake()

    def _over_among(self, keys: list[_Key]) -> set[_Key]:
        administer = self._house.administer
        over = set()
        for key in keys:
            found = administer.session(key.secret) if key.person else administer.token(key.secret)
            if found is None or not may(found.role, "see"):
                over.add(key)
        return over


class _Stream(Response):
    """An answer of frames. It ends when the reader goes, and leaves no task behind."""

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        super().__init__()
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send frames until they end or the reader is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async with aclosing(self._frames) as frames:
            async for frame in frames:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class LiveQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of the trail, and where to begin."""

    service: Word | None = None
    environment: Word | None = None
    actor: Word | None = None
    kind: Word | None = None
    outcome: Word | None = None
    after: (
        Annotated[int, msgspec.Meta(ge=-1, description="Begin behind this entry; without it, from now.")]
        | None
    ) = None


@described(
    Described(
        section="Follow",
        query=LiveQuery,
        lenient=True,
        headers={"Last-Event-ID": (Annotated[int, msgspec.Meta(ge=-1)], "Go on behind this entry.")},
        answers={
            200: Answer(
                "Frames, until somebody ends them. `id` is the index of the entry, `data` a JSON object with "
                "`index`, `kind`, `service` and `environment`.",
                media="text/event-stream",
            )
        },
    )
)
async def live(request: Request) -> Response:
    """GET /api/v1/live: server-sent events, one for each new entry; `Last-Event-ID` resumes without loss."""
    feed: Feed = request.app.state.web.feed
    if feed.streams >= MAX_STREAMS:
        raise Refused("busy", "Too many live pages are open. Load the page again in a while.")
    resumed = request.headers.get("last-event-id") or request.query_params.get("after")
    after = -1 if resumed == "-1" else numbers.index(resumed, "after") if resumed else None
    return _Stream(feed.events(caller_of(request), filter_of(request), after))
