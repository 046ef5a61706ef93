"""One sentence per kind of fact: whole sentences with named placeholders, never joined pieces.

For each kind the sentences stand in order of preference: the first whose placeholders are all known is
said. The last one of a kind needs nothing. `{name:b}` is bold, `{name:a}` is the row's object and links to
it, `{name:i}` is an identifier. Names of services, environments and persons lead to their own pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from markupsafe import Markup

from deploytrail.app.views import StepView, TrailRow, Who
from deploytrail.facts.kinds import KINDS
from deploytrail.web import links, words
from deploytrail.web.hostile import shown

# Outcomes and verdicts as sources spell them, in our words.
_ENDED: Final = {
    **dict.fromkeys(("succeeded", "success", "passed", "ok"), "good"),
    **dict.fromkeys(("failed", "failure", "error", "timed_out", "startup_failure"), "bad"),
    **dict.fromkeys(("cancelled", "canceled", "aborted", "killed"), "cancelled"),
    **dict.fromkeys(("skipped",), "skipped"),
    **dict.fromkeys(("approved", "approve"), "approved"),
    **dict.fromkeys(("changes_requested", "request_changes"), "changes"),
    **dict.fromkeys(("rejected", "reject", "refused"), "rejected"),
    **dict.fromkeys(("requested", "waiting", "pending"), "requested"),
    **dict.fromkeys(("queued",), "queued"),
    **dict.fromkeys(("commented", "comment"), "commented"),
    **dict.fromkeys(("dismissed",), "dismissed"),
}

SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "commit.pushed": (
        "{actor:b} pushed {commits:a} to {repository:b} {ref}",
        "{actor:b} pushed {commits:a} to {repository:b}",
        "Somebody pushed {commits:a} to {repository:b} {ref}; no known person or key matches",
        "Somebody pushed {commits:a} to {repository:b}; no known person or key matches",
    ),
    "commit.pushed/forced": (
        "{actor:b} replaced the history of {repository:b} {ref}, which now ends at {after:a}",
        "{actor:b} replaced the history of a branch of {repository:b}, which now ends at {after:a}",
        "Somebody replaced the history of a branch of {repository:b}, which now ends at {after:a}",
    ),
    "commit.pushed/empty": (
        "{actor:b} moved {repository:b} {ref} to {after:a}",
        "{actor:b} moved a branch of {repository:b} to {after:a}",
        "Somebody moved a branch of {repository:b} to {after:a}; no known person or key matches",
    ),
    "ref.moved": (
        "{actor:b} moved {reftype} {ref:a} of {repository:b} to {after:i}",
        "{actor:b} moved {reftype:a} of {repository:b} to {after:i}",
        "A {reftype} of {repository:b} moved to {after:a}",
        "A {reftype:a} of {repository:b} moved",
    ),
    "ref.moved/created": (
        "{actor:b} created {reftype} {ref:a} of {repository:b}",
        "{actor:b} created a {reftype:a} of {repository:b}",
        "A {reftype:a} of {repository:b} was created",
    ),
    "ref.moved/deleted": (
        "{actor:b} deleted {reftype} {ref:a} of {repository:b}",
        "{actor:b} deleted a {reftype:a} of {repository:b}",
        "A {reftype:a} of {repository:b} was deleted",
    ),
    "release.published": (
        "{actor:b} published release {tag:a} of {repository:b}",
        "Release {tag:a} of {repository:b} was published",
        "{actor:b} published {release:a} of {repository:b}",
        "{release:a} of {repository:b} was published",
        "{release:a} was published",
    ),
    "release.changed": (
        "{actor:b} changed release {tag:a} of {repository:b}: {action}",
        "{actor:b} changed release {tag:a} of {repository:b}",
        "Release {tag:a} of {repository:b} changed",
        "{release:a} of {repository:b} changed",
        "{release:a} changed",
    ),
    "change.opened": (
        "{actor:b} opened change {number:a} in {repository:b}: {title}",
        "{actor:b} opened change {number:a} in {repository:b}",
        "{author:b} opened change {number:a} in {repository:b}",
        "Change {number:a} in {repository:b} was opened",
    ),
    "change.updated": (
        "{actor:b} updated change {number:a} in {repository:b}: {action}",
        "{actor:b} updated change {number:a} in {repository:b}",
        "Change {number:a} in {repository:b} was updated",
    ),
    "change.abandoned": (
        "{actor:b} closed change {number:a} in {repository:b} without merging it",
        "Change {number:a} in {repository:b} was closed without being merged",
    ),
    "change.reviewed": (
        "{reviewer:b} reviewed change {number:a} in {repository:b}: {verdict}",
        "{reviewer:b} reviewed change {number:a} in {repository:b}",
        "Change {number:a} in {repository:b} was reviewed: {verdict}",
        "Change {number:a} in {repository:b} was reviewed",
    ),
    "change.reviewed/approved": (
        "{reviewer:b} approved change {number:a} in {repository:b}",
        "Change {number:a} in {repository:b} was approved",
    ),
    "change.reviewed/changes": (
        "{reviewer:b} asked for changes in {number:a} of {repository:b}",
        "Somebody asked for changes in {number:a} of {repository:b}",
    ),
    "change.reviewed/commented": (
        "{reviewer:b} commented on change {number:a} in {repository:b}",
        "Somebody commented on change {number:a} in {repository:b}",
    ),
    "change.reviewed/dismissed": (
        "{actor:b} dismissed a review of change {number:a} in {repository:b}",
        "A review of change {number:a} in {repository:b} was dismissed",
    ),
    "change.merged": (
        "{merged_by:b} merged change {number:a} into {repository:b}, reviewed by {reviewers:b}",
        "{merged_by:b} merged change {number:a} into {repository:b}",
        "Change {number:a} was merged into {repository:b}",
    ),
    "build.finished": ("The build {name:a} of {repository:b} ended on {sha:i}: {outcome}",
                       "The build {name:a} of {repository:b} ended on {sha:i}"),
    "build.finished/good": ("The build {name:a} of {repository:b} succeeded on {sha:i}",),
    "build.finished/bad": ("The build {name:a} of {repository:b} failed on {sha:i}",),
    "build.finished/cancelled": ("The build {name:a} of {repository:b} was cancelled on {sha:i}",),
    "build.finished/skipped": ("The build {name:a} of {repository:b} was skipped on {sha:i}",),
    "test.finished": ("The test {name:a} of {repository:b} ended on {sha:i}: {outcome}",
                      "The test {name:a} of {repository:b} ended on {sha:i}"),
    "test.finished/good": (
        "The test {name:a} of {repository:b} passed on {sha:i}: {passed} passed, {skipped} skipped",
        "The test {name:a} of {repository:b} passed on {sha:i}",
    ),
    "test.finished/bad": (
        "The test {name:a} of {repository:b} failed on {sha:i}: {failed} failed, {passed} passed",
        "The test {name:a} of {repository:b} failed on {sha:i}",
    ),
    "test.finished/cancelled": ("The test {name:a} of {repository:b} was cancelled on {sha:i}",),
    "test.finished/skipped": ("The test {name:a} of {repository:b} was skipped on {sha:i}",),
    "check.finished": ("The check {name:a} of {repository:b} ended on {sha:i}: {outcome}",
                       "The check {name:a} of {repository:b} ended on {sha:i}"),
    "check.finished/good": ("The check {name:a} of {repository:b} passed on {sha:i}",),
    "check.finished/bad": ("The check {name:a} of {repository:b} failed on {sha:i}",),
    "check.finished/cancelled": ("The check {name:a} of {repository:b} was cancelled on {sha:i}",),
    "check.finished/skipped": ("The check {name:a} of {repository:b} was skipped on {sha:i}",),
    "check.finished/requested": ("The check {name:a} of {repository:b} waits on {sha:i}",),
    "check.started": ("The check {name:a} of {repository:b} started on {sha:i}",),
    "artifact.published": (
        "{actor:b} published {artifact_name:b} {version:b} as {digest:a}, built from {sha:i}",
        "{actor:b} published {artifact_name:b} as {digest:a}, built from {sha:i}",
        "{artifact_name:b} was published as {digest:a}, built from {sha:i}",
        "{artifact_name:b} was published as {digest:a}",
        "{source:b} reported the artifact {digest:a}",
    ),
    "deployment.started": (
        "{actor:b} started to deploy {what:a} to {environment:b}",
        "A deployment of {what:a} to {environment:b} started",
    ),
    "deployment.started/rollback": (
        "{actor:b} started to roll back {what:a} in {environment:b}",
        "A rollback of {what:a} in {environment:b} started",
    ),
    "deployment.step": (
        "The deployment of {what:a} to {environment:b} went on: {step}, {status}",
        "The deployment of {what:a} to {environment:b} went on: {step}",
        "The deployment of {what:a} to {environment:b} went on: {status}",
        "The deployment of {what:a} to {environment:b} went on",
    ),
    "deployment.step/bad": (
        "A step of the deployment of {what:a} to {environment:b} failed: {step}",
        "A step of the deployment of {what:a} to {environment:b} failed",
    ),
    "deployment.finished": (
        "The deployment of {what:a} to {environment:b} ended: {outcome}",
        "The deployment of {what:a} to {environment:b} ended",
    ),
    "deployment.finished/good": (
        "{actor:b} deployed {what:a} to {environment:b}",
        "{what:a} was deployed to {environment:b}; nobody said by whom",
    ),
    "deployment.finished/bad": (
        "{actor:b} failed to deploy {what:a} to {environment:b}: {description}",
        "{actor:b} failed to deploy {what:a} to {environment:b}",
        "The deployment of {what:a} to {environment:b} failed: {description}",
        "The deployment of {what:a} to {environment:b} failed",
    ),
    "deployment.finished/cancelled": (
        "{actor:b} began to deploy {what:a} to {environment:b}; it was cancelled",
        "The deployment of {what:a} to {environment:b} was cancelled",
    ),
    "deployment.finished/rollback/good": (
        "{actor:b} rolled back {service:a} in {environment:b} from {replaced:b} to {version:b}",
        "{actor:b} rolled back {service:a} in {environment:b} to {version:b}",
        "{actor:b} rolled back {service:a} in {environment:b}",
        "{service:a} in {environment:b} was rolled back to {version:b}",
        "{service:a} in {environment:b} was rolled back",
    ),
    "deployment.finished/rollback/bad": (
        "{actor:b} failed to roll back {what:a} in {environment:b}: {description}",
        "{actor:b} failed to roll back {what:a} in {environment:b}",
        "The rollback of {what:a} in {environment:b} failed",
    ),
    "deployment.finished/redeploy/good": (
        "{actor:b} deployed {what:a} to {environment:b} again",
        "{what:a} was deployed to {environment:b} again",
    ),
    "deployment.finished/hotfix/good": (
        "{actor:b} deployed {what:a} to {environment:b} as a hotfix",
        "{what:a} was deployed to {environment:b} as a hotfix",
    ),
    "deployment.finished/config/good": (
        "{actor:b} changed the configuration of {what:a} in {environment:b}",
        "The configuration of {what:a} in {environment:b} changed",
    ),
    "deployment.reviewed": (
        "{source:b} reported a review for {environment:a} by {approver:b}: {verdict}",
        "{source:b} reported a review for {environment:a}: {verdict}",
    ),
    "deployment.reviewed/approved": (
        "{source:b} said that {approver:b} approved deploying {repository:b} to {environment:a}",
        "{source:b} said that {approver:b} approved a deployment to {environment:a}",
        "{source:b} said that somebody approved a deployment to {environment:a}",
    ),
    "deployment.reviewed/rejected": (
        "{source:b} said that {approver:b} rejected deploying {repository:b} to {environment:a}",
        "{source:b} said that {approver:b} rejected a deployment to {environment:a}",
        "{source:b} said that somebody rejected a deployment to {environment:a}",
    ),
    "deployment.reviewed/requested": (
        "{source:b} waits for a review before deploying {repository:b} to {environment:a}",
        "{source:b} waits for a review before deploying to {environment:a}",
    ),
    "environment.snapshot": ("{source:b} said what runs in {environment:b}: {running:a}",),
    "environment.changed": (
        "{actor:b} changed {setting:a} of {environment:b} from {before} to {after_text}",
        "{actor:b} changed {setting:a} of {environment:b}",
        "{setting:a} of {environment:b} changed from {before} to {after_text}",
        "{setting:a} of {environment:b} changed",
        "{actor:b} changed a setting of {environment:a}",
        "A setting of {environment:a} changed",
    ),
    "service.removed": (
        "{actor:b} removed {service:a} from {environment:b}",
        "{service:a} was removed from {environment:b}",
    ),
    "control.changed": (
        "{actor:b} changed {control:a} for {member:b} in {place:b}: {action}",
        "{actor:b} changed {control:a} {control_name:b} of {place:b}: {action}",
        "{actor:b} changed {control:a} of {place:b}: {action}",
        "{actor:b} changed {control:a} of {place:b}",
        "{control:a} of {place:b} changed: {action}",
        "{control:a} of {place:b} changed",
        "{control:a} changed",
    ),
    "incident.opened": (
        "Incident {incident:a} opened for {service:b} in {environment:b}: {title}",
        "Incident {incident:a} opened for {service:b} in {environment:b}",
        "Incident {incident:a} opened for {service:b}",
        "Incident {incident:a} opened: {title}",
        "Incident {incident:a} opened",
    ),
    "incident.resolved": (
        "Incident {incident:a} of {service:b} in {environment:b} was resolved: {cause}",
        "Incident {incident:a} of {service:b} was resolved",
        "Incident {incident:a} was resolved",
    ),
    "pipeline.started": (
        "{actor:b} started pipeline {run_name:a} of {repository:b} on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} started on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} started",
    ),
    "pipeline.started/queued": (
        "{actor:b} queued pipeline {run_name:a} of {repository:b} on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} was queued on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} was queued",
    ),
    "pipeline.started/requested": (
        "{actor:b} asked for pipeline {run_name:a} of {repository:b} on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} was asked for on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} was asked for",
    ),
    "pipeline.finished": (
        "Pipeline {run_name:a} of {repository:b} ended on {sha:i}: {outcome}",
        "Pipeline {run_name:a} of {repository:b} ended",
    ),
    "pipeline.finished/good": (
        "Pipeline {run_name:a} of {repository:b} succeeded on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} succeeded",
    ),
    "pipeline.finished/bad": (
        "Pipeline {run_name:a} of {repository:b} failed on {sha:i}",
        "Pipeline {run_name:a} of {repository:b} failed",
    ),
    "pipeline.finished/cancelled": ("Pipeline {run_name:a} of {repository:b} was cancelled",),
    "pipeline.finished/skipped": ("Pipeline {run_name:a} of {repository:b} was skipped",),
    "job.started": ("Job {job_name:a} of {repository:b} started",),
    "job.started/queued": ("Job {job_name:a} of {repository:b} was queued",),
    "job.started/requested": ("Job {job_name:a} of {repository:b} waits",),
    "job.finished": (
        "Job {job_name:a} of {repository:b} ended: {outcome}",
        "Job {job_name:a} of {repository:b} ended",
    ),
    "job.finished/good": ("Job {job_name:a} of {repository:b} succeeded",),
    "job.finished/bad": ("Job {job_name:a} of {repository:b} failed",),
    "job.finished/cancelled": ("Job {job_name:a} of {repository:b} was cancelled",),
    "job.finished/skipped": ("Job {job_name:a} of {repository:b} was skipped",),
    "source.pinged": (
        "{source:b} said {hello:a} for {repository:b}; we can hear it",
        "{source:b} said {hello:a}; we can hear it",
    ),
    "log.opened": ("We opened this log as {origin:a}",),
    "delivery.set_aside": ("We set aside the delivery {event:a} from {source:b}: {reason}",),
    "source.added": (
        "{actor:b} added the source {name:a}, of type {type}",
        "The source {name:a} was added, of type {type}",
    ),
    "source.changed": (
        "{actor:b} changed the source {name:a}; {secrets} may sign for it now",
        "The source {name:a} changed; {secrets} may sign for it now",
    ),
    "token.created": (
        "{actor:b} made the token {name:a} for the role {role:b}",
        "The token {name:a} was made for the role {role:b}",
    ),
    "token.revoked": (
        "{actor:b} ended the token {name:a} of the role {role:b}",
        "The token {name:a} of the role {role:b} was ended",
    ),
    "link.issued": ("A {link_word:a} for an administrator was made on the machine itself",),
    "session.started": (
        "{person:b} signed in as {role:b}, by {method:a}",
        "Somebody signed in as {role:b}, by {method:a}",
    ),
    "session.ended": (
        "{person:b} {signed_out:a}",
        "Somebody {signed_out:a}",
    ),
    "service.declared": (
        "{actor:b} declared the service {service:a}",
        "The service {service:a} was declared",
    ),
    "environment.declared": (
        "{actor:b} declared the environment {environment:a}, of class {type:b}",
        "The environment {environment:a} was declared, of class {type:b}",
    ),
    "reports.separated": (
        "{actor:b} separated the report of {entry:a} from its deployment",
        "The report of {entry:a} was separated from its deployment",
    ),
    "subject.erased": (
        "{actor:b} erased the names of {subject:a} in {entries}, on this ground: {ground}",
        "The names of {subject:a} in {entries} were erased, on this ground: {ground}",
    ),
    # A sender's own kind.
    "x-": (
        "{source:b} told {kind:a} about {service:b} in {environment:b}",
        "{source:b} told {kind:a} about {service:b}",
        "{source:b} told {kind:a} about {environment:b}",
        "{source:b} told {kind:a} about {repository:b}",
        "{source:b} told {kind:a}",
    ),
    # Whatever else is missing.
    "known": ("{source:b} told {kind:a} about {repository:b}", "{source:b} told {kind:a}"),
    # A kind of a later version.
    "": ("{source:b} told {kind:a}, which this version does not know",),
}  # fmt: skip


def sentence(row: TrailRow) -> Markup:
    """The sentence of one line of the trail."""
    said = _Said(row)
    for pattern in patterns(row):
        try:
            return Markup(pattern).format_map(said)
        except _Unknown:
            continue
    return Markup(SENTENCES[""][0]).format_map(said)


def ended(told: str) -> str | None:
    """What an outcome or verdict amounts to, however its source spells it: good, bad, cancelled ..."""
    return _ENDED.get(told.strip().lower().replace(" ", "_"))


def patterns(row: TrailRow) -> tuple[str, ...]:
    """The sentences that may be said for this line, the best first; more general ones follow."""
    found: list[str] = []
    for key in _keys(row.kind, row.fields):
        found += SENTENCES.get(key, ())
    return tuple(found)


def _keys(kind: str, fields: Mapping[str, Any]) -> list[str]:
    """From the most to the least particular name of what happened."""
    keys = []
    ended_as = ended(str(fields.get("outcome") or fields.get("verdict") or fields.get("status") or ""))
    type_ = fields.get("type")
    if kind.startswith("deployment.") and type_:
        keys += [f"{kind}/{type_}/{ended_as}", f"{kind}/{type_}"]
    if kind == "commit.pushed":
        keys += [f"{kind}/forced"] if fields.get("forced") else []
        keys += [] if fields.get("commits") else [f"{kind}/empty"]
    if kind == "ref.moved":
        keys += [f"{kind}/deleted"] if fields.get("deleted") or not fields.get("after") else []
        keys += [] if fields.get("before") else [f"{kind}/created"]
    if ended_as:
        keys.append(f"{kind}/{ended_as}")
    last = "x-" if kind.startswith("x-") else "known" if kind in KINDS else ""
    return [*keys, kind, last]


class _Unknown(Exception):
    """A placeholder has no value, so another sentence must be said."""


class _Word:
    """The value of a placeholder, which is set as the sentence asks; `own` is the address of its own page."""

    def __init__(self, text: Markup, href: str, own: str | None) -> None:
        self._text, self._href, self._own = text, href, own

    def __html_format__(self, spec: str) -> Markup:
        if spec == "b":
            return Markup("<b>{}</b>").format(links.link(self._own, self._text) if self._own else self._text)
        if spec == "a":
            return Markup('<a href="{}">{}</a>').format(self._href, self._text)
        if spec == "i":
            return Markup('<span class="id">{}</span>').format(self._text)
        return self._text


class _Said(Mapping[str, _Word]):
    """What a line knows, by the names of placeholders."""

    def __init__(self, row: TrailRow) -> None:
        self._row = row
        self._href = _page_of(row)

    def __getitem__(self, name: str) -> _Word:
        found = _SPECIAL.get(name, _plain(name))(self._row)
        if found is None or found == "":
            raise _Unknown(name)
        own = _OWN[name](self._row) if name in _OWN else None
        return _Word(found if isinstance(found, Markup) else shown(found), self._href, own)

    def __iter__(self) -> Any:  # pragma: no cover - a mapping must have it; format_map never asks
        return iter(_SPECIAL)

    def __len__(self) -> int:  # pragma: no cover
        return len(_SPECIAL)


def _page_of(row: TrailRow) -> str:
    """The page of what a line is about: a deployment, a change, an artifact, a service, else the entry."""
    fields = row.fields
    repository, number, digest = fields.get("repository"), fields.get("number"), fields.get("digest")
    if row.deployment:
        return links.deployment(row.deployment)
    if row.kind.startswith("change.") and isinstance(repository, str) and isinstance(number, int):
        return links.change(repository, number)
    if row.kind == "artifact.published" and isinstance(digest, str):
        return links.artifact(digest)
    if row.kind == "service.declared" and row.service:
        return links.service(row.service)
    return f"/entries/{row.index}"


def _name_of(field: str, address: Callable[[str], str]) -> Callable[[TrailRow], str | None]:
    def own(row: TrailRow) -> str | None:
        name = getattr(row, field)
        return address(name) if name else None

    return own


# Names that have pages of their own, besides those of persons, which are links wherever they stand.
_OWN: Final = {
    "service": _name_of("service", links.service),
    "environment": _name_of("environment", links.environment),
}

Value = Callable[[TrailRow], Markup | str | None]


def _plain(name: str) -> Value:
    def value(row: TrailRow) -> str | None:
        told = row.fields.get(name)
        if isinstance(told, int) and not isinstance(told, bool):
            return words.number(told)
        return told if isinstance(told, str) else row.texts.get(name)

    return value


def _person(*names: str) -> Value:
    def value(row: TrailRow) -> Markup | None:
        for name in names:
            who = row.actor if name == "actor" else row.people.get(name)
            if who is not None:
                return words.person(who)
        return None

    return value


def _cut(name: str, cut: Callable[[str], str]) -> Value:
    def value(row: TrailRow) -> Markup | None:
        told = row.fields.get(name)
        return shown(cut(told)) if isinstance(told, str) and told else None

    return value


def _counted(name: str, one: str, many: str) -> Value:
    def value(row: TrailRow) -> str | None:
        told = row.fields.get(name)
        count = len(told) if isinstance(told, list) else told
        return words.plural(count, one, many) if isinstance(count, int) else None

    return value


def _constant(text: str) -> Value:
    return lambda row: text


def _first(*names: str) -> Value:
    def value(row: TrailRow) -> str | Markup | None:
        return next((found for name in names if (found := _plain(name)(row))), None)

    return value


def what(service: str | None, version: str | None, artifact: str | None) -> str | None:
    """What is deployed, in as few words as tell it apart: checkout 1.42.0."""
    if service is None:
        return None
    if version:
        return f"{service} {words.version(version)}"
    return f"{service} {words.digest(artifact)}" if artifact else service


def _what(row: TrailRow) -> str | None:
    artifact = row.fields.get("artifact")
    return what(row.service, row.version, artifact if isinstance(artifact, str) else None) or row.service


def _ref(row: TrailRow) -> str | None:
    told = row.fields.get("ref")
    text = told if isinstance(told, str) else row.texts.get("ref")
    return text.removeprefix("refs/heads/").removeprefix("refs/tags/") if text else None


def _number(row: TrailRow) -> str | None:
    told = row.fields.get("number")
    return f"#{told}" if isinstance(told, int) else None


def _reviewers(row: TrailRow) -> Markup | None:
    named = [who for name, who in row.people.items() if name.split(".")[0] in ("reviewers", "reviewer")]
    return words.people(list({who.id: who for who in named}.values())) if named else None


# What sources call by words that tell a reader nothing.
_VERBS: Final = {"synchronize": "new commits"}


def _verb(row: TrailRow) -> str | None:
    told = row.fields.get("action")
    return _VERBS.get(told, told.replace("_", " ")) if isinstance(told, str) else None


def _status(row: TrailRow) -> str | None:
    """A status, unless the step's own name says the same."""
    status = (_plain("status")(row) or "").replace("_", " ")
    name = (_plain("name")(row) or "").replace("_", " ")
    return status if status and status != name else None


def _step_name(row: TrailRow) -> str | None:
    name = _plain("name")(row)
    return name.replace("_", " ") if name else None


def _outcome(row: TrailRow) -> str | None:
    told = row.fields.get("outcome")
    return told.replace("_", " ") if isinstance(told, str) else None


def _entry(row: TrailRow) -> str | None:
    told = row.fields.get("index")
    return f"entry {words.number(told)}" if isinstance(told, int) else None


_SPECIAL: Final[dict[str, Value]] = {
    "actor": _person("actor"),
    "author": _person("author", "actor"),
    "reviewer": _person("reviewer", "actor"),
    "merged_by": _person("merged_by", "actor"),
    "approver": _person("approver", "actor"),
    "member": _person("member"),
    "person": _person("person", "actor"),
    "reviewers": _reviewers,
    "service": lambda row: row.service,
    "environment": lambda row: row.environment,
    "version": lambda row: words.version(row.version) if row.version else _cut("artifact", words.digest)(row),
    "replaced": lambda row: words.version(row.replaced) if row.replaced else None,
    "source": lambda row: row.source,
    "kind": lambda row: row.kind,
    "what": _what,
    "ref": _ref,
    "number": _number,
    "action": _verb,
    "outcome": _outcome,
    "verdict": lambda row: (_plain("verdict")(row) or "").replace("_", " ") or None,
    "status": _status,
    "step": _step_name,
    "control_name": _plain("name"),
    "sha": _cut("sha", words.sha),
    "after": _cut("after", words.sha),
    "after_text": _plain("after"),
    "digest": _cut("digest", words.digest),
    "commits": _counted("commits", "commit", "commits"),
    "running": _counted("running", "service", "services"),
    "secrets": _counted("secrets", "secret", "secrets"),
    "entries": _counted("entries", "entry", "entries"),
    "reftype": lambda row: _plain("type")(row) or "branch",
    "release": lambda row: row.texts.get("title") or "A release",
    "name": lambda row: _first("name", "app", "run")(row) or "without a name",
    "artifact_name": _first("name", "repository"),
    "run_name": lambda row: " ".join(
        part for part in (_first("name", "path")(row), _number(row) or _plain("run")(row)) if part
    ),
    "job_name": _first("name", "job"),
    "place": _first("repository", "environment", "organization"),
    "hello": _constant("hello"),
    "link_word": _constant("one-time link"),
    "signed_out": _constant("signed out"),
    "subject": lambda row: f"person {str(row.fields.get('subject'))[:10]}",
    "entry": _entry,
}


def step(view: StepView) -> Markup:
    """The first line of a step in a deployment's timeline."""
    pattern = _step_pattern(view)
    return Markup(pattern).format(
        actor=_bold(view.actor),
        name=shown((view.name or "a step").replace("_", " ")),
        status=shown((view.status or "started").replace("_", " ")),
        outcome=shown((view.outcome or "ended").replace("_", " ")),
        source=Markup("<b>{}</b>").format(shown(view.source)),
    )


def _bold(who: Who | None) -> Markup:
    return Markup("<b>{}</b>").format(words.person(who)) if who else Markup("")


_STEPS: Final[dict[str, tuple[str, str]]] = {
    # With an actor, and without.
    "deployment.started": ("{actor} started it", "It started"),
    "deployment.step": ("{name}, by {actor}", "{name}"),
    "deployment.step/status": ("{name}: {status}, by {actor}", "{name}: {status}"),
    "deployment.step/told": ("{actor} reported: {status}", "Reported: {status}"),
    "deployment.finished": ("It ended, reported by {actor}", "It ended"),
    "deployment.finished/outcome": ("It ended: {outcome}, reported by {actor}", "It ended: {outcome}"),
    "deployment.finished/good": ("It succeeded, reported by {actor}", "It succeeded"),
    "deployment.finished/bad": ("It failed, reported by {actor}", "It failed"),
    "deployment.finished/cancelled": ("It was cancelled, reported by {actor}", "It was cancelled"),
    "deployment.reviewed": (
        "{source} said that {actor} reviewed it: {outcome}",
        "{source} said that it was reviewed: {outcome}",
    ),
    # Whoever set a pipeline off did not do each of its jobs.
    "job.started": ("Job {name}: {status}",) * 2,
    "job.finished": ("Job {name}: {outcome}",) * 2,
    "job.finished/good": ("Job {name} succeeded",) * 2,
    "job.finished/bad": ("Job {name} failed",) * 2,
    "job.finished/cancelled": ("Job {name} was cancelled",) * 2,
    "job.finished/skipped": ("Job {name} was skipped",) * 2,
    "reports.separated": ("{actor} separated a report", "A report was separated"),
    "": ("{name}, by {actor}", "{name}"),
}


def _step_pattern(view: StepView) -> str:
    key = view.kind
    if key == "deployment.step" and view.status:
        same = view.name is None or view.name.replace("_", " ") == view.status.replace("_", " ")
        key = "deployment.step/told" if same else "deployment.step/status"
    if key in ("deployment.finished", "job.finished") and view.outcome:
        key = f"{key}/{ended(view.outcome)}"
        key = key if key in _STEPS else f"{view.kind}/outcome"
    with_actor, without = _STEPS.get(key, _STEPS.get(view.kind, _STEPS[""]))
    return with_actor if view.actor else without
