"""What `fsck` finds out about all that lies beside the log: keys, disclosures, deliveries, rows, search.

Checks 11 to 16 of the list in `app/fsck`. Disclosures and deliveries may be erased; what is missing must be
explained by an erasure that the log knows of. Derived rows must be what the entries give.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from copy import copy
from heapq import merge
from typing import Any, Final

from deploytrail.app import fsck_search
from deploytrail.app.fsck_given import Given
from deploytrail.app.fsck_opened import Opened, Sealed
from deploytrail.app.fsck_part import damaged
from deploytrail.app.fsck_rows import Folded, compared, fold_again
from deploytrail.app.fsck_search import Standing, stored_sums
from deploytrail.app.fsck_walk import Entries, Sealing
from deploytrail.app.judging import Unshown, answer, told
from deploytrail.app.kept import committed, id_mac_of, mac_of, open_kept
from deploytrail.app.ports import (
    Apart,
    Chance,
    Inspected,
    InspectedDerived,
    InspectedKeys,
    InspectedSearch,
    Keyring,
    RawDelivery,
    SumKey,
)
from deploytrail.app.vault import KEY, Vault
from deploytrail.evidence.check import Check, Faults
from deploytrail.facts import times
from deploytrail.facts.entry import Entry, read

KEYS, DISCLOSURES, OPENINGS, DELIVERIES, ROWS, SEARCH = range(11, 17)
WORDS: Final[dict[int, str]] = {
    KEYS: "The keyring is whole, every key in it opens, and nobody erased has one.",
    DISCLOSURES: "Every disclosure opens, and equals the commitments of its entry.",
    OPENINGS: "Every sealed field can be opened, unless somebody was erased.",
    DELIVERIES: "Every delivery fits its entries, and what is kept of it is what was committed to.",
    ROWS: "The derived rows are what the entries give.",
    SEARCH: "The search index is what the entries give, and what may still be disclosed of them.",
}
_KEYS: Final = 50_000


class Beside:
    """The parts of a house that lie beside its log. `fsck` calls `enter`, then `checks`."""

    def __init__(
        self,
        keyring: Keyring,
        vault: Vault,
        derived: InspectedDerived,
        keys: InspectedKeys,
        search: InspectedSearch,
        chance: Chance,
    ) -> None:
        self._keyring, self._vault = keyring, vault
        self._keys, self._derived, self._search = keys, derived, search
        self._chance = chance
        self._keys_words = ""
        self._again: Iterator[int | Folded] = iter(())
        self._damage: Iterator[list[str] | None] = iter(())
        self._sums: Iterator[tuple[str, int, int, int] | str] = iter(())

    def enter(self, views: ExitStack) -> None:
        """Take the views of the keys and of the search index, which follows the log."""
        self._keys_words = _entered(views, self._keys)
        self._standing = Standing(self._search, views, self._chance)

    def begin(self, apart: Apart, log: Inspected) -> Sealing:
        """Begin what takes longest, perhaps elsewhere; what the walk over all entries is to look at besides.

        `log` was entered.
        """
        self._again = apart.stream(fold_again, copy(self._derived), copy(log))
        self._damage = apart.stream(damaged, copy(self._derived))
        if self._standing.key is not None:
            self._sums = apart.stream(stored_sums, copy(self._search), self._standing.key)
        self._opening = _Keys(self._keyring, self._keys)
        self._sealed = _Sealed(log, self._opening, self._standing.key)
        return self._sealed

    def checks(self, entries: Entries) -> Iterator[Check]:
        """Checks 11 to 16, once the walk is done."""
        sealed = self._sealed
        yield _answer(KEYS, lambda faults: self._kept(entries, faults))
        yield _answer(DISCLOSURES, lambda faults: sealed.disclosures(entries, faults))
        yield _answer(OPENINGS, lambda faults: sealed.openings(entries, faults))
        yield _answer(DELIVERIES, _Deliveries(entries, self._vault, sealed.runs).all)
        yield _answer(ROWS, lambda faults: compared(self._again, self._damage, entries, faults))
        yield _answer(SEARCH, lambda faults: self._searched(entries, faults))

    def _kept(self, entries: Entries, faults: Faults) -> str:
        if self._keys_words:
            faults.add(self._keys_words)
            return ""
        return self._opening.all(entries.erased, faults)

    def _searched(self, entries: Entries, faults: Faults) -> str:
        sealed = self._sealed
        return fsck_search.compared(self._standing, self._sums, sealed.given, entries, sealed.whole(), faults)


def _entered(views: ExitStack, view: AbstractContextManager[Any]) -> str:
    """Enter a view; the words of what hinders it."""
    try:
        views.enter_context(view)
    except Exception as error:
        return told(error)
    return ""


def _answer(number: int, find: Callable[[Faults], str]) -> Check:
    return answer(number, WORDS[number], find)


class _Keys:
    """Subjects' keys, remembered."""

    def __init__(self, keyring: Keyring, view: InspectedKeys) -> None:
        self._keyring, self._view = keyring, view
        self._known: dict[str, bytes | str | None] = {}

    def key(self, subject: str) -> bytes | str | None:
        """A subject's key; words if it was altered."""
        if subject not in self._known:
            if len(self._known) > _KEYS:
                self._known.clear()
            try:
                self._known[subject] = self._keyring.key(subject)
            except Exception as error:
                self._known[subject] = told(error)
        return self._known[subject]

    def all(self, erased: Mapping[str, int], faults: Faults) -> str:
        """Check 11."""
        subjects = self._file(faults)
        for subject in sorted(subjects, key=str):
            self._one(erased.get(subject), faults, subject)
        return f"Keys looked at: {len(subjects):,}."

    def _file(self, faults: Faults) -> set[Any]:
        view = self._view
        for words in view.damage() or []:
            faults.add(f"{words}.")
        subjects = {subject for (subject,) in view.key_rows()}
        for _, subject in view.identity_rows():
            if subject not in subjects:
                faults.add(f"Somebody is known as {subject!r}, who has no key.")
        return subjects

    def _one(self, erased: int | None, faults: Faults, subject: Any) -> None:
        try:
            key = self._keyring.key(subject)
        except Exception as error:
            faults.add(f"The key of {subject!r} does not open: {told(error)}")
            return
        if key is None or len(key) != KEY:
            faults.add(f"The key of {subject!r} is not one of {KEY} bytes.")
        if erased is not None:
            faults.add(f"{subject} was erased by entry {erased} and still has a key: erase again.")


class _Sealed:
    """Disclosures held against the entries' commitments; implements fsck_walk.Sealing.

    What only an erasure can explain is gathered, since that may stand in a later entry.
    """

    def __init__(self, log: Inspected, keys: _Keys, key: SumKey | None) -> None:
        self._log, self._keys, self._key = log, keys, key
        # What the search index should hold.
        self.given = None if key is None else Given(key)
        # The first entry of each run of entries that one delivery led to, with its commitment.
        self.runs: list[tuple[int, str]] = []
        self._run: str | None = None
        self._wrong, self._missing = Faults(), Faults()
        self._count = self._fields = 0
        # Entries by whose disclosure it is that nobody can open, and by what is closed in them.
        self._keyless: dict[tuple[str], array[int]] = {}
        self._closed: dict[tuple[str, str | None, bool], array[int]] = {}
        self._failed: Exception | None = None

    def part(self, start: int, stop: int) -> Sealed:
        """The disclosures of entries start <= index < stop, with the keys to them."""
        blobs: dict[int, list[tuple[str, bytes]]] = {}
        keys: dict[str, bytes | str | None] = {}
        try:
            for index, subject, sealed in self._log.disclosure_rows(start, stop):
                blobs.setdefault(index, []).append((subject, sealed))
                if subject not in keys:
                    keys[subject] = self._keys.key(subject)
        except Exception as error:
            self._failed = error
        return Sealed(blobs, keys, self._key)

    def take(self, opened: Opened) -> None:
        """What was found out of one part."""
        self._wrong.join(opened.wrong)
        if self.given is not None and opened.given is not None:
            self.given.join(opened.given)
        self._count += opened.count
        self._fields += opened.fields
        for index, name in opened.runs:
            if name is not None and name != self._run:
                self.runs.append((index, name))
            self._run = name
        if self._failed is None:
            for index, subject in opened.keyless:
                self._keyless.setdefault((subject,), array("q")).append(index)
            for index, path, owner, there in opened.closed:
                self._closed.setdefault((path, owner, there), array("q")).append(index)

    def disclosures(self, entries: Entries, faults: Faults) -> str:
        """Check 12."""
        for index, subject in self._log.stray_disclosures():
            faults.add(f"There is a disclosure of {subject!r} for entry {index}, which does not exist.")
        for index, subject in _by_entry(self._keyless):
            gone = "who was erased" if subject in entries.erased else "whose key is gone"
            self._wrong.add(f"Entry {index} has a disclosure of {subject!r}, {gone}.")
        self._pass_on(self._wrong, entries, faults)
        return f"Disclosures looked at: {self._count:,}."

    def openings(self, entries: Entries, faults: Faults) -> str:
        """Check 13."""
        last = max(entries.erased.values(), default=-1)
        for index, path, owner, there in _by_entry(self._closed):
            # Right only after an erasure: of its owner, or redacted, since it named somebody erased later.
            if owner in entries.erased or ((owner is None or there) and last > index):
                continue
            whose = f"the disclosure of {owner} {'has no opening' if there else 'is missing'}"
            self._missing.add(f"Entry {index}: {path} cannot be opened; {whose}, and no erasure explains it.")
        self._pass_on(self._missing, entries, faults)
        return f"Sealed fields looked at: {self._fields:,}."

    def whole(self) -> bool:
        """Whether every disclosure that should be there was opened."""
        return self._failed is None and not self._wrong.count and not self._missing.count

    def _pass_on(self, found: Faults, entries: Entries, faults: Faults) -> None:
        if self._failed is not None:
            raise self._failed
        faults.join(found)
        if not found.count and not entries.whole:
            raise Unshown("Not shown for the entries that are missing or cannot be read.")


def _by_entry(gathered: Mapping[Any, array[int]]) -> Iterator[tuple[Any, ...]]:
    """(entry, what was gathered about it) in the order of entries."""
    return merge(*(_each_with(what, indices) for what, indices in gathered.items()))


def _each_with(what: tuple[Any, ...], indices: array[int]) -> Iterator[tuple[Any, ...]]:
    return ((index, *what) for index in indices)


class _Deliveries:
    """Deliveries held against the entries they led to."""

    def __init__(self, entries: Entries, vault: Vault, runs: list[tuple[int, str]]) -> None:
        self._entries, self._vault = entries, vault
        self._firsts = array("q", (index for index, _ in runs))
        self._runs = runs
        self._met = bytearray(len(runs))
        # Commitments of runs that go on later, from the first entry of each.
        self._committed: set[str] = set()
        # Keyed hashes of ids that an earlier delivery must have come under.
        self._nameless: dict[bytes, str] = {}

    def all(self, faults: Faults) -> str:
        """Check 14."""
        count = 0
        for row in self._entries.log.delivery_rows():
            count += 1
            try:
                self._one(faults, *row)
            except Exception as error:
                faults.add(f"Delivery {row[0]}: {told(error)}")
            self._entries.tell(min(count, self._entries.size), "deliveries")
        self._namesakes(faults)
        for place, met in enumerate(self._met):
            index, name = self._runs[place]
            if not met and name not in self._committed:
                faults.add(f"The delivery that led to entry {index} is missing.")
        if not self._entries.whole:
            raise Unshown("Not shown for the entries that are missing or cannot be read.")
        return f"Deliveries looked at: {count:,}."

    def _namesakes(self, faults: Faults) -> None:
        """Whoever has no id of its own came under that of another delivery, which must be there."""
        if self._nameless:
            for _, _, _, id_mac, *_ in self._entries.log.delivery_rows():
                if isinstance(id_mac, bytes):
                    self._nameless.pop(id_mac, None)
        for name in self._nameless.values():
            faults.add(f"{name} has no keyed hash of its id, and no other delivery came under that id.")

    def _one(
        self,
        faults: Faults,
        id: Any,
        source: Any,
        mac: Any,
        id_mac: Any,
        received_at: Any,
        event: Any,
        index: Any,
        key: Any,
        sealed: Any,
    ) -> None:
        name = f"Delivery {id}"
        rows = self._entries.bodies(index, index + 1)
        if not rows:
            faults.add(f"{name} led to entry {index}, which does not exist.")
            return
        first = read(rows[0][2])
        place = bisect_left(self._firsts, index)
        if first.delivery is None or place == len(self._firsts) or self._firsts[place] != index:
            faults.add(f"{name} did not lead to entry {index}.")
            return
        self._met[place] = 1
        self._committed.add(first.delivery)
        self._columns(faults, name, first, source, mac, id_mac, received_at, event)
        if (key is None) != (sealed is None):
            faults.add(f"{name}: of key and body one is missing.")
        elif key is not None:
            self._body(faults, name, first, source, mac, key, sealed)

    def _columns(
        self,
        faults: Faults,
        name: str,
        first: Entry,
        source: Any,
        mac: Any,
        id_mac: Any,
        received_at: Any,
        event: Any,
    ) -> None:
        """What the entry says of its delivery: sender and time; event and id only if it was set aside."""
        if source != first.source:
            faults.add(f"{name} is of {source!r}; its entry of {first.source!r}.")
        if times.text(received_at) != first.received_at:
            faults.add(f"{name} was received at another time than its entry says.")
        for hash in (mac, id_mac):
            if hash is not None and (
                not isinstance(hash, bytes) or len(hash) != hashlib.sha256().digest_size
            ):
                faults.add(f"{name}: a keyed hash is not one of 32 bytes.")
        if first.kind != "delivery.set_aside":
            return
        if str(event)[:500] != first.data.get("event"):
            faults.add(f"{name}: its event is not that of its entry.")
        told_id = first.data.get("delivery_id")
        if isinstance(told_id, str) and len(told_id) < 500:
            expected = id_mac_of(self._vault, str(source), told_id)
            if id_mac is None:
                # Another delivery must have come under this id before.
                self._nameless[expected] = name
            elif id_mac != expected:
                faults.add(f"{name}: the keyed hash of its id is not that of the id in its entry.")

    def _body(
        self, faults: Faults, name: str, first: Entry, source: str, mac: bytes, key: bytes, sealed: bytes
    ) -> None:
        kept = open_kept(RawDelivery(source, mac, None, 0, "", key, sealed), self._vault)
        digest = hashlib.sha256(kept.body).digest()
        if committed(kept.salt, digest) != first.delivery:
            faults.add(f"{name}: its body is not what its entry commits to.")
        if mac != mac_of(self._vault, source, digest):
            faults.add(f"{name}: its keyed hash is not that of its body.")
