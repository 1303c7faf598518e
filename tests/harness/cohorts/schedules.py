"""Schedules of a few regions' living labs, for tests: made, listed, and as Temporal has them."""

import uuid
from typing import Any

from livinglab.program.v1 import schedule_service_pb2 as pb
from livinglab.program.v1 import service_pb2
from livinglab.program.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub
from temporalio.client import Client, ScheduleHandle

from services.program.engine.schedules import temporal_id
from tests.harness.cohorts.program import BANDUNG, SUMEDANG, launching
from tests.harness.service import Running


def manager(program: Running) -> Any:
    return program.as_role(ScheduleServiceStub, "manager")


def scheduling(*, rehearsal: bool = True, **recurrence: Any) -> pb.CreateScheduleRequest:
    """The living lab of two regions, every November unless told otherwise."""
    launch = launching(SUMEDANG, BANDUNG)
    cohort = launch.cohort
    if not rehearsal:
        cohort.rehearsal, cohort.seconds_per_day = False, ""
    return pb.CreateScheduleRequest(
        request_id=launch.request_id,
        definition=launch.definition,
        cohort=cohort,
        recurrence=pb.Recurrence(**(recurrence or {"months": [11], "day": 1})),
    )


async def created(program: Running, request: pb.CreateScheduleRequest) -> str:
    schedule = (await manager(program).CreateSchedule(request)).schedule
    return str(schedule.id)


async def listed(program: Running, schedule_id: str) -> pb.Schedule:
    found = (await manager(program).ListSchedules(pb.ListSchedulesRequest())).schedules
    [schedule] = [schedule for schedule in found if schedule.id == schedule_id]
    assert isinstance(schedule, pb.Schedule)
    return schedule


async def cohorts(program: Running) -> list[str]:
    """Every cohort there is, by id."""
    answer = await program.as_role(ProgramServiceStub, "manager").ListCohorts(service_pb2.ListCohortsRequest())
    return sorted(cohort.id for cohort in answer.cohorts)


def pausing(schedule_id: str, *, paused: bool) -> pb.PauseScheduleRequest:
    request_id = uuid.uuid4().hex
    return pb.PauseScheduleRequest(request_id=request_id, schedule_id=schedule_id, paused=paused, reason="elections")


def deleting(schedule_id: str) -> pb.DeleteScheduleRequest:
    return pb.DeleteScheduleRequest(request_id=uuid.uuid4().hex, schedule_id=schedule_id, reason="no budget")


def handle_of(temporal: Client, schedule_id: str) -> ScheduleHandle:
    return temporal.get_schedule_handle(temporal_id(schedule_id))
