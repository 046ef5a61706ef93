"""What GitHub's deliveries say is all there on the pages: each fact has its own sentence, and every value is
on its entry's page. With the real log, keys, projections and questions behind the pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from deploytrail.app.ports import Submission
from deploytrail.app.views import Filter
from deploytrail.facts.draft import Draft, builtins
from deploytrail.intake.delivery import Unreadable
from deploytrail.intake.github import GitHub
from deploytrail.web import sentences
from deploytrail.web.hostile import plain
from deploytrail.web.settings import WebSettings
from deploytrail.web.site import site
from tests.app.small_house import SmallHouse
from tests.intake.deliveries import delivery, samples
from tests.web.fakes import FakeHouse, Session
from tests.web.reading import Page


class Told:
    """A house that has heard all samples: drafts by entry, and a client."""

    def __init__(self, folder: Path) -> None:
        self.small = SmallHouse(folder)
        self.drafts: dict[int, Draft] = {}
        for number, sample in enumerate(samples()):
            try:
                reading = GitHub().read(delivery(sample.event, sample.body, x_github_delivery=f"d-{number}"))
            except Unreadable:
                continue
            for part, draft in enumerate(reading.drafts):
                own = msgspec.structs.replace(draft, id=f"{number}-{part}")
                pending = self.small.persons.seal(own)
                placed = self.small.log.append([Submission((pending,))])[0]
                assert isinstance(placed, list)
                self.drafts[placed[0].index] = own
        self.small.follow()
        self.small.publish()
        house = FakeHouse()
        house.log, house.ask = self.small.log, self.small.ask  # type: ignore[assignment]
        house.administer.sessions["viewer"] = Session(id="1", role="viewer")
        self.client = TestClient(
            site(house, WebSettings(public_url="http://localhost")), base_url="http://localhost"
        )
        self.client.cookies.set("deploytrail", "viewer")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Everything that all samples say."""
    made = Told(tmp_path_factory.mktemp("samples"))
    with made.client:
        yield made


def leaves(value: Any) -> Iterator[str]:
    """Every text and number in a value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value[:20]:
            yield from leaves(inner)
    elif isinstance(value, bool) or value is None:
        return
    else:
        yield str(value)


def squeezed(text: str) -> str:
    """Without any space, so that line ends do not count."""
    return "".join(text.split())


def test_every_value_of_every_fact_is_on_its_page(told: Told) -> None:
    assert len(told.drafts) > 30
    for index, draft in told.drafts.items():
        html = told.client.get(f"/entries/{index}").text
        page = Page(html)
        assert page.inline == []
        seen = squeezed("".join(page.text))
        data = builtins(draft.body)
        said = [*leaves(data), *leaves(draft.labels or {})]
        if draft.actor:
            said += [text for text in (draft.actor.login, draft.actor.name, draft.actor.email) if text]
        for text in said:
            # Times are shown in their canonical spelling, others' marks as their names.
            if len(text) > 1900 or (text[:4].isdigit() and "T" in text[:12]):
                continue
            wanted = squeezed(plain(text, 2000).replace("[U+", "U+").replace("]", ""))
            assert wanted in seen.replace("]", ""), (index, draft.kind, text)


def test_every_fact_has_a_sentence_of_its_own(told: Told) -> None:
    general = (*sentences.SENTENCES["known"], *sentences.SENTENCES[""])
    below: int | None = None
    count = 0
    while True:
        page = told.small.ask.trail(Filter(), below=below, above=None, limit=200)
        for row in page.rows:
            count += 1
            said = sentences.sentence(row)
            first = next(p for p in sentences.patterns(row) if can_be_said(p, row))
            assert first not in general, (row.kind, row.fields, said)
        if page.older is None:
            break
        below = page.older
    assert count == len(told.drafts)


def can_be_said(pattern: str, row: Any) -> bool:
    """Whether all placeholders of a sentence are known."""
    said = sentences._Said(row)
    try:
        for _, name, _, _ in Formatter().parse(pattern):
            if name:
                said[name]
    except sentences._Unknown:
        return False
    return True


def test_every_deployment_page_and_the_trail_can_be_read(told: Told) -> None:
    client = told.client
    trail = Page(client.get("/").text)
    assert trail.inline == []
    keys = {link for link in trail.links if link.startswith("/deployments/")}
    path: str | None = "/"
    while path:
        page = Page(client.get(path).text)
        keys |= {link for link in page.links if link.startswith("/deployments/")}
        path = next((link for link in page.links if "below=" in link), None)
    assert keys
    for link in keys:
        answer = client.get(link)
        assert answer.status_code == 200
        assert Page(answer.text).inline == []
    assert client.get("/environments").status_code == 200
