"""Converts the records of a pseudonymised event history to facts in the direct form.

    python tools/ledger_to_facts.py FILE.jsonl[.gz] [--name NAME] [--out FACTS.jsonl]

Reads JSON Lines (gzip or plain; `-` is standard input) and writes one fact per line, ready for
`deploytrail import jsonl`. One record becomes one fact, except that commits are told as pushes of at most
20 commits. Line numbers count from 1 and stand in each fact's id, so a second import repeats nothing.

| record | fact |
|---|---|
| `deployment` | `deployment.finished`, named `gov-LINE` |
| `setting` | `environment.changed` (setting, before, after) |
| `service_removed` | `service.removed` |
| `commit` | one commit of a `commit.pushed`, on the ref `main` where `main` is 1 |
| `release` | `release.published` (tag, sha) |

What the records do not say is left out: the branch of a commit off the first-parent line is called
`unknown`, a setting that has no earlier value has no `before`, a time that no calendar holds is dropped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

COMMITS_PER_PUSH: Final = 20
# The settings of the deployment ledger, in the order in which a fact names them.
_SETTINGS: Final = ("automatic_deploys_enabled", "promote_deployment")
_MAIN: Final = "main"
_ELSEWHERE: Final = "unknown"


class Origin(NamedTuple):
    """Where a history comes from: the prefix of its fact ids, and its repository (None: per service)."""

    prefix: str
    repository: str | None


_KNOWN: Final = {
    "govuk-deployments": Origin("gov", None),
    "govuk-frontend": Origin("govuk-frontend", "github.com/alphagov/frontend"),
    "socorro": Origin("socorro", "github.com/mozilla-services/socorro"),
    "mybinder-deploy": Origin("mybinder-deploy", "github.com/jupyterhub/mybinder.org-deploy"),
    "pypi-warehouse": Origin("pypi-warehouse", "github.com/pypi/warehouse"),
}


class Unreadable(Exception):
    """A line is not a record of a history. The words name the line."""


def origin(name: str) -> Origin:
    """The origin that a file's name tells; an unknown name stands for itself."""
    for known, found in _KNOWN.items():
        if name == known or name.startswith(f"{known}-to-"):
            return found
    return Origin(name, name)


def convert(lines: Iterable[bytes], name: str) -> Iterator[dict[str, Any]]:
    """The facts of a history's lines, in order; `name` is the file's name without its endings.

    Pushes are told when they are full or at the end. Unreadable for a line that is no record.
    """
    source = origin(name)
    pushes: dict[str, list[tuple[int, dict[str, Any]]]] = {_MAIN: [], _ELSEWHERE: []}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(line, number)
        if record["k"] == "commit":
            ref = _MAIN if record.get("main") else _ELSEWHERE
            pushes[ref].append((number, record))
            if len(pushes[ref]) == COMMITS_PER_PUSH:
                yield _push(pushes[ref], ref, source)
                pushes[ref] = []
        else:
            yield _single(record, number, source)
    for ref, waiting in pushes.items():
        if waiting:
            yield _push(waiting, ref, source)


def _record(line: bytes, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        raise Unreadable(f"Line {number} is not JSON.") from None
    if not isinstance(record, dict) or record.get("k") not in (*_SINGLE, "commit"):
        raise Unreadable(f"Line {number} is no record of a history.")
    return record


def _single(record: dict[str, Any], number: int, source: Origin) -> dict[str, Any]:
    try:
        return _SINGLE[record["k"]](record, f"{source.prefix}-{number}", source)
    except KeyError as missing:
        raise Unreadable(f"Line {number} lacks the field {missing}.") from None


def _deployment(record: dict[str, Any], id_: str, source: Origin) -> dict[str, Any]:
    service = record["service"]
    fact = {
        "kind": "deployment.finished",
        "id": id_,
        "occurred_at": _when(record),
        "actor": _person(record, "actor"),
        "deployment": id_,
        "service": service,
        "environment": record["env"],
        "version": None if record.get("version") is None else str(record["version"]),
        "outcome": "succeeded",
    }
    if record.get("version_sha"):
        repository = source.repository or f"github.com/alphagov/{service}"
        fact["commits"] = [{"repository": repository, "sha": record["version_sha"]}]
    return _told(fact)


def _setting(record: dict[str, Any], id_: str, _: Origin) -> dict[str, Any]:
    changed = record.get("changed") or {}
    # Without a known change the record still says what the setting is from now on.
    names = sorted(changed) or [name for name in _SETTINGS if name in record]
    fact = {
        "kind": "environment.changed",
        "id": id_,
        "occurred_at": _when(record),
        "actor": _person(record, "actor"),
        "environment": record["env"],
        "service": record["service"],
        "setting": ", ".join(names),
        "before": _values([changed[name][0] for name in names if name in changed]),
        "after": _values([changed[name][1] if name in changed else record[name] for name in names]),
    }
    return _told(fact)


def _values(values: list[Any]) -> str | None:
    """Values as JSON texts in the order of their settings; None when none is known."""
    return ", ".join(json.dumps(value) for value in values) or None


def _removed(record: dict[str, Any], id_: str, _: Origin) -> dict[str, Any]:
    return _told(
        {
            "kind": "service.removed",
            "id": id_,
            "occurred_at": _when(record),
            "actor": _person(record, "actor"),
            "environment": record["env"],
            "service": record["service"],
        }
    )


def _release(record: dict[str, Any], id_: str, source: Origin) -> dict[str, Any]:
    tagger = _person(record, "tagger")
    fact = {
        "kind": "release.published",
        "id": id_,
        "occurred_at": _time(record.get("time")),
        "actor": tagger,
        "repository": source.repository,
        "tag": record["tag"],
        "sha": record["sha"],
        "author": tagger,
    }
    if record.get("time_source") == "commit":
        # A lightweight tag has no time of its own: the time above is its commit's.
        fact["labels"] = {"time_source": "commit"}
    return _told(fact)


def _push(commits: list[tuple[int, dict[str, Any]]], ref: str, source: Origin) -> dict[str, Any]:
    first, (_, last) = commits[0][0], commits[-1]
    return _told(
        {
            "kind": "commit.pushed",
            "id": f"{source.prefix}-{first}",
            "occurred_at": _time(last.get("committed")),
            "repository": source.repository or source.prefix,
            "ref": ref,
            "after": last["sha"],
            "commits": [_commit(record, number) for number, record in commits],
        }
    )


def _commit(record: dict[str, Any], number: int) -> dict[str, Any]:
    if "sha" not in record:
        raise Unreadable(f"Line {number} lacks the field 'sha'.")
    return _told(
        {
            "sha": record["sha"],
            "parents": record.get("parents"),
            "paths": sorted(record.get("paths") or ()) or None,
            "signed": True if record.get("signed") else None,
            "authored_at": _time(record.get("authored")),
            "committed_at": _time(record.get("committed")),
            "author": _person(record, "author"),
            "committer": _person(record, "committer"),
            "co_authors": [{"login": who} for who in record.get("coauthors") or ()] or None,
        }
    )


def _person(record: dict[str, Any], field: str) -> dict[str, Any] | None:
    if not record.get(field):
        return None
    bot = {"bot": True} if record.get(f"{field}_bot") else {}
    return {"login": record[field], **bot}


def _when(record: dict[str, Any]) -> str | None:
    """When the roll-out saw it: merged into the default branch, else committed, else authored."""
    return _time(record.get("merged") or record.get("committed") or record.get("time"))


def _time(text: str | None) -> str | None:
    """The time if a calendar holds it. Commits carry a few that were never possible."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment.utctimetuple()
    except (ValueError, OverflowError):
        return None
    return text if moment.tzinfo else None


def _told(fact: dict[str, Any]) -> dict[str, Any]:
    """Only what is known and not empty."""
    return {name: value for name, value in fact.items() if value is not None and value != ""}


_SINGLE: Final = {
    "deployment": _deployment,
    "setting": _setting,
    "service_removed": _removed,
    "release": _release,
}


def stem(path: str) -> str:
    """A file's name without `.jsonl`, `.json` and `.gz`."""
    name = Path(path).name
    for ending in (".gz", ".jsonl", ".json"):
        name = name.removesuffix(ending)
    return name


@contextmanager
def opened(path: str) -> Iterator[Iterable[bytes]]:
    """The lines of a file, unpacked if it is gzip; `-` is standard input."""
    if path == "-":
        yield sys.stdin.buffer
    elif path.endswith(".gz"):
        with gzip.open(path) as packed:
            yield packed
    else:
        with Path(path).open("rb") as plain:
            yield plain


def main(arguments: list[str] | None = None) -> int:
    """Converts one file. Exit status 0, or 2 with one sentence."""
    parser = argparse.ArgumentParser(
        prog="ledger_to_facts", description="A history's records as facts in the direct form."
    )
    parser.add_argument("file", help="JSON Lines, plain or .gz; - for standard input")
    parser.add_argument("--name", help="the history's name (default: the file's name without endings)")
    parser.add_argument("--out", help="where the facts go (default: standard output)")
    given = parser.parse_args(arguments)
    try:
        with ExitStack() as stack:
            lines = stack.enter_context(opened(given.file))
            out = stack.enter_context(Path(given.out).open("wb")) if given.out else sys.stdout.buffer
            for fact in convert(lines, given.name or stem(given.file)):
                out.write(json.dumps(fact, separators=(",", ":")).encode() + b"\n")
    except BrokenPipeError:
        return 0
    except (Unreadable, OSError, EOFError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
