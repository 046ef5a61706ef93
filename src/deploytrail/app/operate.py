"""Commands of those who can reach the machine itself, by name, with plain values in and out.

The same table serves the command line when no server runs and the control socket when one does; each
command names one action of `app/access`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, Protocol

import msgspec

from deploytrail.app.access import Grant, Operator, may
from deploytrail.app.administer import Administer, Made
from deploytrail.app.receive import Again
from deploytrail.errors import Refused
from deploytrail.facts import times

# Whoever reaches this table has access to the machine.
ROLE: Final = "machine"


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command takes."""


class Nothing(Form, frozen=True, kw_only=True):
    """For commands that take nothing."""


class SourceForm(Form, frozen=True, kw_only=True):
    """`source add`. `secret` absent: one is made up."""

    kind: str
    name: str
    secret: bytes | None = None


class NameForm(Form, frozen=True, kw_only=True):
    """`source retire`."""

    name: str


class TokenForm(Form, frozen=True, kw_only=True):
    """`token create`. `lasts_ms` absent: 90 days."""

    role: str
    name: str
    kinds: list[str] = []
    services: list[str] = []
    environments: list[str] = []
    lasts_ms: int | None = None


class IdForm(Form, frozen=True, kw_only=True):
    """`token revoke`."""

    id: str


class ServiceForm(Form, frozen=True, kw_only=True):
    """`service declare`."""

    name: str
    repositories: list[str] = []
    artifacts: list[str] = []
    aliases: list[str] = []
    owner: str | None = None


class EnvironmentForm(Form, frozen=True, kw_only=True):
    """`environment declare`."""

    name: str
    type: str
    aliases: list[str] = []
    rank: int | None = None


class EraseForm(Form, frozen=True, kw_only=True):
    """`erase`. `ground` says why, in words that name nobody."""

    who: str
    ground: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "asked by the person"


class Erasing(Protocol):
    """What `erase` asks of app/erase."""

    def person(self, who: str, ground: str, *, by: Operator) -> Any:
        """Erase the one person that `who` names; what was erased. Refused if it names nobody or several."""


class Operate:
    """Runs commands. `address` is where people reach the house; `rebuild` makes all rows anew."""

    def __init__(
        self,
        *,
        administer: Administer,
        erase: Erasing,
        rebuild: Callable[[], int],
        read_again: Callable[[], Again],
        vkey: Callable[[], str],
        address: str,
    ) -> None:
        self.administer, self.erase, self.rebuild = administer, erase, rebuild
        self.read_again = read_again
        self.vkey, self.address = vkey, address

    def do(self, name: str, given: bytes, login: str) -> dict[str, Any]:
        """Run one command for the operator `login`; `given` is the JSON of its form.

        Refused("not-found") for a command that there is not, "bad-input" for a form that does not fit.
        """
        command = COMMANDS.get(name)
        if command is None:
            raise Refused("not-found", f"There is no command called {name}.")
        if not may(ROLE, command.action):
            raise Refused("forbidden", f"The command {name} is not for the machine's operators.")
        try:
            form = msgspec.json.decode(given or b"{}", type=command.form)
        except msgspec.DecodeError as error:
            raise Refused("bad-input", f"What {name} was given does not fit: {error}.") from None
        return command.run(self, Operator(login=login), form)


def _key(house: Operate, by: Operator, form: Nothing) -> dict[str, Any]:
    return {"vkey": house.vkey()}


def _link(house: Operate, by: Operator, form: Nothing) -> dict[str, Any]:
    made = house.administer.issue_link(by)
    return {**_shown(made), "url": f"{house.address}/sign-in?link={made.secret}"}


def _add_source(house: Operate, by: Operator, form: SourceForm) -> dict[str, Any]:
    made = house.administer.add_source(by, form.kind, form.name, form.secret)
    return {"name": form.name, "kind": form.kind, "secret": made, "url": f"{house.address}/hooks/{form.name}"}


def _create_token(house: Operate, by: Operator, form: TokenForm) -> dict[str, Any]:
    made = house.administer.create_token(
        by,
        form.role,
        form.name,
        kinds=form.kinds,
        services=form.services,
        environments=form.environments,
        lasts_ms=form.lasts_ms,
    )
    return _shown(made)


def _retire_secret(house: Operate, by: Operator, form: NameForm) -> dict[str, Any]:
    return {"name": form.name, "retired": house.administer.retire_secret(by, form.name)}


def _read_again(house: Operate, by: Operator, form: Nothing) -> dict[str, Any]:
    again = house.read_again()
    return {"read": again.read, "aside": again.aside}


def _list_tokens(house: Operate, by: Operator, form: Nothing) -> dict[str, Any]:
    return {"tokens": [_listed(grant) for grant in house.administer.tokens()]}


def _revoke_token(house: Operate, by: Operator, form: IdForm) -> dict[str, Any]:
    house.administer.revoke_token(by, form.id)
    return {"id": form.id}


def _declare_service(house: Operate, by: Operator, form: ServiceForm) -> dict[str, Any]:
    lists = (form.repositories, form.artifacts, form.aliases)
    return {"index": house.administer.declare_service(by, form.name, *lists, form.owner)}


def _declare_environment(house: Operate, by: Operator, form: EnvironmentForm) -> dict[str, Any]:
    index = house.administer.declare_environment(by, form.name, form.type, form.aliases, form.rank)
    return {"index": index}


def _erase(house: Operate, by: Operator, form: EraseForm) -> dict[str, Any]:
    erased: dict[str, Any] = msgspec.to_builtins(house.erase.person(form.who, form.ground, by=by))
    return erased


def _rebuild(house: Operate, by: Operator, form: Nothing) -> dict[str, Any]:
    return {"entries": house.rebuild()}


class Command(NamedTuple):
    """A command: the action it needs, what it takes, and what it does."""

    action: str
    form: type[Form]
    run: Callable[[Operate, Operator, Any], dict[str, Any]]


COMMANDS: Final[dict[str, Command]] = {
    "key show": Command("open", Nothing, _key),
    "link": Command("administer", Nothing, _link),
    "source add": Command("administer", SourceForm, _add_source),
    "source retire": Command("administer", NameForm, _retire_secret),
    "source read-again": Command("administer", Nothing, _read_again),
    "token create": Command("administer", TokenForm, _create_token),
    "token list": Command("administer", Nothing, _list_tokens),
    "token revoke": Command("administer", IdForm, _revoke_token),
    "service declare": Command("administer", ServiceForm, _declare_service),
    "environment declare": Command("administer", EnvironmentForm, _declare_environment),
    "erase": Command("operate", EraseForm, _erase),
    "rebuild": Command("operate", Nothing, _rebuild),
}


def _shown(made: Made) -> dict[str, Any]:
    return {"id": made.id, "secret": made.secret, "expires_at": times.text(made.expires_at)}


def _listed(grant: Grant) -> dict[str, Any]:
    return {**msgspec.to_builtins(grant), "expires_at": times.text(grant.expires_at)}
