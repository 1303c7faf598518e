"""What a manager is shown before an order is given: the days that would move, and what else there is to know."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from livinglab.program.v1 import cohort_pb2, definition_pb2

from programs import clock
from services.program.model.meetings import Meeting
from services.program.model.orders import carried_out
from services.program.model.orders.preview import Trial, preview
from tests.harness.cohorts.agenda import DAY, START, Course, phase
from tests.harness.cohorts.course_orders import (
    HOUR,
    ONE,
    PAUSE,
    RESUME,
    TWO,
    course,
    override,
    reopen,
    reschedule,
    with_session,
)

OPENING, DEADLINE, SESSION = "OPENING", "DEADLINE", "SESSION"
# The meeting's session begins on its fifth day at nine in Jakarta, which is two in UTC.
HALL = START + 4 * DAY + 2 * HOUR
Moved = tuple[str, str, datetime, datetime]


def tried(made: Course, told: Iterable[Meeting] = (), excused: int = 0, **order: Any) -> cohort_pb2.OrderPreview:
    """What an order would bring about; the cohort itself stays as it is."""
    before, command = made.cohort.copy(), made.command(**order)
    after = before.copy()
    carried_out.carry_out(after, command, made.now)
    return preview(Trial(before, after, command, list(told), {}, excused))


def moves(found: cohort_pb2.OrderPreview) -> list[Moved]:
    return [
        (
            f"{move.phase} {move.session}".strip(),
            cohort_pb2.MoveKind.Name(move.kind).removeprefix("MOVE_KIND_"),
            clock.moment(move.before_time),
            clock.moment(move.after_time),
        )
        for move in found.moves
    ]


def notes(found: cohort_pb2.OrderPreview) -> list[str]:
    return list(found.notes)


def later(name: str, kind: str, at: datetime, days: int) -> Moved:
    return name, kind, at, at + days * DAY


def session(opens: int, day: int) -> definition_pb2.Phase:
    """A workshop of ten days from that day of the program on, with a session at nine of another day."""
    when = (START + day * DAY).date().isoformat()
    lecture = definition_pb2.DefinedSession(
        id="lecture", start=f"{when}T09:00", end=f"{when}T10:00", time_zone="Asia/Jakarta"
    )
    return phase("workshop", opens, opens + 9, sessions=[lecture])


def told_of(start: datetime, phase_id: str = "meeting", name: str = "hall", *, cancelled: bool = False) -> Meeting:
    """A session as the calendar has it, other than as it was defined."""
    return Meeting(name, phase_id, "Hall", "Sumedang", start, start + HOUR, "Asia/Jakarta", cancelled=cancelled)


def test_a_later_deadline_of_an_open_phase_moves_nothing_else() -> None:
    found = tried(course(with_session(), phase("workshop", 12, 21)), **reschedule("meeting", closes=2))
    assert moves(found) == [later("meeting", DEADLINE, START + 10 * DAY, 2)]


def test_a_phase_that_opens_later_takes_its_sessions_along() -> None:
    found = tried(course(phase("meeting", 0, 9), session(12, 13)), **reschedule("workshop", opens=2))
    lecture = START + 13 * DAY + 2 * HOUR
    assert moves(found) == [
        later("workshop", OPENING, START + 12 * DAY, 2),
        later("workshop lecture", SESSION, lecture, 2),
    ]


def test_days_are_told_in_the_zone_of_the_cohort_and_sessions_in_their_own() -> None:
    made = Course([phase("meeting", 0, 9), session(12, 13)], [ONE], zone="Asia/Jayapura")
    found = tried(made, **reschedule("workshop", opens=2))
    assert [move.time_zone for move in found.moves] == ["Asia/Jayapura", "Asia/Jakarta"]


def test_what_is_resumed_moves_all_that_is_still_to_come_by_the_days_of_the_pause() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    assert moves(tried(made, **RESUME)) == [
        later("meeting", DEADLINE, START + 10 * DAY, 2),
        later("meeting hall", SESSION, HALL, 2),
        later("workshop", OPENING, START + 12 * DAY, 2),
        later("workshop", DEADLINE, START + 22 * DAY, 2),
    ]


def test_a_phase_that_is_over_does_not_move_with_the_others() -> None:
    made = course()
    made.order(**override("meeting", "EXCUSE"))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    found = tried(made, **RESUME)
    assert made.states()["meeting"] == "CLOSED"
    assert {move.phase for move in found.moves} == {"workshop"}


def test_a_session_moves_from_where_the_calendar_has_put_it() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    by_hand = HALL + DAY + 3 * HOUR
    [moved] = [move for move in moves(tried(made, told=[told_of(by_hand)], **RESUME)) if move[1] == SESSION]
    assert moved == later("meeting hall", SESSION, by_hand, 2)


def test_a_session_that_was_called_off_does_not_move() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    found = tried(made, told=[told_of(HALL, cancelled=True)], **RESUME)
    assert SESSION not in {kind for _, kind, *_ in moves(found)}


def test_a_session_that_only_the_calendar_knows_stays_where_it_is() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    made.order(**PAUSE)
    made.wait(2 * DAY + HOUR)
    found = tried(made, told=[told_of(HALL, name="added")], **RESUME)
    assert [name for name, kind, *_ in moves(found) if kind == SESSION] == ["meeting hall"]


def test_a_preview_changes_nothing() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    before = made.state.SerializeToString(deterministic=True)
    tried(made, **reschedule("meeting", closes=2))
    assert made.state.SerializeToString(deterministic=True) == before


def test_a_pause_within_one_day_says_that_no_day_moves() -> None:
    made = course()
    made.order(**PAUSE)
    made.wait(timedelta(hours=5))
    found = tried(made, **RESUME)
    assert (moves(found), notes(found)) == ([], ["the pause lies within one day: no day moves"])


def test_a_pause_over_a_midnight_does_not_say_so() -> None:
    made = course()
    made.order(**PAUSE)
    made.wait(DAY)
    assert notes(tried(made, **RESUME)) == []


def test_a_pause_says_what_it_holds_up_and_moves_no_day_yet() -> None:
    found = tried(course(), **PAUSE)
    assert moves(found) == []
    assert notes(found) == [
        "nothing opens, closes or is due until it is resumed; the days that it takes come on top then"
    ]


def closed() -> Course:
    """The meeting is over, one participant did not do it."""
    made = course()
    made.fact(ONE, "meeting-done")
    made.wait(11 * DAY + HOUR)
    return made


def test_a_phase_that_opens_again_has_a_new_deadline() -> None:
    # On the twelfth day for three more: the fifteenth is its last.
    found = tried(closed(), **reopen("meeting"))
    assert moves(found) == [later("meeting", DEADLINE, START + 10 * DAY, 5)]


def test_who_was_excused_would_owe_the_duty_again() -> None:
    assert notes(tried(closed(), excused=1, **reopen("meeting"))) == [
        "meeting: one participant excused of a duty at its closing would owe it again"
    ]
    assert notes(tried(closed(), excused=2, **reopen("meeting"))) == [
        "meeting: 2 participants excused of a duty at its closing would owe it again"
    ]


def test_who_failed_would_be_in_the_cohort_again() -> None:
    assert notes(tried(closed(), **reopen("meeting", TWO))) == [
        "meeting: 1 that failed at it would be in the cohort again"
    ]


def test_nobody_is_named_where_a_phase_opens_again_for_those_who_are_in_it() -> None:
    assert notes(tried(closed(), **reopen("meeting"))) == []


def test_a_session_after_a_deadline_that_comes_earlier_is_named() -> None:
    found = tried(course(with_session(), phase("workshop", 12, 21)), **reschedule("meeting", closes=-7))
    assert notes(found) == ["meeting: session hall lies after the deadline"]


def test_a_session_that_begins_as_its_phase_closes_is_after_it() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    found = tried(made, told=[told_of(START + 12 * DAY)], **reschedule("meeting", closes=2))
    assert notes(found) == ["meeting: session hall lies after the deadline"]


def test_a_session_that_was_called_off_is_after_no_deadline() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    found = tried(made, told=[told_of(HALL, cancelled=True)], **reschedule("meeting", closes=-7))
    assert notes(found) == []


def test_a_session_before_the_opening_of_a_phase_that_is_to_come_is_named() -> None:
    made = course(phase("meeting", 0, 9), session(12, 13))
    early = told_of(START + 11 * DAY, "workshop", "lecture")
    found = tried(made, told=[early], **reschedule("workshop", closes=1))
    assert notes(found) == ["workshop: session lecture lies before the opening"]


def test_a_session_that_begins_as_its_phase_opens_is_not_before_it() -> None:
    made = course(phase("meeting", 0, 9), session(12, 13))
    prompt = told_of(START + 12 * DAY, "workshop", "lecture")
    assert notes(tried(made, told=[prompt], **reschedule("workshop", closes=1))) == []


def test_a_session_before_the_opening_of_a_phase_that_is_open_is_none_to_worry_about() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    found = tried(made, told=[told_of(START - DAY)], **reschedule("meeting", closes=1))
    assert notes(found) == []


def test_a_phase_that_the_order_leaves_alone_is_not_looked_through() -> None:
    made = course(with_session(), phase("workshop", 12, 21))
    late = told_of(START + 20 * DAY)
    assert notes(tried(made, told=[late], **reschedule("workshop", closes=1))) == []
    assert notes(tried(made, told=[late], **reschedule("meeting", closes=1))) != []
