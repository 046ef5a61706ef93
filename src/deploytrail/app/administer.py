"""Sources, tokens, links, sessions, and what is declared. Whatever is granted or taken here is a fact first.

Secrets of sources are kept sealed by the house key; of tokens, links and sessions only the SHA-256 is kept.
A grant is recorded before it holds, so that none holds without a fact; what is taken away is gone before
that is recorded.
"""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from deploytrail.app.access import HOUSE, PEOPLE, ROLES, By, Grant, Session
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Chance, Clock, Registry
from deploytrail.app.record import Recorder
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.facts import times
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.kinds import KINDS, from_outside
from deploytrail.intake.delivery import Source

_OURS: Final = (HOUSE, PEOPLE)

_SECOND: Final = 1000
LINK_MS: Final = 15 * 60 * _SECOND
IDLE_MS: Final = 2 * 3600 * _SECOND
SESSION_MS: Final = 12 * 3600 * _SECOND
TOKEN_MS: Final = 90 * 24 * 3600 * _SECOND
MAX_TOKEN_MS: Final = 366 * 24 * 3600 * _SECOND
# Being seen is written down at most this often.
_SEEN_MS: Final = 60 * _SECOND
# So many tokens are at hand for so long, without asking the database again.
_AT_HAND: Final = 1_000
_AT_HAND_MS: Final = _SECOND
# Two may live at once, so that a secret can be changed here before it is changed at the source.
LIVE_SECRETS: Final = 2
_MAX_SECRET: Final = 4096
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that is shown once, with its public id and the time (UTC ms) until which it holds."""

    id: str
    secret: str
    expires_at: int


class Administer:
    """All methods block until what they did is durable. `by` is whose doing it is.

    They refuse with "bad-input" for names and values that cannot be, and with what recording refuses.
    """

    def __init__(
        self,
        registry: Registry,
        recorder: Recorder,
        persons: Persons,
        vault: Vault,
        clock: Clock,
        chance: Chance,
        sources: Mapping[str, Source],
    ) -> None:
        self._registry, self._recorder, self._persons = registry, recorder, persons
        self._vault, self._clock, self._chance = vault, clock, chance
        self._sources = sources
        # Names and live secrets are looked at and then changed: one at a time.
        self._granting = threading.Lock()
        # Tokens looked up lately: with when (UTC ms), and after how many revocations.
        self._at_hand: dict[str, tuple[Grant, int, int]] = {}
        self._revoked = 0

    # Sources.

    def add_source(self, by: By, kind: str, name: str, secret: bytes | None) -> str | None:
        """Let a source send deliveries, or give it a further secret; the two newest are live.

        Without `secret` one is made up and returned. Refused("conflict") if the name is taken by a source of
        another kind, by a token, or by the house.
        """
        with self._granting:
            return self._add_source(by, kind, name, secret)

    def _add_source(self, by: By, kind: str, name: str, secret: bytes | None) -> str | None:
        if kind not in self._sources:
            raise Refused(
                "bad-input", f"There is no kind of source called {kind}; known: {', '.join(self._sources)}."
            )
        _check_name("source", name)
        if name in _OURS or any(row["name"] == name for _, row in self._registry.items("token")):
            raise Refused(
                "conflict",
                f"A token or the house itself is named {name}; who tells a fact must be clear from its name.",
            )
        known = self._registry.row("source", name)
        if known is not None and known["kind"] != kind:
            raise Refused(
                "conflict", f"{name} is a source of kind {known['kind']} already. Choose another name."
            )
        made = None
        if secret is None:
            made = self._random_text("")
            secret = made.encode()
        if not 1 <= len(secret) <= _MAX_SECRET:
            raise Refused("bad-input", f"A secret has 1 to {_MAX_SECRET} bytes; this one has {len(secret)}.")
        live = self._secrets(known) if known else []
        if secret in live:
            return None
        live = [secret, *live][:LIVE_SECRETS]
        self._tell_source(by, "source.changed" if known else "source.added", kind, name, live)
        self._keep_source(kind, name, live)
        return made

    def retire_secret(self, by: By, name: str) -> bool:
        """End a source's older secret, so that the newest alone is live; whether there was an older one.

        Refused("not-found") if there is no such source.
        """
        with self._granting:
            known = self._registry.row("source", name)
            if known is None:
                raise Refused("not-found", f"There is no source called {name}.")
            live = self._secrets(known)
            if len(live) == 1:
                return False
            self._keep_source(known["kind"], name, live[:1])
            self._tell_source(by, "source.changed", known["kind"], name, live[:1])
            return True

    def _tell_source(self, by: By, fact: str, kind: str, name: str, live: Sequence[bytes]) -> None:
        self._tell(by, fact, {"name": name, "type": kind, "secrets": len(live)})

    def _keep_source(self, kind: str, name: str, live: Sequence[bytes]) -> None:
        sealed = [b64encode(self._vault.seal(each, f"source {name}")).decode() for each in live]
        self._registry.put("source", name, {"name": name, "kind": kind, "secrets": sealed})

    def source(self, name: str) -> tuple[str, list[bytes]] | None:
        """A source's kind and live secrets; None if there is no such source."""
        row = self._registry.row("source", name)
        return None if row is None else (row["kind"], self._secrets(row))

    def _secrets(self, row: dict[str, Any]) -> list[bytes]:
        return [self._vault.open(b64decode(each), f"source {row['name']}") for each in row["secrets"]]

    # Tokens.

    def create_token(
        self,
        by: By,
        role: str,
        name: str,
        *,
        kinds: Sequence[str] = (),
        services: Sequence[str] = (),
        environments: Sequence[str] = (),
        lasts_ms: int | None = None,
    ) -> Made:
        """A token of 256 random bits for a machine.

        Two tokens of one name are one teller, for rotation, and so have one role: Refused("conflict") else,
        and for the name of a source.
        """
        if role not in ROLES:
            raise Refused("bad-input", f"There is no role called {role}; known: {', '.join(ROLES)}.")
        _check_name("token", name)
        for kind in kinds:
            if not from_outside(kind):
                known = kind in KINDS
                why = "is the house's own" if known else "is not known"
                raise Refused("bad-input", f"The kind {kind} {why}; no token can tell it.")
        lasts = TOKEN_MS if lasts_ms is None else lasts_ms
        if not 0 < lasts <= MAX_TOKEN_MS:
            raise Refused("bad-input", f"A token lasts from a second to {MAX_TOKEN_MS // 86_400_000} days.")
        id, secret = self._random_id("t"), self._random_text("dt_")
        limits = {"kinds": list(kinds), "services": list(services), "environments": list(environments)}
        expires_at = self._clock.now() + lasts
        row = {"id": id, "name": name, "role": role, **limits, "expires_at": expires_at}
        fact: dict[str, Any] = {"token": id, "name": name, "role": role, "expires_at": times.text(expires_at)}
        with self._granting:
            self._demand_teller(name, role)
            self._tell(by, "token.created", fact | {n: v for n, v in limits.items() if v})
            self._registry.put("token", _digest(secret), row)
        return Made(id=id, secret=secret, expires_at=expires_at)

    def _demand_teller(self, name: str, role: str) -> None:
        """Refused("conflict") unless whoever tells a fact under this name is clear from it."""
        if name in _OURS or self._registry.row("source", name) is not None:
            raise Refused(
                "conflict", f"{name} is the name of a source; whoever tells a fact must be clear from it."
            )
        for other in self.tokens():
            if other.name == name and other.role != role:
                raise Refused(
                    "conflict",
                    f"{name} is a {other.role} already ({other.id}). Revoke that, or choose another name.",
                )

    def revoke_token(self, by: By, id: str) -> None:
        """End a token by its public id. Refused("not-found") if there is none of this id.

        It is ended even if that cannot be recorded, which is then refused.
        """
        for key, row in self._registry.items("token"):
            if row["id"] == id and self._registry.take("token", key) is not None:
                self._revoked += 1
                self._tell(by, "token.revoked", {"token": id, "name": row["name"], "role": row["role"]})
                return
        raise Refused("not-found", f"There is no token {id}. See them with: deploytrail admin token list.")

    def tokens(self) -> list[Grant]:
        """All tokens that have not expired."""
        found = [msgspec.convert(row, Grant) for _, row in self._registry.items("token")]
        return sorted((g for g in found if g.expires_at > self._clock.now()), key=lambda g: (g.name, g.id))

    def token(self, bearer: str) -> Grant | None:
        """What a token lets its holder do; None if it is unknown, was revoked, or has expired."""
        key, now = _digest(bearer), self._clock.now()
        revoked = self._revoked
        row = self._registry.row("token", key)
        if row is None or row["expires_at"] <= now:
            return None
        grant = msgspec.convert(row, Grant)
        if len(self._at_hand) >= _AT_HAND:
            self._at_hand.clear()
        self._at_hand[key] = (grant, now, revoked)
        return grant

    def token_at_hand(self, bearer: str) -> Grant | None:
        """As `token`, of one that was looked up less than a second ago; None says nothing. Returns at once.

        A token that was revoked in this process is not at hand from that moment on.
        """
        found = self._at_hand.get(_digest(bearer))
        if found is None:
            return None
        grant, looked_at, revoked = found
        now = self._clock.now()
        fresh = revoked == self._revoked and 0 <= now - looked_at < _AT_HAND_MS
        return grant if fresh and grant.expires_at > now else None

    # Links and sessions.

    def issue_link(self, by: By) -> Made:
        """A link by which one administrator signs in once, within 15 minutes."""
        id, secret = self._random_id("l"), self._random_text("")
        expires_at = self._clock.now() + LINK_MS
        self._tell(by, "link.issued", {"link": id, "expires_at": times.text(expires_at)})
        self._registry.put("link", _digest(secret), {"id": id, "expires_at": expires_at})
        return Made(id=id, secret=secret, expires_at=expires_at)

    def link_use(self, token: str, name: str | None) -> tuple[Session, str]:
        """Use a link up and begin a session; the session and the secret that its cookie holds.

        Refused("unauthenticated") if the link is unknown, used or too old.
        """
        if self._recorder.closed is not None:
            # The link stays good until the house records again.
            raise Refused("unavailable", self._recorder.closed)
        link = self._registry.take("link", _digest(token))
        now = self._clock.now()
        if link is None or link["expires_at"] <= now:
            # One that is too old is gone with this.
            raise Refused(
                "unauthenticated",
                "This link was used before, or is too old. Get a new one on the machine itself with: "
                "deploytrail admin link.",
            )
        try:
            return self._begin_session(name, now)
        except Refused:
            # Nobody was let in by it.
            self._registry.put("link", _digest(token), link)
            raise

    def _begin_session(self, name: str | None, now: int) -> tuple[Session, str]:
        person = Person(login=name or "administrator", name=name)
        subject = self._persons.subject(person, Session.namespace)
        id, secret = self._random_id("x"), self._random_text("")
        told = msgspec.structs.replace(person, id=subject)
        fact = {"session": id, "method": "link", "role": "administrator", "person": told}
        self._record(Person(id=subject), "session.started", fact)
        row = {
            "id": id,
            "subject": subject,
            "role": "administrator",
            "name": b64encode(self._vault.seal(name.encode(), f"session {id}")).decode() if name else None,
            "seen_at": now,
            "expires_at": now + SESSION_MS,
        }
        self._registry.put("session", _digest(secret), row)
        return self._session(row), secret

    def session(self, secret: str) -> Session | None:
        """Who is signed in by this cookie; None if unknown, ended, idle for too long, or expired."""
        key = _digest(secret)
        row = self._registry.row("session", key)
        now = self._clock.now()
        if row is None or _over(row, now):
            return None
        if now - row["seen_at"] > _SEEN_MS:
            self._registry.change("session", key, {**row, "seen_at": now})
        return self._session(row)

    def sign_out(self, secret: str) -> None:
        """End a session. Ending one that has ended is no fault."""
        self._end_session(_digest(secret), "signed out")

    def sweep(self) -> None:
        """Drop what has expired: links, sessions (each a fact), tokens."""
        now = self._clock.now()
        for area in ("link", "token"):
            for key, row in self._registry.items(area):
                if row["expires_at"] <= now:
                    self._registry.take(area, key)
        for key, row in self._registry.items("session"):
            if _over(row, now):
                self._end_session(key, "expired")

    def _end_session(self, key: str, reason: str) -> None:
        row = self._registry.take("session", key)
        if row is not None:
            fact = {"session": row["id"], "method": "link", "role": row["role"], "reason": reason}
            self._record(Person(id=row["subject"]), "session.ended", fact)

    def _session(self, row: dict[str, Any]) -> Session:
        name = row["name"]
        opened = self._vault.open(b64decode(name), f"session {row['id']}").decode() if name else None
        fields = {field: row[field] for field in ("id", "subject", "role")}
        return Session(**fields, name=opened, expires_at=min(row["expires_at"], row["seen_at"] + IDLE_MS))

    # What is declared.

    def declare_service(
        self,
        by: By,
        name: str,
        repositories: Sequence[str] = (),
        artifacts: Sequence[str] = (),
        aliases: Sequence[str] = (),
        owner: str | None = None,
    ) -> int:
        """Declare a service; the newest declaration holds. The index of the fact."""
        lists = {"repositories": list(repositories), "artifacts": list(artifacts), "aliases": list(aliases)}
        fact = {"service": name, **{n: v for n, v in lists.items() if v}}
        return self._tell(by, "service.declared", fact | ({"owner": owner} if owner else {}))

    def declare_environment(
        self, by: By, name: str, type: str, aliases: Sequence[str] = (), rank: int | None = None
    ) -> int:
        """Declare an environment of a class (production, staging, test, other). The index of the fact."""
        fact: dict[str, Any] = {"environment": name, "type": type}
        if aliases:
            fact["aliases"] = list(aliases)
        return self._tell(by, "environment.declared", fact | ({} if rank is None else {"rank": rank}))

    def separate(self, by: By, deployment: str, index: int) -> int:
        """Undo the joining of the report whose first entry is `index` from a deployment. The fact's index."""
        return self._tell(by, "reports.separated", {"deployment": deployment, "index": index})

    # Telling it.

    def _tell(self, by: By, kind: str, fields: Mapping[str, Any]) -> int:
        return self._record(by.person(), kind, fields, by)

    def _record(
        self, actor: Person, kind: str, fields: Mapping[str, Any], by: By | type[Session] = Session
    ) -> int:
        try:
            body = msgspec.convert(dict(fields), KINDS[kind].body)
        except msgspec.ValidationError as error:
            raise Refused("bad-input", f"A value does not fit: {error}.") from None
        draft = Draft(
            kind=kind,
            body=body,
            source=HOUSE,
            received_at=self._clock.now(),
            actor=actor,
            attribution=by.attribution,
            namespace=by.namespace,
        )
        return self._recorder.record_now(draft).index

    def _random_text(self, prefix: str) -> str:
        """256 random bits, in an alphabet that survives addresses and shells."""
        return prefix + urlsafe_b64encode(self._chance.bytes(32)).decode().rstrip("=")

    def _random_id(self, prefix: str) -> str:
        return f"{prefix}_{self._chance.bytes(6).hex()}"


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused(
            "bad-input",
            f"The name of a {what} is 1 to 63 letters, digits, points, hyphens or underscores, and "
            "begins with a letter or digit.",
        )


def _over(row: dict[str, Any], now: int) -> bool:
    return bool(row["expires_at"] <= now or row["seen_at"] + IDLE_MS <= now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
