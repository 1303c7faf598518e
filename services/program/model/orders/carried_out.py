"""Carries out a manager's order on the state of a running cohort, or refuses it. Pure: the state changes only when
nothing can be refused any more."""

import hashlib
from collections.abc import Callable
from datetime import datetime

from livinglab.program.v1 import command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import Kind, Refused, precondition
from programs import clock
from services.program.model import identity
from services.program.model.agenda import Cohort
from services.program.model.orders import phases as phase_orders
from services.program.model.orders import roster as roster_orders

# A repeat comes soon, or never.
_ANSWERS_KEPT = 200


def known_answer(state: pb.ProgramState, command: command_pb2.Command) -> command_pb2.CommandAnswer | None:
    """What this actor's order of this kind with this request_id was answered; ALREADY_EXISTS where it said something
    else."""
    known = identity.key(command)
    for answer in state.answers:
        if answer.key == known:
            if answer.fingerprint != _fingerprint(command):
                message = f"request {command.request_id} was another command: choose another request_id"
                raise Refused(Kind.ALREADY_EXISTS, "REQUEST_EXISTS", message)
            return command_pb2.CommandAnswer(request_id=answer.request_id, awaiting_second=answer.awaiting_second)
    return None


def require_steerable(state: pb.ProgramState, command: command_pb2.Command, *, over: bool, ending: bool) -> None:
    """COHORT_ENDED from the moment at which its end has begun; it can be cancelled until the last one has left."""
    if (ending if command.HasField("cancel") else over) or state.cancelling or state.outcome:
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
        request_id=command.request_id,
        awaiting_second=step.awaiting_second,
        fingerprint=_fingerprint(command),
        key=identity.key(command),
    )
    del state.answers[:-_ANSWERS_KEPT]
    step.revision = state.revision
    step.state = cohort.running_state
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
    "withdraw": roster_orders.withdraw,
    "cancel": phase_orders.cancel,
}


def take_back(cohort: Cohort, step: pb.CommandStep) -> Refused:
    """A split that could not be recorded, since the new cohort's id was taken meanwhile, has not been: nobody goes.
    The refusal that answers it."""
    state = cohort.state
    others = [answer for answer in state.answers if answer.key != identity.key(step.command)]
    del state.answers[:]
    state.answers.extend(others)
    going = step.command.split.cohort_id
    staying = [errand for errand in state.errands if errand.announcement.withdrawal.moved_to != going]
    del state.errands[:]
    state.errands.extend(staying)
    return Refused(Kind.ALREADY_EXISTS, "COHORT_EXISTS", f"there is a cohort {going} already")


def _fingerprint(command: command_pb2.Command) -> bytes:
    """Of what a caller says: whom a reopening takes in again is looked up anew for each call."""
    said = command_pb2.Command()
    said.CopyFrom(command)
    if said.HasField("reopen"):
        del said.reopen.institutions[:]
    return hashlib.sha256(said.SerializeToString(deterministic=True)).digest()
