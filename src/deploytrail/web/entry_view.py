"""One entry laid out for reading: every field of it, with what was sealed opened where it still can be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from deploytrail.app.views import Who
from deploytrail.facts.entry import Entry
from deploytrail.web.hostile import link, shown
from deploytrail.web.words import person

# A long push has hundreds of fields; beyond this the canonical bytes below hold the rest.
_MOST: Final = 400
_LIST: Final = 20
_URLS: Final = ("url", "log_url")
_PERSON: Final = ("name", "login", "email")
_ERASED: Final = Markup('<span class="meta">sealed; erased, or never disclosed to us</span>')

Pairs = list[tuple[str, Markup]]


class Opened(NamedTuple):
    """What sealed fields of an entry open to, by path ("data.title", "labels"), and persons by subject id,
    as other entries name them.
    """

    texts: Mapping[str, Any]
    people: Mapping[str, Who]


def told(entry: Entry, opened: Opened) -> Pairs:
    """The fields of a fact by their path, then labels and whatever else its sender told."""
    found: Pairs = []
    for path, value in _walk(entry.data, "data", opened):
        if len(found) == _MOST:
            found.append(("and more", Markup("the rest stands in the canonical bytes")))
            break
        found.append((path.removeprefix("data."), value))
    for name in ("labels", "free", "unknown"):
        if getattr(entry, name) is not None:
            found.append((_NAMES[name], _loose(_unquoted(opened.texts.get(name)))))
    return found


def _unquoted(value: Any) -> Any:
    """Free data is kept as its JSON text; of a mere text that is the text itself, without escapes."""
    try:
        inner = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return inner if isinstance(inner, str) else value


_NAMES: Final = {"labels": "labels", "free": "free data", "unknown": "unknown fields"}


def envelope(entry: Entry, opened: Opened) -> Pairs:
    """Who told it, when, and how strongly it is tied to its actor."""
    found: Pairs = [
        ("Source", shown(entry.source)),
        (
            "Happened",
            shown(entry.occurred_at) if entry.occurred_at else Markup("the source did not say when"),
        ),
        ("Received", shown(entry.received_at)),
        ("Actor", _person(entry.actor, "actor", opened) if entry.actor else Markup("unknown")),
        (
            "Attribution",
            Markup('<span class="att" data-a="{}">{}</span>').format(entry.attribution, entry.attribution),
        ),
    ]
    if entry.id is not None:
        found.append(("Told as", shown(entry.id)))
    if entry.delivery is not None:
        found.append(("Delivery", Markup('<span class="id full">{}</span>').format(shown(entry.delivery))))
    subjects = Markup(", ").join(shown(subject, 120) for subject in entry.subjects)
    found.append(("Subjects", subjects or Markup("none")))
    return found


def _walk(value: Any, path: str, opened: Opened) -> Iterator[tuple[str, Markup]]:
    """Every field below `value`, each person and each sealed field as one."""
    if isinstance(value, dict):
        if set(value) == {"c"}:
            yield path, _opened(path, opened.texts.get(path))
        elif str(value.get("id", "")).startswith("s_"):
            yield path, _person(value, path, opened)
        else:
            for name, inner in value.items():
                yield from _walk(inner, f"{path}.{name}", opened)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for place, inner in enumerate(value):
            yield from _walk(inner, f"{path}.{place}", opened)
    elif isinstance(value, list):
        yield path, _texts(value)
    else:
        yield path, _scalar(value)


def _opened(path: str, value: Any) -> Markup:
    """A sealed value as it opens; the address of a source's own page leads there."""
    if path.rpartition(".")[2] in _URLS and isinstance(value, str):
        return link(value, None, 2000) or _loose(value)
    return _loose(value)


def _scalar(value: Any) -> Markup:
    if isinstance(value, bool):
        return Markup("yes" if value else "no")
    return shown(value, 2000)


def _texts(values: list[Any]) -> Markup:
    named = Markup(", ").join(_scalar(value) for value in values[:_LIST])
    if len(values) > _LIST:
        return Markup("{} and {} more").format(named, len(values) - _LIST)
    return named or Markup("none")


def _loose(value: Any) -> Markup:
    """A value that was sealed: text, or names with texts."""
    if value is None:
        return _ERASED
    if isinstance(value, dict):
        return Markup(", ").join(
            Markup("{} {}").format(shown(n, 100), shown(v, 500)) for n, v in value.items()
        )
    return shown(value, 4000)


def _person(value: Mapping[str, Any], path: str, opened: Opened) -> Markup:
    """A person with all of their names that may be shown, and the subject id that stands for them."""
    texts = opened.texts
    names = [shown(texts[f"{path}.{name}"], 200) for name in _PERSON if f"{path}.{name}" in texts]
    subject = value.get("id", "")
    named = Markup(", ").join(names) if names else _elsewhere(opened.people.get(subject))
    bot = Markup(", a bot") if value.get("bot") else Markup("")
    return Markup('{}{} <span class="id">{}</span>').format(named, bot, shown(subject, 40))


def _elsewhere(who: Who | None) -> Markup:
    """A person whom this entry does not name."""
    if who is not None and (who.name or who.login):
        return Markup('{} <span class="meta">named elsewhere</span>').format(person(who))
    return Markup('<span class="meta">name erased or never told</span>')
