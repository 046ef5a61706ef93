"""One decoded delivery of GitHub, and what all its readers ask of it: who, where, and a draft to fill."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from deploytrail.errors import Refused
from deploytrail.facts.draft import DEFAULT_BRANCHES, Draft, Person
from deploytrail.facts.kinds import body_of
from deploytrail.intake.delivery import Delivery
from deploytrail.intake.fields import PERSON, as_json, clear, inside, number, sealed

NAMESPACE: Final = "github"
_HOST: Final = re.compile(r"https?://([A-Za-z0-9.-]{1,200}(?::\d{1,5})?)/")
_PLAIN: Final = re.compile(r"[A-Za-z0-9.+:_-]{1,64}")
# Clear fields that people fill with words of their own. The others join facts or hold words of GitHub.
_FREE: Final = (
    "name", "path", "workflows", "pipeline", "runner", "tags", "jobs", "task", "version", "tag", "teams",
)  # fmt: skip
# GitHub's own committer of everything that is merged or edited in the browser.
_WEB_FLOW: Final = ("web-flow", "noreply@github.com")

# What GitHub calls an outcome, in the house's words. Others keep GitHub's word.
_OUTCOMES: Final = {
    "success": "succeeded",
    "failure": "failed",
    "error": "failed",
    "timed_out": "failed",
    "startup_failure": "failed",
    "canceled": "cancelled",
}


class Heard:
    """A delivery's decoded body, with the parts that every event has.

    `repository` is HOST/OWNER/NAME; `default` its default branch; `sender` the account that GitHub
    authenticated. `body` is hostile: read it with the functions of `fields`.
    """

    def __init__(self, delivery: Delivery, event: str, body: dict[str, Any], raw: bytes) -> None:
        self.delivery, self.event, self.body, self._raw = delivery, event, body, raw
        self._names: set[str] = set()
        self.action = clear(body.get("action"), 100)
        place = inside(body, "repository")
        self.place = place
        self.place_id = number(place.get("id"))
        self.repository, self.service = _repository(place)
        self.default = (
            clear(place.get("default_branch"))
            or clear(place.get("master_branch"))
            or clear(body.get("master_branch"))
        )
        self.clear_refs = frozenset({self.default}) if self.default else DEFAULT_BRANCHES
        if body.get("protected") is True and (ref := clear(body.get("ref"))):
            self.clear_refs |= {ref.removeprefix("refs/heads/")}
        self.organization = clear(inside(body, "organization").get("login"), PERSON)
        self.sender = self.person(body.get("sender"))

    def needed_repository(self) -> str:
        """The repository. Refused if the delivery names none."""
        if self.repository is None:
            raise Refused("bad-input", "The delivery does not name its repository.")
        return self.repository

    def person(self, raw: Any) -> Person | None:
        """An account as GitHub shows it in an event; the type "Bot" or a login in [bot] marks a bot."""
        account = inside(raw)
        login = sealed(account.get("login"), PERSON)
        if login is None:
            return None
        bot = account.get("type") == "Bot" or login.endswith("[bot]") or login == _WEB_FLOW[0]
        return self.known(Person(login=login, bot=bot))

    def signature(self, raw: Any) -> Person | None:
        """An author or committer as a commit claims it, with the login that GitHub found for the address."""
        claim = inside(raw)
        login, email = sealed(claim.get("username"), PERSON), sealed(claim.get("email"), PERSON)
        name = sealed(claim.get("name"), PERSON)
        if not (login or email or name):
            return None
        bot = (
            any(known in (login, email) for known in _WEB_FLOW)
            or any(text is not None and text.endswith("[bot]") for text in (login, name))
            or (email is not None and "[bot]@users.noreply" in email)
        )
        return self.known(Person(login=login, email=email, name=name, bot=bot))

    def known(self, person: Person) -> Person:
        """Remember what a human being is called, so that no clear text repeats it."""
        if not person.bot:
            for text in (person.login, person.email, person.name):
                if text and len(text) > 2:
                    self._names.add(text.lower())
        return person

    def names_somebody(self, text: str) -> bool:
        """Whether a text holds, as a word of its own, what somebody in this delivery is called.

        Not counted: the repository's own name, in which an owner's login stands in clear anyway.
        """
        low = text.lower()
        if self.repository is not None:
            low = low.replace(self.repository.partition("/")[2].lower(), "")
        return any(name in low and _stands_alone(name, low) for name in self._names)

    def is_clear(self, ref: str) -> bool:
        """Whether a branch may be named in the entry: the default one, or a protected one."""
        return ref.removeprefix("refs/heads/") in self.clear_refs

    def key(self, identity: str | None, *parts: str | int | None) -> str:
        """The idempotency key of a fact: the same thing has the same key under every delivery id.

        `identity` is GitHub's own id of the thing, and `parts` tell apart what happened to it: states and
        times. Without an identity only the body itself is the same thing. Use `hashed` for what may be
        personal.
        """
        if identity is None:
            return f"github:{self.event}:{self.body_digest()}"
        return ":".join(["github", self.event, *(_key_part(part) for part in (identity, *parts))])

    def body_digest(self) -> str:
        """What tells apart the events that carry no time of their own."""
        return hashlib.sha256(self._raw).hexdigest()[:40]

    def draft(
        self,
        kind: str,
        key: str,
        occurred_at: int | None,
        fields: dict[str, Any],
        *,
        aside: dict[str, Any] | None = None,
        data: str | None = None,
        clear_refs: frozenset[str] | None = None,
    ) -> Draft:
        """The draft of one fact. `fields` are those of its kind, None where GitHub is silent.

        A clear text that names a person of this delivery is moved to the fact's sealed unknown fields, where
        also `aside` goes; `data` is sealed JSON.
        """
        type_ = body_of(kind)
        assert type_ is not None
        unknown = {name: value for name, value in (aside or {}).items() if value is not None}
        filled = {name: value for name, value in fields.items() if value is not None}
        for name in _FREE:
            if name in filled and self._names_in(filled[name]):
                unknown[name] = filled.pop(name)
        return Draft(
            kind=kind,
            body=type_(**filled),
            source=self.delivery.source,
            received_at=self.delivery.received_at,
            occurred_at=occurred_at,
            id=key,
            actor=self.sender,
            attribution="authenticated" if self.sender else "unknown",
            data=data,
            unknown=as_json(unknown) if unknown else None,
            namespace=NAMESPACE,
            clear_refs=self.clear_refs if clear_refs is None else clear_refs,
        )

    def _names_in(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.names_somebody(value)
        return isinstance(value, list) and any(self._names_in(item) for item in value)


def outcome(word: str | None) -> str | None:
    """GitHub's conclusion or state in the house's words."""
    return None if word is None else _OUTCOMES.get(word, word.replace("_", " "))


def hashed(text: str | None) -> str:
    """A text that may be personal, as part of a key."""
    return hashlib.sha256((text or "").encode()).hexdigest()[:40]


def _key_part(part: str | int | None) -> str:
    if part is None:
        return "-"
    text = str(part)
    return text if _PLAIN.fullmatch(text) else hashed(text)


def _repository(place: dict[str, Any]) -> tuple[str | None, str | None]:
    """HOST/OWNER/NAME and NAME. Early deliveries had no full_name, and the owner under `name`."""
    name = clear(place.get("name"))
    full = clear(place.get("full_name"), 400)
    if full is None:
        owner = inside(place, "owner")
        login = clear(owner.get("login") or owner.get("name"))
        if login is None or name is None:
            return None, None
        full = f"{login}/{name}"
    host = _HOST.match(str(place.get("html_url") or place.get("url") or ""))
    where = host.group(1).lower() if host else "github.com"
    if where == "api.github.com":
        where = "github.com"
    return clear(f"{where}/{full}"), name or full.rpartition("/")[2] or full


def _stands_alone(name: str, text: str) -> bool:
    """Whether a name occurs in a text with no letter or digit right before or after it."""
    place = text.find(name)
    while place >= 0:
        end = place + len(name)
        if not (text[place - 1 : place].isalnum() or text[end : end + 1].isalnum()):
            return True
        place = text.find(name, place + 1)
    return False
