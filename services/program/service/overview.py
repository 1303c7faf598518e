"""What everybody may know of the program's cohorts: RPCs that only read."""

from typing import Any

from livinglab.program.v1 import cohort_pb2, overview_service_pb2_grpc
from livinglab.program.v1 import overview_service_pb2 as pb

from chassis.errors import not_found
from services.program.store.cohorts import Store


class OverviewService(overview_service_pb2_grpc.OverviewServiceServicer):
    """The contract, on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ListOverviews(self, request: pb.ListOverviewsRequest, context: Any) -> pb.ListOverviewsResponse:
        cohorts, token = await self._store.cohorts(request, rehearsals=False)
        found = [await self._overview(cohort) for cohort in cohorts]
        return pb.ListOverviewsResponse(overviews=found, next_page_token=token)

    async def GetOverview(self, request: pb.GetOverviewRequest, context: Any) -> pb.GetOverviewResponse:
        cohort = await self._store.cohort(request.cohort_id)
        if cohort.rehearsal:
            raise not_found("cohort", request.cohort_id)
        overview = await self._overview(cohort)
        overview.institutions.extend(await self._store.participants.staying(cohort.id))
        return pb.GetOverviewResponse(overview=overview)

    async def _overview(self, cohort: cohort_pb2.Cohort) -> pb.Overview:
        course = await self._store.known_course(cohort.id)
        return pb.Overview(
            cohort_id=cohort.id,
            title=cohort.title,
            program_title=course.definition.title,
            state=cohort.state,
            launch_time=cohort.launch_time,
            end_time=cohort.end_time if cohort.HasField("end_time") else None,
            time_zone=cohort.time_zone,
            phases=[_phase(phase) for phase in cohort.phases],
            targets=cohort.targets,
            role_model=cohort.role_model,
            participants=cohort.active + cohort.graduated,
            graduated=cohort.graduated,
        )


def _phase(phase: cohort_pb2.PhaseProgress) -> pb.OverviewPhase:
    return pb.OverviewPhase(
        phase=phase.phase,
        title=phase.title,
        title_en=phase.title_en,
        state=phase.state,
        open_time=phase.open_time,
        deadline_time=phase.deadline_time,
        invited=phase.invited,
        done=phase.done,
        sessions=[
            pb.OverviewSession(
                title=one.title, start_time=one.start_time, end_time=one.end_time, cancelled=one.cancelled
            )
            for one in phase.sessions
        ],
    )
