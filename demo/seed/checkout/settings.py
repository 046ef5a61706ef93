"""Settings of one environment, from config/NAME.ini."""

from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What the service needs to know to start."""

    environment: str
    threads: int
    currency: str


def load(folder: Path, environment: str) -> Settings:
    """The settings of an environment. KeyError names what is missing."""
    parser = ConfigParser()
    parser.read(folder / f"{environment}.ini")
    server, checkout = parser["server"], parser["checkout"]
    return Settings(
        environment=environment,
        threads=int(server["threads"]),
        currency=checkout["currency"],
    )
