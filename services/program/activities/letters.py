"""The values that notify's templates are filled with, in the language of each person. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date, format_time
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import definition_pb2, workflow_pb2

from programs import clock, duties, phases
from programs.zones import zone_name
from services.program.model.letter_steps import LONGEST, one_line
from services.program.model.meetings import Meeting

# Letters that put sessions on the calendar, or elsewhere, or off it.
_WITH_MEETINGS = frozenset({"invitation", "postponed", "resumed", "readmitted", "session_moved", "session_cancelled"})
_MOST_MEETINGS = 50
_OPTIONAL = {"id": " (tidak wajib)", "en": " (optional)"}
_MORE = {
    "id": "… dan {count} lagi; semuanya dapat dilihat dengan: livinglab {command}",
    "en": "… and {count} more; see all of them with: livinglab {command}",
}


@dataclass(frozen=True)
class Occasion:
    """What a letter is about: the cohort and, unless it is about the whole of it, one of its phases with its sessions
    as they stand."""

    cohort_title: str
    cohort_id: str
    definition: definition_pb2.Definition
    clock: workflow_pb2.Clock
    institution_name: str
    phase: definition_pb2.Phase | None = None
    step: workflow_pb2.LetterStep | None = None
    sessions: Sequence[Meeting] = ()


def values(occasion: Occasion, person: definition_pb2.Person) -> dict[str, str]:
    """Every value that a template may ask for: name, institution_name, cohort_title, phase_title, sessions (a line
    each), deadline (the last day, 2022-11-13), missing (a line each), reason (one line, empty where none was given)
    and days (to the last day, such as 3; 0 on it, -2 two days after it). Dates are those of the program, also in a
    rehearsal."""
    found = {
        "name": person.name,
        "institution_name": occasion.institution_name,
        "cohort_title": occasion.cohort_title,
        "phase_title": "",
        "sessions": "",
        "deadline": "",
        "missing": "",
        "reason": "",
        "days": "",
    }
    if occasion.step is None:
        return found
    found["reason"] = one_line(occasion.step.reason)
    if occasion.phase is None:
        return found
    language = person.language
    found["phase_title"] = duties.phase_title(occasion.phase, language)
    sessions = [_session(occasion.clock, meeting, language) for meeting in _meant(occasion, occasion.step)]
    found["sessions"] = _whole_lines(sessions, language, f"cohort calendar {occasion.cohort_id}")
    if occasion.step.HasField("deadline_time"):
        deadline = clock.moment(occasion.step.deadline_time)
        found["deadline"] = clock.last_day(occasion.clock, deadline).isoformat()
    missing = list(_missing(occasion, occasion.step, language))
    found["missing"] = _whole_lines(missing, language, f"duties --cohort {occasion.cohort_id}")
    found["days"] = str(occasion.step.days)
    return found


def _whole_lines(lines: Sequence[str], language: str, command: str) -> str:
    """As many as a mail takes; where some are left out, how many, and where to see them all."""
    for count in range(len(lines), -1, -1):
        left = len(lines) - count
        more = _MORE[language].format(count=left, command=command)
        text = "\n".join([*lines[:count], *([more] if left else [])])
        if len(text) <= LONGEST:
            return text
    return ""


def _meant(occasion: Occasion, step: workflow_pb2.LetterStep) -> list[Meeting]:
    """The session that the letter is about, else those that take place."""
    if step.session:
        return [meeting for meeting in occasion.sessions if meeting.session == step.session]
    return [meeting for meeting in occasion.sessions if not meeting.cancelled]


def meetings(occasion: Occasion) -> list[notify.CalendarEvent]:
    """The sessions that the letter names, for the calendars that people keep, under the ids that a calendar file of
    the cohort has too. Called off is what a letter on one session says so of."""
    if occasion.phase is None or occasion.step is None or occasion.step.template not in _WITH_MEETINGS:
        return []
    return [
        notify.CalendarEvent(
            uid=f"{occasion.cohort_id}.{meeting.phase}.{meeting.session}",
            title=meeting.title,
            place=meeting.place,
            start_time=clock.stamp(meeting.start),
            end_time=clock.stamp(meeting.end),
            cancelled=meeting.cancelled or occasion.step.template == "session_cancelled",
        )
        for meeting in _meant(occasion, occasion.step)[:_MOST_MEETINGS]
    ]


def _session(cohort_clock: workflow_pb2.Clock, meeting: Meeting, language: str) -> str:
    start, end = (clock.local_time(cohort_clock, at, meeting.time_zone) for at in (meeting.start, meeting.end))
    place = f", {meeting.place}" if meeting.place else ""
    until = _hour(end, language) if start.date() == end.date() else f"{_day(end, language)}, {_hour(end, language)}"
    dash = "–" if start.date() == end.date() else " – "
    hours = f"{_hour(start, language)}{dash}{until}"
    return f"{meeting.title}{place}: {_day(start, language)}, {hours} {zone_name(start)}"


def _day(at: datetime, language: str) -> str:
    return str(format_date(at.date(), "EEEE, d MMMM y", locale=language))


def _hour(at: datetime, language: str) -> str:
    return str(format_time(at.time(), "HH.mm" if language == "id" else "HH:mm", locale=language))


def _missing(occasion: Occasion, step: workflow_pb2.LetterStep, language: str) -> Iterator[str]:
    phase = phases.find_phase(occasion.definition, step.phase)
    undone = set(step.missing)
    for duty in phase.duties:
        if duty.id in undone:
            yield "- " + duties.in_words(duty, phase, language) + ("" if duty.required else _OPTIONAL[language])
