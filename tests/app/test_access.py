"""The table of actions, and whom the callers it speaks of are taken for."""

from __future__ import annotations

from deploytrail.app.access import ACTIONS, NAMESPACE, ROLES, TOKENS, Grant, Operator, Session, may
from deploytrail.facts.draft import Person


def test_the_table_speaks_only_of_roles_that_there_are() -> None:
    assert set().union(*ACTIONS.values()) == {*ROLES, "anyone", "machine"}
    assert ROLES == ("viewer", "reporter", "administrator")


def test_an_administrator_is_a_viewer_and_a_reporter() -> None:
    for action, roles in ACTIONS.items():
        if roles & {"viewer", "reporter"}:
            assert "administrator" in roles, action


def test_a_reporter_tells_and_sees_nothing() -> None:
    assert {action for action in ACTIONS if may("reporter", action)} == {"open", "tell"}


def test_a_viewer_tells_nothing() -> None:
    assert {action for action in ACTIONS if may("viewer", action)} == {"open", "see", "sign-out"}


def test_the_machine_neither_sees_nor_tells() -> None:
    assert {action for action in ACTIONS if may("machine", action)} == {"open", "administer", "operate"}


def test_a_caller_is_an_actor_of_its_own_kind() -> None:
    session = Session(id="x_1", subject="s_1", role="viewer", name="ada", expires_at=1)
    grant = Grant(id="t_1", name="ada", role="reporter", kinds=[], services=[], environments=[], expires_at=1)
    assert session.person() == Person(id="s_1")
    assert grant.person() == Person(login="ada", bot=True)
    assert Operator(login="ada").person() == Person(login="ada")
    assert (Session.namespace, Operator.namespace, Grant.namespace) == (NAMESPACE, NAMESPACE, TOKENS)
    # A token is 256 random bits; a link says nothing about who follows it, nor does the name of a login.
    assert (session.attribution, grant.attribution) == ("asserted", "authenticated")
    assert Operator(login="ada").attribution == "asserted"
