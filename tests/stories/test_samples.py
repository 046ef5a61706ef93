"""GitHub's own deliveries, over real HTTP into a real house, and out again on its pages.

Every sample is posted with a valid signature; then every row of the integration paper's table that a sample
contains is looked for where a reader would look: on its entry's page under the name of its field, and, for
deployments, on the deployment's page and among the environments.

DEPLOYTRAIL_SAMPLES may name a folder of further samples, as COLLECTION/EVENT/....json or
COLLECTION/EVENT.json.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from deploytrail.web.hostile import plain
from tests.intake.deliveries import Sample, look, own_samples
from tests.intake.test_github_rows import ROWS, Row, says
from tests.main.running import Running, serving

pytestmark = [pytest.mark.slow, pytest.mark.both]

# Longer texts are cut on the page.
_CUT = 1000
# Where a fact's envelope stands on its entry's page.
_ENVELOPE = {
    "actor": "Actor",
    "id": "Told as",
    "occurred_at": "Happened",
    "free": "free data",
    "kind": "kind",
}
# What a reader of a deployment's page asks for, and of the environments.
DEPLOYMENT = (
    ("deployment", "deployment.environment"),
    ("deployment", "deployment.sha"),
    ("deployment", "deployment.description"),
    ("deployment", "deployment.payload.version"),
    ("deployment", "deployment.payload.digest"),
    ("deployment", "deployment.id"),
    ("deployment", "sender.login"),
    ("deployment_status", "deployment_status.environment"),
    ("deployment_status", "deployment_status.description"),
    ("deployment_status", "deployment_status.state"),
    ("deployment_status", "deployment.sha"),
    ("deployment_status", "deployment.id"),
    ("deployment_status", "sender.login"),
)
ENVIRONMENTS = (
    ("deployment", "deployment.environment"),
    ("deployment", "repository.name"),
    ("deployment_status", "deployment_status.environment"),
    ("deployment_status", "repository.name"),
)


class Fields(HTMLParser):
    """The names and values of an entry's page, and the whole text of any page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: list[tuple[str, str]] = []
        self.links: list[str] = []
        self._open = ""
        self._text: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        self.text = squeezed("".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("dt", "dd"):
            self._open, self._text = tag, []
        self.links += [value for name, value in attrs if name == "href" and value]
        self.words += [value for name, value in attrs if name in ("title", "data-copy", "datetime") and value]

    def handle_endtag(self, tag: str) -> None:
        if tag == "dt":
            self.pairs.append((squeezed("".join(self._text)), ""))
        if tag == "dd" and self.pairs:
            self.pairs[-1] = (self.pairs[-1][0], "".join(self._text).strip())

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        self.words.append(data)

    def at(self, place: str) -> list[str]:
        """The values shown under a place such as `data.commits[].author.login`."""
        first, _, rest = place.partition(".")
        if first != "data":
            name = _ENVELOPE.get(first, "unknownfields")
            return [value for key, value in self.pairs if key == squeezed(name)]
        steps = [re.escape(step).replace(r"\[\]", r"(\.\d+)?") for step in rest.split(".")]
        wanted = re.compile(r"\.".join(steps))
        # A person is one line, under the name of what they did.
        person = re.compile(r"\.".join(steps[:-1]) or "$-")
        return [value for key, value in self.pairs if wanted.fullmatch(key) or person.fullmatch(key)]


def squeezed(text: str) -> str:
    """Without any space, so that line ends do not count."""
    return "".join(text.split())


def shows(raw: Any, value: str) -> bool:
    """Whether a reader finds what GitHub said in a value on the page."""
    if isinstance(raw, bool):
        return value == ("yes" if raw else "no") or says(raw, value)
    if isinstance(raw, dict | list):
        return all(shows(leaf, value) for leaf in leaves(raw))
    if isinstance(raw, str) and raw and set(raw) == {"0"}:
        return value == "yes"
    text = squeezed(plain(str(raw), 4000))[:_CUT]
    found = re.search(rf"(?<![0-9A-Za-z]){re.escape(text)}", squeezed(value)) is not None
    return found or says(raw, value)


def leaves(value: Any) -> Iterator[Any]:
    """Every text, number and switch in a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield value


@cache
def samples() -> tuple[Sample, ...]:
    """The project's own, and those of the folder that DEPLOYTRAIL_SAMPLES names."""
    found = list(own_samples())
    if folder := os.environ.get("DEPLOYTRAIL_SAMPLES"):
        for path in sorted(Path(folder).rglob("*.json")):
            parts = path.relative_to(folder).parts
            event = parts[1] if len(parts) == 3 else path.stem.replace("-", "_")
            found.append(Sample(event, "/".join(parts), path.read_bytes(), False))
    return tuple(found)


class Told(NamedTuple):
    """What a house answered to one sample."""

    status: int
    outcome: str
    entries: list[int]


class Heard:
    """A house that was sent every sample, and its pages."""

    def __init__(self, running: Running) -> None:
        self.running = running
        running.source()
        self.token = running.token("administrator")
        self.told = {sample.name: self._post(number, sample) for number, sample in enumerate(samples())}
        last = max(index for told in self.told.values() for index in told.entries)
        running.ask("GET", f"/api/v1/environments?at_least={last}", token=self.token)
        self._pages: dict[str, Fields] = {}

    def _post(self, number: int, sample: Sample) -> Told:
        answer = self.running.deliver(sample.event, sample.body, id=f"72d3162e-cc78-11e3-81ab-{number:012x}")
        said = answer.json()
        return Told(answer.status, said.get("status", answer.text), said.get("entries", []))

    def page(self, path: str) -> Fields:
        """One page, asked for once."""
        if path not in self._pages:
            answer = self.running.ask("GET", path, token=self.token)
            assert answer.status == 200, (path, answer.text)
            self._pages[path] = Fields(answer.text)
            if path.startswith("/entries/"):
                kind = re.search(r'<h2 id="told">.*?<bdi>(.*?)</bdi>', answer.text, re.S)
                assert kind is not None
                self._pages[path].pairs.append(("kind", kind[1]))
        return self._pages[path]

    def entries(self, sample: Sample) -> list[Fields]:
        """The pages of a sample's entries."""
        return [self.page(f"/entries/{index}") for index in self.told[sample.name].entries]

    def deployments(self, sample: Sample) -> list[Fields]:
        """The pages of the deployments that a sample's entries lead to."""
        links = {link for page in self.entries(sample) for link in page.links}
        return [self.page(link) for link in sorted(links) if link.startswith("/deployments/")]


@pytest.fixture(scope="module")
def heard(lies_in: None) -> Iterator[Heard]:
    """A real house, and everything that GitHub told it."""
    with serving() as running:
        yield Heard(running)


def holding(event: str, path: str, names: str = "*") -> list[tuple[Sample, list[Any]]]:
    """The samples of an event that have something at a path, with what they have there."""
    return [
        (sample, values)
        for sample in samples()
        if sample.event == event and fnmatch(sample.name, names) and (values := look(sample.decoded(), path))
    ]


def test_no_sample_is_refused(heard: Heard) -> None:
    refused = {name: told for name, told in heard.told.items() if told.status not in (200, 202)}
    assert refused == {}
    assert all(told.entries for told in heard.told.values())


def test_what_is_not_read_needs_attention(heard: Heard) -> None:
    aside = {name for name, told in heard.told.items() if told.outcome == "set_aside"}
    assert {name.partition(".")[0] for name in aside if "/" not in name} == {"star"}
    page = heard.page("/attention")
    for name in aside:
        for index in heard.told[name].entries:
            assert f"/entries/{index}" in page.links


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.event}:{row.path}")
def test_every_row_is_seen_on_the_page_of_its_entry(heard: Heard, row: Row) -> None:
    found = holding(row.event, row.path, row.names)
    assert found
    for sample, values in found:
        assert heard.told[sample.name].outcome != "set_aside", sample.name
        shown = [
            value
            for page in heard.entries(sample)
            for place in row.where.split("|")
            for value in page.at(place.strip())
        ]
        unseen = [raw for raw in values if not any(shows(raw, value) for value in shown)]
        assert unseen == [], (sample.name, row.where, shown[:20])


# A version is told by the payload, a state in our words.
_STATES = {"success": "Itsucceeded", "failure": "Itfailed", "error": "Itfailed"}


@pytest.mark.parametrize(("event", "path"), DEPLOYMENT, ids=":".join)
def test_a_deployment_is_told_on_its_page(heard: Heard, event: str, path: str) -> None:
    found = holding(event, path)
    assert found
    for sample, values in found:
        pages = heard.deployments(sample)
        assert len(pages) == 1, sample.name
        for raw in values:
            text = squeezed(plain(_STATES.get(str(raw), str(raw)), 200)).replace("_", "")
            assert text in pages[0].text.replace("_", ""), (sample.name, raw)


@pytest.mark.parametrize(("event", "path"), ENVIRONMENTS, ids=":".join)
def test_a_deployment_is_seen_among_the_environments(heard: Heard, event: str, path: str) -> None:
    page = heard.page("/environments")
    found = holding(event, path)
    assert found
    for _, values in found:
        for raw in values:
            # An environment leads to its trail, a service to its page.
            named = (f"={quote(str(raw))}", f"/services/{quote(str(raw), safe='')}")
            assert any(link.endswith(named) for link in page.links), raw


def test_the_comparison_notices_what_is_not_shown(heard: Heard) -> None:
    sample = next(one for one in samples() if one.name == "deployment.created")
    [page] = heard.entries(sample)
    sha = look(sample.decoded(), "deployment.sha")[0]
    assert any(shows(sha, value) for value in page.at("data.commits[].sha"))
    assert not any(shows(sha, value) for value in page.at("data.ref"))
    assert not any(shows("nobody", value) for _, value in page.pairs)
    assert json.loads(sample.body)["deployment"]["sha"] == sha
