"""Talking to the server of this machine's house over its control socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from deploytrail.client.house import demand_good
from deploytrail.errors import Refused

_READ: Final = 120.0


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
