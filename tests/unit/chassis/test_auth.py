"""Who may reach what: the bound to one institution follows the role that opened the method."""

import time

import pytest
from livinglab.common.v1 import options_pb2 as roles

from chassis import auth
from chassis.errors import Kind, Refused


def caller(*held: int, allowed: frozenset[int]) -> auth.Caller:
    identity = auth.Identity("somebody", frozenset(held), "32.11", time.time() + 60)
    return auth.set_caller(identity, auth.require_role(identity, allowed, "Method"))


@pytest.mark.parametrize("other", [roles.ROLE_PUBLIC, roles.ROLE_ASSESSOR, roles.ROLE_COACH])
def test_another_role_does_not_lift_the_bound_where_it_does_not_open_the_method(other: int) -> None:
    writer = caller(roles.ROLE_OPERATOR, other, allowed=frozenset({roles.ROLE_OPERATOR, roles.ROLE_HEAD}))
    assert writer.bound_to == "32.11"
    with pytest.raises(Refused) as refused:
        writer.require_institution("32.04")
    assert refused.value.kind is Kind.PERMISSION_DENIED


def test_a_role_without_a_bound_opens_what_it_may_open() -> None:
    reader = caller(
        roles.ROLE_OPERATOR, roles.ROLE_ASSESSOR, allowed=frozenset({roles.ROLE_OPERATOR, roles.ROLE_ASSESSOR})
    )
    assert reader.bound_to is None
    reader.require_institution("32.04")
    assert reader.institution_checked


def test_who_has_none_of_the_roles_is_refused_by_name_of_those_who_may() -> None:
    with pytest.raises(Refused, match="head, operator"):
        caller(roles.ROLE_COACH, allowed=frozenset({roles.ROLE_OPERATOR, roles.ROLE_HEAD}))
