"""Entries and disclosures as they are kept: packed with Zstandard against a text of what they often say.

What is hashed, signed and disclosed are always the canonical bytes themselves; packing only saves room. The
canonical bytes of both begin with a brace, packed ones with the number of their text, so that what was kept
before there was packing is read as it is. A text that was used once stays here for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import zstandard

from deploytrail.errors import Refused
from deploytrail.facts.canonical import MAX_ENTRY

# As much as three bytes can say; a larger disclosure is kept as it is.
MAX_OPENED: Final = 2**24 - 1
_LEVEL: Final = 3
# Half of a disclosure is salts and names, of which no more effort makes less.
_QUICK: Final = 1
_MARK: Final = b"\x01"
_HEAD: Final = 4
# From so many on it is cheaper to pack them together.
_MANY: Final = 4
_FRAMES: Final = zstandard.FORMAT_ZSTD1_MAGICLESS

# Rare things first: what stands nearer to the end is cheaper to point at.
_SAID: Final = (
    b'{"attribution":"unknown","data":{"commitment":"","delivery_id":"","event":"","reason":"","size":'
    b'"incident":"","title":{"c":"running":[{"digest":"sha256:","image":"","replicas":1,"service":""}]'
    b'"expires_at":"2026-","role":"administrator","session":"x_","subjects":["session:x_","token:t_","actor:s_"]'
    b'"control":"","before":"","setting":"","tag":"v1.","draft":false,"prerelease":false,"action":"published"'
    b'"kind":"incident.resolved","kind":"environment.changed","kind":"control.changed","kind":"release.published"'
    b'"kind":"environment.snapshot","kind":"artifact.published","kind":"session.ended","kind":"ref.moved"'
    b'"kind":"pipeline.started","kind":"pipeline.finished","kind":"job.started","kind":"job.finished"'
    b'"action":"completed","annotations":0,"attempt":1,"app":"github-actions","changes":[],"duration_ms":'
    b'"name":"","number":,"owner":{"id":"s_","path":".github/workflows/","trigger":"push","triggered_by":'
    b'"run":"","started_at":"2026-","status":"success","workflows":["","passed":0,"failed":0,"skipped":0'
    b'"required":true,"summary":{"c":"="},"text":{"c":"="},"kind":"build.finished","kind":"check.finished"'
    b'"kind":"test.finished","outcome":"failed","outcome":"cancelled","kind":"check.started"'
    b'"additions":,"base":"main","base_sha":"","deletions":,"files":,"head":"","merge_sha":"","merged_at":"2026-'
    b'"merged_by":{"id":"s_","login":{"c":"="}},"reviewer":{"id":"s_","reviewers":[{"id":"s_","login":{"c":"'
    b'"submitted_at":"2026-","verdict":"approved","comment":{"c":"="},"kind":"change.opened"'
    b'"kind":"change.reviewed","kind":"change.merged","subjects":["change:github.com/#"'
    b'"after":"","before":"","commits":[{"author":{"email":{"c":"="},"id":"s_","login":{"c":"="},"name":{"c":"'
    b'="}},"co_authors":[],"committed_at":"2026-","committer":{"email":{"c":"="},"id":"s_","parents":["'
    b'"paths":["src/","sha":"","signed":false,"title":{"c":"="}}],"created":false,"forced":false'
    b'"ref":"refs/heads/main","kind":"commit.pushed","bot":true,"delivery":"=","id":"k_","unknown":{"c":"="}'
    # Disclosures: path to salt and value.
    b'{"actor.email":["=","@"],"actor.login":["=",""],"actor.name":["="," "],"data.title":["=",""],'
    b'"data.commits.0.title":["=","data.commits.0.author.name":["=","data.author.login":["=",'
    b'"data.description":["=","data.ref":["=","data.log_url":["=","data.url":["=","https://github.com/'
    b'actions/runs/"],"free":["=","{\\"\\":\\"\\",\\"\\":{\\"\\":"],"unknown":["=","{\\"'
    b'labels":["=",{"team":"","region":"","cluster":"","runner":"","trace":"","change":""}]}'
    # The commonest entry, whole.
    b'{"actor":{"email":{"c":"="},"id":"s_","login":{"c":"="},"name":{"c":"="}},"attribution":"authenticated",'
    b'"attribution":"asserted","data":{"artifact":"sha256:","commits":[{"repository":"github.com/","sha":""}],'
    b'"creator":{"bot":true,"id":"s_","login":{"c":"="}},"deployment":"","description":{"c":"="},'
    b'"duration_ms":000,"environment":"production","environment":"staging","log_url":{"c":"="},'
    b'"outcome":"succeeded","ref":"main","repository":"github.com/","run":"","service":"","status":"success",'
    b'"type":"forward","type":"rollback","url":{"c":"="},"version":"1.0.0"},"free":{"c":"="},"id":"",'
    b'"kind":"deployment.started","kind":"deployment.step","kind":"deployment.finished","labels":{"c":"="},'
    b'"occurred_at":"2026-01-01T00:00:00Z","received_at":"2026-01-01T00:00:00.000Z","source":"",'
    b'"subjects":["run:/production","deployment:","service:","environment:","artifact:sha256:",'
    b'"repository:github.com/","pipeline:","commit:","actor:s_"],"v":1}'
)


class _Tools(threading.local):
    """One of each for every thread: they may not be used by two at once."""

    def __init__(self) -> None:
        self.packers = {level: _packer(level) for level in (_LEVEL, _QUICK)}
        self.unpack = zstandard.ZstdDecompressor(dict_data=_text(), format=_FRAMES).decompress


def _text() -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(_SAID, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _packer(level: int) -> zstandard.ZstdCompressor:
    said = _text()
    said.precompute_compress(level=level)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, format=_FRAMES, write_checksum=False, write_dict_id=False, write_content_size=False
    )
    return zstandard.ZstdCompressor(dict_data=said, compression_params=parameters)


_tools: Final = _Tools()


def pack(data: bytes, *, quickly: bool = False) -> bytes:
    """Canonical bytes as they are kept: the number of the text, the size as three bytes, and a frame."""
    return pack_all([data], quickly=quickly)[0]


def pack_all(some: Sequence[bytes], *, quickly: bool = False) -> list[bytes]:
    """Many at once: other threads are let in once, not at each of them."""
    packer = _tools.packers[_QUICK if quickly else _LEVEL]
    if len(some) < _MANY or not all(0 < len(data) <= MAX_OPENED for data in some):
        return [_kept(data, packer.compress(data)) for data in some]
    frames: Any = packer.multi_compress_to_buffer(list(some))
    return [_kept(data, frame.tobytes()) for data, frame in zip(some, frames, strict=True)]


def _kept(data: bytes, frame: bytes) -> bytes:
    if len(frame) + _HEAD >= len(data) or len(data) > MAX_OPENED:
        return data
    return b"".join((_MARK, len(data).to_bytes(_HEAD - 1, "big"), frame))


def unpack(kept: bytes, most: int = MAX_ENTRY) -> bytes:
    """The canonical bytes, at most `most` of them. Refused("untrue") if that cannot be."""
    if kept[:1] != _MARK:
        return kept
    # The size is looked at first: what is damaged or forged must not fill the memory.
    size = int.from_bytes(kept[1:_HEAD], "big")
    try:
        data = _tools.unpack(kept[_HEAD:], max_output_size=size) if 0 < size <= most else b""
    except zstandard.ZstdError:
        data = b""
    if len(data) != size or not data:
        raise Refused("untrue", "Something that was packed cannot be unpacked: it is damaged.")
    return data
