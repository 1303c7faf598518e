"""Rules of evidence without a server: the ladder, ages, states, and what crosses to another instrument."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import evidence_pb2 as pb

from chassis.errors import Refused
from instruments import crosswalk_files, instrument_files
from instruments.file import lint_content, load
from instruments.scoring import Scorer
from services.assessment.model import crosswalk, evidence
from services.assessment.model.evidence import Case

SPBE = load(instrument_files()["spbe-59-2020"].read_bytes())
ACCEPTED, REVISE = pb.EVIDENCE_STATE_ACCEPTED, pb.EVIDENCE_STATE_REVISE
FALLEN, IN_PROCESS = pb.EVIDENCE_STATE_REJECTED_LOWER_LEVEL, pb.EVIDENCE_STATE_IN_PROCESS


def case(period: str = "2022", now: datetime = datetime(2022, 6, 1, tzinfo=UTC)) -> Case:
    return Case(evaluation_pb2.Evaluation(id="e", institution="32.11", period=period), SPBE, "ani", now)


def handed_in(*levels: int) -> pb.IndicatorEvidence:
    shown = pb.IndicatorEvidence(evaluation_id="e", indicator="1")
    for level in levels:
        evidence.attach(case(), shown, pb.Piece(evidence_id=f"file-{level}", level=level))
    evidence.hand_in(case(), shown)
    return shown


LEVELS = st.integers(1, 5)
STEPS = st.lists(st.tuples(LEVELS, st.sampled_from([ACCEPTED, REVISE])), max_size=20)


@settings(max_examples=300, deadline=None, database=None)
@given(STEPS)
def test_no_order_of_findings_leaves_a_level_accepted_above_one_that_is_not(
    steps: list[tuple[int, pb.EvidenceState.ValueType]],
) -> None:
    shown = handed_in(1, 2, 3, 4, 5)
    for level, state in steps:
        version = shown.etag
        found = pb.Piece(evidence_id=f"file-{level}", level=level, state=state, reason="unsigned")
        refusals = []
        try:
            evidence.review(case(), shown, found, "", "2022-01-01")
        except Refused as refused:
            refusals.append((refused.reason, shown.etag))
        assert refusals in ([], [("LADDER", version)])
        states = {piece.level: piece.state for piece in shown.pieces}
        for above in (3, 4, 5):
            below = all(states[n] == ACCEPTED for n in range(2, above))
            assert below or states[above] != ACCEPTED
            assert not below or states[above] != FALLEN


@pytest.mark.parametrize(
    ("dated", "period", "now", "stale"),
    [
        ("2020-06-01", "2022", datetime(2022, 6, 1, tzinfo=UTC), True),
        ("2020-06-02", "2022", datetime(2022, 6, 1, tzinfo=UTC), False),
        # Half past midnight in the capital, where it is the second of June.
        ("2020-06-02", "2022", datetime(2022, 6, 1, 17, 30, tzinfo=UTC), True),
        # A leap day is two years old on the first of March.
        ("2020-02-29", "2022", datetime(2022, 2, 28, tzinfo=UTC), False),
        ("2020-02-29", "2022", datetime(2022, 3, 1, tzinfo=UTC), True),
        # An evaluation of the past is judged by its own year.
        ("2021-06-01", "2022", datetime(2026, 11, 1, tzinfo=UTC), False),
    ],
)
def test_evidence_of_level_4_is_less_than_two_years_old(dated: str, period: str, now: datetime, stale: bool) -> None:
    shown = handed_in(2, 3, 4)
    rules = [warning.rule for warning in evidence.warnings(case(period, now), shown, 4, dated)]
    assert rules == (["AGE"] if stale else [])
    assert not list(evidence.warnings(case(period, now), shown, 3, "1999-01-01"))


def test_the_state_of_an_indicator_is_that_of_its_worst_piece() -> None:
    assert evidence.state_of([]) == pb.EVIDENCE_STATE_MISSING
    states = [ACCEPTED, IN_PROCESS, pb.EVIDENCE_STATE_DRAFT, FALLEN, REVISE]
    for n in range(1, len(states) + 1):
        assert evidence.state_of([pb.Piece(state=state) for state in states[:n]]) == states[n - 1]


def test_the_crosswalk_names_indicators_that_both_instruments_have() -> None:
    for (earlier, later), path in crosswalk_files().items():
        found = crosswalk.load(path.read_text())
        assert (getattr(found, "from"), found.to) == (earlier, later)
        known = [Scorer(load(instrument_files()[name].read_bytes())).indicators for name in (earlier, later)]
        assert {row.to for row in found.rows} == set(known[1])
        assert {code for row in found.rows for code in getattr(row, "from")} <= set(known[0])


def test_a_faulty_crosswalk_is_refused_with_the_lines_of_its_faults() -> None:
    text = "from: a\nto: b\nrows:\n  - to: 1\n    status: new\n    from: [2]\n  - to: 2\n    status: perhaps\n"
    with pytest.raises(ValueError, match=r"line 8.*perhaps.*line 4: 1: new has no counterpart"):
        crosswalk.load(text)


def test_faults_of_evidence_rules_are_named_by_lint() -> None:
    text = instrument_files()["spbe-59-2020"].read_text()
    rule = "    - level: 4\n      younger_than_years: 2\n"
    spoiled = text.replace(rule, rule + rule + "    - level: 9\n      younger_than_years: 0\n")
    faults = {fault.place: fault.reason for fault in lint_content(spoiled.encode())}
    assert faults == {
        "evidence.fresh[1].level": "level 4 has a rule before",
        "evidence.fresh[2].level": "9 is outside the scale, 1 to 5",
        "evidence.fresh[2].younger_than_years": "0 is not between 1 and 100",
    }
