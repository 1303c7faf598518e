"""Rules of a gate: what it may require, and when reminders and escalations may go out. Pure."""

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from programs.phases import required
from programs.rules import shapes
from programs.rules.shapes import Faults

_MOST_DAYS = 365
_MOST_ESCALATIONS = 20
_ON_MISS = {
    definition_pb2.ON_MISS_EXTEND: "extend",
    definition_pb2.ON_MISS_GO_ON: "go_on",
    definition_pb2.ON_MISS_HOLD: "hold",
    definition_pb2.ON_MISS_STOP: "stop",
}


def faults(path: str, phase: definition_pb2.Phase) -> Faults:
    """Every fault of the gate, the reminders and the escalations of a phase."""
    if not phase.HasField("gate"):
        yield Violation(f"{path}.gate", "is required")
    elif phase.gate.decision:
        yield from _decision(f"{path}.gate", phase.gate)
    else:
        yield from _quorum(f"{path}.gate", phase)
    yield from _reminders(f"{path}.remind_days_before", phase)
    yield from _escalations(f"{path}.escalations", phase)


def _decision(path: str, gate: definition_pb2.Gate) -> Faults:
    """A manager closes the phase, so that nothing else of a gate has a meaning."""
    for field in ("quorum_percent", "quorum_of", "extend_days"):
        if getattr(gate, field):
            yield Violation(f"{path}.{field}", "has no meaning where only a manager's decision closes the phase")
    if gate.on_miss not in {definition_pb2.ON_MISS_UNSPECIFIED, definition_pb2.ON_MISS_HOLD}:
        yield Violation(f"{path}.on_miss", "contradicts decision: the phase stays open until a manager decides")


def _quorum(path: str, phase: definition_pb2.Phase) -> Faults:
    gate = phase.gate
    if not 1 <= gate.quorum_percent <= 100:
        yield Violation(f"{path}.quorum_percent", f"must be between 1 and 100, not {gate.quorum_percent}")
    if gate.on_miss not in _ON_MISS:
        yield Violation(f"{path}.on_miss", f"must be one of {', '.join(_ON_MISS.values())}")
    extends = gate.on_miss == definition_pb2.ON_MISS_EXTEND
    if extends and not 1 <= gate.extend_days <= _MOST_DAYS:
        yield Violation(f"{path}.extend_days", f"must be between 1 and {_MOST_DAYS} where a missed quorum extends")
    if not extends and gate.extend_days:
        yield Violation(f"{path}.extend_days", "has no meaning where a missed quorum does not extend")
    here = {duty.id for duty in phase.duties}
    for i, duty in enumerate(gate.quorum_of):
        if duty in gate.quorum_of[:i]:
            yield Violation(f"{path}.quorum_of[{i}]", f"names {duty[:80]} twice")
        elif duty not in here:
            yield Violation(f"{path}.quorum_of[{i}]", f"{duty[:80]!r} is no duty of this phase")
    if gate.on_miss == definition_pb2.ON_MISS_HOLD and not required(phase) and not gate.quorum_of:
        yield Violation(f"{path}.on_miss", "would hold for nothing: no duty of the phase is required or in quorum_of")


def _reminders(path: str, phase: definition_pb2.Phase) -> Faults:
    for i, days in enumerate(phase.remind_days_before):
        if days in phase.remind_days_before[:i]:
            yield Violation(f"{path}[{i}]", f"reminds {days} days before twice")
        yield from _not_open_yet(f"{path}[{i}]", phase, days)


def _escalations(path: str, phase: definition_pb2.Phase) -> Faults:
    if len(phase.escalations) > _MOST_ESCALATIONS:
        yield Violation(path, f"has {len(phase.escalations)} items; at most {_MOST_ESCALATIONS} are taken")
    elif phase.escalations and not required(phase):
        yield Violation(path, "have nothing to tell: the phase requires no duty")
    seen: set[int] = set()
    for i, escalation in enumerate(phase.escalations[:_MOST_ESCALATIONS]):
        yield from _escalation(f"{path}[{i}]", phase, escalation)
        if escalation.days_before in seen:
            yield Violation(f"{path}[{i}].days_before", f"{escalation.days_before} stands here twice: name all in one")
        seen.add(escalation.days_before)


def _escalation(path: str, phase: definition_pb2.Phase, escalation: definition_pb2.Escalation) -> Faults:
    if not escalation.to:
        yield Violation(f"{path}.to", "is required: who is told?")
    for i, role in enumerate(escalation.to):
        if role not in shapes.OF_INSTITUTION:
            yield Violation(f"{path}.to[{i}]", f"must be one of {shapes.ROLES_OF_INSTITUTION}")
        elif role in escalation.to[:i]:
            yield Violation(f"{path}.to[{i}]", f"names {shapes.role_name(role)} twice")
    days = escalation.days_before
    if days >= 0:
        yield from _not_open_yet(f"{path}.days_before", phase, days)
    elif not (phase.gate.decision or phase.gate.on_miss == definition_pb2.ON_MISS_HOLD):
        # Where a gate extends, days count from the moved deadline: after it the phase has closed too.
        yield Violation(f"{path}.days_before", "is after the last day, and this phase does not go on then")
    elif -days > _MOST_DAYS:
        yield Violation(f"{path}.days_before", f"is {-days} days after the last day; at most {_MOST_DAYS} are taken")


def _not_open_yet(path: str, phase: definition_pb2.Phase, days: int) -> Faults:
    opens, closes = shapes.day(phase.opens), shapes.day(phase.closes)
    if opens and closes and opens <= closes and days > (closes - opens).days:
        yield Violation(path, f"{days} days before the last day, {closes}, the phase is not open yet")
