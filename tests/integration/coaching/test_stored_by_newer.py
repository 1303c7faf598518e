"""Documents into which a newer release has put lists and maps: this one writes over them, and they lose nothing."""

from collections.abc import AsyncIterator

import pytest
from livinglab.coaching.v1 import action_pb2, coaching_pb2
from livinglab.coaching.v1 import plan_service_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.coaching.v1.plan_service_pb2_grpc import PlanServiceStub

from services.coaching.store.rows import with_unknown
from stack.issuer import Issuer
from tests.harness.coaching import SUMEDANG, called_by, request_id
from tests.harness.generated import beside
from tests.harness.plans import PLAN, coached, drafted, evaluated, handed_in, in_a_cohort, known, review
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

KEPT = ("plans", "plan_comments", "windows", "assignments")


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


async def test_a_plan_goes_through_its_life_with_what_a_newer_release_keeps_in_it(coaching: Running) -> None:
    await coached(coaching)
    await in_a_cohort(coaching)
    await evaluated(coaching)
    await known(coaching)
    plan = await drafted(coaching)
    first = plan.actions[0]
    operator = coaching.as_role(PlanServiceStub, "operator", SUMEDANG)
    said = await operator.CommentOnPlan(
        pb.CommentOnPlanRequest(request_id=request_id(), plan_id=PLAN, action_id=first.id, text="Siapa?")
    )
    await beside.mark(coaching.db, KEPT)
    edited = action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_EDIT,
        action_id=first.id,
        etag=first.etag,
        fields=action_pb2.ActionFields(owner="Diskominfo"),
        set=["owner"],
    )
    await operator.EditPlan(pb.EditPlanRequest(request_id=request_id(), plan_id=PLAN, changes=[edited]))
    await operator.ResolveComment(pb.ResolveCommentRequest(request_id=request_id(), comment_id=said.comment.id))
    await handed_in(coaching)
    await called_by(coaching, "coach", subject="coach-1").ReviewPlan(review(approved=True))
    assert await beside.lost(coaching.db, KEPT) == []
    done = rpc.CompleteActionRequest(request_id=request_id(), plan_id=PLAN, action_id=first.id)
    done.evidence.add(link="https://jdih.sumedang.example/12")
    now = (await called_by(coaching, "operator", SUMEDANG).CompleteAction(done)).plan
    assert now.actions[0].owner == "Diskominfo"
    # What this release adds has nothing beside it, and what was there before has.
    assert await beside.lost(coaching.db, KEPT) == [f"plans {PLAN}.actions[0].evidence[0]"]


def test_what_is_gone_is_gone_and_what_has_no_id_is_told_by_what_it_says() -> None:
    kind = coaching_pb2.Coach.DESCRIPTOR
    stored = {"name": "a", "new": 1, "expertise": [{"instrument": "i", "aspect": "1", "new": 2}, {"instrument": "j"}]}
    now = {"expertise": [{"instrument": "j"}, {"instrument": "i", "aspect": "1"}, {"instrument": "k"}]}
    assert with_unknown(now, stored, kind) == {
        "new": 1,
        "expertise": [{"instrument": "j"}, {"instrument": "i", "aspect": "1", "new": 2}, {"instrument": "k"}],
    }
