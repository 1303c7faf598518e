"""`livinglab cohort pause`, `extend`, `override` ...: orders about a cohort and its phases, each with a reason."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cohort import preview, view
from cli.cohort.preview import DryRun
from cli.cohort.view import CohortId, Reason
from cli.speak.output import AsJson, print_json, say
from cli.speak.sentences import days as in_days
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2

PhaseId = Annotated[str, typer.Argument(metavar="PHASE", help="The id of a phase.")]
Days = Annotated[int, typer.Option("--days", help="Whole program days.")]
# An order is carried out within tenths of a second; a cohort in which people act at once is never quiet.
_QUIET_SECONDS = 0.6
_LONGEST_WAIT_SECONDS = 4.0

RequestId = Annotated[
    str, typer.Option("--request-id", help="The same id again is the same order, and has the same answer.")
]


def order(method: str, request_id: str, as_json: bool, said: str, **fields: Any) -> None:
    """Sends one order, and tells what became of it: the cohort as it stands then."""
    from cli.speak import connection

    if fields.get("validate_only"):
        preview.show(connection.run(send(method, request_id or connection.new_request_id(), **fields)).preview, as_json)
        return
    answer = connection.run(_ordered(method, request_id or connection.new_request_id(), **fields))
    if as_json:
        waits = {"awaiting_second": answer.awaiting_second} if method == "OverrideGate" else {}
        print_json({**waits, "cohort": view.as_dict(answer.cohort)})
        return
    waiting = getattr(answer, "awaiting_second", False)
    say(sentence("second") if waiting else said)
    view.show(answer.cohort, as_json=False)


async def _ordered(method: str, request_id: str, **fields: Any) -> Any:
    """The answer, with the cohort as it stands once what the order brings about is done."""
    answer = await send(method, request_id, **fields)
    answer.cohort.CopyFrom(await settled(answer.cohort))
    return answer


async def settled(cohort: "cohort_pb2.Cohort") -> "cohort_pb2.Cohort":
    """The cohort once nothing of it has changed for a moment: its workflow carries an order out after the answer."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    latest = cohort
    async with connection.connected("program", ProgramServiceStub) as program:
        stub: Any = program
        changes = stub.WatchCohort(pb.WatchCohortRequest(cohort_id=cohort.id)).__aiter__()
        give_up = asyncio.get_running_loop().time() + _LONGEST_WAIT_SECONDS
        while (left := give_up - asyncio.get_running_loop().time()) > 0:
            try:
                latest = (await asyncio.wait_for(anext(changes), min(_QUIET_SECONDS, left))).cohort
            except (TimeoutError, StopAsyncIteration):
                break
    return latest


async def send(method: str, request_id: str, **fields: Any) -> Any:
    """The answer to one order."""
    from livinglab.program.v1 import steering_service_pb2 as pb
    from livinglab.program.v1.steering_service_pb2_grpc import SteeringServiceStub

    from cli.speak import connection

    request = getattr(pb, f"{method}Request")(request_id=request_id, **fields)
    async with connection.connected("program", SteeringServiceStub) as steering:
        return await getattr(steering, method)(request)


def pause(
    cohort_id: CohortId, reason: Reason, request_id: RequestId = "", dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Stop the clock of a cohort: nothing opens, closes or is due until it is resumed."""
    _cohort("PauseCohort", cohort_id, reason, request_id, as_json, "is_paused", dry_run)


def resume(
    cohort_id: CohortId, reason: Reason, request_id: RequestId = "", dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Go on after a pause; everything to come is later by the days that it took, within one day by none."""
    _cohort("ResumeCohort", cohort_id, reason, request_id, as_json, "is_resumed", dry_run)


def _cohort(method: str, cohort_id: str, reason: str, request_id: str, as_json: bool, said: str, dry_run: bool) -> None:
    fields = {"cohort_id": cohort_id, "reason": reason, "validate_only": dry_run}
    order(method, request_id, as_json, sentence(said, cohort=cohort_id), **fields)


def extend(
    cohort_id: CohortId,
    phase: PhaseId,
    days: Days,
    reason: Reason,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move the deadline of a phase: later, or with days below zero earlier."""
    moves = {"deadline_days": days, "validate_only": dry_run}
    _phase("ReschedulePhase", cohort_id, phase, reason, request_id, as_json, _moved("closes", phase, days), **moves)


def move(
    cohort_id: CohortId,
    phase: PhaseId,
    days: Days,
    reason: Reason,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a phase that has not opened as a whole: its opening, its sessions and its deadline."""
    moves = {"open_days": days, "deadline_days": days, "validate_only": dry_run}
    _phase("ReschedulePhase", cohort_id, phase, reason, request_id, as_json, _moved("is", phase, days), **moves)


def reopen(
    cohort_id: CohortId,
    phase: PhaseId,
    days: Days,
    reason: Reason,
    readmit: Annotated[bool, typer.Option("--readmit", help="Who failed at this phase is in again.")] = False,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Open a phase again that has closed, until a day is over; who was excused of it owes its duties again."""
    about = {"days": days, "readmit": readmit, "validate_only": dry_run}
    _phase("ReopenPhase", cohort_id, phase, reason, request_id, as_json, sentence("open_again", phase=phase), **about)


def override(
    cohort_id: CohortId,
    phase: PhaseId,
    reason: Reason,
    close: Annotated[bool, typer.Option("--close", help="Close it now; who lacks a required duty has failed.")] = False,
    excuse: Annotated[bool, typer.Option("--excuse", help="Close it now, and excuse who lacks a duty.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the cohort here.")] = False,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Decide over the gate of an open phase; where two persons are asked for, another manager confirms."""
    from livinglab.program.v1 import cohort_pb2

    if [close, excuse, stop].count(True) != 1:
        raise typer.BadParameter("give one of --close, --excuse and --stop")
    chosen = "CLOSE" if close else "EXCUSE" if excuse else "STOP"
    action = cohort_pb2.GateAction.Value(f"GATE_ACTION_{chosen}")
    said = sentence("phase_stops" if stop else "phase_closes", phase=phase)
    about = {"action": action, "validate_only": dry_run}
    _phase("OverrideGate", cohort_id, phase, reason, request_id, as_json, said, **about)


def _phase(
    method: str, cohort_id: str, phase: str, reason: str, request_id: str, as_json: bool, said: str, **about: Any
) -> None:
    fields = {"cohort_id": cohort_id, "phase": phase, "reason": reason, **about}
    order(method, request_id, as_json, said, **fields)


def _moved(what: str, phase: str, days: int) -> str:
    """What moved, and how far."""
    return sentence(f"{what}_{'earlier' if days < 0 else 'later'}", phase=phase, days=in_days(abs(days)))


VERBS: tuple[Callable[..., None], ...] = (pause, resume, extend, move, reopen, override)
