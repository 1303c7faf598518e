"""What a cohort came to, in figures: an RPC that only reads."""

from datetime import UTC, datetime
from typing import Any

from livinglab.program.v1 import report_service_pb2 as pb
from livinglab.program.v1 import report_service_pb2_grpc

from services.program.service import figures
from services.program.service.access import Access
from services.program.store.cohorts import Store


class ReportService(report_service_pb2_grpc.ReportServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def GetReport(self, request: pb.GetReportRequest, context: Any) -> pb.GetReportResponse:
        cohort_row, participants = await self._store.report_rows(request.cohort_id)
        await self._access.require_part(request.cohort_id)
        made = figures.report(cohort_row, participants, datetime.now(UTC))
        return pb.GetReportResponse(report=made)
