"""What a manager's command does to a cohort that runs, or why it cannot be. Pure: the cohort's state is changed only
after nothing more can be refused."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import Kind, Refused, precondition
from services.program import clock, phase_orders, roster_orders
from services.program.agenda import Cohort

# A repeat comes soon, or never.
_ANSWERS_KEPT = 200


def known_answer(state: pb.ProgramState, command: command_pb2.Command) -> command_pb2.CommandAnswer | None:
    """What a command with this request_id was answered; ALREADY_EXISTS where it was another command."""
    for answer in state.answers:
        if answer.request_id == command.request_id:
            if answer.fingerprint != _fingerprint(command):
                message = f"request {command.request_id} was another command: choose another request_id"
                raise Refused(Kind.ALREADY_EXISTS, "REQUEST_EXISTS", message)
            return answer
    return None


def require_steerable(state: pb.ProgramState, *, ending: bool) -> None:
    """COHORT_ENDED from the moment at which its end has begun."""
    if ending or state.cancelling or state.outcome:
        raise precondition("COHORT_ENDED", "the cohort has ended, or is about to")


def carry_out(cohort: Cohort, command: command_pb2.Command, now: datetime) -> pb.CommandStep:
    """Changes the cohort's state and answers what the read model is to be told, with the phases that changed. Refused
    with the reason where the command does not fit what stands; then nothing has changed."""
    before = [record.SerializeToString(deterministic=True) for record in cohort.state.phases]
    step = pb.CommandStep(command=command, time=clock.stamp(now))
    order = command.WhichOneof("order")
    if order is None:
        raise precondition("NO_ORDER", "the command holds no order that this version knows")
    _ORDERS[order](cohort, command, step, now)
    state = cohort.state
    state.revision += 1
    state.answers.add(
        request_id=command.request_id, awaiting_second=step.awaiting_second, fingerprint=_fingerprint(command)
    )
    del state.answers[:-_ANSWERS_KEPT]
    step.revision = state.revision
    step.state = cohort_pb2.COHORT_STATE_PAUSED if cohort.paused else cohort_pb2.COHORT_STATE_RUNNING
    if cohort.paused:
        step.pause_time.CopyFrom(state.pause_time)
    step.proposals.extend(state.proposals)
    for place, record in enumerate(state.phases):
        if record.SerializeToString(deterministic=True) != before[place]:
            step.phases.append(record)
    return step


_Order = Callable[[Cohort, command_pb2.Command, pb.CommandStep, datetime], None]
_ORDERS: dict[str, _Order] = {
    "pause": phase_orders.pause,
    "resume": phase_orders.resume,
    "reschedule": phase_orders.reschedule,
    "reopen": phase_orders.reopen,
    "override": phase_orders.override,
    "resolve": phase_orders.resolve,
    "readmit": roster_orders.readmit,
    "enrol": roster_orders.enrol,
    "replace": roster_orders.replace,
    "split": roster_orders.split,
}


def _fingerprint(command: command_pb2.Command) -> bytes:
    return hashlib.sha256(command.SerializeToString(deterministic=True)).digest()
