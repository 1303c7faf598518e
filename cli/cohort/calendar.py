"""What a cohort brings, day by day: in sentences for people, as data for programs."""

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cli.speak.output import say

if TYPE_CHECKING:
    from livinglab.program.v1 import definition_pb2, workflow_pb2

    from programs.timeline import Happening


def lateness(happenings: "list[Happening]", now: datetime) -> str:
    """What becomes of days that have passed when a real cohort is launched now; empty where none has."""
    passed = [item for item in happenings if item.at < now]
    if not passed:
        return ""
    since = passed[0].day
    return f"Days since {since} have passed: a phase that opens late closes as many days later, and so those after it."


def tell(happenings: "list[Happening]", pace: "workflow_pb2.Clock | None") -> None:
    """Writes a heading for each day and a line for each thing on it; with `pace`, that of a rehearsal, also when that
    is by the clock of this machine if it is launched now."""
    if pace:
        seconds = pace.seconds_per_day
        say(f"Beside each time of the program: by the clock here, if it is launched now and a day takes {seconds} s.")
    for day, items in groupby(happenings, key=lambda item: item.day):
        say(day.strftime("%a %Y-%m-%d"))
        for item in items:
            wall = f"  {_wall(item, pace).astimezone():%Y-%m-%d %H:%M:%S}" if pace else ""
            say(f"  {_time(item):<10}{wall}  {sentence(item)}{_audience(item)}")


def dates(definition: "definition_pb2.Definition") -> dict[str, Any]:
    """The days of an effective definition as programs read them; conditions, gates and duties by their ids."""
    from programs import sequence
    from programs.rules.shapes import role_name
    from programs.timeline import extends

    phases = definition.phases
    return {
        "time_zone": definition.time_zone,
        "opens": min(phase.opens for phase in phases),
        "closes": max(phase.closes for phase in phases),
        "phases": [
            {
                "phase": phase.id,
                "title": phase.title,
                "opens": phase.opens,
                "closes": phase.closes,
                "extended_by": phase.gate.extend_days if extends(phase) else 0,
                "after": [phases[i].id for i in sequence.waits_for(definition, place)],
                "for_some": phase.HasField("when"),
                "invites": [role_name(role) for role in phase.invites],
                "duties": [duty.id for duty in phase.duties],
                "sessions": [
                    {name: getattr(session, name) for name in ("id", "title", "place", "start", "end", "time_zone")}
                    for session in phase.sessions
                ],
            }
            for place, phase in enumerate(phases)
        ],
    }


def as_data(item: "Happening", pace: "workflow_pb2.Clock | None") -> dict[str, Any]:
    """One thing as programs read it."""
    from programs.rules.shapes import role_name
    from programs.timeline import Kind
    from programs.zones import zone_name

    about = item.kind in {Kind.REMINDER, Kind.ESCALATION}
    return {
        "time": item.local.isoformat(),
        "time_zone": item.zone,
        "zone_name": zone_name(item.local),
        "day": item.day.isoformat(),
        "wall_time": _wall(item, pace).isoformat(timespec="milliseconds").replace("+00:00", "Z") if pace else None,
        "what": item.kind.name.lower(),
        "phase": item.phase.id,
        "session": item.session.id if item.session else None,
        "days_before": item.days_before if about else None,
        "if_needed": item.if_needed,
        "for_some": item.phase.HasField("when") and item.kind is not Kind.ENDS,
        "roles": [role_name(role) for role in item.roles],
        "participants": item.participants,
        "people": item.people,
        "text": sentence(item),
    }


def sentence(item: "Happening") -> str:
    """What happens, in words."""
    from programs.timeline import Kind

    phase = item.phase
    if item.kind is Kind.OPENS:
        return f"{phase.id} opens ({phase.title}): invitations{_for_whom(phase)}"
    if item.kind is Kind.SESSION and item.session:
        place = f", {item.session.place}" if item.session.place else ""
        return f"{phase.id}: session {item.session.id}, {item.session.title}{place}, until {_until(item.session)}"
    if item.kind is Kind.REMINDER:
        return f"{phase.id}: reminder to those who lack a duty, {_days(item.days_before)}"
    if item.kind is Kind.ESCALATION:
        return f"{phase.id}: escalation where a duty is missing, {_days(item.days_before)}"
    if item.kind is Kind.EXTENDED:
        return f"{phase.id} closes, if it was extended"
    if item.kind is Kind.ENDS:
        return "the cohort ends, unless a phase goes on: congratulations to those who graduate"
    return f"{phase.id}: {_closing(phase)}"


def _closing(phase: "definition_pb2.Phase") -> str:
    from livinglab.program.v1 import definition_pb2

    from programs.timeline import counted

    if phase.gate.decision:
        who = "two managers decide" if phase.gate.two_persons else "a manager decides"
        return f"last day; it stays open until {who}"
    if not (duties := counted(phase)):
        return "closes"
    met = f"{phase.gate.quorum_percent} % have done {' and '.join(duties)}"
    if phase.gate.on_miss == definition_pb2.ON_MISS_GO_ON:
        return f"closes, whether or not {met}"
    otherwise = {
        definition_pb2.ON_MISS_EXTEND: f"is extended by {phase.gate.extend_days} days",
        definition_pb2.ON_MISS_HOLD: "stays open until they have or a manager decides",
        definition_pb2.ON_MISS_STOP: "ends the cohort",
    }[phase.gate.on_miss]
    return f"closes if {met}; otherwise it {otherwise}"


def _for_whom(phase: "definition_pb2.Phase") -> str:
    if not phase.HasField("when"):
        return ""
    when = phase.when
    parts = [f"did {when.done}"] * bool(when.done) + [f"missed {when.missed}"] * bool(when.missed)
    parts += [f"have an index from {when.index_from}"] * bool(when.index_from)
    parts += [f"have an index below {when.index_below}"] * bool(when.index_below)
    return f" to those who {' and '.join(parts)}"


def _audience(item: "Happening") -> str:
    """Who is written to; at most, where only some are."""
    from programs.rules.shapes import role_name

    if not item.people or not item.writes:
        return ""
    most = "up to " if item.if_needed or item.phase.HasField("when") else ""
    roles = ", ".join(role_name(role) for role in item.roles)
    return f" [{most}{_count(item.people, 'person', 'people')} of {_count(item.participants, 'participant')}: {roles}]"


def _time(item: "Happening") -> str:
    from programs.zones import zone_name

    shown = "24:00" if item.is_end_of_day else item.local.strftime("%H:%M")
    return f"{shown} {zone_name(item.local)}"


def _wall(item: "Happening", pace: "workflow_pb2.Clock") -> datetime:
    from programs import clock

    return clock.wall_time(pace, item.at).astimezone(UTC)


def _until(session: "definition_pb2.DefinedSession") -> str:
    day, _, time = session.end.partition("T")
    return time if day == session.start[:10] else f"{day} {time}"


def _days(days: int) -> str:
    if days == 0:
        return "on the last day"
    return f"{_count(abs(days), 'day')} {'before' if days > 0 else 'after'} the last day"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
