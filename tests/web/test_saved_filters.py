"""Saved filters: chips above the trail, saved and removed by people from our own pages."""

from __future__ import annotations

from tests.web.conftest import Enter
from tests.web.fakes import FakeHouse
from tests.web.reading import Page

OWN = {"sec-fetch-site": "same-origin"}
FORM = {"name": "Checkout, failed", "service": "checkout", "outcome": "failed"}


def test_a_filter_is_saved_and_shown_to_everybody(house: FakeHouse, enter: Enter) -> None:
    answer = enter("viewer").post("/trail/saved", data=FORM, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?service=checkout&outcome=failed")
    html = enter("administrator").get("/").text
    assert "/?service=checkout&outcome=failed" in Page(html).links
    assert "Checkout, failed" in html


def test_the_one_that_is_shown_is_marked_and_can_be_removed(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    client.post("/trail/saved", data=FORM, headers=OWN)
    html = client.get("/?service=checkout&outcome=failed").text
    assert 'aria-current="true"' in html
    assert 'action="/trail/saved/remove"' in html
    assert "Save this filter" not in html
    assert "Save this filter" in client.get("/?service=checkout").text
    assert "Save this filter" not in client.get("/").text
    assert client.post("/trail/saved/remove", data=FORM, headers=OWN).status_code == 303
    assert house.saved.every() == []
    assert client.post("/trail/saved/remove", data=FORM, headers=OWN).status_code == 404


def test_only_our_own_pages_save(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    for site in ("cross-site", "same-site", "none"):
        answer = client.post("/trail/saved", data=FORM, headers={"sec-fetch-site": site})
        assert answer.status_code == 403
    assert house.saved.every() == []


def test_a_token_saves_none(enter: Enter) -> None:
    client = enter(token="viewer-token")
    for path in ("/trail/saved", "/trail/saved/remove"):
        assert client.post(path, data=FORM).status_code == 401
    assert "Save this filter" not in client.get("/?service=checkout").text


def test_a_person_is_kept_by_id_only(house: FakeHouse, enter: Enter) -> None:
    client = enter("viewer")
    assert client.post("/trail/saved", data={"name": "a", "actor": "ada"}, headers=OWN).status_code == 400
    assert client.post("/trail/saved", data={"name": "a", "actor": "s_ada"}, headers=OWN).status_code == 303
    assert [one.filter.actor for one in house.saved.every()] == ["s_ada"]


def test_hostile_names_are_texts(enter: Enter) -> None:
    client = enter("viewer")
    client.post("/trail/saved", data={**FORM, "name": '"><script>x'}, headers=OWN)
    assert Page(client.get("/").text).inline == []
    assert client.post("/trail/saved", data={**FORM, "name": "\u202ea"}, headers=OWN).status_code == 400
