"""Erasing a person: no byte of theirs stays, no entry changes, and every proof goes on holding.

Entries hold a random subject id and salted commitments. What makes a person of them lies beside the log, and
goes in this order, so that whatever happens in between, the same command finishes it:

1. Everybody else's disclosures lose the fields that mention the person; kept raw bodies that mention the
   person, or led to an entry about them, are destroyed; the person's sessions end, and saved filters of
   theirs or about them go.
2. The fact `subject.erased` is recorded, once. From here on it is decided.
3. The person's own disclosures are deleted, and the bytes are gone from the files.
4. The person's key and identities are destroyed. Until then the person can still be found by name, and from
   then on nothing is sealed for that subject any more.
5. What was appended meanwhile is gone through once more.
6. The search index forgets the person's names, and the words of what was taken out. It takes in nothing from
   the first step on, and is not believed before the last: if anything breaks off, it begins anew.

What is told of the person after the fact is told anew, and is another erasure's.

Projections and their files hold subject ids and clear fields only, never a sealed value: a fold is given the
entry alone. So there is nothing to erase in them, and rows made anew are the same as those that stand.

What is clear in an entry stays for ever. A login is clear where it is part of a name that joins facts: the
owner in HOST/OWNER/NAME of a repository, of which the sources' pages warn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from deploytrail.app.access import HOUSE, NAMESPACE, By
from deploytrail.app.disclose import Disclose
from deploytrail.app.kept import open_kept
from deploytrail.app.mentions import Mentions
from deploytrail.app.packing import pack
from deploytrail.app.persons import Persons
from deploytrail.app.ports import Archive, Blob, Chance, Clock, Keyring, RawDelivery, Registry
from deploytrail.app.record import Recorder
from deploytrail.app.saved import AREA as FILTERS
from deploytrail.app.searching import Searched
from deploytrail.app.vault import Vault, encrypt
from deploytrail.errors import Refused
from deploytrail.facts.canonical import normal
from deploytrail.facts.draft import Draft, Person
from deploytrail.facts.entry import read
from deploytrail.facts.kinds import SubjectErased
from deploytrail.facts.sealing import NOBODY, Opened, to_bytes

_PAGE: Final = 500
_BODIES: Final = 50
# (looked at so far, at what)
Progress = Callable[[int, str], None]


class Kept(Archive, Registry, Protocol):
    """The log and what lies beside it, in one store."""

    def purge(self) -> None:
        """As `scrub`, and no copy of anything deleted is left in free space within the files either."""


class Found(NamedTuple):
    """A subject that a name leads to, and as what it is known."""

    subject: str
    known_as: tuple[str, ...]


class Erased(msgspec.Struct, frozen=True):
    """What was erased: own disclosures (`entries`), raw bodies, and others' disclosures with fields removed.

    `linked` are subjects erased as well, since they are the same person under the same address; `namesakes`
    are subjects left alone who are known under one of the same strings: others, or this person elsewhere.
    """

    subject: str
    entries: int
    deliveries: int
    redacted: int
    sessions: int
    linked: tuple[str, ...]
    namesakes: tuple[str, ...]


class Erase:
    """Erases persons. `namespaces` are those of logins: kinds of sources, "told", the house's own."""

    def __init__(
        self,
        *,
        log: Kept,
        keyring: Keyring,
        persons: Persons,
        disclose: Disclose,
        recorder: Recorder,
        searching: Searched,
        vault: Vault,
        clock: Clock,
        chance: Chance,
        namespaces: Sequence[str],
    ) -> None:
        self._log, self._keyring, self._persons, self._disclose = log, keyring, persons, disclose
        self._recorder, self._searching = recorder, searching
        self._vault, self._clock, self._chance = vault, clock, chance
        self._namespaces = tuple(dict.fromkeys(namespaces))

    def person(
        self, who: str, ground: str, progress: Progress | None = None, *, by: By | None = None
    ) -> Erased:
        """Erase the one person that `who` names. Refused as `whom` and `erase`."""
        return self.erase(self.whom(who), ground, progress, by=by)

    def whom(self, who: str) -> str:
        """The one subject that `who` names.

        Refused("not-found") if nobody is known so, Refused("conflict") if several are.
        """
        found = self.find(who)
        if not found:
            spaces = ", ".join(self._namespaces)
            raise Refused(
                "not-found",
                "Nobody is known so. Name a person by an email address, by NAMESPACE:LOGIN (namespaces: "
                f"{spaces}), by a login or name alone, or by the subject id (s_...) that stands in entries.",
            )
        if len(found) > 1:
            listed = "; ".join(f"{one.subject} ({', '.join(one.known_as)})" for one in found)
            raise Refused("conflict", f"Several are known so: {listed}. Erase each by its subject id.")
        return found[0].subject

    def find(self, who: str) -> list[Found]:
        """The subjects that a subject id, address, NAMESPACE:LOGIN, login or name leads to."""
        who = who.strip()
        if who.startswith("s_") and self._exists(who):
            return [Found(who, ("subject id",))]
        found: dict[str, list[str]] = {}
        for known_as, person, namespace in self._readings(who):
            subject = self._keyring.subject(self._persons.identities(person, namespace))
            if subject is not None:
                found.setdefault(subject, []).append(known_as)
        return [Found(subject, tuple(names)) for subject, names in found.items()]

    def unfinished(self) -> list[str]:
        """Subjects whose erasure was recorded and then broken off: `erase` finishes each."""
        return [subject for subject in self._keyring.subjects() if self._recorded(subject)]

    def erase(
        self, subject: str, ground: str, progress: Progress | None = None, *, by: By | None = None
    ) -> Erased:
        """Erase a subject, on a ground that names nobody, as `by` asked; by itself the house only finishes.

        Erasing again does no harm.

        Refused("not-found") for a subject there is not, "bad-input" for a ground that mentions the person,
        "unavailable" while nothing can be recorded, "busy" while somebody reads deleted bytes: try again.
        """
        if subject == NOBODY or not self._exists(subject):
            raise Refused("not-found", f"There is no subject {subject}.")
        if self._recorder.closed is not None:
            raise Refused("unavailable", self._recorder.closed)
        size = self._log.head().size
        known = self._known(progress)
        subjects = [subject, *known.same(subject)]
        mentions = Mentions(known.strings(subjects))
        if mentions.within(ground):
            raise Refused("bad-input", "The ground stays readable for ever, and must not mention the person.")
        work = _Work(self, subjects, mentions, progress)
        counts = {one: known.entries.get(one, 0) for one in subjects}
        with self._searching.erasing() as searched:
            self._erase(subjects, ground, work, size, counts, by)
            searched.forget(subjects, work.touched)
        return Erased(
            subject=subject,
            entries=sum(counts.values()),
            deliveries=work.deliveries,
            redacted=work.redacted,
            sessions=work.sessions,
            linked=tuple(subjects[1:]),
            namesakes=tuple(known.namesakes(subjects, mentions)),
        )

    def _erase(
        self,
        subjects: Sequence[str],
        ground: str,
        work: _Work,
        size: int,
        counts: Mapping[str, int],
        by: By | None,
    ) -> None:
        """The first five steps; `size` is the log's before, `counts` the disclosures of each."""
        decided = self._decided(subjects)
        work.redact(0, decided)
        newest = work.destroy(0)
        work.end_sessions()
        work.forget_filters()
        if decided is None:
            for one in subjects:
                self._record(one, ground, counts[one], work.deliveries if one == subjects[0] else 0, by)
            # What was told while all this was looked through, up to the fact.
            work.redact(size, self._decided(subjects))
        for one in subjects:
            self._log.erase_disclosures(one)
        self._log.purge()
        for one in subjects:
            self._persons.forget(one)
            self._disclose.forget(one)
        # What was sealed before is appended now; what is sealed from now on holds nothing of this person.
        self._recorder.settle()
        late = sum(self._log.erase_disclosures(one) for one in subjects)
        if work.destroy(newest) > newest or late:
            self._log.purge()

    def _readings(self, who: str) -> Iterator[tuple[str, Person, str]]:
        """All that a name can mean: how it is read, and the person and namespace of that reading."""
        if "@" in who:
            yield f"address {who}", Person(email=who), ""
        namespace, colon, login = who.partition(":")
        if colon and namespace in self._namespaces and login:
            yield who, Person(login=login), namespace
            return
        if who:
            for namespace in self._namespaces:
                yield f"{namespace}:{who}", Person(login=who), namespace
            yield f"name {who}", Person(name=who), ""

    def _exists(self, subject: str) -> bool:
        return self._keyring.key(subject) is not None or bool(self._log.touched(f"actor:{subject}", limit=1))

    def _recorded(self, subject: str) -> bool:
        return self._log.find(HOUSE, _fact_id(subject)) is not None

    def _decided(self, subjects: Sequence[str]) -> int | None:
        """The last of the facts that these were erased; None if there is one that has none yet."""
        found = [self._log.find(HOUSE, _fact_id(subject)) for subject in subjects]
        return None if None in found else max(index for index in found if index is not None)

    def _record(self, subject: str, ground: str, entries: int, deliveries: int, by: By | None) -> None:
        if self._recorded(subject):
            return
        body = SubjectErased(subject=subject, ground=ground, entries=entries, deliveries=deliveries)
        draft = Draft(
            kind="subject.erased",
            body=body,
            source=HOUSE,
            received_at=self._clock.now(),
            id=_fact_id(subject),
            actor=by.person() if by else None,
            attribution=by.attribution if by else "unknown",
            namespace=by.namespace if by else NAMESPACE,
        )
        self._recorder.record_now(draft)

    def _known(self, progress: Progress | None) -> _Known:
        """What every subject is known as, from all disclosures that open."""
        known = _Known()
        for count, (_, blob) in enumerate(self._log.every_disclosure()):
            known.entries[blob.subject] = known.entries.get(blob.subject, 0) + 1
            if blob.subject != NOBODY:
                known.add(blob.subject, self._disclose.opened(blob) or {})
            if progress and count % _PAGE == 0:
                progress(count, "names")
        return known


class _Known:
    """By subject: logins, addresses and names, folded; and how many disclosures there are."""

    def __init__(self) -> None:
        self.entries: dict[str, int] = {}
        self._by_subject: dict[str, dict[str, set[str]]] = {}

    def add(self, subject: str, opened: Opened) -> None:
        """Nothing but a person's own fields ends in login, email or name."""
        for path, (_, value) in opened.items():
            sort = path.rpartition(".")[2]
            if sort in ("login", "email", "name") and isinstance(value, str):
                folded = normal(value).strip().casefold()
                self._by_subject.setdefault(subject, {}).setdefault(sort, set()).add(folded)

    def strings(self, subjects: Sequence[str]) -> set[str]:
        """All that these are called."""
        return {
            text for one in subjects for texts in self._by_subject.get(one, {}).values() for text in texts
        }

    def same(self, subject: str) -> list[str]:
        """Other subjects of the same person: those with an address in common.

        Never one with another login: several may write under one address, such as that of a team. Where the
        address alone is known and leads to several logins, none of those is taken.
        """
        mine = [subject]
        while True:
            sharing = [
                other
                for other in self._by_subject
                if other not in mine and self._of(mine, "email") & self._of([other], "email")
            ]
            logins = self._of(mine, "login")
            if not logins:
                named = [self._of([other], "login") for other in sharing]
                logins = set.intersection(*filter(None, named)) if any(named) else set()
            fresh = [
                other for other in sharing if not (theirs := self._of([other], "login")) or theirs & logins
            ]
            if not fresh:
                return mine[1:]
            mine += fresh

    def namesakes(self, subjects: Sequence[str], mentions: Mentions) -> list[str]:
        """Subjects who are not these, and known under one of the same strings."""
        return sorted(
            other
            for other, texts in self._by_subject.items()
            if other not in subjects and not mentions.strings.isdisjoint(set().union(*texts.values()))
        )

    def _of(self, subjects: Sequence[str], sort: str) -> set[str]:
        return {text for one in subjects for text in self._by_subject.get(one, {}).get(sort, ())}


class _Work:
    """What goes besides the person's own disclosures, and how much of it went."""

    def __init__(
        self,
        erase: Erase,
        subjects: Sequence[str],
        mentions: Mentions,
        progress: Progress | None,
    ) -> None:
        self._house = erase
        self._subjects, self._mentions = frozenset(subjects), mentions
        self._progress = progress
        self.redacted = self.deliveries = self.sessions = 0
        # Entries with disclosures that lose something.
        self.touched: set[int] = set()

    def redact(self, start: int, stop: int | None) -> None:
        """Take what mentions the person out of everybody else's disclosures of entries start <= index < stop.

        Never beyond the fact of the erasure: what is told after it is told anew, and `fsck` would rightly
        miss it.
        """
        log = self._house._log
        for count, (index, blob) in enumerate(log.every_disclosure(start - 1)):
            if stop is not None and index >= stop:
                return
            if self._progress and count % _PAGE == 0:
                self._progress(count, "mentions")
            if blob.subject in self._subjects:
                self.touched.add(index)
            else:
                self._redact(index, blob)

    def _redact(self, index: int, blob: Blob) -> None:
        opened = self._house._disclose.opened(blob) or {}
        kept = {
            path: said for path, said in opened.items() if not self._mentioned(blob.subject, path, said[1])
        }
        if len(kept) < len(opened):
            self._house._log.redact(index, self._sealed(blob.subject, kept))
            self.touched.add(index)
            self.redacted += 1

    def destroy(self, after: int) -> int:
        """Destroy raw bodies that mention the person or led to an entry about them; the last row looked at.

        Rows up to `after` are left out.
        """
        log = self._house._log
        about = self._committed()
        rows = []
        for count, (row, raw, index) in enumerate(log.deliveries(after)):
            after = row
            if self._progress and count % _BODIES == 0:
                self._progress(count, "deliveries")
            if self._led_to(index) in about or self._in_body(raw):
                rows.append(row)
        if rows:
            log.forget_deliveries(rows)
        self.deliveries += len(rows)
        return after

    def end_sessions(self) -> None:
        """Whoever is erased is signed out; `subject.erased` says so for every session of theirs."""
        log = self._house._log
        for key, row in log.items("session"):
            if row.get("subject") in self._subjects and log.take("session", key) is not None:
                self.sessions += 1

    def forget_filters(self) -> None:
        """Saved filters that are theirs, look for them, or are called after them."""
        log = self._house._log
        for key, row in log.items(FILTERS):
            whom = {row.get("by"), row.get("filter", {}).get("actor")}
            if whom & self._subjects or self._mentions.in_value(row.get("name")):
                log.take(FILTERS, key)

    def _mentioned(self, subject: str, path: str, value: object) -> bool:
        own_name = subject != NOBODY and path.rpartition(".")[2] in ("login", "email", "name")
        # What somebody else is called is theirs, even where two are called the same.
        return not own_name and self._mentions.in_value(value)

    def _sealed(self, subject: str, kept: Opened) -> Blob:
        key = self._house._keyring.key(subject)
        assert key is not None
        return Blob(subject, encrypt(key, pack(to_bytes(kept), quickly=True), subject, self._house._chance))

    def _committed(self) -> set[str]:
        """The commitments to deliveries that led to entries about the person."""
        log = self._house._log
        found: set[str] = set()
        for subject in self._subjects:
            before: int | None = None
            while indices := log.touched(f"actor:{subject}", before=before, limit=_PAGE):
                before = indices[-1]
                for index in indices:
                    if (name := self._led_to(index)) is not None:
                        found.add(name)
        return found

    def _led_to(self, index: int) -> str | None:
        rows = self._house._log.entries(index, index + 1)
        return read(rows[0].body).delivery if rows else None

    def _in_body(self, raw: RawDelivery) -> bool:
        try:
            body = open_kept(raw, self._house._vault).body
        except Refused:
            # Nobody can read it, and nobody can say that it does not mention the person.
            return True
        return self._mentions.in_body(body)


def _fact_id(subject: str) -> str:
    return f"erased/{subject}"
