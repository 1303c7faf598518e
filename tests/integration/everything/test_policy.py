"""Every method, by every role and every two roles, for one's own institution and another: no cell allows more than its
policy says, and two roles in one token never open more than each of them alone."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from chassis import auth
from stack.issuer import ROLES, Issuer
from tests.harness.generated.everything import OTHER, OWN, Everything, everything, methods, pairs
from tests.harness.servers import Servers
from tests.harness.service import BOUND

AT_ONCE = 32
# What the small world lets a person do, and what it has two of.
REPEATED = {
    "livinglab.assessment.v1.AssessmentService.OpenEvaluation",
    "livinglab.coaching.v1.CoachingService.DraftPlan",
    "livinglab.coaching.v1.CoachingService.SubmitPlan",
    "livinglab.coaching.v1.FollowUpService.ArrangeVisit",
    "livinglab.coaching.v1.VisitService.CancelVisit",
}
LISTED = {"livinglab.coaching.v1.CoachingService.ListPlans"}


@pytest.fixture
async def world(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Everything]:
    async with everything(servers, issuer, nats_url) as found:
        yield found


def reads(method: MethodDescriptor) -> bool:
    return method.name.startswith(("Get", "List", "Count", "WhatIf", "Compare", "Watch", "Download"))


@pytest.mark.timeout(900)
async def test_no_cell_allows_more_than_its_policy_says(world: Everything) -> None:
    wrong: list[str] = []
    cells = 0

    async def of_method(name: str, method: MethodDescriptor) -> None:
        nonlocal cells
        policy = auth.policy_of(method)
        allowed = {auth.role_name(role) for role in policy.roles}
        alone: dict[tuple[str, str], str] = {}
        for target in (OWN, OTHER):
            for roles in pairs(ROLES):
                who = {"institution": OWN, "subject": "somebody"}
                code, reason, _ = await world.call(name, method, world.request(method, target), *roles, **who)
                cells += 1
                cell = f"{method.full_name} {'+'.join(roles)} {'own' if target == OWN else 'other'}: {code} {reason}"
                if len(roles) == 1:
                    alone[(roles[0], target)] = code
                if not allowed & set(roles) and reason != "ROLE":
                    wrong.append(f"{cell}, no role of these is in the policy")
                elif policy.own_institution and target == OTHER and code == "OK" and set(roles) & allowed <= set(BOUND):
                    wrong.append(f"{cell}, it is another institution's")
                elif reads(method) and code == "OK" and "OK" not in {alone[(role, target)] for role in roles}:
                    wrong.append(f"{cell}, neither of them alone is answered")
                elif code in ("INTERNAL", "UNKNOWN"):
                    wrong.append(cell)

    waiting = list(methods())

    async def worker() -> None:
        while waiting:
            await of_method(*waiting.pop())

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    assert not wrong, "\n".join(sorted(wrong)[:40])
    assert cells == 2 * len(pairs(ROLES)) * len(methods())


@pytest.mark.timeout(600)
async def test_request_ids_and_page_tokens_of_others_open_nothing(world: Everything) -> None:
    """The same person, of another institution now, repeats what the first one was told; and goes on with a page that a
    manager began."""
    wrong: list[str] = []
    repeated: set[str] = set()
    listed: set[str] = set()
    for name, method in methods():
        policy = auth.policy_of(method)
        bound = [role for role in BOUND if role in {auth.role_name(one) for one in policy.roles}]
        if not policy.own_institution or not bound:
            continue
        fields = method.input_type.fields_by_name
        if "request_id" in fields and not method.client_streaming:
            content = world.request(method, OWN)
            for role in bound:
                first = await world.call(name, method, content, role, institution=OWN, subject="mover")
                code, reason, _ = await world.call(name, method, content, role, institution=OTHER, subject="mover")
                if first[0] == "OK":
                    repeated.add(method.full_name)
                if code == "OK":
                    wrong.append(f"{method.full_name} by {role}: the answer of {OWN} for {OTHER}: {code} {reason}")
        if "page_token" in fields and "institution" in fields:
            for role in bound:
                if await _went_on(world, name, method, role, wrong):
                    listed.add(method.full_name)
    assert not wrong, "\n".join(sorted(wrong)[:40])
    # Of these the first request was done, and a page had another after it: there was something to open.
    assert repeated >= REPEATED
    assert listed >= LISTED


async def _went_on(world: Everything, name: str, method: MethodDescriptor, role: str, wrong: list[str]) -> bool:
    """Whether there was a page to go on from."""
    all_of_them = world.request(method, OTHER)
    for one in ("institution", "visitor", "host", *world.ids[OTHER]):
        if one in method.input_type.fields_by_name:
            all_of_them.ClearField(one)
    all_of_them.page_size = 1  # type: ignore[attr-defined]
    code, _, answer = await world.call(name, method, all_of_them, "manager", subject="a-manager")
    if code != "OK":
        return False
    token = message_factory.GetMessageClass(method.output_type).FromString(answer).next_page_token  # type: ignore[attr-defined]
    for target in (OWN, OTHER):
        request = world.request(method, target)
        request.page_token = token  # type: ignore[attr-defined]
        code, _, answer = await world.call(name, method, request, role, institution=OWN, subject="somebody")
        if code == "OK" and any(one.encode() in answer for one in world.ids[OTHER].values()):
            wrong.append(f"{method.full_name} by {role} of {OWN} goes on to what is {OTHER}'s")
    return bool(token)


async def test_a_coach_or_an_assessor_of_nobody_sees_no_drafts(world: Everything) -> None:
    seen = []
    asked: dict[str, int] = {"coach": 0, "assessor": 0}
    for name, method in methods():
        policy = auth.policy_of(method)
        if not policy.own_institution or not reads(method):
            continue
        for role in sorted(asked.keys() & {auth.role_name(one) for one in policy.roles}):
            asked[role] += 1
            answer = await world.call(name, method, world.request(method, OTHER), role, subject="nobody")
            if answer[0] == "OK" and answer[2]:
                seen.append(f"{method.full_name} by {role}")
    assert not seen
    assert all(asked.values()), asked


async def test_without_a_token_a_caller_gets_what_the_public_gets(world: Everything) -> None:
    for name, method in methods():
        allowed = {auth.role_name(role) for role in auth.policy_of(method).roles}
        code, reason, _ = await world.call(name, method, world.request(method, OWN))
        assert (reason in ("NO_TOKEN", "BAD_TOKEN")) or "public" in allowed, (method.full_name, code, reason)
