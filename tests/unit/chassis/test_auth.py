"""Who may reach what: one role at a time, each with its own bound, whatever other roles a token carries."""

import time
from dataclasses import replace

import pytest
from livinglab.assessment.v1 import service_pb2
from livinglab.common.v1 import options_pb2 as roles

from chassis import auth
from chassis.errors import Kind, Refused
from chassis.rpc.method import Method


def identity(*held: int) -> auth.Identity:
    return auth.Identity("somebody", frozenset(held), "32.11", time.time() + 60)


BOUND = (roles.ROLE_OPERATOR, roles.ROLE_HEAD, roles.ROLE_SECRETARY, roles.ROLE_REGENT, roles.ROLE_AGENCY)


@pytest.mark.parametrize("role", BOUND)
def test_people_of_an_institution_reach_that_one(role: int) -> None:
    caller = auth.set_caller(identity(role, roles.ROLE_PUBLIC, roles.ROLE_ASSESSOR), role)
    assert caller.bound_to == "32.11"
    caller.require_institution("32.11")
    with pytest.raises(Refused) as refused:
        caller.require_institution("32.04")
    assert refused.value.kind is Kind.PERMISSION_DENIED


def test_a_method_that_did_not_ask_in_whose_care_a_thing_is_does_not_answer_an_agency() -> None:
    method = Method(service_pb2.DESCRIPTOR.services_by_name["AssessmentService"].methods_by_name["GetEvaluation"])
    of_one = replace(identity(roles.ROLE_AGENCY), agency="Dinas Kesehatan")
    caller = auth.set_caller(of_one, roles.ROLE_AGENCY)
    caller.require_institution("32.11")
    with pytest.raises(Refused, match="did not check in whose care"):
        method.confirm(caller)
    assert caller.care() == "Dinas Kesehatan"
    method.confirm(caller)
    assert auth.moved() == "@32.11/Dinas Kesehatan"
    with pytest.raises(Refused, match="names no agency"):
        auth.set_caller(identity(roles.ROLE_AGENCY), roles.ROLE_AGENCY).care()
    assert auth.set_caller(of_one, roles.ROLE_OPERATOR).care() is None


def test_other_roles_reach_every_institution() -> None:
    caller = auth.set_caller(identity(roles.ROLE_OPERATOR, roles.ROLE_MANAGER), roles.ROLE_MANAGER)
    assert caller.bound_to is None
    caller.require_institution("32.04")
    assert caller.institution_checked


def test_a_call_is_served_in_the_role_that_reaches_furthest_first() -> None:
    every = frozenset(roles.Role.values())
    held = identity(roles.ROLE_PUBLIC, roles.ROLE_OPERATOR, roles.ROLE_MANAGER)
    tried = auth.require_roles(held, every, "Method")
    assert tried == (roles.ROLE_MANAGER, roles.ROLE_OPERATOR, roles.ROLE_PUBLIC)
    assert auth.require_roles(held, frozenset({roles.ROLE_PUBLIC}), "Method") == (roles.ROLE_PUBLIC,)
    # Each role has its place.
    assert set(auth.require_roles(identity(*roles.Role.values()), every, "Method")) == every - {roles.ROLE_UNSPECIFIED}


def test_who_has_none_of_the_roles_is_refused_by_name_of_those_who_may() -> None:
    with pytest.raises(Refused, match="head, operator"):
        auth.require_roles(identity(roles.ROLE_COACH), frozenset({roles.ROLE_OPERATOR, roles.ROLE_HEAD}), "Method")
