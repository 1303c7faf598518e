"""Orders about participants: readmit, enrol, replace, split. Pure."""

from datetime import datetime

from livinglab.program.v1 import command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from chassis.errors import Kind, Refused, precondition
from services.program.model import splitting, states
from services.program.model.agenda import Cohort
from services.program.model.errands import announce, is_told, require_active, require_no_closing, take_in
from services.program.model.orders import words


def readmit(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    code = command.readmit.institution
    outcome = cohort.state.ended.get(code)
    if outcome is None:
        raise precondition("PARTICIPANT_ACTIVE", f"{code} is in the cohort")
    if outcome == states.GRADUATED:
        raise precondition("PARTICIPANT_ENDED", f"{code} has graduated")
    require_no_closing(cohort)
    take_in(cohort, command, [code])


def enrol(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    code = command.enrol.participant.institution
    if code in cohort.state.enrolled:
        raise Refused(Kind.ALREADY_EXISTS, "PARTICIPANT_EXISTS", f"{code} is in the cohort")
    require_no_closing(cohort)
    cohort.state.enrolled.append(code)
    for place in cohort.open_places():
        if not cohort.definition.phases[place].HasField("when"):
            cohort.state.phases[place].invited += 1
    take_in(cohort, command, [code])


def replace(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    """Who acts from now on is invited to what is open for the role."""
    order = command.replace
    require_active(cohort, [order.institution])
    for place, phase in enumerate(cohort.definition.phases):
        if is_told(cohort, place, order.institution) and order.person.role in phase.invites:
            notice = pb.Notice(
                template="invitation",
                occasion=f"{phase.id}.{words.mark(command)}",
                phase=phase.id,
                roles=[order.person.role],
                email=order.person.email,
            )
            announce(cohort, pb.Announcement(notice=notice, only=[order.institution]))


def withdraw(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    """It leaves at once, whatever else goes on: see `farewell`."""
    require_active(cohort, [command.withdraw.institution])


def farewell(command: command_pb2.Command) -> pb.Announcement:
    """What who withdraws is told."""
    leaving = pb.Withdrawal(reason=command.reason, actor=command.actor)
    return pb.Announcement(withdrawal=leaving, only=[command.withdraw.institution])


def split(cohort: Cohort, command: command_pb2.Command, step: pb.CommandStep, now: datetime) -> None:
    order = command.split
    going = sorted(set(order.institutions))
    if not going:
        raise precondition("NOBODY_GOES", "no participant would go: nothing would be split")
    require_active(cohort, going)
    require_no_closing(cohort)
    if len(going) >= cohort.active_count:
        raise precondition("NOBODY_STAYS", "every participant would go: nothing would be split")
    step.split_state.CopyFrom(splitting.split_state(cohort, going, now))
    farewell = pb.Withdrawal(
        reason=f"moved to cohort {order.cohort_id}: {command.reason}", actor=command.actor, moved_to=order.cohort_id
    )
    announce(cohort, pb.Announcement(withdrawal=farewell, only=going))
