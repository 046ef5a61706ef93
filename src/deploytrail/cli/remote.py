"""Talking to a running house: over HTTP as anybody does, and over its control socket on the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from deploytrail.errors import CODES, Refused

_CONNECT: Final = 5.0
_READ: Final = 120.0
# Answers to a batch of facts: some hundred bytes for each line.
_ANSWER: Final = 16 * 2**20
_HERE: Final = ("localhost", "127.0.0.1", "::1")


class _Problem(msgspec.Struct):
    """Problem details, as far as they are shown."""

    code: str
    detail: str


def command(socket: Path, name: str, form: bytes, login: str) -> dict[str, Any] | None:
    """Run a command of the machine's operators at the server; None if nobody listens on the socket.

    Refused("unavailable") if the server ends while it runs: nobody knows then whether it was done, and doing
    it twice may push out a secret that is in use.
    """
    call = {"command": name, "form": msgspec.Raw(form or b"{}"), "login": login}
    transport = httpx2.HTTPTransport(uds=str(socket))
    with httpx2.Client(transport=transport, base_url="http://house", timeout=_READ) as client:
        try:
            answer = client.post("/", content=msgspec.json.encode(call))
        except httpx2.ConnectError:
            return None
        except httpx2.HTTPError as error:
            raise Refused(
                "unavailable",
                f"The server did not answer on {socket} ({error or type(error).__name__}); whether it did "
                "what it was told is not known. Look, and if it did not, run the command again.",
            ) from None
    demand_good(answer, answer.content)
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
        self._client = httpx2.Client(
            headers=headers,
            timeout=timeout,
            follow_redirects=False,
            # What stays on this machine goes through no proxy of the environment.
            trust_env=urlsplit(self.url).hostname not in _HERE,
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, limit: int) -> bytes:
        """A file of the house, of at most `limit` bytes. Refused as the house said, or "unavailable"."""
        return self._ask("GET", path, limit)

    def post(self, path: str, body: bytes, media: str) -> bytes:
        """What the house answers to a body. Refused as the house said, or "unavailable"."""
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
                return bytes(data)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._out_of_reach(error) from None

    def _out_of_reach(self, error: Exception) -> Refused:
        return Refused(
            "unavailable", f"The house at {self.url} is out of reach: {error or type(error).__name__}."
        )


def demand_good(answer: httpx2.Response, body: bytes) -> None:
    """Pass on, as it was said, why the house refused."""
    if answer.status_code < 300:
        return
    if answer.status_code < 400:
        raise Refused("unavailable", f"{answer.url} answers with a redirect, which is not followed.")
    try:
        said = msgspec.json.decode(body, type=_Problem)
        code, words = said.code, said.detail
    except (msgspec.DecodeError, UnicodeDecodeError):
        code, words = "", f"{answer.url} answered {answer.status_code}."
    if code not in CODES:
        code = "unavailable" if answer.status_code >= 500 else "bad-input"
    raise Refused(code, words)
