"""Who ordered what of a cohort: an RPC that only reads."""

from typing import Any

from livinglab.program.v1 import audit_service_pb2 as pb
from livinglab.program.v1 import audit_service_pb2_grpc

from chassis import mongo
from services.program.store.cohorts import Store


class AuditService(audit_service_pb2_grpc.AuditServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ListAudit(self, request: pb.ListAuditRequest, context: Any) -> pb.ListAuditResponse:
        await self._store.known_course(request.cohort_id)
        size = mongo.page_size(request.page_size)
        entries, token = await self._store.audit.page(request.cohort_id, size, request.page_token)
        return pb.ListAuditResponse(entries=entries, next_page_token=token)
