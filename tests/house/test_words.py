"""No public name has a banned word. The words and the exceptions are the glossary's own tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.documents import ROOT, SOURCE, plain, table

GLOSSARY = ROOT / "GLOSSARY.md"


def banned() -> dict[str, str]:
    """Each banned word, and what to say instead."""
    rows = table(GLOSSARY, "banned", "say")
    return {word.strip(): row["say"] for row in rows for word in row["banned"].split(",")}


def exceptions() -> set[tuple[str, str]]:
    """The names that may have one, with their module."""
    rows = table(GLOSSARY, "name", "where", "reason")
    assert all(row["reason"] for row in rows)
    return {(plain(row["where"]), plain(row["name"])) for row in rows}


def words(name: str) -> list[str]:
    """The words of a name, in lower case: handleExit, handle_exit and HandleExit have the same two."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def public_names() -> Iterator[tuple[str, str]]:
    """Every public name with its module: modules, classes, fields, functions and their parameters."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        yield module, parts[-1]
        yield from ((module, name) for name in _names(ast.parse(path.read_text("utf-8"))))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_") and not node.name.startswith("__"):
                continue
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            )
            yield from _names(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            every = node.args
            yield from (a.arg for a in [*every.posonlyargs, *every.args, *every.kwonlyargs])


def test_no_public_name_has_a_banned_word() -> None:
    say, allowed = banned(), exceptions()
    assert len(say) > 20
    wrong = [
        f"{module}: {name} (say: {say[word]})"
        for module, name in public_names()
        for word in words(name)
        if word in say and (module, name) not in allowed
    ]
    assert wrong == []


def test_every_exception_is_needed() -> None:
    say = banned()
    needed = {(module, name) for module, name in public_names() if any(w in say for w in words(name))}
    assert exceptions() - needed == set()


def test_words_of_names() -> None:
    assert words("handleExit") == words("HandleExit") == words("handle_exit") == ["handle", "exit"]
    assert words("SSEEvent") == ["sse", "event"]
    assert words("write_base64") == ["write", "base64"]


def test_each_term_stands_once() -> None:
    rows = table(GLOSSARY, "term", "exact definition", "not", "since")
    terms = [term.strip() for row in rows for term in row["term"].split(",")]
    assert len(terms) == len(set(terms))
    assert all(row["exact definition"] for row in rows)
    assert {row["since"].split(";")[0] for row in rows} == {"0.1", "promised", "snapshot 0.1, drift promised"}
