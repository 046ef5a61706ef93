"""The page of one person: what they did, and what is kept about them. Nothing is counted or ranked."""

from __future__ import annotations

from typing import Any, Final

from deploytrail.app.ports import Clock, Derived
from deploytrail.app.shown import Opener, Shown
from deploytrail.app.sweep import KEEP_MS
from deploytrail.app.trails import Trails
from deploytrail.app.views import KeptView, PersonView
from deploytrail.projections.people import PEOPLE
from deploytrail.projections.reading import milliseconds

LINES: Final = 50
KEPT: Final = 50


class Known:
    """Reads the page of a person."""

    def __init__(self, derived: Derived, opener: Opener, trails: Trails, clock: Clock) -> None:
        self._derived, self._opener, self._trails, self._clock = derived, opener, trails, clock

    def view(self, subject: str, below: int | None, kept_below: int | None, signed: int) -> PersonView | None:
        """A person by subject id, what they did and what is kept of them below an index each.

        None: nobody told of them.
        """
        row = self._derived.get(PEOPLE, subject)
        if row is None:
            return None
        who = self._opener.people([subject])[subject]
        trail, older = self._trails.done_by(subject, below, LINES, signed)
        indices = self._opener.about(f"actor:{subject}", kept_below, KEPT)
        kept = [
            self._kept(shown, texts)
            for shown, texts in self._opener.own(subject, indices)
            if texts or self._body_until(shown) is not None
        ]
        return PersonView(
            who=who,
            email=self._email(subject, row.named) if not who.erased else None,
            first=row.first,
            last=row.last,
            erased=row.erased,
            trail=trail,
            older=older,
            kept=kept,
            kept_older=indices[-1] if len(indices) == KEPT else None,
        )

    def _email(self, subject: str, named: int | None) -> str | None:
        """The address in the entry that names them best; only their own key seals names and addresses."""
        for _, texts in self._opener.own(subject, [named]) if named is not None else ():
            for path, value in texts.items():
                if path.rpartition(".")[2] == "email" and isinstance(value, str):
                    return value
        return None

    def _kept(self, shown: Shown, texts: dict[str, Any]) -> KeptView:
        return KeptView(
            index=shown.index,
            kind=shown.entry.kind,
            source=shown.entry.source,
            received_at=milliseconds(shown.entry.received_at) or 0,
            paths=sorted(texts),
            body_until=self._body_until(shown),
        )

    def _body_until(self, shown: Shown) -> int | None:
        """Until when the raw delivery of an entry is kept at the latest, if it came by one."""
        if shown.entry.delivery is None:
            return None
        until = (milliseconds(shown.entry.received_at) or 0) + KEEP_MS
        return until if until > self._clock.now() else None
