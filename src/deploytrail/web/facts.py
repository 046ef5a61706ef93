"""Facts in: POST /api/v1/facts, one JSON object or up to 100,000 lines of them.

Lines stand alone: a bad one is answered with a problem and harms no other. Answers are sent after the last
line has come in, so that a sender who reads only then can never be stuck; until then each line costs a few
bytes here, whatever its own size.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from deploytrail.app.access import PEOPLE, demand_scope
from deploytrail.app.house import House
from deploytrail.app.ports import Placed
from deploytrail.errors import Refused
from deploytrail.facts import told
from deploytrail.facts.draft import Draft
from deploytrail.web import body
from deploytrail.web.context import Context
from deploytrail.web.described import JSON, NDJSON, Answer, Described, described
from deploytrail.web.guard import PATIENCE, Caller, caller_of, demand_space, projected, teller
from deploytrail.web.numbers import base64
from deploytrail.web.problems import problem

MAX_BYTES: Final = 64 * 2**20
MAX_LINES: Final = 100_000
# Lines read, sealed and handed in together.
_BATCH: Final = 500
_WEIGHT: Final = 2**20
_PART: Final = 2**16
# What a request of many facts holds in memory at most while it comes in: two batches, and what is at hand.
_HELD: Final = 4 * 2**20
# Seconds that one request of many facts may take to come in.
_LONGEST: Final = 600.0
_KEY: Final = re.compile(r"[\x21-\x7e]{1,180}")
_WAITS: Final = ("durable", "signed", "projected")


class Fact(msgspec.Struct, frozen=True):
    """One fact in its direct form."""

    kind: str


class FactPlaced(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a fact stands: the index of its entry, and its leaf hash in base64. `repeat`: it stood there
    before. `reached`: how far it came, of what was waited for.
    """

    index: int
    leaf: str
    repeat: bool = False
    reached: Literal["durable", "signed", "projected"] | None = None


class TellQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How far to wait."""

    wait: Annotated[
        Literal["durable", "signed", "projected"],
        msgspec.Meta(description="Answer when it is durable, or wait until it is signed or projected."),
    ] = "durable"


_EXAMPLE: Final = {
    "kind": "deployment.finished",
    "id": "build-7",
    "deployment": "build-7",
    "service": "checkout",
    "environment": "production",
    "version": "1.42.0",
    "outcome": "succeeded",
    "occurred_at": "2026-03-17T14:30:05Z",
    "actor": {"login": "ada", "email": "ada@example.org"},
}


@described(
    Described(
        section="Tell",
        query=TellQuery,
        lenient=True,
        bodies={JSON: Fact, NDJSON: Fact},
        body_words=(
            "One JSON object, at most 256 KiB; or one on each line, at most 100,000 lines and 64 MiB. Lines "
            "stand alone: each is answered with one line, in order: where it stands, or a problem with its "
            "`line`."
        ),
        body_example={
            JSON: _EXAMPLE,
            NDJSON: msgspec.json.encode(_EXAMPLE).decode()
            + '\n{"kind": "x-canary.moved", "id": "canary-1", "service": "checkout"}\n',
        },
        headers={
            "Idempotency-Key": (
                Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,180}$")],
                "The `id` of facts that have none; of the lines of NDJSON KEY/NUMBER.",
            )
        },
        answers={
            201: Answer("It is recorded.", FactPlaced),
            200: Answer(
                "It is a repeat, and stood there before; or, of NDJSON, a line for each.", FactPlaced
            ),
        },
        refuses=("conflict", "too-large"),
    )
)
async def tell(request: Request) -> Response:
    """POST /api/v1/facts: tell one fact, or many as NDJSON. Its source is the token, never a field."""
    wait = request.query_params.get("wait", "durable") if request.scope["query_string"] else "durable"
    if wait == "witnessed":
        raise Refused(
            "bad-input", "No witness is configured yet, so nothing can be witnessed. Wait for signed."
        )
    if wait not in _WAITS:
        raise Refused("bad-input", "wait must be durable, signed or projected.")
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Refused("bad-input", "An Idempotency-Key has 1 to 180 visible ASCII characters.")
    caller = caller_of(request)
    await _demand_pace(request, caller)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return await _many(request, caller, key, wait)
    return await _one(request, caller, key, wait)


async def _demand_pace(request: Request, caller: Caller) -> None:
    """Refused before the body is read: a token that tells too much, or a full disk."""
    house: House = request.app.state.web.house
    source = _source(caller)
    house.limits.demand("facts", source)
    house.limits.demand("fact-bytes", source)
    await demand_space(house)


def _charge(house: House, caller: Caller, lines: int, size: int) -> None:
    house.limits.charge("facts", _source(caller), lines)
    house.limits.charge("fact-bytes", _source(caller), size)


async def _one(request: Request, caller: Caller, key: str | None, wait: str) -> Response:
    web: Context = request.app.state.web
    house = web.house
    shares = [web.share(*teller(caller))]
    line = await body.read(request, told.MAX_TOLD, "A fact", web.room, shares)
    _charge(house, caller, 1, len(line))
    draft = _draft(house, caller, line, key)
    placed = await web.gathered.record(draft, len(line))
    leaf = placed.leaf
    if leaf is None:
        leaf = await run_in_threadpool(house.log.leaves, placed.index, placed.index + 1)
    answer = FactPlaced(
        index=placed.index,
        leaf=base64(leaf),
        repeat=placed.repeat,
        reached=None if wait == "durable" else await _reach(house, placed.index, wait),
    )
    return Response(
        msgspec.json.encode(answer),
        200 if placed.repeat else 201,
        headers={"Deploytrail-Index": str(placed.index)},
        media_type="application/json",
    )


async def _reach(house: House, index: int, wait: str) -> Any:
    """Wait until the entry is signed or projected; how far it came before patience ended."""
    if wait == "signed":
        there = await run_in_threadpool(house.sealer.wait, index + 1, PATIENCE)
    else:
        there = await projected(house, index, PATIENCE) >= index
    return wait if there else "durable"


async def _many(request: Request, caller: Caller, key: str | None, wait: str) -> Response:
    """Read and record line by line, then answer line by line."""
    web: Context = request.app.state.web
    house = web.house
    declared = body.declared(request)
    if declared > MAX_BYTES:
        await body.read(request, MAX_BYTES, "A request of many facts")
    intake = _Intake(house, caller, key)
    cut = _Cut()
    held = min(declared or _HELD, _HELD)
    shares = [web.share(*teller(caller))]
    if not web.room.take(held, shares):
        raise body.no_room()
    try:
        async for batch in _batches(request, cut):
            await intake.take(batch)
        await intake.settle()
    finally:
        web.room.give(held, shares)
    if cut.slow:
        raise Refused(
            "bad-input",
            f"The rest did not come within {body.SECONDS:.0f} s. The first {len(intake.answers):,} lines "
            "were taken in; send the rest in another request.",
        )
    if cut.short:
        raise Refused(
            "too-large",
            f"One request may have {MAX_BYTES:,} bytes and {MAX_LINES:,} lines. "
            f"The first {len(intake.answers):,} lines were taken in; send the rest in another request.",
        )
    if wait != "durable" and intake.newest >= 0:
        await _reach(house, intake.newest, wait)
    headers = {"Deploytrail-Index": str(intake.newest)} if intake.newest >= 0 else {}
    return StreamingResponse(_chunks(intake.answers), headers=headers, media_type="application/x-ndjson")


async def _chunks(answers: Sequence[bytes]) -> AsyncIterator[bytes]:
    for at in range(0, len(answers), 1000):
        yield b"".join(answers[at : at + 1000])


class _Pending(NamedTuple):
    """A batch of lines under way: what each was read as, and what becomes of those that are facts."""

    read: Sequence[Draft | Refused]
    recorded: Future[list[Placed | Refused]]


class _Intake:
    """Takes batches of lines in and keeps one answer per line, in order. At most two are under way."""

    def __init__(self, house: House, caller: Caller, key: str | None) -> None:
        self._house, self._caller, self._key = house, caller, key
        self._pending: _Pending | None = None
        self._lines = 0
        self.answers: list[bytes] = []
        self.newest = -1

    async def take(self, lines: list[bytes | None]) -> None:
        """Hand in a batch, then settle the one before. None stands for a line that was too long."""
        _charge(self._house, self._caller, len(lines), sum(len(line or b"") for line in lines))
        pending = await run_in_threadpool(self._hand_in, lines)
        await self.settle()
        self._pending = pending

    async def settle(self) -> None:
        """Answer what is under way."""
        pending, self._pending = self._pending, None
        if pending is not None:
            self.answers += await run_in_threadpool(self._answer, pending, len(self.answers))

    def _hand_in(self, lines: list[bytes | None]) -> _Pending:
        read: list[Draft | Refused] = []
        for line in lines:
            self._lines += 1
            read.append(self._read(line))
        drafts = [draft for draft in read if isinstance(draft, Draft)]
        size = sum(len(line or b"") for line in lines)
        return _Pending(read, self._house.recorder.record_each(drafts, size=size))

    def _read(self, line: bytes | None) -> Draft | Refused:
        if line is None:
            return Refused("too-large", f"One fact may have {told.MAX_TOLD:,} bytes; this line has more.")
        key = f"{self._key}/{self._lines}" if self._key else None
        try:
            return _draft(self._house, self._caller, line, key)
        except Refused as refusal:
            # A new one, without the trace that would keep the whole line in memory.
            return Refused(refusal.code, refusal.words)

    def _answer(self, pending: _Pending, before: int) -> list[bytes]:
        recorded = iter(pending.recorded.result())
        placed = [each if isinstance(each, Refused) else next(recorded) for each in pending.read]
        there = [each for each in placed if isinstance(each, Placed)]
        self.newest = max([self.newest, *(each.index for each in there)])
        leaves = {each.index: base64(each.leaf) for each in there if each.leaf is not None}
        leaves |= _leaves(self._house, [each.index for each in there if each.index not in leaves])
        return [_line(each, before + place + 1, leaves) for place, each in enumerate(placed)]


def _line(each: Placed | Refused, number: int, leaves: dict[int, str]) -> bytes:
    if isinstance(each, Refused):
        return msgspec.json.encode(problem(each, line=number)) + b"\n"
    answer = FactPlaced(index=each.index, leaf=leaves[each.index], repeat=each.repeat)
    return msgspec.json.encode(answer) + b"\n"


def _leaves(house: House, indices: list[int]) -> dict[int, str]:
    """Leaf hashes by index, in as few questions as the indices allow."""
    found: dict[int, str] = {}
    for start, stop in _runs(sorted(set(indices))):
        data = house.log.leaves(start, stop)
        found.update({start + n: base64(data[n * 32 : n * 32 + 32]) for n in range(len(data) // 32)})
    return found


def _runs(indices: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of indices that lie close together, each as start and stop."""
    start = stop = -1
    for index in indices:
        if start >= 0 and index - stop < 16:
            stop = index + 1
            continue
        if start >= 0:
            yield start, stop
        start, stop = index, index + 1
    if start >= 0:
        yield start, stop


class _Cut:
    """Whether a body had more than one request may have, or its rest did not come."""

    short = slow = False


async def _batches(request: Request, cut: _Cut) -> AsyncIterator[list[bytes | None]]:
    """The lines of a body in batches of at most 500 lines and about a megabyte, up to the limits."""
    lines = _Lines()
    batch: list[bytes | None] = []
    count = size = weight = 0
    async for part in _parts(request, cut):
        size += len(part)
        if cut.short or size > MAX_BYTES:
            # Read on without keeping anything, so that the sender hears the answer.
            cut.short = True
            continue
        for line in lines.feed(part):
            count += 1
            if count > MAX_LINES:
                cut.short = True
                break
            batch.append(line)
            weight += len(line or b"")
            if len(batch) == _BATCH or weight > _WEIGHT:
                yield batch
                batch, weight = [], 0
    if not cut.short:
        last = lines.end()
        cut.short = bool(last) and count == MAX_LINES
        batch += [] if cut.short else last
    if batch:
        yield batch


async def _parts(request: Request, cut: _Cut) -> AsyncIterator[bytes]:
    """The body in small parts, however large the server's chunks are, for as long as it goes on coming."""
    chunks = request.stream()
    loop = asyncio.get_running_loop()
    end = loop.time() + _LONGEST
    while not cut.slow:
        chunk: bytes | None = None
        try:
            async with asyncio.timeout_at(min(end, loop.time() + body.SECONDS)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            cut.slow = True
        if chunk is None:
            return
        for at in range(0, len(chunk), _PART):
            yield chunk[at : at + _PART]


class _Lines:
    """Cuts chunks into lines. Of a line that is too long nothing is kept; None stands for it."""

    def __init__(self) -> None:
        self._rest = b""
        self._over = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that this chunk completes."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        found = [self._line(line) for line in whole]
        if len(rest) > told.MAX_TOLD + 1:
            self._over, rest = True, b""
        self._rest = rest
        return found

    def end(self) -> list[bytes | None]:
        """The last line, if it did not end in a line end."""
        return [self._line(self._rest)] if self._rest or self._over else []

    def _line(self, line: bytes) -> bytes | None:
        over, self._over = self._over, False
        line = line.removesuffix(b"\r")
        return None if over or len(line) > told.MAX_TOLD else line


def _draft(house: House, caller: Caller, line: bytes, key: str | None) -> Draft:
    """The draft of one line, if the caller may tell it."""
    draft = told.parse(line, source=_source(caller), received_at=house.clock.now())
    if draft.id is None and key is not None:
        draft = msgspec.structs.replace(draft, id=key)
    if caller.grant is not None:
        demand_scope(caller.grant, draft)
    return draft


def _source(caller: Caller) -> str:
    """Who told it: the authenticated sender, never a field of the fact."""
    return caller.grant.name if caller.grant is not None else PEOPLE
