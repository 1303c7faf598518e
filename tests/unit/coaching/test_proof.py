"""Reported is what an owner says with evidence, proven what a verified evaluation shows; days are the region's."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as rpc

from services.coaching.model import plan, proof
from services.coaching.model.planning import Evaluation

JAYAPURA = "Asia/Jayapura"


def made(*actions: dict[str, Any]) -> pb.Plan:
    found = pb.Plan(
        id="plan:c:91.71",
        institution="91.71",
        state=pb.PLAN_STATE_APPROVED,
        etag="3",
        from_index="2.00",
        to_index="2.60",
        actions=[
            pb.Action(
                **{"id": str(n), "indicator": str(n), "from_value": "2", "to_value": "4", "gain": "0.20", **action},
                state=pb.ACTION_STATE_PLANNED,
            )
            for n, action in enumerate(actions, 1)
        ],
    )
    found.approve_time.FromDatetime(datetime(2022, 11, 20, 20, tzinfo=UTC))
    return found


def report(found: pb.Plan, action_id: str, at: datetime) -> None:
    request = rpc.CompleteActionRequest(action_id=action_id)
    request.evidence.add(link="https://jdih.example/1")
    plan.complete(found, request, "operator", at, ())


def test_an_action_is_proven_when_the_verified_level_has_moved_and_taken_back_with_a_correction() -> None:
    found = made({}, {}, {})
    now = datetime(2023, 2, 1, tzinfo=UTC)
    values = {"1": Decimal(3), "2": Decimal(2), "9": Decimal(5)}
    fact = proof.prove(found, values, "e-2", now)
    assert fact is not None
    assert (list(fact.proven_ids), fact.reported, fact.proven, fact.total) == (["1"], 0, 1, 3)
    assert (fact.meta.version, found.actions[0].proven_value, found.actions[0].state) == (
        4,
        "3",
        pb.ACTION_STATE_PLANNED,
    )
    assert proof.prove(found, values, "e-2", now) is None
    corrected = proof.prove(found, {"1": Decimal(2)}, "e-2", now)
    assert corrected is not None
    assert (list(corrected.withdrawn_ids), corrected.proven) == (["1"], 0)


@pytest.mark.parametrize(
    ("evaluation_id", "instrument", "period", "proves"),
    [
        ("e-2", "spbe", "2023", True),
        ("e-2", "spbe", "2022", True),
        ("e-1", "spbe", "2022", False),
        ("e-2", "pemdi", "2026", False),
        ("e-0", "spbe", "2021", False),
    ],
)
def test_only_another_evaluation_by_the_same_instrument_and_no_earlier_one_proves(
    evaluation_id: str, instrument: str, period: str, proves: bool
) -> None:
    begun = Evaluation("e-1", "spbe", 1, "", "2.00", {}, "2022")
    assert proof.later(begun, evaluation_id, instrument, period) == proves


def test_a_day_is_over_at_the_midnight_of_the_region() -> None:
    found = made({"due_date": "2023-01-21"})
    assert not proof.measure(found, date(2023, 1, 21), JAYAPURA).overdue
    assert list(proof.measure(found, date(2023, 1, 22), JAYAPURA).overdue) == ["1"]
    # 15:30 by the clocks of Greenwich is half past midnight in Jayapura: the next day.
    report(found, "1", datetime(2023, 1, 21, 15, 30, tzinfo=UTC))
    measured = proof.measure(found, date(2023, 2, 1), JAYAPURA)
    assert [point.date for point in measured.burn_up] == ["2022-11-21", "2023-01-22"]


def test_burn_up_forecast_and_checkpoint() -> None:
    found = made({"due_date": "2022-12-31", "cost": "100"}, {"due_date": "2023-01-15", "cost": "50"}, {})
    report(found, "1", datetime(2022, 12, 1, tzinfo=UTC))
    proof.prove(found, {"1": Decimal(4)}, "e-2", datetime(2023, 2, 1, tzinfo=UTC))
    measured = proof.measure(found, date(2022, 12, 21), JAYAPURA)
    told = [(point.date, point.reported_index, point.proven_index) for point in measured.burn_up]
    assert told == [("2022-11-21", "2.00", "2.00"), ("2022-12-01", "2.20", "2.00"), ("2023-02-01", "2.20", "2.20")]
    # A third took thirty days: two more take sixty.
    assert measured.forecast_date == "2023-02-19"
    assert (measured.cost, measured.reported_cost) == ("150", "100")
    look = measured.checkpoint
    assert (look.date, look.passed, look.due, look.done) == ("2023-01-21", False, 2, 1)
    assert measured.on_track
    for action_id in ("2", "3"):
        report(found, action_id, datetime(2023, 1, 10, tzinfo=UTC))
    done = proof.measure(found, date(2023, 3, 1), JAYAPURA)
    assert (done.reported_index, done.forecast_date, done.checkpoint.passed) == ("2.60", "2023-01-10", True)


def test_what_should_be_under_way_and_of_which_nothing_is_heard_stands_still() -> None:
    found = made({"start_date": "2022-12-01"}, {"start_date": "2023-03-01"}, {})
    plan.progress(found, "3", "Berjalan", datetime(2022, 12, 10, tzinfo=UTC))
    assert not proof.measure(found, date(2022, 12, 22), JAYAPURA).stalled
    assert list(proof.measure(found, date(2022, 12, 23), JAYAPURA).stalled) == ["1"]
    late = proof.measure(found, date(2023, 1, 10), JAYAPURA)
    assert (list(late.stalled), late.on_track) == (["1", "3"], False)


def test_in_a_rehearsal_nothing_is_late_by_the_calendar() -> None:
    measured = proof.measure(made({"due_date": "2023-01-21"}), None, JAYAPURA)
    assert (list(measured.overdue), measured.forecast_date, measured.as_of) == ([], "", "")


def test_a_cohort_adds_up_its_plans() -> None:
    first, second = made({"cost": "300"}, {}), made({"due_date": "2022-12-01"})
    second.id = "plan:c:91.72"
    report(first, "1", datetime(2022, 12, 1, tzinfo=UTC))
    proof.prove(first, {"1": Decimal(3)}, "e-2", datetime(2023, 2, 1, tzinfo=UTC))
    measured = [proof.measure(one, date(2023, 1, 1), JAYAPURA) for one in (first, second)]
    found = proof.together([first, second, pb.Plan(id="draft")], measured, [True, False])
    assert (found.plans, found.agreed, found.on_track) == (3, 2, 1)
    assert (found.actions, found.reported, found.proven) == (3, 1, 1)
    assert (found.gain_per_reported, found.gain_per_proven, found.cost_per_point) == ("0.20", "0.20", "1500.00")
    assert (found.visits, found.visits_followed_up) == (2, 1)


def test_a_visit_is_followed_up_by_what_it_showed() -> None:
    found = made({}, {})
    assert not proof.follows_up(["1"], found)
    report(found, "1", datetime(2022, 12, 1, tzinfo=UTC))
    assert proof.follows_up(["1"], found)
    assert proof.follows_up([], found)
    assert not proof.follows_up(["2"], found)
    assert not proof.follows_up(["1"], None)
