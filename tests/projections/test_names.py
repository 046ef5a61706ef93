"""Which service and environment a told name means."""

import pytest

from deploytrail.projections.names import place_of
from deploytrail.projections.trail import OPTIONS, TRAIL
from tests.projections.telling import Telling, entry


def declared() -> Telling:
    t = Telling()
    t.tell(
        "service.declared",
        service="checkout",
        repositories=["shop/checkout", "https://Example.org/shop/mono.git"],
        aliases=["cart"],
        artifacts=["registry.example.org/checkout"],
    )
    t.tell("service.declared", service="mailer", repositories=["example.org/shop/mono"])
    t.tell("environment.declared", environment="production", type="production", aliases=["prd", "Live"])
    return t


@pytest.mark.parametrize(
    ("told", "service"),
    [
        ({"service": "checkout"}, "checkout"),
        ({"service": "CHECKOUT"}, "checkout"),
        ({"service": "cart"}, "checkout"),
        ({"service": "elsewhere"}, "elsewhere"),
        ({"service": "elsewhere", "repository": "example.org/shop/checkout"}, "checkout"),
        ({"service": "elsewhere", "repository": "git@Example.org/Shop/Checkout.git"}, "checkout"),
        # Two services live there: the repository alone does not say which.
        ({"service": "cart", "repository": "example.org/shop/mono"}, "checkout"),
        ({"service": "elsewhere", "repository": "example.org/shop/mono"}, "elsewhere"),
        ({"service": "wiki", "repository": "example.org/shop/wiki"}, "wiki"),
    ],
)
def test_services(told: dict[str, str], service: str) -> None:
    fact = entry("x-note", **told)
    assert place_of(fact, declared().derived)[0] == service


@pytest.mark.parametrize(
    ("told", "service"),
    [
        ({"repository": "example.org/shop/checkout", "ref": "main", "after": "abcd"}, "checkout"),
        ({"repository": "example.org/shop/wiki", "ref": "main", "after": "abcd"}, "wiki"),
        ({"repository": "example.org/shop/mono", "ref": "main", "after": "abcd"}, None),
        ({"repository": "example.org/Shop/Hello-World.git/", "ref": "main", "after": "abcd"}, "Hello-World"),
        ({"repository": "///", "ref": "main", "after": "abcd"}, None),
    ],
)
def test_a_repository_stands_for_its_service(told: dict[str, str], service: str | None) -> None:
    assert place_of(entry("commit.pushed", **told), declared().derived)[0] == service


def test_an_artifact_stands_for_its_service() -> None:
    fact = entry("artifact.published", digest="sha256:0011223344", name="Registry.example.org/checkout")
    assert place_of(fact, declared().derived)[0] == "checkout"


@pytest.mark.parametrize(
    ("told", "meant"),
    [("prd", "production"), ("PRD", "production"), ("live", "production"), ("Production", "production"),
     ("staging", "staging"), ("Staging", "Staging")],
)  # fmt: skip
def test_environments(told: str, meant: str) -> None:
    assert place_of(entry("x-note", environment=told), declared().derived)[1] == meant


def test_the_newest_declaration_holds() -> None:
    t = declared()
    t.tell("environment.declared", environment="production", type="production", aliases=["main"])
    assert place_of(entry("x-note", environment="prd"), t.derived)[1] == "prd"
    t.tell("service.declared", service="checkout", repositories=["shop/new"])
    assert place_of(entry("x-note", service="cart"), t.derived)[0] == "cart"
    assert place_of(entry("x-note", repository="example.org/shop/checkout"), t.derived)[0] == "checkout"
    assert place_of(entry("x-note", repository="example.org/shop/mono"), t.derived)[0] == "mailer"


def test_a_declared_name_is_never_anothers_alias() -> None:
    t = declared()
    t.tell("environment.declared", environment="prd", type="test")
    assert place_of(entry("x-note", environment="prd"), t.derived)[1] == "prd"
    t.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    assert place_of(entry("x-note", environment="prd"), t.derived)[1] == "prd"


def test_filters_offer_declared_names() -> None:
    t = Telling()
    t.tell("x-note", environment="prd", service="cart")
    t.tell("environment.declared", environment="production", type="production", aliases=["prd"])
    t.tell("service.declared", service="checkout", aliases=["cart"])
    offered = {(o.sort, o.name) for o in t.derived.page(OPTIONS, order="sort")}
    assert ("environment", "prd") not in offered
    assert ("service", "cart") not in offered
    assert {("environment", "production"), ("service", "checkout")} <= offered
    first = t.get(TRAIL, 0)
    assert first is not None
    assert (first.service, first.environment) == ("cart", "prd")
