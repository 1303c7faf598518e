"""What each kind of duty needs to say, and in which order duties make sense. Pure."""

import re
from collections.abc import Collection
from decimal import Decimal

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from chassis.forms import periods
from programs.rules.shapes import Faults, slug

_SHARE = re.compile(r"[01](\.\d{1,6})?", re.ASCII)
EVALUATIONS = frozenset({definition_pb2.DUTY_KIND_SELF_ASSESS, definition_pb2.DUTY_KIND_REASSESS})
# Kinds that are counted, and the most that one duty may ask for.
_MOST_COUNTED = {
    definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE: 200,
    definition_pb2.DUTY_KIND_HOST_VISIT: 50,
    definition_pb2.DUTY_KIND_VISIT: 50,
}


def faults(definition: definition_pb2.Definition, known_instruments: Collection[str] | None) -> Faults:
    """Every fault of the duties of a definition."""
    evaluated: set[tuple[str, str]] = set()
    counted: dict[tuple[int, str, str, int], str] = {}
    planned = False
    for i, phase in enumerate(definition.phases):
        for j, duty in enumerate(phase.duties):
            path = f"phases[{i}].duties[{j}]"
            yield from _identity(path, duty)
            yield from _foreign_fields(path, duty)
            if duty.kind == definition_pb2.DUTY_KIND_ATTEND:
                yield from _attend(path, phase, duty)
            elif duty.kind in EVALUATIONS:
                yield from _evaluate(path, duty, known_instruments, evaluated)
            elif duty.kind == definition_pb2.DUTY_KIND_SIGN_COMMITMENT:
                if options_pb2.ROLE_REGENT not in phase.invites:
                    yield Violation(f"{path}.kind", "asks for a signature in a phase that does not invite the regent")
            elif duty.kind == definition_pb2.DUTY_KIND_FOLLOW_UP:
                yield from _follow_up(path, duty, planned)
            elif duty.kind in _MOST_COUNTED:
                yield from _counted(path, phase, duty, known_instruments, counted)
            planned = planned or duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED


def _identity(path: str, duty: definition_pb2.Duty) -> Faults:
    yield from slug(f"{path}.id", duty.id)
    if not duty.kind or duty.kind not in definition_pb2.DutyKind.values():
        yield Violation(f"{path}.kind", "is required" if not duty.kind else f"{duty.kind} is no kind of duty")


def _foreign_fields(path: str, duty: definition_pb2.Duty) -> Faults:
    """Fields that another kind of duty has: their author meant something that would not happen."""
    if duty.kind not in definition_pb2.DutyKind.values() or not duty.kind:
        return
    name = definition_pb2.DutyKind.Name(duty.kind).removeprefix("DUTY_KIND_").lower()
    evaluation = duty.kind in EVALUATIONS or duty.kind == definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE
    of_kind = {
        "roles": duty.kind == definition_pb2.DUTY_KIND_ATTEND,
        "instrument": evaluation,
        "period": evaluation,
        "share": duty.kind == definition_pb2.DUTY_KIND_FOLLOW_UP,
        "count": duty.kind in _MOST_COUNTED,
    }
    for field, meant in of_kind.items():
        if getattr(duty, field) and not meant:
            yield Violation(f"{path}.{field}", f"has no meaning for a duty of kind {name}")


def _attend(path: str, phase: definition_pb2.Phase, duty: definition_pb2.Duty) -> Faults:
    if not duty.roles:
        yield Violation(f"{path}.roles", "is required: who has to come?")
    if not phase.sessions:
        yield Violation(f"{path}.kind", "asks to attend in a phase that has no session")
    for i, role in enumerate(duty.roles):
        if role not in phase.invites:
            yield Violation(f"{path}.roles[{i}]", "is not invited to this phase")


def _evaluate(
    path: str,
    duty: definition_pb2.Duty,
    known_instruments: Collection[str] | None,
    evaluated: set[tuple[str, str]],
) -> Faults:
    yield from _evaluation(path, duty, known_instruments)
    if (duty.instrument, duty.period) in evaluated:
        yield Violation(f"{path}.period", f"{duty.instrument} of {duty.period} is a duty already")
    evaluated.add((duty.instrument, duty.period))


def _evaluation(path: str, duty: definition_pb2.Duty, known_instruments: Collection[str] | None) -> Faults:
    if not duty.instrument:
        yield Violation(f"{path}.instrument", "is required")
    elif known_instruments is not None and duty.instrument not in known_instruments:
        yield Violation(f"{path}.instrument", f"{duty.instrument[:80]!r} is not a known instrument")
    if not periods.is_period(duty.period):
        yield Violation(
            f"{path}.period",
            f"must be {periods.EXAMPLES}, not {duty.period[:80]!r}" if duty.period else "is required",
        )


def _counted(
    path: str,
    phase: definition_pb2.Phase,
    duty: definition_pb2.Duty,
    known_instruments: Collection[str] | None,
    counted: dict[tuple[int, str, str, int], str],
) -> Faults:
    if duty.kind == definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE:
        yield from _evaluation(path, duty, known_instruments)
    most = _MOST_COUNTED[duty.kind]
    if duty.count > most:
        yield Violation(f"{path}.count", f"must be between 1 and {most}, not {duty.count}")
    # A visit belongs to its phase, evidence to its evaluation.
    about = (duty.instrument, duty.period) if duty.instrument else (phase.id, "")
    key = (duty.kind, *about, duty.count or 1)
    if key in counted:
        yield Violation(f"{path}.kind", f"asks for the same as duty {counted[key]}")
    counted.setdefault(key, duty.id[:80])


def _follow_up(path: str, duty: definition_pb2.Duty, planned: bool) -> Faults:
    if not _SHARE.fullmatch(duty.share) or not 0 < Decimal(duty.share) <= 1:
        yield Violation(f"{path}.share", f"must be a decimal over 0 and up to 1, not {duty.share[:80]!r}")
    if not planned:
        yield Violation(f"{path}.kind", "asks to follow up before any duty of kind plan_approved")
