"""What must hold of letters: every day that one names is the day that stood when it was written."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.program.v1 import definition_pb2, workflow_pb2
from livinglab.program.v1 import events_pb2 as program

from programs import clock
from stack.doctor.finding import Finding, Named, some
from stack.doctor.patient import Patient

# A letter is made a moment before it is taken, and what a phase's move does to the calendar comes a moment after.
_BEFORE = timedelta(seconds=10)
_AFTER = timedelta(seconds=60)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Course:
    """What moved in one cohort, and when: each time with the moment from which it stood."""

    clock: workflow_pb2.Clock
    zone: str
    # Phase, by each of its titles; a title that two phases have says nothing.
    phases: dict[str, str] = field(default_factory=dict)
    deadlines: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    # Session to its title, zone and starts.
    titles: dict[str, str] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    starts: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    # When everything moved at once, to where no fact says.
    shifts: list[datetime] = field(default_factory=list)
    extended: frozenset[str] = frozenset()

    def day(self, at: datetime, zone: str = "") -> date:
        """The day of the program, in a zone."""
        return self._meant(at).astimezone(ZoneInfo(zone or self.zone)).date()

    def last_day(self, deadline: datetime) -> date:
        """The day that a deadline ends."""
        return (self._meant(deadline) - timedelta(minutes=1)).astimezone(ZoneInfo(self.zone)).date()

    def _meant(self, at: datetime) -> datetime:
        """A compressed clock rounds; people mean whole minutes."""
        return (clock.program_time(self.clock, at) + timedelta(seconds=30)).replace(second=0, microsecond=0)


async def check(patient: Patient) -> AsyncIterator[Finding]:
    """Every invariant of letters."""
    wrong, named = Named(), 0
    async for row in patient.rows("program", "cohorts", {}):
        course = _course(patient, row)
        shown = ["values", "language", "accept_time", "template"]
        async for letter in patient.rows("notify", "messages", {"cohort_id": row["_id"]}, shown):
            found = list(faults(course, letter))
            named += 1
            wrong += [f"{letter['template']} {letter['_id']} of {row['_id']}: {fault}" for fault in found]
    yield Finding(
        "every day that a letter names stood when it was written",
        not wrong,
        some(wrong, f" of {named} letters are wrong"),
        "write to those people again: livinglab cohort calendar shows the days that stand",
    )


def _course(patient: Patient, row: dict[str, Any]) -> Course:
    definition = definition_pb2.Definition.FromString(row["definition"])
    course = Course(workflow_pb2.Clock.FromString(row["clock"]), definition.time_zone)
    titles = [(title, p.id) for p in definition.phases for title in {p.title, p.title_en} if title]
    for title, phase in titles:
        course.phases[title] = phase if [t for t, _ in titles].count(title) == 1 else ""
    course.extended = frozenset(phase for phase, kept in row["phases"].items() if kept["extended"])
    for event in _of(patient, row["_id"], program.PhaseRescheduled, program.PhaseReopened):
        known = course.deadlines.setdefault(event.phase, [])
        known.append((_when(event), event.deadline_time.ToDatetime(UTC)))
    course.shifts = [_when(event) for event in _of(patient, row["_id"], program.CohortResumed)]
    for phase, kept in row["phases"].items():
        # As it stands now: since the last move, or ever since there is none.
        last = max([at for at, _ in course.deadlines.get(phase, ())] + course.shifts, default=_BEGINNING)
        course.deadlines.setdefault(phase, []).append((last, kept["deadline_time"]))
    for event in _of(patient, row["_id"], coaching.SessionScheduled):
        course.titles[event.session_id], course.zones[event.session_id] = event.title, event.time_zone
        course.starts.setdefault(event.session_id, []).append((_when(event), event.start_time.ToDatetime(UTC)))
    return course


def _of(patient: Patient, cohort: str, *events: Any) -> Iterator[Any]:
    for event in events:
        question = "SELECT payload FROM facts WHERE cohort = ? AND type = ? ORDER BY place"
        for (payload,) in patient.ledger.ask(question, cohort, event.DESCRIPTOR.full_name):
            yield event.FromString(payload)


def _when(event: Any) -> datetime:
    at: datetime = event.meta.occurred_time.ToDatetime(UTC)
    return at


def faults(course: Course, letter: dict[str, Any]) -> Iterator[str]:
    """What of one letter's days did not stand when it was accepted."""
    values, at = letter["values"], letter["accept_time"]
    phase = course.phases.get(values.get("phase_title", ""))
    if phase and values.get("deadline") and not _may_be(course, phase, date.fromisoformat(values["deadline"]), at):
        yield f"the deadline {values['deadline']}"
    for line in values.get("sessions", "").splitlines():
        if (wrong := _wrong_session(course, line, letter["language"], at)) is not None:
            yield f"the session {wrong}"


def _may_be(course: Course, phase: str, named: date, at: datetime) -> bool:
    known = course.deadlines[phase]
    if any(at - _BEFORE < shift for shift in course.shifts) and not any(shift <= at for shift in course.shifts):
        # From before everything moved: no fact says what stood then.
        return True
    standing = _standing(known, at)
    days = {course.last_day(deadline) for deadline in standing}
    if phase in course.extended:
        # By its gate, of which no fact tells: an earlier letter named an earlier day.
        return not days or named <= max(days)
    return not days or named in days


def _standing(known: list[tuple[datetime, datetime]], at: datetime) -> list[datetime]:
    """What stood about then; nothing where all that is known came later."""
    before = [value for since, value in sorted(known) if since <= at - _BEFORE]
    about = [value for since, value in known if at - _BEFORE < since <= at + _AFTER]
    return (before[-1:] if before else []) + about


def _wrong_session(course: Course, line: str, language: str, at: datetime) -> str | None:
    sessions = [session for session, title in course.titles.items() if title and line.startswith(title)]
    if len(sessions) != 1:
        return None
    [session] = sessions
    # From before it was on the calendar: as the calendar had it first.
    starts = _standing(course.starts[session], at) or [course.starts[session][0][1]]
    days = {format_date(course.day(start, course.zones[session]), "d MMMM y", locale=language) for start in starts}
    return None if any(re.search(rf"\b{re.escape(day)}\b", line) for day in days) else line
