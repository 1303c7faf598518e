"""A cohort is paused, extended, moved, reopened and split across a change of clocks: every date that anybody is told,
in letters, in the status, in calendars, is that of a calendar on the wall."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb

from cli.cohort import ics, view
from services.program.activities import letters
from services.program.model import meetings, phase_steps, reminders
from services.program.model.meetings import Meeting
from services.program.store import documents, views
from services.program.store.documents import Row
from tests.harness.cohorts.agenda import Course, gate, phase
from tests.harness.cohorts.course_orders import ONE, PAUSE, RESUME, THREE, TWO, reopen, reschedule, split

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)
HEAD = options_pb2.ROLE_HEAD
MONTHS = ["Januari", "Februari", "Maret", "April", "Mei"]
DAYS = ["Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"]


def session(name: str, day: str) -> definition_pb2.DefinedSession:
    return definition_pb2.DefinedSession(
        id=name, title=f"Rapat {name}", start=f"{day}T09:00", end=f"{day}T10:30", time_zone=ZONE
    )


def launched() -> Course:
    """Two phases around the night to 29 March 2026, in which an hour is missing."""
    first = phase("one", 0, 0, sessions=[session("s1", "2026-03-25")], gate=gate("EXTEND", extend_days=3))
    second = phase("two", 0, 0, sessions=[session("s2", "2026-04-08")])
    first.opens, first.closes = "2026-03-16", "2026-03-27"
    second.opens, second.closes = "2026-04-06", "2026-04-10"
    for made in (first, second):
        made.invites.append(HEAD)
        made.remind_days_before.extend([4, 2])
    return Course([first, second], [ONE, TWO, THREE], zone=ZONE)


def hour(at: int, *day: int) -> datetime:
    """What the clocks in Berlin show on that day."""
    return datetime.combine(date(*day), time(at))


@dataclass
class Expected:
    """What stands, by the calendar on the wall."""

    one: date = date(2026, 3, 27)
    two: tuple[date, date] = (date(2026, 4, 6), date(2026, 4, 10))
    s1: datetime = field(default_factory=lambda: hour(9, 2026, 3, 25))
    s2: datetime = field(default_factory=lambda: hour(9, 2026, 4, 8))
    told: list[Meeting] = field(default_factory=list)


def until(made: Course, *parts: int) -> None:
    """Until that time in Berlin."""
    made.wait(datetime(*parts, tzinfo=BERLIN).astimezone(UTC) - made.now)  # type: ignore[arg-type,misc]


def row_of(made: Course, told: Sequence[Meeting], state: pb.ProgramState | None = None) -> Row:
    """The cohort as the store keeps it."""
    spec = definition_pb2.CohortSpec(id="c", title="Uji")
    row = documents.cohort_row(made.cohort.definition, spec, made.cohort.clock, b"", made.now)
    row["phases"] = {record.phase: documents.phase_row(record) for record in (state or made.state).phases}
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for meeting in told:
        times = {at: (getattr(meeting, at) - epoch) // timedelta(microseconds=1) for at in ("start", "end")}
        row.setdefault("sessions", []).append({**vars(meeting), **times})
    return row


def check(made: Course, expected: Expected, state: pb.ProgramState | None = None) -> None:
    """Letters, status and calendars say the same."""
    cohort = views.cohort(row_of(made, expected.told, state), [])
    _check_status(cohort, expected)
    _check_calendar(cohort, expected)
    for record in (state or made.state).phases:
        if record.state == cohort_pb2.PHASE_STATE_OPEN:
            _check_letters(made, record, expected)


def _check_status(cohort: cohort_pb2.Cohort, expected: Expected) -> None:
    one, two = cohort.phases
    assert view.days(cohort, one)[1] == expected.one
    assert view.days(cohort, two) == expected.two
    assert cohort.time_zone == ZONE
    for shown, at in ((one.sessions[0], expected.s1), (two.sessions[0], expected.s2)):
        local = [
            stamp.ToDatetime(UTC).astimezone(BERLIN).replace(tzinfo=None)
            for stamp in (shown.start_time, shown.end_time)
        ]
        assert local == [at, at + timedelta(minutes=90)]


def _check_calendar(cohort: cohort_pb2.Cohort, expected: Expected) -> None:
    file = ics.standing(cohort, datetime.now(UTC)).decode().replace("\r\n ", "")
    events = {}
    for event in re.findall(r"BEGIN:VEVENT\r\n(.*?)END:VEVENT", file, re.DOTALL):
        lines = dict(line.split(":", 1) for line in event.split("\r\n") if line)
        events[lines["UID"].partition("@")[0]] = lines
    assert events["c.one"]["DTEND;VALUE=DATE"] == f"{expected.one + timedelta(days=1):%Y%m%d}"
    assert events["c.two"]["DTSTART;VALUE=DATE"] == f"{expected.two[0]:%Y%m%d}"
    assert events["c.two"]["DTEND;VALUE=DATE"] == f"{expected.two[1] + timedelta(days=1):%Y%m%d}"
    for name, begins in (("c.one.s1", expected.s1), ("c.two.s2", expected.s2)):
        told = begins.replace(tzinfo=BERLIN).astimezone(UTC)
        assert events[name]["DTSTART"] == f"{told:%Y%m%dT%H%M%SZ}"


def _check_letters(made: Course, record: pb.PhaseRecord, expected: Expected) -> None:
    cohort_clock, place = made.cohort.clock, made.cohort.place(record.phase)
    defined = made.cohort.definition.phases[place]
    days = {s.id: phase_steps.session_days(record, s.id) for s in defined.sessions}
    sessions = meetings.standing(cohort_clock, defined, days, expected.told)
    step = pb.LetterStep(template="reminder", phase=record.phase, deadline_time=record.deadline_time)
    occasion = letters.Occasion("Uji", "c", made.cohort.definition, cohort_clock, "Kota", defined, step, sessions)
    found = letters.values(occasion, definition_pb2.Person(language="id", role=HEAD))
    last, at = (expected.one, expected.s1) if record.phase == "one" else (expected.two[1], expected.s2)
    assert found["deadline"] == last.isoformat()
    day = f"{DAYS[at.weekday()]}, {at.day} {MONTHS[at.month - 1]} {at.year}"
    assert re.fullmatch(rf"Rapat s\d: {day}, {at:%H.%M}–{at + timedelta(minutes=90):%H.%M} .*", found["sessions"])
    opening = pb.OpenPhase(opening=pb.PhaseOpening(phase=defined, deadline_time=record.deadline_time))
    for letter in reminders.letters(cohort_clock, opening):
        local = letter.at.astimezone(BERLIN)
        assert (local.date(), local.hour, local.minute) == (last - timedelta(days=letter.days), 8, 0)


def test_every_date_that_anybody_is_told_is_that_of_the_calendar() -> None:
    made, stands = launched(), Expected()
    until(made, 2026, 3, 20, 10)
    check(made, stands)

    # Paused on the 20th, resumed on the 24th: four days later, all of it.
    made.order(**PAUSE)
    until(made, 2026, 3, 24, 15)
    made.order(**RESUME)
    stands = Expected(date(2026, 3, 31), (date(2026, 4, 10), date(2026, 4, 14)))
    stands.s1, stands.s2 = hour(9, 2026, 3, 29), hour(9, 2026, 4, 12)
    check(made, stands)

    made.order(**reschedule("one", closes=2))
    stands.one = date(2026, 4, 2)
    made.order(**reschedule("two", opens=-3, closes=-3))
    stands.two, stands.s2 = (date(2026, 4, 7), date(2026, 4, 11)), hour(9, 2026, 4, 9)
    check(made, stands)

    # One session is moved by itself, and stays so whatever moves later.
    place = made.cohort.place("one")
    before = meetings.standing(made.cohort.clock, made.cohort.definition.phases[place], {"s1": 4}, ())[0]
    start = datetime(2026, 3, 30, 14, tzinfo=BERLIN).astimezone(UTC)
    stands.told = [replace(before, start=start, end=start + timedelta(minutes=90), version=2)]
    stands.s1 = hour(14, 2026, 3, 30)
    check(made, stands)

    # Two seconds of pause move nothing.
    until(made, 2026, 3, 28, 23)
    made.order(**PAUSE)
    made.wait(timedelta(seconds=2))
    made.order(**RESUME)
    check(made, stands)

    # The quorum is missed: three days more, by themselves.
    made.fact(ONE, "one-done")
    until(made, 2026, 4, 3, 12)
    stands.one = date(2026, 4, 5)
    check(made, stands)

    # It closes, two of three fail, and it opens again for them: five days from the 6th.
    until(made, 2026, 4, 6, 12)
    assert made.active() == [ONE]
    made.order(**reopen("one", TWO, THREE, days=5))
    stands.one = date(2026, 4, 11)
    check(made, stands)
    assert made.active() == [ONE, TWO, THREE]

    # Who goes on in a cohort of their own has the same dates.
    step = made.order(**split(TWO))
    check(made, stands, step.split_state)
