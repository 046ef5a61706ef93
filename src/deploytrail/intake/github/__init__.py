"""GitHub's webhooks: github.com, GitHub Enterprise Cloud and Server.

`pushes`       push, create, delete, release
`changes`      pull_request, pull_request_review
`checks`       check_run, check_suite, status
`pipelines`    workflow_run, workflow_job
`deployments`  deployment, deployment_status, deployment_review
`controls`     branch_protection_rule, repository_ruleset, member, team, membership, organization, ping
`heard`        what all of them ask of a delivery
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from deploytrail.errors import Refused
from deploytrail.facts.draft import Draft
from deploytrail.intake.delivery import Delivery, Reading, Unreadable
from deploytrail.intake.github import changes, checks, controls, deployments, pipelines, pushes
from deploytrail.intake.github.heard import Heard

_SIGNATURE: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")
_EVENT: Final = re.compile(r"[a-z][a-z_]{0,59}")
_DELIVERY_ID: Final = re.compile(r"[0-9A-Za-z-]{1,80}")
# One replacement for a whole run of escapes: in JSON they come in runs.
_ESCAPES: Final = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_BOM: Final = b"\xef\xbb\xbf"
# The longest real delivery, a push of 2048 commits, has some 40,000 keys.
_MAX_KEYS: Final = 65_536
# A body with more keys than that is longer than this.
_COUNTED_FROM: Final = 4 * _MAX_KEYS

READERS: Final[Mapping[str, Callable[[Heard], list[Draft]]]] = {
    "push": pushes.push,
    "create": pushes.created,
    "delete": pushes.deleted,
    "release": pushes.release,
    "pull_request": changes.pull_request,
    "pull_request_review": changes.pull_request_review,
    "check_run": checks.check_run,
    "check_suite": checks.check_suite,
    "status": checks.status,
    "workflow_run": pipelines.workflow_run,
    "workflow_job": pipelines.workflow_job,
    "deployment": deployments.deployment,
    "deployment_status": deployments.deployment_status,
    "deployment_review": deployments.deployment_review,
    "branch_protection_rule": controls.branch_protection_rule,
    "repository_ruleset": controls.repository_ruleset,
    "member": controls.member,
    "team": controls.team,
    "membership": controls.membership,
    "organization": controls.organization,
    "ping": controls.ping,
}


class GitHub:
    """The source of kind "github"."""

    kind: str = "github"
    headers: tuple[str, ...] = ("x-github-event", "x-github-delivery", "content-type")

    def authenticate(self, delivery: Delivery, secrets: Sequence[bytes]) -> None:
        """Check X-Hub-Signature-256 over the raw body against every live secret, in constant time.

        Refused("unauthenticated") without that header (SHA-1 alone proves nothing any more), and unless one
        of the secrets gives it.
        """
        header = delivery.headers.get("x-hub-signature-256")
        if header is None:
            raise Refused(
                "unauthenticated",
                "The delivery has no X-Hub-Signature-256. Set a secret in the webhook's settings.",
            )
        found = _SIGNATURE.fullmatch(header)
        if found is None:
            raise Refused("unauthenticated", "X-Hub-Signature-256 must be sha256= and 64 hexadecimal digits.")
        told = bytes.fromhex(found.group(1))
        live = [secret for secret in secrets if secret]
        matches = [hmac.compare_digest(hmac.digest(secret, delivery.body, "sha256"), told) for secret in live]
        if not any(matches):
            raise Refused(
                "unauthenticated",
                "No live secret of this source gives this signature. Compare the webhook's secret with ours.",
            )

    def read(self, delivery: Delivery) -> Reading:
        """The facts of an authentic delivery, or words for why it is set aside."""
        event = _header(delivery, "x-github-event", _EVENT) or "unknown"
        delivery_id = _header(delivery, "x-github-delivery", _DELIVERY_ID)
        reader = READERS.get(event)
        if reader is None:
            return Reading(event=event, delivery_id=delivery_id, reason=f"not read yet: {event}")
        try:
            raw = _json(delivery)
            drafts = reader(Heard(delivery, event, _decoded(raw), raw))
        except Refused as refusal:
            raise Unreadable(refusal.words, event=event, delivery_id=delivery_id) from None
        return Reading(event=event, delivery_id=delivery_id, drafts=drafts)


def _header(delivery: Delivery, name: str, shape: re.Pattern[str]) -> str | None:
    value = delivery.headers.get(name, "")
    return value if shape.fullmatch(value) else None


def _json(delivery: Delivery) -> bytes:
    """The JSON of a delivery, which is the body or, in a form, its field `payload`."""
    body = delivery.body
    form = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form == "application/x-www-form-urlencoded" or body.startswith(b"payload="):
        start = 0 if body.startswith(b"payload=") else body.find(b"&payload=") + 1
        escaped = body[start:].removeprefix(b"payload=").partition(b"&")[0].replace(b"+", b" ")
        body = _ESCAPES.sub(lambda run: bytes.fromhex(run.group().replace(b"%", b"").decode()), escaped)
    return body.removeprefix(_BOM)


def _decoded(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Refused("bad-input", "The delivery is empty.")
    try:
        body = msgspec.json.decode(raw)
    except RecursionError:
        raise Refused("bad-input", "The delivery's JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Refused("bad-input", "The delivery is not UTF-8.") from None
    except msgspec.DecodeError as error:
        raise Refused("bad-input", f"The delivery is not JSON that can be read: {error}.") from None
    if not isinstance(body, dict):
        raise Refused("bad-input", "The delivery is not a JSON object.")
    if len(raw) > _COUNTED_FROM and _too_many_keys(body):
        raise Refused("bad-input", f"The delivery has more than {_MAX_KEYS} keys.")
    return body


def _too_many_keys(body: dict[str, Any]) -> bool:
    total = 0
    waiting: list[Any] = [body]
    while waiting and total <= _MAX_KEYS:
        value = waiting.pop()
        if isinstance(value, dict):
            total += len(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(item for item in value if isinstance(item, dict | list))
    return total > _MAX_KEYS
