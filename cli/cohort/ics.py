"""Phases and sessions as a calendar file (iCalendar, RFC 5545) for the calendars that people keep."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from chassis import ical

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2, definition_pb2

    from programs.timeline import Happening


def ics(
    definition: "definition_pb2.Definition",
    cohort: "definition_pb2.CohortSpec",
    happenings: "list[Happening]",
    now: datetime,
) -> bytes:
    """An effective definition in days of the program: a phase is an event of whole days that leaves people free, a
    session one with hours. Events of a rehearsal say so in their title, as its letters do. An event keeps its UID, so
    that a newer file replaces what an older one brought."""
    name = cohort.id or definition.id
    mark = "[GLADI] " if cohort.rehearsal else ""
    stamp = f"DTSTAMP:{ical.utc(now)}"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Living Lab//program//EN"]
    lines += [f"X-WR-CALNAME:{ical.text(mark + (cohort.title or definition.title))}"]
    for phase in definition.phases:
        lines += _event(
            f"UID:{name}.{phase.id}@livinglab",
            stamp,
            f"SUMMARY:{ical.text(mark + phase.title)}",
            f"DTSTART;VALUE=DATE:{_day(phase.opens)}",
            f"DTEND;VALUE=DATE:{_day(phase.closes, 1)}",
            "TRANSP:TRANSPARENT",
        )
    for item in happenings:
        if item.session:
            lines += _event(*_session(name, mark, item), stamp)
    return b"".join(ical.folded(line) for line in [*lines, "END:VCALENDAR"])


def standing(cohort: "cohort_pb2.Cohort", now: datetime) -> bytes:
    """A cohort that runs, as its days stand now, with the same UIDs: it replaces what was planned. A session that was
    called off says so."""
    from cli.cohort.view import days

    mark = "[GLADI] " if cohort.rehearsal else ""
    stamp = f"DTSTAMP:{ical.utc(now)}"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Living Lab//program//EN"]
    lines += [f"X-WR-CALNAME:{ical.text(mark + cohort.title)}"]
    for phase in cohort.phases:
        opens, last = days(cohort, phase)
        lines += _event(
            f"UID:{cohort.id}.{phase.phase}@livinglab",
            stamp,
            f"SUMMARY:{ical.text(mark + phase.title)}",
            f"DTSTART;VALUE=DATE:{_day(opens.isoformat())}",
            f"DTEND;VALUE=DATE:{_day(last.isoformat(), 1)}",
            "TRANSP:TRANSPARENT",
        )
        for session in phase.sessions:
            lines += _event(
                f"UID:{cohort.id}.{phase.phase}.{session.session}@livinglab",
                stamp,
                f"SUMMARY:{ical.text(mark + session.title)}",
                f"DTSTART:{ical.utc(session.start_time.ToDatetime(UTC))}",
                f"DTEND:{ical.utc(session.end_time.ToDatetime(UTC))}",
                f"DESCRIPTION:{ical.text(phase.title)}",
                *([f"LOCATION:{ical.text(session.place)}"] if session.place else []),
                *(["STATUS:CANCELLED"] if session.cancelled else []),
            )
    return b"".join(ical.folded(line) for line in [*lines, "END:VCALENDAR"])


def _session(name: str, mark: str, item: "Happening") -> Iterator[str]:
    from programs import clock

    if session := item.session:
        yield f"UID:{name}.{item.phase.id}.{session.id}@livinglab"
        yield f"SUMMARY:{ical.text(mark + session.title)}"
        yield f"DTSTART:{ical.utc(item.at)}"
        yield f"DTEND:{ical.utc(clock.local(session.end, session.time_zone))}"
        yield f"DESCRIPTION:{ical.text(item.phase.title)}"
        if session.place:
            yield f"LOCATION:{ical.text(session.place)}"


def _event(*lines: str) -> Iterable[str]:
    return ["BEGIN:VEVENT", *lines, "END:VEVENT"]


def _day(text: str, later: int = 0) -> str:
    return (date.fromisoformat(text) + timedelta(days=later)).strftime("%Y%m%d")
