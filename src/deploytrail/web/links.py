"""The addresses of pages: one for each thing that has a name."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from markupsafe import Markup

# What a path may hold as it is, besides letters and digits; a colon cannot be taken for a scheme there.
_PLAIN: Final = ":"


def deployment(key: str) -> str:
    """The address of a deployment's page."""
    return f"/deployments/{quote(key, safe='')}"


def service(name: str) -> str:
    """The address of a service's page. A name may hold slashes."""
    return f"/services/{quote(name, safe='/')}" if _whole(name) else f"/?{urlencode({'service': name})}"


def environment(name: str) -> str:
    """What happened in an environment."""
    return f"/?{urlencode({'environment': name})}"


def change(repository: str, number: int) -> str:
    """The address of a change's page, in any spelling of its repository."""
    return f"/changes/{quote(repository.partition('://')[2] or repository, safe='/')}/{number}"


def changes(repository: str) -> str:
    """The changes of one repository."""
    return f"/changes?{urlencode({'repository': repository})}"


def artifact(digest: str) -> str:
    """The address of an artifact's page."""
    return f"/artifacts/{quote(digest, safe=_PLAIN)}"


def person(subject: str) -> str:
    """The address of a person's page."""
    return f"/people/{quote(subject, safe='')}"


def link(href: str, text: Markup) -> Markup:
    """A name that leads to its page."""
    return Markup('<a class="who" href="{}">{}</a>').format(href, text)


def _whole(name: str) -> bool:
    """Whether no part of a path would be taken for a way up or nothing, and lost on its way."""
    return all(part not in ("", ".", "..") for part in name.split("/"))
