"""Reading HTML as a browser would: its elements in order, and the text within."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple


class Element(NamedTuple):
    """One start tag: its name, its attributes' names, and where it stands in the tree."""

    path: str
    attributes: tuple[str, ...]


class Page(HTMLParser):
    """The elements of a page, with what may not be among them."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.values: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.left_open = list(self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = tuple(sorted(name for name, _ in attrs))
        self.elements.append(Element("/".join([*self._open, tag]), names))
        given = dict(attrs)
        for name, value in attrs:
            runs = name in ("href", "src", "action", "formaction") and _scheme(value or "") == "javascript"
            if name == "style" or name.startswith("on") or runs:
                self.inline.append(f"{tag} {name}={value}")
            self.values.setdefault(name, []).append(value or "")
        if tag in ("style", "iframe", "object", "embed", "base", "img", "svg", "math"):
            self.inline.append(tag)
        if tag == "script" and not (given.get("src") or "").startswith("/static/"):
            self.inline.append("script")
        if "href" in given:
            self.links.append(given["href"] or "")
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.inline.append(f"comment {data}")

    def structure(self) -> list[Element]:
        """Every element but the marks of unseen signs, which a hostile text is meant to bring."""
        return [element for element in self.elements if not element.path.endswith("/bdi/span")]


def _scheme(address: str) -> str:
    """The scheme of an address as browsers read it: signs below the space do not count."""
    return "".join(sign for sign in address if sign > " ").partition(":")[0].lower()
