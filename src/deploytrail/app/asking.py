"""The language of the search box: words with spaces between them, all of which must match.

A word may say where to look (`service:checkout`, `person:ada`, `path:src/`); without that it may be anything:
the start of a sha or a digest, `#12`, a version, a name, a path, a label as NAME=VALUE, a word of a title.
Quotes hold a value with spaces together. Pure: what the index holds is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from deploytrail.projections import terms

# More words are left out, and said to be.
MAX_WORDS: Final = 8
# The first signs of a word stand for all that begin so, from this many on.
SHORTEST: Final = 3
SHORTEST_SHA: Final = 4

_PIECES: Final = re.compile(r'(?:"[^"]*"|\S)+')
_HEX: Final = re.compile(r"[0-9a-f]{4,128}")
_DIGEST: Final = re.compile(r"[a-z0-9+._-]+:[0-9a-f]{4,}")
_CHANGE: Final = re.compile(r"(?P<repository>[^#]*)#(?P<number>[0-9]{1,15})")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a question: an entry matches if it has any of these.

    `terms` and `words` are exact, `begins` and `words_begin` the first signs of some; `people` the first
    signs of a word of somebody's name. `service` and `environment` are names that may have other spellings.
    """

    text: str
    terms: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    words_begin: tuple[str, ...] = ()
    people: str | None = None
    service: str | None = None
    environment: str | None = None


def asked(question: str) -> tuple[list[Asked], list[str]]:
    """The words of a question, and those that were too many."""
    pieces = list(dict.fromkeys(_PIECES.findall(question.replace("\0", " "))))
    wanted = [piece for piece in pieces if piece.strip('"')]
    return [_asked(piece) for piece in wanted[:MAX_WORDS]], wanted[MAX_WORDS:]


def _asked(piece: str) -> Asked:
    name, colon, value = piece.partition(":")
    said = _SORTS.get(name.lower()) if colon else None
    bare = value.replace('"', "").strip()
    if said is not None and bare:
        return said(piece, bare)
    return _anything(piece, piece.replace('"', "").strip())


def _anything(piece: str, value: str) -> Asked:
    one = terms.token(value)
    exact = [
        terms.word(terms.bare(value) or one),
        terms.version(value),
        f"deployment:{one}",
        f"incident:{one}",
    ]
    begins = []
    if found := _CHANGE.fullmatch(one):
        exact.append(terms.change(found["number"], found["repository"]))
    if _HEX.fullmatch(one):
        begins += [f"commit:{one}", f"artifact:sha256:{one}"]
    if _DIGEST.fullmatch(one):
        begins.append(f"artifact:{one}")
    if "/" in one:
        exact += [f"repository:{name}" for name in terms.spellings(one)[:2]] + [f"ref:{one}"]
        begins.append(f"path:{one}")
    if one.startswith("s_"):
        exact.append(f"actor:{one}")
    # As words of texts are kept.
    word = terms.bare(value) or one
    long = len(word) >= SHORTEST
    if long:
        begins += [terms.word(word), terms.version(value), f"deployment:{one}"]
    name, colon, rest = value.partition(":")
    label = [terms.label(name, rest)] if colon and name and rest else []
    return Asked(
        text=piece,
        terms=tuple(dict.fromkeys(exact)),
        begins=tuple(dict.fromkeys(begins)),
        words=tuple(dict.fromkeys([word, *label])),
        words_begin=(word,) if long else (),
        people=word if long else None,
        service=value,
        environment=value,
    )


def _field(sort: str, shortest: int = SHORTEST) -> Callable[[str, str], Asked]:
    """A value in its field, or its first signs."""

    def made(piece: str, value: str) -> Asked:
        term = terms.version(value) if sort == "version" else f"{sort}:{terms.token(value)}"
        return Asked(text=piece, terms=(term,), begins=(term,) if len(value) >= shortest else ())

    return made


def _service(piece: str, value: str) -> Asked:
    return msgspec.structs.replace(_field("service")(piece, value), service=value)


def _environment(piece: str, value: str) -> Asked:
    return msgspec.structs.replace(_field("environment")(piece, value), environment=value)


def _person(piece: str, value: str) -> Asked:
    one = terms.token(value)
    return Asked(text=piece, terms=(f"actor:{one}",), people=one)


def _change(piece: str, value: str) -> Asked:
    found = _CHANGE.fullmatch(terms.token(value))
    number, repository = (found["number"], found["repository"]) if found else (terms.token(value), "")
    return Asked(text=piece, terms=(terms.change(number, repository),))


def _artifact(piece: str, value: str) -> Asked:
    one = terms.token(value)
    return _field("artifact", SHORTEST_SHA)(piece, one if ":" in one else f"sha256:{one}")


def _repository(piece: str, value: str) -> Asked:
    return Asked(
        text=piece, terms=tuple(f"repository:{terms.token(one)}" for one in terms.spellings(value)[:2])
    )


def _ref(piece: str, value: str) -> Asked:
    one = terms.token(value.removeprefix("refs/heads/"))
    return Asked(text=piece, terms=(f"ref:{one}",), words=(one,))


def _label(piece: str, value: str) -> Asked:
    name, _, said = value.partition("=") if "=" in value else value.partition(":")
    return Asked(text=piece, words=(terms.label(name, said),) if said else (terms.token(value),))


def _title(piece: str, value: str) -> Asked:
    one = terms.token(value)
    return Asked(text=piece, words=(one,), words_begin=(one,) if len(one) >= SHORTEST else ())


_SORTS: Final[dict[str, Callable[[str, str], Asked]]] = {
    **dict.fromkeys(("service", "svc"), _service),
    **dict.fromkeys(("environment", "env"), _environment),
    **dict.fromkeys(("person", "actor", "by"), _person),
    **dict.fromkeys(("commit", "sha"), _field("commit", SHORTEST_SHA)),
    **dict.fromkeys(("artifact", "digest"), _artifact),
    **dict.fromkeys(("repository", "repo"), _repository),
    **dict.fromkeys(("ref", "branch"), _ref),
    **dict.fromkeys(("title", "word"), _title),
    **{sort: _field(sort) for sort in ("version", "path", "kind", "source", "deployment", "outcome")},
    **{sort: _field(sort) for sort in ("type", "name", "incident")},
    "change": _change,
    "label": _label,
}
# What may stand before the colon, for those who ask what can be asked.
SORTS: Final = tuple(_SORTS)
