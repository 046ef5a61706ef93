"""Real deliveries over real HTTP, and what the house answered to them."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

from demo.faults import Fault
from demo.house import House
from demo.hub import Delivery, Event, pack
from demo.pace import Pace

_ATTEMPTS: Final = 6
_ANSWER_S: Final = 15
# Later, or as it was once more: GitHub itself never tries again, but the town has somebody who does.
_LATER: Final = frozenset({429, 503})


class Post:
    """Sends deliveries as the source SOURCE and facts with a token.

    `answers` counts what came back: "accepted", "repeat", "refused", "told", and "deployment" for each
    deployment whose delivery was accepted.
    """

    def __init__(
        self, house: House, source: str, secret: bytes, pace: Pace, say: Callable[[str], None]
    ) -> None:
        self._house, self._source, self._secret = house, source, secret
        self._pace, self._say = pace, say
        self._connection: HTTPConnection | None = None
        self._last: Delivery | None = None
        self.token = ""
        self.new_token: Callable[[], str] | None = None
        self.answers: Counter[str] = Counter()

    def deliver(self, event: Event) -> None:
        """Tells an event in a delivery of its own."""
        delivery = pack(event, str(uuid.uuid4()), self._secret)
        self._last = delivery
        if self._deliver(delivery) and event.name == "deployment":
            self.answers["deployment"] += 1

    def deliver_again(self) -> str | None:
        """Sends the last delivery once more, as it was. Gives the name of its event."""
        if self._last is None:
            return None
        self._deliver(self._last)
        return self._last.event

    def _deliver(self, delivery: Delivery) -> bool:
        status, words = self._send(f"/hooks/{self._source}", delivery.headers, delivery.body)
        if status == 202:
            self.answers["accepted"] += 1
        elif status == 200:
            self.answers["repeat"] += 1
        else:
            self._refused(f"the delivery {delivery.event}", status, words)
        return status in (200, 202)

    def tell(self, kind: str, id_: str, **fields: Any) -> None:
        """Tells one fact in the direct form."""
        fact = {"kind": kind, "id": id_} | {
            name: value for name, value in fields.items() if value is not None
        }
        body = json.dumps(fact).encode()
        status, words = self._tell(body)
        if status == 401 and self.new_token:
            self.token = self.new_token()
            status, words = self._tell(body)
        if status in (200, 201):
            self.answers["told"] += 1
        else:
            self._refused(f"the fact {kind}", status, words)

    def _tell(self, body: bytes) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        return self._send("/api/v1/facts", headers, body)

    def _refused(self, what: str, status: int, words: str) -> None:
        self.answers["refused"] += 1
        self._say(f"the house refused {what} with {status}: {words[:200]}")

    def _send(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """The status and text of the answer; tries again while the house is busy or a line breaks."""
        for _ in range(_ATTEMPTS):
            self._pace.check()
            try:
                status, words, after = self._once(path, headers, body)
            except (OSError, HTTPException):
                self.close()
                self._house.check()
                self._pace.pause(0.5)
                continue
            if status not in _LATER:
                return status, words
            self._pace.pause(min(after, 5.0))
        raise Fault(
            5, f"The server does not answer at {self._house.url}; see {self._house.data.parent}/server.txt."
        )

    def _once(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, float]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._house.port, timeout=_ANSWER_S)
        self._connection.request("POST", path, body, headers | {"Host": f"localhost:{self._house.port}"})
        answer = self._connection.getresponse()
        words = answer.read().decode(errors="replace")
        after = answer.headers.get("Retry-After") or "1"
        return answer.status, words, float(after) if after.isdigit() else 1.0

    def close(self) -> None:
        """Ends the connection; the next sending opens another."""
        if self._connection:
            self._connection.close()
        self._connection = None
