"""Documents that a newer release has written more into: this one reads them, and leaves what it does not know."""

from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering
from livinglab.program.v1 import workflow_pb2
from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub
from temporalio.client import Client

from services.program.store.participants import ParticipantStore
from tests.harness.cohorts.program import HEAD, SECRETARY, SUMEDANG, launching, manager, request_id, working
from tests.harness.service import Running
from tests.harness.waiting import eventually


async def test_what_a_newer_release_has_stored_is_read_and_kept(program: Running, temporal: Client) -> None:
    async with working(program):
        request = launching()
        await manager(program).LaunchCohort(request)
        cohort_id, key = request.cohort.id, f"{request.cohort.id}:{SUMEDANG}"
        await eventually(lambda: _begun(program, cohort_id), timeout=30)
        phase = request.definition.phases[0].id
        await program.db["cohorts"].update_one({"_id": cohort_id}, {"$set": {f"phases.{phase}.added_later": "new"}})
        await program.db["participants"].update_one(
            {"_id": key},
            {"$set": {"ledger.added_later": "new", "people.$[].added_later": "new", "leaving.added_later": "new"}},
        )
        for role in (SECRETARY, HEAD):
            fact = coaching.AttendanceRecorded(institution=SUMEDANG, phase="governance", role=role)
            await program.hear(fact, cohort_id=cohort_id, rehearsal=cohort_id, event_id=request_id())
        order = steering.ReschedulePhaseRequest(
            request_id=request_id(), cohort_id=cohort_id, reason="an election", phase=phase, deadline_days=2
        )
        await program.as_role(SteeringServiceStub, "manager").ReschedulePhase(order)

        async def attended() -> bool:
            row = await program.db["participants"].find_one({"_id": key})
            return bool(row and "governance-attended" in row["duties"])

        await eventually(attended, timeout=30)
        row = await program.db["participants"].find_one({"_id": key})
        cohort = await program.db["cohorts"].find_one({"_id": cohort_id})
        assert row
        assert cohort
        assert row["ledger"]["added_later"] == cohort["phases"][phase]["added_later"] == "new"
        participants = ParticipantStore(program.db)
        assert len(await participants.people(cohort_id, SUMEDANG)) == len(row["people"])
        assert await participants.leaving(cohort_id, SUMEDANG) == workflow_pb2.Withdrawal()
        listed = await manager(program).ListParticipants(pb.ListParticipantsRequest(cohort_id=cohort_id))
        assert {one.institution for one in listed.participants} >= {SUMEDANG}


async def _begun(program: Running, cohort_id: str) -> bool:
    found = await manager(program).GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))
    return any(progress.state == 2 for progress in found.cohort.phases)
