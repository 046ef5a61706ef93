"""Questions at a terminal: what a running house answers, as tables that fit, or as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import click

from deploytrail.cli import shown
from deploytrail.client import (
    Change,
    Commit,
    DeploymentRow,
    House,
    ServiceChanged,
    Who,
)

# Commits that one service's answer shows; --json has all that the house tells.
_COMMITS: Final = 10
_LONG: Final = re.compile(r"\b([0-9a-f]{40}|[0-9a-f]{64})\b")


def deployments(house: House, limit: int, json: bool, **wanted: Any) -> int:
    """Deployments, newest first."""
    found = list(islice(house.deployments(**wanted), limit))
    if json:
        shown.as_json({"deployments": found})
    elif not found:
        filtered = any(value is not None for value in wanted.values())
        click.echo(
            "No deployment matches. Leave an option out, or look at: deploytrail deployments."
            if filtered
            else "No deployment is known yet. Tell one: deploytrail record deployment.finished "
            "deployment=1 service=S environment=E outcome=succeeded."
        )
    else:
        head = ("Ended (UTC)", "State", "Service", "Environment", "Version", "In place of", "Who", "Key")
        shown.table(head, [_line(row) for row in found], firm=(0, 7))
    return 0


def _line(row: DeploymentRow) -> tuple[str, ...]:
    state = f"{row.status}, {row.type}" if row.type != "forward" else row.status
    before = _short(row.replaced_version)
    place = (row.service, row.environment, _version(row), before)
    return (_time(row.at), state, *place, _who(row.actor), row.key)


def changes(house: House, limit: int, json: bool, **wanted: Any) -> int:
    """Changes, newest first."""
    found = list(islice(house.changes(**wanted), limit))
    if json:
        shown.as_json({"changes": found})
    elif not found:
        click.echo(
            "No change matches. Changes come with a source: deploytrail admin source add github NAME, or "
            "deploytrail record change.merged."
        )
    else:
        head = ("Change", "State", "Title", "Author", "Reviewed by", "Merged by", "Merged (UTC)")
        shown.table(head, [_change(row) for row in found], firm=(6,))
    return 0


def _change(row: Change) -> tuple[str, ...]:
    merged = _time(row.merged_at) if row.merged_at else ""
    people = (_who(row.author), _everybody(row.reviewers), _who(row.merged_by))
    return (f"{row.repository}#{row.number}", row.state, row.title or "", *people, merged)


def whois(house: House, word: str, json: bool) -> int:
    """Whom a word names; 1 if nobody."""
    found = list(house.people(word))
    if json:
        shown.as_json({"people": found})
    elif not found:
        click.echo(
            f"Nobody is known as {shown.plain(word)}. Ask with a whole address, a login such as github:ada, "
            "a name, or the subject id (s_...) that stands in entries."
        )
    else:
        head = ("Name", "Login", "Subject id", "What", "First entry", "Known by")
        rows = [
            (
                each.name or "",
                each.login or "",
                each.id,
                _sort(each),
                str(each.index),
                ", ".join(each.known_as),
            )
            for each in found
        ]
        shown.table(head, rows, firm=(2,))
    return 0 if found else 1


def _sort(who: Who) -> str:
    return "erased" if who.erased else "bot" if who.bot else "person"


def blame(house: House, service: str, environment: str, at: str | None, json: bool) -> int:
    """Which deployment put there what runs, or ran at a time."""
    found = house.running(service, environment, at)
    if json:
        shown.as_json(found)
        return 0
    verb = "runs" if at is None else f"ran at {at}"
    what = _short(found.version or found.sha or found.artifact) or "something of unknown version"
    click.echo(
        shown.plain(f"{found.service} {what} {verb} in {found.environment}, since {_time(found.at)} UTC")
    )
    shown.facts(
        [
            ("deployed by", f"{_who(found.actor) or 'nobody that was named'} ({found.attribution})"),
            ("type", found.type),
            ("commit", " ".join(filter(None, (found.repository, found.sha)))),
            ("artifact", found.artifact or ""),
            ("in place of", found.replaced_version or ""),
            ("checks", ", ".join(f"{check.name} {check.outcome or check.status}" for check in found.checks)),
            ("proof", f"deployment {found.key}, entry {found.index}, {found.proof}"),
        ]
    )
    _commits(found.commits, found.commits_known, found.commits_cut)
    if found.commits_why:
        click.echo(f"  Which commits came is not known: {shown.plain(found.commits_why)}")
    return 0


def _commits(commits: Sequence[Commit], known: bool, cut: int) -> None:
    """The commits that came, without those of which only a name is known while others may be missing."""
    told = [each for each in commits if known or each.author or each.title or each.change is not None]
    if told:
        head = ("Commit", "Author", "Reviewed by", "Change", "Title")
        shown.table(head, [_commit(commit) for commit in told[:_COMMITS]], indent=2, firm=(0, 3))
    if more := len(told[_COMMITS:]) + cut:
        click.echo(f"  and {more:,} more")
    if known and not commits:
        click.echo("  No commit came with it: it went back, or the same went there again.")


def _commit(commit: Commit) -> tuple[str, ...]:
    change = f"#{commit.change}" if commit.change is not None else ""
    people = (_who(commit.author), _everybody(commit.reviewers))
    return (commit.sha[:7], *people, change, commit.title or "")


def what_changed(house: House, environment: str, since: str, json: bool) -> int:
    """What runs there now that did not at a time, with the commits between and who."""
    found = house.what_changed(environment, since)
    if json:
        shown.as_json(found)
        return 0
    span = f"between {_time(found.since)} and {_time(found.until)} UTC"
    if not found.services:
        click.echo(
            shown.plain(f"Nothing changed in {found.environment} {span}. Ask from earlier with --since.")
        )
        return 0
    click.echo(shown.plain(f"What changed in {found.environment} {span}:"))
    head = ("Service", "From", "To", "State", "Deployed by", "Last (UTC)")
    shown.table(head, [_changed(each) for each in found.services], firm=(5,))
    unknown: dict[str, list[str]] = {}
    for each in found.services:
        if each.brought.known and each.after is not None:
            click.echo(f"\n{shown.plain(each.service)}")
            _commits(each.brought.commits, each.brought.known, each.brought.cut)
        elif each.brought.why:
            unknown.setdefault(each.brought.why, []).append(each.service)
    for why, services in unknown.items():
        click.echo(
            f"\nWhich commits came is not known for {shown.plain(', '.join(services))}: {shown.plain(why)}"
        )
    return 0


def _changed(each: ServiceChanged) -> tuple[str, ...]:
    after = each.after
    state = "removed" if after is None else after.type if each.before else "new"
    by = _everybody(dict.fromkeys(row.actor for row in each.deployments if row.actor))
    last = _time(after.at) if after else ""
    return (each.service, _version(each.before), _version(after), state, by, last)


def last_good(house: House, service: str, environment: str, json: bool) -> int:
    """What to go back to; 1 if nothing good is known."""
    found = house.last_good(service, environment)
    if json:
        shown.as_json(found)
        return 0 if found.deployment else 1
    place = f"{found.service} in {found.environment}"
    good = found.deployment
    if good is None:
        click.echo(shown.plain(f"No good deployment of {place} is known."))
    else:
        verb = "It runs now" if found.runs else f"Now runs {_version(found.running) or 'nothing'}"
        click.echo(shown.plain(f"{_version(good)} is the last good one of {place}. {verb}."))
        shown.facts(
            [
                ("deployed", f"{_time(good.at)} UTC by {_who(good.actor) or 'nobody that was named'}"),
                ("commit", " ".join(filter(None, (good.repository, good.sha)))),
                ("artifact", good.artifact or ""),
                ("deployment", good.key),
            ]
        )
    for each in found.passed_over:
        row = each.deployment
        click.echo(shown.plain(f"  passed over: {_version(row)} of {_time(row.at)}, since {each.why}"))
    return 0 if good else 1


# Words.


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _version(row: DeploymentRow | None) -> str:
    return _short(row.version or row.sha or row.artifact) if row else ""


def _short(text: str | None) -> str:
    """A version as told; whole commits and digests in it cut to what tells them apart."""
    return _LONG.sub(lambda found: found[0][:7] if len(found[0]) == 40 else found[0][:12], text or "")


def _who(who: Who | None) -> str:
    if who is None:
        return ""
    return "an erased person" if who.erased else who.name or who.login or who.id


def _everybody(people: Iterable[Who]) -> str:
    return ", ".join(dict.fromkeys(_who(who) for who in people))
