"""The judge of the crash tests itself: it finds what a house that loses or doubles things leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from deploytrail.app.persons import Persons
from deploytrail.app.ports import Signed, Submission
from deploytrail.app.vault import Vault
from deploytrail.facts import told
from deploytrail.facts.canonical import decode
from deploytrail.store.folder import Folder
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_sql import SqlLog
from deploytrail.store.places import Places
from deploytrail.tlog.checkpoint import Checkpoint, sign
from tests import postgres
from tests.app.small_house import KEY, ORIGIN, Chance
from tests.crash.items import item, marks_in
from tests.crash.judge import judge
from tests.crash.ledger import Broken, Ledger
from tests.crash.victim import Answer

VKEY = KEY.verifier.vkey()


class Kept:
    """A log of five facts, and a ledger that agrees with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ledger = folder, Ledger()
        self.places = Places(Folder(folder), postgres.url_of(folder))
        self.log = SqlLog(self.places.trail)
        vault = Vault(b"k" * 32, Chance())
        self.keyring = SqlKeyring(self.places.keys, vault)
        self.persons = Persons(self.keyring, vault, Chance())
        for number in (1, 2, 4, 5, 7):
            self.ledger.told(item(number), Answer(self.tell(number)))
            self.publish()

    def tell(self, number: int, id: str | None = None) -> int:
        """Append one item; its index."""
        draft = told.parse(item(number).body, source="crash", received_at=1)
        sealed = self.persons.seal(draft)
        # Under another source the same fact is no repeat: so a house could double it.
        twin = sealed._replace(source=id or sealed.source)
        answer = self.log.append([Submission((twin,))])[0]
        assert isinstance(answer, list)
        return answer[0].index

    def publish(self) -> None:
        """Sign and publish the head, and see it."""
        head = self.log.head()
        note = sign(Checkpoint(ORIGIN, head.size, head.root), KEY)
        self.log.publish(Signed(head.size, head.root, note))
        self.ledger.saw(note)

    def judged(self) -> int:
        """What the judge says."""
        return judge(self.folder, VKEY, self.ledger)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    house = Kept(tmp_path)
    yield house
    house.keyring.close()
    house.log.close()
    house.places.close()


def test_log_that_agrees_is_passed(kept: Kept) -> None:
    assert kept.judged() == 5


def _lost(kept: Kept) -> None:
    kept.ledger.acknowledged[8] = 5


def _elsewhere(kept: Kept) -> None:
    kept.ledger.acknowledged[1] = 3


def _twice(kept: Kept) -> None:
    kept.tell(2, id="another source")


def _never_answered(kept: Kept) -> None:
    kept.ledger.unknown.add(10)


def _never_sent(kept: Kept) -> None:
    kept.tell(8)


def _unpublished(kept: Kept) -> None:
    kept.ledger.told(item(8), Answer(kept.tell(8)))
    head = kept.log.head()
    kept.ledger.saw(sign(Checkpoint(ORIGIN, head.size, head.root), KEY))


def _another_history(kept: Kept) -> None:
    kept.ledger.notes[3] = sign(Checkpoint(ORIGIN, 3, b"x" * 32), KEY)


def _checkpoint_gone(kept: Kept) -> None:
    kept.ledger.notes[9] = sign(Checkpoint(ORIGIN, 9, b"x" * 32), KEY)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (_lost, "stands at no place"),
        (_elsewhere, "was acknowledged at 3 and stands at"),
        (_twice, "recorded more than once"),
        (_never_answered, "were never acknowledged"),
        (_never_sent, "nobody's answer told of it"),
        (_unpublished, "a published checkpoint was lost"),
        (_another_history, "is not of this history"),
        (_checkpoint_gone, "is not of this history"),
    ],
)
def test_judge_finds(kept: Kept, harm: Callable[[Kept], None], words: str) -> None:
    harm(kept)
    with pytest.raises(Broken, match=words):
        kept.judged()


def test_ledger_finds_an_acknowledgement_that_moved() -> None:
    ledger = Ledger()
    ledger.told(item(1), Answer(4))
    ledger.told(item(1), Answer(4, repeat=True))
    with pytest.raises(Broken, match="at 4 and at 5"):
        ledger.told(item(1), Answer(5))


def test_ledger_finds_a_checkpoint_that_shrinks_or_forks(kept: Kept) -> None:
    ledger = Ledger()
    note = kept.ledger.notes
    ledger.saw(note[3])
    ledger.saw(note[3])
    with pytest.raises(Broken, match="was published after one of"):
        ledger.saw(note[2])
    with pytest.raises(Broken, match="two checkpoints of size 3"):
        ledger.saw(sign(Checkpoint(ORIGIN, 3, b"x" * 32), KEY))


def test_refused_item_stays_unknown_until_it_is_acknowledged() -> None:
    ledger, chance = Ledger(), Random(1)
    one = ledger.draw(chance)
    ledger.told(one, Answer(None, words="503 no"))
    assert ledger.unknown == {one.number}
    assert ledger.refused == {"503 no": 1}
    ledger.told(one, Answer(0))
    assert not ledger.unknown


def test_items_have_marks_that_their_entries_show(kept: Kept) -> None:
    marks = [marks_in(decode(row.body)) for row in kept.log.entries(0, 9)]
    assert marks == [item(number).mark for number in (1, 2, 4, 5, 7)]
    assert len({item(number).mark for number in range(300)}) == 300
