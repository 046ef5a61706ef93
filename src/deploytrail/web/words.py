"""Times, sizes and names in words. All times are UTC milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from deploytrail.app.views import Who
from deploytrail.web import links
from deploytrail.web.hostile import shown

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Written out, since strftime would follow the machine's language.
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_DIGEST: Final = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}", re.ASCII)


def moment(ms: int) -> datetime:
    """A time as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def machine(ms: int) -> str:
    """For the datetime attribute: 2026-03-17T14:32:08Z."""
    return moment(ms).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def clock(ms: int) -> str:
    """14:32:08."""
    at = moment(ms)
    return f"{at.hour:02d}:{at.minute:02d}:{at.second:02d}"


def date(ms: int) -> str:
    """17 Mar 2026."""
    at = moment(ms)
    return f"{at.day} {_MONTHS[at.month - 1][:3]} {at.year}"


def short_date(ms: int, now: int) -> str:
    """16 Mar, or Mar 2024 in another year: for where a time of day would stand."""
    at = moment(ms)
    month = _MONTHS[at.month - 1][:3]
    return f"{at.day} {month}" if at.year == moment(now).year else f"{month} {at.year}"


def exact(ms: int) -> str:
    """17 Mar 2026, 14:32:08 UTC."""
    return f"{date(ms)}, {clock(ms)} UTC"


def day(ms: int, now: int) -> str:
    """The head of a day: Today, Tuesday 17 March 2026."""
    at = moment(ms)
    name = f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"
    back = moment(now).toordinal() - at.toordinal()
    return {0: f"Today, {name}", 1: f"Yesterday, {name}"}.get(back, name)


def ago(ms: int, now: int) -> str:
    """How long ago: in words up to seven days, then the date. A claim about the future is said as one."""
    past = now - ms
    if past < -MINUTE:
        return f"in {_about(-past)}" if -past < 7 * DAY else date(ms)
    if past < SECOND:
        return "just now"
    return f"{_about(past)} ago" if past < 7 * DAY else date(ms)


def _about(ms: int) -> str:
    if ms < MINUTE:
        return f"{ms // SECOND} s"
    if ms < HOUR:
        return f"{ms // MINUTE} min"
    if ms < DAY:
        return f"{ms // HOUR} h"
    days = ms // DAY
    return "1 day" if days == 1 else f"{days} days"


def when(ms: int, now: int) -> Markup:
    """Relative and exact time together; only the exact one where the other would be a date as well."""
    said = ago(ms, now)
    if said == date(ms):
        return Markup('<time datetime="{}">{}</time>').format(machine(ms), exact(ms))
    pattern = Markup('<time datetime="{}"><span data-ago="{}">{}</span> ({})</time>')
    return pattern.format(machine(ms), ms, said, exact(ms))


def duration(ms: int) -> str:
    """How long something took, in at most two units: 1 min 52 s.

    Most sources tell whole seconds, so that none at all means less than one.
    """
    if ms <= 0:
        return "under 1 s"
    if ms < SECOND:
        return f"{ms} ms"
    units = ((DAY, "day", "days"), (HOUR, "h", "h"), (MINUTE, "min", "min"), (SECOND, "s", "s"))
    parts = []
    for size, one, many in units:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{number(count)} {one if count == 1 else many}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts)


def number(count: int) -> str:
    """48,207."""
    return f"{count:,}"


def size(count: int) -> str:
    """A size in bytes: 512 bytes, 9 KB, 1.4 MB, 2.3 GB."""
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count < 1_000_000:
        return f"{count // 1000} KB"
    if count < 1_000_000_000:
        return f"{count / 1_000_000:.1f} MB"
    return f"{count / 1_000_000_000:.1f} GB"


def sha(text: str) -> str:
    """A commit, cut to 7 signs."""
    return text[:7]


def digest(text: str) -> str:
    """A digest, cut to 8 signs, an ellipsis and 4; its algorithm is said only where it is whole."""
    value = text.partition(":")[2] or text
    return value if len(value) <= 14 else f"{value[:8]}…{value[-4:]}"


def version(text: str) -> str:
    """A version as it was told; one that is a whole commit or digest is cut as those are."""
    if _COMMIT.fullmatch(text):
        return sha(text)
    return digest(text) if _DIGEST.fullmatch(text) else text


def root(text: str) -> str:
    """A root or leaf hash, cut to 6 signs, an ellipsis and 4."""
    return text if len(text) <= 12 else f"{text[:6]}…{text[-4:]}"


def plural(count: int, one: str, many: str) -> str:
    """A count with its noun: 1 commit, 7 commits."""
    return f"{number(count)} {one if count == 1 else many}"


def person(who: Who) -> Markup:
    """A person's name, as far as it may be shown, which leads to their page."""
    return links.link(links.person(who.id), named(who))


def named(who: Who) -> Markup:
    """A person's name, as far as it may be shown."""
    if who.erased:
        return Markup("an erased person")
    name = who.name or who.login
    return shown(name, 80) if name else Markup("person {}").format(shown(who.id[:10], 80))


def people(many: list[Who]) -> Markup:
    """Persons in a row: ada, ben and cleo."""
    names = [person(who) for who in many]
    if len(names) > 4:
        names = [*names[:3], Markup("{} others").format(len(many) - 3)]
    if len(names) < 2:
        return names[0] if names else Markup("")
    return Markup("{} and {}").format(Markup(", ").join(names[:-1]), names[-1])
