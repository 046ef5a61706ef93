"""The command `deploytrail`: every command there is, and how it ends.

Settings come from flags, then DEPLOYTRAIL_*, then deploytrail.toml; click does all three. Exit status: 0
done, 1 a check failed, 2 wrong use, 3 refused, 5 out of reach (see errors.CODES).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click
import msgspec

from deploytrail.app.access import ACTIONS, ROLES
from deploytrail.cli import asking, shown, tell, verifying
from deploytrail.cli.world import World
from deploytrail.client.house import House
from deploytrail.errors import CODES, Refused
from deploytrail.facts import times

F = TypeVar("F", bound=Callable[..., Any])
# Settings by name, None meaning not said.
Settings = dict[str, Any]

_BY_DEFAULT: Final = "Settings come from flags, then DEPLOYTRAIL_*, then deploytrail.toml in this folder."
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIMES: Final = "2026-03-17T14:32:08Z, 2026-03-17 (its first moment in UTC), or how long ago: 24h, 7d"
_WHEN: Final = f"A time: {_TIMES}."
# What marks a command with the action of app/access that it needs.
ACTION: Final = "deploytrail_action"


class Declared(click.Command):
    """A command that names its action; one that does not, or names none of the table, cannot be built."""

    def __init__(self, name: str | None, **about: Any) -> None:
        super().__init__(name, **{"epilog": _BY_DEFAULT, **about})
        action = getattr(self.callback, ACTION, None)
        if action not in ACTIONS:
            raise ValueError(f"the command {name} names the action {action}, which is not in the table")
        self.action: str = action


class Group(click.Group):
    """A group whose commands are all declared."""

    command_class = Declared
    group_class = type


class Lasting(click.ParamType[int]):
    """A time to last, such as 1h or 30d, in milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds of a text."""
        text = str(value)
        if not (text[:-1].isdecimal() and text[-1:] in _UNITS and len(text) < 12):
            self.fail(f"{text} is no time to last; write 30m, 1h or 90d.", param, ctx)
        return int(text[:-1]) * _UNITS[text[-1]]


class When(click.ParamType[str]):
    """A time, as RFC 3339 writes it: given so, as a day (UTC), or as how long ago (24h, 7d)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The RFC 3339 text of a time."""
        text = str(value)
        try:
            if text[-1:] in _UNITS and text[:-1].isdecimal() and len(text) < 12 and ctx is not None:
                world = ctx.find_object(World)
                assert world is not None
                return times.text(max(times.MIN_MS, world.now() - int(text[:-1]) * _UNITS[text[-1]]))
            return times.text(times.parse(f"{text}T00:00:00Z" if len(text) == 10 else text))
        except Refused:
            self.fail(f"{shown.plain(text)} is no time; write {_TIMES}.", param, ctx)


def run(arguments: Sequence[str], world: World, file: Callable[[], Mapping[str, Any]]) -> int:
    """Run one command line; its exit status. `file` reads the settings of deploytrail.toml."""
    try:
        status = program.main(
            list(arguments),
            prog_name="deploytrail",
            obj=world,
            default_map=_defaults(program, file()),
            standalone_mode=False,
        )
        return int(status or 0)
    except Refused as refusal:
        click.echo(f"deploytrail: {shown.plain(refusal.words)}", err=True)
        return refusal.meaning.exit
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        return 130
    except OSError as error:
        # Not a reader who has had enough: click ends quietly then, by itself.
        click.echo(f"deploytrail: {shown.plain(error)}.", err=True)
        return CODES["unavailable"].exit


def _defaults(command: click.Command, file: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the file for every command below a group."""
    found: dict[str, Any] = dict(file)
    if isinstance(command, click.Group):
        found = {name: _defaults(inner, file) for name, inner in command.commands.items()}
    return found


def _needs(action: str) -> Callable[[F], F]:
    """Name the action of a command."""

    def mark(function: F) -> F:
        setattr(function, ACTION, action)
        return function

    return mark


def _option(name: str, **about: Any) -> Callable[[F], F]:
    """An option that is a setting too."""
    variable = "DEPLOYTRAIL_" + name.partition("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **about)


# The settings of a house that is opened on this machine, and what their options say.
_HOUSE: Final[dict[str, dict[str, Any]]] = {
    "--data": {"help": "The folder that holds the house.  [default: ./data]"},
    "--database-url": {
        "help": "The PostgreSQL database that holds the house, postgresql://USER@HOST/NAME; a password is "
        "better kept in the variable, the file or a .pgpass.  [default: files in --data]"
    },
    "--signer": {"help": "The signer's folder: never in --data.  [default: in your state folder]"},
    "--host": {"help": "The address to listen on.  [default: 127.0.0.1]"},
    "--port": {"type": int, "help": "The port to listen on.  [default: 8420]"},
    "--public-url": {"help": "Where people reach the house; https for any other host than loopback."},
    "--origin": {"help": "The log's name, fixed at the first start."},
    "--public-log/--no-public-log": {
        "default": None,
        "help": "Let anyone read entries.  [default: on loopback]",
    },
    "--trusted-proxies": {"help": "Proxies whose X-Forwarded-For is believed.  [default: 127.0.0.1,::1]"},
    "--limit-deliveries": {"type": int, "help": "Deliveries a second of one source.  [default: 500]"},
    "--limit-facts": {"type": int, "help": "Facts a second of one token.  [default: 20000]"},
    "--limit-bytes": {"type": int, "help": "Bytes a second of one sender.  [default: 67108864]"},
    "--limit-requests": {"type": int, "help": "Requests a second of one reader.  [default: 1000]"},
    "--limit-attempts": {"type": int, "help": "Failed attempts a second of one address.  [default: 10]"},
    "--upload-room": {"type": int, "help": "Bytes on their way in at once.  [default: 536870912]"},
    "--quota-entries": {"type": int, "help": "Entries that the log may grow by in a day.  [default: none]"},
    "--quota-bytes": {"type": int, "help": "Bytes that the house may take.  [default: none]"},
    "--disk-reserve": {"type": int, "help": "Bytes of the disk that stay free.  [default: 268435456]"},
}
_FOLDERS: Final = ("--data", "--database-url", "--signer")


def _opens(*, shown: Sequence[str] = _FOLDERS) -> Callable[[F], F]:
    """Gather the settings of a house as `house`; help shows the options of `shown`.

    Any command may be the first to open a house, and may print its addresses: all follow what `serve` does.
    """

    def gather(function: F) -> F:
        @wraps(function)
        def gathered(*args: Any, **given: Any) -> Any:
            house = {name: given.pop(name) for name in names}
            return function(*args, **given, house=house)

        names = [option.partition("/")[0].lstrip("-").replace("-", "_") for option in _HOUSE]
        told = cast(F, gathered)
        for option, about in reversed(_HOUSE.items()):
            told = _option(option, **about, hidden=option not in shown)(told)
        return told

    return gather


_url = _option("--url", default="http://localhost:8420", show_default=True, help="The house to talk to.")
_token = _option("--token", help="The token to show to the house.")
_json = click.option("--json", "json", is_flag=True, help="Answer in JSON.")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_BY_DEFAULT)
@click.version_option(package_name="deploytrail", prog_name="deploytrail")
def program() -> None:
    """The system of record that makes continuous deployment accountable."""


@program.command()
@_needs("operate")
@_opens(shown=tuple(_HOUSE))
@click.option("--demo", is_flag=True, help="This is the house of the demo.")
@click.pass_obj
def serve(world: World, demo: bool, house: Settings) -> int:
    """Serve a house; the first start makes it."""
    terminal = sys.stderr.isatty()

    def say(words: str) -> None:
        click.echo(words, err=True)

    def show(link: str) -> None:
        click.echo(f"Sign in once, within 15 minutes:\n\n    {link}\n", err=True)

    return world.serve({**house, "demo": demo}, say, show if terminal else None)


# Telling facts.


@program.command()
@_needs("tell")
@click.argument("kind")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@_url
@_token
@_json
def record(kind: str, fields: tuple[str, ...], url: str, token: str | None, json: bool) -> int:
    """Tell one fact, or with - as KIND one JSON object for each line of standard input."""
    if kind == "-":
        if fields:
            raise click.UsageError("With - every fact comes from standard input.")
        return tell.lines(sys.stdin.buffer, url, token, json)
    return tell.one(kind, fields, url, token, json)


@program.group("import")
def import_() -> None:
    """Bring history in; importing again repeats nothing."""


@import_.command("jsonl")
@_needs("tell")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_url
@_token
@_json
def import_jsonl(file: Path, url: str, token: str | None, json: bool) -> int:
    """Tell every fact of a file of JSON lines; what was told before is not told again."""
    return tell.file(file, url, token, json)


# Asking.


@program.command()
@_needs("see")
@click.option("--service", help="Only of this service.")
@click.option("--environment", help="Only to this environment.")
@click.option(
    "--status", type=click.Choice(("running", "waiting", "succeeded", "failed", "cancelled", "finished"))
)
@click.option("--since", type=When(), metavar="TIME", help=_WHEN)
@click.option("--until", type=When(), metavar="TIME", help="As --since.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many.")
@_url
@_token
@_json
def deployments(url: str, token: str | None, limit: int, json: bool, **wanted: str | None) -> int:
    """List deployments, newest first."""
    with House(url, token) as house:
        return asking.deployments(house, limit, json, **wanted)


@program.command()
@_needs("see")
@click.option("--repository", help="Only of this repository.")
@click.option("--state", type=click.Choice(("open", "merged", "abandoned")))
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="So many.")
@_url
@_token
@_json
def changes(url: str, token: str | None, limit: int, json: bool, **wanted: str | None) -> int:
    """List changes (pull and merge requests), newest first."""
    with House(url, token) as house:
        return asking.changes(house, limit, json, **wanted)


@program.command()
@_needs("see")
@click.argument("word")
@_url
@_token
@_json
def whois(word: str, url: str, token: str | None, json: bool) -> int:
    """Say whom a word names: an address, a login such as github:ada, a name, or a subject id."""
    with House(url, token) as house:
        return asking.whois(house, word, json)


@program.command()
@_needs("see")
@click.argument("service")
@click.argument("environment")
@click.option("--at", type=When(), metavar="TIME", help=_WHEN)
@_url
@_token
@_json
def blame(service: str, environment: str, at: str | None, url: str, token: str | None, json: bool) -> int:
    """Say which deployment put there what runs, or ran at a time: commits, who made, reviewed, deployed."""
    with House(url, token) as house:
        return asking.blame(house, service, environment, at, json)


@program.command("what-changed")
@_needs("see")
@click.option("--environment", required=True, help="The environment.")
@click.option("--since", type=When(), required=True, metavar="TIME", help=_WHEN)
@_url
@_token
@_json
def what_changed(environment: str, since: str, url: str, token: str | None, json: bool) -> int:
    """Say what runs in an environment now that did not at a time, the commits between, and who."""
    with House(url, token) as house:
        return asking.what_changed(house, environment, since, json)


@program.command("last-good")
@_needs("see")
@click.argument("service")
@click.argument("environment")
@_url
@_token
@_json
def last_good(service: str, environment: str, url: str, token: str | None, json: bool) -> int:
    """Say what to go back to: the newest that succeeded and was neither rolled back nor failed after."""
    with House(url, token) as house:
        return asking.last_good(house, service, environment, json)


# Verifying.


@program.command()
@_needs("open")
@click.argument("where", metavar="[URL|DIR]", required=False)
@click.option(
    "--key", required=True, metavar="VKEY", help="The verifier key of the log, from somewhere you trust."
)
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CHECKPOINT",
    help="A checkpoint you kept: prove that it is the beginning of this log.",
)
@_url
@_token
@_json
def verify(where: str | None, key: str, since: Path | None, url: str, token: str | None, json: bool) -> int:
    """Check a whole log from outside, trusting nothing but the key."""
    return verifying.log(where or url, key, since, token, json)


@program.group()
def receipt() -> None:
    """Receipts: one entry and its proof in a file."""


@receipt.command("verify")
@_needs("open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", required=True, metavar="VKEY", help="The verifier key of the log.")
@click.option(
    "--entry",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The entry's bytes, if the receipt does not carry them.",
)
@_json
def receipt_verify(file: Path, key: str, entry: Path | None, json: bool) -> int:
    """Check that an entry stands in the log."""
    return verifying.receipt(file, key, entry, json)


# Operating the house.


@program.command("fsck")
@_needs("operate")
@click.option("--all", "everything", is_flag=True, help="Also disclosures, raw deliveries and derived rows.")
@_opens()
@_json
@click.pass_obj
def fsck_(world: World, everything: bool, house: Settings, json: bool) -> int:
    """Read everything again from the entries alone, and say what does not fit."""
    bar = shown.Bar("reading", not json)
    found = world.inspect(house, everything, bar)
    try:
        return 0 if shown.checks(bar.aside(found), json) else 1
    finally:
        bar.end()


@program.command()
@_needs("operate")
@_opens()
@_json
@click.pass_obj
def rebuild(world: World, house: Settings, json: bool) -> int:
    """Make all derived rows anew from the entries."""
    answer = _operate(world, house, "rebuild")
    _say(answer, json, f"Made the rows of {answer['entries']:,} entries anew.")
    return 0


@program.command()
@_needs("operate")
@click.argument("who")
@click.option(
    "--ground",
    default="asked by the person",
    show_default=True,
    help="Why, in words that name nobody; they stand in the log.",
)
@click.option("--yes", is_flag=True, help="Do not ask first; a script is never asked.")
@_opens()
@_json
@click.pass_obj
def erase(world: World, who: str, ground: str, yes: bool, house: Settings, json: bool) -> int:
    """Erase a person: a subject id, an address, or a login such as github:ada. This cannot be undone."""
    if sys.stdin.isatty() and not yes:
        click.confirm(f"Erase {shown.plain(who)} for good?", abort=True, err=True)
    answer = _operate(world, house, "erase", who=who, ground=ground)
    words = (
        f"Erased {answer['subject']}: what {answer['entries']:,} entries disclosed, {answer['redacted']:,} "
        f"mentions by others, {answer['deliveries']:,} raw deliveries. Every proof still holds."
    )
    if answer["linked"]:
        words += f"\nErased along, known under the same address: {', '.join(answer['linked'])}."
    if answer["namesakes"]:
        words += f"\nLeft alone, called the same: {', '.join(answer['namesakes'])}. Erase each if it is them."
    _say(answer, json, words)
    return 0


# Administering it.


@program.group()
def admin() -> None:
    """Administer the house, on the machine itself."""


@admin.command("link")
@_needs("administer")
@_opens()
@click.pass_obj
def admin_link(world: World, house: Settings) -> int:
    """Make a link by which one administrator signs in, once, within 15 minutes."""
    answer = _operate(world, house, "link")
    file = world.write_link(house, answer["url"])
    # A link in a pipe would end in somebody's log; a person at a terminal may see it.
    click.echo(answer["url"] if sys.stdout.isatty() else str(file))
    return 0


@admin.group("source")
def admin_source() -> None:
    """Sources: who may send deliveries."""


@admin_source.command("add")
@_needs("administer")
@click.argument("kind")
@click.argument("name")
@click.option("--secret-file", type=click.File("rb"), help="The secret; without it one is made and printed.")
@_opens()
@_json
@click.pass_obj
def admin_source_add(
    world: World, kind: str, name: str, secret_file: Any, house: Settings, json: bool
) -> int:
    """Add a source, or give it a further secret; the two newest are live."""
    more = {}
    if secret_file is not None:
        secret: bytes = secret_file.read(1 << 20)
        more["secret"] = secret.removesuffix(b"\n").removesuffix(b"\r")
    answer = _operate(world, house, "source add", kind=kind, name=name, **more)
    words = f"{shown.plain(name)} delivers to {answer['url']}"
    if answer["secret"]:
        words += f"\nIts secret, shown once: {answer['secret']}"
    _say(answer, json, words)
    return 0


@admin_source.command("retire")
@_needs("administer")
@click.argument("name")
@_opens()
@_json
@click.pass_obj
def admin_source_retire(world: World, name: str, house: Settings, json: bool) -> int:
    """End a source's older secret, once the newer one is in use there."""
    answer = _operate(world, house, "source retire", name=name)
    there_was = "holds no more" if answer["retired"] else "there was none"
    _say(answer, json, f"The older secret of {shown.plain(name)}: {there_was}.")
    return 0


@admin_source.command("read-again")
@_needs("administer")
@_opens()
@_json
@click.pass_obj
def admin_source_read_again(world: World, house: Settings, json: bool) -> int:
    """Read again what was set aside and is still kept, after an upgrade."""
    answer = _operate(world, house, "source read-again")
    _say(answer, json, f"Deliveries read now: {answer['read']:,}; still set aside: {answer['aside']:,}.")
    return 0


@admin.group("token")
def admin_token() -> None:
    """Tokens: what machines show."""


@admin_token.command("create")
@_needs("administer")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--name", required=True, help="Whose it is; facts told with it have this source.")
@click.option(
    "--expires", type=Lasting(), metavar="TIME", help="How long it lasts, such as 1h.  [default: 90d]"
)
@click.option("--kind", "kinds", multiple=True, help="A kind it may tell; without it, every one.")
@click.option("--service", "services", multiple=True, help="A service it may tell of; without it, every one.")
@click.option("--environment", "environments", multiple=True, help="As --service, for environments.")
@_opens()
@_json
@click.pass_obj
def admin_token_create(
    world: World, /, expires: int | None, house: Settings, json: bool, **given: Any
) -> int:
    """Make a token; only the token is printed, once."""
    answer = _operate(world, house, "token create", lasts_ms=expires, **given)
    _say(answer, json, answer["secret"])
    return 0


@admin_token.command("list")
@_needs("administer")
@_opens()
@_json
@click.pass_obj
def admin_token_list(world: World, house: Settings, json: bool) -> int:
    """List the tokens that hold."""
    answer = _operate(world, house, "token list")
    lines = [f"{t['id']}  {t['role']:<13}  until {t['expires_at']}  {t['name']}" for t in answer["tokens"]]
    _say(answer, json, "\n".join(map(shown.plain, lines)) or "There are no tokens.")
    return 0


@admin_token.command("revoke")
@_needs("administer")
@click.argument("id")
@_opens()
@_json
@click.pass_obj
def admin_token_revoke(world: World, id: str, house: Settings, json: bool) -> int:
    """End a token by its id."""
    _say(_operate(world, house, "token revoke", id=id), json, f"{shown.plain(id)} holds no more.")
    return 0


@admin.group("key")
def admin_key() -> None:
    """The log's key."""


@admin_key.command("show")
@_needs("open")
@_opens()
@_json
@click.pass_obj
def admin_key_show(world: World, house: Settings, json: bool) -> int:
    """Print the verifier key of the log, and nothing else."""
    answer = _operate(world, house, "key show")
    _say(answer, json, answer["vkey"])
    return 0


@admin.group("service")
def admin_service() -> None:
    """Services: what is deployed."""


@admin_service.command("declare")
@_needs("administer")
@click.argument("name")
@click.option("--repository", "repositories", multiple=True, help="A repository it is built from.")
@click.option("--artifact", "artifacts", multiple=True, help="A name that its artifacts have.")
@click.option("--alias", "aliases", multiple=True, help="Another name that sources give it.")
@click.option("--owner", help="Who answers for it: a team, not a person.")
@_opens()
@_json
@click.pass_obj
def admin_service_declare(world: World, /, name: str, house: Settings, json: bool, **given: Any) -> int:
    """Declare a service; the newest declaration holds."""
    answer = _operate(world, house, "service declare", name=name, **given)
    _say(answer, json, f"{shown.plain(name)} is declared in entry {answer['index']:,}.")
    return 0


@admin.group("environment")
def admin_environment() -> None:
    """Environments: where artifacts run."""


@admin_environment.command("declare")
@_needs("administer")
@click.argument("name")
@click.option("--class", "type", type=click.Choice(("production", "staging", "test", "other")), required=True)
@click.option("--alias", "aliases", multiple=True, help="Another name that sources give it.")
@click.option("--rank", type=int, help="Its place in the order of environments; production is last.")
@_opens()
@_json
@click.pass_obj
def admin_environment_declare(world: World, /, name: str, house: Settings, json: bool, **given: Any) -> int:
    """Declare an environment; the newest declaration holds."""
    answer = _operate(world, house, "environment declare", name=name, **given)
    _say(answer, json, f"{shown.plain(name)} is declared in entry {answer['index']:,}.")
    return 0


def _operate(world: World, house: Settings, command: str, **form: Any) -> dict[str, Any]:
    said = {name: value for name, value in form.items() if value is not None}
    return world.operate(house, command, msgspec.json.encode(said))


def _say(answer: dict[str, Any], json: bool, words: str) -> None:
    if json:
        shown.as_json(answer)
    else:
        click.echo(words)
