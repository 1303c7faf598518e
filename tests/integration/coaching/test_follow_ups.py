"""What a visit is made of and what follows it, on a real database and broker: programme, duties, who did nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from livinglab.coaching.v1 import follow_up_events_pb2 as events_pb2
from livinglab.coaching.v1 import follow_up_service_pb2 as pb
from livinglab.coaching.v1 import visit_pb2, visit_service_pb2
from livinglab.coaching.v1.follow_up_service_pb2_grpc import FollowUpServiceStub
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, published, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

if TYPE_CHECKING:
    from livinglab.coaching.v1.follow_up_service_pb2_grpc import FollowUpServiceAsyncStub

TODAY = datetime.now(UTC).date()


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def people(coaching: Running, role: str, institution: str = "") -> "FollowUpServiceAsyncStub":
    return coaching.as_role(FollowUpServiceStub, role, institution)


async def planned(coaching: Running, day: str, cohort: str = COHORT, rehearsal: str = "") -> str:
    request = visit_service_pb2.PlanVisitRequest(
        request_id=request_id(),
        visitor=BANDUNG,
        host=SUMEDANG,
        cohort_id=cohort,
        phase="visit",
        start_date=day,
        rehearsal=rehearsal,
    )
    visit = (await coaching.as_role(VisitServiceStub, "manager").PlanVisit(request)).visit
    return str(visit.id)


async def held(coaching: Running, day: str, cohort: str = COHORT, rehearsal: str = "") -> str:
    visit_id = await planned(coaching, day, cohort, rehearsal)
    request = visit_service_pb2.ConfirmVisitHeldRequest(
        request_id=request_id(), visit_id=visit_id, lessons=[visit_pb2.Lesson(text="Satu akun", indicators=["35"])]
    )
    await coaching.as_role(VisitServiceStub, "manager").ConfirmVisitHeld(request)
    return visit_id


def duties(visit_id: str, *due: str) -> pb.AddVisitDutiesRequest:
    request = pb.AddVisitDutiesRequest(request_id=request_id(), visit_id=visit_id)
    for day in due:
        request.duties.add(text="Satu akun", due_date=day, indicators=["35"], owner="Diskominfo")
    return request


def completing(visit_id: str, outcome: str = "Berjalan") -> pb.CompleteVisitDutyRequest:
    return pb.CompleteVisitDutyRequest(request_id=request_id(), visit_id=visit_id, duty_id="1", outcome=outcome)


async def test_a_programme_and_a_delegation_are_said_until_the_visit_is_held(coaching: Running) -> None:
    visit_id = await planned(coaching, "2022-10-03")
    request = pb.ArrangeVisitRequest(request_id=request_id(), visit_id=visit_id)
    request.programme.add(time="09.00", title="Pusat komando")
    request.delegation.add(name="Sri", position="Sekda")
    said = (await people(coaching, "operator", SUMEDANG).ArrangeVisit(request)).follow_up
    assert (said.programme[0].title, said.delegation[0].name, said.term_date) == ("Pusat komando", "Sri", "")
    stranger = people(coaching, "head", "32.77")
    request.request_id = request_id()
    assert (await refusal(stranger.ArrangeVisit(request))).reason == "OTHER_INSTITUTION"
    early = await refusal(people(coaching, "head", BANDUNG).AddVisitDuties(duties(visit_id, "2023-01-21")))
    assert (early.kind, early.reason) == (Kind.FAILED_PRECONDITION, "VISIT_STATE")
    again = await held(coaching, "2022-10-03")
    late = pb.ArrangeVisitRequest(request_id=request_id(), visit_id=again)
    assert (await refusal(people(coaching, "manager").ArrangeVisit(late))).reason == "VISIT_HELD"
    [fact] = await published(coaching, events_pb2.VisitArranged, 1)
    assert (fact.institution, fact.host, fact.points, fact.delegates) == (BANDUNG, SUMEDANG, 1, 1)


async def test_duties_follow_a_visit_and_one_that_is_done_makes_it_count(coaching: Running) -> None:
    yesterday = str(TODAY - timedelta(days=2))
    visit_id = await held(coaching, yesterday)
    visitor, manager = people(coaching, "operator", BANDUNG), people(coaching, "manager")
    soon = str(TODAY + timedelta(days=30))
    far = str(TODAY + timedelta(days=900))
    bad = duties(visit_id, str(TODAY - timedelta(days=9)), far, soon)
    bad.duties[2].outcome = "sudah"
    refused = await refusal(visitor.AddVisitDuties(bad))
    assert [v.field for v in refused.violations] == ["duties[0].due_date", "duties[1].due_date", "duties[2]"]
    host = people(coaching, "head", SUMEDANG)
    assert (await refusal(host.AddVisitDuties(duties(visit_id, soon)))).reason == "OTHER_INSTITUTION"
    assert (await refusal(people(coaching, "coach").AddVisitDuties(duties(visit_id, soon)))).reason == "NOT_ASSIGNED"
    found = (await visitor.AddVisitDuties(duties(visit_id, soon, soon))).follow_up
    assert [one.id for one in found.duties] == ["1", "2"]
    assert found.term_date == str(TODAY - timedelta(days=2) + timedelta(days=60))
    asked = pb.CountFollowUpsRequest(cohort_id=COHORT)
    before = await manager.CountFollowUps(asked)
    assert (before.held, before.followed, before.share, before.duties) == (1, 0, "0.00", 2)
    assert (await refusal(host.CompleteVisitDuty(completing(visit_id)))).reason == "OTHER_INSTITUTION"
    done = (await visitor.CompleteVisitDuty(completing(visit_id))).follow_up
    assert (await visitor.CompleteVisitDuty(completing(visit_id))).follow_up == done
    assert (await refusal(visitor.CompleteVisitDuty(completing(visit_id, "lain")))).reason == "DUTY_DONE"
    missing = completing(visit_id)
    missing.duty_id = "9"
    assert (await refusal(visitor.CompleteVisitDuty(missing))).kind is Kind.NOT_FOUND
    await held(coaching, yesterday)
    after = await manager.CountFollowUps(asked)
    assert (after.held, after.followed, after.share, after.done) == (2, 1, "50.00", 1)
    assert (await host.GetFollowUp(pb.GetFollowUpRequest(visit_id=visit_id))).follow_up == done
    [fact] = await published(coaching, events_pb2.VisitDutyDone, 1)
    assert (fact.duty_id, fact.done, fact.duties, fact.meta.aggregate_id) == ("1", 1, 2, f"follow-up:{visit_id}")


async def test_a_visit_that_nothing_followed_within_its_term_is_escalated_once(coaching: Running) -> None:
    """A rehearsed one and one whose term runs are left alone."""
    silent = await held(coaching, "2022-10-03")
    await held(coaching, "2022-10-03", "try-1", "try-1")
    running = await held(coaching, str(TODAY - timedelta(days=2)))
    facts = await published(coaching, events_pb2.VisitFollowUpMissed, 1)
    assert [(one.visit_id, one.institution, one.term_date) for one in facts] == [(silent, BANDUNG, "2022-12-02")]
    manager = people(coaching, "manager")
    found = await manager.CountFollowUps(pb.CountFollowUpsRequest(cohort_id=COHORT))
    assert (found.held, found.escalated) == (2, 1)
    # Better late than never.
    await people(coaching, "operator", BANDUNG).AddVisitDuties(duties(silent, "2022-12-30"))
    done = (await people(coaching, "operator", BANDUNG).CompleteVisitDuty(completing(silent))).follow_up
    assert done.HasField("escalate_time")
    still = (await manager.GetFollowUp(pb.GetFollowUpRequest(visit_id=running))).follow_up
    assert not still.HasField("escalate_time")
    assert len(await published(coaching, events_pb2.VisitFollowUpMissed, 1)) == 1
