"""What ports.Log, Disclosures, Registry and Keyring promise, on every store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploytrail.app.ports import Blob, Keyring, Pending, Placed, RawDelivery, Signed, Submission
from deploytrail.app.vault import Vault
from deploytrail.errors import Refused
from deploytrail.store.keyring_memory import MemoryKeyring
from deploytrail.store.keyring_sql import SqlKeyring
from deploytrail.store.log_memory import MemoryLog
from deploytrail.store.log_sql import SqlLog
from deploytrail.tlog.frontier import Frontier
from deploytrail.tlog.hashes import leaf_hash, root_of
from tests.app.small_house import Chance
from tests.contracts import databases

Store = MemoryLog | SqlLog
Make = Callable[[], Store]
STORES = ["memory", "sqlite", "postgresql"]


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:

        def new() -> Store:
            if request.param == "memory":
                return MemoryLog()
            log = SqlLog(stack.enter_context(databases.new(request.param, tmp_path, "trail")))
            stack.callback(log.close)
            return log

        yield new


@pytest.fixture
def log(make: Make) -> Store:
    return make()


@pytest.fixture(params=STORES)
def keyring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keyring]:
    if request.param == "memory":
        yield MemoryKeyring()
        return
    with databases.new(request.param, tmp_path, "keys") as database:
        made = SqlKeyring(database, Vault(b"k" * 32, Chance()))
        yield made
        made.close()


def told(
    text: str | bytes, *, id: str | None = None, about: tuple[str, ...] = (), blobs: tuple[Blob, ...] = ()
) -> Pending:
    body = text.encode() if isinstance(text, str) else text
    return Pending(body, "ci", id, about, blobs)


def raw(mac: bytes, id_mac: bytes | None = None, *, at: int = 0) -> RawDelivery:
    return RawDelivery("hub", mac, id_mac, at, "push", b"key" + mac, b"sealed" + mac)


def one(*pending: Pending, **more: Any) -> Submission:
    return Submission(pending, **more)


def add(log: Store, *pending: Pending, **more: Any) -> list[Placed]:
    [answer] = log.append([one(*pending, **more)])
    assert not isinstance(answer, Refused)
    return answer


def code(answer: list[Placed] | Refused) -> str:
    assert isinstance(answer, Refused), answer
    return answer.code


def bodies(log: Store) -> list[bytes]:
    return [row.body for row in log.entries(0, 10**6)]


def differing(body: bytes, blobs: Any, pending: Pending) -> str | None:
    return None if body == pending.entry else "data"


def whole(log: Store) -> None:
    """The tree is that of the entries, whatever led to it."""
    rows = log.entries(0, 10**6)
    assert [row.index for row in rows] == list(range(len(rows)))
    leaves = [leaf_hash(row.body) for row in rows]
    assert [row.leaf for row in rows] == leaves
    head = log.head()
    frontier, nodes = Frontier.EMPTY.extend(leaves)
    assert (head.size, head.root, head.frontier) == (len(rows), root_of(leaves), frontier)
    for level in {node.level for node in nodes} | {1}:
        of_level = sorted((node.index, node.hash) for node in nodes if node.level == level)
        assert log.nodes(level, 0, 10**6) == b"".join(hash for _, hash in of_level)
    assert log.leaves(0, 10**6) == b"".join(leaves)


# Entries and tree.


def test_it_begins_empty(log: Store) -> None:
    whole(log)
    assert log.head().size == 0
    assert log.checkpoint() is None
    assert list(log.checkpoints()) == []
    assert log.find("ci", "a") is None
    assert log.touched("run:a/b") == []
    assert log.append([]) == []


def test_indices_are_dense_and_in_order(log: Store) -> None:
    answers = log.append([one(told("a"), told("b")), one(told("c")), one()])
    assert answers == [[Placed(0, False), Placed(1, False)], [Placed(2, False)], []]
    assert add(log, told("d")) == [Placed(3, False)]
    assert bodies(log) == [b"a", b"b", b"c", b"d"]
    whole(log)


def test_the_same_bytes_may_stand_twice(log: Store) -> None:
    assert [place.index for place in add(log, told("a"), told("a"))] == [0, 1]
    whole(log)


@pytest.mark.parametrize("sizes", [[1] * 5, [255, 1, 1], [256, 256, 1], [700], [65, 600, 3]])
def test_full_tiles_are_kept(log: Store, sizes: list[int]) -> None:
    count = 0
    for size in sizes:
        log.append([one(*(told(f"entry {count + n}") for n in range(size)))])
        count += size
    whole(log)
    assert log.leaves(250, 260) == b"".join(row.leaf for row in log.entries(250, 260))
    assert len(log.nodes(1, 0, 1)) == (32 if count >= 256 else 0)
    assert log.nodes(1, 1, 1) == b""


def test_ranges_end_where_the_log_ends(log: Store) -> None:
    add(log, *(told(str(n)) for n in range(5)))
    assert [row.index for row in log.entries(3, 99)] == [3, 4]
    assert log.entries(5, 9) == log.entries(3, 3) == log.entries(4, 2) == []
    assert log.at([4, 1, 9, 4, -1]) == [log.entries(1, 2)[0], log.entries(4, 5)[0]]
    assert log.at([]) == []
    assert len(log.leaves(4, 99)) == 32


def test_odd_bytes_come_back(log: Store) -> None:
    odd = [b"\x00", b"", bytes(range(256)), "é\U0001f600".encode(), b"x" * 65_535]
    add(log, *(told(body) for body in odd))
    assert bodies(log) == odd
    whole(log)


def test_readers_see_whole_batches_only(log: Store) -> None:
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            head = log.head()
            # Whatever is appended meanwhile, the entries of a head that was seen are all there.
            leaves = log.leaves(0, head.size)
            seen.append(head.size)
            assert head.size % 7 == 0
            assert len(leaves) == 32 * head.size
            assert (
                Frontier.EMPTY.extend(leaves[n : n + 32] for n in range(0, len(leaves), 32))[0]
                == head.frontier
            )

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read) for _ in range(2)]
        for batch in range(40):
            log.append([one(*(told(f"{batch} {n}") for n in range(7)))])
        stop.set()
        for each in reading:
            each.result(timeout=30)
    assert seen
    whole(log)


# All or nothing, each for itself.


def test_a_refused_submission_leaves_the_others_alone(log: Store) -> None:
    add(log, told("a", about=("change:r#1",)))
    answers = log.append(
        [
            one(told("b")),
            one(
                told("c", id="c", about=("x",), blobs=(Blob("s_a", b"1"),)),
                told("d"),
                unless_touched=("change:r#1",),
            ),
            one(told("e")),
        ]
    )
    assert answers[0] == [Placed(1, False)]
    assert code(answers[1]) == "conflict"
    assert answers[2] == [Placed(2, False)]
    assert bodies(log) == [b"a", b"b", b"e"]
    # Nothing of the refused one is left behind.
    assert log.find("ci", "c") is None
    assert log.touched("x") == []
    assert log.disclosures([0, 1, 2, 3]) == {}
    whole(log)


def test_a_guard_looks_at_what_came_after(log: Store) -> None:
    add(log, told("a", about=("policy:production", "change:r#1")))
    relied = {"unless_touched": ("policy:production", "change:r#2")}
    assert code(log.append([one(told("b"), **relied)])[0]) == "conflict"
    assert code(log.append([one(told("b"), since=-1, **relied)])[0]) == "conflict"
    assert add(log, told("b"), since=0, **relied)[0].index == 1
    assert add(log, told("c", about=("change:r#3",)), since=0, **relied)[0].index == 2
    add(log, told("d", about=("change:r#2",)))
    assert code(log.append([one(told("e"), since=2, **relied)])[0]) == "conflict"
    assert add(log, told("e"), since=3, **relied)[0].index == 4


def test_a_guard_sees_the_batch_it_is_in(log: Store) -> None:
    mints = [one(told(name, about=("request:1",)), unless_touched=("request:1",)) for name in "ab"]
    answers = log.append(mints)
    assert answers[0] == [Placed(0, False)]
    assert code(answers[1]) == "conflict"
    # A refused one touches nothing.
    again = log.append(
        [
            one(told("c", about=("request:2",)), unless_touched=("request:1",)),
            mints[0]._replace(unless_touched=("request:2",)),
        ]
    )
    assert code(again[0]) == "conflict"
    assert again[1] == [Placed(1, False)]


def test_subjects_are_found_newest_first(log: Store) -> None:
    for n in range(10):
        add(log, told(str(n), about=("actor:s_a", f"n:{n % 2}", "actor:s_a")))
    assert log.touched("actor:s_a") == list(range(9, -1, -1))
    assert log.touched("n:1", limit=2) == [9, 7]
    assert log.touched("n:1", before=7, limit=2) == [5, 3]
    assert log.touched("n:2") == log.touched("actor:s_a", before=0) == []


# Repeats.


def test_a_repeat_by_id_writes_nothing(log: Store) -> None:
    add(log, told("a", id="1", about=("x",), blobs=(Blob("s_a", b"1"),)))
    assert add(log, told("a", id="1", about=("x",), blobs=(Blob("s_b", b"2"),))) == [Placed(0, True)]
    assert log.append([one(told("b", id="2")), one(told("b", id="2"))]) == [
        [Placed(1, False)],
        [Placed(1, True)],
    ]
    other = Pending(b"a", "another source", "1", (), ())
    assert log.append([one(other)]) == [[Placed(2, False)]]
    assert (log.find("ci", "1"), log.find("ci", "2"), log.find("another source", "1")) == (0, 1, 2)
    assert log.disclosures([0]) == {0: [Blob("s_a", b"1")]}
    assert log.touched("x") == [0]
    whole(log)


def test_a_submission_may_hold_old_and_new(log: Store) -> None:
    add(log, told("a", id="1"))
    placed = add(log, told("b", id="2"), told("a", id="1"), told("c"), told("b", id="2"))
    assert placed == [Placed(1, False), Placed(0, True), Placed(2, False), Placed(1, True)]
    assert bodies(log) == [b"a", b"b", b"c"]


def test_a_whole_repeat_asks_no_guard(log: Store) -> None:
    decided = one(told("a", id="1", about=("request:1",)), unless_touched=("request:1",))
    assert log.append([decided]) == [[Placed(0, False)]]
    assert log.append([decided]) == [[Placed(0, True)]]
    more = decided._replace(entries=(*decided.entries, told("b", id="2")))
    assert code(log.append([more])[0]) == "conflict"


def test_the_same_id_must_say_the_same(log: Store) -> None:
    add(log, told("a", id="1", blobs=(Blob("s_a", b"1"),)))
    asked: list[tuple[bytes, list[Blob], bytes]] = []

    def differs(body: bytes, blobs: Any, pending: Pending) -> str | None:
        asked.append((body, list(blobs), pending.entry))
        return differing(body, blobs, pending)

    new = told("b", id="2", blobs=(Blob("s_b", b"2"),))
    answers = log.append(
        [
            one(told("a", id="1")),
            one(told("z", id="1")),
            one(new, told("y", id="1"), told("w")),
            one(new),
            one(told("x", id="2")),
            one(told("v", id="3"), told("u", id="3")),
            one(told("t", id="3")),
        ],
        differs,
    )
    assert answers[0] == [Placed(0, True)]
    assert [code(answer) for answer in (answers[1], answers[2], answers[4], answers[5])] == ["conflict"] * 4
    assert answers[3] == [Placed(1, False)]
    assert answers[6] == [Placed(2, False)]
    assert bodies(log) == [b"a", b"b", b"t"]
    assert (b"a", [Blob("s_a", b"1")], b"z") in asked
    assert (b"b", [Blob("s_b", b"2")], b"x") in asked
    words = answers[1].words if isinstance(answers[1], Refused) else ""
    assert "Entry 0" in words
    assert "data" in words
    whole(log)


def test_a_delivery_is_known_by_its_hash(log: Store) -> None:
    first = one(told("a"), told("b"), delivery=raw(b"m1", b"i1"))
    assert log.append([first]) == [[Placed(0, False), Placed(1, False)]]
    assert log.append([first, one(told("x"), delivery=raw(b"m1", b"i9"))]) == [[Placed(0, True)]] * 2
    twice = one(told("c"), delivery=raw(b"m2", None))
    assert log.append([twice, twice]) == [[Placed(2, False)], [Placed(2, True)]]
    assert (log.seen(b"m1"), log.seen(b"m2"), log.seen(b"m3")) == (0, 2, None)
    assert bodies(log) == [b"a", b"b", b"c"]
    whole(log)


def test_a_delivery_id_belongs_to_one_body(log: Store) -> None:
    add(log, told("a", id="1"), delivery=raw(b"m1", b"i1"))
    answers = log.append(
        [
            one(told("b"), delivery=raw(b"m2", b"i1")),
            # Also when all its facts are old.
            one(told("a", id="1"), delivery=raw(b"m3", b"i1")),
            one(told("c"), delivery=raw(b"m4", b"i2")),
            one(told("d"), delivery=raw(b"m5", b"i2")),
            one(told("e"), delivery=raw(b"m2", None)),
            one(told("f"), delivery=raw(b"m6", None)),
        ]
    )
    assert [code(answers[n]) for n in (0, 1, 3)] == ["conflict"] * 3
    assert [answers[n] for n in (2, 4, 5)] == [[Placed(n, False)] for n in (1, 2, 3)]
    assert log.seen(b"m3") is None


def test_a_delivery_with_old_facts_only_is_not_kept(log: Store) -> None:
    add(log, told("a", id="1"), delivery=raw(b"m1", b"i1"))
    assert add(log, told("a", id="1"), delivery=raw(b"m2", b"i2")) == [Placed(0, True)]
    assert log.seen(b"m2") is None
    # With something new, it belongs to that.
    add(log, told("a", id="1"), told("b", id="2"), delivery=raw(b"m3"))
    assert log.seen(b"m3") == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from("abc"), st.sampled_from(["1", "2", "3", None]), st.sampled_from("xy")
                ),
                max_size=3,
            ),
            max_size=4,
        ),
        max_size=4,
    ),
    st.data(),
)
def test_both_stores_answer_alike(
    tmp_path: Path, batches: list[list[list[tuple[str, str | None, str]]]], data: st.DataObject
) -> None:
    memory = MemoryLog()
    sql = SqlLog(tmp_path / f"{len(list(tmp_path.iterdir()))}.db")
    try:
        for batch in batches:
            submissions = [
                one(
                    *(told(text, id=id, about=(about,)) for text, id, about in entries),
                    unless_touched=data.draw(st.sampled_from([(), (), ("x",), ("y", "z")])),
                    since=data.draw(st.integers(-1, 3)),
                    delivery=data.draw(st.sampled_from([None, None, raw(b"m1", b"i1"), raw(b"m2", b"i1")])),
                )
                for entries in batch
            ]
            answers = [
                [
                    each if isinstance(each, list) else (each.code, each.words)
                    for each in log.append(submissions, differing)
                ]
                for log in (memory, sql)
            ]
            assert answers[0] == answers[1]
        assert bodies(memory) == bodies(sql)
        assert memory.head() == sql.head()
        assert list(memory.deliveries()) == list(sql.deliveries())
        for about in "xyz":
            assert memory.touched(about) == sql.touched(about)
        whole(sql)
    finally:
        sql.close()


# Checkpoints.


def test_publishing_is_safe_to_repeat(log: Store) -> None:
    first, second = Signed(1, b"r1", b"note 1"), Signed(5, b"r5", b"note 5")
    for signed in (second, second, first, second):
        log.publish(signed)
        assert log.checkpoint() == second
    # The same tree signed once more: the published note stays.
    log.publish(Signed(5, b"r5", b"another note"))
    assert list(log.checkpoints()) == [first, second]


def test_two_roots_of_one_size_are_untrue(log: Store) -> None:
    log.publish(Signed(5, b"r5", b"note"))
    with pytest.raises(Refused) as refusal:
        log.publish(Signed(5, b"other", b"note"))
    assert refusal.value.code == "untrue"
    assert log.checkpoint() == Signed(5, b"r5", b"note")


# Beside the log.


def test_disclosures_are_kept_by_entry_and_subject(log: Store) -> None:
    blobs = (Blob("s_a", b"1"), Blob("s_b", b"2"))
    add(log, told("a", blobs=blobs), told("b"), told("c", blobs=(Blob("s_a", b"3"),)))
    found = log.disclosures([0, 1, 2, 99])
    assert {index: sorted(some) for index, some in found.items()} == {
        0: sorted(blobs),
        2: [Blob("s_a", b"3")],
    }
    assert sorted(log.every_disclosure()) == [(0, blobs[0]), (0, blobs[1]), (2, Blob("s_a", b"3"))]
    assert list(log.every_disclosure(after=0)) == [(2, Blob("s_a", b"3"))]
    assert sorted(log.every_disclosure(before=2)) == [(0, blobs[0]), (0, blobs[1])]
    assert list(log.every_disclosure(after=0, before=2)) == []
    log.redact(0, Blob("s_a", b"less"))
    log.redact(1, Blob("s_a", b"never there"))
    assert set(log.disclosures([0, 1])[0]) == {Blob("s_a", b"less"), blobs[1]}
    assert log.erase_disclosures("s_a") == 2
    assert log.erase_disclosures("s_a") == 0
    assert list(log.every_disclosure()) == [(0, blobs[1])]
    log.scrub()
    whole(log)


def test_every_disclosure_is_there_though_entries_have_many(log: Store) -> None:
    for start in range(0, 24, 8):
        add(
            log,
            *(
                told(str(start + n), blobs=tuple(Blob(f"s_{s:03d}", b"x") for s in range(60)))
                for n in range(8)
            ),
        )
    found = list(log.every_disclosure())
    assert len(found) == len(set(found)) == 24 * 60
    assert [index for index, _ in found] == sorted(index for index, _ in found)


def test_deliveries_lose_their_bodies_and_stay_known(log: Store) -> None:
    for n in range(4):
        add(log, told(str(n)), told(f"{n}b"), delivery=raw(b"m%d" % n, b"i%d" % n, at=n * 10))
    kept = list(log.deliveries())
    assert [(delivery, index) for _, delivery, index in kept] == [
        (raw(b"m%d" % n, b"i%d" % n, at=n * 10), n * 2) for n in range(4)
    ]
    rows = [row for row, _, _ in kept]
    assert rows == sorted(set(rows))
    assert [row for row, _, _ in log.deliveries(after=rows[1])] == rows[2:]
    assert log.delivery_of(2) == raw(b"m1", b"i1", at=10)
    assert log.delivery_of(3) is None
    log.forget_deliveries([rows[1], rows[1], 999])
    log.forget_deliveries([])
    assert log.delivery_of(2) is None
    assert log.expire_deliveries(20) == 1
    assert log.expire_deliveries(20) == 0
    assert [index for _, _, index in log.deliveries()] == [4, 6]
    # Their hashes stay: a repeat stays one.
    assert [log.seen(b"m%d" % n) for n in range(4)] == [0, 2, 4, 6]
    assert add(log, told("new"), delivery=raw(b"m0")) == [Placed(0, True)]


# Registry.


def test_rows_are_put_changed_and_taken(log: Store) -> None:
    log.put("source", "b", {"name": "b", "secrets": ["é", 1, None]})
    log.put("source", "a", {"name": "a"})
    log.put("token", "a", {"name": "another table"})
    assert log.items("source") == [("a", {"name": "a"}), ("b", {"name": "b", "secrets": ["é", 1, None]})]
    assert log.items("token") == [("a", {"name": "another table"})]
    log.put("source", "a", {"name": "new"})
    assert log.row("source", "a") == {"name": "new"}
    assert log.change("source", "a", {"name": "newer"})
    assert not log.change("source", "c", {"name": "c"})
    assert log.row("source", "c") is None
    assert log.take("source", "a") == {"name": "newer"}
    assert log.take("source", "a") is None
    assert not log.change("source", "a", {"name": "back"})
    assert log.items("source") == [("b", {"name": "b", "secrets": ["é", 1, None]})]
    assert log.row("token", "a") is not None


def test_of_many_takers_one_gets_the_row(log: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(15):
            log.put("link", "one", {"n": n})
            gate = threading.Barrier(8)

            def take() -> dict[str, Any] | None:
                gate.wait(timeout=30)  # noqa: B023  # each round waits for its own threads
                return log.take("link", "one")

            taken = [each.result() for each in [pool.submit(take) for _ in range(8)]]
            assert sorted(taken, key=str) == [None] * 7 + [{"n": n}]


# Keyring.


def test_subjects_are_known_by_their_identities(keyring: Keyring) -> None:
    assert keyring.subject([b"login"]) is None
    assert keyring.subject([]) is None
    assert keyring.key("s_a") is None
    keyring.learn([("s_a", b"A" * 32, [b"login", b"mail"]), ("s_b", b"B" * 32, [])])
    keyring.learn([])
    assert keyring.subject([b"nobody", b"mail"]) == "s_a"
    assert (keyring.key("s_a"), keyring.key("s_b")) == (b"A" * 32, b"B" * 32)
    assert keyring.subjects() == ["s_a", "s_b"]


def test_the_first_known_identity_decides(keyring: Keyring) -> None:
    keyring.learn([("s_a", b"A" * 32, [b"1"]), ("s_b", b"B" * 32, [b"2"])])
    assert keyring.subject([b"2", b"1"]) == "s_b"
    assert keyring.subject([b"1", b"2"]) == "s_a"


def test_keys_and_identities_stay_with_whom_they_belong_to(keyring: Keyring) -> None:
    keyring.learn([("s_a", b"A" * 32, [b"1"])])
    keyring.learn(
        [("s_a", b"Z" * 32, [b"2", b"2"]), ("s_b", b"B" * 32, [b"1", b"3"]), ("s_b", b"Y" * 32, [])]
    )
    assert (keyring.key("s_a"), keyring.key("s_b")) == (b"A" * 32, b"B" * 32)
    assert [keyring.subject([mac]) for mac in (b"1", b"2", b"3")] == ["s_a", "s_a", "s_b"]


def test_what_is_forgotten_is_gone(keyring: Keyring) -> None:
    keyring.learn([("s_a", b"A" * 32, [b"1", b"2"]), ("s_b", b"B" * 32, [b"3"])])
    keyring.forget("s_a")
    keyring.forget("s_a")
    assert keyring.key("s_a") is None
    assert keyring.subject([b"1", b"2"]) is None
    assert keyring.subject([b"1", b"3"]) == "s_b"
    assert keyring.subjects() == ["s_b"]


def test_many_threads_use_one_keyring(keyring: Keyring) -> None:
    def learn(n: int) -> str | None:
        keyring.learn([(f"s_{n:02d}", bytes([n]) * 32, [b"same", b"%d" % n])])
        assert keyring.key(f"s_{n:02d}") == bytes([n]) * 32
        return keyring.subject([b"same"])

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(learn, range(20)))
    assert len(found) == 1
    assert len(keyring.subjects()) == 20
