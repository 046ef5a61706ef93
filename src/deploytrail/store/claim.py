"""What house a data folder holds: settled at the first start, and never changed by accident.

Whatever makes the house what it is (its origin, its key, its signer) is made only while nothing was ever
recorded; from then on a missing part is named and never made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from deploytrail.app.ports import Chance
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store.folder import VERSION, Folder, Mark


def claim(
    folder: Folder,
    *,
    origin: str | None,
    signer: Path | None,
    demo: bool,
    database: str,
    found: str | None,
    first: Callable[[], tuple[str, Path]],
) -> Mark:
    """The mark of the folder's house; settled now, with the origin and signer of `first`, if there is none.

    `found` is the origin of a log that the database holds already, if it lies apart from the folder.
    A `signer` that is said counts for this opening; who settles the mark keeps it. Refused("conflict") for
    another `origin` or sort of `database`, "bad-input" for a signer in the data folder.
    """
    mark = folder.mark()
    if found is not None and found != (mark.origin if mark else None):
        raise Refused(
            "conflict",
            f"This database holds the log of {found}, and the folder {folder.path} is not of that house. "
            "Name the database and the folder of one house; house.json and house.key belong to the folder.",
        )
    if mark is None:
        new_origin, new_signer = first()
        place = _apart(signer or new_signer, folder)
        mark = Mark(version=VERSION, origin=new_origin, signer=str(place), demo=demo, database=database)
        folder.settle(mark)
        return mark
    demand_database(mark, database)
    if origin is not None and origin != mark.origin:
        raise Refused("conflict", f"This log's origin is {mark.origin}; it was fixed at the first start.")
    if signer is not None:
        mark = msgspec.structs.replace(mark, signer=str(_apart(signer, folder)))
    return mark


def demand_database(mark: Mark, database: str) -> None:
    """Refused("conflict") if the house lies in a database of another sort."""
    if mark.database == database:
        return
    raise Refused(
        "conflict",
        "This house lies in PostgreSQL. Say where, with DEPLOYTRAIL_DATABASE_URL or --database-url."
        if mark.database == "postgresql"
        else "This house lies in files of its data folder. Leave out --database-url, or name another folder.",
    )


def house_key(folder: Folder, mark: Mark, *, empty: bool, chance: Chance) -> bytes:
    """The house key, made now if the log is `empty`. Refused("unavailable") if it is gone."""
    key = folder.key()
    if key is not None:
        return key
    return folder.new_key(chance) if empty else gone("house.key", folder, mark)


def keyed(mark: Mark, vault: Vault) -> Mark:
    """`mark`, saying which house key is its own. Refused("untrue") for the key of another house."""
    found = vault.mac("house key").hex()[:32]
    if mark.key not in (None, found):
        raise Refused(
            "untrue",
            "house.key is the key of another house: what is sealed here would not open. Bring back ours.",
        )
    return msgspec.structs.replace(mark, key=found)


def gone(what: str, folder: Folder, mark: Mark) -> NoReturn:
    """Refuse: a part of the house is missing, and must not be made anew."""
    raise Refused(
        "unavailable",
        f"{what} of this house is gone, but its log is not empty. Bring it back "
        f"(folder {folder.path}, signer {mark.signer}).",
    )


def _apart(signer: Path, folder: Folder) -> Path:
    """The signer's folder in full. Refused("bad-input") if it and the data folder lie in one another."""
    signer, data = signer.resolve(), folder.path.resolve()
    if signer.is_relative_to(data) or data.is_relative_to(signer):
        raise Refused(
            "bad-input",
            "The signer must not lie in the data folder, nor that in the signer's: what restores the one "
            "must not restore the other. Name another folder with --signer.",
        )
    return signer
