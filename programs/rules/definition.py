"""What a definition must hold: phases one after the other or side by side, with sessions within them. Pure."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from programs import clock, sequence
from programs.rules import conditions, gates, shapes
from programs.rules import duties as duty_rules
from programs.rules.shapes import Faults

_MOST_PHASES = 24
_MOST_PER_PHASE = 40


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
    for i, phase in enumerate(definition.phases[:_MOST_PHASES]):
        yield from _phase(f"phases[{i}]", phase, zone)
        yield from _order(f"phases[{i}]", definition, i)
    yield from _across_phases(definition)
    yield from duty_rules.faults(definition, known_instruments)
    yield from conditions.faults(definition)
    for i, target in enumerate(definition.targets):
        yield from _target(f"targets[{i}]", target)


def _across_phases(definition: definition_pb2.Definition) -> Faults:
    places = list(enumerate(definition.phases))
    duties = ((f"phases[{i}].duties[{j}].id", d.id) for i, p in places for j, d in enumerate(p.duties))
    sessions = ((f"phases[{i}].sessions[{j}].id", s.id) for i, p in places for j, s in enumerate(p.sessions))
    yield from shapes.unique("duty", duties)
    yield from shapes.unique("session", sessions)


def _order(path: str, definition: definition_pb2.Definition, place: int) -> Faults:
    """What comes before the phase: named as it may be, and over before it opens."""
    phase, earlier = definition.phases[place], {p.id for p in definition.phases[:place]}
    if phase.id == sequence.START:
        yield Violation(f"{path}.id", f"{sequence.START} is not free: in `after` it means to wait for no phase")
    for i, name in enumerate(phase.after):
        if name == sequence.START:
            if len(phase.after) > 1:
                yield Violation(f"{path}.after[{i}]", f"{name} stands alone: it waits for no phase")
        elif name in phase.after[:i]:
            yield Violation(f"{path}.after[{i}]", f"names {name[:80]} twice")
        elif name not in earlier:
            yield Violation(f"{path}.after[{i}]", f"{name[:80]!r} is no phase that stands before this one in the file")
    opens, first = shapes.day(phase.opens), shapes.day(definition.phases[0].opens)
    if opens and first and opens < first:
        yield Violation(
            f"{path}.opens", f"is before {definition.phases[0].id}, the first in the file, opens on {first}"
        )
    ends = [(shapes.day(definition.phases[i].closes), i) for i in sequence.waits_for(definition, place)]
    last, at = max(((day, i) for day, i in ends if day), default=(None, 0))
    if opens and last and opens <= last:
        yield Violation(f"{path}.opens", f"overlaps phase {definition.phases[at].id}, which closes on {last}")


def _phase(path: str, phase: definition_pb2.Phase, zone: ZoneInfo | None) -> Faults:
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
    for i, role in enumerate(phase.invites):
        if role not in shapes.OF_INSTITUTION:
            yield Violation(f"{path}.invites[{i}]", f"must be one of {shapes.ROLES_OF_INSTITUTION}")
        elif role in phase.invites[:i]:
            yield Violation(f"{path}.invites[{i}]", f"invites {shapes.role_name(role)} twice")
    if not phase.invites:
        yield Violation(f"{path}.invites", "invites nobody")
    for name, count in (("duties", len(phase.duties)), ("sessions", len(phase.sessions))):
        if count > _MOST_PER_PHASE:
            yield Violation(f"{path}.{name}", f"has {count} items; at most {_MOST_PER_PHASE} are taken")
    for i, session in enumerate(phase.sessions[:_MOST_PER_PHASE]):
        yield from _session(f"{path}.sessions[{i}]", session, phase, zone)
    yield from gates.faults(path, phase)


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


def _target(path: str, target: definition_pb2.Target) -> Faults:
    if shapes.index(target.index) is None:
        yield Violation(f"{path}.index", f"must be a decimal such as 3.0, not {target.index[:80]!r}")
    if not 2000 <= target.year <= 2100:
        yield Violation(f"{path}.year", f"must be a year such as 2023, not {target.year}")
    if target.scope not in {"region", "mean"}:
        yield Violation(f"{path}.scope", f"must be region or mean, not {target.scope[:80]!r}")
