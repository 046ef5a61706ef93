"""Changes of the controls: branch protection, rulesets, who may write, teams; and the ping of a new webhook.

Settings are clear, persons never: a setting stands in `before` and `after` only if its name is known to hold
a switch, a number or one of GitHub's words. All the rest is in the sealed `detail`, but for lists of persons,
which are `members`, so that each can be erased alone.
"""

from __future__ import annotations

from typing import Any, Final

from deploytrail.facts.draft import Draft, Person
from deploytrail.intake.fields import as_json, clear, inside, items, moment, number, sealed, texts
from deploytrail.intake.github.heard import Heard

# Settings whose texts are GitHub's own words, and those that name checks, environments, rules and teams.
_WORDS: Final = frozenset(
    {
        "actor_type",
        "bypass_mode",
        "enforcement",
        "merge_method",
        "notification_setting",
        "old_permission",
        "operator",
        "permission",
        "privacy",
        "role",
        "role_name",
        "rule_type",
        "scope",
        "source_type",
        "state",
        "target",
        "type",
        "visibility",
    }
)
_NAMES: Final = frozenset(
    {"allowed_merge_methods", "name", "required_deployment_environments", "required_status_checks", "slug"}
)
_PATTERNS: Final = frozenset({"include", "exclude"})
# What names or links the thing itself.
_NOT_SETTINGS: Final = frozenset(
    {"created_at", "id", "name", "node_id", "repository_id", "slug", "updated_at"}
)
_MAX_TEXT: Final = 8_000
# Before, after and the commitments to both lists of persons stand in one entry of 65,535 bytes.
_TEXT_BYTES: Final = 10_000
_MAX_PERSONS: Final = 100
_MAX_ITEMS: Final = 200
_MAX_DEPTH: Final = 8
_MAX_WHOLE: Final = 600_000
_MAX_WORD: Final = 200


def branch_protection_rule(heard: Heard) -> list[Draft]:
    """control.changed, "branch protection"; `name` is the rule's pattern."""
    return [_rule(heard, "branch protection", inside(heard.body, "rule"))]


def repository_ruleset(heard: Heard) -> list[Draft]:
    """control.changed, "ruleset"."""
    return [_rule(heard, "ruleset", inside(heard.body, "repository_ruleset"))]


def member(heard: Heard) -> list[Draft]:
    """control.changed, "repository access": what somebody may do in a repository."""
    return [_people(heard, "repository access", {}, heard.body.get("member"), None)]


def team(heard: Heard) -> list[Draft]:
    """control.changed, "team": a team came, went, changed, or was given a repository."""
    told = inside(heard.body, "team")
    return [_people(heard, "team", told, None, told)]


def membership(heard: Heard) -> list[Draft]:
    """control.changed, "team membership"; `name` is the team."""
    return [_people(heard, "team membership", {}, heard.body.get("member"), inside(heard.body, "team"))]


def organization(heard: Heard) -> list[Draft]:
    """control.changed, "organization membership"; or "organization" when it was renamed or deleted."""
    if not (heard.action or "").startswith("member_"):
        return [_people(heard, "organization", {}, None, None)]
    held, invited = inside(heard.body, "membership"), inside(heard.body, "invitation")
    who = heard.body.get("user") or held.get("user") or invited
    settings = {"role": held.get("role") or invited.get("role"), "state": held.get("state")}
    return [_people(heard, "organization membership", settings, who, None)]


def ping(heard: Heard) -> list[Draft]:
    """source.pinged: the webhook was set up, and we can hear it."""
    hook = inside(heard.body, "hook")
    identity = number(heard.body.get("hook_id")) or number(hook.get("id"))
    fields = {
        "repository": heard.repository,
        "organization": heard.organization,
        "hook": identity,
        "events": texts(hook.get("events"), 200, _TEXT_BYTES),
        "url": sealed(inside(hook, "config").get("url")),
    }
    return [heard.draft("source.pinged", heard.key(identity, heard.body_digest()), None, fields)]


def _rule(heard: Heard, control: str, rule: dict[str, Any]) -> Draft:
    settings = _settings(rule)
    before, changed = _changes(heard)
    gone = heard.action == "deleted"
    when = rule.get("updated_at")
    fields = _shared(heard, control, settings, before, changed) | {
        "name": clear(rule.get("name")),
        "members": _persons(heard, rule),
        "former_members": _persons(heard, inside(heard.body, "changes")),
        "url": sealed(inside(rule, "_links", "html").get("href")),
    }
    if gone:
        fields |= {"before": fields["after"], "after": None}
    last = clear(when) if moment(when) is not None else heard.body_digest()
    key = heard.key(number(rule.get("id")), heard.action, last)
    return heard.draft("control.changed", key, moment(when), fields)


def _people(
    heard: Heard, control: str, settings: dict[str, Any], who: Any, group: dict[str, Any] | None
) -> Draft:
    group = group or {}
    fields = _shared(heard, control, _settings(settings), *_changes(heard)) | {
        "name": clear(group.get("slug")) or clear(group.get("name")),
        "member": heard.person(who) or _invited(heard, who),
        "url": sealed(group.get("html_url")),
    }
    return heard.draft("control.changed", heard.key(None), None, fields)


def _shared(
    heard: Heard, control: str, settings: dict[str, Any], before: dict[str, Any], changed: dict[str, Any]
) -> dict[str, Any]:
    """What every change of a control says: the settings now, and before as far as GitHub tells."""
    now = settings | changed
    told = {part: them for part, them in (("settings", now), ("before", before)) if them}
    whole = as_json(told, _MAX_WHOLE)
    if whole is None:
        # No rule of GitHub is that long: all of it is left to the raw delivery.
        now, before = {}, {}
    plain_now, all_now = _plain(heard, now, "", 0)
    plain_before, all_before = _plain(heard, before, "", 0)
    return {
        "control": control,
        "repository": heard.repository,
        "organization": heard.organization,
        "action": heard.action,
        "before": _text(plain_before),
        "after": _text(plain_now),
        "detail": None if all_now and all_before else sealed(whole),
    }


def _text(plain: Any) -> str | None:
    """Clear settings as compact JSON."""
    return clear(as_json(plain), _MAX_TEXT, _TEXT_BYTES) if plain else None


def _settings(told: dict[str, Any]) -> dict[str, Any]:
    """What of a rule or a team are settings: not its ids, its links, or persons."""
    return {
        name: value
        for name, value in told.items()
        if value is not None
        and not (name in _NOT_SETTINGS or name.endswith(("url", "_links")) or _is_persons(name))
    }


def _invited(heard: Heard, who: Any) -> Person | None:
    """Somebody invited by address alone."""
    return heard.signature({"email": inside(who).get("email")})


def _changes(heard: Heard) -> tuple[dict[str, Any], dict[str, Any]]:
    """GitHub's `changes` as settings before and after; what it tells otherwise counts as before."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, change in inside(heard.body, "changes").items():
        told = inside(change)
        if _is_persons(name):
            continue
        if "from" in told or "to" in told:
            before |= {name: told["from"]} if "from" in told else {}
            after |= {name: told["to"]} if "to" in told else {}
        else:
            before[name] = change
    return before, after


def _plain(heard: Heard, value: Any, name: str, depth: int) -> tuple[Any, bool]:
    """What of a setting is clear, and whether that is all of it."""
    if isinstance(value, bool) or value is None:
        return value, True
    if isinstance(value, int):
        return (None, False) if name == "id" or name.endswith("_id") else (value, True)
    if isinstance(value, str):
        return (value, True) if _is_word(heard, name, value) else (None, False)
    if depth == _MAX_DEPTH or not isinstance(value, dict | list):
        return None, False
    if isinstance(value, list):
        found = [_plain(heard, item, name, depth + 1) for item in value[:_MAX_ITEMS]]
        # An item of which nothing is clear is left out; an empty one that is all clear stays.
        kept = [plain for plain, whole in found if whole or plain]
        return kept, all(whole for _, whole in found) and len(value) <= _MAX_ITEMS
    plain: dict[str, Any] = {}
    all_of_it = len(value) <= _MAX_ITEMS
    for key, inner in list(value.items())[:_MAX_ITEMS]:
        kept, whole = _plain(heard, inner, name if key in ("from", "to") else key, depth + 1)
        known = len(key) <= 100 and key.isascii()
        all_of_it &= whole and known
        if (whole or kept) and known:
            plain[key] = kept
    return plain, all_of_it


def _is_word(heard: Heard, name: str, text: str) -> bool:
    """Whether a text of a setting is clear."""
    if len(text) > _MAX_WORD or heard.names_somebody(text):
        return False
    if name in _PATTERNS:
        return text.startswith("~") or heard.is_clear(text)
    return name in _WORDS or name in _NAMES or name.endswith("_level")


def _is_persons(name: str) -> bool:
    return name.endswith("actor_names")


def _persons(heard: Heard, told: dict[str, Any]) -> list[Person] | None:
    """Everybody in the lists of names that branch protection holds, or held before (`from`)."""
    found: dict[Person, None] = {}
    for name, value in told.items():
        if not _is_persons(name):
            continue
        for item in items(inside(value).get("from") or value, _MAX_PERSONS):
            if person := heard.person({"login": item}):
                found[person] = None
    return list(found)[:_MAX_PERSONS] or None
