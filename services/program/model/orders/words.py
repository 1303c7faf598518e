"""Orders in words, for the audit. Pure."""

from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.program.v1 import cohort_pb2, command_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock

_ACTIONS = {
    cohort_pb2.GATE_ACTION_CLOSE: "closed",
    cohort_pb2.GATE_ACTION_EXCUSE: "closed, with everybody excused",
    cohort_pb2.GATE_ACTION_STOP: "stopped the cohort",
}


def subject(command: command_pb2.Command) -> tuple[str, str]:
    """The phase and the institution that an order is about; empty where it is about none."""
    order = getattr(command, command.WhichOneof("order") or "pause")
    if isinstance(order, command_pb2.EnrolOrder):
        return "", order.participant.institution
    return getattr(order, "phase", ""), getattr(order, "institution", "")


def outcome(step: pb.CommandStep, zone: str) -> str:
    """What an order came to; times are told in the cohort's zone."""
    kind = step.command.WhichOneof("order") or ""
    order = getattr(step.command, kind)
    changed = {record.phase: record for record in step.phases}
    if kind == "reschedule" and (record := changed.get(order.phase)):
        return f"opens {_time(record.open_time, zone)}, closes {_end(record.deadline_time, zone)}"
    if kind == "reopen" and (record := changed.get(order.phase)):
        back = f", {_count(len(order.institutions), 'participant')} in again" if order.readmit else ""
        return f"open until {_end(record.deadline_time, zone)}{back}; who was excused owes its duties again"
    if kind == "override":
        if step.awaiting_second:
            return "waits for a second manager"
        seconded = f", as {step.proposed_by} proposed" if step.proposed_by else ""
        return _ACTIONS.get(order.action, "") + seconded
    if kind == "replace":
        return f"{order.person.name} acts from now on"
    if kind == "split":
        return f"{_count(len(set(order.institutions)), 'participant')} went on in {order.cohort_id}"
    if kind == "resolve":
        return "asked again" if order.retry else "left as it is"
    return {
        "pause": "paused",
        "resume": "resumed",
        "readmit": "in again",
        "enrol": "in the cohort",
        "withdraw": "withdrawn",
        "cancel": "being cancelled",
    }.get(kind, "")


def _time(at: Timestamp, zone: str) -> str:
    return f"{clock.moment(at).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def _end(at: Timestamp, zone: str) -> str:
    """A midnight is the end of the day before it."""
    local = clock.moment(at).astimezone(ZoneInfo(zone))
    if (local.hour, local.minute, local.second) != (0, 0, 0):
        return _time(at, zone)
    return f"{local - clock.DAY:%Y-%m-%d} 24:00 {local - clock.DAY:%Z}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
