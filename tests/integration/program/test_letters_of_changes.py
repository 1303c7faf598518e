"""What is told when something changes beside the phases: a session that a manager moves or cancels, what an order would
bring about before it is given, who could not be written to."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, steering_service_pb2_grpc
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import steering_service_pb2 as pb

from programs import clock
from tests.harness.cohorts.program import BANDUNG, SUMEDANG, Neighbours, launching, manager, request_id, working
from tests.harness.service import Running
from tests.harness.waiting import eventually

OPEN = cohort_pb2.PHASE_STATE_OPEN


@pytest.fixture
async def neighbours(program: Running) -> AsyncIterator[Neighbours]:
    """The worker runs, and those whom it calls."""
    async with working(program) as found:
        yield found


def steering(program: Running) -> Any:
    return program.as_role(steering_service_pb2_grpc.SteeringServiceStub, "manager")


async def shown(program: Running, cohort_id: str) -> cohort_pb2.Cohort:
    cohort: cohort_pb2.Cohort = (
        await manager(program).GetCohort(program_pb.GetCohortRequest(cohort_id=cohort_id))
    ).cohort
    return cohort


async def opened(program: Running) -> str:
    """A cohort of two whose first phase is open."""
    request = launching(SUMEDANG, BANDUNG)
    await manager(program).LaunchCohort(request)

    async def is_open() -> bool:
        return (await shown(program, request.cohort.id)).phases[0].state == OPEN

    await eventually(is_open)
    return request.cohort.id


def letters(neighbours: Neighbours, template: str) -> list[notify.Draft]:
    sent = neighbours.of(notify.SendMessagesRequest)
    return [draft for request in sent for draft in request.drafts if draft.template == template]


async def test_a_session_that_is_moved_or_cancelled_is_told_and_shown(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    planned = (await shown(program, cohort_id)).phases[0].sessions[0]
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    name = f"{cohort_id}:{planned.session}"
    moved = coaching.SessionScheduled(
        session_id=name,
        phase="governance",
        title=planned.title,
        place=planned.place,
        start_time=clock.stamp(start),
        end_time=clock.stamp(start + timedelta(hours=2)),
        time_zone=planned.time_zone,
        reason="the hall is flooded",
    )
    await program.hear(moved, version=2, cohort_id=cohort_id, rehearsal=cohort_id, aggregate_id=f"session:{name}")

    async def is_shown() -> bool:
        session = (await shown(program, cohort_id)).phases[0].sessions[0]
        return clock.moment(session.start_time) == start

    await eventually(is_shown)
    await eventually(lambda: _many(neighbours, "session_moved"))
    [one, *others] = letters(neighbours, "session_moved")
    assert {draft.recipient.institution for draft in (one, *others)} == {SUMEDANG, BANDUNG}
    assert one.values["reason"] == "the hall is flooded"
    assert planned.title in one.values["sessions"]

    called_off = coaching.SessionCancelled(session_id=name, phase="governance", reason="no hall")
    about = {"cohort_id": cohort_id, "rehearsal": cohort_id, "aggregate_id": f"session:{name}"}
    await program.hear(called_off, version=3, **about)
    await eventually(lambda: _many(neighbours, "session_cancelled"))
    assert (await shown(program, cohort_id)).phases[0].sessions[0].cancelled


async def test_an_order_can_be_previewed_and_nothing_is_done(program: Running, neighbours: Neighbours) -> None:
    cohort_id = await opened(program)
    before = await shown(program, cohort_id)
    about: dict[str, Any] = {"cohort_id": cohort_id, "reason": "floods", "validate_only": True}
    moving = pb.ReschedulePhaseRequest(request_id=request_id(), phase="governance", deadline_days=2, **about)
    preview = (await steering(program).ReschedulePhase(moving)).preview
    [move] = preview.moves
    assert (move.phase, move.kind) == ("governance", cohort_pb2.MOVE_KIND_DEADLINE)
    assert clock.moment(move.after_time) - clock.moment(move.before_time) == timedelta(seconds=1200)
    [told] = preview.letters
    assert (told.template, told.phase, told.participants) == ("postponed", "governance", 2)
    paused = (await steering(program).PauseCohort(pb.PauseCohortRequest(request_id=request_id(), **about))).preview
    assert [letter.template for letter in paused.letters] == ["paused"]
    cancelling = program_pb.CancelCohortRequest(request_id=request_id(), **about)
    cancelled = (await manager(program).CancelCohort(cancelling)).preview
    assert [(letter.template, letter.participants) for letter in cancelled.letters] == [("cancellation", 2)]
    assert await shown(program, cohort_id) == before
    assert not letters(neighbours, "postponed") + letters(neighbours, "paused") + letters(neighbours, "cancellation")


async def _many(neighbours: Neighbours, template: str) -> bool:
    return {draft.recipient.institution for draft in letters(neighbours, template)} == {SUMEDANG, BANDUNG}
