"""What a cohort came to, in figures."""

from datetime import timedelta

import pytest
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import report_service_pb2 as pb

from services.program.model import states
from services.program.model.ledger import Ledger
from services.program.service.figures import report
from services.program.store import views
from tests.harness.cohorts.report import (
    BANDUNG,
    GARUT,
    HEAD,
    NOW,
    PEMDI,
    SECRETARY,
    SPBE,
    SUMEDANG,
    assessed,
    close,
    cohort,
    participant,
    three,
)

OPEN = cohort_pb2.PHASE_STATE_OPEN


def made() -> pb.Report:
    row, standing = cohort(), three()
    close(row, "governance", standing)
    return report(row, standing, NOW)


def test_gains_are_from_the_first_result_to_the_last_largest_first() -> None:
    found = [(g.institution, g.period_before, g.before, g.period_after, g.after, g.gain) for g in made().gains]
    assert found == [
        (SUMEDANG, "2022", "2.60", "2023", "3.10", "0.50"),
        (BANDUNG, "2022", "2.55", "2023", "2.60", "0.05"),
    ]


def test_half_a_point_or_a_better_predicate_is_a_leap() -> None:
    assert (made().leaps, made().gained) == (2, 2)
    only = participant(SUMEDANG, assessed(assessed(Ledger(), "2022", "2.60", "Baik"), "2023", "3.09", "Baik"))
    fell = participant(BANDUNG, assessed(assessed(Ledger(), "2022", "2.60", "Baik"), "2023", "2.10", "Cukup"))
    assert (report(cohort(), [only, fell], NOW).leaps, report(cohort(), [only, fell], NOW).gained) == (0, 2)


def test_means_are_rounded_once_half_up() -> None:
    # (2.60 + 2.55) / 2 = 2.575, (3.10 + 2.60) / 2 = 2.85
    assert (made().mean_before, made().mean_after) == ("2.58", "2.85")


def test_there_is_no_mean_across_instruments() -> None:
    one = participant(SUMEDANG, assessed(assessed(Ledger(), "2022", "2.00", "Cukup"), "2023", "2.40", "Cukup"))
    other = assessed(assessed(Ledger(), "2025", "1.00", "Kurang", PEMDI), "2026", "1.40", "Kurang", PEMDI)
    found = report(cohort(), [one, participant(BANDUNG, other)], NOW)
    assert (found.gained, found.mean_before, found.mean_after) == (2, "", "")


def test_periods_within_a_year_are_in_their_order() -> None:
    ledger = Ledger()
    for period, index in (("2022-10", "3.00"), ("2022-2", "2.50"), ("2022-9", "2.90")):
        ledger = assessed(ledger, period, index, "Baik")
    [gain] = report(cohort(), [participant(SUMEDANG, ledger)], NOW).gains
    assert (gain.period_before, gain.period_after) == ("2022-2", "2022-10")


def test_attendance_tells_who_only_sent_a_delegate() -> None:
    governance = made().phases[0]
    assert [(a.role, a.invited, a.attended, a.delegates) for a in governance.attendance] == [
        (SECRETARY, 3, 2, 0),
        (HEAD, 3, 3, 2),
    ]


def test_a_duty_is_done_missed_or_excused() -> None:
    standing = three()
    standing[0]["excused"], standing[0]["duties"] = ["governance-attended"], []
    row = cohort()
    close(row, "governance", standing)
    [duty] = report(row, standing, NOW).phases[0].duties
    assert (duty.done, duty.missed, duty.excused, duty.required) == (1, 1, 1, True)


def test_what_a_phase_came_to_stays_whatever_is_learnt_later() -> None:
    row, standing = cohort(), three()
    close(row, "governance", standing)
    before = report(row, standing, NOW).phases[0]
    standing[1]["duties"] = ["governance-attended"]
    after = report(row, standing, NOW).phases[0]
    assert after.duties == before.duties
    assert (after.progress.done, after.progress.duties["governance-attended"]) == (2, 2)


def test_nobody_has_missed_a_duty_of_a_phase_that_is_not_over() -> None:
    workshop = made().phases[1]
    assert {duty.duty: (duty.done, duty.missed) for duty in workshop.duties} == {
        "workshop-attended": (0, 0),
        "self-assessed": (1, 0),
        "plan-approved": (1, 0),
    }


def test_follow_up_is_a_share_of_all_actions() -> None:
    assert (made().actions, made().actions_done, made().follow_up_share) == (6, 3, "0.50")
    nobody = report(cohort(), [participant(SUMEDANG, Ledger())], NOW)
    assert (nobody.actions, nobody.follow_up_share) == (0, "")


def test_targets_look_at_the_last_result_on_the_instrument_of_the_program() -> None:
    found = [(t.target.index, t.target.scope, t.reached, t.assessed, t.mean) for t in made().targets]
    assert found == [("3.0", "region", 1, 2, "2.85"), ("3.5", "mean", 0, 2, "2.85")]


def test_costs_count_once_by_participant_or_by_attendance() -> None:
    per = definition_pb2.CostPer.Value
    costs = [
        definition_pb2.Cost(title="hall", amount="1500000", currency="IDR", per=per("COST_PER_COHORT")),
        definition_pb2.Cost(
            title="bed", phase="governance", amount="0.10", currency="USD", per=per("COST_PER_PARTICIPANT")
        ),
        definition_pb2.Cost(
            title="meal", phase="governance", amount="25000.5", currency="IDR", per=per("COST_PER_ATTENDANCE")
        ),
        definition_pb2.Cost(title="kit", amount="10", currency="IDR", per=per("COST_PER_PARTICIPANT")),
    ]
    found = report(cohort(*costs), three(), NOW)
    assert [(line.title, line.count, line.total) for line in found.costs] == [
        ("hall", 1, "1500000"),
        ("bed", 3, "0.30"),
        ("meal", 5, "125002.5"),
        ("kit", 3, "30"),
    ]
    assert {line.currency: line.total for line in found.totals} == {"IDR": "1625032.5", "USD": "0.30"}


def test_who_went_to_another_cohort_is_counted_there() -> None:
    standing = three()
    standing[2]["moved_to"] = "lab-2"
    found = report(cohort(), standing, NOW)
    assert [gain.institution for gain in found.gains] == [BANDUNG]
    assert found.actions == 3
    # It was at the governance meeting all the same.
    assert [a.attended for a in found.phases[0].attendance] == [2, 3]


def test_a_report_can_be_made_of_a_cohort_that_has_just_begun() -> None:
    found = report(cohort(), [], NOW)
    assert (found.gained, found.leaps, found.mean_before, len(found.phases)) == (0, 0, "", 4)


def test_who_blocks_a_gate_is_named_longest_first() -> None:
    row, standing = cohort(), three()
    opened = NOW - timedelta(days=90)
    row["phases"]["workshop"].update(state=OPEN, open_time=opened)
    found = views.cohort(row, standing).phases[1]
    # Garut has failed; the other two did one duty of the phase each.
    assert found.blocking == 2
    since = NOW - timedelta(days=60)
    assert [(b.institution, list(b.missing), b.since_time.ToDatetime(NOW.tzinfo)) for b in found.blockers] == [
        (BANDUNG, ["workshop-attended", "plan-approved"], since),
        (SUMEDANG, ["workshop-attended", "self-assessed"], since),
    ]


@pytest.mark.parametrize(("enrolled", "days"), [(None, 90), (NOW - timedelta(days=3), 3)])
def test_who_has_done_nothing_blocks_since_the_opening_or_its_enrolment(enrolled: object, days: int) -> None:
    row = cohort()
    row["phases"]["workshop"].update(state=OPEN, open_time=NOW - timedelta(days=90))
    fields = {"enrol_time": enrolled} if enrolled else {}
    [blocker] = views.cohort(row, [participant(GARUT, Ledger(), **fields)]).phases[1].blockers
    assert blocker.since_time.ToDatetime(NOW.tzinfo) == NOW - timedelta(days=days)


def test_the_most_patient_twenty_are_named_and_all_are_counted() -> None:
    row = cohort()
    row["phases"]["workshop"].update(state=OPEN, open_time=NOW)
    crowd = [participant(f"11.{number:02d}", Ledger()) for number in range(1, 31)]
    crowd[0]["excused"] = ["workshop-attended", "self-assessed", "plan-approved"]
    crowd[1]["moved_to"] = "lab-2"
    crowd[2]["state"] = states.FAILED
    found = views.cohort(row, crowd).phases[1]
    assert (found.blocking, len(found.blockers), found.blockers[0].institution) == (27, 20, "11.04")


def test_a_phase_for_some_waits_for_those_alone() -> None:
    row = cohort()
    row["phases"]["workshop"].update(state=OPEN, open_time=NOW, addressed=[GARUT])
    standing = [participant(GARUT, Ledger()), participant(BANDUNG, Ledger())]
    assert [b.institution for b in views.cohort(row, standing).phases[1].blockers] == [GARUT]
    assert list(views.participant({**standing[1], "cohort": "lab"}, row).missing) == []


def test_sessions_have_the_times_that_they_have_in_this_cohort() -> None:
    row = cohort()
    row["phases"]["governance"].update(sessions_moved=7)
    [session] = views.cohort(row, []).phases[0].sessions
    assert session.start_time.ToDatetime().isoformat() == "2022-11-08T02:00:00"
    assert (session.place, session.time_zone) == ("Jakarta", "Asia/Jakarta")


def test_the_instrument_of_a_gain_is_told() -> None:
    assert {gain.instrument for gain in made().gains} == {SPBE}
