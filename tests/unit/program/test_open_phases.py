"""Phases as a participant keeps them: openings and closings that come twice, late, or around a reopening."""

from datetime import UTC, datetime, timedelta

from livinglab.program.v1 import workflow_pb2 as pb

from programs import clock
from services.program.model import open_phases
from tests.harness.cohorts.agenda import phase

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK = pb.Clock(wall_start=clock.stamp(NOW), program_start=clock.stamp(NOW), seconds_per_day=clock.REAL_DAY)


def opening(days: int = 10, reopened: int = 0, **fields: object) -> pb.PhaseOpening:
    until = clock.stamp(NOW + timedelta(days=days))
    made = phase("a", 0, 9, remind_days_before=[3])
    return pb.PhaseOpening(phase=made, deadline_time=until, reopened=reopened, **fields)  # type: ignore[arg-type]


def take(record: pb.ParticipantRecord, *openings: pb.PhaseOpening) -> None:
    for told in openings:
        open_phases.take_opening(record, CLOCK, told, NOW)


def test_an_opening_told_twice_changes_nothing() -> None:
    record = pb.ParticipantRecord()
    take(record, opening(), opening())
    assert len(record.open) == 1
    assert not record.notices


def test_a_phase_that_was_reopened_stays_open_when_its_earlier_closing_is_taken_up() -> None:
    record = pb.ParticipantRecord()
    take(record, opening(), opening(20, reopened=1))
    open_phases.drop_closed(record, pb.PhaseClosing(phase="a"))
    assert [known.opening.reopened for known in record.open] == [1]
    assert list(record.closed) == ["a"]
    open_phases.drop_closed(record, pb.PhaseClosing(phase="a", reopened=1))
    assert (len(record.open), list(record.closed)) == (0, ["a", "a.1"])


def test_what_was_said_before_a_reopening_and_comes_after_it_is_passed_over() -> None:
    record = pb.ParticipantRecord()
    take(record, opening(20, reopened=1), opening())
    assert [known.opening.reopened for known in record.open] == [1]
    assert open_phases.is_overtaken(record, pb.PhaseClosing(phase="a"))
    assert not open_phases.is_overtaken(record, pb.PhaseClosing(phase="a", reopened=1))


def test_dates_of_an_earlier_revision_do_not_win() -> None:
    record = pb.ParticipantRecord()
    take(record, opening(10, revision=1), opening(20, revision=3, reason="rain"), opening(15, revision=2))
    assert clock.moment(record.open[0].opening.deadline_time) == NOW + timedelta(days=20)
    assert [notice.template for notice in record.notices] == ["postponed"]


def test_a_gate_that_moves_its_deadline_is_told_to_who_still_lacks_something() -> None:
    for done, told in (([], ["postponed"]), (["a-done"], [])):
        record = pb.ParticipantRecord(duties=done)
        take(record, opening())
        record.open[0].reminded.append(3)
        take(record, opening(13, revision=1, extended=True))
        assert [notice.template for notice in record.notices] == told
        assert clock.moment(record.open[0].opening.deadline_time) == NOW + timedelta(days=13)
        # What was due before the old day comes anew before the new one.
        assert not record.open[0].reminded


def test_reminders_come_anew_for_a_new_deadline_unless_only_the_calendar_moved() -> None:
    for shifted, reminded in ((True, [3]), (False, [])):
        record = pb.ParticipantRecord()
        take(record, opening())
        record.open[0].reminded.append(3)
        take(record, opening(20, shifted=shifted))
        assert list(record.open[0].reminded) == reminded


def test_duties_done_are_reported_until_they_were() -> None:
    record = pb.ParticipantRecord(duties=["a-done"])
    take(record, opening())
    done = open_phases.to_report(record, "11.01")
    assert done == pb.PhaseDone(institution="11.01", phase="a")
    assert done is not None
    open_phases.mark_reported(record, done)
    assert open_phases.to_report(record, "11.01") is None


def test_who_had_done_it_before_the_opening_has_nothing_to_report() -> None:
    record = pb.ParticipantRecord(duties=["a-done"])
    take(record, opening(reported=True))
    assert open_phases.to_report(record, "11.01") is None


def test_what_was_prepared_with_others_is_asked_for_no_more_until_it_is_asked_anew() -> None:
    record = pb.ParticipantRecord()
    take(record, opening(prepared=True))
    [taken] = record.open
    assert not open_phases.asks_for_more(taken)
    assert open_phases.asks_for_more(taken)
