"""What every route finds at hand: the house, the settings, the templates, and the live feed."""

from __future__ import annotations

from collections import Counter
from typing import Final

from deploytrail.app.house import House
from deploytrail.web import assets, render
from deploytrail.web.body import Room
from deploytrail.web.live import Feed
from deploytrail.web.settings import WebSettings

# Bytes of deliveries that may be on their way in together: some twenty of the largest.
IN_FLIGHT: Final = 512 * 2**20


class Context:
    """Made once per site. `answers` counts by method, path pattern and status; `known` is the newest entry
    that an answer was known to reflect.
    """

    def __init__(self, house: House, settings: WebSettings) -> None:
        self.house = house
        self.settings = settings
        self.assets = assets.load()
        self.templates = render.environment()
        self.pulse = render.Pulse(house)
        self.feed = Feed(house)
        # Anyone may begin to send a delivery; only its end shows whether it is signed.
        self.room = Room(IN_FLIGHT)
        self.known = -1
        self.answers: Counter[tuple[str, str, int]] = Counter()
