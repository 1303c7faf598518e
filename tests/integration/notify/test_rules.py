"""Facts become letters by the rules: told once, to those whom a rule names, or later when nothing follows."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
import pytest
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.assessment.v1 import evidence_events_pb2 as evidence
from livinglab.coaching.v1 import coaching_pb2
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from chassis import naming
from stack.issuer import Issuer
from tests.harness.people import COHORT, Known, knowing, person
from tests.harness.servers import Servers
from tests.harness.service import Running, as_published, running_service
from tests.harness.waiting import eventually

SUMEDANG, BANDUNG = "32.11", "32.04"
EVALUATION = f"{SUMEDANG}:spbe-2020:2022"


@pytest.fixture
async def known() -> AsyncIterator[Known]:
    async with knowing() as found:
        mark = uuid.uuid4().hex[:8]
        for institution in (SUMEDANG, BANDUNG):
            roles = ("operator", "head", "secretary")
            found.people[institution] = [person(role, f"{role}.{mark}@{institution}.example") for role in roles]
        found.coaches = [coaching_pb2.Coach(id="coach-1", name="Pak Pendamping", email=f"coach.{mark}@tel.example")]
        yield found


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str, known: Known) -> AsyncIterator[Running]:
    peers = {"program": known.address, "coaching": known.address}
    async with running_service("notify", servers, issuer, nats_url, peers=peers) as running:
        yield running


async def letters(notify: Running, count: int, **query: Any) -> list[dict[str, Any]]:
    """Messages of that kind, once there are so many."""

    async def there() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = await notify.db["messages"].find(query).sort("_id").to_list(None)
        return found if len(found) >= count else None

    found = await eventually(there, timeout=30)
    assert found
    assert len(found) == count
    return found


def returned(reason: str = "Terlalu sedikit aksi") -> coaching.PlanReturned:
    return coaching.PlanReturned(institution=SUMEDANG, plan_id="plan-1", reason=reason)


async def test_a_returned_plan_is_told_once_to_operator_and_head_with_the_coachs_words(
    notify: Running, known: Known
) -> None:
    fact = returned("Terlalu sedikit\naksi")
    await notify.hear(fact, cohort_id=COHORT)
    told = await letters(notify, 2, template="plan_returned")
    assert [one["email"] for one in told] == [p.email for p in known.people[SUMEDANG][:2]]
    assert {one["rule"] for one in told} == {"plan-returned"}
    assert "Terlalu sedikit aksi" in told[0]["body"]
    assert (told[0]["cohort_id"], told[0]["institution"]) == (COHORT, SUMEDANG)
    # The same fact again, from a publisher that did not hear that it was taken.
    again = coaching.PlanReturned.FromString(fact.SerializeToString())
    await notify.hear(again, cohort_id=COHORT, event_id=fact.meta.event_id, version=2)
    await notify.hear(coaching.PlanSubmitted(institution=SUMEDANG, plan_id="plan-1", coach_id="coach-1"), version=3)
    [to_coach] = await letters(notify, 1, template="plan_submitted")
    assert to_coach["email"] == known.coaches[0].email
    await letters(notify, 2, template="plan_returned")


async def test_visitor_and_host_hear_of_a_visit_by_name(notify: Running) -> None:
    planned = coaching.VisitPlanned(
        institution=SUMEDANG, host=BANDUNG, visit_id="v1", start_date="2022-10-03", end_date="2022-10-04"
    )
    await notify.hear(planned, cohort_id=COHORT)
    told = await letters(notify, 4, template="visit_planned")
    assert {one["institution"] for one in told} == {SUMEDANG, BANDUNG}
    assert "Kabupaten Sumedang merencanakan kunjungan belajar ke Kabupaten Bandung" in told[0]["body"].replace(
        "\n", " "
    )
    assert "Senin, 3 Oktober 2022 sampai dengan Selasa, 4 Oktober 2022" in told[0]["body"]


async def test_several_assessors_are_told_to_an_institution_once_and_each_of_them_finds_it_in_the_inbox(
    notify: Running,
) -> None:
    for version, assessor in enumerate(("asesor-1", "asesor-2"), start=1):
        fact = assessment.AssessorAssigned(institution=SUMEDANG, evaluation_id=EVALUATION, assessor=assessor)
        await notify.hear(fact, version=version, aggregate_id=EVALUATION, cohort_id=COHORT)
    mine = await letters(notify, 2, template="assignment")
    assert [(one["subject_of"], one["channel"], one["state"]) for one in mine] == [
        ("asesor-1", pb.CHANNEL_INBOX, pb.MESSAGE_STATE_DELIVERED),
        ("asesor-2", pb.CHANNEL_INBOX, pb.MESSAGE_STATE_DELIVERED),
    ]
    told = await letters(notify, 2, template="assessor_assigned")
    assert "(spbe-2020, 2022)" in told[0]["body"]


async def test_an_institution_is_told_that_a_piece_of_evidence_ends(notify: Running) -> None:
    fact = evidence.EvidenceExpiring(
        institution=SUMEDANG, evidence_id="e-1", title="SK Tim SPBE", valid_until="2022-12-31"
    )
    for version in (2, 3):
        await notify.hear(fact, version=version, aggregate_id="file:e-1")
    told = await letters(notify, 2, template="evidence_expiring")
    assert "SK Tim SPBE" in told[0]["body"]
    assert "31 Desember 2022" in told[0]["body"]


async def test_a_condition_lets_through_what_it_names_alone(notify: Running) -> None:
    about: dict[str, Any] = {
        "institution": SUMEDANG,
        "evaluation_id": EVALUATION,
        "instrument": "spbe-2020",
        "period": "2022",
    }
    score = evaluation_pb2.Score(index="2.59")
    publication = assessment.StageConcluded(**about, stage=evaluation_pb2.STAGE_PUBLICATION, score=score)
    interview = assessment.StageConcluded(**about, stage=evaluation_pb2.STAGE_INTERVIEW, score=score)
    await notify.hear(publication, cohort_id=COHORT)
    await notify.hear(interview, cohort_id=COHORT, version=2)
    told = await letters(notify, 2, template="stage_concluded")
    assert {("Tahap interviu" in one["body"], "Indeks sementara: 2,59" in one["body"]) for one in told} == {
        (True, True)
    }


async def test_when_nothing_follows_for_a_week_the_superior_is_told_and_what_follows_in_time_ends_the_waiting(
    notify: Running, known: Known
) -> None:
    await notify.hear(returned(), cohort_id=COHORT)
    other = coaching.PlanReturned(institution=BANDUNG, plan_id="plan-2", reason="Kurang")
    await notify.hear(other, cohort_id=COHORT, aggregate_id="b")
    await letters(notify, 4, template="plan_returned")
    again = coaching.PlanSubmitted(institution=BANDUNG, plan_id="plan-2", coach_id="coach-1")
    await notify.hear(again, cohort_id=COHORT, aggregate_id="b", version=2)
    await letters(notify, 1, template="plan_submitted")
    waits = {row["_id"]: row async for row in notify.db["waits"].find({"rule": "plan-not-revised"})}
    due = waits["plan-not-revised||plan-1"]["due_time"]
    assert timedelta(days=6, hours=23) < due - datetime.now(UTC) < timedelta(days=7)
    assert "due_time" not in waits["plan-not-revised||plan-2"]
    # As it stands a week later.
    past = {"$set": {"due_time": datetime.now(UTC) - timedelta(seconds=1)}}
    await notify.db["waits"].update_one({"_id": "plan-not-revised||plan-1"}, past)
    [told] = await letters(notify, 1, template="plan_waiting")
    assert told["email"] == known.people[SUMEDANG][2].email

    async def done() -> bool:
        return (
            await notify.db["waits"].find_one({"_id": "plan-not-revised||plan-1", "due_time": {"$exists": True}})
            is None
        )

    await eventually(done)


async def test_an_end_that_is_heard_before_its_beginning_ends_it_all_the_same(notify: Running) -> None:
    began, ended = returned(), coaching.PlanSubmitted(institution=SUMEDANG, plan_id="plan-1", coach_id="coach-1")
    began.meta.occurred_time.GetCurrentTime()
    await notify.hear(ended, cohort_id=COHORT, version=2)
    await letters(notify, 1, template="plan_submitted")
    late = coaching.PlanReturned.FromString(began.SerializeToString())
    await heard_late(notify, late, began.meta.occurred_time.ToDatetime(UTC))
    await letters(notify, 2, template="plan_returned")
    row = await notify.db["waits"].find_one({"_id": "plan-not-revised||plan-1"})
    assert row
    assert "due_time" not in row


async def heard_late(notify: Running, event: coaching.PlanReturned, occurred: datetime) -> None:
    """A fact with the time at which it happened, not that of its arrival."""
    _, headers = as_published(event, cohort_id=COHORT)
    event.meta.occurred_time.FromDatetime(occurred)
    nc = await nats.connect(notify.nats_url)
    async with nc:
        await nc.jetstream().publish(naming.subject(event), event.SerializeToString(), headers=headers)


async def test_who_cannot_be_written_to_is_told_to_the_managers_and_the_others_are(
    notify: Running, known: Known
) -> None:
    known.people[SUMEDANG][0].email = "kepala..dinas@sumedang"
    await notify.hear(returned(), cohort_id=COHORT)
    await letters(notify, 1, template="plan_returned")
    assert known.problems == ["plan_returned to Ibu Operator: recipient.email is not an e-mail address"]


async def test_while_nobody_knows_the_people_a_fact_waits(notify: Running, known: Known) -> None:
    known.away = True
    await notify.hear(returned(), cohort_id=COHORT)
    row = await eventually(lambda: notify.db["waits"].find_one({"rule": "plan-not-revised"}))
    assert row
    assert await notify.db["messages"].count_documents({}) == 0
    known.away = False
    await letters(notify, 2, template="plan_returned")


async def test_the_facts_of_a_rehearsal_are_told_in_it_and_nothing_waits_for_days(notify: Running) -> None:
    await notify.hear(returned(), cohort_id=COHORT, rehearsal=COHORT)
    told = await letters(notify, 2, template="plan_returned")
    assert {one["rehearsal"] for one in told} == {COHORT}
    assert told[0]["subject"].startswith("[GLADI]")
    assert await notify.db["waits"].count_documents({"due_time": {"$exists": True}}) == 0


async def test_managers_see_the_rules(notify: Running) -> None:
    rules = (await notify.as_role(NotifyServiceStub, "manager").ListRules(pb.ListRulesRequest())).rules
    assert {"plan-returned", "plan-not-revised", "evaluation-published"} <= {rule.id for rule in rules}
