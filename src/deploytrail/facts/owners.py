"""Whose disclosure opens each sealed field of an entry: the rule of `sealing`, read from the entry alone."""

from __future__ import annotations

from typing import Any

from deploytrail.facts.kinds import body_of
from deploytrail.facts.sealing import NOBODY, Plan, plan_of


def owners_of(envelope: dict[str, Any]) -> dict[str, str]:
    """By path of each sealed field, the subject whose disclosure opens it.

    A person's fields are that person's; of the others the first person named in the same object, else the
    fact's actor, else nobody. Fields of kinds that this version does not know have no owner here.
    """
    found: dict[str, str] = {}
    actor = envelope.get("actor")
    if isinstance(actor, dict):
        _persons_fields(actor, "actor", found)
    owner = actor["id"] if isinstance(actor, dict) else NOBODY
    for name in ("labels", "free", "unknown"):
        if name in envelope:
            found[name] = owner
    body = body_of(envelope["kind"])
    if body is not None:
        _owned(envelope["data"], plan_of(body), "data", owner, found)
    return found


def _owned(data: dict[str, Any], plan: Plan, path: str, owner: str, found: dict[str, str]) -> None:
    first = next((data[name] for name in plan.owners if name in data), None)
    owner = first["id"] if first else owner
    for name, value in data.items():
        here = f"{path}.{name}"
        if isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict) and name in plan.inner:
                    _owned(item, plan.inner[name], f"{here}.{place}", owner, found)
                elif isinstance(item, dict):
                    _persons_fields(item, f"{here}.{place}", found)
        elif isinstance(value, dict) and set(value) == {"c"}:
            found[here] = owner
        elif isinstance(value, dict):
            _persons_fields(value, here, found)


def _persons_fields(person: dict[str, Any], path: str, found: dict[str, str]) -> None:
    for name, value in person.items():
        if isinstance(value, dict):
            found[f"{path}.{name}"] = person["id"]
