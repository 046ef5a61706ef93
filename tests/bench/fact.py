"""The bench fact: what every benchmark of taking facts in is measured with, and every peer too.

A finished deployment in the direct form, 1,450 to 1,550 bytes of JSON with exactly six sealed fields: e-mail,
login and name of the actor, url, labels and data. 200 services, five environments (a build goes through all
of them), 300 people. All of it follows from the number alone, so two runs on two machines tell the same; no
two facts are the same, and their text does not repeat, so that nothing compresses better than real text does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

SERVICES: Final = 200
ENVIRONMENTS: Final = ("dev", "integration", "staging", "canary", "production")
PEOPLE: Final = 300
SEALED: Final = ("actor.email", "actor.login", "actor.name", "data.url", "labels", "free")
SMALLEST, LARGEST = 1_450, 1_550


def _words(text: str, between: str = " ") -> tuple[str, ...]:
    return tuple(text.split(between))


_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_GIVEN: Final = _words(
    "ada ben cleo dina eli finn gwen hugo ines jana karl lena milo nora omar pia ravi sara tove uma"
)
_FAMILY: Final = _words(
    "ash birch cedar dogwood elm fir ginkgo hazel ivy juniper kauri larch maple nutmeg oak"
)
_PARTS: Final = _words(
    "basket billing catalogue checkout coupon customs delivery fraud invoice ledger loyalty mail parcel "
    "payment price refund return search stock tax"
)
_SORTS: Final = _words("api batch cache feed gateway importer index jobs reports store")
_DOES: Final = _words(
    "Fix Add Drop Rename Retry Cache Limit Log Measure Round Sort Split Validate Tighten Loosen Reuse "
    "Parse Translate Simplify Document"
)
_WHICH: Final = _words(
    "empty late duplicate partial stale foreign cancelled first last broken nested hidden signed slow "
    "parallel pending expired monthly regional manual"
)
_WHAT: Final = _words(
    "addresses amounts barcodes carriers columns currencies dates discounts headers invoices lines "
    "messages orders pages parcels quotas receipts sessions timeouts totals"
)
_WHEN: Final = _words(
    "after a restart|before the nightly run|during checkout|for guests|for large baskets|from the old feed|"
    "in Norway|in the archive|on leap days|on slow networks|once the queue is empty|over the weekend|"
    "unless the carrier says so|when a page is reloaded|when the cache is cold|while stock is counted|"
    "with two currencies|without a session|without a postcode|at the end of the month",
    between="|",
)


def told(count: int, prefix: str = "bench", first: int = 0) -> Iterator[bytes]:
    """`count` facts from the number `first` on, each one line of JSON with the id PREFIX/NUMBER."""
    for number in range(first, first + count):
        yield msgspec.json.encode(fact(number, prefix))


def told_or_read(count: int, file: str | None) -> list[bytes]:
    """`count` bench facts, or the first so many lines of a file of facts."""
    return read_or(told(count), count, file)


def read_or(own: Iterable[bytes], count: int, file: str | None) -> list[bytes]:
    """The first `count` lines of a file of facts, or `own` when there is no file."""
    return list(own) if file is None else Path(file).read_bytes().splitlines()[:count]


def fact(number: int, prefix: str = "bench") -> dict[str, Any]:
    """One fact in the direct form."""
    build, stage = divmod(number, len(ENVIRONMENTS))
    built, ran = Random(build), Random(number)
    service, environment = service_name(build % SERVICES), ENVIRONMENTS[stage]
    sha = built.randbytes(20).hex()
    given, family = person(built.randrange(PEOPLE))
    at = _START + timedelta(seconds=30 * number)
    told = {
        "kind": "deployment.finished",
        "id": f"{prefix}/{number:08}",
        "deployment": f"{prefix}-{number:08}",
        "service": service,
        "environment": environment,
        "artifact": "sha256:" + hashlib.sha256(bytes.fromhex(sha)).hexdigest(),
        "version": f"{2 + build % 7}.{build // SERVICES}.{built.randrange(10)}",
        "commits": [{"repository": f"git.example.org/shop/{service}", "sha": sha}],
        "outcome": ran.choices(("succeeded", "failed", "cancelled"), (92, 7, 1))[0],
        "type": ran.choices(("forward", "rollback", "redeploy", "hotfix", "config"), (88, 4, 3, 2, 3))[0],
        "duration_ms": ran.randrange(20_000, 900_000),
        "occurred_at": at.isoformat().replace("+00:00", "Z"),
        "actor": {
            "email": f"{given}.{family}@example.org",
            "login": f"{given}-{family}",
            "name": f"{given} {family}".title(),
        },
        "url": f"https://ci.example.org/shop/{service}/runs/{ran.randrange(10**9)}/attempts/1",
        "labels": {
            "change": f"{build % 9 + 1}{built.randrange(10_000):04}",
            "region": ran.choice(("north", "south", "east", "west", "islands")),
            "runner": f"runner-{ran.randrange(64):02}.{ran.randbytes(4).hex()}",
            "team": f"{_PARTS[build % SERVICES // len(_SORTS)]}-{given}",
            "trace": ran.randbytes(16).hex(),
        },
        "data": {"steps": _steps(ran), "summary": _sentence(built), "notes": ""},
    }
    _fill(told, ran)
    return told


def person(number: int) -> tuple[str, str]:
    """Given and family name of one of the 300."""
    return _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN)]


def service_name(number: int) -> str:
    """The name of one of the 200."""
    part, sort = divmod(number, len(_SORTS))
    return f"{_PARTS[part]}-{_SORTS[sort]}"


def _steps(ran: Random) -> list[dict[str, Any]]:
    return [
        {"name": name, "ms": ran.randrange(100, 90_000), "log": ran.randbytes(8).hex()}
        for name in ("checkout", "migrate", "roll-out", "smoke-test")
    ]


def _fill(told: dict[str, Any], ran: Random) -> None:
    """Notes up to a size between the smallest and the largest."""
    wanted = ran.randrange(SMALLEST, LARGEST + 1) - len(msgspec.json.encode(told))
    notes = ""
    while len(notes) < wanted:
        notes += _sentence(ran) + " "
    told["data"]["notes"] = notes[:wanted]


def _sentence(chance: Random) -> str:
    does, which, what, when = (chance.choice(words) for words in (_DOES, _WHICH, _WHAT, _WHEN))
    return f"{does} {which} {what} {when} (#{chance.randrange(10**5)})."
