"""Study visits on a real database and broker: planned, held with what they taught, called off."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from livinglab.coaching.v1 import events_pb2, visit_pb2
from livinglab.coaching.v1 import visit_service_pb2 as pb
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, count, published, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceAsyncStub

CIMAHI = "32.77"
PHASE = "study-visit"
PLANNED, HELD, CANCELLED = (
    visit_pb2.VISIT_STATE_PLANNED,
    visit_pb2.VISIT_STATE_HELD,
    visit_pb2.VISIT_STATE_CANCELLED,
)
LESSONS = (
    visit_pb2.Lesson(text="Satu akun untuk semua layanan", indicators=["10", "35-2"]),
    visit_pb2.Lesson(text="Pimpinan melihat capaian setiap pagi", indicators=["10"]),
)


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def people(coaching: Running, role: str, institution: str = "") -> "VisitServiceAsyncStub":
    return coaching.as_role(VisitServiceStub, role, institution)


def plan(**more: str) -> pb.PlanVisitRequest:
    fields = {"visitor": BANDUNG, "host": SUMEDANG, "cohort_id": COHORT, "phase": PHASE, "start_date": "2022-10-03"}
    return pb.PlanVisitRequest(request_id=request_id(), **{**fields, **more})


def confirmation(visit: visit_pb2.Visit, *lessons: visit_pb2.Lesson) -> pb.ConfirmVisitHeldRequest:
    return pb.ConfirmVisitHeldRequest(request_id=request_id(), visit_id=visit.id, lessons=lessons or LESSONS)


def cancellation(visit: visit_pb2.Visit, reason: str = "Banjir") -> pb.CancelVisitRequest:
    return pb.CancelVisitRequest(request_id=request_id(), visit_id=visit.id, reason=reason)


async def planned(coaching: Running, **more: str) -> visit_pb2.Visit:
    return (await people(coaching, "manager").PlanVisit(plan(**more))).visit


async def test_a_region_plans_its_own_visit_and_changes_the_days(coaching: Running) -> None:
    secretary = people(coaching, "secretary", BANDUNG)
    visit = (await secretary.PlanVisit(plan())).visit
    assert (visit.state, visit.start_date, visit.end_date) == (PLANNED, "2022-10-03", "2022-10-03")
    same = plan(visit_id=visit.id, end_date="2022-10-03")
    assert (await secretary.PlanVisit(same)).visit == visit
    later = (await secretary.PlanVisit(plan(visit_id=visit.id, start_date="2022-10-10", end_date="2022-10-11"))).visit
    assert (later.id, later.end_date, later.etag) == (visit.id, "2022-10-11", "2")
    facts = await published(coaching, events_pb2.VisitPlanned, 2)
    told = [(f.institution, f.host, f.visit_id, f.phase, f.start_date, f.meta.version, f.meta.cohort_id) for f in facts]
    assert told == [
        (BANDUNG, SUMEDANG, visit.id, PHASE, "2022-10-03", 1, COHORT),
        (BANDUNG, SUMEDANG, visit.id, PHASE, "2022-10-10", 2, COHORT),
    ]


async def test_two_plans_without_an_id_are_two_visits_and_a_repeated_request_is_one(coaching: Running) -> None:
    head = people(coaching, "head", BANDUNG)
    request = plan()
    first = await head.PlanVisit(request)
    assert await head.PlanVisit(request) == first
    assert (await head.PlanVisit(plan())).visit.id != first.visit.id
    assert await count(coaching, "visits") == 2


async def test_only_managers_and_the_program_give_ids(coaching: Running) -> None:
    named = plan(visit_id=f"{COHORT}.visit")
    assert (await refusal(people(coaching, "head", BANDUNG).PlanVisit(named))).kind is Kind.NOT_FOUND
    system = people(coaching, "system")
    visit = (await system.PlanVisit(named)).visit
    assert visit.id == f"{COHORT}.visit"
    refused = await refusal(system.PlanVisit(plan(visit_id=visit.id, host=CIMAHI, phase="summit")))
    assert (refused.reason, refused.message) == ("OTHER_VISIT", f"visit {visit.id} has another host, phase")
    assert (await refusal(system.PlanVisit(plan(visit_id=visit.id, rehearsal=COHORT)))).reason == "REALM"
    other = people(coaching, "head", CIMAHI).PlanVisit(plan(visit_id=visit.id, visitor=CIMAHI))
    assert (await refusal(other)).reason == "OTHER_INSTITUTION"


async def test_a_visit_that_cannot_be_is_refused_and_every_fault_is_named(coaching: Running) -> None:
    manager = people(coaching, "manager")
    refused = await refusal(manager.PlanVisit(plan(host="99.99", visitor="Atlantis", end_date="2022-10-02")))
    assert [v.field for v in refused.violations] == ["visitor", "host", "end_date"]
    refused = await refusal(manager.PlanVisit(plan(host=BANDUNG, phase="", cohort_id="", rehearsal="elsewhere")))
    assert [v.field for v in refused.violations] == ["host", "rehearsal"]
    refused = await refusal(manager.PlanVisit(plan(cohort_id="")))
    assert [v.field for v in refused.violations] == ["cohort_id"]
    own = people(coaching, "operator", SUMEDANG)
    assert (await refusal(own.PlanVisit(plan()))).reason == "OTHER_INSTITUTION"
    assert (await refusal(people(coaching, "regent", BANDUNG).PlanVisit(plan()))).reason == "ROLE"
    assert await count(coaching, "visits") == 0


@pytest.mark.parametrize(("role", "institution"), [("operator", BANDUNG), ("regent", SUMEDANG), ("manager", "")])
async def test_either_party_or_a_manager_says_that_a_visit_was_held(
    coaching: Running, role: str, institution: str
) -> None:
    visit = await planned(coaching)
    held = (await people(coaching, role, institution).ConfirmVisitHeld(confirmation(visit))).visit
    assert (held.state, held.etag, list(held.lessons)) == (HELD, "2", list(LESSONS))
    [fact] = await published(coaching, events_pb2.VisitHeld, 1)
    assert (fact.institution, fact.host, fact.visit_id, fact.phase) == (BANDUNG, SUMEDANG, visit.id, PHASE)
    assert list(fact.indicators) == ["10", "35-2"]
    assert (fact.meta.cohort_id, fact.meta.rehearsal, fact.meta.version) == (COHORT, "", 2)
    assert fact.meta.actor == held.confirmed_by


async def test_a_visit_is_held_once_and_its_lessons_stand(coaching: Running) -> None:
    visit = await planned(coaching)
    host, visitor = people(coaching, "head", SUMEDANG), people(coaching, "operator", BANDUNG)
    held = (await host.ConfirmVisitHeld(confirmation(visit))).visit
    assert (await visitor.ConfirmVisitHeld(confirmation(visit))).visit == held
    for call in (
        visitor.ConfirmVisitHeld(confirmation(visit, LESSONS[0])),
        visitor.CancelVisit(cancellation(visit)),
        visitor.PlanVisit(plan(visit_id=visit.id, start_date="2022-11-01")),
    ):
        refused = await refusal(call)
        assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "VISIT_HELD")
    assert (await visitor.PlanVisit(plan(visit_id=visit.id))).visit == held
    assert len(await published(coaching, events_pb2.VisitHeld, 1)) == 1


async def test_both_parties_at_once_hold_a_visit_once(coaching: Running) -> None:
    visit = await planned(coaching)
    stubs = [people(coaching, "head", SUMEDANG), people(coaching, "head", BANDUNG)]
    await asyncio.gather(*(stubs[n % 2].ConfirmVisitHeld(confirmation(visit)) for n in range(8)))
    assert len(await published(coaching, events_pb2.VisitHeld, 1)) == 1


async def test_a_visit_to_come_was_not_held_except_in_a_rehearsal(coaching: Running) -> None:
    # Two days on, so that it is ahead in every zone.
    to_come = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    real = await planned(coaching, start_date=to_come)
    rehearsed = await planned(coaching, start_date=to_come, cohort_id="try-1", rehearsal="try-1")
    host = people(coaching, "operator", SUMEDANG)
    refused = await refusal(host.ConfirmVisitHeld(confirmation(real)))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "VISIT_AHEAD")
    await host.ConfirmVisitHeld(confirmation(rehearsed))
    [fact] = await published(coaching, events_pb2.VisitHeld, 1)
    assert (fact.visit_id, fact.meta.cohort_id, fact.meta.rehearsal) == (rehearsed.id, "try-1", "try-1")


async def test_who_is_no_party_to_a_visit_neither_confirms_nor_cancels_it(coaching: Running) -> None:
    visit = await planned(coaching)
    stranger = people(coaching, "head", CIMAHI)
    for call in (stranger.ConfirmVisitHeld(confirmation(visit)), stranger.CancelVisit(cancellation(visit))):
        assert (await refusal(call)).reason == "OTHER_INSTITUTION"
    for role in ("coach", "regent"):
        other = people(coaching, role, BANDUNG if role == "regent" else "")
        assert (await refusal(other.CancelVisit(cancellation(visit)))).reason == "ROLE"
    assert (await refusal(people(coaching, "assessor").ConfirmVisitHeld(confirmation(visit)))).reason == "ROLE"
    missing = visit_pb2.Visit(id="nowhere")
    assert (await refusal(stranger.ConfirmVisitHeld(confirmation(missing)))).kind is Kind.NOT_FOUND
    assert (await refusal(stranger.CancelVisit(cancellation(missing)))).kind is Kind.NOT_FOUND


async def test_a_visit_without_a_lesson_teaches_nothing(coaching: Running) -> None:
    visit = await planned(coaching)
    host = people(coaching, "head", SUMEDANG)
    none = pb.ConfirmVisitHeldRequest(request_id=request_id(), visit_id=visit.id)
    assert [v.field for v in (await refusal(host.ConfirmVisitHeld(none))).violations] == ["lessons"]
    odd = confirmation(visit, visit_pb2.Lesson(indicators=["1", "?"]))
    refused = await refusal(host.ConfirmVisitHeld(odd))
    assert [v.field for v in refused.violations] == ["lessons[0].text", "lessons[0].indicators[1]"]


async def test_a_cancelled_visit_stays_cancelled(coaching: Running) -> None:
    visit = await planned(coaching)
    host = people(coaching, "secretary", SUMEDANG)
    assert [v.field for v in (await refusal(host.CancelVisit(cancellation(visit, " ")))).violations] == ["reason"]
    cancelled = (await host.CancelVisit(cancellation(visit))).visit
    assert (cancelled.state, cancelled.reason) == (CANCELLED, "Banjir")
    assert (await people(coaching, "system").CancelVisit(cancellation(visit, "Lain"))).visit == cancelled
    for call in (
        host.ConfirmVisitHeld(confirmation(visit)),
        people(coaching, "manager").PlanVisit(plan(visit_id=visit.id)),
    ):
        refused = await refusal(call)
        assert (refused.reason, refused.message) == ("VISIT_CANCELLED", f"visit {visit.id} was cancelled: Banjir")
    [fact] = await published(coaching, events_pb2.VisitCancelled, 1)
    assert (fact.institution, fact.host, fact.visit_id, fact.phase, fact.reason) == (
        BANDUNG,
        SUMEDANG,
        visit.id,
        PHASE,
        "Banjir",
    )


async def test_visits_are_listed_by_cohort_and_by_either_party(coaching: Running) -> None:
    out = await planned(coaching, visit_id="a")
    other = await planned(coaching, visit_id="b", visitor=CIMAHI)
    home = await planned(coaching, visit_id="c", visitor=SUMEDANG, host=BANDUNG, cohort_id="", phase="")
    rehearsed = await planned(coaching, visit_id="d", cohort_id="try-1", rehearsal="try-1")

    async def listed(role: str, own: str = "", cohort: str = "") -> list[visit_pb2.Visit]:
        request = pb.ListVisitsRequest(institution=own, cohort_id=cohort)
        return list((await people(coaching, role, own).ListVisits(request)).visits)

    assert await listed("manager") == [out, other, home]
    # A coach of neither party.
    assert await listed("coach", cohort=COHORT) == []
    assert await listed("system", cohort="try-1") == [rehearsed]
    assert await listed("operator", BANDUNG) == [out, home]
    assert await listed("regent", SUMEDANG, COHORT) == [out, other]
    stranger = people(coaching, "head", CIMAHI)
    assert (await refusal(stranger.ListVisits(pb.ListVisitsRequest()))).reason == "INSTITUTION_NEEDED"
    refused = await refusal(stranger.ListVisits(pb.ListVisitsRequest(institution=BANDUNG)))
    assert refused.reason == "OTHER_INSTITUTION"


async def test_visits_come_in_pages(coaching: Running) -> None:
    for visit_id in ("c", "a", "b"):
        await planned(coaching, visit_id=visit_id)
    manager = people(coaching, "manager")
    first = await manager.ListVisits(pb.ListVisitsRequest(page_size=2, institution=SUMEDANG))
    assert [visit.id for visit in first.visits] == ["a", "b"]
    rest = await manager.ListVisits(pb.ListVisitsRequest(page_token=first.next_page_token, institution=SUMEDANG))
    assert ([visit.id for visit in rest.visits], rest.next_page_token) == (["c"], "")


async def test_a_visit_that_only_the_visitor_knows_of_was_not_held(coaching: Running) -> None:
    visitor, host = people(coaching, "operator", BANDUNG), people(coaching, "head", SUMEDANG)
    visit = (await visitor.PlanVisit(plan())).visit
    assert visit.accepted_by == ""
    refused = await refusal(visitor.ConfirmVisitHeld(confirmation(visit)))
    assert (refused.kind, refused.reason) == (Kind.FAILED_PRECONDITION, "NOT_ACCEPTED")
    accepting = pb.AcceptVisitRequest(request_id=request_id(), visit_id=visit.id)
    assert (await refusal(visitor.AcceptVisit(accepting))).reason == "OTHER_INSTITUTION"
    accepted = (await host.AcceptVisit(accepting)).visit
    assert accepted.accepted_by == f"head@{SUMEDANG}"
    [fact] = await published(coaching, events_pb2.VisitAccepted, 1)
    assert (fact.institution, fact.host, fact.visit_id) == (BANDUNG, SUMEDANG, visit.id)
    # Other days are to be accepted anew.
    moved = (await visitor.PlanVisit(plan(visit_id=visit.id, start_date="2022-10-04"))).visit
    assert moved.accepted_by == ""
    # The host needs nobody's leave to say that somebody was there.
    assert (await host.ConfirmVisitHeld(confirmation(visit))).visit.state == HELD


async def test_a_coach_speaks_for_those_that_it_is_assigned_to(coaching: Running) -> None:
    visit = await planned(coaching)
    coached = people(coaching, "coach")
    assert (await refusal(coached.ConfirmVisitHeld(confirmation(visit)))).reason == "NOT_ASSIGNED"
    await coaching.hear(events_pb2.CoachAssigned(institution=BANDUNG, coach_id="coach"), cohort_id=COHORT)
    await eventually(lambda: coaching.db["assigned"].find_one({"subject": "coach"}))
    assert (await coached.ConfirmVisitHeld(confirmation(visit))).visit.state == HELD
