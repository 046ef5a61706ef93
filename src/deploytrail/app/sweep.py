"""What is done now and then without being asked: ending what has expired, and finishing what broke off."""

from __future__ import annotations

from typing import Final

from deploytrail.app.administer import Administer
from deploytrail.app.erase import Erase
from deploytrail.app.ports import Clock, Disclosures

# A raw body is kept this long for reading again, then its key is destroyed (house.md, idea 8).
KEEP_MS: Final = 30 * 24 * 3600 * 1000


class Sweep:
    """One round ends expired links, sessions and tokens, destroys raw bodies that are old enough, and
    finishes erasures that a crash broke off.
    """

    def __init__(self, administer: Administer, erase: Erase, disclosures: Disclosures, clock: Clock) -> None:
        self._administer, self._erase = administer, erase
        self._disclosures, self._clock = disclosures, clock

    def round(self) -> None:
        """Do one round. Refused as what it does; the next round goes on."""
        for subject in self._erase.unfinished():
            self._erase.erase(subject, "finished after a stop")
        self._administer.sweep()
        if self._disclosures.expire_deliveries(self._clock.now() - KEEP_MS):
            self._disclosures.scrub()
