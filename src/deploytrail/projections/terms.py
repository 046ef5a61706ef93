"""What an entry can be found by: terms of what is clear in it, words of what its disclosures open.

A term is one short text without spaces and control signs, so that every index takes it whole: `SORT:VALUE`
for a value in its field ("service:checkout"), `=WORD` for a word anywhere. An entry's terms are given as one
text with spaces between them; one that stands there twice counts once. Who looks for something makes terms
by the same functions.

Bulk import waits for this, so what comes again and again is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from unicodedata import normalize

from deploytrail.facts.entry import Entry
from deploytrail.facts.subjects import MAX_SUBJECTS
from deploytrail.projections import reading
from deploytrail.projections.reading import items, persons, tail, text, texts

# Another number means that the index is made anew.
VERSION: Final = 1
# Signs of a term's value; what is longer is cut, there and in what is asked.
LONGEST: Final = 100
# Words of one text, and signs of it that are looked at.
MAX_WORDS: Final = 64
_MAX_TEXT: Final = 4_000
_MAX_LABELS: Final = 64
_MAX_PATHS: Final = 500
_MAX_DEPTH: Final = 12
# Pieces of one entry, each a few terms.
_MAX_PIECES: Final = 2_000
_REMEMBERED: Final = 20_000

# Spaces and control signs as their pictures (U+2400 to U+2421).
_PICTURES: Final = {code: 0x2400 + code for code in range(0x21)} | {0x7F: 0x2421}
_UNCLEAN: Final = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
_PARTS: Final = re.compile(r"[^\W_]+")
# For ASCII, some times faster: small letters and digits stay, and spaces stand for all else; what is no
# control sign.
_ASCII_PARTS: Final = bytes(ord(chr(n).lower()) if n < 128 and chr(n).isalnum() else 32 for n in range(256))
_SIGNS: Final = bytes(range(0x20, 0x7F))
_EDGES: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»“”„‘’‚‹›…–—。、，"
_NO_COMMIT: Final = "0" * 40

# Sorts of subject keys whose value is a name, with words to find it by.
_NAMED: Final = ("service", "environment", "incident")
# Subject keys whose values rarely come again begin so.
_RARE: Final = frozenset(("commit:", "artifac", "deploym"))
# The fields of a commit, or of what runs, that are subject keys.
_CUT: Final = (
    ("sha", "commit"),
    ("digest", "artifact"),
    ("artifact", "artifact"),
    ("service", "service"),
    ("repository", "repository"),
)
# Clear fields that have words; those with a sort are looked for by a name of their own, too.
_FIELDS: Final = {
    "name": "name",
    "outcome": "outcome",
    "verdict": "outcome",
    "type": "type",
    "ref": "ref",
    "base": "ref",
    "control": "name",
    "version": "version",
    "tag": "version",
    "original_environment": "environment",
    **dict.fromkeys(("app", "image", "setting", "cause", "reason", "event", "organization", "owner"), ""),
}
# The last parts of paths of sealed texts that have words; names of persons, addresses and free data have not.
_TEXTS: Final = frozenset({"title", "description", "summary", "comment", "ref", "base"})
_NAMES: Final = frozenset({"login", "name", "email"})


def clear_terms(entry: Entry) -> str:
    """The terms of what is clear in an entry. Persons only by subject id."""
    data = entry.data
    found = [_told(entry.kind, entry.source), *_subjects(entry.subjects)]
    if len(entry.subjects) >= MAX_SUBJECTS:
        found += _cut(entry)
    for field, value in data.items():
        sort = _FIELDS.get(field)
        if sort is not None and value and isinstance(value, str):
            found.append(_field(sort, value))
    if "commits" in data:
        told = [commit for commit in items(data, "commits") if "paths" in commit]
        paths = [path for commit in told for path in texts(commit, "paths")]
        found += [_path(path) for path in paths[:_MAX_PATHS]]
    return " ".join(found[:_MAX_PIECES])


def opened_terms(opened: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The words of what one disclosure opens, path to value, and what its person is called in it.

    Words are of titles, texts, refs and labels; a label is there as NAME=VALUE too.
    """
    said: list[str] = []
    known: list[str] = []
    for path, value in opened.items():
        if path == "labels":
            if isinstance(value, dict):
                said += _labels(value)
        elif (last := _last(path)) and isinstance(value, str):
            if last in _NAMES:
                known.append(value)
            else:
                said += words(value.removeprefix("refs/heads/"))
    return " ".join(said), tuple(known)


def name_words(names: Iterable[str]) -> list[str]:
    """The words that somebody called so is found by: whole names and addresses, and their parts."""
    found: dict[str, None] = {}
    for name in names:
        found[token(name)] = None
        # Of an address what stands before the @: the rest is an organisation's, and many have it.
        found.update(dict.fromkeys(words(name.partition("@")[0])))
    return list(found)


def token(value: str) -> str:
    """A value in the one spelling of terms: compatible forms made one, lower case, no spaces, cut."""
    value = value[:LONGEST]
    if value.isascii():
        value = value.lower()
        if value.isprintable() and " " not in value:
            return value
    else:
        value = normalize("NFKC", value).casefold()[:LONGEST]
    if _UNCLEAN.search(value):
        value = value.encode("utf-8", "replace").decode().translate(_PICTURES)
    return value


def bare(value: str) -> str:
    """A value as `token`, without the signs of punctuation at its ends."""
    return token(value.strip(_EDGES))


def words(value: str) -> list[str]:
    """The words of a text: what stands between its spaces, and the parts of that of letters and digits."""
    if len(value) <= LONGEST and value.isascii() and value.isalnum():
        return [value.lower()]
    return _words(value[:_MAX_TEXT])


def word(value: str) -> str:
    """The term of a word anywhere in what is clear."""
    return f"={token(value)}"


def label(name: str, value: str) -> str:
    """The word of a sealed label with its value."""
    return token(f"{name}={value}")


def change(number: str, repository: str = "") -> str:
    """The term of a change, in any repository or in one."""
    return f"change:{token(repository)}#{number}"


def version(value: str) -> str:
    """The term of a version; "v1.2.3" is "1.2.3"."""
    bare = value[1:] if value[:1] in ("v", "V") and value[1:2].isdigit() else value
    return f"version:{token(bare)}"


def spellings(repository: str) -> list[str]:
    """A repository as it was told, without its host, and by its last part."""
    told = reading.repository(repository) or repository
    return list(dict.fromkeys((told, tail(told), told.rpartition("/")[2] or told)))


def _words(value: str) -> list[str]:
    if value.isascii() and _shown(value):
        few = dict.fromkeys(_parts(value).split())
        few.update(dict.fromkeys([chunk.strip(_EDGES) for chunk in value.lower().split()]))
        few.pop("", None)
        # What has to be cut is looked at one by one.
        if len(few) <= MAX_WORDS and max(map(len, few), default=0) <= LONGEST:
            return list(few)
    return _words_one_by_one(value)


def _words_one_by_one(value: str) -> list[str]:
    plain = value.isascii()
    folded = (value if plain else normalize("NFKC", value)).casefold()
    found: dict[str, None] = {}
    for chunk in folded.split():
        parts = _parts(chunk).split() if plain else _PARTS.findall(chunk)
        if len(parts) != 1 and (whole := bare(chunk)):
            found[whole] = None
        for part in parts:
            found[part[:LONGEST] if plain else token(part)] = None
        if len(found) >= MAX_WORDS:
            break
    return list(found)[:MAX_WORDS]


def _labels(labels: Mapping[str, Any]) -> list[str]:
    """The words of labels, value by name; all at once where nothing has to be cut or respelled."""
    if len(labels) > _MAX_LABELS:
        labels = dict(list(labels.items())[:_MAX_LABELS])
    told = _tokens([f"{name}={value}" for name, value in labels.items()])
    if told is None:
        found = []
        for name, value in labels.items():
            found += [label(name, str(value)), *words(str(value))]
        return found
    found, odd = [told], []
    for value in " ".join(map(str, labels.values())).lower().split(" "):
        # Of letters and digits alone, it is its only word.
        if value.isalnum():
            found.append(value)
        else:
            found.append(value.strip(_EDGES))
            odd.append(value)
    return [*found, _parts(" ".join(odd))]


def _tokens(values: Sequence[str]) -> str | None:
    """All the values as tokens with spaces between them; None if one has to be cut or respelled."""
    told = " ".join(values)
    if told.isascii() and _shown(told) and told.count(" ") == len(values) - 1:
        return told.lower() if max(map(len, values)) <= LONGEST else None
    return None


def _shown(value: str) -> bool:
    """Whether ASCII text has no control signs."""
    return not value.encode().translate(None, _SIGNS)


def _parts(value: str) -> str:
    """ASCII text in small letters, with spaces for all but letters and digits."""
    return value.encode().translate(_ASCII_PARTS).decode()


@lru_cache(_REMEMBERED)
def _last(path: str) -> str:
    """The last part of the path of a sealed text with words or a name; empty for any other."""
    last = path.rpartition(".")[2]
    return last if last in _TEXTS or last in _NAMES else ""


@lru_cache(_REMEMBERED)
def _worded(value: str) -> str:
    return " ".join(f"={one}" for one in words(value))


@lru_cache(_REMEMBERED)
def _told(kind: str, source: str) -> str:
    return f"kind:{token(kind)} {_worded(kind)} source:{token(source)}"


@lru_cache(_REMEMBERED)
def _field(sort: str, value: str) -> str:
    """The terms of a clear field; without a sort its words alone."""
    if sort == "version":
        return version(value)
    bare = value.removeprefix("refs/heads/") if sort == "ref" else value
    return f"{sort}:{token(bare)} {_worded(bare)}" if sort else _worded(bare)


def _subjects(keys: Sequence[str]) -> list[str]:
    """The terms of subject keys. Those that rarely come again are not remembered."""
    rare: list[str] = []
    found: list[str] = []
    for key in keys:
        (rare if key[:7] in _RARE else found).append(key)
    found = list(map(_subject, found))
    told = _tokens(rare) if rare else ""
    if told is None or _NO_COMMIT in told:
        return found + [_rare(key) for key in rare]
    found.append(told)
    return found


def _rare(key: str) -> str:
    sort, _, value = key.partition(":")
    return f"{sort}:{token(value)}" if value != _NO_COMMIT else ""


@lru_cache(_REMEMBERED)
def _subject(key: str) -> str:
    sort, _, value = key.partition(":")
    if sort == "repository":
        names = [f"repository:{token(name)}" for name in spellings(value)]
        return " ".join([*names, _worded(value.rpartition("/")[2])])
    if sort == "change":
        repository, _, number = value.rpartition("#")
        return " ".join([change(number), *(change(number, name) for name in spellings(repository))])
    if sort in _NAMED:
        return f"{sort}:{token(value)} {_worded(value)}"
    return f"{sort}:{token(value)}" if sort in ("actor", "pipeline") else ""


@lru_cache(_REMEMBERED)
def _path(path: str) -> str:
    """A path as a whole, each folder on the way, and the words of its last part."""
    *folders, last = path.split("/")[:_MAX_DEPTH]
    above = ["/".join(folders[: depth + 1]) + "/" for depth in range(len(folders))]
    return " ".join([f"path:{token(one)}" for one in (path, *above)] + [_worded(last)])


def _cut(entry: Entry) -> list[str]:
    """What found no place among the subject keys of a long entry."""
    keys = []
    for one in (*items(entry.data, "commits"), *items(entry.data, "running")):
        for field, sort in _CUT:
            if (value := text(one, field)) is not None:
                keys.append(f"{sort}:{value}")
    number, repository = reading.whole(entry.data, "number"), text(entry.data, "repository")
    if number is not None and repository is not None and "run" not in entry.data:
        keys.append(f"change:{repository}#{number}")
    keys += [f"actor:{subject}" for subject, _ in persons([entry.actor, entry.data])]
    return _subjects(keys)
