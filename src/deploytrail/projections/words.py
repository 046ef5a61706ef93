"""The house's words for what sources say: outcomes, and the mark that an entry has in the trail."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from deploytrail.projections.reading import text

_OUTCOMES: Final = {
    **dict.fromkeys(("succeeded", "success", "successful", "passed", "pass", "ok"), "succeeded"),
    **dict.fromkeys(
        (
            "failed",
            "failure",
            "fail",
            "error",
            "errored",
            "timed out",
            "timed_out",
            "timeout",
            "startup failure",
        ),
        "failed",
    ),
    **dict.fromkeys(("cancelled", "canceled", "aborted"), "cancelled"),
}
WAITING: Final = frozenset(
    {"waiting", "queued", "pending", "requested", "blocked", "created", "action required", "action_required"}
)
# Acts of somebody. When nobody is named behind one of them, the mark says so.
_ACTS: Final = frozenset(
    {"commit.pushed", "ref.moved", "release.published", "change.merged", "change.reviewed", "control.changed"}
)
_VERDICTS: Final = {
    "approved": "succeeded",
    "changes requested": "waiting",
    "requested": "waiting",
    "rejected": "failed",
}
_BY_KIND: Final = {
    "deployment.started": "running",
    "incident.opened": "failed",
    "incident.resolved": "succeeded",
    "delivery.set_aside": "waiting",
}
_BY_OUTCOME: Final = {"succeeded": "succeeded", "failed": "failed"}
# A filter offers these; a longer word of a source is cut.
_LONGEST: Final = 40


# A source says a few.
@lru_cache(maxsize=256)
def outcome(told: str | None) -> str | None:
    """An outcome in the house's words: succeeded, failed, cancelled; others as told, in lower case."""
    if told is None:
        return None
    word = told.strip().lower()
    return _OUTCOMES.get(word, word[:_LONGEST]) or None


def verdict(told: str | None) -> str | None:
    """What a review said, in lower case with spaces."""
    return told.strip().lower().replace("_", " ")[:_LONGEST] or None if told else None


def mark(kind: str, data: dict[str, Any], actor: str | None) -> str:
    """The mark of an entry by itself, one of the interface's states or "note"."""
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    if kind in _ACTS and actor is None:
        return "unattributed"
    if kind in ("change.reviewed", "deployment.reviewed"):
        return _VERDICTS.get(verdict(text(data, "verdict")) or "", "note")
    ended = outcome(text(data, "outcome"))
    if ended is None and kind == "deployment.step":
        status = text(data, "status")
        return "waiting" if status in WAITING else _BY_OUTCOME.get(outcome(status) or "", "note")
    return _BY_OUTCOME.get(ended or "", "note")
