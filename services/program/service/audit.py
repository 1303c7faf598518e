"""Who ordered what of a cohort: an RPC that only reads."""

from typing import Any

from livinglab.program.v1 import audit_service_pb2 as pb
from livinglab.program.v1 import audit_service_pb2_grpc

from services.program.service.access import Access
from services.program.store.cohorts import Store


class AuditService(audit_service_pb2_grpc.AuditServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def ListAudit(self, request: pb.ListAuditRequest, context: Any) -> pb.ListAuditResponse:
        await self._store.known_course(request.cohort_id)
        seen = await self._access.require_part(request.cohort_id)
        entries, token = await self._store.audit.page(request)
        if seen is not None:
            entries = [entry for entry in entries if not entry.institution or entry.institution in seen]
        return pb.ListAuditResponse(entries=entries, next_page_token=token)
