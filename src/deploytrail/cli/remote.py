"""Talking to a running house: over HTTP as anybody does, and over its control socket on the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from deploytrail.errors import CODES, Refused

_CONNECT: Final = 5.0
_READ: Final = 120.0


def command(socket: Path, name: str, form: bytes, login: str) -> dict[str, Any] | None:
    """Run a command of the machine's operators at the server; None if nobody listens on the socket."""
    call = {"command": name, "form": msgspec.Raw(form or b"{}"), "login": login}
    # The system takes about a hundred bytes; from here the way may be shorter.
    transport = httpx2.HTTPTransport(uds=min(str(socket), os.path.relpath(socket), key=len))
    with httpx2.Client(transport=transport, base_url="http://house", timeout=_READ) as client:
        try:
            answer = client.post("/", content=msgspec.json.encode(call))
        except (httpx2.ConnectError, httpx2.ReadError, httpx2.RemoteProtocolError):
            return None
        except httpx2.HTTPError as error:
            raise Refused("unavailable", f"The server did not answer on {socket}: {error}.") from None
    demand_good(answer)
    found: dict[str, Any] = answer.json()
    return found


class Remote:
    """The house at `url`, spoken to with `token` if there is one. Use as a context manager."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise Refused("bad-input", f"{url} is no address of a house; it begins with http:// or https://.")
        headers = {"User-Agent": "deploytrail"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # No redirects: a token is shown to the house that was named, and to nobody else.
        timeout = httpx2.Timeout(_READ, connect=_CONNECT)
        self._client = httpx2.Client(headers=headers, timeout=timeout, follow_redirects=False)

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, limit: int) -> bytes:
        """A file of the house, of at most `limit` bytes. Refused as the house said, or "unavailable"."""
        try:
            with self._client.stream("GET", f"{self.url}{path}") as answer:
                data = bytearray()
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > limit:
                        raise Refused("too-large", f"{path} has more than {limit:,} bytes.")
                demand_good(answer, bytes(data))
                return bytes(data)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._out_of_reach(error) from None

    def post(self, path: str, body: bytes, media: str, more: dict[str, str] | None = None) -> httpx2.Response:
        """What the house answers to a body. Refused as the house said, or "unavailable"."""
        headers = {"Content-Type": media, **(more or {})}
        try:
            answer = self._client.post(f"{self.url}{path}", content=body, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._out_of_reach(error) from None
        demand_good(answer)
        return answer

    def _out_of_reach(self, error: Exception) -> Refused:
        return Refused(
            "unavailable", f"The house at {self.url} is out of reach: {error or type(error).__name__}."
        )


def demand_good(answer: httpx2.Response, body: bytes | None = None) -> None:
    """Pass on, as it was said, why the house refused."""
    if answer.status_code < 300:
        return
    if answer.status_code < 400:
        raise Refused("unavailable", f"{answer.url} answers with a redirect, which is not followed.")
    try:
        said = msgspec.json.decode(answer.content if body is None else body)
        code, words = said["code"], said["detail"]
    except (msgspec.DecodeError, TypeError, KeyError):
        code, words = "unavailable", f"{answer.url} answered {answer.status_code}."
    if code not in CODES:
        code = "unavailable" if answer.status_code >= 500 else "bad-input"
    raise Refused(code, str(words))
