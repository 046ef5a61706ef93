"""Every setting, in one explicit list: flags win over DEPLOYTRAIL_*, those over deploytrail.toml."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from deploytrail.errors import Refused

FILE: Final = "deploytrail.toml"
_POSTGRESQL: Final = ("postgresql://", "postgres://")
_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9._~-]+)*")


Positive = Annotated[int, msgspec.Meta(ge=1)]
# Room for one delivery of the largest size in the share of one address, an eighth.
_LEAST_ROOM: Final = 8 * 25 * 2**20


class Setting(NamedTuple):
    """One setting: its name in the file, and its words. `--name-with-hyphens` and DEPLOYTRAIL_NAME follow."""

    name: str
    words: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"DEPLOYTRAIL_{self.name.upper()}"


SETTINGS: Final = (
    Setting("data", "The folder that holds the house (default: ./data)."),
    Setting(
        "database_url",
        "The PostgreSQL database that holds the house, postgresql://USER@HOST/NAME "
        "(default: files in the data folder).",
    ),
    Setting(
        "signer", "The folder of the signer: its key and its record of what was signed. Never in --data."
    ),
    Setting("host", "The address to listen on (default: 127.0.0.1)."),
    Setting("port", "The port to listen on (default: 8420)."),
    Setting("public_url", "Where people reach the house; https for any host but loopback."),
    Setting("origin", "The log's name, fixed at the first start (default: host and path of --public-url)."),
    Setting("public_log", "Whether anyone may read entries (default: only when all is on loopback)."),
    Setting(
        "trusted_proxies",
        "Addresses or networks of proxies, with commas between, whose X-Forwarded-For is believed "
        "(default: 127.0.0.1,::1).",
    ),
    Setting("limit_deliveries", "Deliveries a second that one source may send (default: 500)."),
    Setting("limit_facts", "Facts a second that one token may tell (default: 20000)."),
    Setting("limit_bytes", "Bytes a second that one source or token may send (default: 67108864)."),
    Setting("limit_requests", "Requests a second of one token or signed-in person (default: 1000)."),
    Setting("limit_attempts", "Failed attempts a second from one address (default: 10)."),
    Setting("upload_room", "Bytes of bodies that may be on their way in at once (default: 536870912)."),
    Setting("quota_entries", "Entries that the log may grow by in a day (default: no quota)."),
    Setting("quota_bytes", "Bytes that the house may take on the disk (default: no quota)."),
    Setting("disk_reserve", "Free bytes below which nothing new is taken (default: 268435456; 0: never)."),
    Setting("url", "The house that a command talks to (default: http://localhost:8420)."),
    Setting("token", "The token that a command shows to the house."),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `serve` and commands on the machine itself need, checked."""

    data: Path = Path("data")
    database_url: str | None = None
    signer: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8420
    public_url: str | None = None
    origin: str | None = None
    public_log: bool | None = None
    demo: bool = False
    trusted_proxies: str = "127.0.0.1,::1"
    limit_deliveries: Positive = 500
    limit_facts: Positive = 20_000
    limit_bytes: Positive = 64 * 2**20
    limit_requests: Positive = 1_000
    limit_attempts: Positive = 10
    upload_room: Annotated[int, msgspec.Meta(ge=_LEAST_ROOM)] = 512 * 2**20
    quota_entries: Positive | None = None
    quota_bytes: Positive | None = None
    disk_reserve: Annotated[int, msgspec.Meta(ge=0)] = 256 * 2**20

    @property
    def address(self) -> str:
        """Where people reach the house."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def open_log(self) -> bool:
        """Whether entries are open to all: said, or everything stays on this machine."""
        if self.public_log is not None:
            return self.public_log
        name = urlsplit(self.address).hostname or ""
        return loopback(self.host) and (name == "localhost" or loopback(name))

    @property
    def hosts(self) -> frozenset[str]:
        """The Host headers that are answered."""
        public = urlsplit(self.address).netloc.lower()
        return frozenset({"localhost", "127.0.0.1", "[::1]", public})

    def first_origin(self, random: str) -> str:
        """The origin that a first start fixes; `random` makes up one that is "local only".

        Refused("bad-input") if the public address cannot be one.
        """
        if self.origin:
            return self.origin
        if self.public_url:
            parts = urlsplit(self.public_url)
            origin = (parts.netloc.lower() + parts.path).rstrip("/")
            if not _ORIGIN.fullmatch(origin):
                raise Refused("bad-input", f"{origin} cannot be the log's name. Say one with --origin.")
            return origin
        return f"deploytrail.invalid/{random}"


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings from values by name, None meaning not said. Refused("bad-input") with the setting's name."""
    said = {name: value for name, value in given.items() if value is not None}
    try:
        settings = msgspec.convert(said, Settings, dec_hook=lambda type_, value: type_(value))
    except (msgspec.ValidationError, TypeError) as error:
        raise Refused("bad-input", f"A setting cannot be used: {error}.") from None
    if settings.database_url is not None and not settings.database_url.startswith(_POSTGRESQL):
        raise Refused("bad-input", "--database-url is an address such as postgresql://USER@HOST/NAME.")
    if not 0 < settings.port < 65536:
        raise Refused("bad-input", "--port is a number from 1 to 65535.")
    if settings.public_url is not None:
        parts = urlsplit(settings.public_url)
        strange = parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in ("http", "https") or not parts.hostname or strange:
            raise Refused("bad-input", "--public-url is an address such as https://deploytrail.example.org.")
    if not loopback(settings.host) and urlsplit(settings.public_url or "").scheme != "https":
        raise Refused(
            "bad-input",
            f"Listening on {settings.host} needs --public-url https://..., so that no session is sent in "
            "clear. Listen on 127.0.0.1 behind a proxy that speaks https, or name the address.",
        )
    for proxy in filter(None, settings.trusted_proxies.split(",")):
        try:
            ipaddress.ip_network(proxy.strip())
        except ValueError:
            raise Refused("bad-input", f"--trusted-proxies: {proxy} is no address or network.") from None
    if settings.origin is not None and not _ORIGIN.fullmatch(settings.origin):
        raise Refused("bad-input", "--origin is a name such as example.org/log: lower case, no scheme.")
    return settings


def loopback(host: str) -> bool:
    """Whether a host to listen on is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def signer_folder(origin: str, state: Path) -> Path:
    """Where the signer of a log lies unless it is said: under the person's own state folder."""
    return state / "deploytrail" / "signers" / hashlib.sha256(origin.encode()).hexdigest()[:16]


def read_file(path: Path) -> dict[str, Any]:
    """The settings in deploytrail.toml; empty without one. Refused("bad-input") with its fault."""
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused("bad-input", f"{path} cannot be read: {error}.") from None
    known = {setting.name for setting in SETTINGS}
    unknown = sorted(set(found) - known)
    if unknown:
        raise Refused("bad-input", f"{path} has settings that there are not: {', '.join(unknown)}.")
    for name, value in found.items():
        if not isinstance(value, str | int):
            raise Refused("bad-input", f"{path}: {name} is one text, one whole number, or true or false.")
    return found
