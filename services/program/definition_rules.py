"""What a definition must hold: phases in sequence, sessions within them, gates and reminders. Pure."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from services.program import clock, duty_rules, shapes
from services.program.shapes import Faults

_MOST_PHASES = 24
_MOST_PER_PHASE = 40
_MOST_DAYS = 365


def faults(definition: definition_pb2.Definition, known_instruments: Collection[str] | None = None) -> list[Violation]:
    """Every fault of a definition by itself."""
    return list(_definition(definition, known_instruments))


def _definition(definition: definition_pb2.Definition, known_instruments: Collection[str] | None) -> Faults:
    yield from shapes.slug("id", definition.id)
    if definition.version < 1:
        yield Violation("version", "must be 1 or more")
    yield from shapes.text("title", definition.title)
    yield from shapes.long("source", definition.source, shapes.LONGEST_NOTE)
    zone = shapes.time_zone(definition.time_zone)
    if zone is None:
        yield Violation("time_zone", shapes.no_zone(definition.time_zone))
    if not definition.phases:
        yield Violation("phases", "has no phase")
    elif len(definition.phases) > _MOST_PHASES:
        yield Violation("phases", f"has {len(definition.phases)} phases; at most {_MOST_PHASES} are taken")
    yield from shapes.unique("phase", ((f"phases[{i}].id", phase.id) for i, phase in enumerate(definition.phases)))
    before: tuple[str, date] | None = None
    for i, phase in enumerate(definition.phases[:_MOST_PHASES]):
        yield from _phase(f"phases[{i}]", phase, zone, before)
        if (closes := shapes.day(phase.closes)) is not None:
            before = (phase.id, max(closes, before[1]) if before else closes)
    yield from _across_phases(definition)
    yield from duty_rules.faults(definition, known_instruments)
    for i, target in enumerate(definition.targets):
        yield from _target(f"targets[{i}]", target)


def _across_phases(definition: definition_pb2.Definition) -> Faults:
    places = list(enumerate(definition.phases))
    duties = ((f"phases[{i}].duties[{j}].id", d.id) for i, p in places for j, d in enumerate(p.duties))
    sessions = ((f"phases[{i}].sessions[{j}].id", s.id) for i, p in places for j, s in enumerate(p.sessions))
    yield from shapes.unique("duty", duties)
    yield from shapes.unique("session", sessions)


def _phase(path: str, phase: definition_pb2.Phase, zone: ZoneInfo | None, before: tuple[str, date] | None) -> Faults:
    yield from shapes.slug(f"{path}.id", phase.id)
    yield from shapes.text(f"{path}.title", phase.title)
    yield from shapes.long(f"{path}.title_en", phase.title_en, shapes.LONGEST_TEXT)
    opens, closes = shapes.day(phase.opens), shapes.day(phase.closes)
    for name, text, day in (("opens", phase.opens, opens), ("closes", phase.closes, closes)):
        if day is None:
            yield Violation(
                f"{path}.{name}", f"must be a date such as 2022-11-01, not {text!r}" if text else "is required"
            )
    if opens and closes and opens > closes:
        yield Violation(f"{path}.opens", f"is after it closes on {closes}")
    if opens and before and opens <= before[1]:
        yield Violation(f"{path}.opens", f"overlaps phase {before[0]}, which closes on {before[1]}")
    for i, role in enumerate(phase.invites):
        if role not in shapes.OF_INSTITUTION:
            yield Violation(
                f"{path}.invites[{i}]", f"must be one of {', '.join(map(shapes.role_name, shapes.OF_INSTITUTION))}"
            )
        elif role in phase.invites[:i]:
            yield Violation(f"{path}.invites[{i}]", f"invites {shapes.role_name(role)} twice")
    if not phase.invites:
        yield Violation(f"{path}.invites", "invites nobody")
    for name, count in (("duties", len(phase.duties)), ("sessions", len(phase.sessions))):
        if count > _MOST_PER_PHASE:
            yield Violation(f"{path}.{name}", f"has {count} items; at most {_MOST_PER_PHASE} are taken")
    for i, session in enumerate(phase.sessions[:_MOST_PER_PHASE]):
        yield from _session(f"{path}.sessions[{i}]", session, phase, zone)
    yield from _gate(f"{path}.gate", phase)
    yield from _reminders(f"{path}.remind_days_before", phase, opens, closes)


def _session(
    path: str, session: definition_pb2.DefinedSession, phase: definition_pb2.Phase, zone: ZoneInfo | None
) -> Faults:
    yield from shapes.slug(f"{path}.id", session.id)
    yield from shapes.text(f"{path}.title", session.title)
    yield from shapes.long(f"{path}.place", session.place, shapes.LONGEST_TEXT)
    own_zone = shapes.time_zone(session.time_zone)
    if own_zone is None:
        yield Violation(f"{path}.time_zone", shapes.no_zone(session.time_zone))
    start, end = shapes.local_time(session.start, own_zone), shapes.local_time(session.end, own_zone)
    for name, text, at in (("start", session.start, start), ("end", session.end, end)):
        if at is None and (own_zone is not None or not shapes.LOCAL_TIME.fullmatch(text)):
            yield Violation(f"{path}.{name}", f"must be a local time such as 2022-11-07T09:00, not {text!r}")
    if start is None or end is None:
        return
    if end <= start:
        yield Violation(f"{path}.end", "is not after its start")
    if zone is None or shapes.day(phase.opens) is None or shapes.day(phase.closes) is None:
        return
    if start < clock.opening(zone.key, phase) or end > clock.closing(zone.key, phase):
        yield Violation(f"{path}.start", f"lies outside of its phase, {phase.opens} to {phase.closes}")


def _gate(path: str, phase: definition_pb2.Phase) -> Faults:
    if not phase.HasField("gate"):
        yield Violation(path, "is required")
        return
    gate = phase.gate
    if not 1 <= gate.quorum_percent <= 100:
        yield Violation(f"{path}.quorum_percent", f"must be between 1 and 100, not {gate.quorum_percent}")
    if gate.on_miss not in definition_pb2.OnMiss.values() or not gate.on_miss:
        yield Violation(f"{path}.on_miss", "must be extend, go_on or stop")
    if gate.on_miss == definition_pb2.ON_MISS_EXTEND and not 1 <= gate.extend_days <= _MOST_DAYS:
        yield Violation(f"{path}.extend_days", f"must be between 1 and {_MOST_DAYS} where a missed quorum extends")
    if gate.on_miss != definition_pb2.ON_MISS_EXTEND and gate.extend_days:
        yield Violation(f"{path}.extend_days", "has no meaning where a missed quorum does not extend")


def _reminders(path: str, phase: definition_pb2.Phase, opens: date | None, closes: date | None) -> Faults:
    for i, days in enumerate(phase.remind_days_before):
        if days in phase.remind_days_before[:i]:
            yield Violation(f"{path}[{i}]", f"reminds {days} days before twice")
        if opens and closes and opens <= closes and days > (closes - opens).days:
            yield Violation(f"{path}[{i}]", f"{days} days before the last day, {closes}, the phase is not open yet")


def _target(path: str, target: definition_pb2.Target) -> Faults:
    try:
        index = Decimal(target.index)
    except InvalidOperation:
        index = Decimal(-1)
    if not 0 < index <= 100:
        yield Violation(f"{path}.index", f"must be a decimal such as 3.0, not {target.index!r}")
    if not 2000 <= target.year <= 2100:
        yield Violation(f"{path}.year", f"must be a year such as 2023, not {target.year}")
    if target.scope not in {"region", "mean"}:
        yield Violation(f"{path}.scope", f"must be region or mean, not {target.scope!r}")
