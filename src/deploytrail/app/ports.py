"""What the house asks of the world. Each promise is written where it stands, one contract suite tests it.

Indices count entries from 0. Times are UTC milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import msgspec

from deploytrail.errors import Refused
from deploytrail.projections.tables import Rows, Table
from deploytrail.tlog.frontier import Frontier


class Clock(Protocol):
    """Time is a port, so that tests can set it."""

    def now(self) -> int:
        """UTC milliseconds since 1970."""


class Chance(Protocol):
    """Chance is a port, so that tests can repeat it."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""


# The log.


class Blob(NamedTuple):
    """One encrypted disclosure, of one entry and one data subject."""

    subject: str
    sealed: bytes


class Pending(NamedTuple):
    """One entry to append, with what lies beside it. `id` with `source` makes a repeat harmless."""

    entry: bytes
    source: str
    id: str | None
    subjects: tuple[str, ...]
    disclosures: tuple[Blob, ...]


class RawDelivery(NamedTuple):
    """A raw body, encrypted under a key of its own (`key`, itself wrapped by the house key).

    `mac` is the keyed hash of source and body, by which repeats are known; `id_mac` that of source and
    delivery id. `salt` opens the commitment in the entries of this delivery.
    """

    source: str
    mac: bytes
    id_mac: bytes | None
    received_at: int
    event: str
    key: bytes
    sealed: bytes


class Submission(NamedTuple):
    """Entries that are appended together or not at all.

    Refused("conflict") if one of `unless_touched` gained an entry after index `since`.
    """

    entries: tuple[Pending, ...]
    unless_touched: tuple[str, ...] = ()
    since: int = -1
    delivery: RawDelivery | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an entry stands. `repeat`: it stood there before; nothing was written. `leaf`: the leaf hash of
    an entry that was written now.
    """

    index: int
    repeat: bool
    leaf: bytes | None = field(default=None, compare=False)


class Row(NamedTuple):
    """One entry as stored."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    leaf: bytes
    body: bytes


class Head(NamedTuple):
    """The newest state of the tree."""

    size: int
    root: bytes
    frontier: Frontier


class Signed(NamedTuple):
    """A signed checkpoint as published."""

    size: int
    root: bytes
    note: bytes


class Damaged(Refused):
    """The store cannot promise anything any more (failing disk): stop, and let a restart recover."""

    def __init__(self, words: str) -> None:
        super().__init__("unavailable", words)


class Unsure(Refused):
    """Whether a write was kept is not known now (the connection to the database broke while committing).

    Unlike after Damaged, the database itself is sound: writing goes on, and a repeat of it is harmless.
    """

    def __init__(self, words: str) -> None:
        super().__init__("unavailable", words)


# Given the bytes of an entry in the log, its disclosures, and an entry told under the same id: the name of
# the first field in which they say something else, or None.
Differs = Callable[[bytes, Sequence[Blob], Pending], str | None]


class Log(Protocol):
    """Entries and tree. The only writer is `app/record`."""

    def append(
        self, batch: Sequence[Submission], differs: Differs | None = None
    ) -> list[list[Placed] | Refused]:
        """One transaction for the whole batch: entries, tree, subject index, repeats, disclosures, raw
        deliveries, head. Serializable, and durable on return. One answer per submission, in order; each is
        taken as a whole or not at all, and a refused one leaves the others alone.

        A submission is a repeat, and writes nothing, when its delivery's `mac` was seen before (the answer
        is then the first entry of that delivery), or when every entry's (source, id) is known. It is
        Refused("conflict") when another body came under the delivery's `id_mac`, when an entry told under a
        known id differs from the one in the log, or, unless it is a repeat, when one of `unless_touched`
        gained an entry after `since`. Earlier submissions of the batch count as recorded.

        Raises Refused("unavailable") or Refused("busy") when nothing of the batch was recorded (a full
        disk); Unsure or Damaged when that is not known. After Damaged nothing more is written until it is
        opened anew.
        """

    def head(self) -> Head:
        """The newest committed head."""

    def entries(self, start: int, stop: int) -> list[Row]:
        """The entries start <= index < stop that exist, in order."""

    def at(self, indices: Iterable[int]) -> list[Row]:
        """The entries at these indices that exist, in order."""

    def leaves(self, start: int, stop: int) -> bytes:
        """Leaf hashes of start <= index < stop, concatenated."""

    def nodes(self, level: int, start: int, stop: int) -> bytes:
        """Hashes at tile level >= 1, positions start <= n < stop, concatenated."""

    def touched(self, subject: str, *, before: int | None = None, limit: int = 100) -> list[int]:
        """Indices of entries about a subject, newest first."""

    def find(self, source: str, id: str) -> int | None:
        """The entry that this source told under this id."""

    def publish(self, signed: Signed) -> None:
        """Keep a signed checkpoint and serve it as the newest. Safe to repeat.

        Refused("untrue") for another root at a size that was published; the published one stays.
        """

    def checkpoint(self) -> Signed | None:
        """The newest published checkpoint."""

    def checkpoints(self) -> Iterator[Signed]:
        """All of them, smallest first."""


class Disclosures(Protocol):
    """Encrypted disclosures and raw deliveries: erasable, never evidence by themselves."""

    def disclosures(self, indices: Iterable[int]) -> dict[int, list[Blob]]:
        """The disclosures that exist for these entries."""

    def every_disclosure(self, after: int = -1, before: int | None = None) -> Iterator[tuple[int, Blob]]:
        """All of them with after < index < before, by index."""

    def redact(self, index: int, blob: Blob) -> None:
        """Put a shorter disclosure in the place of the one for the same entry and subject."""

    def erase_disclosures(self, subject: str) -> int:
        """Delete all of a subject; how many. `scrub` takes the bytes out of the files."""

    def seen(self, mac: bytes) -> int | None:
        """The first entry of a delivery with this keyed hash, so a repeat; None if never seen."""

    def deliveries(self, after: int = 0) -> Iterator[tuple[int, RawDelivery, int]]:
        """(row id, delivery, index of its first entry) of all whose body is still kept."""

    def forget_deliveries(self, rows: Sequence[int]) -> None:
        """Destroy bodies and their keys; the keyed hashes stay, so that a repeat stays one."""

    def expire_deliveries(self, before: int) -> int:
        """Destroy bodies received before a time; how many."""

    def delivery_of(self, index: int) -> RawDelivery | None:
        """The delivery whose first entry has this index, if its body is still kept."""

    def scrub(self) -> None:
        """Deleted bytes are gone from every file of the database on return, journals included.

        Refused("busy") if somebody reads older states for some seconds: the bytes are then still there.
        """


class Archive(Log, Disclosures, Protocol):
    """The log and what lies beside it, in one store."""


class Registry(Protocol):
    """Small ephemeral tables that the house administers: sources, secrets, tokens, links, sessions."""

    def row(self, table: str, key: str) -> dict[str, Any] | None:
        """One row by its key."""

    def put(self, table: str, key: str, row: Mapping[str, Any]) -> None:
        """Insert or replace one row; durable on return."""

    def items(self, table: str) -> list[tuple[str, dict[str, Any]]]:
        """All rows of one ephemeral table (`source`, `token`, `link`, `session`, `size`) with their keys."""

    def change(self, table: str, key: str, row: Mapping[str, Any]) -> bool:
        """Replace one row if it is still there; whether it was."""

    def take(self, table: str, key: str) -> dict[str, Any] | None:
        """Delete one row and return it, atomically: of two callers only one gets it."""


class Disk(Protocol):
    """What the house takes of a disk, or of a database server. Cheap: asked about once a second."""

    def sizes(self) -> Mapping[str, int]:
        """Bytes by part: what holds the log, the keys, the derived rows. Empty if that is not known."""

    def free(self) -> int | None:
        """Bytes that can still be written where the log lies; None if that is not known."""


# Derived rows.

R = TypeVar("R", bound=msgspec.Struct)


class Derived(Protocol):
    """Rebuildable tables, in a place of their own; their loss costs time, never facts."""

    def cursor(self) -> int:
        """How many entries have been folded in."""

    def begin(self) -> Rows:
        """A unit of work on the newest rows."""

    def commit(self, rows: Rows, cursor: int) -> None:
        """Rows and cursor move together or not at all."""

    def get(self, table: Table[R], *key: str | int) -> R | None:
        """One row by key, outside any unit of work."""

    def page(
        self,
        table: Table[R],
        *,
        where: Mapping[str, str | int] | None = None,
        order: str,
        descending: bool = True,
        below: str | int | None = None,
        above: str | int | None = None,
        prefix: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[R]:
        """At most `limit` rows by keyset: equal to `where`, ordered by one column, strictly below or above
        a value of it. An index must serve it. `prefix` is (column, start of its text)."""

    def digest(self) -> dict[str, Any]:
        """Per table, what tells two derivations apart; equal for equal rows."""

    def rebuild(self) -> Derived:
        """An empty derivation in a new place, to be filled and then put in place with `replace`."""

    def replace(self, other: Derived) -> None:
        """Put a rebuilt derivation in the place of this one, atomically."""


# What entries are found by.


class Found(NamedTuple):
    """What one entry is found by: terms of what is clear and words of what is sealed, each one text with
    spaces between them (see projections/terms)."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    terms: str
    words: str


class SearchIndex(Protocol):
    """Entries by clear terms, entries by words of sealed texts, and persons by words of their names.

    All of it can be made again. Words and names are personal: what is forgotten is gone from every file.
    """

    def cursor(self) -> int:
        """How many entries have been taken in."""

    def made_by(self) -> str:
        """What the last `add` or `forget` said; empty before the first, and after `doubt`."""

    def add(
        self, found: Sequence[Found], names: Mapping[str, Iterable[str]], cursor: int, made_by: str
    ) -> None:
        """Take in entries that follow one another, and words for persons by subject id. All of it, the
        cursor and `made_by` move together or not at all."""

    def matching(
        self, terms: Sequence[str], words: Sequence[str], *, below: int | None = None, limit: int = 50
    ) -> list[int]:
        """The newest `limit` entries below an index that have any of these terms or words, newest first.
        Reads some `limit` places of each, however many there are."""

    def terms(self, prefix: str, limit: int) -> list[str]:
        """The first terms that begin so, in the order of their bytes; each costs one step."""

    def words(self, prefix: str, limit: int) -> list[str]:
        """The first words of sealed texts that begin so, as `terms`."""

    def people(self, prefix: str, limit: int) -> list[str]:
        """Subject ids of the first persons with a word that begins so, by that word."""

    def doubt(self) -> None:
        """Nothing here is believed until `forget`: whoever opens the index meanwhile, as after a crash,
        begins an empty one. Durable on return."""

    def forget(self, subjects: Iterable[str], instead: Mapping[int, str], made_by: str) -> None:
        """Forget the names of subjects, and put other words in the place of those of these entries. What
        was forgotten is gone from every file on return, and the index is believed again.

        Refused("busy") while somebody reads what was there before: then it is not.
        """

    def digest(self) -> dict[str, Any]:
        """Of terms, words and names, what tells two indexes apart; equal for equal ones."""

    def rebuild(self) -> SearchIndex:
        """An empty index in a new place, to be filled and then put in place with `replace`."""

    def replace(self, other: Any) -> None:
        """Put another index in the place of this one, atomically; what was here is gone."""


# For `fsck`: what lies in the files, as it lies there.


class SumKey(NamedTuple):
    """By what postings of entries with index < before are summed; drawn anew for each look."""

    before: int
    modulus: int
    square: int
    straight: int


class Inspected(Protocol):
    """One unmoving view of all rows of the log's database, with no word believed: values as they are stored.

    A context manager; the view is taken on entering. Every method may raise Damaged where the file cannot
    be read, and whatever has no good value comes back with a bad one. A copy, also a pickled one in another
    process, is of the same place and not entered yet.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def damage(self) -> list[str] | None:
        """What the database itself finds wrong with its file; None if it has no means to look."""

    def head_rows(self) -> list[tuple[Any, ...]]:
        """(id, size, root, frontier, published) of every head row."""

    def entry_rows(self, start: int, stop: int | None = None, limit: int = 500) -> list[tuple[Any, ...]]:
        """(idx, leaf, body) from `start` on, in order, at most `limit`; bodies packed, as they are kept."""

    def node_rows(self) -> Iterator[tuple[Any, ...]]:
        """(level, idx, hash) of every tile hash."""

    def checkpoint_rows(self) -> Iterator[tuple[Any, ...]]:
        """(size, previous, root, note) of every published checkpoint, smallest first."""

    def index_rows(self) -> Iterator[tuple[Any, ...]]:
        """(idx, hashes) of the whole subject index, by idx; what is no number may stand anywhere.
        `hashes` is one text of all hashes of an entry, in order, with a space between them.
        """

    def index_sums(self, key: SumKey, prime: int, after: int) -> Iterator[tuple[Any, ...]]:
        """Of every subject in the index its hash as a text, then as `InspectedSearch.posting_rows`."""

    def repeat_rows(self) -> Iterator[tuple[Any, ...]]:
        """(idx, source, id) of every known id, in the order of idx as above."""

    def repeats_of(self, source: Any, id: Any) -> list[Any]:
        """Every idx under a source and an id."""

    def disclosure_rows(self, start: int, stop: int) -> list[tuple[Any, ...]]:
        """(idx, subject, sealed) of the disclosures of entries start <= idx < stop."""

    def stray_disclosures(self) -> list[tuple[Any, ...]]:
        """(idx, subject) of disclosures of entries that do not exist; the first few."""

    def delivery_rows(self) -> Iterator[tuple[Any, ...]]:
        """(id, source, mac, id_mac, received_at, event, idx, key, sealed) of every delivery, kept or not."""


class InspectedKeys(Protocol):
    """One unmoving view of the keyring's file, as `Inspected`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def damage(self) -> list[str] | None:
        """What the database itself finds wrong with its file; None if it has no means to look."""

    def key_rows(self) -> Iterator[tuple[Any, ...]]:
        """(subject,) of every key."""

    def identity_rows(self) -> Iterator[tuple[Any, ...]]:
        """(keyed hash, subject) of every identity."""


class InspectedDerived(Protocol):
    """One unmoving view of the derived rows, as `Inspected`. `tables`: (name, its columns, key columns)."""

    tables: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def damage(self) -> list[str] | None:
        """What the database itself finds wrong with its file; None if it has no means to look."""

    def ours(self) -> bool:
        """Whether it was made for these tables; what was not is never read, but made anew."""

    def cursor_rows(self) -> list[tuple[Any, ...]]:
        """(id, cursor) of every cursor row."""

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """The stored values of every row of a table, in the order of its key."""

    def again(self) -> AbstractContextManager[tuple[Derived, InspectedDerived]]:
        """An empty derivation in a place of its own, gone afterwards, and a view of it once filled."""


class InspectedSearch(Protocol):
    """One unmoving view of the search index, as `Inspected`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def damage(self) -> list[str] | None:
        """What the database itself finds wrong with its file; None if it has no means to look."""

    def ours(self) -> bool:
        """Whether it was made for these tables; what was not is never asked, but made anew."""

    def taken_rows(self) -> list[tuple[Any, ...]]:
        """(id, cursor, made_by) of every row that says how many entries were taken in."""

    def name_rows(self) -> Iterator[tuple[Any, ...]]:
        """(word, subject) of every word of a name."""

    def posting_rows(self, table: str, key: SumKey, prime: int, after: int) -> Iterator[tuple[Any, ...]]:
        """Of every term or word ("term", "word"): itself, how many entries below key.before have it, the sum
        of what each of them counts, and how many entries from `after` on, or below 0, have it.

        Entry i counts ((i * square mod prime)^2 + i * straight mod prime) mod prime.
        """


# For `fsck`: more than one core.

Given = TypeVar("Given")
Made = TypeVar("Made")


class Apart(Protocol):
    """Other processes of this machine, for much work that needs nothing but what it is given.

    Jobs are functions of a module; what they are given and what they make can be pickled. What a job raises
    is raised here; Refused("unavailable") if its process ended before it. A context manager, which ends all
    processes on leaving.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def each(self, job: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
        """What `job` makes of each part, in their order. Only a few parts are taken ahead."""

    def stream(self, job: Callable[..., Iterator[Made]], *given: Any) -> Iterator[Made]:
        """Begin a job at once that makes one thing after another."""


# Keys.


class Keyring(Protocol):
    """Subjects' keys and the way from an identity to a subject id: small, apart, with a backup of its own."""

    def subject(self, identities: Sequence[bytes]) -> str | None:
        """The subject known under the first of these keyed hashes that anybody is known under."""

    def learn(self, found: Sequence[tuple[str, bytes, Sequence[bytes]]]) -> None:
        """Keep new subjects (id, key) and their identities; durable on return.

        A subject that has a key keeps it, and an identity stays with the subject that it belongs to.
        """

    def key(self, subject: str) -> bytes | None:
        """A subject's key; None after erasure."""

    def forget(self, subject: str) -> None:
        """Destroy a subject's key and identities; gone from the files on return (see Disclosures.scrub)."""

    def subjects(self) -> list[str]:
        """All that have a key."""


# The signer.


class Signer(Protocol):
    """Holds the log's key and its own record of what it signed last, outside database and backup."""

    @property
    def vkey(self) -> str:
        """The verifier key, as C2SP signed-note writes it."""

    def last(self) -> Signed | None:
        """What was signed last."""

    def frontier(self) -> Frontier:
        """The compact range of the tree signed last."""

    def sign(self, bodies: Iterable[bytes], head: Head) -> Signed:
        """Sign `head` after hashing `bodies`, the entries from the last signed size to the head's, into its
        own frontier. Refused("untrue") if that does not give the head's root: then nothing is signed.
        The record is durable before the note is handed out."""
