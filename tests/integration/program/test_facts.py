"""What facts of the services come to in the ledgers of cohorts, in whichever order they arrive."""

import asyncio
from typing import Any

import pytest
from livinglab.assessment.v1 import evaluation_pb2, evidence_events_pb2
from livinglab.assessment.v1 import events_pb2 as assessment
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import command_pb2, definition_pb2, report_service_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1.report_service_pb2_grpc import ReportServiceStub

from programs.phases import ENDED
from services.program.model import states
from services.program.store.cohorts import Store
from services.program.store.ledgers import ledger
from tests.harness.cohorts.orders import OPEN, ordered, phase
from tests.harness.cohorts.program import BANDUNG, GARUT, HEAD, SUMEDANG, launching, manager
from tests.harness.service import Running
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"


@pytest.fixture
def store(program: Running) -> Store:
    return Store(program.db)


async def launched(program: Running, *duties: definition_pb2.Duty) -> str:
    """The rehearsal of a cohort; its last phase asks for these duties besides."""
    request = launching(SUMEDANG, BANDUNG, GARUT)
    request.definition.phases[-1].duties.extend(duties)
    await manager(program).LaunchCohort(request)
    return request.cohort.id


async def heard(program: Running, cohort_id: str, fact: Any, **meta: Any) -> None:
    await program.hear(fact, **{"cohort_id": cohort_id, "rehearsal": cohort_id, **meta})


async def duties(program: Running, cohort_id: str) -> dict[str, set[str]]:
    listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
    return {participant.institution: set(participant.duties) for participant in listed.participants}


def submitted(institution: str, period: str, index: str, predicate: str = "Cukup") -> assessment.EvaluationSubmitted:
    return assessment.EvaluationSubmitted(
        institution=institution,
        instrument=SPBE,
        period=period,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=index, predicate=predicate),
    )


async def test_a_visit_counts_for_who_goes_and_for_who_receives(program: Running) -> None:
    visit = definition_pb2.Duty(id="visited", kind=definition_pb2.DUTY_KIND_VISIT, count=2)
    host = definition_pb2.Duty(id="hosted", kind=definition_pb2.DUTY_KIND_HOST_VISIT)
    cohort_id = await launched(program, visit, host)
    for visit_id, where in (("v1", GARUT), ("v2", GARUT), ("v3", SUMEDANG)):
        fact = coaching.VisitHeld(institution=BANDUNG, host=where, visit_id=visit_id, phase="governance")
        await heard(program, cohort_id, fact)

    async def counted() -> bool:
        found = await duties(program, cohort_id)
        return found == {BANDUNG: {"visited"}, GARUT: {"hosted"}, SUMEDANG: {"hosted"}}

    await eventually(counted)


async def test_evidence_counts_by_the_latest_word(program: Running, store: Store) -> None:
    evidence = definition_pb2.Duty(
        id="supported", kind=definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE, instrument=SPBE, period="2023", count=10
    )
    cohort_id = await launched(program, evidence)

    def covered(institution: str, count: int) -> evidence_events_pb2.EvidenceCoverageChanged:
        return evidence_events_pb2.EvidenceCoverageChanged(
            institution=institution, instrument=SPBE, period="2023", indicators_with_evidence=count
        )

    await heard(program, cohort_id, covered(BANDUNG, 9), version=3)
    # It was more before: told late, it is not what stands.
    await heard(program, cohort_id, covered(BANDUNG, 12), version=2)
    await heard(program, cohort_id, covered(GARUT, 10), version=3)

    async def known() -> bool:
        there = ledger((await store.participants.standing(cohort_id, BANDUNG))["ledger"]).evidence
        return there == {(SPBE, "2023"): (3, 9)} and "supported" in (await duties(program, cohort_id))[GARUT]

    await eventually(known)
    inbox = store.db["inbox"]

    async def all_heard() -> bool:
        return bool(await inbox.count_documents({}) >= 3)

    await eventually(all_heard)
    assert await known()


async def test_a_phase_is_for_those_whose_index_lies_below_and_who_are_still_there(
    program: Running, store: Store
) -> None:
    cohort_id = await launched(program)
    await heard(program, cohort_id, submitted(BANDUNG, "2022", "2.59"))
    await heard(program, cohort_id, submitted(GARUT, "2022", "2.60"))

    async def known() -> bool:
        return sum("self-assessed" in met for met in (await duties(program, cohort_id)).values()) == 2

    await eventually(known)
    below = definition_pb2.Condition(index_below="2.60", instrument=SPBE, period="2022")
    assert await store.participants.addressed(cohort_id, definition_pb2.Phase(when=below)) == [BANDUNG]
    without = definition_pb2.Phase(when=definition_pb2.Condition(missed="self-assessed"))
    assert await store.participants.addressed(cohort_id, without) == [SUMEDANG]
    assert await store.participants.addressed(cohort_id, definition_pb2.Phase()) == [BANDUNG, GARUT, SUMEDANG]
    failed = {"$set": {"state": states.FAILED}}
    await store.db["participants"].update_one({"_id": f"{cohort_id}:{BANDUNG}"}, failed)
    assert await store.participants.addressed(cohort_id, definition_pb2.Phase(when=below)) == []


async def test_gains_are_reported_from_what_was_heard(program: Running) -> None:
    cohort_id = await launched(program)
    await heard(program, cohort_id, submitted(BANDUNG, "2023", "3.10", "Baik"), version=7)
    await heard(program, cohort_id, submitted(BANDUNG, "2023", "2.90", "Baik"), version=6)
    await heard(program, cohort_id, submitted(BANDUNG, "2022", "2.55"))
    stub: Any = program.as_role(ReportServiceStub, "platform")
    request = report_service_pb2.GetReportRequest(cohort_id=cohort_id)

    async def reported() -> Any:
        made = (await stub.GetReport(request)).report
        return made if [gain.after for gain in made.gains] == ["3.10"] else None

    made = await eventually(reported)
    [gain] = made.gains
    assert (gain.before, gain.gain, made.leaps, made.cohort.participants) == ("2.55", "0.55", 1, 3)


async def test_no_fact_is_lost_between_two_cohorts_while_one_is_split(program: Running, store: Store) -> None:
    """Facts arrive while the split is stored: each ends up where its participant is."""
    cohort_id = await launched(program)
    new = f"{cohort_id}-2"
    order = command_pb2.SplitOrder(cohort_id=new, title="Second", institutions=[GARUT])
    step = ordered(cohort_id, 9, f"split-{cohort_id}", split=order)
    step.split_state.revision = 1
    step.split_state.phases.append(phase("governance", OPEN, invited=1))
    facts = [coaching.AttendanceRecorded(institution=GARUT, phase=f"p{number}", role=HEAD) for number in range(12)]
    sending = [heard(program, cohort_id, fact, aggregate_id=f"{cohort_id}-{n}") for n, fact in enumerate(facts)]
    await asyncio.gather(*sending[:6], store.steering.record(step), *sending[6:])

    async def complete() -> bool:
        kept = await store.participants.standing(new, GARUT)
        return len(ledger(kept["ledger"]).attended) == len(facts)

    await eventually(complete, timeout=15)


async def test_a_real_evaluation_serves_whoever_may_be_readmitted(program: Running, store: Store) -> None:
    cohort_id = await launched(program)
    # Without the marks of a rehearsal it stands for a real cohort.
    real = {"rehearsal": False, "realm": ""}
    await store.db["cohorts"].update_one({"_id": cohort_id}, {"$set": real})
    failed = {"$set": {**real, "state": states.FAILED}}
    await store.db["participants"].update_many({"cohort": cohort_id}, failed)
    assert await store.participants.real_cohorts(GARUT) == [cohort_id]
    for state in ENDED:
        await store.db["cohorts"].update_one({"_id": cohort_id}, {"$set": {"state": state}})
        assert await store.participants.real_cohorts(GARUT) == []
