"""What an address of the API takes and answers, said beside the function that answers there.

The reference (`/api/openapi.json`, `/api/docs`) is made of these descriptions and of nothing else. The query
of a described address is read by its declared type before the function runs, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
from starlette.datastructures import QueryParams

from deploytrail.errors import Refused

F = TypeVar("F", bound=Callable[..., Any])
_MARK: Final = "deploytrail_described"

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Answer(msgspec.Struct, frozen=True):
    """One answer: what it says in words, the type of its body (None: bytes or text), and its media type."""

    words: str
    type: Any = None
    media: str = JSON
    example: Any = None


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """`query` holds the parameters; `bodies` the types by media type; `refuses` codes beside the usual ones.

    `headers` gives (type, words) by name. `lenient`: the function reads its query by itself.
    """

    section: str
    answers: Mapping[int, Answer]
    query: type[msgspec.Struct] = Nothing
    bodies: Mapping[str, Any] = {}
    body_words: str = ""
    body_example: Mapping[str, Any] = {}
    headers: Mapping[str, tuple[Any, str]] = {}
    refuses: tuple[str, ...] = ()
    lenient: bool = False


def described(about: Described) -> Callable[[F], F]:
    """Describe the function that answers at an address."""

    def mark(function: F) -> F:
        setattr(function, _MARK, about)
        return function

    return mark


def description(function: Callable[..., Any]) -> Described | None:
    """What was said of a function."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Described) else None


def asked(params: QueryParams, about: Described) -> Any:
    """The query of an address as its type. Refused("bad-input") for what does not fit, is said twice or is
    not known: a filter that is misspelled must not answer with everything.
    """
    given: dict[str, str] = {}
    for name, value in params.multi_items():
        if name == "at_least":
            continue
        if name in given:
            raise Refused("bad-input", f'"{name[:50]}" may be said once only.')
        given[name] = value
    try:
        found = msgspec.convert(given, about.query, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad-input", f"The address cannot be read: {error}.") from None
    if any("\0" in value for value in given.values()):
        raise Refused("bad-input", "The address cannot be read: it has a sign that no text may have.")
    return found


# What parameters are made of.

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Time = Annotated[
    str,
    msgspec.Meta(
        max_length=40,
        description="An RFC 3339 time with its offset, such as 2026-03-17T14:32:08Z.",
        extra_json_schema={"format": "date-time"},
    ),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200, description="At most so many.")]
Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=2000,
        description="Where the page before ended: its `next`, as it was given.",
        extra_json_schema={"format": "cursor"},
    ),
]

Below = Annotated[
    int, msgspec.Meta(ge=0, le=10**15 - 1, description="Go on below this entry: an answer's `older`.")
]

# Parameters that stand in paths, by name.
PATHS: Final[dict[str, Any]] = {
    "index": Annotated[int, msgspec.Meta(ge=0, le=10**15 - 1, description="An entry, counted from 0.")],
    "key": Annotated[str, msgspec.Meta(description="The deployment's key, as lists give it.")],
    "name": Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="A name or an alias.")],
    "service": Annotated[str, msgspec.Meta(min_length=1, description="A service, by a name of it.")],
    "environment": Annotated[str, msgspec.Meta(min_length=1, description="An environment, by a name of it.")],
    "repository": Annotated[str, msgspec.Meta(min_length=1, description="A repository; / may stand as %2F.")],
    "number": Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1, description="The number of the change.")],
    "digest": Annotated[str, msgspec.Meta(min_length=1, description="A digest, such as sha256:9d1f….")],
    "subject": Annotated[str, msgspec.Meta(min_length=1, description="A subject id, such as s_q2hk4w7….")],
}
