"""What an institution owes, and until when: an RPC that only reads."""

from typing import Any

from livinglab.program.v1 import duty_service_pb2 as pb
from livinglab.program.v1 import duty_service_pb2_grpc

from chassis import auth
from services.program.store.cohorts import Store


class DutyService(duty_service_pb2_grpc.DutyServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ListDuties(self, request: pb.ListDutiesRequest, context: Any) -> pb.ListDutiesResponse:
        auth.caller().require_institution(request.institution)
        duties = await self._store.duties(request.institution, request.cohort_id)
        duties.sort(key=lambda duty: (duty.deadline_time.ToNanoseconds(), duty.cohort_id, duty.phase))
        return pb.ListDutiesResponse(duties=duties)
