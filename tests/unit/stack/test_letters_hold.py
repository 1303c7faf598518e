"""Days in letters against the calendar: what stood when one was written is right, what stood before or after is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.program.v1 import workflow_pb2

from programs import clock
from stack.doctor.letters_hold import Course, faults

START = datetime(2022, 10, 31, 17, tzinfo=UTC)
# Midnights in Jakarta, which end the 13th and the 16th of November.
FIRST, SECOND = datetime(2022, 11, 13, 17, tzinfo=UTC), datetime(2022, 11, 16, 17, tzinfo=UTC)
# When the phase was moved.
MOVED = datetime(2022, 11, 5, 3, tzinfo=UTC)
BEFORE, AFTER = MOVED - timedelta(hours=1), MOVED + timedelta(hours=1)


@pytest.fixture
def course() -> Course:
    return Course(
        clock=workflow_pb2.Clock(
            wall_start=clock.stamp(START), program_start=clock.stamp(START), seconds_per_day="86400"
        ),
        zone="Asia/Jakarta",
        phases={"Lokakarya": "workshop"},
        deadlines={"workshop": [(START, FIRST), (MOVED, SECOND)]},
        titles={"s": "Belajar"},
        zones={"s": "Asia/Jakarta"},
        starts={
            "s": [(START, datetime(2022, 11, 7, 1, 30, tzinfo=UTC)), (MOVED, datetime(2022, 11, 9, 1, tzinfo=UTC))]
        },
    )


def letter(at: datetime, deadline: str = "", session: str = "", language: str = "id") -> dict[str, Any]:
    sessions = f"Belajar, Jatinangor: {session}, 08.30–10.00 WIB" if session else ""
    values = {"phase_title": "Lokakarya", "deadline": deadline, "sessions": sessions}
    return {"values": values, "accept_time": at, "language": language}


@pytest.mark.parametrize(
    ("at", "deadline", "session", "wrong"),
    [
        (BEFORE, "2022-11-13", "Senin, 7 November 2022", 0),
        (AFTER, "2022-11-16", "Rabu, 9 November 2022", 0),
        (AFTER, "2022-11-13", "Rabu, 9 November 2022", 1),
        (AFTER, "2022-11-16", "Senin, 7 November 2022", 1),
        (AFTER, "2022-11-13", "Senin, 7 November 2022", 2),
        (BEFORE, "2022-11-16", "Rabu, 9 November 2022", 2),
        (BEFORE, "", "Kamis, 17 November 2022", 1),
        # While it moves, both may be on their way.
        (MOVED + timedelta(seconds=2), "2022-11-13", "Senin, 7 November 2022", 0),
    ],
)
def test_a_day_is_right_when_it_stood_then(
    course: Course, at: datetime, deadline: str, session: str, wrong: int
) -> None:
    assert len(list(faults(course, letter(at, deadline, session)))) == wrong


def test_in_english_too(course: Course) -> None:
    assert not list(faults(course, letter(AFTER, "2022-11-16", "Wednesday, 9 November 2022", "en")))
    assert list(faults(course, letter(AFTER, "2022-11-16", "Monday, 7 November 2022", "en")))


def test_in_a_rehearsal_days_are_those_of_the_program(course: Course) -> None:
    # A day takes a second: the 13 days from the first to the end of the 13th are over after thirteen seconds.
    course.clock.seconds_per_day = "1"
    course.deadlines = {"workshop": [(START, START + timedelta(seconds=13))]}
    assert not list(faults(course, letter(START + timedelta(minutes=5), "2022-11-13")))
    assert list(faults(course, letter(START + timedelta(minutes=5), "2022-11-14")))


def test_before_a_gates_extension_an_earlier_day_stood(course: Course) -> None:
    course.deadlines = {"workshop": [(START, SECOND)]}
    assert list(faults(course, letter(AFTER, "2022-11-13")))
    course.extended = frozenset({"workshop"})
    assert not list(faults(course, letter(AFTER, "2022-11-13")))
    assert list(faults(course, letter(AFTER, "2022-11-17")))
