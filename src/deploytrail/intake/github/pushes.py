"""What happened to refs: pushes, branches and tags that come and go, releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.kinds import Commit
from deploytrail.intake.fields import (
    clear,
    count,
    flag,
    inside,
    items,
    json_size,
    moment,
    number,
    sealed,
    sha,
    time,
)
from deploytrail.intake.github.heard import Heard, hashed

# GitHub lists at most 2048 commits of a push.
_MAX_COMMITS: Final = 2048
# One entry has at most 65,535 bytes: commits of one part, in number and in bytes of their clear parts.
_PART: Final = 20
_PART_BYTES: Final = 48_000
_MAX_PATHS: Final = 200
_MAX_LISTED: Final = 1_000
_PATH_BYTES: Final = 20_000
# What a commit takes without its paths, and what each person of it takes: commitments and a subject key.
_COMMIT_BYTES: Final = 400
_PERSON_BYTES: Final = 320
_MAX_CO_AUTHORS: Final = 20
# Trailers stand at the end of a message.
_TRAILERS: Final = 16_384


def push(heard: Heard) -> list[Draft]:
    """commit.pushed for commits on a branch, in parts if long; ref.moved for tags and deletions."""
    body = heard.body
    ref = clear(body.get("ref"))
    if ref is None:
        raise Refused("bad-input", "The push does not say which ref it moved.")
    commits, head = _commits(heard), sha(inside(body, "head_commit").get("id"))
    gone = body.get("deleted") is True
    after = None if gone else sha(body.get("after")) or head
    heard.sender, pusher = _pushers(heard)
    shared: dict[str, Any] = {
        "repository": heard.needed_repository(),
        "ref": ref,
        "before": sha(body.get("before")),
        "after": after,
        "forced": flag(body.get("forced")),
        "created": flag(body.get("created")),
        "pusher": pusher,
    }
    # The time of the push tells apart a branch that went back and forth between the same two commits.
    pushed_at = moment(heard.place.get("pushed_at"))
    identity = heard.place_id or heard.repository
    key = heard.key(identity, hashed(ref), shared["before"], after, pushed_at)
    if after is not None and _ref_type(ref) == "branch":
        shared["url"] = sealed(body.get("compare"))
        return _pushed(heard, key, pushed_at, shared, commits)
    # A tag may be called like the default branch, and is not it.
    refs = frozenset[str]() if _ref_type(ref) == "tag" else None
    shared |= {"type": _ref_type(ref), "deleted": after is None, "commits": commits[-1:] or None}
    aside = _account(heard)
    return [heard.draft("ref.moved", key, pushed_at, shared, aside=aside, clear_refs=refs)]


def created(heard: Heard) -> list[Draft]:
    """ref.moved: a branch or tag came to be."""
    return [_moved(heard, None)]


def deleted(heard: Heard) -> list[Draft]:
    """ref.moved: a branch or tag is gone."""
    return [_moved(heard, True)]


def release(heard: Heard) -> list[Draft]:
    """release.published when a release came out, release.changed for everything else about one."""
    told = inside(heard.body, "release")
    out = heard.action in ("published", "released")
    target = clear(told.get("target_commitish"))
    exact = sha(target) if target is not None and len(target) >= 40 else None
    # `created_at` of a release is the commit's time, so it is nobody's claim about the release.
    when = told.get("published_at" if out else "updated_at")
    fields = {
        "repository": heard.needed_repository(),
        "tag": clear(told.get("tag_name")),
        "sha": exact,
        "ref": None if exact else target,
        "action": heard.action,
        "prerelease": flag(told.get("prerelease")),
        "draft": flag(told.get("draft")),
        "author": heard.person(told.get("author")),
        "title": sealed(told.get("name")),
        "url": sealed(told.get("html_url")),
    }
    identity = number(told.get("id"))
    last = clear(when) if identity and moment(when) is not None else heard.body_digest()
    key = heard.key(identity, heard.action, last)
    return [heard.draft("release.published" if out else "release.changed", key, moment(when), fields)]


def _pushed(
    heard: Heard, key: str, pushed_at: int | None, shared: dict[str, Any], commits: list[Commit]
) -> list[Draft]:
    groups = list(_groups(commits))
    drafts = []
    for place, group in enumerate(groups, start=1):
        fields, name = {**shared, "commits": group or None}, key
        if len(groups) > 1:
            fields |= {"part": place, "parts": len(groups)}
            name = f"{key}:{place}"
        drafts.append(heard.draft("commit.pushed", name, pushed_at, fields, aside=_account(heard)))
    return drafts


def _commits(heard: Heard) -> list[Commit]:
    """The commits that a push lists. The head is among them also where the push brought no new commit."""
    told = items(heard.body.get("commits"), _MAX_COMMITS + 1)
    if len(told) > _MAX_COMMITS:
        raise Refused("bad-input", f"The push lists more than {_MAX_COMMITS} commits, as GitHub never does.")
    commits = [commit for item in told if (commit := _commit(heard, item))]
    head = _commit(heard, heard.body.get("head_commit"))
    if head is not None and all(head.sha != commit.sha for commit in commits):
        commits.append(head)
    return commits


def _groups(commits: list[Commit]) -> Iterator[list[Commit]]:
    """The commits of a push, in order, in parts that fit one entry each; one empty part if there are none."""
    group: list[Commit] = []
    size = 0
    for commit in commits:
        people = 2 + len(commit.co_authors or ())
        takes = _COMMIT_BYTES + _PERSON_BYTES * people + json_size(commit.paths or [])
        if group and (len(group) == _PART or size + takes > _PART_BYTES):
            yield group
            group, size = [], 0
        group.append(commit)
        size += takes
    if group or not commits:
        yield group


def _commit(heard: Heard, raw: Any) -> Commit | None:
    told = inside(raw)
    name = sha(told.get("id"))
    if name is None:
        return None
    message = told.get("message")
    message = message if isinstance(message, str) else ""
    paths, cut = _paths(told)
    author, committer = inside(told, "author"), inside(told, "committer")
    return Commit(
        sha=name,
        paths=paths,
        paths_cut=cut,
        authored_at=time(author.get("date")),
        committed_at=time(committer.get("date")) or time(told.get("timestamp")),
        author=heard.signature(author),
        committer=heard.signature(committer),
        co_authors=_co_authors(heard, message) or None,
        title=sealed(message.lstrip()[:2_000].partition("\n")[0].rstrip("\r")),
    )


def _paths(told: dict[str, Any]) -> tuple[list[str] | None, bool]:
    """The paths a commit added, modified or removed, none twice, and whether there were more."""
    kept: dict[str, None] = {}
    room = _PATH_BYTES
    for name in ("added", "modified", "removed"):
        for place, item in enumerate(items(told.get(name), _MAX_LISTED + 1)):
            path = clear(item)
            if path is None or path in kept:
                continue
            room -= json_size(path) + 1
            if room < 0 or len(kept) == _MAX_PATHS or place == _MAX_LISTED:
                return list(kept), True
            kept[path] = None
    return list(kept) or None, False


def _co_authors(heard: Heard, message: str) -> list[Person]:
    """The persons of the Co-authored-by trailers, none twice."""
    found: dict[Person, None] = {}
    if "uthored-" not in message:
        return []
    for line in message[-_TRAILERS:].splitlines():
        label, _, rest = line.partition(":")
        if label.strip().lower() != "co-authored-by" or len(found) == _MAX_CO_AUTHORS:
            continue
        name, _, tail = rest.partition("<")
        person = heard.signature({"name": name.strip(), "email": tail.partition(">")[0].strip()})
        if person is not None:
            found[person] = None
    return list(found)


def _moved(heard: Heard, gone: bool | None) -> Draft:
    body = heard.body
    ref, sort = clear(body.get("ref")), clear(body.get("ref_type"), 100)
    if ref is None:
        raise Refused("bad-input", "The delivery does not say which ref it is about.")
    pushed_at = moment(heard.place.get("pushed_at"))
    refs = frozenset[str]() if sort == "tag" else None
    repository = heard.needed_repository()
    fields = {"repository": repository, "ref": ref, "type": sort, "deleted": gone}
    last = pushed_at if pushed_at is not None else heard.body_digest()
    key = heard.key(heard.place_id or repository, sort, hashed(ref), last)
    return heard.draft("ref.moved", key, pushed_at, fields, clear_refs=refs)


def _ref_type(ref: str) -> str | None:
    if ref.startswith("refs/tags/"):
        return "tag"
    return "branch" if ref.startswith("refs/heads/") or not ref.startswith("refs/") else None


def _pushers(heard: Heard) -> tuple[Person | None, Person | None]:
    """The sender, with the address that GitHub gives the pusher; and the pusher if that is another account.

    Deliveries of 2013 have only the pusher, whom GitHub had authenticated too.
    """
    sender, told = heard.sender, inside(heard.body, "pusher")
    pusher = heard.signature({"username": told.get("name"), "email": told.get("email")})
    if sender is None or pusher is None:
        return sender or pusher, None
    if pusher.login != sender.login:
        return sender, pusher
    return heard.known(Person(login=sender.login, email=pusher.email, bot=sender.bot)), None


def _account(heard: Heard) -> dict[str, Any]:
    """The number of the sender's account, which stays when a login changes hands."""
    account = inside(heard.body, "sender").get("id")
    return {"sender.id": account if count(account) is not None else None}
