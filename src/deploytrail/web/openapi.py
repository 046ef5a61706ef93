"""The reference of the API, made of the routes and of what their functions say of themselves.

GET /api/openapi.json is OpenAPI 3.1, for programs; GET /api/docs is the same for people, as a page without
script, with an anchor for each address, type and refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.access import ACTIONS
from deploytrail.errors import CODES, Meaning
from deploytrail.facts.draft import Person
from deploytrail.facts.kinds import KINDS
from deploytrail.web import problems
from deploytrail.web.described import JSON, NDJSON, PATHS, Answer, Described, Nothing, described, description
from deploytrail.web.guard import Door
from deploytrail.web.problems import MEDIA, ONLY_HTTP, Problem
from deploytrail.web.render import page

Schema = dict[str, Any]

REFERENCE: Final = "Reference"
# In this order on the page.
_SECTIONS: Final = {
    "Tell": "Facts in. What was told under an id is not told twice.",
    "Ask": "What the house knows, in pages. Sealed texts are opened for those who may see them.",
    "Prove": "Entries as they were recorded, and their proofs.",
    "Declare": "Services and environments, and the names that sources give them.",
    "Follow": "What happens, as it happens.",
    "Look after": "How the house itself is doing.",
    REFERENCE: "This reference itself.",
}
_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_INDEX: Final = (
    "How much this answer knows: everything up to and including the entry of this index. In an answer to "
    "facts that were told, the newest of their entries."
)
_AT_LEAST: Final = (
    "Wait until answers know this entry, for up to ten seconds; so one reads what one has written. An index "
    "that the log does not have yet is refused at once."
)
_INTRODUCTION: Final = (
    "Times are RFC 3339 in UTC; numbers are integers, and what ends in `_ms` is milliseconds. Fields without "
    "a value are left out; more fields may come, and none changes its meaning. A list that goes on has a "
    "`next`: give it back as `cursor`. A parameter that is not known is refused, never ignored. Who asks "
    "shows `Authorization: Bearer TOKEN`, from `deploytrail admin token create`, or comes with the cookie of "
    "a person who signed in. What is refused is said as problem details (RFC 9457), whose `type` leads to "
    "its code here."
)


@described(
    Described(section=REFERENCE, answers={200: Answer("The document.", dict[str, Any])}),
)
def reference(request: Request) -> Response:
    """GET /api/openapi.json: this API as OpenAPI 3.1."""
    return Response(msgspec.json.encode(_document(request)), media_type="application/json")


@described(
    Described(section=REFERENCE, answers={200: Answer("The page.", media="text/html")}),
)
def docs(request: Request) -> Response:
    """GET /api/docs: this API as a page, with what each refusal means."""
    whole = _document(request)
    return page(
        request,
        "reference.html",
        here=None,
        introduction=_words(_INTRODUCTION),
        sections=[
            (name, _words(words), [each for each in _operations(whole) if each["section"] == name])
            for name, words in _SECTIONS.items()
        ],
        refusals=[
            (code, meaning, _words(meaning.when), _words(meaning.then)) for code, meaning in every_code()
        ],
        types=sorted(_types(whole).items()),
        index=_words(_INDEX),
        public_url=request.app.state.web.settings.public_url.rstrip("/"),
    )


def every_code() -> list[tuple[str, Meaning]]:
    """Every code that a problem may have."""
    return [*CODES.items(), *ONLY_HTTP.items()]


def _document(request: Request) -> Schema:
    web = request.app.state.web
    if web.reference is None:
        web.reference = document(
            [door for door in request.app.routes if isinstance(door, Door)], web.settings.public_url
        )
    found: Schema = web.reference
    return found


def document(doors: Iterable[Door], public_url: str) -> Schema:
    """The OpenAPI document of every door that is described."""
    told = [(door, about) for door in doors if (about := description(door.answers)) is not None]
    types = list(dict.fromkeys(_types_of([about for _, about in told])))
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    known = {type_: _true(schema) for type_, schema in zip([*types, Problem], schemas, strict=True)}
    paths: Schema = {}
    for door, about in told:
        for way in sorted(set(door.methods or ()) - {"HEAD"}):
            path = _PARAMETER.sub(r"{\1}", door.path)
            paths.setdefault(path, {})[way.lower()] = _operation(door, about, known)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Deploytrail",
            "version": version("deploytrail"),
            "summary": "Who deployed what, when, where, after which reviews and checks.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url.rstrip("/") or "/"}],
        "tags": [{"name": name, "description": words} for name, words in _SECTIONS.items()],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {**{name: _true(schema) for name, schema in components.items()}, **_facts()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of this house."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-deploytrail" if public_url.startswith("https") else "deploytrail",
                    "description": "A person's session. What changes something must come from our own pages.",
                },
            },
            "responses": {code: _refusal(code, meaning) for code, meaning in every_code()},
            "headers": {
                "Deploytrail-Index": {"description": _INDEX, "schema": {"type": "integer", "minimum": -1}}
            },
        },
    }


def _types_of(told: Iterable[Described]) -> Iterable[Any]:
    for about in told:
        yield from (each.type for each in about.answers.values() if each.type is not None)
        yield from about.bodies.values()


def _operation(door: Door, about: Described, known: dict[Any, Schema]) -> Schema:
    answers = {
        str(http): _answer(each, known.get(each.type) if each.type is not None else None)
        for http, each in about.answers.items()
    }
    refused: dict[str, list[str]] = {}
    for code in _refuses(door, about):
        meaning = CODES.get(code) or ONLY_HTTP[code]
        refused.setdefault(str(meaning.http), []).append(code)
    for status, codes in refused.items():
        answers[status] = (
            {"$ref": f"#/components/responses/{codes[0]}"} if len(codes) == 1 else _refusals(codes)
        )
    words = " ".join((door.answers.__doc__ or "").split()).partition(": ")[2]
    operation: Schema = {
        "operationId": door.answers.__name__,
        "tags": [about.section],
        "summary": words[:1].upper() + words[1:],
        "parameters": _parameters(door, about),
        "responses": answers,
        "x-action": door.action,
    }
    if "anyone" in ACTIONS[door.action]:
        operation["security"] = []
    if about.bodies:
        operation["requestBody"] = {
            "required": True,
            "description": about.body_words or "One JSON object.",
            "content": {
                media: {
                    "schema": known[type_],
                    **({"example": about.body_example[media]} if media in about.body_example else {}),
                }
                for media, type_ in about.bodies.items()
            },
        }
    return operation


def _refuses(door: Door, about: Described) -> list[str]:
    """The codes that may be met at a door, each once."""
    found = ["bad-input"]
    if "anyone" not in ACTIONS[door.action]:
        found += ["unauthenticated", "forbidden"]
    if "GET" in (door.methods or ()):
        # Of an entry that the log does not have, in ?at_least.
        found.append("not-found")
    found += [*about.refuses, "busy", "untrue", "broken", "unavailable"]
    return list(dict.fromkeys(found))


def _refusal(code: str, meaning: Meaning) -> Schema:
    words = f"{meaning.title}: {meaning.when}. What to do: {meaning.then}."
    return {"description": words, "headers": _headers(), "content": {MEDIA: _problem(code, meaning)}}


def _refusals(codes: list[str]) -> Schema:
    meanings = dict(every_code())
    words = " Or: ".join(f"{meanings[code].title}: {meanings[code].when}." for code in codes)
    return {
        "description": words,
        "headers": _headers(),
        "content": {MEDIA: _problem(codes[0], meanings[codes[0]])},
    }


def _problem(code: str, meaning: Meaning) -> Schema:
    example = {
        "type": problems.TYPE + code,
        "title": meaning.title,
        "status": meaning.http,
        "code": code,
        "detail": "A sentence that says what was not done, why, and what to do.",
    }
    return {"schema": {"$ref": _REF.format(name="Problem")}, "example": example}


def _headers() -> Schema:
    return {"Deploytrail-Index": {"$ref": "#/components/headers/Deploytrail-Index"}}


def _answer(answer: Answer, schema: Schema | None) -> Schema:
    content = {"schema": {"type": "string"} if schema is None else schema}
    if answer.example is not None:
        content["example"] = answer.example
    return {"description": answer.words, "headers": _headers(), "content": {answer.media: content}}


def _parameters(door: Door, about: Described) -> list[Schema]:
    found = [
        _parameter(name, "path", _true(msgspec.json.schema(PATHS[name])), required=True)
        for name in _PARAMETER.findall(door.path)
    ]
    if about.query is not Nothing:
        (_,), components = msgspec.json.schema_components([about.query], ref_template=_REF)
        whole = components[about.query.__name__]
        for name, schema in whole["properties"].items():
            found.append(_parameter(name, "query", _true(schema), required=name in whole["required"]))
    if "GET" in (door.methods or ()):
        least = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
        found.append(_parameter("at_least", "query", {**least, "description": _AT_LEAST}, required=False))
    for name, (type_, words) in about.headers.items():
        schema = {**msgspec.json.schema(type_), "description": words}
        found.append(_parameter(name, "header", schema, required=False))
    return found


def _parameter(name: str, where: str, schema: Schema, *, required: bool) -> Schema:
    """A parameter; one that is left out is not null, it is not there."""
    schema = dict(schema)
    if "anyOf" in schema:
        arms = [arm for arm in schema.pop("anyOf") if arm != {"type": "null"}]
        schema |= arms[0] if len(arms) == 1 else {"anyOf": arms}
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
        schema.setdefault("type", "string")
    if schema.get("default", 0) is None:
        del schema["default"]
    words = schema.pop("description", None)
    found = {"name": name, "in": where, "required": required, "schema": schema}
    return {**found, "description": words} if words else found


def _true(schema: Any) -> Any:
    """A schema as the wire has it: moments are written as texts."""
    if isinstance(schema, dict):
        found = {name: _true(value) for name, value in schema.items()}
        if found.get("format") == "date-time":
            found["type"] = "string"
        return found
    return [_true(item) for item in schema] if isinstance(schema, list) else schema


# Facts: one schema for each kind that may be told.


def _facts() -> Schema:
    kinds = {name: kind.body for name, kind in KINDS.items() if kind.outside}
    schemas, components = msgspec.json.schema_components(
        [*dict.fromkeys(kinds.values()), Person], ref_template=_REF
    )
    del schemas
    components["Person"]["properties"].pop("id", None)
    names = {body: body.__name__ for body in kinds.values()}
    found: Schema = {}
    for kind, body in kinds.items():
        whole = components[names[body]]
        found[f"fact.{kind}"] = {
            "title": kind,
            "description": whole.get("description", ""),
            "type": "object",
            "properties": {"kind": {"const": kind}, **_shared(), **whole["properties"]},
            "required": ["kind", *whole["required"]],
        }
    of_kinds = set(names.values())
    found |= {name: schema for name, schema in components.items() if name not in of_kinds}
    found["fact.x"] = {
        "title": "x-NAME",
        "description": "A kind of your own.",
        "type": "object",
        "properties": {
            "kind": {"type": "string", "pattern": "^x-[a-z0-9][a-z0-9.-]{0,60}$"},
            **_shared(),
        },
        "required": ["kind"],
    }
    found["Fact"] = {
        "description": "One fact in its direct form; the kind decides over its fields.",
        "oneOf": [{"$ref": _REF.format(name=f"fact.{kind}")} for kind in [*kinds, "x"]],
    }
    return found


def _shared() -> Schema:
    """The fields that every kind takes."""
    return {
        "id": {
            "type": "string",
            "pattern": "^[\\x21-\\x7e]{1,200}$",
            "description": "Makes a repeat harmless.",
        },
        "occurred_at": {"type": "string", "format": "date-time", "description": "A claim of the teller."},
        "actor": {"$ref": _REF.format(name="Person")},
        "labels": {
            "type": "object",
            "maxProperties": 100,
            "propertyNames": {"pattern": "^[\\x20-\\x7e]{1,100}$"},
            "additionalProperties": {"type": "string"},
        },
        "data": {"description": "Anything; sealed."},
    }


# The same for people.


def _words(text: str) -> Markup:
    """Words with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _operations(whole: Schema) -> list[Schema]:
    found = []
    for path, ways in whole["paths"].items():
        for way, operation in ways.items():
            answers = operation["responses"]
            found.append(
                {
                    "id": operation["operationId"],
                    "section": operation["tags"][0],
                    "way": way.upper(),
                    "path": path,
                    "words": _words(operation["summary"]),
                    "action": operation["x-action"],
                    "parameters": [
                        (each["name"], each["in"], _sort(each["schema"]), each["required"],
                         _words(each.get("description", "")))
                        for each in operation["parameters"]
                    ],
                    "body": [
                        (media, _sort(content["schema"]), _pretty(content.get("example"), media))
                        for media, content in operation.get("requestBody", {}).get("content", {}).items()
                    ],
                    "body_words": _words(operation.get("requestBody", {}).get("description", "")),
                    "answers": [
                        (status, _words(each["description"]), media, _sort(content["schema"]))
                        for status, each in answers.items()
                        if "content" in each and MEDIA not in each["content"]
                        for media, content in each["content"].items()
                    ],
                    "refuses": [
                        (status, code)
                        for status, each in answers.items()
                        for code in _codes(each)
                    ],
                }
            )  # fmt: skip
    return found


def _codes(answer: Schema) -> list[str]:
    if "$ref" in answer:
        return [answer["$ref"].rpartition("/")[2]]
    status = answer["content"].get(MEDIA, {}).get("example", {}).get("status")
    return [code for code, meaning in every_code() if meaning.http == status]


def _types(whole: Schema) -> dict[str, Any]:
    """Each type: its words, and its fields as (name, sort, required, words)."""
    found = {}
    for name, schema in whole["components"]["schemas"].items():
        fields = [
            (field, _sort(inner), field in schema.get("required", ()), _words(inner.get("description", "")))
            for field, inner in schema.get("properties", {}).items()
        ]
        arms = Markup(", ").join(_sort(arm) for arm in schema.get("oneOf", ()))
        found[name] = (_words(schema.get("description", "")), fields, arms)
    return found


def _sort(schema: Schema) -> Markup:
    """What a value may be, in few words, with links to types."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#type-{}">{}</a>').format(name, name)
    if "anyOf" in schema:
        return Markup(" or ").join(_sort(arm) for arm in schema["anyOf"] if arm != {"type": "null"})
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if "enum" in schema:
        return Markup(", ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return Markup("list of {}").format(Markup(", ").join(map(_sort, schema["prefixItems"])))
        return Markup("list of {}").format(_sort(schema.get("items", {})))
    return escape(_plain_sort(schema))


_SORTS: Final[dict[str, Callable[[Schema], str]]] = {
    "string": lambda schema: "time" if schema.get("format") == "date-time" else "text" + _bounds(schema),
    "integer": lambda schema: "integer" + _bounds(schema),
    "boolean": lambda schema: "true or false",
    "object": lambda schema: "object",
}


def _plain_sort(schema: Schema) -> str:
    known = _SORTS.get(schema.get("type", ""))
    return known(schema) if known else "anything"


def _bounds(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    unit = " signs" if schema["type"] == "string" else ""
    if low is not None and high is not None:
        return f", {low:,} to {high:,}{unit}"
    return f", at most {high:,}{unit}" if high is not None else f", at least {low:,}{unit}" if low else ""


def _pretty(example: Any, media: str) -> str | None:
    if example is None:
        return None
    if media == NDJSON:
        return str(example)
    text = msgspec.json.encode(example)
    return msgspec.json.format(text, indent=2).decode() if media in (JSON, MEDIA) else str(example)
