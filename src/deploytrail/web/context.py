"""What every route finds at hand: the house, the settings, the templates, and the live feed."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from deploytrail.app.house import House
from deploytrail.web import assets, render
from deploytrail.web.body import Room, Share
from deploytrail.web.gathered import Gathered
from deploytrail.web.live import Feed
from deploytrail.web.settings import WebSettings

# What one sender may take of the room for bodies: a source or a token a quarter, and whoever sends from one
# address before it is known who that is, an eighth.
_SENDER: Final = 4
_ADDRESS: Final = 8


class Context:
    """Made once per site. `answers` counts by method, path pattern and status; `known` is the newest entry
    that an answer was known to reflect; `reference` the OpenAPI document.
    """

    def __init__(self, house: House, settings: WebSettings) -> None:
        self.house = house
        self.settings = settings
        self.assets = assets.load()
        self.templates = render.environment()
        self.pulse = render.Pulse(house)
        self.feed = Feed(house)
        self.gathered = Gathered(house.recorder)
        # Anyone may begin to send a delivery; only its end shows whether it is signed.
        self.room = Room(settings.upload_room)
        # Sources that have sent an authentic delivery: they need not be looked up before the next body.
        self.sources: set[str] = set()
        self.known = -1
        # Made with the first question for it.
        self.reference: dict[str, Any] | None = None
        self.answers: Counter[tuple[str, str, int]] = Counter()

    def share(self, sort: str, sender: str) -> Share:
        """What a source, a token, a person or an address may have on its way in together."""
        part = _ADDRESS if sort == "address" else _SENDER
        return Share(f"{sort} {sender}", self.room.size // part)
