"""Terms: what an entry gives, in one spelling, each one token, bounded, and nothing of what is sealed."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.facts.entry import Entry
from deploytrail.facts.subjects import subject_keys
from deploytrail.projections import terms


def entry(kind: str = "deployment.finished", actor: str | None = None, **data: Any) -> Entry:
    """An entry with its own subject keys."""
    person = {"id": actor} if actor else None
    envelope = {"data": data, **({"actor": person} if person else {})}
    return Entry(
        v=1,
        kind=kind,
        source="hub",
        received_at="2026-03-17T14:36:00Z",
        attribution="unknown",
        data=data,
        subjects=list(subject_keys(envelope)),
        actor=person,
    )


def found(one: Entry) -> set[str]:
    return set(terms.clear_terms(one).split(" ")) - {""}


def test_a_deployment_is_found_by_all_that_is_clear() -> None:
    one = entry(
        actor="s_ada",
        deployment="Run-7",
        service="Check-Out",
        environment="production eu",
        artifact="sha256:AB12",
        version="v1.2.3",
        commits=[{"sha": "ABCD", "repository": "https://github.com/Shop/Till.git"}],
        outcome="succeeded",
    )
    assert found(one) == {
        "kind:deployment.finished", "=deployment.finished", "=deployment", "=finished", "source:hub",
        "deployment:run-7", "service:check-out", "=check-out", "=check", "=out",
        "environment:production␠eu", "=production", "=eu", "artifact:sha256:ab12", "commit:abcd",
        "repository:github.com/shop/till", "repository:shop/till", "repository:till",
        "=till.git", "=till", "=git",
        "version:1.2.3", "outcome:succeeded", "=succeeded", "actor:s_ada",
    }  # fmt: skip


def test_parents_and_gits_name_for_nothing_are_no_commits() -> None:
    commit = {"sha": "a" * 40, "parents": ["b" * 40]}
    one = entry(
        "commit.pushed", repository="r", ref="main", after="0" * 40, before="c" * 40, commits=[commit]
    )
    assert {term for term in found(one) if term.startswith("commit:")} == {"commit:" + "a" * 40}


def test_paths_are_found_by_every_folder_on_the_way() -> None:
    commit = {"sha": "a" * 40, "paths": ["src/pay/Card.py", "README.md"]}
    said = found(entry("commit.pushed", repository="r", ref="main", after="a" * 40, commits=[commit]))
    assert {"path:src/", "path:src/pay/", "path:src/pay/card.py", "path:readme.md", "=card.py"} <= said


def test_a_long_push_is_found_by_every_commit_and_person() -> None:
    commits = [{"sha": f"{n:040x}", "author": {"id": f"s_{n}"}} for n in range(1, 60)]
    one = entry("commit.pushed", repository="r", ref="main", after=f"{59:040x}", commits=commits)
    assert len(one.subjects) < 59
    said = found(one)
    assert all(f"commit:{n:040x}" in said and f"actor:s_{n}" in said for n in range(1, 60))


def test_a_change_is_found_by_its_number_alone_and_in_its_repository() -> None:
    said = found(entry("change.opened", repository="github.com/Shop/Till", number=12))
    assert {"change:#12", "change:shop/till#12", "change:till#12", "change:github.com/shop/till#12"} <= said


def test_what_is_sealed_gives_nothing_clear() -> None:
    sealed = {"c": "c2VhbGVk"}
    one = entry(
        "change.opened",
        repository="r",
        number=1,
        title=sealed,
        ref=sealed,
        author={"id": "s_a", "login": sealed},
    )
    assert not any("c2vhbgvk" in term for term in found(one))


def test_fields_of_other_types_are_left_out() -> None:
    one = entry(service=["a"], environment=7, version=None, outcome={"x": 1}, commits="no", name=True)
    assert found(one) == {
        "kind:deployment.finished",
        "=deployment.finished",
        "=deployment",
        "=finished",
        "source:hub",
    }


def test_words_of_sealed_texts_and_labels() -> None:
    opened = {
        "data.title": "Fix the Till-API (again)",
        "labels": {"Team": "Blue Whale"},
        "data.url": "https://ci.example.org/secret",
        "data.ref": "refs/heads/ada/try",
        "actor.name": "Ada Lovelace",
        "actor.email": "ada@example.org",
        "free": '{"x": "private"}',
        "unknown": '{"y": "private"}',
        "data.comment": 7,
    }
    words, names = terms.opened_terms(opened)
    assert set(words.split(" ")) == {
        "fix", "the", "till-api", "till", "api", "again", "team=blue␠whale", "blue", "whale",
        "ada/try", "ada", "try",
    }  # fmt: skip
    assert names == ("Ada Lovelace", "ada@example.org")
    assert set(terms.name_words(names)) == {
        "ada␠lovelace", "ada", "lovelace", "ada@example.org",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n", []),
        ("...", []),
        ("don't", ["don't", "don", "t"]),
        ("a_b c", ["a_b", "a", "b", "c"]),
        ("ÄPFEL ﬁx", ["äpfel", "fix"]),
        ("naïve", ["naïve"]),
        ("日本語 テスト。", ["日本語", "テスト"]),
        ("x\u200by", ["x\u200by", "x", "y"]),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert sorted(terms.words(text)) == sorted(words)
    assert sorted(terms.words(unicodedata.normalize("NFD", text))) == sorted(words)


@given(st.text(max_size=6000))
def test_a_term_is_one_token_and_bounded(text: str) -> None:
    for term in (terms.token(text), terms.word(text), terms.version(text), terms.label(text, text)):
        assert not any(sign <= " " or sign == "\x7f" for sign in term)
        assert len(term) <= terms.LONGEST + len("version:")
        term.encode()
    words = terms.words(text)
    assert len(words) <= terms.MAX_WORDS
    assert all(0 < len(word) <= terms.LONGEST for word in words)
    # What one finds a word by is the word.
    assert all(terms.token(word) == word for word in words)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=300))
def test_an_entry_gives_a_bounded_number(labels: dict[str, str]) -> None:
    opened = {"labels": labels, "data.title": "w " * 9000}
    assert len(terms.opened_terms(opened)[0].split(" ")) <= 64 * (terms.MAX_WORDS + 1) + terms.MAX_WORDS


def test_a_hostile_entry_gives_a_bounded_number() -> None:
    paths = ["/".join(f"{n}{m}" for m in range(200)) for n in range(1000)]
    commits = [{"sha": f"{n:040x}", "paths": paths} for n in range(300)]
    said = terms.clear_terms(
        entry("commit.pushed", repository="r", ref="main", after="a" * 40, commits=commits)
    )
    assert len(said) < 2_000_000
    assert len(said.split(" ")) < 20_000


# Texts of the signs that decide which way they are read.
spelled = st.one_of(st.text(max_size=30), st.text(alphabet="aB1.-_ \n\x01Ä", max_size=400))


@given(spelled)
def test_words_read_at_once_are_those_read_one_by_one(text: str) -> None:
    assert sorted(terms.words(text)) == sorted(terms._words_one_by_one(text[:4_000]))


@given(st.dictionaries(spelled, spelled, max_size=70))
def test_labels_read_at_once_are_those_read_one_by_one(labels: dict[str, str]) -> None:
    said = set(terms.opened_terms({"labels": labels})[0].split(" ")) - {""}
    some = list(labels.items())[:64]
    assert said == {one for name, value in some for one in (terms.label(name, value), *terms.words(value))}


@given(st.lists(spelled, max_size=4))
def test_subject_keys_read_at_once_are_those_read_one_by_one(values: list[str]) -> None:
    one = entry()
    one.subjects.extend(f"commit:{value}" for value in (*values, "0" * 40))
    rare = {term for term in found(one) if term.startswith("commit:")}
    assert rare == {f"commit:{terms.token(value)}" for value in values if value != "0" * 40}
