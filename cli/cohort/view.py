"""A cohort in words and numbers: as a table for people, as a dictionary for programs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.speak.known import name_of
from cli.speak.language import either
from cli.speak.language import word as language_word
from cli.speak.output import print_json, say, table
from cli.speak.sentences import sentence
from programs.zones import zone_name

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2

CohortId = Annotated[str, typer.Argument(metavar="ID", help="The id of a cohort.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]


def show(cohort: "cohort_pb2.Cohort", as_json: bool) -> None:
    """Write a cohort as it stands."""
    if as_json:
        print_json(as_dict(cohort))
        return
    rows = [
        (
            phase_name(p),
            phase_state(p),
            local_time(p.open_time, cohort.time_zone),
            closing(cohort, p) + (sentence("moved") if p.extended else ""),
            f"{p.done}/{p.invited}",
        )
        for p in cohort.phases
    ]
    table(["phase", "state", "opens", "closes", "done"], rows, title=title(cohort), right=["done"])
    for line in duty_lines(cohort):
        say(line)
    for line in notes(cohort):
        say(line)


def title(cohort: "cohort_pb2.Cohort") -> str:
    """What it is, how it stands, and how many are where."""
    paused = cohort.HasField("pause_time")
    since = sentence("since", time=local_time(cohort.pause_time, cohort.time_zone)) if paused else ""
    state = language_word(word(cohort, "state"))
    return f"{cohort.id} ({language_word(kind(cohort))}): {state}{since}, {counts(cohort)}"


def phase_name(phase: "cohort_pb2.PhaseProgress") -> str:
    """Its title in the language of the command, and its id, by which orders name it: Opening (pembukaan)."""
    named = phase_title(phase)
    return named if named.casefold() == phase.phase.casefold() else f"{named} ({phase.phase})"


def phase_title(phase: "cohort_pb2.PhaseProgress") -> str:
    """Its title in the language of the command."""
    return either(phase.title, phase.title_en) or phase.phase


def duty_titles(cohort: "cohort_pb2.Cohort") -> dict[str, str]:
    """The duties of a cohort in words, by their ids."""
    told = (duty for phase in cohort.phases for duty in phase.duty_progress)
    return {duty.duty: either(duty.title, duty.title_en) for duty in told}


def phase_state(phase: "cohort_pb2.PhaseProgress") -> str:
    """open, held, closed: one word for how a phase stands."""
    return "held" if phase.HasField("held_time") and word(phase, "state") == "open" else word(phase, "state")


def duty_lines(cohort: "cohort_pb2.Cohort") -> Iterator[str]:
    """How many have done each duty of the phases that are open or over, in words."""
    for p in cohort.phases:
        if p.invited and p.duty_progress:
            yield f"{phase_title(p)}:"
            for duty in p.duty_progress:
                optional = "" if duty.required else sentence("optional")
                yield f"  {duty.done:>4} {either(duty.title, duty.title_en)}{optional}"


def troubles(cohort: "cohort_pb2.Cohort") -> Iterator[str]:
    """What another service refused for good, whose it is, and what to do about it."""
    for problem in cohort.problems:
        yield f"{language_word('problem')}: {problem}"
    for one in cohort.troubled:
        yield from (f"{language_word('problem')}: {name_of(one.institution)}: {problem}" for problem in one.problems)
    if cohort.troubled_count > len(cohort.troubled):
        yield sentence("more_participants", count=cohort.troubled_count - len(cohort.troubled))
    if cohort.problems or cohort.troubled_count:
        yield sentence("mend", cohort=cohort.id)


def notes(cohort: "cohort_pb2.Cohort", *, blocked: bool = True) -> Iterator[str]:
    """What a manager should know besides, a line each; without `blocked` not whom a phase waits for."""
    if cohort.split_from:
        yield sentence("split_from", cohort=cohort.split_from)
    for p in cohort.phases:
        if phase_state(p) == "held":
            yield sentence("held", phase=phase_title(p), time=local_time(p.held_time, cohort.time_zone))
        if blocked and p.blocking:
            named = ", ".join(name_of(blocker.institution) for blocker in p.blockers[:5])
            named += ", ..." if p.blocking > 5 else ""
            yield sentence("blocked", phase=phase_title(p), count=p.blocking, names=named)
        for proposal in p.proposals:
            action = language_word(word(proposal, "action"))
            about = {"phase": phase_title(p), "actor": proposal.actor, "reason": proposal.reason}
            yield sentence("proposal", action=action, **about)
    yield from (line for line in [cohort.note, cohort.reason] if line)
    yield from troubles(cohort)


def as_dict(cohort: "cohort_pb2.Cohort") -> dict[str, Any]:
    """A cohort as programs read it."""
    return {
        "id": cohort.id,
        "title": cohort.title,
        "definition": cohort.definition_id,
        "version": cohort.definition_version,
        "rehearsal": cohort.rehearsal,
        "state": word(cohort, "state"),
        "reason": cohort.reason,
        "participants": cohort.participants,
        "active": cohort.active,
        "graduated": cohort.graduated,
        "withdrawn": cohort.withdrawn,
        "failed": cohort.failed,
        "launched": iso(cohort.launch_time),
        "ended": _time(cohort, "end_time"),
        "paused": _time(cohort, "pause_time"),
        "split_from": cohort.split_from,
        "phases": [_phase(p) for p in cohort.phases],
        "problems": list(cohort.problems),
        "troubled": [{"institution": one.institution, "problems": list(one.problems)} for one in cohort.troubled],
        "troubled_count": cohort.troubled_count,
        "note": cohort.note,
        "time_zone": cohort.time_zone,
    }


def _phase(p: "cohort_pb2.PhaseProgress") -> dict[str, Any]:
    return {
        "phase": p.phase,
        "title": p.title,
        "title_en": p.title_en,
        "state": word(p, "state"),
        "opens": iso(p.open_time),
        "deadline": iso(p.deadline_time),
        "closed": _time(p, "close_time"),
        "held": _time(p, "held_time"),
        "invited": p.invited,
        "done": p.done,
        "extended": p.extended,
        "excused": p.excused,
        "duties": dict(sorted(p.duties.items())),
        "blocking": p.blocking,
        "blockers": [
            {"institution": b.institution, "missing": list(b.missing), "since": iso(b.since_time)} for b in p.blockers
        ],
        "proposals": [
            {
                "action": word(proposal, "action"),
                "actor": proposal.actor,
                "reason": proposal.reason,
                "time": iso(proposal.time),
            }
            for proposal in p.proposals
        ],
        "sessions": [session_dict(s) for s in p.sessions],
    }


def session_dict(session: "cohort_pb2.PlannedSession") -> dict[str, Any]:
    """A session as programs read it, as it stands."""
    return {
        "session": session.session,
        "title": session.title,
        "place": session.place,
        "start": iso(session.start_time),
        "end": iso(session.end_time),
        "time_zone": session.time_zone,
        "cancelled": session.cancelled,
        "reason": session.reason,
    }


def word(message: Any, field: str) -> str:
    """running, open, graduated: an enum value without its prefix."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    name: str = described.values_by_number[getattr(message, field)].name
    for infix in ("_STATE_", "_ACTION_", "_KIND_", "ROLE_"):
        if infix in name:
            return name.rpartition(infix)[2].lower()
    return name.lower()


def kind(cohort: "cohort_pb2.Cohort") -> str:
    """rehearsal or real."""
    return "rehearsal" if cohort.rehearsal else "real"


def counts(cohort: "cohort_pb2.Cohort") -> str:
    """How many participants are where."""
    parts = [("active", cohort.active), ("graduated", cohort.graduated)]
    parts += [("withdrawn", cohort.withdrawn), ("failed", cohort.failed)]
    told = ", ".join(f"{count} {language_word(state)}" for state, count in parts if count)
    return sentence("counts", count=cohort.participants, told=told)


def iso(stamp: Any) -> str:
    """A time as programs read it."""
    moment: datetime = stamp.ToDatetime(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(message: Any, field: str) -> str | None:
    return iso(getattr(message, field)) if message.HasField(field) else None


def local_time(stamp: Any, zone: str = "") -> str:
    """A time as people of the zone read it, with the zone's name: 2022-11-07 09:00 WIB, with seconds where there are
    any. That of this machine where no zone is given."""
    if not stamp.seconds:
        return ""
    moment: datetime = stamp.ToDatetime(tzinfo=UTC).astimezone(ZoneInfo(zone) if zone else None)
    return f"{moment:%Y-%m-%d %H:%M}{f':{moment:%S}' if moment.second else ''} {zone_name(moment)}"


def closing(cohort: "cohort_pb2.Cohort", phase: "cohort_pb2.PhaseProgress") -> str:
    """When a phase closes or has closed; the end of a day as people say it, 2022-11-13 24:00 WIB."""
    if phase.HasField("close_time"):
        return local_time(phase.close_time, cohort.time_zone)
    zone = ZoneInfo(cohort.time_zone) if cohort.time_zone else None
    moment: datetime = phase.deadline_time.ToDatetime(tzinfo=UTC).astimezone(zone)
    if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        return local_time(phase.deadline_time, cohort.time_zone)
    before = moment - timedelta(days=1)
    return f"{before:%Y-%m-%d} 24:00 {zone_name(before)}"


def days(cohort: "cohort_pb2.Cohort", phase: "cohort_pb2.PhaseProgress") -> tuple[Any, Any]:
    """The first day of a phase and its last, as they stand in the cohort's zone."""
    zone = ZoneInfo(cohort.time_zone or "UTC")
    ends = phase.close_time if phase.HasField("close_time") else phase.deadline_time
    opens = phase.open_time.ToDatetime(UTC).astimezone(zone).date()
    # A deadline is the end of a day.
    last = (ends.ToDatetime(UTC) - timedelta(milliseconds=1)).astimezone(zone).date()
    return opens, max(opens, last)
