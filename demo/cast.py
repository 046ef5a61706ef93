"""The fixed cast of the demo. Nobody here exists."""

from __future__ import annotations

from typing import Final, NamedTuple


class Person(NamedTuple):
    """Somebody in the town: their login at the hub, name, and number there."""

    login: str
    name: str
    number: int

    @property
    def email(self) -> str:
        """The address they commit with."""
        return f"{self.login}@example.org"


ADA: Final = Person("ada", "Ada", 1001)
BEN: Final = Person("ben", "Ben", 1002)
CLEO: Final = Person("cleo", "Cleo", 1003)
DINA: Final = Person("dina", "Dina", 1004)
ELI: Final = Person("eli", "Eli", 1005)

CAST: Final = (ADA, BEN, CLEO, DINA, ELI)
# Who writes changes; dina owns the repository and eli looks after what runs, both review.
AUTHORS: Final = (ADA, BEN, CLEO, ELI)
OWNER: Final = DINA
ON_CALL: Final = ELI
